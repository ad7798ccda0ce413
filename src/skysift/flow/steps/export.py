"""`export_weights`: a network as an ONNX file that gives the same answers, with its card beside it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import FatalError, OutputError
from skysift.base.extras import require
from skysift.base.random import generator
from skysift.find.neural.detector import Detector
from skysift.find.neural.known import detector_of
from skysift.find.neural.windows import WINDOW
from skysift.io.output import whole_file
from skysift.learn.checkpoint import Checkpoint, load_into
from skysift.learn.engine import Run, export, onnx_runner, runner
from skysift.measure.ellipse import FWHM

__all__ = ["TOLERANCE", "Exported", "card_of", "export_weights", "largest_difference", "random_windows"]

Pixels: TypeAlias = NDArray[np.float32]
Inputs: TypeAlias = dict[str, Pixels]

TOLERANCE = 1e-4  # of any number of the answer
_BEAMS = ((3.0, 3.0, 0.0), (6.0, 4.0, 0.6), (2.4, 2.0, -1.0))  # FWHM (pixels) and angle of the random windows


@dataclass(frozen=True)
class Exported:
    """
    What was written.

    Attributes
    ----------
    path, card
        The network and its card.
    difference
        Largest difference of a number of the answer from that of torch.
    windows
        How many random windows were compared.
    """

    path: Path
    card: Path
    difference: float
    windows: int


def export_weights(weights: Checkpoint, out: Path, *, overwrite: bool = False) -> Exported:
    """
    A network as ONNX, written only where it gives the answers of torch, and its card as JSON.

    Parameters
    ----------
    weights
        With their card.
    out
        FILE.onnx; the card is FILE.json.
    overwrite
        Replace what is there.

    Raises
    ------
    DataError
        No finder looks through the model of the weights.
    OutputError
        A file exists and `overwrite` is false, or cannot be written.
    FatalError
        The answers differ by more than `TOLERANCE`.
    """
    require("the export to ONNX", "onnx", "onnxruntime")
    detector = detector_of(weights)
    net = detector.net()
    load_into(net, weights)
    card = card_of(out)
    if card.exists() and not overwrite:
        raise OutputError("the file exists", got=str(card), todo="choose another name, or give --overwrite")
    windows = random_windows(detector)
    torch_run = runner(net.eval(), "torch", example=windows[0], key="", device="cpu")
    with whole_file(out, overwrite=overwrite) as part:
        export(net, windows[0], part)
        difference = largest_difference(torch_run, onnx_runner(part), windows)
        if not difference <= TOLERANCE:
            raise FatalError(
                "the exported network gives other answers than torch",
                got=f"a difference of {difference:.2g}",
                allowed=f"{TOLERANCE:g}",
                todo="report it; nothing was written",
            )
        content = part.read_bytes()
        with whole_file(card, overwrite=overwrite) as told:
            facts = _facts(weights, detector, windows[0], content, difference, len(windows))
            told.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    return Exported(out, card, difference, len(windows))


def card_of(out: Path) -> Path:
    """The file of the card beside a network."""
    return out.with_suffix(".json")


def random_windows(detector: Detector, seed: int = 1) -> list[Inputs]:
    """Inputs of windows of noise with bumps of the beam's size, some blank: of one size, of another, and two at once."""
    rng = generator(seed, "export")
    low = detector.multiple * -(-WINDOW // (4 * detector.multiple))
    made = []
    for how, shape, n in zip(_BEAMS, ((WINDOW, WINDOW), (low, 2 * low), (low, low)), (1, 1, 2), strict=True):
        beam = _covariance(*how)
        each = [detector.inputs(_window(shape, beam, rng), beam) for _ in range(n)]
        made.append({name: np.concatenate([one[name] for one in each]) for name in each[0]})
    return made


def _covariance(major: float, minor: float, angle: float) -> NDArray[np.float64]:
    """Covariance (xx, xy, yy) of a beam; its angle is from x towards y."""
    a, b, c, s = (major / FWHM) ** 2, (minor / FWHM) ** 2, np.cos(angle), np.sin(angle)
    return np.array([a * c * c + b * s * s, (a - b) * s * c, a * s * s + b * c * c])


def _window(shape: tuple[int, int], beam: NDArray[np.float64], rng: np.random.Generator) -> Pixels:
    """Noise with bumps of 3 to 1000 sigma and a blank corner."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    z = rng.normal(size=shape)
    inverse = np.linalg.inv(np.array([[beam[0], beam[1]], [beam[1], beam[2]]]))
    for _ in range(12):
        dx, dy = x - rng.uniform(0, shape[1]), y - rng.uniform(0, shape[0])
        form = inverse[0, 0] * dx * dx + 2.0 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy * dy
        z += 10.0 ** rng.uniform(0.5, 3.0) * np.exp(-0.5 * form)
    z[: shape[0] // 8, : shape[1] // 8] = np.nan
    return z.astype(np.float32)


def largest_difference(one: Run, other: Run, windows: Sequence[Inputs]) -> float:
    """The largest difference of a number between two answers; inf where their shapes differ or one is no number."""
    worst = 0.0
    for inputs in windows:
        left, right = one(inputs), other(inputs)
        if left.shape != right.shape:
            return float("inf")
        away = np.abs(left.astype(np.float64) - right)
        worst = max(worst, float(away.max()) if np.isfinite(away).all() else float("inf"))
    return worst


def _facts(
    weights: Checkpoint, detector: Detector, example: Inputs, content: bytes, difference: float, n: int
) -> dict[str, Any]:
    """What the card of the network says: that of the weights, and how the file is used."""
    return {
        **weights.card.to_dict(),
        "onnx": {
            "checksum": "sha256:" + hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "weights_checksum": weights.checksum,
            "inputs": {
                name: ["window", each.shape[1], *(("row", "column") if each.ndim == 4 else ())]
                for name, each in example.items()
            },
            "output": "answer",
            "stride": detector.stride,
            "multiple": detector.multiple,
            "margin": detector.margin,
            "largest_difference": difference,
            "windows_compared": n,
            "exported_by": f"skysift {skysift.__version__}",
        },
    }
