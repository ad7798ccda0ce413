"""`learning_page`: one self-contained HTML page of sections, each with a table or pictures."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skysift.base.provenance import Manifest
from skysift.flow.figures import Picture
from skysift.flow.page import render
from skysift.flow.style import BLUE, INK, ORANGE, png, quiet, sheet

__all__ = ["Section", "counted", "curves", "learning_page", "on_a_plane", "said", "views_of"]

Fact = tuple[str, str]
_COLOURS = (BLUE, ORANGE, INK, "#55a83a", "#8a5cc2", "#b58a1f", "#3aa6a0", "#c2497f")
_ROWS, _ACROSS = 4, 6


@dataclass(frozen=True)
class Section:
    """A part of a page: a table, pictures, or both."""

    key: str
    title: str
    lead: str = ""
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class _Page:
    """All that the template shows."""

    title: str
    lead: str
    numbers: tuple[Fact, ...]
    notes: tuple[str, ...]
    sections: tuple[Section, ...]
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    footer: str


def learning_page(
    title: str,
    lead: str,
    numbers: Sequence[Fact],
    sections: Sequence[Section],
    facts: Mapping[str, Mapping[str, object]],
    manifest: Manifest,
) -> str:
    """The page, as HTML that needs no other file.

    Parameters
    ----------
    title, lead
        What it is about, and a sentence more.
    numbers
        What stands at the top: a value and its meaning.
    sections
        The parts.
    facts
        Options and the like, by block.
    manifest
        The story of the run.
    """
    told = manifest.provenance
    run = {"started": manifest.started, "skysift": told.version, **manifest.versions}
    page = _Page(
        title,
        lead,
        tuple(numbers),
        tuple(manifest.warnings),
        tuple(sections),
        tuple(
            (name, tuple((key, said(value)) for key, value in block.items()))
            for name, block in {**facts, "Run": run}.items()
            if block
        ),
        f"Made by skysift {told.version}, {manifest.started}.",
    )
    return render(page, "learning.html.jinja")


def said(value: object) -> str:
    """A value of an option as a person writes it: lists and pairs without brackets, nothing as a dash."""
    if value is None or value == () or value == [] or value == {}:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key}: {said(each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(said(each) for each in value)
    return str(value)


def counted(n: int, what: str) -> str:
    """A number of things: 1 feature, 2 features."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def curves(log: Path, names: Sequence[str], caption: str) -> Picture:
    """Columns of the log of a training by step; those whose name begins so where a name ends with an underscore."""
    with log.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    figure = sheet(6.0, 3.6)
    axes = figure.add_subplot()
    quiet(axes)
    there = list(rows[0]) if rows else []
    chosen = [
        each
        for name in names
        for each in there
        if each == name or (name[-1] == "_" and each.startswith(name))
    ]
    steps = np.array([float(row["step"]) for row in rows])
    for k, name in enumerate(chosen):
        values = np.array([float(row.get(name) or "nan") for row in rows])
        axes.plot(steps, values, marker=".", color=_COLOURS[k % 8], label=name.removeprefix("loss_"))
    axes.set_xlabel("step")
    if chosen:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9)
    return Picture(png(figure), caption)


def views_of(pixels: NDArray[np.float32], views: Sequence[NDArray[np.float32]], caption: str) -> Picture:
    """Some pictures, each with its views beside it: (row, y, x), and a list of such."""
    figure = sheet(7.2, 4.9)
    shown = [pixels[:_ROWS], *(each[:_ROWS] for each in views)][:_ACROSS]
    for row in range(min(_ROWS, len(pixels))):
        for column, part in enumerate(shown):
            axes = figure.add_subplot(_ROWS, len(shown), row * len(shown) + column + 1)
            axes.imshow(part[row], origin="lower", cmap="inferno", vmin=0.0, vmax=1.0)
            axes.set_axis_off()
            if row == 0:
                axes.set_title("picture" if column == 0 else f"view {column}", fontsize=8, color=INK)
    return Picture(png(figure), caption)


def on_a_plane(values: NDArray[np.float64], labels: Sequence[str], caption: str) -> Picture:
    """Vectors of features along their first two principal components, coloured by label."""
    figure = sheet(6.0, 4.6)
    axes = figure.add_subplot()
    quiet(axes)
    centred = values - values.mean(axis=0)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    place = centred @ directions[:2].T
    given = np.asarray(labels)
    for k, name in enumerate(dict.fromkeys(labels)):
        rows = given == name
        axes.plot(
            place[rows, 0],
            place[rows, -1],
            ls="",
            marker=".",
            ms=4,
            alpha=0.6,
            color=_COLOURS[k % 8],
            label=name or "no label",
        )
    axes.set_xlabel("first component")
    axes.set_ylabel("second component")
    if len(set(labels)) > 1:
        axes.legend(frameon=False, labelcolor=INK, fontsize=9, markerscale=2)
    return Picture(png(figure), caption)
