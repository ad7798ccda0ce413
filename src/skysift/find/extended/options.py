"""The menus of the finders of extended sources; light: no loops, no kernels."""

from typing import Literal

from pydantic import field_validator, model_validator

from skysift.base.errors import OptionError
from skysift.base.options import option
from skysift.find.classic.options import ClassicOptions


class ExtendedOptions(ClassicOptions):
    """Segments of extended emission, after compact sources were taken off; those on top of it are measured too.

    Compact sources elsewhere are left out; the options of the classic finder say how compact sources are found.
    """

    method: str = option(
        "smooth",
        doc="How extended emission is found: smooth, wavelet, saliency, contour, superpixels or another segmenter of the "
        "index; several joined by +, as smooth+wavelet.",
    )
    segment_seed: float = option(
        5.0, unit="sigma", above=0.0, doc="Emission this significant on one of the scales starts a segment."
    )
    segment_grow: float = option(
        2.2, unit="sigma", above=0.0, doc="Neighbours this significant on the same scale join it."
    )
    widest_scale: float = option(
        5.0,
        unit="beam",
        at_least=1.0,
        at_most=64.0,
        doc="Widest smoothing (FWHM) in beams, 1024 pixels at most; what is larger is found by its parts.",
    )
    diffuse: Literal["auto", "yes", "no"] = option(
        "auto",
        doc="Whether sources lie on diffuse emission, as in the Galactic plane, which is taken off before they are "
        "sought: yes, no, or auto: where a scale is given, or negative pixels show some. Used by the segmenter smooth.",
    )
    diffuse_scale: float | None = option(
        None,
        unit="beam",
        above=1.0,
        at_most=256.0,
        doc="What is smooth on this scale (FWHM), sources left out, is taken for diffuse emission, 256 pixels "
        "at most; by default twice the widest smoothing that sources are found on.",
    )
    scale_clip: float = option(
        0.5,
        unit="sigma",
        above=0.0,
        doc="What one scale has found counts this much on the coarser ones, so that it does not spread.",
    )
    smallest_area: float = option(
        3.0, unit="beam", at_least=1.0, doc="Smallest area of a segment, in beam areas."
    )
    point_area: float = option(
        1.5,
        above=1.0,
        at_most=10.0,
        doc="Gaussians of up to so many beam areas are compact: they are taken off before segments are sought.",
    )
    contrast: float = option(
        0.3,
        at_least=0.0,
        doc="A compact source on top of a segment is this much of the brightness around it, or more.",
    )
    dilate: float = option(
        0.05,
        at_least=0.0,
        below=1.0,
        doc="Segments grow ring by ring while a ring adds more than this part of their flux; 0: they stay.",
    )
    join: bool = option(
        True,
        doc="Sources that are parts of one object, such as the lobes of a radio galaxy, become one row; every pair "
        "that was considered stands in the table `joins`.",
    )
    window_step: float = option(
        30.0,
        unit="beam",
        at_least=10.0,
        doc="saliency, superpixels, contour: step of the windows that they look at; rounded up to a power of 2 pixels,"
        " 1024 at most.",
    )
    window_margin: float = option(
        10.0,
        unit="beam",
        at_least=1.0,
        doc="saliency, superpixels, contour: how far windows overlap on each side.",
    )
    superpixel_size: float = option(
        1.5, unit="beam", at_least=1.0, doc="saliency, superpixels: side of the smallest superpixels."
    )
    superpixel_contrast: float = option(
        3.0,
        unit="sigma",
        above=0.0,
        doc="saliency, superpixels: a difference that weighs as much as one side; smaller follows edges more.",
    )
    superpixel_merge: float = option(
        3.0, unit="sigma", above=0.0, doc="superpixels: neighbours whose means differ by less are merged."
    )
    superpixel_sure: float = option(
        8.0,
        unit="beam",
        above=0.0,
        doc="superpixels: the mean of a region is known as well as that of so many beam areas at most.",
    )
    saliency_neighbours: int = option(
        100, at_least=4, doc="saliency: nearest superpixels that one is compared to."
    )
    contour_start: float = option(
        3.0, unit="sigma", above=0.0, doc="contour: contours start where the smoothed map crosses this."
    )
    contour_steps: int = option(30, at_least=1, doc="contour: steps that contours move by, at most.")

    @field_validator("method")
    @classmethod
    def _methods_have_names(cls, text: str) -> str:
        if not all(name.strip() for name in text.split("+")):
            raise ValueError(f"names of segmenters joined by +, not {text!r}")
        return text

    @model_validator(mode="after")
    def _segments_grow_down(self) -> "ExtendedOptions":
        if self.segment_grow > self.segment_seed:
            raise OptionError(
                "segment_grow must not exceed segment_seed",
                got=f"segment_grow={self.segment_grow}, segment_seed={self.segment_seed}",
                todo="lower segment_grow or raise segment_seed",
            )
        return self


class FullOptions(ExtendedOptions):
    """Compact sources and segments of extended emission in one catalogue, with the options of the finder `extended`."""
