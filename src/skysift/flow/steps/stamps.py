"""`StampsStep`: small images about the rows of a catalogue, from one map or many surveys."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

import skysift
from skysift.base.errors import OptionError, UsageError
from skysift.base.extras import require
from skysift.base.fingerprint import fingerprint
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.flow.products import MANIFEST, PART, ProductFolder, write_manifest, writing
from skysift.flow.reasons import reasons
from skysift.flow.stamp_places import Places
from skysift.flow.stamp_sheets import PER_SHEET, Sheet, sheet_png, stamps_page
from skysift.stamps.archive import join_pieces
from skysift.stamps.array import ARRAYS, ArrayForm, write_array
from skysift.stamps.making import Place, grid_scale, refuse_too_large, usual_radius
from skysift.stamps.many import StampRow, StampTask, make_all, tasks_of
from skysift.stamps.options import MakingOptions, StampsOptions
from skysift.stamps.quality import QUALITY, names_of, quality
from skysift.stamps.sampling import sampling_note, sampling_words
from skysift.stamps.surveys import Band
from skysift.stamps.written import ARCHIVE, COVERAGE

__all__ = [
    "REPORT",
    "SHEETS",
    "StampsMade",
    "StampsStep",
    "bands_told",
    "notes_of",
    "places_of",
    "refuse_nothing",
    "stamps_key",
]

REPORT, SHEETS = "report.html", "sheets"
_PIECES = "pieces"


@dataclass(frozen=True, eq=False)
class StampsMade:
    """What was made: the rows, the bands, the size of a pixel (arcsec), and the manifest."""

    rows: tuple[StampRow, ...]
    bands: tuple[Band, ...]
    scale: float
    manifest: Manifest


class StampsStep:
    """Stamps of sources as an archive or an array, with a table of coverage, contact sheets and a page.

    Parameters
    ----------
    options
        How they are made.
    """

    def __init__(self, options: StampsOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"StampsStep({self.options!r})"

    def run(
        self,
        places: Places,
        bands: Sequence[Band],
        out: str | Path,
        *,
        inputs: Sequence[InputRecord] = (),
        overwrite: bool = False,
        fresh: bool = False,
        crew: Crew = ALONE,
    ) -> StampsMade:
        """What was made, after it was written into a folder.

        The folder gets ``stamps.tar`` (one FITS cube a source), ``stamps.zarr`` or ``stamps.hdf5``,
        ``coverage.fits`` (one row a source), ``report.html`` with contact sheets, the folder ``sheets`` of them as PNG,
        and ``manifest.json``. A run that is broken off goes on where it was when it is repeated.

        Parameters
        ----------
        places
            The sources.
        bands
            Where images are.
        out
            The folder.
        inputs
            What was read, for the provenance.
        overwrite
            Whether the products of an earlier run are replaced, on success.
        fresh
            Whether what a broken-off run has left is discarded.
        crew
            Who does it.

        Raises
        ------
        UsageError
            There is no source, all stamps would be too large, or no survey covers any source.
        OptionError
            The format does not go with the other options.
        BusyError
            Another run is writing into the folder.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        options = self._checked(places, bands)
        bands = tuple(bands)
        scale = grid_scale(bands, options)
        options = options.model_copy(update={"radius": usual_radius(bands, options, scale)})
        listed = places_of(places)
        refuse_too_large([options.side(place.radius) for place in listed], scale, options)
        whole = places.whole
        tasks = (
            tasks_of(listed, places.size, options)
            if whole is None
            else tasks_of(listed, whole.size, options, others=places_of(whole))
        )
        shown = options.sheets * PER_SHEET
        main = ARCHIVE if options.format == "fits" else ARRAYS[options.format]
        names = (main, COVERAGE, REPORT, *([SHEETS] * (shown > 0)), MANIFEST)
        key = stamps_key("stamps", options, tasks, bands)
        with ProductFolder(Path(out), names=names, overwrite=overwrite, key=key, fresh=fresh) as folder:
            crew = folder.keeping(crew)
            work = folder.directory / PART / _PIECES
            told = Provenance(
                skysift.__version__, "stamps", options.to_dict(), tuple(inputs), notes_of(bands), "step"
            )
            cards = (("CREATOR", f"skysift {skysift.__version__}", "program that made this file"),)
            with writing(folder.directory):
                form: Literal["files", "array"] = "files" if options.format == "fits" else "array"
                rows = make_all(tasks, bands, options, scale, work, crew, form=form, told=cards, shown=shown)
                refuse_nothing(rows, bands)
                pieces = [work / task.name for task in tasks]
                if options.format == "fits":
                    join_pieces(pieces, folder.path(main))
                else:
                    _write_array(folder.path(main), options.format, pieces, places, bands, options, scale)
                _write_coverage(folder.path(COVERAGE), rows, places, bands, options, scale, told)
                sheets = _sheets(rows, places, bands, options) if shown else ()
                if shown:
                    folder.path(SHEETS).mkdir()
                    for sheet in sheets:
                        (folder.path(SHEETS) / sheet.name).write_bytes(sheet.png)
                manifest = Manifest(
                    told,
                    outputs=names[:-1],
                    workers=crew.workers,
                    started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    seconds={"all": time.perf_counter() - clock},
                    counts=_counts(rows),
                    facts={"pixel_arcsec": scale, "bands": [band.name for band in bands]},
                    versions=library_versions(),
                    warnings=tuple(
                        dict.fromkeys(
                            (
                                *notes_of(bands),
                                *_wide(rows, bands),
                                *_sampled(rows, options, scale),
                                *_errors(rows, places),
                            )
                        )
                    ),
                )
                page = self._page(rows, bands, sheets, manifest, scale)
                folder.path(REPORT).write_text(page, encoding="utf-8")
                write_manifest(manifest, folder)
            folder.commit()
        return StampsMade(tuple(rows), bands, scale, manifest)

    def _checked(self, places: Places, bands: Sequence[Band]) -> StampsOptions:
        options = self.options
        if not len(places):
            raise UsageError("there is no source to make a stamp of", allowed="one or more")
        if not bands:
            raise UsageError("there is no map and no survey", todo="give --surveys CONFIG or --map MAP")
        if options.method != "interpolate":
            require(f"method={options.method}", "reproject")
        if options.format != "fits":
            require(f"format={options.format}", "zarr" if options.format == "zarr" else "h5py")
            if options.grid != "north" or options.pixels is None:
                raise OptionError(
                    "stamps of one array have one size",
                    got=f"grid={options.grid}, pixels={options.pixels}",
                    allowed="grid=north and pixels=N",
                )
        return options

    def _page(
        self,
        rows: Sequence[StampRow],
        bands: Sequence[Band],
        sheets: Sequence[Sheet],
        manifest: Manifest,
        scale: float,
    ) -> str:
        counts = manifest.counts
        heads, table = bands_told(rows, bands)
        return stamps_page(
            "Stamps",
            f"{counts['sources']} source{'s' * (counts['sources'] > 1)} in {len(bands)} band{'s' * (len(bands) > 1)}, "
            f"pixels of {scale:.4g} arcsec",
            sheets,
            heading="Bands",
            numbers=(
                (f"{counts['stamps']}", "stamps"),
                (f"{counts['without']}", "sources that no survey covers"),
                (f"{counts['failed']}", "sources with a failure"),
            ),
            heads=heads,
            table=table,
            options=manifest.provenance.options,
            notes=manifest.warnings[:20],
            footer=f"skysift {skysift.__version__}, {manifest.started}",
        )


