"""Stamps of many sources: each task leaves a piece of the archive and hands back what it has to tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import SkysiftError
from skysift.base.parallel import Crew
from skysift.sky.systems import vectors
from skysift.stamps.archive import PieceWriter, safe_name
from skysift.stamps.batch import pieces_of
from skysift.stamps.making import Place, Stamp, make_stamp
from skysift.stamps.options import MakingOptions
from skysift.stamps.pictures import thumbnail
from skysift.stamps.prepare import Neighbours
from skysift.stamps.quality import quality
from skysift.stamps.surveys import Band
from skysift.stamps.written import stamp_bytes

__all__ = ["BandFacts", "StampRow", "StampTask", "make_all", "tasks_of"]

Floats = NDArray[np.float64]

_PER_TASK = 16  # sources
_THUMB = 112  # pixels along the side of a picture on a contact sheet


@dataclass(frozen=True)
class BandFacts:
    """What a row of the table says of one band; its unit and the axes of its beam (arcsec) are those of its pixels."""

    image: str
    coverage: float
    flags: int
    background: float
    noise: float
    peak: float
    unit: str
    beam: tuple[float, float]


@dataclass(frozen=True, eq=False)
class StampRow:
    """What became of one source.

    Parameters
    ----------
    file
        Its name in the archive; empty where there is no stamp.
    pixels
        Pixels along the side.
    beam
        The common beam (arcsec, arcsec, deg); NaN where there is none.
    bands
        What there is to say of each band; none where the source failed as a whole.
    errors
        What failed.
    thumbs
        Small pictures (band, y, x) of those on the contact sheets.
    """

    file: str
    pixels: int
    beam: tuple[float, float, float]
    bands: tuple[BandFacts, ...]
    errors: tuple[str, ...]
    thumbs: NDArray[np.float32] | None = None

    @property
    def flags(self) -> int:
        """The bits of all bands; that of failure where there are none."""
        bits = 0 if self.bands else quality("failed")
        for band in self.bands:
            bits |= band.flags
        return bits


@dataclass(frozen=True, eq=False)
class StampTask:
    """Some sources, numbered from the first on, with the other sources near each."""

    first: int
    places: tuple[Place, ...]
    around: tuple[Neighbours | None, ...]

    @property
    def name(self) -> str:
        """The name of its piece."""
        return f"{self.first:08d}.piece"


def tasks_of(
    places: Sequence[Place],
    size: Floats,
    options: MakingOptions,
    per_task: int = _PER_TASK,
    others: Sequence[Place] | None = None,
) -> list[StampTask]:
    """The tasks of some sources; where neighbours are masked, each source comes with those near it.

    Parameters
    ----------
    places
        The sources.
    size
        FWHM of each (arcsec), or of each of the others.
    options
        How stamps are made.
    per_task
        Sources in a task.
    others
        The sources that are masked, where these are not all of them, or none.
    """
    around: list[Neighbours | None] = [None] * len(places)
    if options.mask:
        around = list(_neighbours(places, size, options, others))
    starts = range(0, len(places), per_task)
    return [StampTask(k, tuple(places[k : k + per_task]), tuple(around[k : k + per_task])) for k in starts]


def make_all(
    tasks: Sequence[StampTask],
    bands: tuple[Band, ...],
    options: MakingOptions,
    scale: float,
    work: Path,
    crew: Crew,
    *,
    form: Literal["files", "array"],
    told: tuple[tuple[str, str | float, str], ...],
    shown: int = 0,
) -> list[StampRow]:
    """Make the stamps of all tasks into pieces; what became of each source, in their order.

    Parameters
    ----------
    tasks
        See `tasks_of`.
    bands, options, scale
        As for `skysift.stamps.making.make_stamp`.
    work
        Folder of the pieces.
    crew
        Who does it.
    form
        ``files``: members of a tar archive; ``array``: arrays (source, band, y, x) as numpy writes them.
    told
        Cards that all stamps have.
    shown
        How many of the first sources have pictures.
    """
    function = partial(
        _make_some,
        bands=bands,
        options=options,
        scale=scale,
        work=str(work),
        form=form,
        told=told,
        shown=shown,
    )
    return [row for rows in pieces_of(tasks, function, work, "stamps", crew) for row in rows]


def _make_some(
    task: StampTask,
    bands: tuple[Band, ...],
    options: MakingOptions,
    scale: float,
    work: str,
    form: str,
    told: tuple[tuple[str, str | float, str], ...],
    shown: int,
) -> list[StampRow]:
    rows, arrays = [], []
    with PieceWriter(Path(work) / task.name) as piece:
        for k, (place, around) in enumerate(zip(task.places, task.around, strict=True)):
            stamp, error = _made(place, bands, options, scale, around)
            name = "" if stamp is None or stamp.empty else safe_name(task.first + k, place.name)
            if name and stamp is not None and form == "files":
                data = stamp_bytes(stamp, told, aligned=options.grid == "north")
                piece.add(name, len(data), [data])
            if form == "array":
                arrays.append(_array(stamp, len(bands), options))
            rows.append(_row(name, stamp, error, pictured=task.first + k < shown))
        if form == "array":
            piece.dump(np.stack(arrays))
    return rows


def _made(
    place: Place, bands: tuple[Band, ...], options: MakingOptions, scale: float, around: Neighbours | None
) -> tuple[Stamp | None, str]:
    try:
        return make_stamp(place, bands, options, scale, around), ""
    except SkysiftError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 -- what nobody thought of spoils one row only
        return None, f"{type(error).__name__}: {error}"


def _array(stamp: Stamp | None, n_bands: int, options: MakingOptions) -> NDArray[np.float32]:
    assert options.pixels is not None  # checked where the format is chosen
    if stamp is None:
        return np.full((n_bands, options.pixels, options.pixels), np.nan, np.float32)
    return np.stack([layer.data for layer in stamp.layers])


def _row(name: str, stamp: Stamp | None, error: str, *, pictured: bool) -> StampRow:
    if stamp is None:
        return StampRow("", 0, (math.nan,) * 3, (), (error,))
    beam = stamp.beam
    facts = tuple(
        BandFacts(
            layer.image,
            round(layer.coverage, 6),
            layer.flags,
            layer.background,
            layer.noise,
            float(np.nanmax(layer.data)) if np.isfinite(layer.data).any() else math.nan,
            layer.unit,
            (math.nan,) * 2 if layer.beam is None else (layer.beam.major, layer.beam.minor),
        )
        for layer in stamp.layers
    )
    return StampRow(
        name,
        stamp.frame.shape[0],
        (math.nan,) * 3 if beam is None else (beam.major, beam.minor, beam.pa),
        facts,
        stamp.errors,
        np.stack([thumbnail(layer.data, _THUMB) for layer in stamp.layers]) if pictured else None,
    )


def _neighbours(
    places: Sequence[Place], size: Floats, options: MakingOptions, others: Sequence[Place] | None
) -> list[Neighbours]:
    """Other sources on the stamp of each."""
    from scipy.spatial import cKDTree  # late: only where neighbours are masked

    at = _vectors(places)
    known = at if others is None else _vectors(others)
    listed = places if others is None else others
    ra, dec = (np.array([getattr(place, name) for place in listed]) for name in ("ra", "dec"))
    good: NDArray[np.bool_] = np.asarray(np.isfinite(known).all(axis=1))
    tree = cKDTree(np.where(good[:, None], known, 0.0))
    half = np.radians(np.array([options.side(place.radius) for place in places]) / 3600.0) * math.sqrt(0.5)
    reach = 2.0 * np.sin(np.minimum(1.3 * half, math.pi) / 2.0)
    near = tree.query_ball_point(np.where(np.isfinite(at), at, 0.0), reach)
    out = []
    for k, found in enumerate(near):
        own = (places[k].ra, places[k].dec)
        rows = np.array([j for j in found if good[j] and (ra[j], dec[j]) != own], dtype=np.int64)
        out.append(Neighbours(ra[rows], dec[rows], size[rows]))
    return out


def _vectors(places: Sequence[Place]) -> Floats:
    ra, dec = (
        np.array([getattr(place, name) for place in places], dtype=np.float64) for name in ("ra", "dec")
    )
    return vectors(ra, dec)
