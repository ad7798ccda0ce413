"""`SurveyStep`: many overlapping maps in, one catalogue out, with coverage, checks, a page and a manifest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

import skysift
from skysift.base.errors import DataError, SkysiftError
from skysift.base.parallel import Crew, StageProgress
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.base.registry import Registry
from skysift.base.settings import settings
from skysift.flow.options import SurveyOptions
from skysift.flow.products import MANIFEST, ProductFolder, checksum, size, write_manifest, writing
from skysift.flow.steps.find import REGIONS
from skysift.flow.survey_catalogue import Merged, merge_fields
from skysift.flow.survey_checks import (
    Check,
    against_fields,
    against_reference,
    comparisons,
    read_reference,
    refuse_elsewhere,
)
from skysift.flow.survey_config import FieldPlan, ReferencePlan, SurveyPlan
from skysift.flow.survey_coverage import coverage_order, join_coverage
from skysift.flow.survey_fields import (
    FieldDone,
    FieldFailed,
    FieldOpen,
    field_done,
    is_kept,
    open_field,
    search_field,
    wanted_names,
)
from skysift.flow.survey_page import survey_page
from skysift.flow.survey_result import Survey
from skysift.flow.survey_tables import area_table
from skysift.flow.validation import match_page
from skysift.io.format import FileFormat
from skysift.io.moc import holes_of, moc_area, moc_of, write_moc
from skysift.io.regions import component_classes, write_crtf, write_ds9
from skysift.measure.characterise import counts
from skysift.sky.schema import TABLES

__all__ = ["FIELDS", "SurveyStep", "survey_names"]

FIELDS = "fields"
PAGE, PAGES = "survey.html", "validation"
COVERED, HOLES, DEPTH = "coverage.moc.fits", "holes.moc.fits", "rms_coverage.fits"
CHECKS, AREAS = "comparisons", "rms_area"


def survey_names(formats: Sequence[str], *, references: bool) -> tuple[str, ...]:
    """Names of what a survey writes into its folder, beside the folder of its fields; the manifest last."""
    suffixes = [_format(name).suffixes[0] for name in dict.fromkeys(formats)]
    tables = [f"{table}{suffix}" for suffix in suffixes for table in (*TABLES, CHECKS, AREAS)]
    return (*tables, *REGIONS, COVERED, HOLES, DEPTH, *([PAGES] * references), PAGE, MANIFEST)


class SurveyStep:
    """Many overlapping fields become one catalogue.

    Parameters
    ----------
    options
        What the configuration says, but for fields and references, which are checked on their own.
    """

    def __init__(self, options: SurveyOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"SurveyStep({self.options.name!r}, version {self.options.version})"

    def write(
        self,
        fields: Sequence[FieldPlan],
        references: Sequence[ReferencePlan],
        out: str | Path,
        *,
        overwrite: bool = False,
        workers: int | None = None,
        tile: int | None = None,
        progress: StageProgress | None = None,
        failed: Callable[[FieldFailed], None] | None = None,
        scheduler: str | None = None,
        fresh: bool = False,
    ) -> Survey:
        """The survey, after its products were written.

        A field whose folder holds the products of exactly this search (map, options, version) is not searched
        again, so that a broken survey goes on where it was. A field that fails does not stop the others.

        Parameters
        ----------
        fields, references
            As `skysift.flow.survey_config.read_config` has them.
        out
            The folder; made where it is missing. Fields go into ``out/fields/NAME``.
        overwrite
            Replace products of an earlier run; fields that would come out the same are kept.
        workers, tile
            Tasks at once, and pixels along the side of a tile; those of the settings by default.
        progress
            Called as progress(stage, done, total).
        failed
            Called with each field that fails.
        scheduler
            Address of a Dask scheduler whose workers search the fields.
        fresh
            Discard what searches of fields that were broken off keep.

        Raises
        ------
        DataError
            No field could be searched.
        UsageError
            A reference has no row in any field.
        OutputError
            The folder holds other products and `overwrite` is off, or cannot be written.
        BusyError
            Another run is writing into it.
        """
        run = _Run(
            SurveyPlan(self.options, tuple(sorted(fields, key=lambda each: each.name)), tuple(references)),
            Path(out),
            overwrite,
            Crew(workers or settings().workers, tile or settings().tile),
            progress,
            failed,
            scheduler,
            fresh,
        )
        names = survey_names(self.options.formats, references=bool(references))
        with ProductFolder(Path(out), names=names, overwrite=overwrite) as folder:
            survey = run.survey()
            with writing(folder.directory):
                run.write(survey, folder)
                folder.commit()
        return survey


@dataclass
class _Run:
    """One run of a survey."""

    plan: SurveyPlan
    out: Path
    overwrite: bool
    crew: Crew
    progress: StageProgress | None
    tell_failed: Callable[[FieldFailed], None] | None
    scheduler: str | None = None
    fresh: bool = False

    def __post_init__(self) -> None:
        self.started = datetime.now(UTC)
        self.seconds: dict[str, float] = {}
        self.failures: list[FieldFailed] = []
        self.kept: set[str] = set()
        self.references = {each.name: read_reference(each) for each in self.plan.references}

    def folder(self, name: str) -> Path:
        """The folder of a field."""
        return self.out / FIELDS / name

    def survey(self) -> Survey:
        """All that is known when the fields were searched and compared."""
        with self._timed("fields"):
            opened = self._opened()
            for plan in () if self.failures else self.plan.references:  # rows may lie where a field failed
                refuse_elsewhere(self.references[plan.name], opened)
            order = self._order(opened)
            self._search(opened, order)
            done = self._done(opened, order)
        if not done:
            first = self.failures[0]
            raise DataError("no field of the survey could be searched", got=first.name, todo=str(first.error))
        with self._timed("catalogue"):
            self._tell("catalogue", 0, 1)
            coverage = join_coverage({each.name: (each.coverage, each.seed) for each in done})
            told = self._provenance(done)
            merged = merge_fields(done, coverage, self.plan.options, told)
        with self._timed("comparisons"):
            checks, pages, notes = self._checks(merged, done)
        with self._timed("coverage"):
            moc = moc_of(coverage.order, coverage.cells)
            holes = holes_of(moc)
        return Survey(
            self.plan, tuple(done), tuple(self.failures), merged, coverage, moc, holes, tuple(checks), pages,
            (*told.notes, *notes), frozenset(self.kept),
        )  # fmt: skip

    def _opened(self) -> list[FieldOpen]:
        """The fields whose maps can be opened, after a look at what their folders hold."""
        opened = []
        for number, plan in enumerate(self.plan.fields):
            self._tell("maps", number, len(self.plan.fields))
            try:
                opened.append(open_field(plan, self.plan.options.finder))
            except SkysiftError as error:
                self._fail(plan, error)
        names = wanted_names(self.plan)
        for each in opened:
            if is_kept(each, self.folder(each.plan.name), names, overwrite=self.overwrite):
                self.kept.add(each.plan.name)
        return opened

    def _order(self, opened: Sequence[FieldOpen]) -> int:
        """The order of the cells of the coverage."""
        if self.plan.options.order is not None:
            return self.plan.options.order
        beams = [math.sqrt(each.image.beam.major * each.image.beam.minor) for each in opened]
        area = sum(each.image.frame.pixel_area * each.image.box.size for each in opened) / 3600.0**2
        return coverage_order(beams, area)

    def _search(self, opened: Sequence[FieldOpen], order: int) -> None:
        wanted = [each for each in opened if each.plan.name not in self.kept]
        for number, each in enumerate(wanted, start=1):
            name = f"{each.plan.name} ({number} of {len(wanted)})"
            progress = None if self.progress is None else partial(_named, self.progress, name)
            try:
                search_field(
                    each,
                    self.plan,
                    self.folder(each.plan.name),
                    order,
                    overwrite=self.overwrite,
                    workers=self.crew.workers,
                    tile=self.crew.tile,
                    progress=progress,
                    scheduler=self.scheduler,
                    fresh=self.fresh,
                )
            except SkysiftError as error:
                self._fail(each.plan, error)

    def _done(self, opened: Sequence[FieldOpen], order: int) -> list[FieldDone]:
        wrong = {each.name for each in self.failures}
        done = []
        for each in opened:
            if each.plan.name in wrong:
                continue
            try:
                done.append(field_done(each, self.plan, self.folder(each.plan.name), order, self.crew))
            except SkysiftError as error:
                self._fail(each.plan, error)
        return done

    def _fail(self, plan: FieldPlan, error: SkysiftError) -> None:
        self.failures.append(FieldFailed(plan.name, plan.path, error))
        if self.tell_failed is not None:
            self.tell_failed(self.failures[-1])

    def _provenance(self, done: Sequence[FieldDone]) -> Provenance:
        """What decides the catalogue: the same for any order of the fields."""
        options = self.plan.options
        shared = Registry[Any]("finder").options(options.finder).parse(options.options).to_dict()
        own = {
            each.name: changed
            for each in done
            if (
                changed := {
                    name: value
                    for name, value in each.opened.plan.options.to_dict().items()
                    if value != shared.get(name)
                }
            )
        }
        told: dict[str, Any] = {
            "survey": options.name,
            "catalogue_version": options.version,
            "match_sigma": options.match_sigma,
            "match_beams": options.match_beams,
            **shared,
            **({"fields": own} if own else {}),
        }
        return Provenance(
            skysift.__version__,
            options.finder,
            told,
            tuple(each.opened.image.input_record() for each in done),
            tuple(f"the field {each.name} was left out: {each.error}" for each in self.failures),
        )

    def _checks(
        self, merged: Merged, done: Sequence[FieldDone]
    ) -> tuple[list[Check], dict[str, str], list[str]]:
        """Comparisons, the pages of those with references by name, and what is odd."""
        checks, pages, notes = [], {}, []
        options = self.plan.options
        for plan in self.plan.references:
            for number, field in enumerate(done):
                self._tell(f"{plan.name}", number, len(done))
                check, match, note = against_reference(
                    field, self.references[plan.name], plan, options.min_snr
                )
                if match is not None:
                    page = f"{field.name}-{plan.name}.html"
                    pages[page] = match_page(match, f"{field.name} against {plan.name}")
                    check = replace(check, page=f"{PAGES}/{page}")
                if note:
                    notes.append(f"{field.name} against {plan.name}: {note}")
                checks.append(check)
        return [*checks, *against_fields(merged, done, options.min_snr)], pages, notes

    # -- products

    def write(self, survey: Survey, folder: ProductFolder) -> None:
        """Write all products into an open folder."""
        options, catalogue = self.plan.options, survey.merged.catalogue
        told = catalogue.provenance or Provenance("", "")
        with self._timed("products"):
            self._tell("products", 0, 1)
            for writer in (_format(name) for name in dict.fromkeys(options.formats)):
                suffix = writer.suffixes[0]
                for table in TABLES:
                    writer.write_table(catalogue.table(table), folder.path(f"{table}{suffix}"), told)
                writer.write_table(comparisons(survey.checks), folder.path(f"{CHECKS}{suffix}"), told)
                writer.write_table(area_table(survey.coverage), folder.path(f"{AREAS}{suffix}"), told)
            for write, name in zip((write_ds9, write_crtf), REGIONS, strict=True):
                write(folder.path(name), catalogue.components, kinds=component_classes(catalogue))
            write_moc(survey.moc, folder.path(COVERED))
            write_moc(survey.holes, folder.path(HOLES))
            survey.coverage.write(folder.path(DEPTH), told)
            if self.plan.references:
                folder.path(PAGES).mkdir()
                for name, text in survey.pages.items():
                    (folder.path(PAGES) / name).write_text(text, encoding="utf-8")
        with self._timed("page"):
            folder.path(PAGE).write_text(survey_page(survey), encoding="utf-8")
        self._tell("products", 1, 1)
        self._write_manifest(survey, told, folder)

    def _write_manifest(self, survey: Survey, told: Provenance, folder: ProductFolder) -> None:
        """Write the manifest: as that of a field, with all fields and their checksums."""
        catalogue, coverage = survey.merged.catalogue, survey.coverage
        written = [name for name in folder.names if name != MANIFEST]
        facts = {
            "order": coverage.order,
            "area": coverage.area,
            "holes": moc_area(survey.holes),
            "rms_median": float(np.median(coverage.rms)) if len(coverage.rms) else None,
        }
        manifest = Manifest(
            told,
            tuple(written),
            tile=self.crew.tile,
            workers=self.crew.workers,
            started=self.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            seconds=self.seconds,
            facts=facts,
            counts={
                **counts(catalogue),
                **{f"{kind}_primary": int(catalogue.table(kind)["primary"].sum()) for kind in TABLES},
            },
            versions=library_versions(),
            warnings=survey.notes,
        )
        failed = [
            {"name": each.name, "map": Path(each.path).name, "error": str(each.error)}
            for each in survey.failed
        ]
        fields = [self._field_entry(each) for each in survey.fields]
        write_manifest(manifest, folder, {"fields": fields, "failed": failed})

    def _field_entry(self, field: FieldDone) -> dict[str, Any]:
        """What the manifest tells of one field."""
        folder = self.folder(field.name)
        own = [
            {"name": name, "size": size(folder / name), "checksum": checksum(folder / name)}
            for name in (MANIFEST,)
        ]
        epoch = field.opened.epoch
        return {
            "name": field.name,
            "map": field.opened.image.input_record().to_dict(),
            "epoch": epoch if math.isfinite(epoch) else None,
            "date_obs": field.opened.date,
            "area": field.coverage.area,
            "seed": field.seed,
            "kept": field.name in self.kept,
            "outputs": [*field.manifest["outputs"], *own],
        }

    # -- how it goes

    def _tell(self, stage: str, done: int, total: int) -> None:
        if self.progress is not None:
            self.progress(stage, done, total)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self.seconds[stage] = time.perf_counter() - begun


def _named(progress: StageProgress, name: str, stage: str, done: int, total: int) -> None:
    progress(f"{name}: {stage}", done, total)


def _format(name: str) -> FileFormat:
    made: FileFormat = Registry[FileFormat]("format").make(name)
    return made
