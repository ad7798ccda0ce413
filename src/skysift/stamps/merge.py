"""`merge`: adjacent or overlapping maps as one, or the part of it that a region asks for."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import SkysiftError, UsageError
from skysift.base.store import name_of, place_of
from skysift.io.beams import map_beam
from skysift.io.cards import Hdu, read_hdus
from skysift.io.headers import Plane, choose_plane
from skysift.io.open import chosen_hdu, file_of, plane_source
from skysift.measure.convolve import ConvolvedSource, common_beam, same_beam
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.frame import Frame
from skysift.sky.image import PixelSource
from skysift.stamps.axes import Run
from skysift.stamps.cutout import Cut, FilePlanes, cut
from skysift.stamps.grid import pixels_of, reach_of, regrid
from skysift.stamps.header import card, history, part_cards, shape_of
from skysift.stamps.region import Shape, parse_shape, system_of
from skysift.stamps.window import Overlap, read_box, window_of

__all__ = ["merge"]

Floats = NDArray[np.float64]

_FULL: Overlap = "full"
_APART = 8  # times the area of the maps that the box around them all may have
_SAME = 1e-6  # relative; steps and values along other axes that differ less are the same


def merge(
    paths: Sequence[str | os.PathLike[str]],
    region: Shape | str | None = None,
    *,
    band: tuple[float, float] | None = None,
    velocity: tuple[float, float] | None = None,
    channels: tuple[int, int] | None = None,
    pol: Sequence[str] | None = None,
    system: str = "ICRS",
) -> Cut:
    """Several maps as one, on the grid of the first; where they overlap, the mean of what is not blank.

    Maps of one grid (tiles of one survey) are put side by side pixel by pixel; others are interpolated. Where beams
    differ, those of Jy/beam are convolved to the smallest common one. Pixels are made when they are asked for.

    Parameters
    ----------
    paths
        FITS files or URLs of one survey.
    region, band, velocity, channels, pol, system
        As for `skysift.stamps.cutout.cut`; without a region all that the maps hold.

    Raises
    ------
    UsageError
        There is no map, or the maps differ in unit or in their spectral axes, or lie far apart.
    """
    if not paths:
        raise UsageError("there is no map to merge", allowed="one or more")
    asked = {"band": band, "velocity": velocity, "channels": channels, "pol": pol}
    tiles = [_tile(path, asked) for path in paths]
    if any(tile is None for tile in tiles):
        return cut(paths[0], region, system=system, **asked)  # type: ignore[arg-type]
    known = [tile for tile in tiles if tile is not None]
    first = known[0]
    for other in known[1:]:
        _check_alike(first, other)
    known, beam, notes = _one_beam(known)
    everything = _around(known)
    shape = parse_shape(region) if isinstance(region, str) else region
    told = f"{len(known)} maps merged" + (f", {shape} {system.upper()}" if shape is not None else "")
    box, overlap = everything, _FULL
    if shape is not None:
        box, overlap = _asked(known, everything, shape, system)
    if overlap == "none":
        none = Box(0, 0, 0, 0)
        return Cut(first.name, (0, 0), first.frame.crop(none), none, "none", told=told)
    return Cut(
        first.name,
        shape_of(first.hdu, first.plane, box, first.runs),
        first.frame.crop(box),
        box,
        overlap,
        _cards(known, box, beam, told),
        _MergedPlanes(tuple(known), box),
        told=told,
        notes=notes,
    )


@dataclass(frozen=True)
class _Tile:
    """One of the maps: where it is, and which of its planes are asked for."""

    path: str
    hdus: tuple[Hdu, ...]
    hdu: Hdu
    plane: Plane
    frame: Frame
    runs: tuple[Run, ...]
    beam: Beam | None
    wanted: Beam | None = None

    @property
    def name(self) -> str:
        return name_of(self.path)

    def source(self, index: tuple[int, ...]) -> PixelSource:
        """The pixels of one plane, with the beam that is wanted."""
        where = choose_plane(self.hdu, index) if index else self.plane
        source = plane_source(self.hdu, where, self.path)
        if self.wanted is None or self.beam is None or same_beam(self.beam, self.wanted):
            return source
        return ConvolvedSource(source, self.frame, self.beam, self.wanted)


@dataclass(frozen=True)
class _MergedPlanes:
    """The planes of the merged map, made one after the other."""

    tiles: tuple[_Tile, ...]
    box: Box

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        joints = [joint for tile in self.tiles if (joint := _joint(tile, self.tiles[0].frame, self.box))]
        indices = [list(itertools.product(*(run.indices for run in joint.tile.runs))) for joint in joints]
        for number in range(math.prod(len(run) for run in self.tiles[0].runs)):
            total, count = np.zeros(self.box.shape), np.zeros(self.box.shape, np.int32)
            for joint, planes in zip(joints, indices, strict=True):
                data = read_box(joint.tile.source(planes[number]), joint.inside)
                part = joint.there.slices(self.box)
                if joint.places is not None:
                    data = regrid(data, *joint.frames, places=joint.places)
                good = np.isfinite(data)
                total[part] += np.where(good, data, 0.0)
                count[part] += good
            mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
            yield mean.astype(np.float32)


@dataclass(frozen=True)
class _Joint:
    """How a map goes into a box: which of its pixels, where to, and between which grids, where they differ."""

    tile: _Tile
    inside: Box
    there: Box
    frames: tuple[Frame, Frame]
    places: tuple[Floats, Floats] | None = None


def _joint(tile: _Tile, grid: Frame, box: Box) -> _Joint | None:
    """How a map goes into a box of another grid; None where it does not reach it."""
    shift, whole = _whole_shift(grid, tile.frame), Box.of(tile.frame.shape)
    if shift is not None:
        there = whole.shift(*shift).intersect(box)
        inside = there.shift(-shift[0], -shift[1])
        return None if there.empty else _Joint(tile, inside, there, (tile.frame, grid))
    inside = reach_of(tile.frame, grid.crop(box), 6).intersect(whole)
    if inside.empty:
        return None
    there = reach_of(grid, tile.frame.crop(inside)).intersect(box)
    if there.empty:
        return None
    frames = tile.frame.crop(inside), grid.crop(there)
    return _Joint(tile, inside, there, frames, pixels_of(*frames))


def _whole_shift(grid: Frame, other: Frame) -> tuple[int, int] | None:
    """Pixels (down, along) of a map's first pixel in another map of the same grid; None where the grids differ."""
    mine, theirs = dict(grid.cards), dict(other.cards)
    shift = []
    for axis in ("CRPIX2", "CRPIX1"):
        away = float(mine.pop(axis)) - float(theirs.pop(axis))
        if abs(away - round(away)) > 1e-4:
            return None
        shift.append(round(away))
    if mine.keys() != theirs.keys():
        return None
    for key, value in mine.items():
        same = value == theirs[key]
        if not same and isinstance(value, float) and not key.startswith(("CTYPE", "RADESYS")):
            same = math.isclose(value, float(theirs[key]), rel_tol=1e-9, abs_tol=1e-12)
        if not same:
            return None
    return shift[0], shift[1]


