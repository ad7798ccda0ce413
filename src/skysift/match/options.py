"""The menus of the matchers; light, so that help and checks load nothing heavy."""

from typing import Literal

from pydantic import model_validator

from skysift.base.errors import OptionError
from skysift.base.options import Options, option


class MatchOptions(Options):
    """What every way of matching takes: how near, what is told of the pairs, how chance is counted."""

    radius: float | None = option(
        None,
        unit="arcsec",
        above=0.0,
        doc="Rows within this distance may be one; by position it is half the median FWHM of the catalogue with "
        "the larger sources where not given, by likelihood five combined errors.",
    )
    flux: Literal["flux", "flux_int", "flux_peak"] = option(
        "flux", doc="The column of fluxes that are compared, and of which spectral indices are made."
    )
    trials: int = option(
        20,
        at_least=0,
        doc="Shifted copies of the left catalogue by which chance matches are counted, fewer (3 at least) where "
        "they hold over 200000 rows; 0 counts none.",
    )
    shift_min: float = option(
        4.0, unit="radius", at_least=2.0, doc="Inner edge of the annulus into which each row is shifted."
    )
    shift_max: float = option(
        12.0, unit="radius", above=2.0, doc="Outer edge of the annulus into which each row is shifted."
    )
    random_seed: int = option(1, at_least=0, doc="Where the random shifts begin.")
    min_snr: float = option(
        10.0,
        unit="sigma",
        at_least=0.0,
        doc="Pairs tell of offsets and flux ratios where both are this bright, as far as their S/N is known.",
    )
    offset_model: Literal["constant", "plane"] = option(
        "constant", doc="One offset for all, or one that changes linearly over the field."
    )
    expected_index: float | None = option(
        None,
        doc="Spectral index by which fluxes at other frequencies are compared, such as -0.8; without it their "
        "ratio is told as it is, and is not corrected.",
    )
    limit: float = option(
        5.0,
        unit="sigma",
        above=0.0,
        doc="An unmatched source is taken to be fainter than this in the other catalogue, by the rms there.",
    )
    curvature: bool = option(False, doc="Fit a curved spectrum where there are three frequencies or more.")
    flux_scale_error: float = option(
        0.0,
        at_least=0.0,
        below=1.0,
        doc="Error of each catalogue's flux scale, as a fraction, which the errors of spectral indices include.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "MatchOptions":
        if self.shift_max <= self.shift_min:
            raise OptionError(
                "shift_max must exceed shift_min",
                got=f"shift_min={self.shift_min}, shift_max={self.shift_max}",
                todo="raise shift_max",
            )
        return self


class NearestOptions(MatchOptions):
    """Each row of the first catalogue with the nearest of the other, which several may share."""


class OneToOneOptions(MatchOptions):
    """Pairs in which no row comes twice: the closest first, then the closest of the rest."""


class EllipseOptions(MatchOptions):
    """Pairs whose ellipses overlap; those that overlap most first, no row twice."""

    overlap: float = option(
        0.3,
        above=0.0,
        at_most=1.0,
        doc="Least share of the smaller one's area that lies in the other.",
    )
    scale: float = option(1.0, unit="FWHM", above=0.0, doc="Size of the ellipses, in fitted FWHM.")
    size: float | None = option(
        None, unit="arcsec", above=0.0, doc="FWHM of rows that have no size; without it they match nothing."
    )


class IslandOptions(MatchOptions):
    """Pairs whose islands share sky, by the maps of labels; those that share most first, no row twice."""

    overlap: float = option(
        0.3, above=0.0, at_most=1.0, doc="Least share of the smaller island's area that lies in the other."
    )


class LikelihoodOptions(MatchOptions):
    """Pairs by likelihood ratio: distance in errors, density of the field, and perhaps flux."""

    reliability: float = option(
        0.5, at_least=0.0, below=1.0, doc="Least probability that a candidate is the counterpart."
    )
    prior: Literal["none", "flux"] = option(
        "none", doc="Weigh candidates by position alone, or also by how often counterparts have their flux."
    )
    q: float | None = option(
        None,
        above=0.0,
        below=1.0,
        doc="Share of the left rows that have a counterpart above the limit of the right catalogue; estimated "
        "from the empty fields where not given.",
    )
    extra_error: float = option(
        0.0,
        unit="arcsec",
        at_least=0.0,
        doc="Added in quadrature to the errors of each pair and axis: calibration, and true offsets of centres.",
    )
    default_error: float | None = option(
        None,
        unit="arcsec",
        above=0.0,
        doc="Position error per axis of rows that tell none; estimated from the pairs where not given.",
    )


class JoinOptions(Options):
    """Sources of several islands: which parts of a map are one object."""

    join: bool = option(
        False,
        doc="Sources that are parts of one object, such as the lobes of a radio galaxy, become one row; every pair "
        "that was considered stands in the table `joins`.",
    )
    join_probability: float = option(
        0.25, above=0.0, below=1.0, doc="Least probability that parts are one object for them to be joined."
    )
    join_reach: float | None = option(
        None,
        unit="arcsec",
        above=0.0,
        doc="Largest distance of two parts that are compared; 300 beams where not given.",
    )
