"""`candidates_page`: cutouts of candidates on one HTML page, with buttons that fill in the verdicts of the table."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.provenance import Manifest
from skysift.find.neural.labelled import significance
from skysift.find.neural.shapes import beam_of, beam_width
from skysift.find.noise import Noise
from skysift.find.places import places_at
from skysift.flow.page import render
from skysift.flow.style import digits
from skysift.flow.training.corrections import FOUND
from skysift.flow.training.lacking import Compared
from skysift.sky.box import Box
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.shapes import axes_of
from skysift.sky.truth import CLASS_COLOURS

__all__ = ["candidates_page"]

Floats: TypeAlias = NDArray[np.float64]
Fact: TypeAlias = tuple[str, str]

_BEAMS, _SIZES = 12.0, 3.0  # side of a cutout: in beams, and in sizes of the object
_LARGEST = 256  # pixels of a cutout
_BRIGHT = 10.0  # sigma: fainter cutouts share one scale


@dataclass(frozen=True)
class Cutout:
    """One candidate: its number in the table, its picture, what is drawn over it and what is told below it."""

    number: int
    image: str
    side: int
    ellipse: tuple[float, float, float, float, float]  # centre, semi-axes, angle as SVG turns
    labels: tuple[tuple[float, float], ...]
    colour: str
    told: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    title: str
    lead: str
    numbers: tuple[Fact, ...]
    notes: tuple[str, ...]
    kinds: tuple[tuple[str, str, str, int, tuple[Cutout, ...]], ...]
    legend: tuple[Fact, ...]
    rows: list[list[str]]
    radius: float
    footer: str


def candidates_page(
    one: Compared, labels: Detections, image: SkyImage, noise: Noise, manifest: Manifest, *, shown: int
) -> str:
    """The page, as HTML that needs no other file.

    Parameters
    ----------
    one
        The candidates.
    labels
        Those of the map, drawn as small circles.
    image, noise
        The map.
    manifest
        The story of the run.
    shown
        How many of each kind are shown.
    """
    told = manifest.provenance
    kind = np.array(one.candidates.kind, np.str_)
    numbers = [np.flatnonzero(kind == FOUND), np.flatnonzero(kind != FOUND)]
    texts = (
        ("found", "Found, not in the labels", "Is it real? Yes makes it a label. The surest come first."),
        (
            "lost",
            "In the labels, not found",
            "Is the label right? No removes it. Those that the network doubts most come first.",
        ),
    )
    width = beam_width(beam_of(image))
    page = Page(
        title=f"Candidates of {image.name}",
        lead=f"Where the weights {told.options['weights']} and the labels {told.options['labels']} disagree.",
        numbers=(
            (str(one.n_labels), "labels"),
            (str(one.n_both), f"of them found with a score of {manifest.facts['threshold']:.2f} or more"),
            (str(numbers[0].size), "found that the labels lack"),
            (str(numbers[1].size), "labels lost"),
        ),
        notes=tuple(manifest.warnings),
        kinds=tuple(
            (name, title, lead, rows.size, tuple(
                _cutout(one, k, labels, image, noise, width) for k in rows[:shown].tolist()
            ))
            for (name, title, lead), rows in zip(texts, numbers, strict=True)
        ),
        legend=tuple((colour, name) for name, colour in CLASS_COLOURS.items()),
        rows=one.candidates.texts(),
        radius=0.35 * width,
        footer=f"Made by skysift {told.version}, {manifest.started}.",
    )  # fmt: skip
    return render(page, "candidates.html.jinja")


def _cutout(one: Compared, k: int, labels: Detections, image: SkyImage, noise: Noise, width: float) -> Cutout:
    told = one.candidates
    values = {name: float(each[k]) for name, each in told.numbers.items()}
    x, y = values["x"], values["y"]
    at = np.array([x]), np.array([y])
    major, minor, pa = (float(each[0]) for each in axes_of(one.own[k : k + 1] + places_at(image, *at).beam))
    side = int(min(max(_BEAMS * width, _SIZES * major), _LARGEST)) // 2 * 2 + 1
    x0, y0 = int(np.floor(x + 0.5)) - side // 2, int(np.floor(y + 0.5)) - side // 2
    box = Box(y0, y0 + side, x0, x0 + side)
    inside = box.intersect(Box.of(image.shape))
    z = np.full(box.shape, np.nan, np.float32)
    z[inside.y0 - y0 : inside.y1 - y0, inside.x0 - x0 : inside.x1 - x0] = significance(image, noise, inside)
    near = np.flatnonzero(box.contains(labels["x"], labels["y"]))
    places = [
        (float(labels["x"][j]) - x0 + 0.5, side - (float(labels["y"][j]) - y0 + 0.5)) for j in near.tolist()
    ]
    where = f"x {x:.1f}, y {y:.1f}"
    if np.isfinite(values["ra"]):
        where = f"{values['ra']:.5f}, {values['dec']:+.5f}"
    return Cutout(
        k + 1,
        _gray(z),
        side,
        # `axes_of` turns from the second axis towards the first, here from y towards x; SVG from x downwards
        (x - x0 + 0.5, side - (y - y0 + 0.5), 0.5 * major, 0.5 * minor, pa - 90.0),
        tuple(places),
        CLASS_COLOURS[told.label_class[k]],
        (
            f"{told.label_class[k]}, score {values['score']:.2f}",
            f"{digits(values['snr'])} sigma, {digits(major / width)} beams wide",
            where,
        ),
    )


def _gray(z: NDArray[np.float32]) -> str:
    """Pixels ``(y, x)`` over the noise as a PNG, north as on the map: the first row below."""
    from PIL import Image  # comes with matplotlib, loaded as late

    ny, nx = z.shape
    middle = z[ny // 2 - 2 : ny // 2 + 3, nx // 2 - 2 : nx // 2 + 3]
    top = max(_BRIGHT, float(np.nanmax(middle, initial=_BRIGHT)))
    low, high = np.arcsinh(-1.5), np.arcsinh(top)
    shade = np.clip((np.arcsinh(z) - low) / (high - low), 0.0, 1.0)
    pixels = np.where(np.isfinite(z), 20.0 + 235.0 * np.nan_to_num(shade), 0.0).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels[::-1]).save(buffer, format="png", compress_level=9)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
