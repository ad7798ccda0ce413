"""Spectra of what was found: fluxes on further maps at the places of components, and the columns they give.

`skysift.find.taylor` and `skysift.find.channels` say what the maps are; here is what both share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import chi2 as chi2_law

from skysift.base.errors import UsageError
from skysift.find.beside import extended
from skysift.find.finding import Finding
from skysift.find.options import FinderOptions
from skysift.find.places import Places, places_at, places_on
from skysift.match.result import ResultTable
from skysift.measure.forced import Forced
from skysift.measure.options import NoiseOptions
from skysift.measure.spectrum import PowerLaws
from skysift.sky.beam import Beam
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.schema import Column, TableName, column
from skysift.sky.shapes import covariances
from skysift.sky.table import Table

__all__ = [
    "component_places",
    "mismatched",
    "need_slope",
    "plain_noise",
    "seen_unlike",
    "sources_of",
    "spectra_table",
    "with_spectra",
]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

_UNLIKELY = 1e-5  # chance of a chi squared above which a power law is believed


def component_places(finding: Finding, image: SkyImage) -> Places:
    """The places of the components on a map, with their shapes as its beam shows them.

    A component that is not resolved is a point; one that is has its deconvolved axes.
    """
    rows = finding.catalogue.components
    resolved = np.asarray(rows["resolved"], np.bool_)
    major, minor = (np.where(resolved, rows[name], 0.0) for name in ("major_deconv", "minor_deconv"))
    if finding.image.frame.celestial and image.frame.celestial:
        return places_on(image, rows["ra"], rows["dec"], major, minor, rows["pa_deconv"])
    shapes = covariances(major, minor, rows["pa_deconv"])
    return places_at(image, rows["x"], rows["y"], shapes)


def sources_of(finding: Finding) -> npt.NDArray[np.int64]:
    """The source, from 0, that each component is a part of."""
    catalogue = finding.catalogue
    return np.searchsorted(catalogue.sources.ids, catalogue.components["source_id"]).astype(np.int64)


def need_slope(options: FinderOptions | None, what: str, todo: str) -> None:
    """Refuse a map of the response of a primary beam, which tells nothing of how it changes with frequency.

    Maps that were corrected for it (`corrected`, `weight`) are taken to be so at each frequency.

    Parameters
    ----------
    options
        Those of the search.
    what
        What the further maps are, for the message.
    todo
        What else to do.
    """
    if options is None or options.primary_beam is None or options.corrected:
        return
    raise UsageError(
        f"the response of one frequency does not tell that of {what}: the slope of the beam would stay in the spectra",
        got=f"primary_beam={options.primary_beam}, and maps that are not corrected",
        todo=todo,
    )


def plain_noise(options: FinderOptions) -> NoiseOptions:
    """The options of the noise of a further map: the finder's, without the maps given for the searched one."""
    chosen = {name: getattr(options, name) for name in NoiseOptions.model_fields}
    if chosen["background"] == "file":
        chosen["background"] = "mesh"
    return NoiseOptions(**{**chosen, "background_file": None, "rms_file": None})


def with_spectra(
    finding: Finding,
    measured: Sequence[Forced],
    law: Callable[..., PowerLaws],
    beams: Sequence[Beam],
    limit: float,
    response: Floats | None = None,
) -> Catalogue:
    """The catalogue with the spectra of its components, and of its sources: those of the sums of their components.

    A source has no flux on a map where one of its components has none.

    Parameters
    ----------
    finding
        What was found.
    measured
        Of the components, map by map, measured as parts of `sources_of` the finding.
    law
        Spectra from fluxes and errors (row, map), and the response where it is given (row, number).
    beams, limit
        As for `mismatched`.
    response
        How the response of the primary beam changes with frequency, of the components (component, number); a
        source has the mean of its components, by their fluxes on the first map.
    """
    n = len(finding.catalogue.components)
    flux, error = (
        np.stack([getattr(each, name) for each in measured], axis=1) if measured else np.empty((n, 0))
        for name in ("flux_int", "flux_int_err")
    )
    source, n_sources = sources_of(finding), len(finding.catalogue.sources)
    sums = [each.summed(source, n_sources) for each in measured]
    total, total_err = (
        np.stack([each[k] for each in sums], axis=1) if sums else np.empty((n_sources, 0)) for k in range(2)
    )
    columns: dict[TableName, dict[str, npt.NDArray[Any]]] = {}
    several: tuple[tuple[TableName, Floats, Floats], ...] = (
        ("components", flux, error),
        ("sources", total, total_err),
    )
    for table, values, errors in several:
        rows = finding.catalogue.table(table)
        there = response
        if response is not None and table == "sources":
            there = _mean_by_source(response, source, flux[:, 0], n_sources)
        found = law(values, errors) if there is None else law(values, errors, response=there)
        filled: dict[str, npt.NDArray[Any]] = {
            "spectral_index": found.index,
            "spectral_index_err": found.index_err,
        }
        if found.curvature is not None and found.curvature_err is not None:
            filled |= {"spectral_curvature": found.curvature, "spectral_curvature_err": found.curvature_err}
        for name, wrong in (("index", found.index_trunc_err), ("curvature", found.curvature_trunc_err)):
            if wrong is not None:
                filled[f"spectral_{name}_trunc_err"] = wrong
        if found.chi2 is not None:
            filled |= {"spectral_chi2": found.chi2, "n_channels": found.points}
        doubt = mismatched(rows, found, beams, limit)
        columns[table] = {**filled, "flags": rows["flags"] | np.where(doubt, flag("uv_mismatch"), 0)}
    return extended(finding.catalogue, columns)


