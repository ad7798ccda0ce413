"""Columns that only extended sources have: what the pixels of a segment tell; read through `skysift.sky.schema`."""

from __future__ import annotations

from skysift.sky.column import OF_S, Column, angle, arcsec, integer

__all__ = ["OF_SEGMENTS"]

OF_SEGMENTS: tuple[Column, ...] = (
    Column(
        "morphology_score",
        "float64",
        "",
        "stat.probability;src.morph.type",
        "Probability of the morphology among shapes of all kinds alike.",
        OF_S,
        ".2f",
    ),
    Column(
        "surface_brightness",
        "float64",
        "Jy.arcsec-2",
        "phot.flux.density.sb;em.radio",
        "Mean surface brightness of an extended source: flux with the rim over the solid angle of the segment.",
        OF_S,
        ".4g",
    ),
    Column(
        "surface_brightness_err",
        "float64",
        "Jy.arcsec-2",
        "stat.error;phot.flux.density.sb;em.radio",
        "Error of the mean surface brightness.",
        OF_S,
        ".4g",
    ),
    Column(
        "surface_snr",
        "float64",
        "",
        "stat.snr;phot.flux.density.sb",
        "Flux with the rim of an extended source over the beam areas of the segment, over the noise.",
        OF_S,
        ".1f",
    ),
    arcsec(
        "largest_angular_size",
        "phys.angSize;stat.max",
        "Length along the ridge of an extended source; the extent of a closed ring. The beam is part of it.",
        OF_S,
    ),
    arcsec(
        "largest_angular_size_err",
        "stat.error;phys.angSize;stat.max",
        "Error of the length along the ridge: by how much it scatters from noise to noise.",
        OF_S,
    ),
    arcsec("extent", "phys.angSize", "Largest distance between two places of an extended source.", OF_S),
    arcsec(
        "extent_err",
        "stat.error;phys.angSize",
        "Error of that distance: by how much it scatters from noise to noise.",
        OF_S,
    ),
    angle(
        "extent_pa",
        "pos.posAng;phys.angSize",
        "Position angle of that distance, from ICRS north through east.",
        OF_S,
    ),
    arcsec(
        "width_mean", "phys.angSize;stat.mean", "Solid angle of an extended source over its length.", OF_S
    ),
    arcsec(
        "width_mean_err",
        "stat.error;phys.angSize;stat.mean",
        "Error of the mean width: by how much it scatters from noise to noise.",
        OF_S,
    ),
    Column(
        "elongation",
        "float64",
        "",
        "src.morph.param",
        "Ratio of the axes of the second moments of an extended source, at least 1.",
        OF_S,
        ".2f",
    ),
    Column(
        "concentration",
        "float64",
        "",
        "src.morph.param;arith.ratio",
        "Of the ellipses that hold 80 and 20 % of the flux: 5 log10 of their ratio, 1.5 for a disc, 2.1 for a Gaussian.",
        OF_S,
        ".2f",
    ),
    Column(
        "filling_factor",
        "float64",
        "",
        "src.morph.param;arith.ratio",
        "Share of its convex hull that an extended source covers.",
        OF_S,
        ".3f",
    ),
    Column(
        "ringness",
        "float64",
        "",
        "src.morph.param",
        "How hollow an extended source is times the share of directions that are closed: disc 0, ring 1.",
        OF_S,
        ".2f",
    ),
    angle(
        "bend",
        "src.morph.param;pos.angDistance",
        "Angle at the middle of the ridge between its ends, 180 where straight; NaN where it is short or closed.",
        OF_S,
    ),
    integer("n_holes", "meta.number;src.morph", "Holes of half a beam area or more.", OF_S),
    integer(
        "n_peaks",
        "meta.number;src.morph",
        "Peaks that stand out by 5 sigma and a tenth of the brightest.",
        OF_S,
    ),
)
