"""`completeness_page`: one self-contained HTML page about what a finder finds in a map, and the chart of the curve."""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from skysift.base.provenance import Manifest
from skysift.flow.figures import Picture
from skysift.flow.page import render
from skysift.flow.style import (
    BLUE,
    INK,
    ORANGE,
    blank,
    digits,
    plain_numbers,
    png,
    prefixed,
    quiet,
    sheet,
)
from skysift.score.curve import CompletenessCurve
from skysift.score.recovery import LEVELS, Recovery
from skysift.score.scorer import Report
from skysift.sky.image import SkyImage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

__all__ = ["Page", "chart_bytes", "completeness_page"]

Fact = tuple[str, str]

SIZE = (6.0, 4.1)
_MOST_POINTS = 4000  # of a scatter
_FEWEST = 8  # pulls in a bin whose width is shown


@dataclass(frozen=True)
class Page:
    """All that the template shows."""

    title: str
    lead: str
    numbers: tuple[Fact, ...]
    notes: tuple[str, ...]
    curves: tuple[Picture, ...]
    charts: tuple[Picture, ...]
    rule: str
    levels: tuple[tuple[str, str, str], ...]
    fluxes: tuple[tuple[str, ...], ...]
    facts: tuple[tuple[str, tuple[Fact, ...]], ...]
    footer: str


def completeness_page(image: SkyImage, report: Report, recovery: Recovery, manifest: Manifest) -> str:
    """The page of a measurement of completeness, as HTML that needs no other file.

    Parameters
    ----------
    image
        The map.
    report, recovery
        What was found.
    manifest
        The story of the run.
    """
    told = manifest.provenance
    made = manifest.facts.get("made sources", {})
    page = Page(
        title=f"Completeness of {image.name}",
        lead=(
            f"{len(recovery)} made sources put into the map and searched for by the finder {told.finder}; "
            f"{int(recovery.found.sum())} were found"
        ),
        numbers=_numbers(report),
        notes=(*manifest.warnings, *_notes(report)),
        curves=(_curve_chart(report, "snr"), _curve_chart(report, "flux")),
        charts=(
            _flux_chart(recovery),
            _pull_chart(report),
            _map_chart(image, report),
            _reliability_chart(report),
        ),
        rule=report.rule,
        levels=_levels(report),
        fluxes=_flux_rows(report),
        facts=(
            ("Input", tuple((each.name, f"{each.size:,} bytes, {each.checksum}") for each in told.inputs)),
            ("Made sources", tuple((key, _text(value)) for key, value in dict(made).items())),
            (f"Options of the finder {told.finder}", tuple((k, _text(v)) for k, v in told.options.items())),
            (
                "Run",
                (
                    ("started", manifest.started),
                    *((f"seconds: {stage}", f"{spent:.1f}") for stage, spent in manifest.seconds.items()),
                    ("skysift", told.version),
                    *manifest.versions.items(),
                ),
            ),
        ),
        footer=f"Made by skysift {told.version}, {manifest.started}.",
    )
    return render(page, "completeness.html.jinja")


def chart_bytes(report: Report) -> bytes:
    """Both curves as one PNG, on a clear ground."""
    figure = sheet(2 * SIZE[0], SIZE[1])
    for place, against in enumerate(("snr", "flux")):
        _draw_curve(figure.add_subplot(1, 2, place + 1), report, against)
    return base64.b64decode(png(figure).partition(",")[2])


# -- numbers


def _numbers(report: Report) -> tuple[Fact, ...]:
    n = report.numbers
    factor, unit = prefixed("Jy", [n["flux_50"]])
    facts = [(digits(float(n[f"flux_{level}"]) * factor), f"{unit}: {level} % are found") for level in LEVELS]
    facts += [(digits(float(n[f"snr_{level}"])), f"S/N: {level} % are found") for level in LEVELS[:2]]
    facts.append((_per_cent(n["snr_ceiling"]), "of the brightest are found"))
    facts.append((digits(float(n["flux_ratio"])), "flux found / true, S/N above 10"))
    facts.append((digits(float(n["flux_pull_width"])), "width of the flux pulls, 1 expected"))
    if "reliability" in n:
        facts.append(
            (
                _per_cent(n["reliability"]),
                f"reliable: {n['n_negative']} of {n['n_positive']} upside down; too low where sidelobes are",
            )
        )
    return tuple(facts)


def _per_cent(share: float) -> str:
    return f"{100.0 * share:.1f} %" if math.isfinite(share) else "\N{EN DASH}"


def _notes(report: Report) -> tuple[str, ...]:
    """What a reader must know before using the numbers."""
    n, notes = report.numbers, []
    if not math.isfinite(n["snr_middle"]):
        notes.append(
            "Too few made sources were found, or too few missed, for a curve: change the range of fluxes."
        )
    elif n["snr_ceiling"] < 0.95:
        notes.append(
            f"Even of the brightest made sources only {_per_cent(n['snr_ceiling'])} are found: the 95 % level is "
            "never reached. Look at the map of completeness for where they are lost."
        )
    if n["flux_pull_width"] > 1.3:
        notes.append(
            "The quoted flux errors are too small for this map (the width of the pulls exceeds 1.3)."
        )
    return tuple(notes)


