"""The menus of stamps: where surveys live, how stamps are made, how they are stacked; light, so that help is quick."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import field_validator, model_validator

from skysift.base.options import Options, option

__all__ = ["LEAST_RADIUS", "BandOptions", "MakingOptions", "StackOptions", "StampsOptions"]

LEAST_RADIUS = 60.0  # arcsec, where nobody tells a radius


class BandOptions(Options):
    """One survey: where its images live, and what their headers do not tell."""

    name: str = option("", doc="Name of the survey.")
    band: str = option(
        "",
        doc="Of the surveys of one band the first by priority that covers a source is taken; by default its name.",
    )
    priority: int = option(0, doc="Among surveys of one band the smallest number comes first.")
    folder: str = option("", doc="Folder of its FITS images.")
    pattern: str = option("*.fits", doc="Which files of the folder.")
    files: tuple[str, ...] = option((), doc="Its images: paths, URLs or patterns.")
    list: str = option("", doc="A text file that names its images, one a line.")
    hips: str = option("", service=True, doc="Folder or URL of its HiPS with FITS tiles.")
    sia: str = option(
        "",
        service=True,
        doc="URL at which its Simple Image Access service (version 2) is asked; it often ends with /query.",
    )
    collection: str = option("", doc="Collection that the SIA service is asked for.")
    soda: str = option("", service=True, doc="URL of its SODA service (sync).")
    id: str = option("", service=True, doc="Identifier of the image that the SODA service is asked for.")
    like: str = option(
        "",
        doc="A known survey (nvss, wise_3_4 ...) whose beam and unit it has where nothing tells them.",
    )
    beam: tuple[float, ...] | None = option(
        None, doc="Its beam where the header lacks it: FWHM, or MAJ,MIN,PA (arcsec, arcsec, deg)."
    )
    unit: str = option(
        "", doc="The unit of its pixels, instead of the header's: Jy/beam, Jy/pixel, MJy/sr, K ..."
    )
    scale: float = option(1.0, doc="What its numbers are multiplied by to be in the unit.")
    frequency: float | None = option(
        None, unit="Hz", above=0.0, doc="Its frequency where the header lacks it."
    )
    several: Literal["best", "mosaic", "first"] = option(
        "best",
        doc="Where several images cover a source: the one that covers most, the mean of all, or the first.",
    )
    hdu: int | str | None = option(None, doc="HDU of its images; the first with data by default.")

    @field_validator("beam", mode="before")
    @classmethod
    def _beam_may_be_one_number(cls, value: object) -> object:
        if isinstance(value, str):
            value = [float(part) for part in value.split(",")]
        return (value,) if isinstance(value, int | float) else value

    @field_validator("files", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.beam is not None and (len(self.beam) not in (1, 3) or not all(b > 0 for b in self.beam[:2])):
            raise ValueError("a beam is one FWHM, or MAJ,MIN,PA")
        if self.name and not any((self.folder, self.files, self.list, self.hips, self.sia, self.soda)):
            raise ValueError("a survey needs a place: folder, files, list, hips, sia or soda")
        if self.scale == 0.0 or not math.isfinite(self.scale):
            raise ValueError("scale: numbers that are multiplied by 0 or infinity tell nothing")
        if self.soda and not self.id:
            raise ValueError("a SODA service needs the id of an image")
        return self


class MakingOptions(Options):
    """How a stamp is made."""

    radius: float | None = option(
        None,
        unit="arcsec",
        above=0.0,
        doc="Radius of a source whose row does not tell it; by default the largest of 60 arcsec, 8 beams and 32 pixels.",
    )
    radius_column: str = option("", doc="Column of the catalogue with the radius of each source (arcsec).")
    factor: float = option(1.0, above=0.0, doc="Half the side of a stamp, in radii.")
    pixels: int | None = option(
        None,
        at_least=4,
        at_most=4096,
        doc="Pixels along the side of a stamp; by default as many as the radius needs.",
    )
    scale: float | None = option(
        None,
        unit="arcsec",
        above=0.0,
        doc="Size of a pixel; by default a quarter of the common beam, or the smallest pixel of the surveys.",
    )
    units: Literal["Jy/beam", "Jy/pixel", "keep"] = option("Jy/beam", doc="Unit of the stamps.")
    background: Literal["none", "annulus", "border"] = option(
        "none",
        doc="Where a background is measured and taken off: around the radius, at the border of the stamp, or not at all.",
    )
    estimator: Literal["sigmaclip", "median"] = option("sigmaclip", doc="How the background is measured.")
    annulus: tuple[float, float] = option((1.1, 1.2), doc="Inner and outer edge of the annulus, in radii.")
    max_blank: float = option(
        0.1, at_least=0.0, at_most=1.0, doc="Part of the pixels for the background that may be blank."
    )
    grid: Literal["north", "native"] = option(
        "north", doc="One grid for all bands with north up, or the pixels of each map."
    )
    method: Literal["interpolate", "adaptive", "exact"] = option(
        "interpolate",
        doc="How pixels come to the grid: by splines, by averages fit to the sizes of pixels, by areas of overlap.",
    )
    beam: Literal["common", "native"] | tuple[float, float, float] = option(
        "common",
        doc="The beam of the stamps: the smallest common one, that of each map, or MAJ,MIN,PA (arcsec, arcsec, deg).",
    )
    mask: bool = option(False, doc="Whether other rows of the catalogue are masked.")
    mask_beams: float = option(
        1.5,
        unit="beam",
        above=0.0,
        doc="Diameter of what is masked, and of what is kept of the source itself.",
    )
    mask_fill: Literal["blank", "zero"] = option("blank", doc="What masked pixels become.")

    @field_validator("annulus", mode="before")
    @classmethod
    def _texts_are_lists(cls, value: object) -> object:
        return tuple(float(part) for part in value.split(",")) if isinstance(value, str) else value

    @field_validator("beam", mode="before")
    @classmethod
    def _beam_is_a_word_or_numbers(cls, value: object) -> object:
        if isinstance(value, str) and value not in ("common", "native"):
            parts = tuple(float(part) for part in value.split(","))
            return (parts[0], parts[0], 0.0) if len(parts) == 1 else parts
        return (
            (value, value, 0.0) if isinstance(value, int | float) and not isinstance(value, bool) else value
        )

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        if isinstance(self.beam, tuple) and not all(math.isfinite(b) and b > 0 for b in self.beam[:2]):
            raise ValueError("beam: the axes of a beam are above 0")
        if not 0.0 < self.annulus[0] < self.annulus[1]:
            raise ValueError("the annulus needs an inner edge below its outer edge")
        if self.grid == "native" and self.pixels is not None:
            raise ValueError("pixels are chosen on the grid north only")
        self._refuse_idle()
        return self

    def _idle(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """What does nothing: why, what would mend it, and the options."""
        given = self.background
        return {
            ("with mask=false", "give mask=true"): () if self.mask else ("mask_beams", "mask_fill"),
            ("with background=none", "give background=annulus or border"): (
                () if given != "none" else ("estimator", "annulus", "max_blank")
            ),
            ("with background=border", "give background=annulus"): () if given != "border" else ("annulus",),
            ("with grid=native", "give grid=north"): () if self.grid == "north" else ("method", "scale"),
        }

    def _refuse_idle(self) -> None:
        for (why, todo), names in self._idle().items():
            for name in names:
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(f"{name} does nothing {why}; {todo}, or leave it out")

    def radius_of(self, radius: float) -> float:
        """Radius (arcsec) of a source whose row tells this one, or NaN."""
        return radius if math.isfinite(radius) and radius > 0 else self.radius or LEAST_RADIUS

    def side(self, radius: float) -> float:
        """Side of the stamp (arcsec) of a source of this radius (arcsec)."""
        return 2.0 * self.factor * self.radius_of(radius)


class StampsOptions(MakingOptions):
    """Small images about the rows of a catalogue, from one map or many surveys."""

    format: Literal["fits", "zarr", "hdf5"] = option(
        "fits", doc="One FITS cube a source in a tar archive, or one array for all in Zarr or HDF5."
    )
    sheets: int = option(5, at_least=0, doc="Pages of contact sheets, of 24 sources each.")
    stretch: Literal["asinh", "linear"] = option("asinh", doc="How the contact sheets show brightness.")

    def _idle(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """What does nothing: why, what would mend it, and the options."""
        return {**super()._idle(), ("with sheets=0", "give sheets"): () if self.sheets else ("stretch",)}


class StackOptions(MakingOptions):
    """The mean image of many sources, with errors and a control."""

    statistic: Literal["mean", "median", "weighted"] = option(
        "mean", doc="What is made of the stamps: mean, median, or mean weighted by the noise at each source."
    )
    control: int = option(
        1,
        at_least=0,
        doc="Random positions for each source, stacked alike, that tell what no source looks like.",
    )
    control_radius: tuple[float, float] = option(
        (3.0, 10.0), doc="How far from its source a random position lies: from, to, in sides of a stamp."
    )
    bootstrap: int = option(100, at_least=0, doc="Samples drawn anew for the errors.")
    bins: str = option("", doc="Column whose values sort sources into bins.")
    edges: tuple[float, ...] = option((), doc="Edges of the bins; by default quartiles.")
    clip: float = option(
        0.0,
        unit="sigma",
        at_least=0.0,
        doc="Pixels this far from the median of all stamps are left out; 0 for none.",
    )
    seed: int = option(1, at_least=0, doc="Of the random positions and samples.")

    def _idle(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """What does nothing: why, what would mend it, and the options."""
        return {
            **super()._idle(),
            ("with control=0", "give control"): () if self.control else ("control_radius",),
            ("without bins", "name a column by bins"): () if self.bins else ("edges",),
        }

    @field_validator("edges", "control_radius", mode="before")
    @classmethod
    def _texts_are_numbers(cls, value: object) -> object:
        return tuple(float(part) for part in value.split(",")) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _bins_are_in_order(self) -> Self:
        if any(a >= b for a, b in zip(self.edges, self.edges[1:], strict=False)) or len(self.edges) == 1:
            raise ValueError("the edges of bins are two or more rising numbers")
        if not 0.0 < self.control_radius[0] < self.control_radius[1]:
            raise ValueError("random positions lie between two distances above 0, the smaller first")
        return self
