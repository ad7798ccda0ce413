"""The menus of jobs: what a job may use, what all may use together, and what apps are told; light."""

from __future__ import annotations

from typing import Literal

from skysift.base.options import Options, option

__all__ = [
    "DaskExecutorOptions",
    "LimitOptions",
    "LocalExecutorOptions",
    "ProductsOptions",
    "ResourceOptions",
]


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
    tile: int | None = option(
        None, unit="pixels", at_least=64, doc="Side of a tile; it changes no result. Null for the usual one."
    )