def stamps_key(
    step: str, options: MakingOptions, tasks: Sequence[StampTask], bands: Sequence[Band]
) -> dict[str, object]:
    """What decides the results of a run that makes stamps."""
    return {
        "version": skysift.__version__,
        "step": step,
        "options": options.to_dict(),
        "sources": fingerprint(tasks),
        "surveys": fingerprint(bands),
    }


def places_of(places: Places) -> list[Place]:
    """The sources one by one."""
    return [
        Place(name, float(ra), float(dec), float(radius))
        for name, ra, dec, radius in zip(places.names, places.ra, places.dec, places.radius, strict=True)
    ]


def bands_told(
    rows: Sequence[StampRow], bands: Sequence[Band]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Heads and rows of a table of how well each band covers the sources."""
    heads = ("band", "covered", *(each.name for each in QUALITY))
    table = []
    for k, band in enumerate(bands):
        flags = np.array([row.bands[k].flags for row in rows if row.bands], dtype=np.int64)
        blind = quality("none") | quality("failed")
        covered = int(((flags & blind) == 0).sum())
        counted = [str(int(((flags & each.value) != 0).sum())) for each in QUALITY]
        table.append((band.name, f"{covered} of {len(rows)}", *counted))
    return heads, table


def notes_of(bands: Sequence[Band]) -> tuple[str, ...]:
    """What is worth telling of the bands."""
    return tuple(note for band in bands for note in band.notes)


def _errors(rows: Sequence[StampRow], places: Places) -> tuple[str, ...]:
    pairs = [(name, error) for name, row in zip(places.names, rows, strict=True) for error in row.errors]
    return reasons(pairs, "stamp", "errors")


def _wide(rows: Sequence[StampRow], bands: Sequence[Band]) -> list[str]:
    """A line for each band of which stamps keep a beam that the wanted one does not hold."""
    wide = np.array([[each.flags & quality("wide_beam") for each in row.bands] for row in rows if row.bands])
    counts = (wide > 0).sum(axis=0) if wide.size else np.zeros(len(bands), np.int64)
    return [
        f"{band.name}: {count} of {len(rows)} stamps keep their own beam, which the wanted one does not hold (wide_beam)"
        for band, count in zip(bands, counts.tolist(), strict=True)
        if count
    ]


def _one_scale(options: MakingOptions) -> bool:
    """Whether the pixels of all stamps have one size; with a number of pixels and radii of rows they do not."""
    return not (options.radius_column and options.pixels is not None)


def _sampled(rows: Sequence[StampRow], options: MakingOptions, scale: float) -> list[str]:
    """A line where stamps are too small, or have too few or too many pixels across the beam."""
    made = [row for row in rows if row.pixels]
    beams = np.array([row.beam[:2] for row in made]).reshape(-1, 2)
    pixel = scale if _one_scale(options) else math.nan
    across = np.sqrt(beams[:, 0] * beams[:, 1]) / pixel
    note = sampling_note(sampling_words(np.array([row.pixels for row in made], np.int64), across), "stamps")
    return [note] if note and options.grid == "north" else []


def _counts(rows: Sequence[StampRow]) -> dict[str, int]:
    return {
        "sources": len(rows),
        "stamps": sum(any(not band.flags & 129 for band in row.bands) for row in rows),
        "without": sum(bool(row.bands) and all(band.flags & 1 for band in row.bands) for row in rows),
        "failed": sum(bool(row.errors) for row in rows),
    }


def refuse_nothing(rows: Sequence[StampRow], bands: Sequence[Band]) -> None:
    """Refuse sources of another part of the sky.

    Raises
    ------
    UsageError
        No survey covers any of them.
    """
    if _counts(rows)["stamps"]:
        return
    first = next((error for row in rows for error in row.errors), "")
    raise UsageError(
        "no survey covers any of the sources",
        got=first or f"{len(rows)} source{'s' * (len(rows) > 1)}, {', '.join(band.name for band in bands)}",
        todo="check that sources and surveys are of one part of the sky, and that the maps are not blank there",
    )


def _write_array(
    path: Path,
    form: ArrayForm,
    pieces: Sequence[Path],
    places: Places,
    bands: Sequence[Band],
    options: StampsOptions,
    scale: float,
) -> None:
    assert options.pixels is not None  # checked where the format is chosen
    shape = (len(places), len(bands), options.pixels, options.pixels)
    told = {
        "bands": [band.name for band in bands],
        "unit": options.units,
        **({"pixel_arcsec": scale} if _one_scale(options) else {}),
        "axes": ["source", "band", "y", "x"],
        "creator": f"skysift {skysift.__version__}",
    }
    write_array(path, form, pieces, shape, places.names, {"ra": places.ra, "dec": places.dec}, told)


def _write_coverage(
    path: Path,
    rows: Sequence[StampRow],
    places: Places,
    bands: Sequence[Band],
    options: StampsOptions,
    scale: float,
    told: Provenance,
) -> None:
    """The table: where each source is, its stamp, and for each band how much is there and what to know of it."""
    from astropy.io import fits  # late: heavy

    n = len(rows)
    columns: list[tuple[str, Any, str]] = [
        ("name", np.array(places.names), ""),
        ("ra", places.ra, "deg"),
        ("dec", places.dec, "deg"),
        ("file", np.array([row.file for row in rows]), ""),
        ("pixels", np.array([row.pixels for row in rows], np.int32), ""),
    ]
    beams = np.array([row.beam for row in rows]).reshape(n, 3)
    named = (("beam_major", "arcsec"), ("beam_minor", "arcsec"), ("beam_pa", "deg"))
    columns += [(name, beams[:, k], unit) for k, (name, unit) in enumerate(named)]
    columns.append(("flags", np.array([row.flags for row in rows], np.int32), ""))
    for k, band in enumerate(bands):
        of = [row.bands[k] if row.bands else None for row in rows]
        columns.append((f"{band.name}_image", np.array([each.image if each else "" for each in of]), ""))
        for name in ("coverage", "peak", "background", "noise"):
            values = [
                getattr(each, name) if each else (0.0 if name == "coverage" else math.nan) for each in of
            ]
            columns.append((f"{band.name}_{name}", np.array(values, np.float64), ""))
        columns.append((f"{band.name}_unit", np.array([each.unit if each else "" for each in of]), ""))
        for axis, name in enumerate(("major", "minor")):
            axes = [each.beam[axis] if each else math.nan for each in of]
            columns.append((f"{band.name}_beam_{name}", np.array(axes, np.float64), "arcsec"))
        flags = [each.flags if each else quality("failed") for each in of]
        columns.append((f"{band.name}_flags", np.array(flags, np.int32), ""))
        columns.append((f"{band.name}_quality", np.array([names_of(each) for each in flags]), ""))
    columns.append(("errors", np.array(["; ".join(row.errors)[:400] for row in rows]), ""))
    table = fits.BinTableHDU.from_columns([_column(*each) for each in columns], name="COVERAGE")
    table.header["NBANDS"] = len(bands)
    for k, band in enumerate(bands, start=1):
        table.header[f"BAND{k}"] = band.name
    table.header["GRID"] = options.grid
    if options.units != "keep":
        table.header["UNIT"] = (options.units, "of all pixels whose band says no other")
    if _one_scale(options):
        table.header["PIXSIZE"] = (scale, "[arcsec] size of a pixel")
    for key, value, comment in told.cards():
        if key == "HISTORY":
            table.header.add_history(value)
        else:
            table.header[key] = (value, comment)
    table.writeto(path, overwrite=True)


def _column(name: str, values: Any, unit: str) -> Any:
    from astropy.io import fits  # late: heavy

    kind = {"i": "J", "f": "D"}.get(values.dtype.kind)
    if kind is None:
        values = np.char.encode(values.astype(str), "ascii", "replace")
        kind = f"{max(1, values.dtype.itemsize)}A"
    return fits.Column(name, kind, unit or None, array=values)


def _sheets(
    rows: Sequence[StampRow], places: Places, bands: Sequence[Band], options: StampsOptions
) -> tuple[Sheet, ...]:
    shown = [k for k, row in enumerate(rows) if row.thumbs is not None]
    names = [band.name for band in bands]
    sheets = []
    for number, start in enumerate(range(0, len(shown), PER_SHEET), start=1):
        on = shown[start : start + PER_SHEET]
        thumbs = [thumb for k in on if (thumb := rows[k].thumbs) is not None]
        png = sheet_png([places.names[k] for k in on], names, thumbs, options.stretch)
        caption = f"{places.names[on[0]]} to {places.names[on[-1]]}" if len(on) > 1 else places.names[on[0]]
        sheets.append(Sheet(f"sheet-{number:04d}.png", png, caption))
    return tuple(sheets)
