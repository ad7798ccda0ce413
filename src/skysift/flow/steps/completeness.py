"""`CompletenessStep`: made sources into a map, round by round, searched for, matched, counted, drawn."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.parallel import Crew
from skysift.base.provenance import Manifest, Provenance, library_versions
from skysift.base.random import generator
from skysift.base.settings import settings
from skysift.find.beams import as_seen
from skysift.find.finder import Finder
from skysift.find.finding import Finding
from skysift.find.noise import Noise, measure_noise
from skysift.find.response import with_pointing
from skysift.find.run import search
from skysift.flow.completeness_page import chart_bytes, completeness_page
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.steps.inject import rms_reader
from skysift.match.sky import Pairs, one_to_one_of, within
from skysift.score.recovery import Recovery, Searches, recovery_report
from skysift.score.scorer import Report, reports_to_json
from skysift.sim.inject.options import CompletenessOptions, InjectOptions
from skysift.sim.inject.sources import Reader, make_sources, room
from skysift.sim.made import MadeSources, inject
from skysift.sky.beam import FWHM_PER_SIGMA
from skysift.sky.box import Box
from skysift.sky.image import SkyImage
from skysift.sky.table import Table

__all__ = ["Completeness", "CompletenessStep"]

Floats = NDArray[np.float64]
Progress: TypeAlias = Callable[[str, int, int], None]

PRODUCTS = (
    "completeness.json",
    "curves.csv",
    "injections.csv",
    "completeness.png",
    "completeness.html",
    MANIFEST,
)
_ROWS = 256  # of the map, read at once to see how much of it holds data


@dataclass(frozen=True, eq=False)
class Completeness:
    """What a measurement of completeness gave.

    Parameters
    ----------
    report
        Numbers and tables.
    recovery
        What became of each made source.
    made
        The made sources, in the same order.
    rounds
        In which round each was put into the map.
    noise
        Of the map without them.
    """

    report: Report
    recovery: Recovery
    made: MadeSources
    rounds: NDArray[np.int64]
    noise: Noise


class CompletenessStep:
    """Completeness of a finder on a map: made sources go into the map, and the finder is to find them.

    Parameters
    ----------
    options
        What is made, and what counts as found.
    """

    def __init__(self, options: CompletenessOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"CompletenessStep({self.options!r})"

    def measure(
        self,
        image: SkyImage,
        finder: Finder[Any],
        *,
        name: str = "",
        workers: int = 1,
        tile: int = 1024,
        progress: Progress | None = None,
    ) -> Completeness:
        """How many of the sources that the options describe the finder finds in the map.

        Sources are put into the real map a few at a time, so that they do not crowd it, and each time the whole
        search runs: noise, islands, fits. A made source is found where a row of the catalogue lies within `radius`,
        its flux is within a factor of 2 or 5 sigma of the true one, and the map without made sources has no source
        there that is nearer to it in flux; pairs are taken one to one, the closest first. The inverted map tells nothing
        of a finder that drops what is unreliable by that very map, and is not searched then.

        Fluxes are spread evenly in their logarithm over the whole map, whatever the local noise, so that the curve
        against flux is that of the field: from `snr_low` sigma where it is quiet to `snr_high` where it is noisy.
        So the local S/N of some lies beyond both.

        Raises
        ------
        UsageError
            The map holds no data, or a template cannot be used.
        """
        options = self.options
        image, _ = as_seen(image, finder.options)
        noise = measure_noise(image, finder.options, Crew(workers, tile, progress))
        finder = copy(finder)  # what holds made sources has no header to tell where a dish pointed
        finder.options = with_pointing(image, finder.options)
        run = partial(search, finder=finder, workers=workers, tile=tile)
        rms = rms_reader(image, noise)
        shown = None if noise.response is None else noise.response.shown
        rounds = _rounds(image, rms, options)
        made = _spread_fluxes(rounds, options)
        _tell(progress, "search", 0, len(rounds) + 1 + options.inverted)
        plain = run(image)
        before = _Rows.of(plain.catalogue.table(options.table), image)
        parts = []
        for k, sources in enumerate(made):
            _tell(progress, "search", k + 1, len(rounds) + 1 + options.inverted)
            after = _Rows.of(run(inject(image, sources, shown)).catalogue.table(options.table), image)
            parts.append(_recover(image, sources, after, before, options))
        negative = None
        drops = bool(finder.options.reliability)  # in the inverted map, nearly all that the map has more of
        if options.inverted and not drops and getattr(finder.options, "background", "mesh") != "file":
            _tell(progress, "search", len(rounds) + 1, len(rounds) + 2)
            negative = _snr(run(image.upside_down()), options)
        _tell(progress, "search", len(rounds) + 1 + options.inverted, len(rounds) + 1 + options.inverted)
        recovery = Recovery(
            **{
                each: np.concatenate([getattr(part, each) for part in parts])
                for each in Recovery.__annotations__
            }
        )
        report = recovery_report(
            recovery,
            Searches(_snr(plain, options), negative),
            image.shape,
            rule=_rule(options),
            options=options.to_dict(),
            random_seed=options.random_seed,
            catalogue=f"{image.name}, {name or type(finder).__name__}",
        )
        which = np.repeat(np.arange(len(made)), [len(each) for each in made])
        return Completeness(report, recovery, _joined(made), which, noise)

    def run(
        self,
        image: SkyImage,
        finder: Finder[Any],
        out: str | Path,
        *,
        name: str = "",
        overwrite: bool = False,
        workers: int | None = None,
        tile: int | None = None,
        progress: Progress | None = None,
    ) -> Completeness:
        """What `measure` gave, after its report, tables, chart and page were written into a folder.

        The folder gets ``completeness.json``, ``curves.csv``, ``injections.csv``, ``completeness.png``,
        ``completeness.html`` and ``manifest.json``, or, where anything fails, nothing.

        Raises
        ------
        BusyError
            Another run is writing into the folder.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        workers, tile = workers or settings().workers, tile or settings().tile
        with ProductFolder(Path(out), names=PRODUCTS, overwrite=overwrite) as folder:
            done = self.measure(image, finder, name=name, workers=workers, tile=tile, progress=progress)
            told = Provenance(
                skysift.__version__,
                name or type(finder).__name__,
                finder.options.to_dict(),
                (image.input_record(),),
                image.notes,
            )
            manifest = Manifest(
                told,
                PRODUCTS[:-1],
                tile=tile,
                workers=workers,
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"all": time.perf_counter() - clock},
                facts={"made sources": self.options.to_dict()},
                counts={"made": len(done.recovery), "found": int(done.recovery.found.sum())},
                versions=library_versions(),
                warnings=image.notes,
            )
            _tell(progress, "report", 0, 1)
            texts = {
                "completeness.json": reports_to_json([done.report]) + "\n",
                "curves.csv": _csv(_curves(done.report)),
                "injections.csv": _csv(_injections(image, done)),
                "completeness.html": completeness_page(image, done.report, done.recovery, manifest),
            }
            with writing(folder.directory):
                for each, text in texts.items():
                    folder.path(each).write_text(text, encoding="utf-8")
                folder.path("completeness.png").write_bytes(chart_bytes(done.report))
                write_manifest(manifest, folder)
            folder.commit()
        return done


