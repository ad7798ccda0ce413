"""The menus of surveys (what a configuration file may hold) and of made sources in maps.

They are light, so that help and checks load nothing heavy.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

from pydantic import field_validator

from skysift.base.dates import mjd_of
from skysift.base.options import Options, option
from skysift.measure.options import BeamOptions, ResponseOptions
from skysift.sim.inject.options import InjectOptions

__all__ = ["InjectMapOptions", "ReferenceOptions", "SurveyFieldOptions", "SurveyOptions"]


class SurveyOptions(Options):
    """A survey: its fields, how they are searched, how their catalogues become one, what they are checked against."""

    name: str = option("survey", doc="What the survey is called.")
    version: str = option("1", doc="Version of the catalogue, told by every product.")
    finder: str = option("classic", doc="What finds the sources of every field.")
    options: dict[str, Any] = option({}, doc="Options of the finder for all fields, KEY: VALUE.")
    fields: tuple[Any, ...] = option(
        (),
        doc="Maps: paths, patterns such as `maps/*.fits`, or entries with a `map` and what is to be said of it.",
    )
    references: tuple[Any, ...] = option(
        (), doc="Catalogues that every field is checked against: paths, or entries with a `path`."
    )
    match_sigma: float = option(
        5.0,
        unit="sigma",
        at_least=0.0,
        doc="How many errors of position two rows of one source may lie apart.",
    )
    match_beams: float = option(
        0.5,
        unit="beam",
        above=0.0,
        at_most=3.0,
        doc="Likewise, in FWHM of the wider beam, added in quadrature to the errors.",
    )
    min_snr: float = option(
        10.0,
        unit="sigma",
        at_least=0.0,
        doc="Pairs tell of offsets and flux ratios where both rows are this bright.",
    )
    order: int | None = option(
        None,
        at_least=3,
        at_most=20,
        doc="HEALPix order of the coverage; by default the cells are no wider than the smallest beam.",
    )
    formats: tuple[str, ...] = option(("fits",), doc="Formats of the tables: fits, votable, parquet, csv.")
    maps: tuple[str, ...] = option(
        (), doc="Maps that each field writes: background, rms, model, residual, labels."
    )
    report: bool = option(True, doc="Whether each field gets its page report.html.")

    @field_validator("version", "name", mode="before")
    @classmethod
    def _numbers_are_texts(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else value

    @field_validator("formats", "maps", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        if isinstance(value, str):
            return () if value.strip() == "none" else tuple(part.strip() for part in value.split(","))
        return value


class SurveyFieldOptions(Options):
    """One field of a survey: its map, and what is to be said of it."""

    map: str = option("", doc="FITS image; map.fits[SCI] names an HDU. Relative to the configuration file.")
    name: str = option("", doc="What the field is called; by default the stem of its file.")
    epoch: float | str | None = option(
        None,
        unit="d",
        doc="When it was observed: MJD, or a date such as 2003-05-01T10:00; else the header's.",
    )
    hdu: int | str | None = option(None, doc="HDU; the first image by default.")
    plane: int | tuple[int, ...] | None = option(
        None, doc="Which plane of further axes, 0-based, array order."
    )
    beam: float | tuple[float, float, float] | None = option(
        None, doc="Beam: [MAJ, MIN, PA] in arcsec (FWHM) and degrees, or one FWHM."
    )
    beam_plane: Literal["image", "sky"] | None = option(None, doc="Where the beam keeps its shape.")
    unit: str | None = option(None, doc="Unit of the pixels, such as mJy/beam.")
    frequency: float | None = option(None, unit="Hz", above=0.0, doc="Frequency, such as 843e6.")
    primary_beam: str | None = option(None, doc="Map of the primary beam: the finder's option of this name.")
    weight: str | None = option(None, doc="Map of weights: the finder's option of this name.")
    options: dict[str, Any] = option({}, doc="Options of the finder for this field, over those for all.")

    @field_validator("epoch", mode="after")
    @classmethod
    def _epoch_is_a_time(cls, value: float | str | None) -> float | str | None:
        if isinstance(value, str) and not math.isfinite(mjd_of(value)):
            raise ValueError("it is no date")
        return value

    @field_validator("frequency", mode="before")
    @classmethod
    def _numbers_with_exponents(cls, value: object) -> object:
        return float(value) if isinstance(value, str) and re.fullmatch(r"[\d.]+[eE]\+?\d+", value) else value


class ReferenceOptions(Options):
    """A catalogue that the fields of a survey are checked against."""

    path: str = option("", doc="Table of skysift or of a known layout. Relative to the configuration file.")
    name: str = option("", doc="What it is called; by default the stem of its file.")
    radius: float | None = option(
        None, unit="arcsec", above=0.0, doc="How near a pair must be; half the median FWHM by default."
    )
    ra: str = option("", doc="Column of the right ascension, where it has no usual name.")
    dec: str = option("", doc="Column of the declination, likewise.")
    flux: str = option("", doc="Column of the integrated flux density, likewise.")
    flux_unit: str = option("", doc="Unit of the fluxes, where the file tells none.")
    frequency: float | None = option(None, unit="Hz", above=0.0, doc="Of rows that tell none.")
    spectral_index: float | None = option(
        None, doc="Index by which fluxes at other frequencies are compared, such as -0.8."
    )

    @field_validator("frequency", mode="before")
    @classmethod
    def _numbers_with_exponents(cls, value: object) -> object:
        return float(value) if isinstance(value, str) and re.fullmatch(r"[\d.]+[eE]\+?\d+", value) else value


class InjectMapOptions(InjectOptions, ResponseOptions, BeamOptions):
    """Made sources for a real map, seen as it sees real ones: through its primary beam, with its beam at each place."""
