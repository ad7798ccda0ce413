"""`training_page`: one self-contained HTML page about a training: curves, numbers, and what the model sees."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skysift.base.provenance import Manifest
from skysift.flow.figures import Picture
from skysift.flow.page import render
from skysift.flow.style import BLUE, INK, ORANGE, PAPER, digits, png, quiet, sheet
from skysift.learn.checkpoint import Card
from skysift.learn.fields import Field
from skysift.sky.detections import Detections

__all__ = ["Example", "training_page"]

Fact = tuple[str, str]

_SIDE = 160  # pixels of an example
_COLOURS = (BLUE, ORANGE, INK, "#55a83a")
_FAINT = 3.0  # sigma: fainter true sources are not drawn


@dataclass(frozen=True)
class Example:
    """A validation field and what the model found in it."""

    field: Field
    found: Detections
    threshold: float


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    title: str
    lead: str
    numbers: tuple[Fact, ...]
    notes: tuple[str, ...]
    curves: tuple[Picture, ...]
    examples: tuple[Picture, ...]
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    footer: str


def training_page(
    card: Card, log: Path, examples: Sequence[Example], manifest: Manifest, *, better: str, stopped: str
) -> str:
    """The page of a training, as HTML that needs no other file.

    Parameters
    ----------
    card
        Of the weights.
    log
        The table of validations.
    examples
        Fields with what was found in them.
    manifest
        The story of the run.
    better
        The number that says how good the model is.
    stopped
        Why the training ended early; empty where it did not.
    """
    with log.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    told = manifest.provenance
    page = Page(
        title=f"Training of {card.name}",
        lead=card.task or f"weights of the model {card.model}",
        numbers=tuple(
            (digits(value), f"{name}{_before(card, name)}") for name, value in card.numbers.items()
        ),
        notes=(*([f"training ended early: {stopped}"] if stopped else []), *manifest.warnings),
        curves=(_losses(rows), _scores(rows, better)),
        examples=tuple(_example(each) for each in examples),
        facts=(
            ("Model", tuple((key, str(value)) for key, value in card.options.items())),
            ("Training", tuple((key, str(value)) for key, value in card.training.get("train", {}).items())),
            ("Fields", tuple((entry["name"], _kind(entry)) for entry in card.training.get("fields", []))),
            ("Run", (("started", manifest.started), ("skysift", told.version), *manifest.versions.items())),
        ),
        footer=f"Made by skysift {told.version}, {manifest.started}.",
    )
    return render(page, "training.html.jinja")


def _before(card: Card, name: str) -> str:
    """What a number was with the weights that a training began with; nothing where it began with none."""
    value = card.training.get("before", {}).get(name)
    return "" if value is None else f" (before {digits(value)})"


def _kind(entry: dict[str, object]) -> str:
    """What a field is, in a few words."""
    kept = "for validation" if entry.get("held") == 1.0 else ""
    return f"{entry.get('simulator') or entry.get('map')} {kept}".strip()


def _column(rows: Sequence[dict[str, str]], name: str) -> NDArray[np.float64]:
    return np.array([float(row.get(name) or "nan") for row in rows])


def _losses(rows: Sequence[dict[str, str]]) -> Picture:
    """The terms of the loss by step."""
    figure = sheet(6.0, 3.6)
    axes = figure.add_subplot()
    quiet(axes)
    names = [name for name in (rows[0] if rows else {}) if name.startswith("loss_")]
    steps = _column(rows, "step")
    for number, name in enumerate(names):
        axes.plot(
            steps,
            _column(rows, name),
            marker=".",
            color=_COLOURS[number % 4],
            label=name[5:],
        )
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    if names:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return Picture(png(figure), "Terms of the loss, mean since the validation before.")


def _scores(rows: Sequence[dict[str, str]], better: str) -> Picture:
    """What validations gave by step."""
    figure = sheet(6.0, 3.6)
    axes = figure.add_subplot()
    quiet(axes)
    steps = _column(rows, "step")
    for number, name in enumerate(dict.fromkeys((better, "purity", "completeness", "mean"))):
        if rows and name in rows[0]:
            axes.plot(steps, _column(rows, name), marker=".", color=_COLOURS[number % 4], label=name)
    axes.set_xlabel("step")
    axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return Picture(png(figure), f"Validation; the weights are those with the best {better}.")


def _example(one: Example) -> Picture:
    """The most crowded part of a validation field, with true sources and what was found."""
    field, found = one.field, one.found
    held = field.held
    assert held is not None
    raw = field.labels.raw
    true = (raw["snr_peak"] >= _FAINT) & held.contains(raw["x"], raw["y"]) & (raw["class"] != 0)
    y0, x0 = _crowded(np.asarray(raw["x"])[true], np.asarray(raw["y"])[true], field)
    ny, nx = min(_SIDE, field.shape[0]), min(_SIDE, field.shape[1])
    part = np.asarray(field.pixels[y0 : y0 + ny, x0 : x0 + nx], np.float32)
    figure = sheet(5.2, 5.2)
    axes = figure.add_subplot()
    axes.set_facecolor(PAPER)
    axes.imshow(np.arcsinh(part), origin="lower", cmap="gray", vmin=-1.5, vmax=4.0,
                extent=(x0 - 0.5, x0 + nx - 0.5, y0 - 0.5, y0 + ny - 0.5))  # fmt: skip
    axes.plot(
        np.asarray(raw["x"])[true],
        np.asarray(raw["y"])[true],
        ls="",
        marker="o",
        ms=9,
        mfc="none",
        mec=BLUE,
        mew=1.0,
    )
    kept = found.scores >= one.threshold
    axes.plot(found["x"][kept], found["y"][kept], ls="", marker="+", ms=7, color=ORANGE, mew=1.2)
    axes.set_xlim(x0 - 0.5, x0 + nx - 0.5)
    axes.set_ylim(y0 - 0.5, y0 + ny - 0.5)
    quiet(axes)
    n_true, n_found = int(true.sum()), int(kept.sum())
    return Picture(
        png(figure),
        f"{field.name}: circles are true sources above {_FAINT:g} sigma ({n_true} in the field), crosses what was "
        f"found above {one.threshold:.2f} ({n_found}).",
    )


def _crowded(x: NDArray[np.float64], y: NDArray[np.float64], field: Field) -> tuple[int, int]:
    """First row and column of a part of a field with many sources; that of its middle where there are none."""
    ny, nx = field.shape
    if not x.size:
        return max(0, (ny - _SIDE) // 2), max(0, (nx - _SIDE) // 2)
    edges = [np.arange(0, size + _SIDE, _SIDE) for size in (ny, nx)]
    counts, _, _ = np.histogram2d(y, x, bins=(edges[0], edges[1]))
    row, column = np.unravel_index(int(counts.argmax()), counts.shape)
    return min(int(row) * _SIDE, max(0, ny - _SIDE)), min(int(column) * _SIDE, max(0, nx - _SIDE))