def _levels(report: Report) -> tuple[tuple[str, str, str], ...]:
    """Level, flux and S/N with their intervals."""
    factor, unit = prefixed("Jy", [report.numbers["flux_50"]])
    return tuple(
        (f"{level} %", _interval(report, f"flux_{level}", factor, unit), _interval(report, f"snr_{level}"))
        for level in LEVELS
    )


def _interval(report: Report, name: str, factor: float = 1.0, unit: str = "") -> str:
    value, low, high = (float(report.numbers[f"{name}{end}"]) * factor for end in ("", "_low", "_high"))
    return f"{digits(value)} {unit} ({digits(low)} to {digits(high)})".replace("  ", " ")


def _flux_rows(report: Report) -> tuple[tuple[str, ...], ...]:
    """The rows of the table of fluxes."""
    table = report.tables["fluxes"]
    rows = []
    for k in range(len(table["n"])):
        low, high = table["snr_from"][k], table["snr_to"][k]
        name = f"{low:g} to {high:g}" if math.isfinite(high) else f"above {low:g}"
        ratio, low, high = (digits(table[f"flux_ratio{end}"][k]) for end in ("", "_low", "_high"))
        others = ("flux_scatter", "flux_pull", "flux_pull_width", "position_pull_width")
        shown = (f"{ratio} ({low} to {high})", *(digits(table[each][k]) for each in others))
        rows.append((name, str(table["n"][k]), *shown))
    return tuple(rows)


def _text(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_text(each) for each in value) or "\N{EN DASH}"
    return "\N{EN DASH}" if value is None else str(value)


# -- charts


def _picture(figure: Figure, caption: str) -> Picture:
    return Picture(png(figure), caption)


def _curve_chart(report: Report, against: str) -> Picture:
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    _draw_curve(axes, report, against)
    what = (
        "peak S/N, true flux over the local noise" if against == "snr" else "total flux, over the whole field"
    )
    return _picture(
        figure, f"Completeness against {what}. Bars: 95 %. Line: error function of highest likelihood."
    )


def _draw_curve(axes: Axes, report: Report, against: str) -> None:
    """Shares with intervals, the curve through them, and the levels."""
    quiet(axes)
    table, numbers = report.tables[against], report.numbers
    if not table["n"]:
        blank(axes, "nothing was made")
        return
    values = np.asarray(table[against])
    factor, unit = (1.0, "") if against == "snr" else prefixed("Jy", [np.median(values)])
    share, low, high = (np.asarray(table[f"completeness{end}"]) for end in ("", "_low", "_high"))
    x = values * factor
    axes.errorbar(
        x, share, [np.maximum(share - low, 0.0), np.maximum(high - share, 0.0)],
        fmt="o", color=BLUE, markersize=4, elinewidth=1.1, label="made sources found",
    )  # fmt: skip
    middle, width, ceiling = (float(numbers[f"{against}_{name}"]) for name in ("middle", "width", "ceiling"))
    told: list[str] = []
    if math.isfinite(middle):
        along = np.geomspace(values.min(), values.max(), 300)
        axes.plot(
            along * factor,
            CompletenessCurve(middle, width, ceiling).at(along),
            color=ORANGE,
            linewidth=1.8,
            label="error function",
        )
        for level in LEVELS:
            at = float(numbers[f"{against}_{level}"]) * factor
            if math.isfinite(at) and x.min() <= at <= x.max():
                axes.plot([at, at], [0.0, level / 100.0], color=INK, linewidth=0.9, linestyle="--")
                told.append(f"{level} %: {digits(at)}{unit and ' ' + unit}")
    # In the corner that the curve leaves free: beside the lines they would lie on each other.
    axes.text(0.02, 0.97, "\n".join(told), transform=axes.transAxes, va="top", color=INK, fontsize=9)
    axes.set_xscale("log")
    _steps(axes.xaxis)
    axes.set_ylim(-0.03, 1.05)
    axes.set_xlabel("S/N" if against == "snr" else f"flux [{unit}]")
    axes.set_ylabel("completeness")
    _legend(axes)


def _steps(axis: Axis) -> None:
    """Label a logarithmic axis at 1, 2, 5, 10, 20 and so on; over more than three decades at powers of ten."""
    from matplotlib.ticker import LogLocator, NullFormatter  # loaded late: only reports need matplotlib

    plain_numbers(axis)
    low, high = axis.get_view_interval()
    if 6.0 * low < high < 1e3 * low:
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_minor_formatter(NullFormatter())


