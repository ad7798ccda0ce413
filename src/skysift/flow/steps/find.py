"""`find_products`: a map in, a folder of tables, regions, maps, a page and a manifest out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

import skysift
from skysift.base.cluster import hands
from skysift.base.errors import OptionError, UnknownName
from skysift.base.fingerprint import by_content, code_hash, fingerprint
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.base.registry import Registry
from skysift.base.settings import settings
from skysift.find.area import area_of
from skysift.find.beside import Beside
from skysift.find.finder import Finder
from skysift.find.finding import Finding
from skysift.find.run import search
from skysift.find.stokes import V_TABLE
from skysift.flow.extended import EXTENDED_MOC, SPINES, drawn_sources, spine_table, write_area
from skysift.flow.maps import MAPS, file_of, write_maps
from skysift.flow.page import report as report_page
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.io.format import FileFormat
from skysift.io.regions import component_classes, write_crtf, write_ds9
from skysift.measure.characterise import counts
from skysift.sky.box import Box, PixelRegion, Region
from skysift.sky.catalogue import Catalogue
from skysift.sky.flags import doubtful
from skysift.sky.image import SkyImage
from skysift.sky.schema import TABLES
from skysift.sky.table import Table

__all__ = ["REGIONS", "REPORT", "Also", "Products", "find_products", "product_names", "write_products"]

REPORT = "report.html"
REGIONS = ("regions.reg", "regions.crtf")
DRAWN = (V_TABLE,)
"""Tables beside those of the catalogue that are written as regions too."""

Progress: TypeAlias = Callable[[str, int, int], None]
"""Called as progress(stage, done, total)."""


@dataclass(frozen=True)
class Products:
    """What a run made: the folder, its manifest, the catalogue, and the facts measured on the way."""

    folder: Path
    manifest: Manifest
    catalogue: Catalogue
    facts: Mapping[str, object]


@dataclass(frozen=True)
class Also:
    """Further products of a run: their names, and what writes all of them to the paths that names get."""

    names: tuple[str, ...]
    write: Callable[[Finding, Callable[[str], Path]], None]


def find_products(
    image: SkyImage,
    finder: Finder[Any],
    out: str | Path,
    *,
    name: str = "",
    formats: Sequence[str] = ("fits",),
    maps: Sequence[str] = tuple(MAPS),
    report: bool = True,
    overwrite: bool = False,
    workers: int | None = None,
    tile: int | None = None,
    region: Region | None = None,
    progress: Progress | None = None,
    started: datetime | None = None,
    beside: Sequence[Beside] = (),
    scheduler: str | None = None,
    fresh: bool = False,
    say: Callable[[str], None] | None = None,
    also: Also | None = None,
    texts: Mapping[str, str] | None = None,
) -> Products:
    """The products of a run that found the sources of a map and wrote all of them into a folder.

    A run that is broken off keeps what its tasks gave in the folder, and the same call goes on from there: the
    same map, finder, options and region with the same version; tiles, workers, formats and maps may differ.

    Parameters
    ----------
    image
        The map.
    finder
        What finds the sources.
    name
        What the finder is called in the index; it stands in the provenance.
    out
        The folder; made where it is missing. It gets all products or, when anything fails, none.
    formats
        Formats of the tables, by name.
    maps
        Which of ``background rms model residual labels`` are written.
    report
        Whether ``report.html`` is written.
    overwrite
        Whether the products of an earlier run are replaced, on success.
    workers, tile
        How many tasks run at once, and pixels along the side of a tile; those of the settings by default.
        Neither changes the catalogue.
    region
        The part of the map to search; all of it by default.
    progress
        Called as progress(stage, done, total).
    started
        When the run began; now by default.
    beside
        Further maps on which the sources are measured; what they tell of them becomes columns and tables.
    scheduler
        Address of a Dask scheduler whose workers find and measure; that of the settings by default, if there
        is one, else threads of this machine.
    fresh
        Whether what a broken-off run keeps in the folder is discarded.
    say
        Is given a line to tell, where a broken-off run is continued.
    also
        Writes further products, from what was found.
    texts
        Files that are to be products too, name -> text; they show together with the others.

    Raises
    ------
    UnknownName
        A format or a map has a name that does not exist.
    BusyError
        Another run is writing into the folder.
    OutputError
        The folder cannot be written, holds earlier products and `overwrite` is off, or keeps what another
        command has done before it was broken off.
    StorageError
        The disk is full.
    TransientError
        The scheduler does not answer, or has no workers.
    """
    begun = started or datetime.now(UTC)
    executor, workers = hands(scheduler, workers, travels=image.origin is not None)
    tile = tile or settings().tile
    tables = [*finder.tables, *(name for one in beside for name in one.tables)]
    names = product_names(formats, maps, report=report, tables=tables, segments=finder.segments)
    names = (*(texts or {}), *(() if also is None else also.names), *names)
    key = run_key(image, finder, name=name, region=region, beside=beside)
    with ProductFolder(Path(out), names=names, overwrite=overwrite, key=key, fresh=fresh) as folder:
        kept = folder.kept
        if kept is not None:
            progress = kept.watch(progress)
            if kept.found and say is not None:
                say(f"continuing a run that was broken off at {kept.found}")
        finding = search(
            image,
            finder,
            name=name,
            workers=workers,
            tile=tile,
            region=region,
            progress=progress,
            kept=kept,
            beside=beside,
            executor=executor,
        )
        with writing(folder.directory):
            for each, text in (texts or {}).items():
                folder.path(each).write_text(text, encoding="utf-8")
            if also is not None:
                also.write(finding, folder.path)
        made = write_products(
            finding,
            folder,
            formats=formats,
            maps=maps,
            report=report,
            workers=workers,
            tile=tile,
            progress=progress,
            started=begun,
        )
        folder.commit()
    return made


def run_key(
    image: SkyImage,
    finder: Finder[Any],
    *,
    name: str = "",
    region: Region | None = None,
    beside: Sequence[Beside] = (),
) -> dict[str, Any]:
    """What decides the results of a run, JSON-safe: of two runs with one key, one can continue the other.

    Parameters
    ----------
    image, finder, name, region, beside
        As for `find_products`.

    Raises
    ------
    FormatError
        The map cannot be read any more.
    """
    record = image.input_record()
    return {
        "command": "skysift find",
        "version": skysift.__version__,
        "code": code_hash(),
        "finder": name or type(finder).__name__,
        "option": by_content(finder.options),
        "region": "the whole map" if region is None else str(PixelRegion(area_of(region, image.frame))),
        "map": {
            "name": record.name,
            "content": f"{record.checksum}, HDU {record.hdu}, plane {list(record.plane)}",
            "beam": repr(image.beam),
            "pixel scale": list(image.frame.scale),
            "factor to Jy/beam": image.factor,
            "frequency": None if not np.isfinite(image.frequency) else image.frequency,
            "geometry": fingerprint(image.frame),
        },
        "beside": {one.name: fingerprint(by_content(one)) for one in beside},
        "library": library_versions(),
    }


def product_names(
    formats: Sequence[str],
    maps: Sequence[str],
    *,
    report: bool,
    tables: Sequence[str] = (),
    segments: bool = False,
) -> tuple[str, ...]:
    """File names of all products of a run, the manifest last.

    Parameters
    ----------
    formats, maps, report
        As for `find_products`.
    tables
        Tables beside those of the catalogue.
    segments
        Whether the finder looks for extended sources.

    Raises
    ------
    UnknownName
        A format or a map has a name that does not exist.
    OptionError
        No format is named.
    """
    unknown = [name for name in maps if name not in MAPS]
    if unknown:
        raise UnknownName("no such map", got=unknown[0], allowed=("none", "all", *MAPS))
    if not formats:
        raise OptionError("no format for the tables", todo="name at least one, such as fits")
    files = [
        f"{table}{_format(name).suffixes[0]}"
        for name in dict.fromkeys(formats)
        for table in (*TABLES, *tables, *([SPINES] * segments))
    ]
    return (
        *files,
        *REGIONS,
        *([EXTENDED_MOC] * segments),
        *(f"{table}.{suffix}" for table in tables if table in DRAWN for suffix in ("reg", "crtf")),
        *(file_of(name) for name in MAPS if name in maps),
        *([REPORT] * report),
        MANIFEST,
    )


def write_products(
    finding: Finding,
    folder: ProductFolder,
    *,
    formats: Sequence[str],
    maps: Sequence[str],
    report: bool,
    workers: int,
    tile: int,
    progress: Progress | None,
    started: datetime,
) -> Products:
    """The products of a finding, written into an open folder and ready to be committed.

    Parameters
    ----------
    finding
        What was found.
    folder
        Where the products go.
    formats, maps, report, workers, tile, progress, started
        As for `find_products`.
    """
    catalogue = finding.catalogue
    told = catalogue.provenance or Provenance("", "")
    measured = finding.facts.get("seconds", {})
    seconds = dict(measured) if isinstance(measured, Mapping) else {}
    finding = replace(finding, facts={**finding.facts, "rms_median": _rms_median(finding)})
    searched = finding.area != finding.image.box
    manifest = partial(
        Manifest,
        told,
        tile=tile,
        workers=workers,
        started=started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        region=str(PixelRegion(finding.area)) if searched else "",
        facts={
            name: _plain(value) for name, value in finding.facts.items() if name not in ("seconds", "counts")
        },
        counts={**counts(catalogue), "doubtful": int(doubtful(catalogue.sources["flags"]).sum())},
        versions=library_versions(),
        warnings=tuple(dict.fromkeys(finding.notes)),
    )
    with writing(folder.directory):
        with _timed(seconds, "tables"):
            _write_tables(finding, folder, formats)
        with _timed(seconds, "maps"):
            read = write_maps(finding, folder.path, maps, progress=partial(_tell, progress, "maps"))
        if report:
            with _timed(seconds, "report"):
                _tell(progress, "report", 0, 1)
                page = report_page(finding, manifest(seconds=seconds), read)
                folder.path(REPORT).write_text(page, encoding="utf-8")
                _tell(progress, "report", 1, 1)
        written = [name for name in folder.names if name != MANIFEST]
        done = manifest(outputs=tuple(written), seconds=seconds)
        write_manifest(done, folder)
    return Products(folder.directory, done, catalogue, finding.facts)


def _rms_median(finding: Finding) -> float:
    """The median of the rms over some rows of what was searched; NaN where there is no noise."""
    area = finding.area
    rows = np.unique(np.linspace(area.y0, area.y1 - 1, 101).round().astype(int)).tolist()
    rms = np.concatenate([finding.read("rms", Box(y, y + 1, area.x0, area.x1)).ravel() for y in rows])
    good = rms[np.isfinite(rms)]
    return float(np.median(good)) if good.size else float("nan")


def _plain(value: object) -> object:
    """A fact as JSON has it: numbers of numpy as numbers, what is not finite as null."""
    if isinstance(value, Mapping):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _format(name: str) -> FileFormat:
    made: FileFormat = Registry[FileFormat]("format").make(name)
    return made


def _write_tables(finding: Finding, folder: ProductFolder, formats: Sequence[str]) -> None:
    for name in dict.fromkeys(formats):
        writer = _format(name)
        for table in TABLES:
            writer.write(finding.catalogue, folder.path(f"{table}{writer.suffixes[0]}"), table)
        tables = dict(finding.tables)
        if f"{SPINES}{writer.suffixes[0]}" in folder.names:
            tables[SPINES] = spine_table(finding.spines, finding.image.frame)
        for extra, rows in tables.items():
            place = folder.path(f"{extra}{writer.suffixes[0]}")
            writer.write_table(rows, place, finding.catalogue.provenance)
    drawn, components = drawn_sources(finding), finding.catalogue.components
    kinds = component_classes(finding.catalogue)
    write_ds9(folder.path("regions.reg"), components, finding.image.frame, drawn=drawn, kinds=kinds)
    write_crtf(folder.path("regions.crtf"), components, finding.image.frame, drawn=drawn, kinds=kinds)
    if EXTENDED_MOC in folder.names:
        write_area(finding, folder.path(EXTENDED_MOC))
    for name, found in finding.tables.items():
        if name in DRAWN and isinstance(found, Table):
            write_ds9(folder.path(f"{name}.reg"), found, finding.image.frame)
            write_crtf(folder.path(f"{name}.crtf"), found, finding.image.frame)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    begun = time.perf_counter()
    yield
    seconds[stage] = time.perf_counter() - begun


def _tell(progress: Progress | None, stage: str, done: int, total: int) -> None:
    if progress is not None:
        progress(stage, done, total)