# -- making


def _rounds(image: SkyImage, rms: Reader, options: CompletenessOptions) -> list[MadeSources]:
    """The made sources of each round, their fluxes still to come."""
    share = _share_of_data(image, rms)
    each = room(image, options, options.crowding, share)
    n_rounds = max(1, math.ceil(options.number / each))
    sizes = [len(part) for part in np.array_split(np.arange(options.number), n_rounds)]
    menu = {name: getattr(options, name) for name in InjectOptions.model_fields}
    return [
        make_sources(image, rms, InjectOptions(**menu | {"number": size}), f"round {k}")
        for k, size in enumerate(sizes)
    ]


def _share_of_data(image: SkyImage, rms: Reader) -> float:
    """The part of the map that holds data, from one row in sixteen."""
    rows = range(0, image.shape[0], 16)
    good = sum(int(np.isfinite(rms(Box(y, y + 1, 0, image.shape[1]))).sum()) for y in rows)
    return good / (len(rows) * image.shape[1])


def _spread_fluxes(rounds: list[MadeSources], options: CompletenessOptions) -> list[MadeSources]:
    """The rounds with fluxes that are spread evenly in their logarithm over all of them, whatever the local noise."""
    unit = np.concatenate([each.rms * each.flux / each.flux_peak for each in rounds])  # Jy of 1 sigma of peak
    if options.flux_low is not None and options.flux_high is not None:
        low, high = options.flux_low, options.flux_high
    else:
        quiet, noisy = np.percentile(unit, [2.0, 98.0])
        low, high = options.snr_low * float(quiet), options.snr_high * float(noisy)
    rng = generator(options.random_seed, "completeness", "fluxes")
    flux = low * (high / low) ** ((rng.permutation(unit.size) + 0.5) / unit.size)
    ends = np.cumsum([len(each) for each in rounds])
    return [each.with_flux(part) for each, part in zip(rounds, np.split(flux, ends[:-1]), strict=True)]


def _joined(rounds: list[MadeSources]) -> MadeSources:
    begin = np.cumsum([0, *(len(each) for each in rounds)])
    columns = {
        name: np.concatenate([getattr(each, name) for each in rounds])
        for name in MadeSources.__annotations__
        if name != "owner"
    }
    owner = np.concatenate([each.owner + shift for each, shift in zip(rounds, begin, strict=False)])
    return MadeSources(**columns, owner=owner)


# -- matching


@dataclass(frozen=True, eq=False)
class _Rows:
    """What matching needs of a table: positions (deg; of a map without sky on a small plane), fluxes, errors."""

    lon: Floats
    lat: Floats
    table: Table

    @classmethod
    def of(cls, table: Table, image: SkyImage) -> _Rows:
        return cls(*_place(image, table["x"], table["y"]), table)