def _tile(path: str | os.PathLike[str], asked: Mapping[str, object]) -> _Tile | None:
    """A map; None where it has none of the planes."""
    whole = cut(path, None, **asked)  # type: ignore[arg-type]
    if whole.empty:
        return None
    pixels = whole.pixels
    assert isinstance(pixels, FilePlanes)
    if not whole.frame.celestial:
        raise UsageError("a map that is merged needs a place on the sky", got=os.fspath(path))
    name = file_of(path)
    hdus, hdu = read_hdus(name), chosen_hdu(path)
    try:
        beam: Beam | None = map_beam(hdus, hdu, pixels.plane, whole.frame, name)[0]
    except SkysiftError:  # optical maps have none
        beam = None
    return _Tile(place_of(name), hdus, hdu, pixels.plane, whole.frame, pixels.runs, beam)


def _check_alike(first: _Tile, other: _Tile) -> None:
    """Refuse maps that cannot be one.

    Raises
    ------
    UsageError
        Their units or their axes differ.
    """
    units = [tile.hdu.header.text("BUNIT") for tile in (first, other)]
    if units[0].upper().replace(" ", "") != units[1].upper().replace(" ", ""):
        raise UsageError(
            f"{first.name} and {other.name} differ in unit", got=units, allowed="maps of one survey"
        )
    told = []
    for tile in (first, other):
        header, axes = tile.hdu.header, []
        for axis, run in zip(tile.plane.axes, tile.runs, strict=True):
            if tile.hdu.axes[axis - 1] == 1:
                continue
            step = (header.number(f"CDELT{axis}") or 1.0) * run.step
            pixel = header.number(f"CRPIX{axis}")
            value = (header.number(f"CRVAL{axis}") or 0.0) + (
                run.start + 1.0 - (1.0 if pixel is None else pixel)
            ) * (header.number(f"CDELT{axis}") or 1.0)
            axes.append((header.text(f"CTYPE{axis}"), len(run), value, step))
        told.append(axes)
    alike = len(told[0]) == len(told[1]) and all(
        mine[:2] == theirs[:2]
        and abs(mine[2] - theirs[2]) <= 0.01 * abs(mine[3])
        and math.isclose(mine[3], theirs[3], rel_tol=_SAME)
        for mine, theirs in zip(*told, strict=True)
    )
    if not alike:
        raise UsageError(
            f"{first.name} and {other.name} differ in their axes beyond the sky",
            got=told,
            allowed="the same channels and polarisations",
            todo="ask for a band or for channels that both have",
        )


