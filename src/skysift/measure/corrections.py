"""Corrections of a catalogue that only some maps ask for: CLEAN bias, smearing, beams that vary, missing scales.

Each comes with columns of its own, and with none where it is not asked for.
"""

import numpy as np
import numpy.typing as npt

from skysift.base.errors import UsageError
from skysift.measure import island as row
from skysift.measure.ellipse import FWHM, ellipses, shape_transform
from skysift.measure.measured import Columns, Measured
from skysift.measure.options import FitOptions
from skysift.sky import schema
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.schema import TableName
from skysift.sky.shapes import determinants
from skysift.sky.units import ARCSEC, LIGHT

Floats = npt.NDArray[np.float64]

RECOVERED = 0.6  # wavelengths over the shortest baseline: the largest scale of which an array sees enough


def asked_columns(table: TableName, image: SkyImage, options: FitOptions) -> tuple[str, ...]:
    """Names of the further columns that a table of this kind gets for this map and these options."""
    asked = {
        "beam_major": image.beams is not None,
        "beam_minor": image.beams is not None,
        "beam_pa": image.beams is not None,
        "smearing": image.smear is not None,
        "clean_bias": options.clean_bias > 0.0,
        "clean_bias_err": options.clean_bias_error > 0.0,
        "flux_cal_err": options.flux_scale_error > 0.0,
        "position_cal_err": options.position_error > 0.0,
    }
    usual = schema.names(table)
    return tuple(
        each.name for each in schema.further(table) if asked.get(each.name) and each.name not in usual
    )


def add_beams(out: Columns, image: SkyImage) -> None:
    """The beam at each row, and the share of a point's peak that smearing leaves, where they vary."""
    if image.even:
        return
    x, y = np.asarray(out["x"], np.float64), np.asarray(out["y"], np.float64)
    beam = image.beam_covariance(x, y)
    if image.beams is not None:
        sky = np.einsum("nij,nj->ni", shape_transform(image.frame.tangent(x, y)), beam)
        axes = ellipses(sky, np.zeros((len(x), 3, 3)))
        out["beam_major"], out["beam_minor"], out["beam_pa"] = axes.major, axes.minor, axes.pa
    if image.smear is not None:
        out["smearing"] = np.sqrt(determinants(beam) / determinants(image.point_covariance(x, y)))


def add_clean_bias(out: Columns, gain: Floats, options: FitOptions) -> None:
    """
    Add to peaks what CLEAN took from them, and to fluxes as much for each beam area of the component.

    CLEAN takes noise for sources and subtracts its response from the true ones: every peak is low by about the same
    fraction of the rms, whatever its brightness (White et al. 1997, ApJ 475, 479, FIRST; Condon et al. 1998, AJ 115,
    1693, NVSS). The fluxes of wider components are low by as much for each beam area.
    """
    if not options.clean_bias > 0.0:
        return
    peak, flux = np.asarray(out["flux_peak"], np.float64), np.asarray(out["flux_int"], np.float64)
    bias = np.copysign(options.clean_bias * np.asarray(out["rms"], np.float64), peak)
    with np.errstate(divide="ignore", invalid="ignore"):
        areas = np.where(peak != 0.0, flux / peak, gain)
    out["clean_bias"] = bias
    out["flux_peak"], out["flux_int"] = peak + bias, flux + bias * areas
    out["flux_beam"] = np.asarray(out["flux_beam"], np.float64) + bias * gain


