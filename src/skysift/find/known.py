"""Known sources: what a catalogue, of skysift or of anybody, tells of the places where to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError
from skysift.find.places import Places, places_at
from skysift.sky.beam import Beam
from skysift.sky.image import SkyImage
from skysift.sky.shapes import covariances, deconvolved
from skysift.sky.table import Table

__all__ = ["Known", "join_names", "known_points", "known_sources"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Known:
    """Sources that are to be measured.

    Attributes
    ----------
    ids
        The number of each in its catalogue; (n,), as are all columns.
    names
        What each is called.
    ra, dec
        ICRS (deg); NaN where a row has no position on the sky.
    x, y
        Pixels (0-based) of the map that the catalogue was made of, for maps without place on the sky.
    intrinsic
        ``(n, 3)`` covariances (east-east, east-north, north-north; arcsec^2), the beam taken out; 0 for points.
    islands
        The label of the island that holds each; None where the catalogue does not tell.
    notes
        What was odd, one line each.
    """

    ids: NDArray[np.int64]
    names: NDArray[np.str_]
    ra: Floats
    dec: Floats
    x: Floats
    y: Floats
    intrinsic: Floats
    islands: NDArray[np.int64] | None = None
    notes: tuple[str, ...] = ()

    def on(self, image: SkyImage) -> Places:
        """The places on a map, with what its beam makes of the shapes; by pixels on one without place on the sky."""
        if image.frame.celestial:
            x, y = image.frame.to_pixel(self.ra, self.dec)
        else:
            x, y = self.x, self.y
        return places_at(image, x, y, self.intrinsic)

    def __len__(self) -> int:
        return int(self.ids.size)


def known_points(ra: ArrayLike, dec: ArrayLike) -> Known:
    """Points at these positions (ICRS degrees), numbered from 1.

    Raises
    ------
    UsageError
        The arrays differ in length.
    """
    lon, lat = np.atleast_1d(np.asarray(ra, np.float64)), np.atleast_1d(np.asarray(dec, np.float64))
    if lon.shape != lat.shape or lon.ndim != 1:
        raise UsageError(
            "ra and dec differ in length", got=(lon.shape, lat.shape), allowed="one of each a place"
        )
    nothing = np.full(lon.size, np.nan)
    return Known(
        np.arange(1, lon.size + 1), np.full(lon.size, ""), lon, lat, nothing, nothing, np.zeros((lon.size, 3))
    )


def known_sources(
    table: Table, *, own: bool, points: bool = False, beam: Beam | Floats | None = None
) -> Known:
    """The sources of a table with their positions and shapes, freed of the beam that they were seen with.

    With a `beam`, it is taken out of the fitted axes. Without one the deconvolved axes of the table are taken; rows
    that tell fitted axes alone then count as points, and a note says so.

    Parameters
    ----------
    table
        A table of the schema, read from any layout.
    own
        Whether skysift made it: then what is not `resolved` is a point.
    points
        Measure all as points, whatever the catalogue says.
    beam
        The beam of the map that the catalogue was made of, or one a row as covariances ``(n, 3)``, NaN for unknown.

    Raises
    ------
    UsageError
        No row has a position.
    """
    ra, dec = table["ra"], table["dec"]
    x, y = table["x"], table["y"]
    if len(table) and not (np.isfinite(ra) & np.isfinite(dec)).any() and not np.isfinite(x + y).any():
        raise UsageError(
            "the catalogue has no positions",
            got=f"{len(table)} rows, ra and dec NaN in each",
            allowed="ICRS degrees",
        )
    n = len(table)
    shape = np.zeros((n, 3))
    notes: list[str] = []
    if not points and "major" in table:
        shape, notes = _shapes(table, own, beam)
    lost = int((~(np.isfinite(ra) & np.isfinite(dec))).sum())
    if lost and np.isfinite(ra).any():
        notes.append(f"{lost} of {n} rows of the catalogue have no position on the sky")
    islands = table.columns.get("island_id")
    return Known(table.ids, table["name"], ra, dec, x, y, shape, islands, tuple(notes))


def _shapes(table: Table, own: bool, beam: Beam | Floats | None) -> tuple[Floats, list[str]]:
    """Intrinsic shapes of the rows, and what is odd about them."""
    given = covariances(table["major_deconv"], table["minor_deconv"], table["pa_deconv"])
    told = np.isfinite(table["major_deconv"])
    if isinstance(beam, Beam):
        beam = np.broadcast_to(covariances([beam.major], [beam.minor], [beam.pa]), given.shape)
    if beam is not None:
        fitted = (table["major"] > 0.0) & np.isfinite(beam).all(axis=1)
        seen = covariances(table["major"], table["minor"], table["pa"])[fitted]
        given[fitted] = deconvolved(seen, beam[fitted])
        told = told | fitted
    elif own:
        given[~table["resolved"]] = 0.0
    fitted = ~told & (table["major"] > 0.0)
    notes = []
    if fitted.any():
        notes.append(
            f"{int(fitted.sum())} of {len(table)} rows of the catalogue tell fitted sizes but neither deconvolved "
            "ones nor a beam: they are measured as points (catalogue_beam=MAJ,MIN,PA takes the beam out)"
        )
    return given, notes


def join_names(names: Sequence[str]) -> tuple[str, ...]:
    """The names, each a name of its own: a name that is there already gets -2, -3, ..."""
    taken: set[str] = set()
    made: list[str] = []
    for name in names:
        fresh, number = name, 1
        while fresh in taken:
            number += 1
            fresh = f"{name}-{number}"
        taken.add(fresh)
        made.append(fresh)
    return tuple(made)