def _one_beam(tiles: list[_Tile]) -> tuple[list[_Tile], Beam | None, tuple[str, ...]]:
    """The maps with one beam, that beam where it is not the first map's own, and what is to be told of it."""
    beams = [tile.beam for tile in tiles if tile.beam is not None]
    if len(beams) < len(tiles) or all(same_beam(beams[0], beam) for beam in beams):
        return tiles, None, ()
    unit = tiles[0].hdu.header.text("BUNIT").lower().replace(" ", "")
    if "beam" not in unit:
        return tiles, None, (f"the beams of the maps differ, from {beams[0]} on: they are left as they are",)
    common = common_beam(beams)
    return (
        [replace(tile, wanted=common) for tile in tiles],
        common,
        (f"the maps are convolved to the beam {common}",),
    )


def _around(tiles: Sequence[_Tile]) -> Box:
    """The box around all maps in the pixels of the first.

    Raises
    ------
    UsageError
        They lie far apart.
    """
    first = tiles[0].frame
    box = Box.of(first.shape)
    for tile in tiles[1:]:
        shift = _whole_shift(first, tile.frame)
        one = Box.of(tile.frame.shape).shift(*shift) if shift is not None else reach_of(first, tile.frame, 0)
        if one.empty:
            raise _far(tiles[0], tile)
        box = box.union(one)
        if box.size > _APART * sum(math.prod(each.frame.shape) for each in tiles):
            raise _far(tiles[0], tile)
    return box


def _far(first: _Tile, other: _Tile) -> UsageError:
    return UsageError(
        "the maps lie too far apart to be one",
        got=f"{first.name} and {other.name}",
        allowed="maps that touch, or nearly so",
    )


def _asked(tiles: Sequence[_Tile], everything: Box, shape: Shape, system: str) -> tuple[Box, Overlap]:
    """The box of a region in the pixels of the first map, and how much of it the maps hold."""
    celestial = system_of(system)
    window = window_of(tiles[0].frame.crop(everything), shape, celestial)
    ra, dec = celestial.to_icrs(*shape.points())
    held = np.zeros(ra.shape, np.bool_)
    for tile in tiles:
        x, y = tile.frame.to_pixel(ra, dec)
        ny, nx = tile.frame.shape
        with np.errstate(invalid="ignore"):  # rounding makes no gap between two maps
            held |= (np.abs(x - (nx - 1) / 2) <= nx / 2 + 1e-6) & (np.abs(y - (ny - 1) / 2) <= ny / 2 + 1e-6)
    overlap: Overlap = "full" if held.all() else "partial"
    if window.overlap == "none" or (not held.any() and _none_meets(tiles, shape, system)):
        return Box(0, 0, 0, 0), "none"
    return window.box.shift(everything.y0, everything.x0), overlap


def _none_meets(tiles: Sequence[_Tile], shape: Shape, system: str) -> bool:
    return all(window_of(tile.frame, shape, system_of(system)).overlap == "none" for tile in tiles)


def _cards(tiles: Sequence[_Tile], box: Box, beam: Beam | None, told: str) -> tuple[str, ...]:
    first = tiles[0]
    cards = part_cards(
        first.path,
        first.hdus,
        first.hdu,
        first.plane,
        first.frame,
        box,
        first.runs,
        told,
        tables=beam is not None,
    )
    if beam is not None:
        own = {"BMAJ": beam.major / 3600.0, "BMIN": beam.minor / 3600.0, "BPA": beam.pa}
        cards = tuple(each for each in cards if each[:8].strip() not in own)
        cards += tuple(card(key, value, "[deg] beam") for key, value in own.items())
    cards = tuple(each for each in cards if each[:8].strip() not in ("EXTEND", "CASAMBM"))
    names = ", ".join(tile.name for tile in tiles)
    return (*cards, *history(f"skysift: merged {names}"))
