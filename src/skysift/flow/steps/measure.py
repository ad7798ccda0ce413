"""`MeasureStep`: fluxes at the places of a catalogue on maps, as tables with a page and a manifest."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import OptionError, UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.base.registry import Registry
from skysift.find.apertures import Footprints, aperture_fluxes, footprint_fluxes
from skysift.find.beams import as_seen
from skysift.find.forced import measure_at
from skysift.find.known import Known, join_names, known_sources
from skysift.find.noise import measure_noise
from skysift.flow.measured_columns import FOOTPRINT, aperture
from skysift.flow.measured_page import measured_page
from skysift.flow.measurements import Measurements, OnMap, measurements
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.steps.match import records
from skysift.io.epochs import map_epoch
from skysift.io.format import FileFormat
from skysift.io.labels import read_labels
from skysift.io.layouts.containers import load
from skysift.io.layouts.reading import layout_of, read_any
from skysift.io.open import open_image
from skysift.measure.forced import Forced
from skysift.measure.options import MeasureOptions
from skysift.measure.response import Response, apparent_columns
from skysift.sky import schema
from skysift.sky.beam import Beam
from skysift.sky.flags import doubtful, flag
from skysift.sky.image import SkyImage
from skysift.sky.schema import Column
from skysift.sky.shapes import covariances
from skysift.sky.table import Table, Values

__all__ = ["REPORT", "MeasureStep", "known_of", "read_known"]

Floats = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]

REPORT = "report.html"
TABLES = ("measurements", "series")


def read_known(path: str | Path, options: MeasureOptions, table: str = "components") -> Known:
    """The places of a catalogue in a file or folder, of skysift or in any layout that is known.

    Parameters
    ----------
    path
        The file or folder.
    options
        What is taken of its shapes.
    table
        Which table of a folder.

    Raises
    ------
    UsageError
        There is no such file, or no row has a position.
    FormatError
        It is no catalogue that is known.
    """
    place = Path(path)
    own = place.is_dir() or (place.is_file() and place.stat().st_size > 0 and layout_of(place) == "skysift")
    rows = read_any(place, table=table)
    beams = None if own or place.is_dir() else _row_beams(place, len(rows))
    return known_of(rows, options, own=own, beams=beams)


def _row_beams(path: Path, n: int) -> Floats | None:
    """The beam of each row of a foreign file as covariances, where it has the columns psf_a, psf_b, psf_pa (Aegean)."""
    foreign = load(path)
    names = ("psf_a", "psf_b", "psf_pa")
    if not set(names) <= foreign.columns.keys() or len(foreign) != n:
        return None
    beams = covariances(*(foreign.numbers(name) for name in names))
    return np.where((beams[:, 0] + beams[:, 2] > 0.0)[:, None], beams, np.nan)


def known_of(table: Table, options: MeasureOptions, *, own: bool, beams: Floats | None = None) -> Known:
    """The places of a table.

    Parameters
    ----------
    table
        A table of the schema.
    options
        What is taken of its shapes.
    own
        Whether skysift made it.
    beams
        The beam of each row, as covariances; NaN for unknown.

    Raises
    ------
    UsageError
        No row has a position.
    """
    beam = beams if options.catalogue_beam is None else Beam(*options.catalogue_beam)
    return known_sources(table, own=own, points=options.shape == "point", beam=beam)


class MeasureStep:
    """Fluxes at known places, map after map.

    Parameters
    ----------
    options
        What is fitted and summed.
    """

    def __init__(self, options: MeasureOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"MeasureStep({self.options!r})"

    def measure(
        self,
        maps: Sequence[SkyImage],
        known: Known,
        *,
        inputs: Sequence[InputRecord] = (),
        labels: str | Path | None = None,
        crew: Crew = ALONE,
    ) -> Measurements:
        """What is measured at the places on each map; a place that a map does not hold has a flag there.

        Parameters
        ----------
        maps
            The maps; their beams, frequencies and places on the sky may differ.
        known
            The places.
        inputs
            What the places were read from, for the provenance.
        labels
            A map of labels of an earlier run, whose footprints are summed.
        crew
            Who does it.

        Raises
        ------
        UsageError
            There is no map, or no place lies on any of them; or the places do not tell their labels.
        """
        if not maps:
            raise UsageError("there is no map to measure on")
        footprints = None if labels is None else _footprints(Path(labels), known)
        if labels is not None:
            inputs = (*inputs, *records([Path(labels)]))
        names = join_names([image.name for image in maps])
        _refuse_elsewhere(maps, names, known)
        notes = [*known.notes]
        done = []
        for image, name in zip(maps, names, strict=True):
            found = self._on_map(image, name, known, footprints, _named(crew, name, len(maps)))
            notes += [*(f"{name}: {note}" for note in found.notes), *_odd(found, name)]
            done.append(found)
        told = Provenance(
            skysift.__version__,
            "measure",
            self.options.to_dict(),
            (
                *(image.input_record() for image in maps),
                *dict.fromkeys(each for one in done for each in one.inputs),
                *inputs,
            ),
            tuple(notes),
            "step",
        )
        return measurements(known, done, self.options, notes, told)

    def run(
        self,
        maps: Sequence[SkyImage],
        known: Known,
        out: str | Path,
        *,
        inputs: Sequence[InputRecord] = (),
        labels: str | Path | None = None,
        formats: Sequence[str] = ("fits",),
        report: bool = True,
        overwrite: bool = False,
        crew: Crew = ALONE,
    ) -> tuple[Measurements, Manifest]:
        """What `measure` gave, and the manifest, after tables and page were written into a folder.

        The folder gets the tables measurements and series, ``report.html`` and ``manifest.json``, or, where
        anything fails, nothing.

        Parameters
        ----------
        maps, known, inputs, labels, crew
            As for `measure`.
        out
            The folder.
        formats
            Formats of the tables, by name.
        report
            Whether the page is written.
        overwrite
            Whether the products of an earlier run are replaced, on success.

        Raises
        ------
        UsageError
            There is no map, or no place lies on any of them.
        BusyError
            Another run is writing into the folder.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        if not formats:
            raise OptionError("no format for the tables", todo="name at least one, such as fits")
        writers: list[FileFormat] = [Registry[Any]("format").make(name) for name in dict.fromkeys(formats)]
        tables = [f"{table}{writer.suffixes[0]}" for writer in writers for table in TABLES]
        names = (*tables, *([REPORT] * report), MANIFEST)
        with ProductFolder(Path(out), names=names, overwrite=overwrite) as folder:
            done = self.measure(maps, known, inputs=inputs, labels=labels, crew=crew)
            flags = done.table["flags"]
            beside = (flags & flag("outside_map")) != 0
            manifest = Manifest(
                done.provenance,
                outputs=names[:-1],
                tile=crew.tile,
                workers=crew.workers,
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"all": time.perf_counter() - clock},
                counts={
                    "places": len(known),
                    "maps": len(maps),
                    "measured": int(np.isfinite(done.table["flux_int"]).sum()),
                    "outside": int(beside.sum()),
                    "flagged": int((~beside & (flags != 0)).sum()),
                    "doubtful": int((~beside & doubtful(flags)).sum()),
                },
                versions=library_versions(),
                warnings=done.notes,
            )
            with writing(folder.directory):
                for writer in writers:
                    for table, rows in zip(TABLES, (done.table, done.series), strict=True):
                        writer.write_table(rows, folder.path(f"{table}{writer.suffixes[0]}"), done.provenance)
                if report:
                    page = measured_page(done, manifest, self.options)
                    folder.path(REPORT).write_text(page, encoding="utf-8")
                write_manifest(manifest, folder)
            folder.commit()
        return done, manifest

    def _on_map(
        self, image: SkyImage, name: str, known: Known, footprints: Footprints | None, crew: Crew
    ) -> OnMap:
        """What is measured on one map."""
        options = self.options
        image, beam_files = as_seen(image, options)
        noise = measure_noise(image, options, crew)
        places = known.on(image)
        forced = measure_at(image, noise, places, options, crew)
        further: dict[Column, Values] = {}
        if options.apertures:
            sums = aperture_fluxes(
                image,
                noise,
                places,
                options.apertures,
                annulus=options.annulus,
                min_good=options.min_good,
                crew=crew,
            )
            for k, radius in enumerate(options.apertures):
                values = (sums.flux[:, k], sums.flux_err[:, k], sums.correction[:, k])
                further |= dict(zip(aperture(radius, k + 1), values, strict=True))
        if footprints is not None and known.islands is not None:
            whole = footprint_fluxes(image, noise, places, known.islands, footprints, crew)
            further |= dict(zip(FOOTPRINT, (whole.flux, whole.flux_err, whole.beams), strict=True))
        if noise.response is not None:
            further |= _apparent(forced, noise.response)
        return OnMap(
            image,
            name,
            map_epoch(image),
            forced,
            further,
            (*(one.input_record() for one in noise.given), *beam_files),
            tuple(note for one in (image, *noise.given) for note in one.notes),
        )