def clean_bias_error(out: Columns, options: FitOptions) -> Floats:
    """Error of the flux to use from that of the CLEAN bias (Jy)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        areas = np.abs(np.asarray(out["flux"], np.float64) / np.asarray(out["flux_peak"], np.float64))
    return np.asarray(options.clean_bias_error * np.asarray(out["rms"], np.float64) * areas)


def correct_islands(out: Columns, measured: Measured, components: Columns, options: FitOptions) -> None:
    """What islands have of the CLEAN bias, as the sum over their components, and of calibration errors."""
    island, n = measured.components[:, row.ISLAND].astype(np.int64), len(measured.islands)
    if options.clean_bias > 0.0:
        bias = np.copysign(options.clean_bias * np.asarray(out["rms"], np.float64), out["flux_peak"])
        added = np.asarray(components["flux_int"], np.float64) - measured.components[:, row.FLUX]
        out["clean_bias"], out["flux_peak"] = bias, np.asarray(out["flux_peak"], np.float64) + bias
        out["flux_int"] = np.asarray(out["flux_int"], np.float64) + np.bincount(island, added, n)
    if options.clean_bias_error > 0.0:
        out["clean_bias_err"] = np.bincount(island, components["clean_bias_err"], n)
    if options.flux_scale_error > 0.0:
        out["flux_cal_err"] = options.flux_scale_error * np.abs(np.asarray(out["flux_int"], np.float64))
    if options.position_error > 0.0:
        out["position_cal_err"] = np.full(n, options.position_error)


def recoverable_scale(options: FitOptions, frequency: float) -> float | None:
    """
    The largest scale that the array recovers (arcsec); None where nothing tells.

    An array whose shortest baseline is b sees enough of scales up to 0.6 wavelengths over b (ALMA Technical
    Handbook, the "maximum recoverable scale"; see Wilner & Welch 1994, ApJ 427, 898).

    Raises
    ------
    UsageError
        The shortest baseline is given and the frequency is not known.
    """
    if options.largest_scale is not None or options.shortest_baseline is None:
        return options.largest_scale
    if not frequency > 0.0:
        raise UsageError(
            "the largest scale of a baseline needs the frequency of the map",
            got=f"shortest_baseline={options.shortest_baseline:g} and no frequency",
            todo="give it by --frequency HZ, or give largest_scale in arcsec",
        )
    return RECOVERED * LIGHT / frequency / options.shortest_baseline / ARCSEC


def flag_beyond_scale(
    measured: Measured,
    components: Columns,
    sources: Columns,
    islands: Columns,
    image: SkyImage,
    options: FitOptions,
) -> None:
    """
    Set the bit of rows that are larger than the array can recover.

    Components and sources by their deconvolved major axis. Islands by their longer side, taken for the width above the
    rms of a Gaussian with their peak, and freed of the beam likewise.
    """
    scale = recoverable_scale(options, image.frequency)
    if scale is None:
        return
    bit = flag("beyond_scale")
    for columns in (components, sources):
        large = np.asarray(columns["major_deconv"], np.float64) > scale
        columns["flags"] = np.asarray(columns["flags"], np.int64) | np.where(large, bit, 0)
    beyond = (np.asarray(components["flags"], np.int64) & bit) > 0
    np.bitwise_or.at(sources["flags"], measured.source[beyond], bit)
    sy, sx = image.frame.scale
    side = np.maximum(
        (measured.boxes[:, 1] - measured.boxes[:, 0]) * sy, (measured.boxes[:, 3] - measured.boxes[:, 2]) * sx
    )
    brightness = np.maximum(np.abs(measured.islands[:, row.I_PEAK]) / measured.islands[:, row.I_RMS], 1.0)
    xx, yy = measured.islands[:, row.I_XX], measured.islands[:, row.I_YY]
    point = FWHM * np.sqrt(np.maximum(xx * sx * sx, yy * sy * sy))
    width = side / np.sqrt(
        np.maximum(np.log2(brightness), 1.0)
    )  # FWHM of a Gaussian that is so wide at the rms
    large = width**2 - point**2 > scale**2
    islands["flags"] = np.asarray(islands["flags"], np.int64) | np.where(large, bit, 0)
    island = measured.components[:, row.ISLAND].astype(np.int64)
    whole = (np.asarray(sources["flags"], np.int64)[measured.source] & bit) > 0
    np.bitwise_or.at(islands["flags"], island[beyond | whole], bit)
