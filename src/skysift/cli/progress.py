"""How a run is followed on a terminal: a bar while it works, a few lines when it is done."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from skysift.flow.style import digits, prefixed

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from skysift.flow.steps.find import Products

__all__ = ["Watch", "kinds", "summary"]


class Watch:
    """Called as watch(stage, done, total): a bar on a terminal, a line per stage elsewhere, nothing if quiet.

    Parameters
    ----------
    name
        What is worked on.
    quiet
        Show nothing.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self._name = name
        self._quiet = quiet
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._stage = ""

    def __enter__(self) -> Watch:
        if not self._quiet and sys.stderr.isatty():
            # Loaded late: rich is only for people who watch.
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def say(self, line: str) -> None:
        """Tell something about the work beside its progress."""
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.console.print(f"{self._name}: {line}", highlight=False)
        else:
            print(f"skysift: {self._name}: {line}", file=sys.stderr)

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` parts of a stage are done."""
        if self._quiet:
            return
        if self._bar is None:
            if stage != self._stage:
                print(f"skysift: {self._name}: {stage}", file=sys.stderr)
        else:
            if stage != self._stage and self._task is not None:
                self._bar.remove_task(self._task)
                self._task = None
            if self._task is None:
                self._task = self._bar.add_task(f"{self._name}: {stage}", total=total)
            self._bar.update(self._task, completed=done, total=total)
        self._stage = stage


def summary(made: Products) -> str:
    """A few lines about a run: what was found, how noisy the map is, how long it took and where to look."""
    counts, told = made.manifest.counts, made.manifest
    name = told.provenance.inputs[0].name if told.provenance.inputs else "map"
    flagged = f"{counts['flagged']} flagged ({counts['doubtful']} doubtful)"
    rows = [
        ("sources", f"{counts['sources']}", f"{counts['resolved']} resolved, {flagged}"),
        ("", "", kinds(counts, sought="segment_seed" in told.provenance.options)),
        ("components", f"{counts['components']}", ""),
        ("islands", f"{counts['islands']}", ""),
        *_reliability(made),
        ("median rms", *_rms(made)),
        ("time", f"{sum(told.seconds.values()):.1f} s", _slowest(told.seconds)),
    ]
    wide = max(len(value) for _, value, _ in rows)
    lines = [name, *(f"  {title:<11} {value:>{wide}}  {more}".rstrip() for title, value, more in rows)]
    first = "report.html" if "report.html" in told.outputs else "manifest.json"
    return "\n".join([*lines, f"  {'look at':<11} {made.folder / first}"])


def _reliability(made: Products) -> list[tuple[str, str, str]]:
    """What the inverted map showed, and how many sources were dropped for it; nothing where nobody asked."""
    told = made.facts.get("reliability")
    if not isinstance(told, Mapping):
        return []
    level = made.manifest.provenance.options.get("reliability")
    parts = []
    if isinstance(level, float) and level > 0.0:
        parts.append(f"{told['sources_dropped']} sources below {level:g} dropped")
    for kind in ("islands", "segments"):
        if f"negative_{kind}" in told:
            expected = digits(float(told[f"negative_{kind}_expected"]))
            parts.append(f"{told[f'negative_{kind}']} negative {kind} ({expected} by noise)")
    if "negative_sources" in told:
        parts.append(f"{told['negative_sources']} sources upside down")
    return [("reliability", "", ", ".join(parts))] if parts else []


def kinds(counts: Mapping[str, int], *, sought: bool = False) -> str:
    """How many sources are extended, if any or if such were `sought`, and how many compact, by structure."""
    text = ", ".join(f"{letter} {counts[f'structure_{letter}']}" for letter in "SCM")
    extended, parents = counts["structure_E"], counts["with_children"]
    if not extended and not sought:
        return text
    nested = f" ({parents} with compact sources on top)" if parents else ""
    return f"{extended} extended{nested}, {counts['sources'] - extended} compact ({text})"


def _rms(made: Products) -> tuple[str, str]:
    rms = made.facts.get("rms_median", float("nan"))
    if not isinstance(rms, float | np.floating) or not np.isfinite(rms):
        return "-", ""
    factor, unit = prefixed("Jy/beam", float(rms))
    return digits(float(rms * factor)), unit


def _slowest(seconds: Mapping[str, float]) -> str:
    parts = sorted(seconds.items(), key=lambda part: -part[1])[:3]
    return ", ".join(f"{stage} {spent:.1f}" for stage, spent in parts)
