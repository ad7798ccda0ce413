"""`Measurements`: what was measured at known places on one map or many: one row a place and map, one series a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from skysift.find.known import Known
from skysift.find.spectra import seen_unlike
from skysift.flow.measured_columns import FITTED_PLACE, FITTED_SHAPE, MEASUREMENTS, SERIES
from skysift.match.result import ResultTable
from skysift.measure.ellipse import ellipses, shape_transform
from skysift.measure.forced import Forced
from skysift.measure.options import MeasureOptions
from skysift.measure.spectrum import PowerLaws, power_laws
from skysift.measure.variability import bands_of, variability
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.schema import Column
from skysift.sky.table import Values

if TYPE_CHECKING:
    from skysift.base.provenance import InputRecord, Provenance

__all__ = ["Measurements", "OnMap", "measurements"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DETECTED = 5.0  # errors


@dataclass(frozen=True, eq=False)
class OnMap:
    """What was measured on one map.

    Attributes
    ----------
    image
        The map.
    name
        What it is called; each map of a run has a name of its own.
    epoch
        When it was observed (MJD), NaN where not known.
    forced
        The fits.
    further
        Columns of apertures, footprints and the primary beam.
    inputs
        The files that were read for this map beside it.
    notes
        What is told of the map and of those, one line each.
    """

    image: SkyImage
    name: str
    epoch: float
    forced: Forced
    further: dict[Column, Values]
    inputs: tuple[InputRecord, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Measurements:
    """What was measured at known places.

    Parameters
    ----------
    table
        One row a place and map, the maps one after the other.
    series
        One row a place: mean, variability, spectral index.
    maps
        Names of the maps.
    notes
        What was odd, one line each.
    provenance
        How it was made.
    """

    table: ResultTable
    series: ResultTable
    maps: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: Provenance

    def of(self, name: str) -> Values:
        """A column of the measurements as ``(map, place)``."""
        return self.table[name].reshape(len(self.maps), -1)

    def __len__(self) -> int:
        return len(self.series)

    def __repr__(self) -> str:
        return f"Measurements({len(self)} places on {len(self.maps)} maps)"


def measurements(
    known: Known, done: Sequence[OnMap], options: MeasureOptions, notes: Sequence[str], provenance: Provenance
) -> Measurements:
    """The tables of what was measured.

    Parameters
    ----------
    known
        The places.
    done
        What was measured on each map.
    options
        How.
    notes, provenance
        What is told of it.
    """
    parts = [_rows(known, one, number, options) for number, one in enumerate(done, start=1)]
    declared = tuple(parts[0])
    table = ResultTable(
        "measurements",
        {each.name: np.concatenate([part[each] for part in parts]) for each in declared},
        declared,
    )
    return Measurements(
        table, _series(known, table, done, options), tuple(one.name for one in done), tuple(notes), provenance
    )


def _rows(known: Known, one: OnMap, number: int, options: MeasureOptions) -> dict[Column, Values]:
    """The rows of one map."""
    found, image, n = one.forced, one.image, len(known)
    with np.errstate(invalid="ignore", divide="ignore"):
        snr = found.flux_int / found.flux_int_err
    values: dict[str, Values] = {
        **_place(known),
        "map_id": np.full(n, number),
        "map": np.full(n, one.name),
        "frequency": np.full(n, image.frequency),
        "epoch": np.full(n, one.epoch),
        "x": found.x,
        "y": found.y,
        "flux_peak": found.flux_peak,
        "flux_peak_err": found.flux_peak_err,
        "flux_int": found.flux_int,
        "flux_int_err": found.flux_int_err,
        "flux_limit": found.limits(options.limit),
        "snr": snr,
        "rms": found.rms,
        "background": found.background,
        "residual_rms": found.residual_rms,
        "flags": found.flags,
    }
    columns = {each: values[each.name] for each in MEASUREMENTS}
    flags = next(each for each in MEASUREMENTS if each.name == "flags")
    last = columns.pop(flags)
    if options.fit != "flux":
        columns |= _fitted(found, image, shape=options.fit == "shape")
    return {**columns, **one.further, flags: last}


def _place(known: Known) -> dict[str, Values]:
    return {
        "place_id": np.arange(1, len(known) + 1),
        "id": known.ids,
        "name": known.names,
        "ra": known.ra,
        "dec": known.dec,
    }


def _fitted(found: Forced, image: SkyImage, *, shape: bool) -> dict[Column, Values]:
    """Positions and shapes that were fitted, with their errors on the sky."""
    good = np.isfinite(found.flux_peak)
    n = len(good)
    tangent = np.full((n, 2, 2), np.nan)
    tangent[good] = image.frame.tangent(found.x[good], found.y[good])
    to_sky = shape_transform(tangent)
    position = np.sqrt(np.einsum("nij,nj->ni", to_sky, found.position_cov))
    ra, dec = image.frame.to_sky(np.where(good, found.x, np.nan), np.where(good, found.y, np.nan))
    values: dict[str, Values] = {
        "x_err": np.where(good, found.x_err, np.nan),
        "y_err": np.where(good, found.y_err, np.nan),
        "ra_fit": ra,
        "dec_fit": dec,
        "ra_err": position[:, 0],
        "dec_err": position[:, 2],
    }
    columns: dict[Column, Values] = {each: values[each.name] for each in FITTED_PLACE}
    if not shape:
        return columns
    cov = np.einsum("nij,njk,nlk->nil", to_sky, found.shape_cov, to_sky)
    fitted = ellipses(np.einsum("nij,nj->ni", to_sky, found.shape), cov)
    free = found.shape_cov[:, 0, 0] > 0.0
    axes = {name: np.where(good, getattr(fitted, name), np.nan) for name in ("major", "minor", "pa")}
    axes |= {
        f"{name}_err": np.where(free, getattr(fitted, f"{name}_err"), np.nan)
        for name in ("major", "minor", "pa")
    }
    return columns | {each: axes[each.name] for each in FITTED_SHAPE}


def _series(known: Known, table: ResultTable, done: Sequence[OnMap], options: MeasureOptions) -> ResultTable:
    """One row a place."""
    n = len(known)
    flux, error, flags = (
        table[name].reshape(len(done), n).T
        for name in (options.series_flux, f"{options.series_flux}_err", "flags")
    )
    frequency = np.array([one.image.frequency for one in done])
    band = bands_of(frequency)
    found = variability(flux, error, band)
    known_frequency = frequency[np.isfinite(frequency)]
    middle = float(np.exp(np.mean(np.log(known_frequency)))) if known_frequency.size else np.nan
    mean, mean_err = found.mean, found.mean_err
    alpha, alpha_err, alpha_chi2 = (np.full(n, np.nan) for _ in range(3))
    doubt = np.zeros(n, np.bool_)
    if len(np.unique(band)) > 1 and known_frequency.size:
        law = power_laws(flux, error, frequency, reference=middle)
        alpha, alpha_err = law.index, law.index_err
        alpha_chi2 = alpha_chi2 if law.chi2 is None else law.chi2
        doubt = _seen_unlike(known, law, flux, done, options.spectral_beams)
        mean, mean_err = (
            np.where(np.isfinite(law.index), ours, other)
            for ours, other in ((law.flux, mean), (law.flux_err, mean_err))
        )
    one_band = np.isfinite(found.mean)
    own = np.where(np.isfinite(flux) & np.isfinite(frequency), np.log(frequency), np.nan)
    count = np.isfinite(own).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        at = np.where(one_band, np.exp(np.nansum(own, axis=1) / count), middle)
        detected = (flux > DETECTED * error).sum(axis=1)
    some = np.isfinite(flux)
    values: dict[str, Values] = {
        **_place(known),
        "n_maps": found.points,
        "n_detected": detected,
        "flux_mean": mean,
        "flux_mean_err": mean_err,
        "frequency": np.where(np.isfinite(mean), at, np.nan),
        "flux_min": _extreme(np.where(some, flux, np.inf).min(axis=1, initial=np.inf)),
        "flux_max": _extreme(np.where(some, flux, -np.inf).max(axis=1, initial=-np.inf)),
        "eta": found.eta,
        "v": found.v,
        "modulation": found.modulation,
        "chi2": found.chi2,
        "degrees": found.degrees,
        "p_constant": found.p_constant,
        "alpha": alpha,
        "alpha_err": alpha_err,
        "alpha_chi2": alpha_chi2,
        "flags": np.bitwise_or.reduce(flags, axis=1) | np.where(doubt, flag("uv_mismatch"), 0),
    }
    return ResultTable("series", {each.name: values[each.name] for each in SERIES}, SERIES)


def _seen_unlike(known: Known, law: PowerLaws, flux: Floats, done: Sequence[OnMap], limit: float) -> Bools:
    """Places whose spectral index is not to be trusted, by the rule of the finders for channels.

    The beams of a place are those of the maps that have a flux there.
    """
    major = ellipses(known.intrinsic, np.zeros((len(known), 3, 3))).major
    resolved = major > 0.0
    doubt = np.zeros(len(known), np.bool_)
    beams = [one.image.beam for one in done]
    seen, group = np.unique(np.isfinite(flux), axis=0, return_inverse=True)
    for number, maps in enumerate(seen):  # a few sets of maps
        rows = np.flatnonzero(group.reshape(-1) == number)
        some = replace(
            law,
            **{
                each.name: values[rows]
                for each in fields(law)
                if (values := getattr(law, each.name)) is not None
            },
        )
        here = [beam for beam, has in zip(beams, maps.tolist(), strict=True) if has]
        doubt[rows] = seen_unlike(resolved[rows], major[rows], some, here, limit)
    return doubt & np.isfinite(law.index)


def _extreme(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, np.nan)
