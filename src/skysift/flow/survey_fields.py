"""The fields of a survey: each is searched into a folder of its own, or kept where an earlier run did just that."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.dates import mjd_of
from skysift.base.errors import DataError, OutputError, SkysiftError, UsageError
from skysift.base.fingerprint import by_content, code_hash
from skysift.base.parallel import Crew, StageProgress
from skysift.base.provenance import InputRecord
from skysift.base.registry import Registry
from skysift.find.finding import Finding
from skysift.find.noise import measure_noise
from skysift.flow.products import MANIFEST, ProductFolder, checksum, size, writing
from skysift.flow.steps.find import REPORT, Also, find_products, product_names
from skysift.flow.survey_config import FieldPlan, SurveyPlan
from skysift.flow.survey_coverage import Coverage, field_coverage
from skysift.io.cards import read_hdus
from skysift.io.epochs import map_epoch
from skysift.io.moc import moc_of, write_moc
from skysift.io.open import open_image
from skysift.io.tables import read_catalogue
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue
from skysift.sky.image import SkyImage

__all__ = [
    "FieldDone",
    "FieldFailed",
    "FieldOpen",
    "field_done",
    "is_kept",
    "open_field",
    "search_field",
    "wanted_names",
]

REQUEST, COVERAGE, COVERAGE_MOC = "request.json", "coverage.fits", "coverage.moc.fits"
_COVERAGES = (COVERAGE, COVERAGE_MOC)
_BEFORE_FITS = "fits"  # the format from which the survey's catalogue is read, whatever else is wanted


@dataclass(frozen=True)
class FieldOpen:
    """A field whose map was opened: its plan, its image, when it was observed (MJD, and as it was said)."""

    plan: FieldPlan
    image: SkyImage
    epoch: float
    date: str
    request: Mapping[str, Any]


@dataclass(frozen=True)
class FieldFailed:
    """A field that could not be searched, and why."""

    name: str
    path: str
    error: SkysiftError


@dataclass(frozen=True, eq=False)
class FieldDone:
    """A field that was searched.

    Parameters
    ----------
    opened
        The field.
    catalogue
        What was found.
    coverage
        Where it was searched, and how deep.
    seed
        S/N at which an island begins.
    manifest
        That of the field's folder.
    page
        Whether the folder has a page.
    """

    opened: FieldOpen
    catalogue: Catalogue
    coverage: Coverage
    seed: float
    manifest: Mapping[str, Any]
    page: bool

    @property
    def name(self) -> str:
        """What the field is called."""
        return self.opened.plan.name

    @property
    def beam(self) -> float:
        """FWHM of the beam, geometric mean (arcsec)."""
        beam = self.opened.image.beam
        return float((beam.major * beam.minor) ** 0.5)


def open_field(plan: FieldPlan, finder: str) -> FieldOpen:
    """The field with its map opened.

    Raises
    ------
    SkysiftError
        The map cannot be used.
    DataError
        It has no place on the sky.
    """
    image = open_image(plan.path, **plan.opening)
    if not image.frame.celestial:
        raise DataError(
            "a field of a survey needs sky coordinates",
            got="a map in pixels",
            todo="leave it out, or mend its header",
        )
    epoch, date = _epoch(plan.epoch, image)
    return FieldOpen(plan, image, epoch, date, _request(plan, image, finder))


def _epoch(said: float | str | None, image: SkyImage) -> tuple[float, str]:
    """When a field was observed: MJD, NaN where nobody knows, and the date as a text."""
    if isinstance(said, str):
        return mjd_of(said), said
    if said is not None:
        return float(said), f"MJD {said:.8g}"
    mjd = map_epoch(image)
    if image.origin is None or not np.isfinite(mjd):
        return mjd, ""
    hdus = read_hdus(image.origin.path)
    chosen = [hdu for hdu in hdus if image.origin.hdu in (hdu.index, hdu.name)]
    texts = (hdu.header.text("DATE-OBS") for hdu in (*chosen, hdus[0]))
    known = (text for text in texts if text and text.isascii() and text.isprintable())
    return mjd, next(known, f"MJD {mjd:.8g}")


def _request(plan: FieldPlan, image: SkyImage, finder: str) -> dict[str, Any]:
    """All that decides what a search finds, JSON-safe; files by their names and checksums."""
    record: InputRecord = image.input_record()
    request = {
        "skysift": skysift.__version__,
        "code": code_hash(),
        "finder": finder,
        "options": by_content(plan.options),
        "map": record.to_dict(),
        "opening": dict(plan.opening),
    }
    plain: dict[str, Any] = json.loads(json.dumps(request))
    return plain


def is_kept(opened: FieldOpen, folder: Path, names: tuple[str, ...], *, overwrite: bool) -> bool:
    """Whether a folder holds all products of exactly this search.

    Parameters
    ----------
    opened, folder
        The field, and its folder.
    names
        The products that are wanted.
    overwrite
        Whether other products there may be replaced.

    Raises
    ------
    OutputError
        It holds the products of another search, and `overwrite` is off.
    """
    if not (folder / MANIFEST).is_file():
        return False
    try:
        listed = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["outputs"]
        sums = {entry["name"]: entry["checksum"] for entry in listed}
        asked = json.loads((folder / REQUEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        sums, asked = {}, None
    wanted = set(names) - {MANIFEST}
    if asked == opened.request and wanted <= set(sums):
        whole = all((folder / name).is_file() and checksum(folder / name) == sums[name] for name in wanted)
        if whole:
            return True
    if not overwrite:
        raise OutputError(
            f"{folder} holds the products of another search",
            todo="choose another output folder, or replace them with --overwrite",
        )
    return False


def wanted_names(plan: SurveyPlan) -> tuple[str, ...]:
    """The products of each field."""
    segments = Registry[Any]("finder").load(plan.options.finder).segments
    return product_names(_formats(plan), plan.options.maps, report=plan.options.report, segments=segments)


def _formats(plan: SurveyPlan) -> tuple[str, ...]:
    return tuple(dict.fromkeys((_BEFORE_FITS, *plan.options.formats)))


def search_field(
    opened: FieldOpen,
    plan: SurveyPlan,
    folder: Path,
    order: int,
    *,
    overwrite: bool,
    workers: int,
    tile: int,
    progress: StageProgress | None,
    scheduler: str | None = None,
    fresh: bool = False,
) -> None:
    """Search a field and write its products, its coverage among them, into its folder.

    Raises
    ------
    SkysiftError
        The map cannot be read, or the folder cannot be written.
    """
    finder = Registry[Any]("finder").load(plan.options.finder)(opened.plan.options)

    def cover(finding: Finding, path: Callable[[str], Path]) -> None:
        reader, crew = partial(finding.read, "rms"), Crew(workers, tile, progress)
        _write(field_coverage(reader, opened.image.frame, finding.area, order, crew), path)

    find_products(
        opened.image,
        finder,
        folder,
        name=plan.options.finder,
        formats=_formats(plan),
        maps=plan.options.maps,
        report=plan.options.report,
        overwrite=overwrite,
        workers=workers,
        tile=tile,
        progress=progress,
        also=Also(_COVERAGES, cover),
        texts={REQUEST: json.dumps(opened.request, indent=2) + "\n"},
        scheduler=scheduler,
        fresh=fresh,
    )


def _write(coverage: Coverage, path: Callable[[str], Path]) -> None:
    """Write a coverage as cells and as MOC."""
    coverage.write(path(COVERAGE))
    write_moc(moc_of(coverage.order, coverage.cells), path(COVERAGE_MOC))


def _amend(coverage: Coverage, folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """The manifest of a field, after another coverage took the place of the one that its folder had."""
    with ProductFolder(folder, names=(*_COVERAGES, MANIFEST), overwrite=True, amend=True) as products:
        with writing(folder):
            _write(coverage, products.path)
            known = {each["name"]: each for each in manifest["outputs"]}
            paths = {name: products.path(name) for name in _COVERAGES}
            known |= {
                name: {"name": name, "size": size(path), "checksum": checksum(path)}
                for name, path in paths.items()
            }
            amended = {**manifest, "outputs": list(known.values())}
            text = json.dumps(amended, indent=2, ensure_ascii=False) + "\n"
            products.path(MANIFEST).write_text(text, encoding="utf-8")
        products.commit()
    return amended


def field_done(opened: FieldOpen, plan: SurveyPlan, folder: Path, order: int, crew: Crew) -> FieldDone:
    """A field that was searched, read from its folder; its coverage is made anew where it has other cells.

    Raises
    ------
    SkysiftError
        The folder does not hold what a search writes.
    """
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    sums = {each["name"]: each["checksum"] for each in manifest["outputs"]}
    whole = all(
        (folder / name).is_file() and checksum(folder / name) == sums.get(name) for name in _COVERAGES
    )
    coverage = Coverage.read(folder / COVERAGE) if whole else None
    if coverage is None or coverage.order != order:
        image = opened.image
        noise = measure_noise(image, opened.plan.options, crew)  # type: ignore[arg-type]  # finders' options are these

        def rms(box: Box) -> Any:
            tile = noise.tile(image, box)
            return np.where(np.isnan(tile.data), np.float32(np.nan), tile.rms)

        coverage = field_coverage(rms, image.frame, image.box, order, crew)
        manifest = _amend(coverage, folder, manifest)
    catalogue = read_catalogue(folder)
    if not isinstance(catalogue, Catalogue):
        raise UsageError(f"{folder} holds no catalogue")
    seed = manifest.get("facts", {}).get("seed") or getattr(opened.plan.options, "seed", None)
    level = float(seed) if isinstance(seed, int | float) else 5.0
    return FieldDone(opened, catalogue, coverage, level, manifest, (folder / REPORT).is_file())