def _mean_by_source(values: Floats, source: npt.NDArray[np.int64], flux: Floats, n_sources: int) -> Floats:
    """Means (source, number) of values of components (component, number), weighted by their fluxes."""
    weight = np.where(np.isfinite(flux), np.abs(flux), 0.0) + 1e-30
    total, sums = np.zeros((n_sources, 1)), np.zeros((n_sources, values.shape[1]))
    np.add.at(total, source, weight[:, None])
    np.add.at(sums, source, weight[:, None] * values)
    with np.errstate(invalid="ignore"):
        return np.asarray(sums / total)


def mismatched(rows: Table, laws: PowerLaws, beams: Sequence[Beam], limit: float) -> Bools:
    """Rows whose spectral index is not to be trusted, by `seen_unlike`."""
    return seen_unlike(np.asarray(rows["resolved"], np.bool_), rows["major_deconv"], laws, beams, limit)


def seen_unlike(
    resolved: Bools, major: Floats, laws: PowerLaws, beams: Sequence[Beam], limit: float
) -> Bools:
    """Sources whose spectral index is not to be trusted, since the maps saw structures of their size differently.

    What a map misses of an extended source is told by its shortest baselines, of which a map says nothing; its
    beam tells its longest, and arrays are scaled as a whole. So a source wider than the widest beam is doubted
    where the beams of the maps, before they were brought to one, differ by more than `limit`; and any resolved
    source where its fluxes lie off the fitted spectrum by more than chance allows (1 in 100 000).

    Parameters
    ----------
    resolved, major
        Which are, and their major axes with the beam taken out (FWHM, arcsec).
    laws
        Their spectra.
    beams
        Of the maps, as they were before any convolution.
    limit
        Ratio of the widest to the narrowest beam (geometric mean of the axes) that is taken as alike.
    """
    widths = [float(np.sqrt(beam.major * beam.minor)) for beam in beams]
    doubt = np.zeros(len(resolved), np.bool_)
    if widths and max(widths) > limit * min(widths):
        doubt = resolved & (major > max(widths))
    if laws.chi2 is None:
        return doubt
    curved = np.zeros(len(resolved)) if laws.curvature is None else np.isfinite(laws.curvature)
    freedom = laws.points - 2 - curved
    with np.errstate(invalid="ignore"):
        chance = chi2_law.sf(laws.chi2, np.maximum(freedom, 1))
    return doubt | (resolved & (freedom > 0) & (chance < _UNLIKELY))


_DECLARED: Mapping[str, Column] = {
    "channel": Column(
        "channel",
        "int64",
        "",
        "meta.number;em.freq",
        "Number of the channel in the order given, from 0, those without data left out; -1 for Taylor terms.",
        ("components",),
        "d",
    ),
    "term": Column(
        "term",
        "int64",
        "",
        "meta.number",
        "Number of the Taylor term; 0 for flux densities.",
        ("components",),
        "d",
    ),
}


def spectra_table(
    finding: Finding, measured: Sequence[Forced], frequency: Sequence[float], *, taylor: bool
) -> ResultTable:
    """One row a component and map: what was measured there.

    Parameters
    ----------
    finding
        What was found.
    measured
        Of each map.
    frequency
        Of each map (Hz).
    taylor
        Whether the maps are Taylor terms.
    """
    rows = finding.catalogue.components
    n, m = len(rows), len(measured)
    number = np.tile(np.arange(m), n)
    names = ("flux_int", "flux_int_err", "flux_peak", "flux_peak_err", "rms", "flags")
    columns = {
        "component_id": np.repeat(rows["component_id"], m),
        "source_id": np.repeat(rows["source_id"], m),
        "channel": np.full(n * m, -1) if taylor else number,
        "term": number if taylor else np.zeros(n * m, np.int64),
        "frequency": np.tile(np.asarray(frequency, np.float64), n),
        **{
            name: np.stack([getattr(each, name) for each in measured], axis=1).reshape(-1)
            if m
            else np.empty(0, np.int64 if name == "flags" else np.float64)
            for name in names
        },
    }
    return ResultTable("spectra", columns, tuple(_DECLARED.get(name) or column(name) for name in columns))