def _apparent(forced: Forced, response: Response) -> dict[Column, Values]:
    """The columns of a primary beam: the response, apparent fluxes and the beam's error term; NaN outside the map."""
    there = (forced.flags & flag("outside_map")) == 0
    held = {name: getattr(forced, name)[there] for name in ("x", "y", "flux_peak", "flux_int")}
    known = apparent_columns(held, response)
    columns: dict[Column, Values] = {}
    for each in schema.further("components", *known):
        columns[each] = np.full(len(there), np.nan)
        columns[each][there] = known[each.name]
    return columns


def _footprints(path: Path, known: Known) -> Footprints:
    """The labels in a file.

    Raises
    ------
    UsageError
        There is no such file, or the places do not tell their labels.
    """
    if known.islands is None or not (known.islands > 0).any():
        raise UsageError(
            "the catalogue does not tell which label holds each row",
            got="no column island_id, or none above 0 in it",
            allowed="the components or islands of skysift find",
            todo="give --table components or islands",
        )
    if not path.is_file():
        raise UsageError("no such map of labels", got=str(path))
    return Footprints(read_labels(path), open_image(path).frame)


def _named(crew: Crew, name: str, n_maps: int) -> Crew:
    """The crew, which tells the map with each stage where there are several."""
    report = crew.progress
    if report is None or n_maps == 1:
        return crew
    return replace(crew, progress=lambda stage, done, total: report(f"{name}, {stage}", done, total))


