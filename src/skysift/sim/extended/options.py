"""The menu of skies of extended sources."""

from __future__ import annotations

from typing import Self

from pydantic import field_validator, model_validator

from skysift.base.options import option
from skysift.sim.options import FieldOfViewOptions

__all__ = ["IN_PARTS", "SHAPES", "ExtendedSkyOptions"]

SHAPES = ("disc", "ring", "arc", "ellipse", "sersic", "jet")
IN_PARTS = ("pair", "triple", "fr2", "bent")


class ExtendedSkyOptions(FieldOfViewOptions):
    """A field of extended sources of chosen shapes, sizes and brightnesses among compact ones."""

    noise_width: float = option(
        0.7071,
        unit="beam",
        at_least=0.3,
        at_most=1.2,
        doc="FWHM of the Gaussian that white noise is smoothed with; 0.71 gives noise correlated like the beam.",
    )
    flux_min: float = option(
        1e-4, unit="Jy", above=0.0, doc="Faintest compact source that is drawn, at 1.4 GHz."
    )
    flux_max: float = option(
        0.05, unit="Jy", above=0.0, at_most=25.0, doc="Brightest compact source that is drawn, at 1.4 GHz."
    )
    size_scale: float = option(
        0.25,
        above=0.0,
        doc="Angular sizes of the compact sources, in units of the published ones; small ones leave the extended "
        "sources to `shapes`.",
    )
    shapes: tuple[str, ...] = option(
        SHAPES, doc=f"Shapes, each as often: {', '.join(SHAPES)}; in separate parts: {', '.join(IN_PARTS)}."
    )
    extended: float = option(
        1.2, at_least=0.0, doc="Extended sources in 1000 beam areas, before those that overlap are left out."
    )
    size_low: float = option(
        3.0,
        unit="beam area",
        above=0.0,
        doc="Smallest extended source: its own solid angle, without the beam.",
    )
    size_high: float = option(
        100.0,
        unit="beam area",
        above=0.0,
        at_most=3000.0,
        doc="Largest extended source; between them log-uniform.",
    )
    brightness_low: float = option(
        1.0,
        unit="sigma",
        above=0.0,
        doc="Mean surface brightness of the faintest: sigma in a beam, within the isophote of 90 % of its flux.",
    )
    brightness_high: float = option(
        10.0, unit="sigma", above=0.0, doc="That of the brightest; between them log-uniform."
    )
    separation_low: float = option(
        5.0, unit="beam", above=0.0, doc="Smallest distance of the ends of an object in parts."
    )
    separation_high: float = option(
        30.0, unit="beam", above=0.0, at_most=300.0, doc="Largest of them; between them log-uniform."
    )
    spacing: float | None = option(
        2.0,
        unit="beam",
        at_least=0.0,
        doc="Room between the circles around any two extended sources; null: they lie as they fall, also on each "
        "other.",
    )
    diffuse: float = option(
        0.0,
        unit="sigma",
        at_least=0.0,
        doc="Rms of diffuse emission, as in the Galactic plane, over the noise; 0 for none.",
    )
    diffuse_scale: float = option(
        100.0, unit="beam", at_least=5.0, doc="Its outer scale; the map holds nothing wider."
    )
    diffuse_slope: float = option(
        3.5, above=0.0, at_most=6.0, doc="Its power spectrum falls with this power of the wave number."
    )
    diffuse_skew: float = option(
        0.7,
        at_least=0.0,
        at_most=2.0,
        doc="How bright its ridges are: spread of the logarithm; 0 for a Gaussian field.",
    )

    @field_validator("shapes")
    @classmethod
    def _known_shapes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value or not set(value) <= {*SHAPES, *IN_PARTS} or len(set(value)) < len(value):
            raise ValueError(f"one or several different shapes of {', '.join((*SHAPES, *IN_PARTS))}")
        return value

    @model_validator(mode="after")
    def _bounds_rise(self) -> Self:
        for name in ("size", "brightness", "separation"):
            low, high = getattr(self, f"{name}_low"), getattr(self, f"{name}_high")
            if low > high:
                raise ValueError(f"{name}_low must not exceed {name}_high, {high:g}")
        return self
