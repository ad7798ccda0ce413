"""The menu of features; light: no arrays are loaded by it."""

from __future__ import annotations

from typing import Literal

from skysift.base.options import Options, option

__all__ = ["FeaturesOptions"]


class FeaturesOptions(Options):
    """What is measured on pictures, and which pixels belong to the source in the middle."""

    groups: tuple[str, ...] = option(
        (),
        doc="Groups of features, names of the plug-ins of the kind feature; left empty, all that the pictures allow.",
    )
    reference: str | None = option(
        None, doc="The band on which shapes are measured; the first one where it is left out."
    )
    seed: float = option(5.0, unit="sigma", above=0, doc="An island needs a pixel this bright.")
    grow: float = option(3.0, unit="sigma", above=0, doc="Neighbours this bright belong to an island.")
    min_pixels: int = option(3, at_least=1, doc="An island has at least so many pixels.")
    neighbours: Literal["radius", "connected", "all"] = option(
        "radius",
        doc="Which islands are the source: those with a pixel within the radius, only the one nearest to the middle, "
        "or all.",
    )
    radius: float = option(
        0.25,
        above=0,
        doc="How far from the middle islands of the source may begin, in halves of the side. Too far lets neighbours in, "
        "too near leaves lobes out.",
    )
    scale: float | None = option(
        None, unit="arcsec", above=0, doc="Size of a pixel, for pictures that do not say it."
    )
    beam: float | None = option(
        None, unit="arcsec", above=0, doc="FWHM of the beam, for pictures that do not say it."
    )
    clip: float = option(
        3.0,
        unit="sigma",
        above=0,
        doc="Where a picture was cut off, if nearly all of its pixels have one value.",
    )
    prominence: float = option(
        3.0, unit="sigma", above=0, doc="A peak stands this much above the saddle to a brighter one."
    )
    prominence_share: float = option(
        0.02, at_least=0, below=1, doc="And at least this share of the brightest pixel."
    )
    aperture: Literal["union", "reference", "own"] = option(
        "union",
        doc="Over which pixels bands are summed: those of the source in any band, in the reference, or in each its own.",
    )
    widen: int = option(
        2,
        unit="pixels",
        at_least=0,
        doc="By how much the pixels of the source are widened for fluxes: an edge drawn by the noise of one band alone "
        "would favour that band.",
    )
    limit: float = option(
        3.0, unit="sigma", above=0, doc="A flux this high is a detection, a lower one a limit."
    )
    pairs: Literal["reference", "all"] = option(
        "reference", doc="Which bands are put side by side: the reference with each other one, or all."
    )
    window: int = option(
        7, unit="pixels", at_least=3, doc="Side of the windows of the structural similarity."
    )
    calibration: float = option(
        0.0, at_least=0, below=1, doc="Relative error of the flux scale of each band, for spectral indices."
    )
    draws: int = option(
        100, at_least=10, doc="Draws of the fluxes for the percentiles of the spectral index."
    )
    frequencies: tuple[float, ...] = option(
        (),
        unit="Hz",
        doc="Of the bands, in their order, for spectral indices; 0 for a band that is no radio band.",
    )
