"""`Eye`: weights with the detector of their model and what runs their network; made once a process."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cache

import numpy as np

import skysift
from skysift.base.errors import DataError, UsageError
from skysift.find.neural.detector import Detector
from skysift.find.neural.known import detector_of
from skysift.find.neural.options import EyeOptions
from skysift.find.neural.windows import WINDOW
from skysift.learn.checkpoint import Checkpoint, load_into
from skysift.learn.engine import Run, runner
from skysift.learn.hub import weights_of

__all__ = ["Eye", "eye_of"]

_MAKING = threading.Lock()  # of threads that ask for the same eye at once, one makes it


@dataclass(frozen=True, eq=False)
class Eye:
    """
    What a network is seen through.

    Attributes
    ----------
    weights
        With their card.
    detector
        What the answers of the network mean.
    run
        Runs it.
    """

    weights: Checkpoint
    detector: Detector
    run: Run


def eye_of(options: EyeOptions, checksum: str | None = None) -> Eye:
    """
    The eye that options name.

    Parameters
    ----------
    options
        Weights, device, engine and precision.
    checksum
        That the weights must have, so that all workers look through the same ones.

    Raises
    ------
    UnknownName
        There are no such weights.
    DataError
        The weights are broken, of another network, or not those of the checksum.
    UsageError
        The device or the engine cannot be had, or the engine has no numbers that the network can reckon with.
    """
    with _MAKING:
        found = checksum or weights_of(options.weights).checksum
        return _made(options.weights, found, options.engine, options.device, options.precision)


@cache
def _made(name: str, checksum: str, engine: str, device: str, precision: str) -> Eye:
    """The eye of these weights, as they are now."""
    weights = weights_of(name)
    if weights.checksum != checksum:
        raise DataError(
            f"{weights.path.name} is not the file of weights that the run began with",
            got=weights.checksum[:23],
            allowed=checksum[:23],
            todo="give all workers the same file, and leave it as it is while they run",
        )
    detector = detector_of(weights)
    if detector.exact and engine == "openvino":
        if precision == "bfloat16":
            raise UsageError(
                f"{weights.card.model} reckons with places in pixels, which this engine would round",
                got="precision=bfloat16",
                todo="give precision=float32, or engine=torch",
            )
        precision = "float32"
    net = detector.net()
    load_into(net, weights)
    example = detector.inputs(np.zeros((WINDOW, WINDOW), np.float32), np.array([1.0, 0.0, 1.0]))
    key = f"{weights.card.model}-{skysift.__version__}-{checksum.removeprefix('sha256:')[:16]}"
    run = runner(net.eval(), engine, example=example, key=key, device=device, precision=precision)
    return Eye(weights, detector, run)
