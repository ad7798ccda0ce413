"""`Entries`: a catalogue as matchers see it: positions, errors, fluxes and sizes as bare columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.errors import UsageError
from skysift.sky.catalogue import Catalogue
from skysift.sky.frame import Frame
from skysift.sky.mask import Mask
from skysift.sky.table import Table

__all__ = ["Entries", "Islands"]

Floats: TypeAlias = NDArray[np.float64]

_NUMBERS = ("ra", "dec", "ra_err", "dec_err", "flux", "flux_err", "rms", "frequency", "major", "minor", "pa")


@dataclass(frozen=True, eq=False)
class Islands:
    """Where the islands of a catalogue are: labels over a map, and the map's place on the sky."""

    mask: Mask
    frame: Frame


@dataclass(frozen=True, eq=False, repr=False)
class Entries:
    """The rows of a catalogue that are to be matched; what is not known of them is NaN.

    Parameters
    ----------
    name
        What a person calls the catalogue.
    ids
        The number of each row in its catalogue; (n,), as are all columns.
    ra, dec
        ICRS (deg); NaN for a row without a position.
    ra_err, dec_err
        Errors on the sky (arcsec).
    flux, flux_err
        In Jy.
    rms
        Noise at the position (Jy/beam).
    frequency
        In Hz.
    major, minor, pa
        Fitted ellipse: FWHM (arcsec), angle from north through east (deg).
    names
        What each row is called; may be left out.
    islands, labels
        The islands of the catalogue, and the label of that which holds each row, 0 for none; may be left out.
    origin
        Where rows with islands were before they were moved (ra, dec; deg); None where they were not.

    Raises
    ------
    UsageError
        Columns differ in length, or a declination is outside of -90 to 90 degrees.
    """

    name: str
    ids: NDArray[np.int64]
    ra: Floats
    dec: Floats
    ra_err: Floats
    dec_err: Floats
    flux: Floats
    flux_err: Floats
    rms: Floats
    frequency: Floats
    major: Floats
    minor: Floats
    pa: Floats
    names: NDArray[np.str_] | None = None
    islands: Islands | None = None
    labels: NDArray[np.int64] | None = None
    origin: tuple[Floats, Floats] | None = None

    def __post_init__(self) -> None:
        for each in _NUMBERS:
            if getattr(self, each).shape != self.ids.shape:
                raise UsageError(
                    f"the columns of {self.name} differ in length",
                    got=f"{getattr(self, each).size} of {each}, {self.ids.size} rows",
                )
        outside = np.abs(self.dec) > 90.0
        if outside.any():
            raise UsageError(
                f"{self.name} has declinations beyond 90 degrees",
                got=float(self.dec[outside][0]),
                allowed="ICRS degrees",
            )
        outside = np.abs(self.ra) > 360.0
        if outside.any():
            raise UsageError(
                f"{self.name} has right ascensions beyond 360 degrees",
                got=float(self.ra[outside][0]),
                allowed="ICRS degrees",
            )

    @classmethod
    def of(
        cls, given: Entries | Table | Catalogue, name: str = "", *, table: str = "sources", flux: str = "flux"
    ) -> Entries:
        """The rows of a catalogue or of one of its tables.

        Parameters
        ----------
        given
            What to match; entries stay as they are.
        name
            What to call it in what is told.
        table
            The table of a catalogue of three.
        flux
            The column of fluxes: ``flux``, ``flux_int`` or ``flux_peak``.

        Raises
        ------
        UnknownName
            There is no such table.
        UsageError
            It is no catalogue, or no row of it has a position on the sky.
        """
        if isinstance(given, Entries):
            return given
        if isinstance(given, Catalogue):
            given = _table_of(given, table)
        if not isinstance(given, Table):
            raise UsageError(
                "only catalogues can be matched",
                got=type(given),
                allowed="what skysift.find makes, what skysift.open reads of a table, or one table of these",
            )
        columns = {each: given[each] for each in _NUMBERS if each in given}
        if flux == "flux" and "flux" not in given:  # a table of islands has no other than the whole flux
            flux = "flux_int"
        columns |= {"flux": given[flux]}
        columns["flux_err"] = given[f"{flux}_err"] if f"{flux}_err" in given else np.full(len(given), np.nan)
        return cls.from_columns(name or given.kind, ids=given.ids, names=given["name"], **columns)

    @classmethod
    def from_columns(
        cls,
        name: str,
        ra: ArrayLike,
        dec: ArrayLike,
        *,
        ids: ArrayLike | None = None,
        names: NDArray[np.str_] | None = None,
        **columns: ArrayLike,
    ) -> Entries:
        """Entries of these columns, one number for all rows or one a row; what is left out is NaN.

        Raises
        ------
        UsageError
            A column is not known, columns differ in length, or no row has a position.
        """
        lon = np.array(ra, dtype=np.float64, ndmin=1)
        unknown = sorted(set(columns) - set(_NUMBERS))
        if unknown:
            raise UsageError("entries have no such column", got=unknown[0], allowed=_NUMBERS)
        filled: dict[str, Any] = {}
        for each in _NUMBERS:
            values = {"ra": lon, "dec": dec, **columns}.get(each, np.nan)
            column = np.asarray(values, dtype=np.float64)
            filled[each] = np.full(lon.shape, column) if column.ndim == 0 else column
        for each in ("ra", "dec"):
            filled[each] = np.where(np.isfinite(filled[each]), filled[each], np.nan)
        filled["frequency"] = np.where(filled["frequency"] > 0, filled["frequency"], np.nan)
        known = (
            np.isfinite(filled["ra"]) & np.isfinite(filled["dec"])
            if filled["dec"].shape == lon.shape
            else True
        )
        if lon.size and not np.any(known):
            raise UsageError(
                f"{name} has no positions on the sky",
                got="ra and dec are NaN in every row",
                todo="a map without sky coordinates gives pixels only, which cannot be matched",
            )
        numbers = np.arange(1, lon.size + 1) if ids is None else np.asarray(ids)
        return cls(name, numbers.astype(np.int64), names=names, **filled)

    @property
    def placed(self) -> NDArray[np.bool_]:
        """True for the rows that have a position."""
        return np.isfinite(self.ra) & np.isfinite(self.dec)

    @property
    def size(self) -> Floats:
        """Geometric mean of the axes (arcsec); NaN where there is none."""
        with np.errstate(invalid="ignore"):
            product = self.major * self.minor
            return np.where(product > 0, np.sqrt(np.abs(product)), np.nan)

    @property
    def snr(self) -> Floats:
        """Signal to noise: flux over its error, or over the rms where no error is known."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.flux_err > 0, self.flux / self.flux_err, self.flux / self.rms)

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """True for the rows whose number another row of the catalogue has too."""
        _, place, count = np.unique(self.ids, return_inverse=True, return_counts=True)
        return np.asarray(count[place] > 1)

    def take(self, rows: NDArray[np.int64] | NDArray[np.bool_]) -> Entries:
        """These rows, by a mask or by their numbers."""
        picked = {each: getattr(self, each)[rows] for each in ("ids", *_NUMBERS)}
        return Entries(
            self.name,
            names=None if self.names is None else self.names[rows],
            islands=self.islands,
            labels=None if self.labels is None else self.labels[rows],
            origin=None if self.origin is None else (self.origin[0][rows], self.origin[1][rows]),
            **picked,
        )

    def on_islands(self, islands: Islands, labels: NDArray[np.int64]) -> Entries:
        """The rows with the islands that hold them."""
        return replace(self, islands=islands, labels=labels)

    def moved(self, ra: Floats, dec: Floats) -> Entries:
        """The rows at other positions (deg)."""
        origin = (self.ra, self.dec) if self.islands is not None and self.origin is None else self.origin
        return replace(self, ra=ra, dec=dec, origin=origin)

    def brightened(self, factor: float) -> Entries:
        """The rows with their fluxes, errors and noise times a factor."""
        scaled = {each: getattr(self, each) * factor for each in ("flux", "flux_err", "rms")}
        return replace(self, **scaled)

    @classmethod
    def concat(cls, parts: Sequence[Entries]) -> Entries:
        """The rows of several, one after the other, with the name and the islands of the first, without names."""
        joined: dict[str, Any] = {
            each: np.concatenate([getattr(part, each) for part in parts]) for each in ("ids", *_NUMBERS)
        }
        first = parts[0]
        more = sum(len(part) for part in parts[1:])
        labels = None if first.labels is None else np.concatenate([first.labels, np.zeros(more, np.int64)])
        made = cls(first.name, **joined)
        return replace(made, islands=first.islands, labels=labels)

    def __len__(self) -> int:
        return int(self.ids.size)

    def __repr__(self) -> str:
        known = [
            each.name
            for each in fields(self)
            if each.name in _NUMBERS and np.isfinite(getattr(self, each.name)).any()
        ]
        return f"Entries({self.name!r}, {len(self)} rows, {', '.join(known)})"


def _table_of(catalogue: Catalogue, table: str) -> Table:
    """The table with this name, or the only one that has rows where a file of one table was read."""
    chosen = catalogue.table(table)
    filled = [each for each in (catalogue.sources, catalogue.components, catalogue.islands) if len(each)]
    return filled[0] if not len(chosen) and len(filled) == 1 else chosen
