"""Region files for viewers: the ellipses (FWHM) of components or sources, as DS9 and as CRTF text.

On the sky the ellipses are ICRS; rows without sky coordinates are drawn in pixels. What has no shape is drawn
as a cross, an island as the box of its pixels. Colours tell the structure (S cyan, C green, M white); magenta is
a row with a flag of doubt, blue a row of a survey that does not count. Where rows have a class, colours tell that
instead, rows with a flag of doubt are dashed, and the class is a tag (DS9) or stands behind the name (CRTF). The text
is written directly, in one pass: the `regions` package, which reads both, needs minutes where this needs a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.io.output import whole_file
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import doubtful
from skysift.sky.frame import Frame
from skysift.sky.lines import Lines
from skysift.sky.table import Table
from skysift.sky.truth import CLASS_COLOURS

__all__ = ["Drawn", "component_classes", "write_crtf", "write_ds9"]

_COLOURS = {"S": "cyan", "C": "green", "M": "white", "E": "yellow"}
_DOUBT, _DUPLICATE = "magenta", "blue"
_LEGEND = "S cyan, C green, M white, E yellow, magenta where a flag tells of doubt"
_OF_SURVEY = ", blue what another row counts for"
_DASHED = " dash=1"

Floats = NDArray[np.float64]
Texts = NDArray[np.str_]


@dataclass(frozen=True)
class Drawn:
    """Rows that are drawn by lines and not by ellipses.

    Parameters
    ----------
    table
        Their table, such as the sources; it gives names and colours.
    outlines
        Polygons, each owned by the number of a row.
    spines
        Open or closed lines, likewise.
    """

    table: Table
    outlines: Lines
    spines: Lines


def write_ds9(
    path: str | Path,
    table: Table,
    frame: Frame | None = None,
    *,
    drawn: Drawn | None = None,
    kinds: Texts | None = None,
    overwrite: bool = False,
) -> Path:
    """The file written: a DS9 region file with one ellipse a row, or one box an island.

    Parameters
    ----------
    path
        The file to write.
    table
        Components, sources or islands.
    frame
        The frame of their map, which gives rows without sky coordinates their shape in pixels; without it
        these are drawn as crosses.
    drawn
        Rows that are drawn by their outlines and spines, on the pixels of `frame`.
    kinds
        Class of each row; by default the column ``class`` of the table, if it has one.
    overwrite
        Replace what is there.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is false, or the place cannot be written.
    """
    return _write(path, chain(_ds9_lines(table, frame, kinds), _ds9_drawn(drawn, frame)), overwrite)


def write_crtf(
    path: str | Path,
    table: Table,
    frame: Frame | None = None,
    *,
    drawn: Drawn | None = None,
    kinds: Texts | None = None,
    overwrite: bool = False,
) -> Path:
    """The file written: a CASA region file with one ellipse a row, or one box an island.

    Parameters
    ----------
    path
        The file to write.
    table
        Components, sources or islands.
    frame
        The frame of their map, which gives rows without sky coordinates their shape in pixels; without it
        these are drawn as crosses.
    drawn
        Rows that are drawn by their outlines and spines, on the pixels of `frame`.
    kinds
        Class of each row; by default the column ``class`` of the table, if it has one.
    overwrite
        Replace what is there.

    Raises
    ------
    OutputError
        The file exists and `overwrite` is false, or the place cannot be written.
    """
    return _write(path, chain(_crtf_lines(table, frame, kinds), _crtf_drawn(drawn, frame)), overwrite)


def _write(path: str | Path, lines: Iterable[str], overwrite: bool) -> Path:
    text = "".join(f"{line}\n" for line in lines)
    with whole_file(path, overwrite=overwrite) as part:
        part.write_text(text, encoding="ascii", newline="\n")
    return Path(path)


def _ds9_lines(table: Table, frame: Frame | None, kinds: Texts | None) -> Iterator[str]:
    """The lines of a DS9 file: angles from +x (west, on the sky) towards +y; pixels are 1-based."""
    yield "# Region file format: DS9 version 4.1"
    yield _legend(table, kinds)
    yield 'global color=green width=1 font="helvetica 10 normal roman" select=1'
    tags = [" tag={duplicate}" if again else "" for again in _duplicates(table).tolist()]
    style = [f"# {look}{tag}" for look, tag in zip(_ds9_looks(table, kinds), tags, strict=True)]
    if table.kind == "islands":
        yield "image"
        for x0, x1, y0, y1, look in _rows(np.arange(len(table)), *_edges(table), style):
            yield f"box({(x0 + x1) / 2 + 1:.1f},{(y0 + y1) / 2 + 1:.1f},{x1 - x0:.0f},{y1 - y0:.0f},0) {look}"
        return
    sky, sky_points, pixel, pixel_points = _groups(table, frame)
    if sky.size or sky_points.size:
        yield "icrs"
    axes = (table["major"] / 2, table["minor"] / 2, np.mod(table["pa"] + 90.0, 360.0))
    for ra, dec, major, minor, angle, look in _rows(sky, table["ra"], table["dec"], *axes, style):
        yield f'ellipse({ra:.8f},{dec:.8f},{major:.4f}",{minor:.4f}",{angle:.4f}) {look}'
    for ra, dec, look in _rows(sky_points, table["ra"], table["dec"], style):
        yield f"point({ra:.8f},{dec:.8f}) {look} point=x"
    if pixel.size or pixel_points.size:
        yield "image"
    x, y = table["x"] + 1.0, table["y"] + 1.0
    for x1, y1, major, minor, angle, look in _rows(pixel, x, y, *_pixel_axes(table, frame), style):
        yield f"ellipse({x1:.4f},{y1:.4f},{major:.4f},{minor:.4f},{angle:.4f}) {look}"
    for x1, y1, look in _rows(pixel_points, x, y, style):
        yield f"point({x1:.4f},{y1:.4f}) {look} point=x"


def _crtf_lines(table: Table, frame: Frame | None, kinds: Texts | None) -> Iterator[str]:
    """The lines of a CRTF file: angles run from north (or +y) through east (or -x); pixels are 0-based."""
    yield "#CRTFv0"
    yield _legend(table, kinds)
    style = _crtf_looks(table, kinds)
    if table.kind == "islands":
        for x0, x1, y0, y1, look in _rows(np.arange(len(table)), *_edges(table), style):
            yield f"box [[{x0:.1f}pix, {y0:.1f}pix], [{x1:.1f}pix, {y1:.1f}pix]], {look}"
        return
    sky, sky_points, pixel, pixel_points = _groups(table, frame)
    axes = (table["major"] / 2, table["minor"] / 2, table["pa"])
    for ra, dec, major, minor, pa, look in _rows(sky, table["ra"], table["dec"], *axes, style):
        shape = f"[[{ra:.8f}deg, {dec:.8f}deg], [{major:.4f}arcsec, {minor:.4f}arcsec], {pa:.4f}deg]"
        yield f"ellipse {shape}, coord=ICRS, {look}"
    for ra, dec, look in _rows(sky_points, table["ra"], table["dec"], style):
        yield f"symbol [[{ra:.8f}deg, {dec:.8f}deg], x], coord=ICRS, {look}"
    x, y = table["x"], table["y"]
    major_pixels, minor_pixels, angle = _pixel_axes(table, frame)
    turned = np.mod(angle - 90.0, 180.0)
    for x0, y0, major, minor, pa, look in _rows(pixel, x, y, major_pixels, minor_pixels, turned, style):
        yield f"ellipse [[{x0:.4f}pix, {y0:.4f}pix], [{major:.4f}pix, {minor:.4f}pix], {pa:.4f}deg], {look}"
    for x0, y0, look in _rows(pixel_points, x, y, style):
        yield f"symbol [[{x0:.4f}pix, {y0:.4f}pix], x], {look}"


def _ds9_drawn(drawn: Drawn | None, frame: Frame | None) -> Iterator[str]:
    """Polygons, those of holes excluded, and spines as segments, which other readers pass over as comments."""
    if drawn is None:
        return
    looks = _ds9_looks(drawn.table, None)
    for on_sky, lines, spine in _placed(drawn, frame):
        if len(lines.owner):
            yield "icrs" if on_sky else "image"
        for row, hole, points in lines.each(drawn.table):
            numbers = ",".join(f"{a:.7f}" for a in (points + (not on_sky)).ravel().tolist())
            look = looks[row]
            if spine:
                yield f"# segment({numbers}) {look.removesuffix(_DASHED)}{_DASHED}"
            else:
                yield f"{'-' * hole}polygon({numbers}) # {look}"


def _crtf_drawn(drawn: Drawn | None, frame: Frame | None) -> Iterator[str]:
    """Polygons, those of holes excluded, and spines as lines from point to point."""
    if drawn is None:
        return
    looks = _crtf_looks(drawn.table, None)
    for on_sky, lines, spine in _placed(drawn, frame):
        unit, system = ("deg", ", coord=ICRS") if on_sky else ("pix", "")
        for row, hole, points in lines.each(drawn.table):
            look = looks[row]
            corners = [f"[{a:.7f}{unit}, {b:.7f}{unit}]" for a, b in points.tolist()]
            if spine:
                for begin, end in pairwise(corners):
                    yield f"line [{begin}, {end}]{system}, {look}"
            else:
                yield f"{'-' * hole}poly [{', '.join(corners)}]{system}, {look}"


@dataclass(frozen=True, eq=False)
class _Placed:
    """Lines in the numbers that are written: degrees, or pixels."""

    owner: NDArray[np.int64]
    hole: NDArray[np.bool_]
    points: list[Floats]

    def each(self, table: Table) -> Iterator[tuple[int, bool, Floats]]:
        """Row of the table, whether it is a hole, and points of each line that a row owns."""
        rows = np.searchsorted(table.ids, self.owner)
        known = table.ids[np.minimum(rows, len(table) - 1)] == self.owner if len(table) else rows < 0
        for row, hole, points, mine in zip(
            rows.tolist(), self.hole.tolist(), self.points, known.tolist(), strict=True
        ):
            if mine and len(points) > 1:
                yield row, hole, points


def _placed(drawn: Drawn, frame: Frame | None) -> Iterator[tuple[bool, _Placed, bool]]:
    """(on the sky, lines, whether spines): on the sky where all points of a line are, else in pixels."""
    for lines, spine in ((drawn.outlines, False), (drawn.spines, True)):
        if frame is None:
            ra = dec = np.full(len(lines.x), np.nan)
        else:
            ra, dec = frame.to_sky(lines.x, lines.y)
        owner = np.repeat(np.arange(len(lines)), lines.n_points)
        lost = np.bincount(owner, ~(np.isfinite(ra) & np.isfinite(dec)), minlength=len(lines)) > 0
        for on_sky in (True, False):
            chosen = np.flatnonzero(lost != on_sky)
            a, b = (ra, dec) if on_sky else (lines.x, lines.y)
            cuts = [slice(int(lines.first[k]), int(lines.first[k + 1])) for k in chosen.tolist()]
            points = [np.stack([a[cut], b[cut]], axis=1) for cut in cuts]
            yield on_sky, _Placed(lines.owner[chosen], lines.hole[chosen], points), spine


def _groups(table: Table, frame: Frame | None) -> tuple[NDArray[np.int64], ...]:
    """The rows to draw as ellipses on the sky, crosses on the sky, ellipses in pixels and crosses in pixels."""
    shaped = (table["major"] > 0) & (table["minor"] > 0) & np.isfinite(table["pa"])
    on_sky = np.isfinite(table["ra"]) & np.isfinite(table["dec"])
    on_map = ~on_sky & np.isfinite(table["x"]) & np.isfinite(table["y"])
    drawable = np.isfinite(_pixel_axes(table, frame)[2])
    chosen = (on_sky & shaped, on_sky & ~shaped, on_map & drawable, on_map & ~drawable)
    return tuple(np.flatnonzero(rows) for rows in chosen)


def _edges(islands: Table) -> tuple[Floats, ...]:
    """The outer edges of the pixels of islands: left, right, bottom, top (pixel, 0-based centres)."""
    shifts = {"x_min": -0.5, "x_max": 0.5, "y_min": -0.5, "y_max": 0.5}
    return tuple(islands[name] + shift for name, shift in shifts.items())


def _pixel_axes(table: Table, frame: Frame | None) -> tuple[Floats, Floats, Floats]:
    """Semi-axes in pixels and the angle of the major one from +x towards +y (deg); NaN where on the sky."""
    result = np.full((3, len(table)), np.nan)
    rows = np.flatnonzero(
        ~(np.isfinite(table["ra"]) & np.isfinite(table["dec"]))
        & (table["major"] > 0)
        & (table["minor"] > 0)
        & np.isfinite(table["pa"])
    )
    if frame is not None and rows.size:
        major, minor, pa = table["major"][rows] / 2, table["minor"][rows] / 2, np.radians(table["pa"][rows])
        axes = np.stack([np.sin(pa), np.cos(pa), np.cos(pa), -np.sin(pa)], axis=1).reshape(-1, 2, 2)
        shape = np.einsum(
            "nk,nki,nkj->nij", np.stack([major**2, minor**2], axis=1), axes, axes
        )  # (row, sky, sky)
        to_sky = frame.tangent(table["x"][rows], table["y"][rows])  # (row, sky, pixel)
        known = np.all(np.isfinite(to_sky), axis=(1, 2))
        to_pixel = np.linalg.inv(to_sky[known])
        squares, directions = np.linalg.eigh(to_pixel @ shape[known] @ np.swapaxes(to_pixel, 1, 2))
        result[0, rows[known]], result[1, rows[known]] = np.sqrt(squares[:, 1]), np.sqrt(squares[:, 0])
        angle = np.degrees(np.arctan2(directions[:, 1, 1], directions[:, 0, 1]))
        result[2, rows[known]] = np.mod(angle, 180.0)
    return result[0], result[1], result[2]


def _labels(table: Table, unwanted: str) -> list[str]:
    """The text beside each row: its name, or its number where it has none."""
    texts = [
        name or str(number) for name, number in zip(table["name"].tolist(), table.ids.tolist(), strict=True)
    ]
    return [text.translate({ord(character): " " for character in unwanted}) for text in texts]


def component_classes(catalogue: Catalogue) -> Texts | None:
    """The class of each component, which is that of its source; None where sources have no class."""
    sources, components = catalogue.sources, catalogue.components
    if "class" not in sources or "class" in components:
        return None
    order = np.argsort(sources.ids, kind="stable")
    place = np.searchsorted(sources.ids, components["source_id"], sorter=order)
    known = place < len(sources)
    row = order[np.where(known, place, 0)] if len(sources) else np.zeros(len(components), np.int64)
    known[known] = sources.ids[row[known]] == components["source_id"][known]
    result = np.zeros(len(components), sources["class"].dtype)
    result[known] = sources["class"][row[known]]
    return result


def _kinds(table: Table, kinds: Texts | None) -> list[str] | None:
    """Class of each row; None where no row has one."""
    if kinds is None and "class" in table:
        kinds = table["class"]
    return None if kinds is None or not (kinds != "").any() else kinds.tolist()


def _ds9_looks(table: Table, kinds: Texts | None) -> list[str]:
    """Colour, text, and class of each row; dashed where it has a class and is doubtful."""
    labels, colours, told = _labels(table, "{};#"), _row_colours(table, kinds), _kinds(table, kinds)
    looks = [f"color={colour} text={{{label}}}" for colour, label in zip(colours, labels, strict=True)]
    if told is None:
        return looks
    tags = [f" tag={{{kind}}}" if kind else "" for kind in told]
    lines = [_DASHED if bad else "" for bad in doubtful(table["flags"]).tolist()]
    return [look + tag + line for look, tag, line in zip(looks, tags, lines, strict=True)]


def _crtf_looks(table: Table, kinds: Texts | None) -> list[str]:
    """Colour and label of each row, the class behind the name; dashed where it has a class and is doubtful."""
    labels, colours, told = _labels(table, "'\"[],#"), _row_colours(table, kinds), _kinds(table, kinds)
    if told is None:
        return [f"color={colour}, label='{label}'" for colour, label in zip(colours, labels, strict=True)]
    rows = zip(colours, labels, told, doubtful(table["flags"]).tolist(), strict=True)
    return [
        f"color={colour}, {'linestyle=--, ' if bad else ''}label='{label}{f' {kind}' if kind else ''}'"
        for colour, label, kind, bad in rows
    ]


def _legend(table: Table, kinds: Texts | None) -> str:
    legend = _LEGEND
    if _kinds(table, kinds) is not None:
        legend = ", ".join(f"{kind} {colour}" for kind, colour in CLASS_COLOURS.items())
        legend += ", dashed where a flag tells of doubt"
    return f"# colours: {legend}{_OF_SURVEY if 'primary' in table else ''}"


def _duplicates(table: Table) -> NDArray[np.bool_]:
    """Rows of a survey that do not count; none elsewhere."""
    return ~table["primary"] if "primary" in table else np.zeros(len(table), np.bool_)


def _row_colours(table: Table, kinds: Texts | None) -> list[str]:
    told = _kinds(table, kinds)
    again = _duplicates(table).tolist()
    if told is not None:
        rows = zip(told, again, strict=True)
        return [_DUPLICATE if other else CLASS_COLOURS.get(kind, "green") for kind, other in rows]
    structure = table["structure"].tolist() if "structure" in table else ["S"] * len(table)
    return [
        _DUPLICATE if other else _DOUBT if bad else _COLOURS.get(letter, "green")
        for letter, bad, other in zip(structure, doubtful(table["flags"]).tolist(), again, strict=True)
    ]


def _rows(picked: NDArray[np.int64], *columns: Floats | list[str]) -> Iterator[tuple[Any, ...]]:
    """The picked rows of several columns, as plain numbers and texts."""
    values = [
        [column[row] for row in picked.tolist()] if isinstance(column, list) else column[picked].tolist()
        for column in columns
    ]
    return zip(*values, strict=True)
