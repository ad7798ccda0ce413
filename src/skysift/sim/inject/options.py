"""The menus of sources made for real maps: what is put in, and how completeness is measured with them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from skysift.base.errors import OptionError
from skysift.base.options import Options, option

__all__ = ["CompletenessOptions", "InjectOptions"]


class InjectOptions(Options):
    """Made sources for a real map: what they are, how bright, and where."""

    kind: Literal["points", "gaussians", "templates"] = option(
        "points", doc="What is put into the map: points, elliptical Gaussians, or the images in `templates`."
    )
    number: int = option(50, at_least=1, doc="How many sources are made.")
    layout: Literal["random", "grid"] = option(
        "random", doc="Positions at random, or on a grid that is shifted and jittered by half a beam."
    )
    spacing: float = option(
        6.0, unit="beam", at_least=0.0, doc="Room between the edges of any two made sources, in beams (FWHM)."
    )
    snr_low: float = option(2.0, unit="sigma", above=0.0, doc="Peak of the faintest, over the local rms.")
    snr_high: float = option(
        30.0,
        unit="sigma",
        above=0.0,
        doc="Peak of the brightest, over the local rms; between them log-spaced.",
    )
    flux_low: float | None = option(
        None, unit="Jy", above=0.0, doc="Total flux of the faintest, instead of `snr_low`; with `flux_high`."
    )
    flux_high: float | None = option(None, unit="Jy", above=0.0, doc="Total flux of the brightest.")
    size_low: float | None = option(
        None,
        unit="arcsec",
        at_least=0.0,
        doc="Smallest size: FWHM of the major axis of a Gaussian, largest extent of a template; 1 or 5 beams.",
    )
    size_high: float | None = option(
        None, unit="arcsec", above=0.0, doc="Largest size; 3 beams for Gaussians, 15 for templates."
    )
    axis_ratio: float = option(
        0.4, above=0.0, at_most=1.0, doc="Gaussians have axis ratios between this and 1."
    )
    templates: tuple[str, ...] = option(
        (), doc="FITS images or cubes without noise, or folders of them; cubes are summed over their planes."
    )
    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number.")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if (self.flux_low is None) != (self.flux_high is None):
            raise OptionError("flux_low and flux_high are given together, or none of them")
        for name in ("snr", "flux", "size"):
            low, high = getattr(self, f"{name}_low"), getattr(self, f"{name}_high")
            if low is not None and high is not None and low > high:
                raise OptionError(f"{name}_low must not exceed {name}_high", got=f"{low:g} and {high:g}")
        if (self.kind == "templates") != bool(self.templates):
            raise OptionError(
                "kind=templates and templates=FILE go together",
                got=f"kind={self.kind}, {len(self.templates)} templates",
            )
        return self


class CompletenessOptions(InjectOptions):
    """How completeness is measured: sources made, put into the map in rounds, searched and matched."""

    number: int = option(3000, at_least=20, doc="How many sources are made, over all rounds.")
    snr_low: float = option(
        2.0,
        unit="sigma",
        above=0.0,
        doc="Peak of the faintest, over the rms where the map is quiet (its 2nd percentile); one range of fluxes "
        "serves the whole map.",
    )
    snr_high: float = option(
        30.0,
        unit="sigma",
        above=0.0,
        doc="Peak of the brightest, over the rms where the map is noisy (98th percentile); where it is quiet they "
        "reach higher.",
    )
    crowding: float = option(
        150.0, unit="beam", at_least=20.0, doc="Beam areas of map for each made source of a round."
    )
    radius: float = option(
        0.5,
        unit="beam",
        above=0.0,
        at_most=3.0,
        doc="How far a match may lie, in convolved FWHM of the source.",
    )
    table: Literal["sources", "components"] = option(
        "sources", doc="Which rows of the catalogue are matched with the made sources."
    )
    inverted: bool = option(
        True,
        doc="Search the inverted map as well, for an estimate of the reliability; not with a finder that drops what is "
        "unreliable, for this takes that map to do so.",
    )
