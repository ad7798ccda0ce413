"""Measured islands and components become a catalogue: every column filled, the same hand for every finder."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from skysift.base.provenance import Provenance
from skysift.measure import island as row
from skysift.measure.condon import condon_errors
from skysift.measure.corrections import (
    add_beams,
    add_clean_bias,
    asked_columns,
    clean_bias_error,
    correct_islands,
    flag_beyond_scale,
)
from skysift.measure.ellipse import FWHM, Ellipses, ellipses, shape_transform
from skysift.measure.measured import Columns, Measured
from skysift.measure.options import FitOptions
from skysift.measure.response import Response, apparent_columns
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.naming import names
from skysift.sky.table import Table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

HELD_WIDE = 1.2  # a shape that was held is resolved where its flux exceeds its peak by this factor


def characterise(
    measured: Measured,
    image: SkyImage,
    level_error: float,
    options: FitOptions,
    provenance: Provenance,
    response: Response | None = None,
) -> Catalogue:
    """
    The catalogue of what was measured.

    Parameters
    ----------
    measured
        Components, islands and links.
    image
        The map they were measured on: its frame and beam turn pixels into sky.
    level_error
        Error of the background level, in units of the rms.
    options
        Criterion for `resolved`, kind of errors, calibration terms, acronym.
    provenance
        The story that the catalogue carries.
    response
        Of the primary beam that the pixels were corrected for; None where they were not.
    """
    if not len(measured.islands):
        return _nothing(provenance, image, options, response)
    if response is not None:
        measured = _undistorted(measured, image, response)
    components, shape, shape_cov = _components(measured, image, options)
    sources = _sources(measured, components, shape, shape_cov, image, options)
    components["structure"] = _structure(measured)
    islands = _islands(measured, components, image, level_error, options)
    islands["n_sources"] = _count_pairs(
        measured.components[:, row.ISLAND], measured.source, len(measured.islands)
    )
    flag_beyond_scale(measured, components, sources, islands, image, options)
    if response is not None:
        for columns in (islands, sources, components):
            columns.update(apparent_columns(columns, response))
    return Catalogue(
        _table("islands", islands), _table("sources", sources), _table("components", components), provenance
    )


def _table(kind: schema.TableName, columns: Columns) -> Table:
    """The table of these columns, those of `FURTHER` among them."""
    own = schema.names(kind)
    extra = [name for name in columns if name not in own]
    return Table.from_columns(kind, columns, schema.further(kind, *extra) if extra else ())


def _undistorted(measured: Measured, image: SkyImage, response: Response) -> Measured:
    """
    Components without what the division by the response did to their places and fluxes.

    The primary beam weakens a source before the synthesised beam (covariance B) widens it, and is divided out
    after: where its logarithm has the gradient g, a Gaussian of any shape is moved by ``-B g`` and grows by
    ``exp(g B g / 2)``.
    """
    c = measured.components.copy()
    slope = response.slope(c[:, row.X], c[:, row.Y], max(1.0, image.frame.beam_pixels(image.beam)[0]))
    island = c[:, row.ISLAND].astype(np.int64)
    xx, xy, yy = measured.islands[island, row.I_XX : row.I_YY + 1].T
    moved = np.stack([xx * slope[:, 0] + xy * slope[:, 1], xy * slope[:, 0] + yy * slope[:, 1]], axis=1)
    c[:, row.X] += moved[:, 0]
    c[:, row.Y] += moved[:, 1]
    factor = np.exp(-0.5 * (slope * moved).sum(axis=1))
    for column in (row.AMPLITUDE, row.FLUX, row.BEAM_FLUX):
        c[:, column] *= factor
    peak = measured.source_peak * np.bincount(measured.source, factor) / np.bincount(measured.source)
    return replace(measured, components=c, source_peak=peak)


def _nothing(
    provenance: Provenance, image: SkyImage, options: FitOptions, response: Response | None
) -> Catalogue:
    """A catalogue of no rows, with every column that was asked for."""
    empty = Catalogue.empty(provenance)
    islands, sources, components = (
        _table(
            table.kind,
            {
                **table.columns,
                **{name: np.empty(0) for name in asked_columns(table.kind, image, options)},
                **({} if response is None else apparent_columns(table.columns, response)),
            },
        )
        for table in (empty.islands, empty.sources, empty.components)
    )
    return Catalogue(islands, sources, components, provenance)


def _components(measured: Measured, image: SkyImage, options: FitOptions) -> tuple[Columns, Floats, Floats]:
    """Columns of the components, their sky covariances ``(n, 3)`` and the covariance of those."""
    c = measured.components
    frame, n = image.frame, len(c)
    island = c[:, row.ISLAND].astype(np.int64)
    x, y = c[:, row.X], c[:, row.Y]
    cov = _full(c[:, row.COV : row.FLUX])
    tangent = frame.tangent(x, y)
    to_sky = shape_transform(tangent)
    shape = np.einsum("nij,nj->ni", to_sky, c[:, row.SHAPE : row.SHAPE + 3])
    shape_cov = np.einsum("nij,njk,nlk->nil", to_sky, cov[:, 3:, 3:], to_sky)
    beam = np.einsum("nij,nj->ni", to_sky, measured.beams)
    free = cov[:, 3, 3] > 0.0
    fitted, left = ellipses(shape, shape_cov), ellipses(shape - beam, shape_cov)
    position = np.einsum("nij,njk,nlk->nil", tangent, cov[:, 1:3, 1:3], tangent)
    point = np.isfinite(c[:, row.BEAM_FLUX])  # a point was fitted, in place of the shape or as the shape
    wide = np.abs(c[:, row.FLUX]) > HELD_WIDE * measured.gain * np.abs(c[:, row.AMPLITUDE])
    resolved = np.where(free, c[:, row.RESOLUTION] > options.resolved_sigma, wide & ~point)
    unresolved = ~resolved & point
    out: Columns = {
        "component_id": np.arange(1, n + 1),
        "source_id": measured.source + 1,
        "island_id": island + 1,
        "x": x,
        "y": y,
        "x_err": np.sqrt(cov[:, 1, 1]),
        "y_err": np.sqrt(cov[:, 2, 2]),
        "ra_err": np.sqrt(position[:, 0, 0]),
        "dec_err": np.sqrt(position[:, 1, 1]),
        "flux_peak": c[:, row.AMPLITUDE],
        "flux_peak_err": np.sqrt(cov[:, 0, 0]),
        "flux_int": c[:, row.FLUX],
        "flux_int_err": np.sqrt(c[:, row.FLUX_VAR]),
        "flux_beam": c[:, row.BEAM_FLUX],
        "flux_beam_err": np.sqrt(c[:, row.BEAM_FLUX_VAR]),
        "resolved": resolved,
        "rms": c[:, row.RMS],
        "background": c[:, row.LEVEL],
        "residual_rms": c[:, row.REST_RMS],
        "residual_peak": c[:, row.REST_PEAK],
        "flags": c[:, row.FLAGS].astype(np.int64) | measured.flags[island],
    }
    out.update(_axes(fitted, left, free, resolved))
    vague = free & (left.major > 0.0) & (left.major < left.major_err)
    out["flags"] = out["flags"] | np.where(vague, flag("unreliable_deconv"), 0)
    if options.errors == "condon":
        out.update(_condon(out, fitted, beam, free, tangent, measured.gain))
    add_clean_bias(out, measured.gain, options)
    # a point as bright as its flux, but for how far it is drawn out
    out["flux_peak"] = np.where(unresolved, out["flux_beam"] / measured.gain, out["flux_peak"])
    out["flux_peak_err"] = np.where(unresolved, out["flux_beam_err"] / measured.gain, out["flux_peak_err"])
    out["flux"] = np.where(unresolved, out["flux_beam"], out["flux_int"])
    out["flux_err"] = np.where(unresolved, out["flux_beam_err"], out["flux_int_err"])
    finish(out, image, options)
    if options.clean_bias_error > 0.0:
        out["clean_bias_err"] = clean_bias_error(out, options)
    return out, shape, shape_cov


def _axes(
    fitted: Ellipses, left: Ellipses, free: npt.NDArray[np.bool_], resolved: npt.NDArray[np.bool_]
) -> Columns:
    """Axes as fitted and deconvolved; a held shape has no errors, an unresolved one no position angle of its own."""
    held = ~free
    return {
        "major": fitted.major,
        "minor": fitted.minor,
        "pa": fitted.pa,
        "major_err": np.where(held, np.nan, fitted.major_err),
        "minor_err": np.where(held, np.nan, fitted.minor_err),
        "pa_err": np.where(held, np.nan, fitted.pa_err),
        "major_deconv": np.where(held & ~resolved, 0.0, left.major),
        "minor_deconv": np.where(held & ~resolved, 0.0, left.minor),
        "pa_deconv": np.where((held & ~resolved) | ~(left.major > 0.0), np.nan, left.pa),
        "major_deconv_err": np.where(held, np.nan, left.major_err),
        "minor_deconv_err": np.where(held, np.nan, left.minor_err),
    }


def finish(out: Columns, image: SkyImage, options: FitOptions) -> None:
    """Add sky positions, names, calibration terms and what is the same for every row of a table."""
    frame = image.frame
    x, y = np.asarray(out["x"], np.float64), np.asarray(out["y"], np.float64)
    ra, dec = frame.to_sky(x, y)
    flags = np.asarray(out["flags"], np.int64)
    if frame.celestial:
        flags = flags | np.where(np.isfinite(ra), 0, flag("off_sky"))
    else:
        flags = flags | flag("no_wcs")
    n = len(x)
    out["ra"], out["dec"], out["flags"] = ra, dec, flags
    if "flux" in out:
        out["flux_cal_err"] = options.flux_scale_error * np.abs(np.asarray(out["flux"], np.float64))
        out["position_cal_err"] = np.full(n, options.position_error)
        add_beams(out, image)
    error = np.hypot(
        np.asarray(out.get("ra_err", np.full(n, np.nan))), np.asarray(out.get("dec_err", np.full(n, np.nan)))
    )
    out["name"] = names(ra, dec, error, options.acronym, x=x, y=y)
    out["snr"] = np.asarray(out["flux_peak"], np.float64) / np.asarray(out["rms"], np.float64)
    out["frequency"] = np.full(n, image.frequency)


def _condon(
    out: Columns, fitted: Ellipses, beam: Floats, free: npt.NDArray[np.bool_], tangent: Floats, gain: Floats
) -> Columns:
    """
    Condon's errors in place of those of the fit; with the shape held, those of a point source.

    A point that is drawn out has the flux of its peak times `gain`, and so the error.
    """
    none = np.zeros((len(beam), 3, 3))
    of_beam = ellipses(beam, none)
    snr = np.asarray(out["flux_peak"], np.float64) / np.asarray(out["rms"], np.float64)
    e = condon_errors(snr, fitted.major, fitted.minor, of_beam.major, of_beam.minor)
    peak, flux = np.abs(np.asarray(out["flux_peak"])), np.abs(np.asarray(out["flux_int"]))
    share = np.where(free, 1.0, np.sqrt(0.5))
    angle = np.radians(fitted.pa)
    sin, cos = np.sin(angle), np.cos(angle)
    ra = np.hypot(e.along_major * sin, e.along_minor * cos)
    dec = np.hypot(e.along_major * cos, e.along_minor * sin)
    inverse = np.linalg.inv(tangent)
    along = np.einsum("nij,nj->ni", inverse, np.stack([sin, cos], axis=1)) * e.along_major[:, None]
    across = np.einsum("nij,nj->ni", inverse, np.stack([cos, -sin], axis=1)) * e.along_minor[:, None]
    pixels = np.hypot(along, across)
    point = peak * e.peak * share
    return {
        "x_err": pixels[:, 0],
        "y_err": pixels[:, 1],
        "ra_err": ra,
        "dec_err": dec,
        "flux_peak_err": point,
        "flux_int_err": np.where(free, flux * e.flux, gain * point),
        "flux_beam_err": np.where(
            np.isfinite(np.asarray(out["flux_beam"])), gain * np.sqrt(0.5) * peak * e.peak, np.nan
        ),
        "major_err": np.where(free, e.major, np.nan),
        "minor_err": np.where(free, e.minor, np.nan),
        "pa_err": np.where(free, e.pa, np.nan),
    }


def _sources(
    measured: Measured,
    components: Columns,
    shape: Floats,
    shape_cov: Floats,
    image: SkyImage,
    options: FitOptions,
) -> Columns:
    """Columns of the sources: those of a lone component as they are, of several summed and averaged by flux."""
    source = measured.source
    n = int(source.max(initial=-1)) + 1
    count = np.bincount(source, minlength=n)
    first = np.searchsorted(source[np.argsort(source, kind="stable")], np.arange(n))
    order = np.argsort(source, kind="stable")
    lead = order[first]
    flux = np.asarray(components["flux_int"], np.float64)
    lone = count == 1
    total = np.bincount(source, flux, n)
    weight = flux / total[source]
    variance = np.bincount(source, np.asarray(components["flux_int_err"], np.float64) ** 2, n)
    pairs = measured.pairs
    a, b = pairs[:, 0].astype(np.int64), pairs[:, 1].astype(np.int64)
    same = source[a] == source[b]
    linked = variance + 2.0 * np.bincount(source[a[same]], pairs[same, 2], n)
    # links that outweigh the errors themselves are not believed
    variance = np.where(linked > 0.0, linked, variance)

    def mean(name: str) -> Floats:
        return np.asarray(np.bincount(source, weight * components[name], n), np.float64)

    def spread(name: str) -> Floats:
        return np.sqrt(np.bincount(source, (weight * components[name]) ** 2, n))

    def swing(offset: Floats) -> Floats:
        # the centroid moves where the fluxes err, towards each component by its distance from it
        return np.sqrt(np.bincount(source, (offset * components["flux_int_err"] / total[source]) ** 2, n))

    x, y = (
        np.where(lone, np.asarray(components["x"])[lead], mean("x")),
        np.where(lone, np.asarray(components["y"])[lead], mean("y")),
    )
    out: Columns = {"source_id": np.arange(1, n + 1), "x": x, "y": y}
    out["flux_int"], out["flux_int_err"] = total, np.sqrt(variance)
    for name in ("flux", "flux_err"):
        out[name] = np.where(lone, np.asarray(components[name])[lead], out["flux_int" + name[4:]])
    brightest = _brightest(np.abs(np.asarray(components["flux_peak"], np.float64)), source, n)
    for name in ("flux_peak", "flux_peak_err", "rms", "background", "residual_rms", "residual_peak"):
        out[name] = np.asarray(components[name])[brightest]
    joint_peak = np.copysign(measured.source_peak, out["flux_peak"])
    if "clean_bias" in components:
        out["clean_bias"] = np.asarray(components["clean_bias"])[brightest]
        joint_peak = joint_peak + out["clean_bias"]
    if "clean_bias_err" in components:
        out["clean_bias_err"] = np.bincount(source, components["clean_bias_err"], n)
    out["flux_peak"] = np.where(lone, out["flux_peak"], joint_peak)
    tangent = image.frame.tangent(x, y)
    offset = np.stack(
        [np.asarray(components["x"]) - x[source], np.asarray(components["y"]) - y[source]], axis=1
    )
    out["x_err"], out["y_err"] = (
        np.hypot(spread("x_err"), swing(offset[:, 0])),
        np.hypot(spread("y_err"), swing(offset[:, 1])),
    )
    offset = np.einsum("nij,nj->ni", tangent[source], offset)
    out["ra_err"] = np.hypot(spread("ra_err"), swing(offset[:, 0]))
    out["dec_err"] = np.hypot(spread("dec_err"), swing(offset[:, 1]))
    moments = shape + np.stack([offset[:, 0] ** 2, offset[:, 0] * offset[:, 1], offset[:, 1] ** 2], axis=1)
    joint: Floats = np.stack([np.bincount(source, weight * moments[:, i], n) for i in range(3)], axis=1)
    squared = weight**2
    flat = shape_cov.reshape(-1, 9)
    joint_cov: Floats = np.stack([np.bincount(source, squared * flat[:, i], n) for i in range(9)], axis=1)
    joint_cov = joint_cov.reshape(-1, 3, 3)
    island = measured.components[:, row.ISLAND].astype(np.int64)
    beam = np.einsum("nij,nj->ni", shape_transform(tangent), measured.beams[lead])
    free = np.bincount(source, shape_cov[:, 0, 0] > 0.0, n) > 0
    left = ellipses(joint - beam, joint_cov)
    out["resolved"] = np.where(lone, np.asarray(components["resolved"])[lead], left.major > 0.0)
    axes = _axes(ellipses(joint, joint_cov), left, free, np.asarray(out["resolved"]))
    for name, values in axes.items():
        if name in ("major_deconv_err", "minor_deconv_err"):
            continue
        out[name] = np.where(lone, np.asarray(components[name])[lead], values)
    flags = np.zeros(n, np.int64)
    np.bitwise_or.at(flags, source, np.asarray(components["flags"], np.int64))
    out["flags"] = flags
    out["n_components"] = count
    out["n_islands"] = _count_pairs(source, island, n)
    out["structure"] = _structure(measured)[lead]
    finish(out, image, options)
    out["name"] = np.where(lone, np.asarray(components["name"])[lead], np.asarray(out["name"]))
    return out


def _islands(
    measured: Measured, components: Columns, image: SkyImage, level_error: float, options: FitOptions
) -> Columns:
    """Columns of the islands: sums over their pixels, no Gaussian in them."""
    isl, boxes = measured.islands, measured.boxes
    n = len(isl)
    area = 2.0 * np.pi * np.sqrt(isl[:, row.I_XX] * isl[:, row.I_YY] - isl[:, row.I_XY] ** 2)
    beams = isl[:, row.I_N] / area
    rms = isl[:, row.I_RMS]
    flags = measured.flags.copy()
    np.bitwise_or.at(
        flags, measured.components[:, row.ISLAND].astype(np.int64), np.asarray(components["flags"], np.int64)
    )
    out: Columns = {
        "island_id": np.arange(1, n + 1),
        "x": isl[:, row.I_X],
        "y": isl[:, row.I_Y],
        "y_min": boxes[:, 0],
        "y_max": boxes[:, 1] - 1,
        "x_min": boxes[:, 2],
        "x_max": boxes[:, 3] - 1,
        "n_pixels": isl[:, row.I_N].astype(np.int64),
        "n_beams": beams,
        "flux_peak": isl[:, row.I_PEAK],
        "flux_int": isl[:, row.I_SUM],
        "flux_int_err": np.hypot(rms * np.sqrt(beams), level_error * rms * beams),
        "rms": rms,
        "background": isl[:, row.I_LEVEL],
        "residual_rms": isl[:, row.I_REST_RMS],
        "residual_peak": isl[:, row.I_REST_PEAK],
        "n_components": np.bincount(measured.components[:, row.ISLAND].astype(np.int64), minlength=n),
        "flags": flags,
    }
    correct_islands(out, measured, components, options)
    finish(out, image, options)
    return out


def _structure(measured: Measured) -> npt.NDArray[np.str_]:
    """S, C or M of each component."""
    island = measured.components[:, row.ISLAND].astype(np.int64)
    alone = np.bincount(island)[island] == 1
    several = np.bincount(measured.source)[measured.source] > 1
    return np.where(several, "M", np.where(alone, "S", "C"))


def _count_pairs(of: npt.NDArray[np.generic], by: npt.NDArray[np.generic], n: int) -> Ints:
    """For each of n owners, how many different values of ``by`` go with it."""
    links = np.unique(np.stack([np.asarray(of, np.int64), np.asarray(by, np.int64)], axis=1), axis=0)
    return np.bincount(links[:, 0], minlength=n)


def _brightest(value: Floats, source: Ints, n: int) -> Ints:
    """The component with the largest value of each source; the first of equals."""
    order = np.lexsort((np.arange(len(value)), -value, source))
    return order[np.searchsorted(source[order], np.arange(n))]


def _full(upper: Floats) -> Floats:
    """Symmetric matrices ``(n, 6, 6)`` from their upper triangles ``(n, 21)``."""
    full = np.empty((len(upper), 6, 6))
    i, j = np.triu_indices(6)
    full[:, i, j] = upper
    full[:, j, i] = upper
    return full


def counts(catalogue: Catalogue) -> Mapping[str, int]:
    """How many rows there are, in all and of each structure, and how many extended ones have compact ones on top."""
    sources = catalogue.sources
    structure = sources["structure"]
    nested = {
        name: int((sources[column] > 0).sum()) if column in sources else 0
        for name, column in (("on_extended", "parent_id"), ("with_children", "n_children"))
    }
    return {
        "islands": len(catalogue.islands),
        "sources": len(catalogue.sources),
        "components": len(catalogue.components),
        **{f"structure_{s}": int((structure == s).sum()) for s in ("S", "C", "M", "E")},
        **nested,
        "resolved": int(sources["resolved"].sum()),
        "flagged": int((sources["flags"] != 0).sum()),
    }


__all__ = ["FWHM", "Measured", "characterise", "counts", "finish"]