def _odd(found: OnMap, name: str) -> list[str]:
    """What is odd about the places on a map, one line each."""
    flags = found.forced.flags
    notes = []
    for word, told in (("outside_map", "outside of the map"), ("no_data", "without data")):
        count = int(((flags & flag(word)) != 0).sum())
        if count:
            notes.append(f"{name}: {count} of {flags.size} places are {told}")
    return notes


def _refuse_elsewhere(maps: Sequence[SkyImage], names: Sequence[str], known: Known) -> None:
    """Refuse a catalogue of another field, before anything is read of the maps.

    Raises
    ------
    UsageError
        No place lies on any of the maps.
    """
    if not len(known):
        return
    for image in maps:
        places = known.on(image)
        if (image.box.contains(places.x, places.y) & np.isfinite(places.shape).all(axis=1)).any():
            return
    raise UsageError(
        "no place of the catalogue lies on " + ("the map" if len(maps) == 1 else "any of the maps"),
        got=_where(known),
        allowed=f"positions on {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}",
        todo="check that catalogue and maps are of one field and of one system of coordinates",
    )


def _where(known: Known) -> str:
    """Where the places are, in words."""
    good = np.isfinite(known.ra) & np.isfinite(known.dec)
    if not good.any():
        return f"{len(known)} places without a position on the sky"
    ra, dec = known.ra[good], known.dec[good]
    return f"{len(known)} places at RA {ra.min():.4f} to {ra.max():.4f}, Dec {dec.min():+.4f} to {dec.max():+.4f}"
