"""The menus of jobs: what a job may use, what all may use together, and what apps are told; light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal, Self, TypeAlias

from pydantic import model_validator

from skysift.base.errors import OptionError, SkysiftError
from skysift.base.options import Options, option
from skysift.explore.menus import menus_of, refuse_idle
from skysift.explore.options import ActiveOptions, ExploreOptions
from skysift.measure.options import MeasureOptions
from skysift.stamps.options import StackOptions, StampsOptions

__all__ = [
    "AegeanOptions",
    "ClassifyAppOptions",
    "DaskExecutorOptions",
    "ExploreAppOptions",
    "LimitOptions",
    "LocalExecutorOptions",
    "MatchedOptions",
    "MeasureAppOptions",
    "MergeOptions",
    "ProductsOptions",
    "ProgramOptions",
    "PyBDSFOptions",
    "ResourceOptions",
    "StackAppOptions",
    "StampsAppOptions",
]

Needs: TypeAlias = Mapping[str, tuple[int, int | None]]
"""Role -> how many inputs of it an app needs, at least and at most; checked before a job is taken."""


class ResourceOptions(Options):
    """What one job may use, and where it runs."""

    executor: str = option("local", doc="Where it runs: a name of the kind job-executor.")
    cores: int = option(1, at_least=1, at_most=1024, doc="How many tasks of it run at once.")
    memory: int | None = option(
        None, unit="MiB", at_least=64, doc="It is ended when it wants more; null for no limit."
    )
    seconds: int | None = option(
        None, unit="s", at_least=1, doc="It is ended when it takes longer; null for the limit of the service."
    )
    retries: int = option(
        0, at_least=0, at_most=10, doc="How many times it is tried again after its worker was lost."
    )


class LimitOptions(Options):
    """What the jobs of a service may use."""

    cores: int | None = option(
        None, at_least=1, doc="Cores of this machine that jobs use together; null for all."
    )
    running: int | None = option(
        None, at_least=1, doc="Jobs of one user that run at once; more wait. Null for no limit."
    )
    waiting: int = option(
        1000, at_least=1, doc="Jobs of one user that have not ended; more are refused until some have."
    )
    kept: int | None = option(
        None,
        unit="MiB",
        at_least=1,
        doc="Results that one user keeps; jobs beyond it are held until some are removed. Null for no limit.",
    )
    seconds: int = option(7 * 86400, unit="s", at_least=1, doc="The longest that a job may run.")
    days: float = option(30.0, unit="days", above=0.0, doc="How long results are kept.")
    room: int = option(
        512, unit="MiB", at_least=0, doc="No job begins while the disk has less room than this."
    )
    silence: float = option(
        600.0, unit="s", above=0.0, doc="A worker that gives no sign of life for so long counts as lost."
    )
    grace: float = option(
        10.0, unit="s", at_least=0.0, doc="A worker that is told to end is killed after so long."
    )
    patience: float = option(
        900.0, unit="s", above=0.0, doc="A job is held when its executor did not answer for so long."
    )


class LocalExecutorOptions(Options):
    """Workers as processes of this machine."""

    nice: int = option(5, at_least=0, at_most=19, doc="How far workers stand back behind the service.")


class DaskExecutorOptions(Options):
    """Workers on the machines of a Dask cluster that see the folder of jobs under the same path."""

    scheduler: str | None = option(
        None, doc="Address of the scheduler, such as tcp://10.0.0.1:8786; null for that of the settings."
    )


class ProductsOptions(Options):
    """What of the maps is searched, and what is written."""

    needs: ClassVar[Needs] = {"map": (1, None)}
    beside: ClassVar[Needs] = {
        "stokes": (0, 3),
        "stokes-q": (0, 1),
        "stokes-u": (0, 1),
        "stokes-v": (0, 1),
        "taylor": (0, None),
        "channels": (0, None),
    }
    """Roles of maps beside a single map: their headers tell the Stokes parameter, or the role does."""
    formats: tuple[str, ...] = option(("fits",), doc="Formats of the tables: fits, votable, parquet, csv.")
    maps: tuple[Literal["background", "rms", "model", "residual", "labels"], ...] = option(
        ("background", "rms", "model", "residual", "labels"), doc="Which maps are written."
    )
    report: bool = option(True, doc="Whether the page report.html is drawn.")
    region: str | None = option(
        None, doc="The part that is searched: x0,x1,y0,y1 (pixels), or RA,DEC,RADIUS; null for all."
    )
    hdu: int | str | None = option(None, doc="Number or name of the HDU; null for the first with an image.")
    plane: tuple[int, ...] | None = option(None, doc="Which plane of a cube; null for the first.")
    beam: tuple[float, ...] | None = option(
        None, doc="The beam in place of the header's: BMAJ,BMIN,BPA in arcsec, arcsec, degrees."
    )
    pixel_scale: float | None = option(
        None, unit="arcsec", above=0.0, doc="Size of a pixel of maps whose headers have none."
    )
    unit: str | None = option(None, doc="Unit of the pixels, in place of the header's.")
    frequency: float | None = option(
        None, unit="Hz", above=0.0, doc="Of the observation, in place of the header's."
    )
    stokes: Literal["same"] | None = option(
        None, doc="`same`: the other planes of the cube of the map are its maps of Stokes Q, U and V."
    )
    channel_frequencies: tuple[float, ...] = option(
        (), unit="Hz", doc="Of the inputs `channels`, one for each; 0 where the header tells it."
    )
    tile: int | None = option(
        None, unit="pixels", at_least=64, doc="Side of a tile; it changes no result. Null for the usual one."
    )


class MatchedOptions(Options):
    """What is matched of catalogues, and what is written."""

    needs: ClassVar[Needs] = {"catalogue": (2, None)}
    format: Literal["fits", "votable", "parquet", "csv"] = option("fits", doc="Format of the table.")
    table: Literal["sources", "components", "islands"] = option("sources", doc="The table of a folder.")
    correct: bool = option(
        False, doc="Whether measured offsets and flux scales are taken away, and matched again."
    )
    report: bool = option(True, doc="Whether the page report.html is drawn.")


class MeasureAppOptions(MeasureOptions):
    """What is measured at known places, and what is written."""

    needs: ClassVar[Needs] = {"catalogue": (1, 1), "map": (1, None)}
    table: Literal["sources", "components", "islands"] = option(
        "components", doc="The table of a folder whose places are taken."
    )
    formats: tuple[str, ...] = option(("fits",), doc="Formats of the tables: fits, votable, parquet, csv.")
    report: bool = option(True, doc="Whether the page report.html is drawn.")


class ClassifyAppOptions(Options):
    """By which classifier sources are told."""

    needs: ClassVar[Needs] = {"sources": (1, 1)}
    model: str = option(
        "first-morphology", doc="A classifier that ships; an input of the role model goes before it."
    )
    size: int | None = option(
        None, unit="pixel", at_least=8, doc="Side that pictures are cut to; null for the largest there is."
    )


class ExploreAppOptions(ExploreOptions):
    """How a sample is put on a map, parted into groups, searched for what is strange and ranked by scores."""

    needs: ClassVar[Needs] = {"features": (1, None)}
    methods: dict[str, dict[str, float | str]] = option(
        {}, doc="Options of clusterers and outliers, by their names: kmeans: {number: 6}."
    )
    scores: dict[str, float | str] = option(
        {},
        doc="How an input of the role labels changes the ranking: method, strangeness, tradeoff, trust, random_seed.",
    )

    @model_validator(mode="after")
    def _methods_are_used(self) -> Self:
        try:
            menus_of(self, self.methods)
            ActiveOptions.parse(self.scores)
        except SkysiftError as error:
            raise ValueError(str(error)) from None
        return self

    def goes_with(self, roles: Mapping[str, int]) -> None:
        """Refuse what does nothing with inputs of these roles, so many of each.

        Raises
        ------
        OptionError
            An option does nothing.
        """
        if self.scores and not roles.get("labels"):
            raise OptionError("scores does nothing without an input of the role labels", todo="leave it out")
        refuse_idle(self, tables=roles.get("features", 0), pictures=bool(roles.get("pictures")))


class ProgramOptions(Options):
    """What every program of another environment is told."""

    needs: ClassVar[Needs] = {"map": (1, None)}
    program: ClassVar[str]
    formats: tuple[str, ...] = option(("fits",), doc="Formats of the tables: fits, votable, parquet, csv.")


class AegeanOptions(ProgramOptions):
    """Aegean on noise by BANE."""

    program: ClassVar[str] = "aegean"
    seedclip: float = option(5.0, unit="sigma", above=0.0, doc="A pixel this bright starts an island.")
    floodclip: float = option(4.0, unit="sigma", above=0.0, doc="Neighbours this bright join it.")
    max_summits: int | None = option(
        None, at_least=1, doc="Components of an island that are fitted at most; null for all."
    )
    negative: bool = option(False, doc="Whether negative islands are found too.")
    box: int | None = option(
        None, unit="pixels", at_least=10, doc="Side of the boxes of BANE; null for its own choice."
    )


class PyBDSFOptions(ProgramOptions):
    """PyBDSF: islands, Gaussians, sources."""

    program: ClassVar[str] = "pybdsf"
    thresh_pix: float = option(5.0, unit="sigma", above=0.0, doc="A pixel this bright starts an island.")
    thresh_isl: float = option(3.0, unit="sigma", above=0.0, doc="Neighbours this bright join it.")
    rms_box: tuple[int, int] | None = option(
        None, unit="pixels", doc="Size and step of the boxes of the noise; null for its own choice."
    )
    adaptive_rms_box: bool = option(False, doc="Whether the boxes are smaller beside bright sources.")
    atrous_do: bool = option(False, doc="Whether wavelets are fitted to what is left.")
    group_by_isl: bool = option(False, doc="Whether an island is one source.")
    frequency: float | None = option(None, unit="Hz", above=0.0, doc="Of maps whose headers tell none.")


class StampsAppOptions(StampsOptions):
    """Small images about the rows of a catalogue, from one map or many surveys."""

    needs: ClassVar[Needs] = {"catalogue": (1, 1), "map": (1, None)}


class StackAppOptions(StackOptions):
    """The mean image of many sources, with errors and a control."""

    needs: ClassVar[Needs] = {"catalogue": (1, 1), "map": (1, None)}


class MergeOptions(Options):
    """Which part of merged maps is wanted."""

    needs: ClassVar[Needs] = {"map": (2, None)}
    region: str | None = option(
        None, doc="A region of the sky: CIRCLE, RANGE or POLYGON and numbers (degrees); null for all."
    )
    system: Literal["ICRS", "GALACTIC"] = option("ICRS", doc="System of the region.")
    band: tuple[float, float] | None = option(None, unit="m", doc="Wavelengths; null for all.")
    pol: tuple[str, ...] = option((), doc="Polarisations; none for all.")