def _flux_chart(recovery: Recovery) -> Picture:
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("true S/N")
    axes.set_ylabel("flux found / true")
    rows = np.flatnonzero(recovery.found & (recovery.flux_found > 0))
    caption = "Flux found over true flux. Line: median."
    if not rows.size:
        blank(axes, "nothing was found")
        return _picture(figure, caption)
    shown = rows[:: max(1, rows.size // _MOST_POINTS)]
    ratio = recovery.flux_found / recovery.flux
    axes.scatter(recovery.snr[shown], ratio[shown], s=6, color=BLUE, alpha=0.5, linewidths=0)
    order = rows[np.argsort(recovery.snr[rows], kind="stable")]
    parts = [part for part in np.array_split(order, max(1, min(14, order.size // 30))) if part.size]
    axes.plot(
        [np.median(recovery.snr[part]) for part in parts],
        [np.median(ratio[part]) for part in parts],
        color=ORANGE,
        linewidth=1.8,
    )
    axes.axhline(1.0, color=INK, linewidth=0.9, linestyle="--")
    axes.set_xscale("log")
    axes.set_yscale("log")
    _steps(axes.xaxis)
    plain_numbers(axes.yaxis)
    return _picture(figure, caption)


def _pull_chart(report: Report) -> Picture:
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("true S/N")
    axes.set_ylabel("width of pulls")
    table = report.tables["fluxes"]
    low, high = np.asarray(table["snr_from"]), np.asarray(table["snr_to"])
    caption = "Half the 16-84 % range of (found - true) / error told: 1 where errors are honest. Bars: 95 %."
    some = np.asarray(table["n"]) >= _FEWEST
    if not some.any():
        blank(axes, "too little was found")
        return _picture(figure, caption)
    low = np.where(low > 0, low, 0.6 * np.where(np.isfinite(high), high, 1.0))
    middle = np.sqrt(low * np.where(np.isfinite(high), high, 2.0 * low))
    for name, colour, shift in (("flux", BLUE, 1.0), ("position", ORANGE, 1.03)):
        width, under, over = (np.asarray(table[f"{name}_pull_width{end}"]) for end in ("", "_low", "_high"))
        width = np.where(some, width, np.nan)
        under, over = np.nan_to_num(width - under), np.nan_to_num(over - width)
        axes.errorbar(middle * shift, width, [under, over], fmt="o", color=colour, markersize=4, label=name)
    axes.axhline(1.0, color=INK, linewidth=0.9, linestyle="--")
    axes.set_xscale("log")
    axes.set_ylim(0.0, max(2.0, 1.1 * float(np.nanmax(table["flux_pull_width"]))))
    _steps(axes.xaxis)
    _legend(axes)
    return _picture(figure, caption)


def _map_chart(image: SkyImage, report: Report) -> Picture:
    from matplotlib.colors import Normalize  # loaded late: only reports need matplotlib

    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    table = report.tables["cells"]
    share = np.asarray(table["completeness"], dtype=np.float64)
    rows = len(set(table["y_from"]))
    mesh = axes.pcolormesh(
        np.unique([*table["x_from"], *table["x_to"]]) - 0.5,
        np.unique([*table["y_from"], *table["y_to"]]) - 0.5,
        np.ma.masked_invalid(share.reshape(rows, -1)),
        norm=Normalize(0.0, 1.0),
        cmap="viridis",
    )
    bar = figure.colorbar(mesh, ax=axes)
    bar.set_label("share found", color=INK)
    bar.ax.tick_params(colors=INK, labelsize=9)
    sy, sx = image.frame.scale
    axes.set_aspect(sy / sx)
    axes.set_xlabel("x [pixel]")
    axes.set_ylabel("y [pixel]")
    faint = float(report.numbers["flux_80"])
    factor, unit = prefixed("Jy", [faint])
    bright = (
        f"brighter than {digits(faint * factor)} {unit} (80 %)" if math.isfinite(faint) else "of any flux"
    )
    per_cell = int(np.median(table["n"])) if len(table["n"]) else 0
    return _picture(figure, f"Where made sources {bright} are found; about {per_cell} in a cell.")


def _reliability_chart(report: Report) -> Picture:
    figure = sheet(*SIZE)
    axes = figure.add_subplot()
    quiet(axes)
    axes.set_xlabel("S/N threshold")
    axes.set_ylabel("reliability above it")
    table = report.tables["reliability"]
    caption = "One minus the number found in the inverted map over that found in the map, above each S/N. Band: 95 %."
    if not table["snr"]:
        blank(axes, "the inverted map was not searched")
        return _picture(figure, caption)
    snr, share, low, high = (
        np.asarray(table[name], dtype=np.float64)
        for name in ("snr", "reliability", "reliability_low", "reliability_high")
    )
    axes.fill_between(snr, low, high, color=BLUE, alpha=0.25, linewidth=0)
    axes.plot(snr, share, color=BLUE, marker="o", markersize=4)
    axes.set_xscale("log")
    _steps(axes.xaxis)
    good = low[np.isfinite(low)]
    axes.set_ylim(min(0.9, float(good.min()) - 0.02 if good.size else 0.9), 1.005)
    return _picture(figure, caption)


def _legend(axes: Axes) -> None:
    box = axes.legend(loc="lower right", fontsize=9, frameon=False)
    for text in box.get_texts():
        text.set_color(INK)