def _place(image: SkyImage, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    if image.frame.celestial:
        return image.frame.to_sky(x, y)
    sy, sx = image.frame.scale
    return (x - image.shape[1] / 2) * sx / 3600.0, (y - image.shape[0] / 2) * sy / 3600.0


def _recover(
    image: SkyImage, made: MadeSources, after: _Rows, before: _Rows, options: CompletenessOptions
) -> Recovery:
    """Which made sources are in the catalogue of the map that holds them."""
    lon, lat = _place(image, made.x, made.y)
    size = FWHM_PER_SIGMA * np.sqrt(np.sqrt(np.maximum(made.ee * made.nn - made.en**2, 0.0)))
    beam = math.sqrt(image.beam.major * image.beam.minor)
    radius = options.radius * np.hypot(beam, size)
    pairs = within(lon, lat, after.lon, after.lat, radius)
    flux = after.table["flux"]
    true, told = made.flux[pairs.left], flux[pairs.right]
    close = (told > 0.5 * true) & (told < 2.0 * true)
    close |= np.abs(told - true) < 5.0 * after.table["flux_err"][pairs.right]
    pairs = pairs.select(close & ~_was_there(pairs, made, after, before, options.radius * beam))
    pairs = one_to_one_of(pairs, pairs.separation)
    found = np.zeros(len(made), dtype=np.bool_)
    found[pairs.left] = True

    def of(name: str) -> Floats:
        out = np.full(len(made), np.nan)
        out[pairs.left] = after.table[name][pairs.right]
        return out

    return Recovery(
        made.x, made.y, made.flux, made.snr, found, of("flux"), of("flux_err"),
        of("x") - made.x, of("y") - made.y, of("x_err"), of("y_err"),
    )  # fmt: skip


def _was_there(
    pairs: Pairs, made: MadeSources, after: _Rows, before: _Rows, radius: float
) -> NDArray[np.bool_]:
    """Pairs whose found row is rather a source that the map had before: there, and nearer to it in flux."""
    same = within(after.lon, after.lat, before.lon, before.lat, radius)
    old = np.full(after.lon.size, np.nan)  # flux of the brightest earlier source near each found row
    order = np.argsort(before.table["flux"][same.right], kind="stable")
    near = same.select(order)
    old[near.left] = before.table["flux"][near.right]
    told = after.table["flux"][pairs.right]
    return np.asarray(np.abs(told - old[pairs.right]) <= np.abs(told - made.flux[pairs.left]))


def _snr(finding: Finding, options: CompletenessOptions) -> Floats:
    values = finding.catalogue.table(options.table)["snr"]
    return np.asarray(values[np.isfinite(values) & (values > 0.0)])


def _rule(options: CompletenessOptions) -> str:
    return (
        f"Made sources are put into the map, none nearer to another than {options.spacing:g} beams, and the whole "
        "search runs on it. Their fluxes are spread evenly in the logarithm, one range for the whole map, whatever "
        f"the local noise. One is found where a row of the table {options.table} lies within {options.radius:g} "
        "of its convolved FWHM, has a flux within a factor of 2 or 5 sigma of the true one, and is not rather a "
        "source that the map had before; one to one, the closest pair first. Shares have Wilson's 95 % interval. "
        "The curve is an error function in the logarithm, of highest likelihood; its errors come from resampling. "
        "Reliability supposes that the inverted map has as many false sources as the map itself: sidelobes and "
        "bowls around bright sources make it too low, artefacts above zero too high."
    )


# -- products


def _curves(report: Report) -> Mapping[str, list[Any]]:
    """Both curves in one table, the first column telling against what."""
    columns: dict[str, list[Any]] = {}
    for against in ("snr", "flux"):
        table = report.tables[against]
        columns.setdefault("against", []).extend([against] * len(table["n"]))
        for key, values in table.items():
            columns.setdefault(key.replace(against, "value"), []).extend(values)
    return columns


def _injections(image: SkyImage, done: Completeness) -> Mapping[str, list[Any]]:
    """The made sources and what was found of them, one row each."""
    made, seen = done.made, done.recovery
    ra, dec = image.frame.to_sky(made.x, made.y)
    columns: dict[str, NDArray[Any]] = {
        "round": done.rounds + 1, "x": made.x, "y": made.y, "ra": ra, "dec": dec, "morphology": made.morphology,
        "size": made.extent, "flux": made.flux, "flux_peak": made.flux_peak, "rms": made.rms, "snr": made.snr,
        "found": seen.found.astype(np.int64), "flux_found": seen.flux_found, "flux_found_err": seen.flux_found_err,
        "x_found": made.x + seen.dx, "y_found": made.y + seen.dy, "x_found_err": seen.dx_err, "y_found_err": seen.dy_err,
    }  # fmt: skip
    return {key: values.tolist() for key, values in columns.items()}


def _csv(columns: Mapping[str, list[Any]]) -> str:
    """A table as text; floats to nine digits, nothing for NaN."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in zip(*columns.values(), strict=True):
        writer.writerow(
            ["" if value != value else f"{value:.9g}" if isinstance(value, float) else value for value in row]
        )
    return text.getvalue()


def _tell(progress: Progress | None, stage: str, done: int, total: int) -> None:
    if progress is not None:
        progress(stage, done, total)
