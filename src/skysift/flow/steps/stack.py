"""`StackStep`: the mean image of many sources, in bins of a column, with errors and a control at random positions."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import OptionError, UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.base.random import generator
from skysift.flow.products import MANIFEST, PART, ProductFolder, write_manifest, writing
from skysift.flow.stamp_places import Places
from skysift.flow.stamp_sheets import Sheet, sheet_png, stamps_page
from skysift.flow.steps.stamps import bands_told, notes_of, places_of, refuse_nothing, stamps_key
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.stamps.grid import north_up
from skysift.stamps.making import grid_scale, refuse_too_large, usual_radius
from skysift.stamps.many import StampRow, make_all, tasks_of
from skysift.stamps.options import StackOptions
from skysift.stamps.quality import quality
from skysift.stamps.stack import Bin, Stacked, bins_of, in_beams, noise_of, random_places, stack
from skysift.stamps.surveys import Band

__all__ = ["BINS", "REPORT", "STACK", "BinFacts", "StackStep", "StacksMade"]

STACK, BINS, REPORT = "stack.fits", "bins.csv", "report.html"


@dataclass(frozen=True)
class BinFacts:
    """What one bin gave in one band.

    Parameters
    ----------
    bin, low, high
        Number of the bin from 1, and its edges; NaN where there is one bin of all.
    band
        The band.
    sources
        Stamps that have the middle pixel.
    peak, peak_err
        The stack in the middle, with its error.
    control, control_err
        Likewise at random positions; NaN without.
    excess, excess_err, snr
        Peak minus control, and over its error; the peak itself where the control is not known.
    noise
        Scatter of the pixels of the stack far from the middle.
    flux
        Sum within one FWHM of the middle over the beam (Jy), of stamps in Jy/beam; of the pixels where in Jy/pixel.
    unit
        Of peak, control, excess, their errors and the noise; empty where it is not known.
    """

    bin: int
    low: float
    high: float
    band: str
    sources: int
    peak: float
    peak_err: float
    control: float
    control_err: float
    excess: float
    excess_err: float
    snr: float
    noise: float
    flux: float
    unit: str


@dataclass(frozen=True, eq=False)
class StacksMade:
    """What was made: the stacks and controls of the bins, what they gave, and the manifest."""

    stacks: tuple[Stacked, ...]
    controls: tuple[Stacked | None, ...]
    facts: tuple[BinFacts, ...]
    frame: Frame
    manifest: Manifest


class StackStep:
    """Stacks of sources, with errors and a control.

    Parameters
    ----------
    options
        How stamps are made and stacked.
    """

    def __init__(self, options: StackOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"StackStep({self.options!r})"

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
    ) -> StacksMade:
        """What was made, after it was written into a folder.

        The folder gets ``stack.fits`` (for each bin the HDUs STACK, ERROR, COUNT, CONTROL: band, y, x), ``bins.csv`` (one
        row a bin and band), ``report.html`` and ``manifest.json``.

        Parameters
        ----------
        places
            The sources; their columns hold that of the bins.
        bands, out, inputs, overwrite, fresh, crew
            As for `skysift.flow.steps.stamps.StampsStep.run`.

        Raises
        ------
        UsageError
            There is no source, the stamps would be too large, or no survey covers any source.
        OptionError
            The bins hold no row, or are of a column without numbers.
        BusyError
            Another run is writing into the folder.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        options = self._checked(places, bands)
        bands = tuple(bands)
        values = _numbers(places.columns[options.bins], options.bins) if options.bins else None
        bins = bins_of(values, len(places), options.edges)
        scale = grid_scale(bands, options)
        options = options.model_copy(update={"radius": usual_radius(bands, options, scale)})
        side = options.side(math.nan)
        refuse_too_large([side], scale, options)
        size = options.pixels or max(5, math.ceil(side / scale))
        options = options.model_copy(
            update={"pixels": size + (size + 1) % 2}
        )  # a middle pixel for the source
        listed = places_of(places)
        sides = np.array([options.side(place.radius) for place in listed])
        apart = random_places(listed, sides, options.control_radius, options.control, options.seed)
        tasks = tasks_of(listed, places.size, options)
        others = tasks_of(apart, places.size, options, others=listed)
        key = stamps_key("stack", options, tasks, bands)
        names = (STACK, BINS, REPORT, MANIFEST)
        with ProductFolder(Path(out), names=names, overwrite=overwrite, key=key, fresh=fresh) as folder:
            crew = folder.keeping(crew)
            part = folder.directory / PART
            how: dict[str, Any] = {"form": "array", "told": ()}
            with writing(folder.directory):
                rows = make_all(tasks, bands, options, scale, part / "pieces", crew, **how)
                refuse_nothing(rows, bands)
                aside = make_all(others, bands, options, scale, part / "control", crew, **how)
                usual = [_usual(rows, k) for k in range(len(bands))]
                left, apart_left = _unlike(rows, usual), _unlike(aside, usual)
                stamps, noise = _gathered(part / "pieces", [task.name for task in tasks], left)
                control, quiet = _gathered(part / "control", [task.name for task in others], apart_left)
                stacks, controls = [], []
                for number, each in enumerate(bins, start=1):
                    rng = generator(options.seed, "stack", "bootstrap", str(number))
                    stacks.append(_stacked(stamps, each.rows, noise, options, rng))
                    around = [row * options.control + k for row in each.rows for k in range(options.control)]
                    controls.append(_stacked(control, around, quiet, options, rng) if around else None)
                frame = north_up(0.0, 0.0, stamps.shape[2], scale)
                beam = _beam(rows)
                facts = _facts(bins, bands, stacks, controls, frame, beam, options, usual)
                told = Provenance(skysift.__version__, "stack", options.to_dict(), tuple(inputs), (), "step")
                manifest = Manifest(
                    told,
                    outputs=names[:-1],
                    workers=crew.workers,
                    started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    seconds={"all": time.perf_counter() - clock},
                    counts={"sources": len(rows), "bins": len(bins), "control": len(apart)},
                    facts={"pixel_arcsec": scale, "bands": [band.name for band in bands]},
                    versions=library_versions(),
                    warnings=(
                        *notes_of(bands),
                        *_in_no_bin(len(places), bins, options.bins),
                        *_left_out(left, usual, bands, "stamps"),
                        *_left_out(apart_left, usual, bands, "stamps of the control"),
                        *_lacking(facts, control=options.control > 0),
                    ),
                )
                unit = _unit(usual)
                _write(
                    folder.path(STACK), bins, bands, stacks, controls, frame, beam, unit, options.bins, told
                )
                folder.path(BINS).write_text(_csv(facts), encoding="utf-8")
                folder.path(REPORT).write_text(
                    _page(rows, bands, bins, stacks, controls, facts, manifest), "utf-8"
                )
                write_manifest(manifest, folder)
            folder.commit()
        return StacksMade(tuple(stacks), tuple(controls), facts, frame, manifest)

    def _checked(self, places: Places, bands: Sequence[Band]) -> StackOptions:
        if not len(places):
            raise UsageError("there is no source to stack", allowed="one or more")
        if not bands:
            raise UsageError("there is no map and no survey", todo="give --surveys CONFIG or --map MAP")
        if self.options.grid != "north":
            raise UsageError("stamps are stacked on one grid", got="grid=native", allowed="grid=north")
        return self.options


def _numbers(values: NDArray[Any], name: str) -> NDArray[np.float64]:
    numbers = np.full(len(values), np.nan)
    for k, value in enumerate(values.tolist()):
        try:
            numbers[k] = np.nan if value is None else value
        except ValueError as error:
            raise OptionError(
                "bins are of a column of numbers",
                got=f"{name}, such as {str(value)!r}",
                todo="choose another --bins",
            ) from error
    return numbers


def _usual(rows: Sequence[StampRow], band: int) -> tuple[str, bool]:
    """The unit that most stamps have in a band, and whether they keep a beam of their own."""
    facts = [row.bands[band] for row in rows if row.bands and row.bands[band].unit]
    told = Counter((each.unit, bool(each.flags & quality("wide_beam"))) for each in facts)
    return max(sorted(told), key=lambda each: told[each], default=("", False))


def _unit(usual: Sequence[tuple[str, bool]]) -> str:
    """The one unit of all bands; empty where there are several."""
    units = {unit for unit, _ in usual if unit}
    return units.pop() if len(units) == 1 else ""


def _unlike(rows: Sequence[StampRow], usual: Sequence[tuple[str, bool]]) -> NDArray[np.bool_]:
    """Which bands of which stamps (row, band) are of another unit or beam than most, and cannot be added to them."""
    out = np.zeros((len(rows), len(usual)), np.bool_)
    for k, row in enumerate(rows):
        for band, facts in enumerate(row.bands):
            own = (facts.unit, bool(facts.flags & quality("wide_beam")))
            out[k, band] = bool(facts.unit) and own != usual[band]
    return out


def _left_out(
    unlike: NDArray[np.bool_], usual: Sequence[tuple[str, bool]], bands: Sequence[Band], what: str
) -> list[str]:
    """A line for each band of which stamps are left out."""
    return [
        f"{band.name}: {count} of {len(unlike)} {what} left out, for their unit is not {unit} or their own beam is "
        "too wide for that of the others"
        for band, (unit, _), count in zip(bands, usual, unlike.sum(axis=0), strict=True)
        if count
    ]


def _gathered(
    folder: Path, names: Sequence[str], unlike: NDArray[np.bool_]
) -> tuple[Any, NDArray[np.float64]]:
    """All stamps (n, band, y, x) in one array on disk, and the noise of each (n, band); blank where unlike."""
    n = len(unlike)
    if not n:
        return np.empty((0, 0, 0, 0), np.float32), np.empty((0, 0))
    whole: Any = None
    noise: list[NDArray[np.float64]] = []
    row = 0
    for name in names:
        data = np.load(folder / name)
        data[unlike[row : row + len(data)]] = np.nan
        if whole is None:
            whole = np.lib.format.open_memmap(
                folder / "all.npy", mode="w+", dtype=np.float32, shape=(n, *data.shape[1:])
            )
        whole[row : row + len(data)] = data
        noise += [noise_of(each) for each in data]
        row += len(data)
    return whole, np.array(noise)


def _stacked(
    stamps: Any,
    rows: Sequence[int],
    noise: NDArray[np.float64],
    options: StackOptions,
    rng: np.random.Generator,
) -> Stacked:
    return stack(
        stamps,
        rows,
        options.statistic,
        noise=noise,
        clip=options.clip,
        bootstrap=options.bootstrap,
        rng=rng,
    )


def _beam(rows: Sequence[StampRow]) -> Beam | None:
    """The common beam of the stamps, where they have one."""
    beams = np.array([row.beam for row in rows])
    good = np.isfinite(beams[:, 0])
    if not good.any() or np.ptp(beams[good, 0]) > 0.01 * beams[good, 0].mean():
        return None
    return Beam(*(float(each) for each in np.median(beams[good], axis=0)))


def _facts(
    bins: Sequence[Bin],
    bands: Sequence[Band],
    stacks: Sequence[Stacked],
    controls: Sequence[Stacked | None],
    frame: Frame,
    beam: Beam | None,
    options: StackOptions,
    usual: Sequence[tuple[str, bool]],
) -> tuple[BinFacts, ...]:
    out = []
    for number, (each, made, control) in enumerate(zip(bins, stacks, controls, strict=True), start=1):
        for k, band in enumerate(bands):
            image = made.image[k]
            y, x = image.shape[0] // 2, image.shape[1] // 2
            peak, peak_err = float(image[y, x]), float(made.error[k, y, x])
            level, level_err = math.nan, math.nan
            if control is not None:
                level, level_err = float(control.image[k, y, x]), float(control.error[k, y, x])
            excess = peak - (level if math.isfinite(level) else 0.0)
            error = math.hypot(peak_err, level_err if math.isfinite(level) else 0.0)
            flux = math.nan
            unit, wide = usual[k]
            if unit == "Jy/pixel" and beam is not None and not wide:
                flux = in_beams(image, frame, beam.major)
            elif unit == "Jy/beam" and beam is not None and not wide:
                flux = in_beams(image, frame, beam.major) * frame.pixel_area / beam.area
            snr = excess / error if error > 0 else math.nan
            noise = float(noise_of(made.image[k : k + 1])[0])
            counted = int(made.count[k, y, x])
            out.append(
                BinFacts(
                    number, each.low, each.high, band.name, counted, peak, peak_err, level, level_err,
                    excess, error, snr, noise, flux, unit,
                )
            )  # fmt: skip
    return tuple(out)


def _in_no_bin(n: int, bins: Sequence[Bin], column: str) -> list[str]:
    """A line where sources are in no bin: beyond the edges, or without a value."""
    rest = n - sum(len(each.rows) for each in bins)
    return (
        [f"{rest} of {n} sources are in no bin of {column}: beyond the edges, or without a value"]
        if rest
        else []
    )


def _lacking(facts: Sequence[BinFacts], *, control: bool) -> list[str]:
    """A line for each stack whose error cannot be known, and for each whose control was asked for and holds nothing."""
    alone = [
        f"bin {each.bin}, {each.band}: one source alone, so the error of the stack cannot be told (NaN)"
        for each in facts
        if each.sources == 1
    ]
    bare = [
        f"bin {each.bin}, {each.band}: no random position has data, so nothing is taken off: excess is the stack itself; "
        "give a smaller control_radius, or a wider map"
        for each in facts
        if control and each.sources and math.isnan(each.control)
    ]
    return [*alone, *bare]


def _write(
    path: Path,
    bins: Sequence[Bin],
    bands: Sequence[Band],
    stacks: Sequence[Stacked],
    controls: Sequence[Stacked | None],
    frame: Frame,
    beam: Beam | None,
    unit: str,
    column: str | None,
    told: Provenance,
) -> None:
    from astropy.io import fits  # late: heavy

    first = fits.PrimaryHDU()
    for key, value, comment in told.cards():
        if key == "HISTORY":
            first.header.add_history(value)
        else:
            first.header[key] = (value, comment)
    for k, band in enumerate(bands, start=1):
        first.header[f"BAND{k}"] = band.name
    hdus: list[Any] = [first]
    for number, (each, made, control) in enumerate(zip(bins, stacks, controls, strict=True), start=1):
        parts = [("STACK", made.image), ("ERROR", made.error), ("COUNT", made.count)]
        parts += [] if control is None else [("CONTROL", control.image), ("CONTROL_ERROR", control.error)]
        for name, data in parts:
            hdu = fits.ImageHDU(data, name=name, ver=number)
            header = hdu.header
            if name != "COUNT" and unit:
                header["BUNIT"] = unit
            for axis, sign in ((1, -1), (2, 1)):  # offsets from the source, east to the left
                header[f"CTYPE{axis}"] = "OFFSET"
                header[f"CUNIT{axis}"], header[f"CDELT{axis}"] = "arcsec", sign * frame.scale[0]
                header[f"CRPIX{axis}"], header[f"CRVAL{axis}"] = data.shape[-1] // 2 + 1.0, 0.0
            if beam is not None:
                header["BMAJ"], header["BMIN"], header["BPA"] = beam.major / 3600, beam.minor / 3600, beam.pa
            header["NSOURCES"] = len(each.rows)
            if math.isfinite(each.low):
                header["BINCOL"], header["BINLOW"], header["BINHIGH"] = column, each.low, each.high
            hdus.append(hdu)
    fits.HDUList(hdus).writeto(path, overwrite=True)


def _csv(facts: Sequence[BinFacts]) -> str:
    names = tuple(BinFacts.__dataclass_fields__)
    lines = [",".join(names)]
    for each in facts:
        values = (getattr(each, name) for name in names)
        lines.append(",".join(f"{v:.8g}" if isinstance(v, float) else str(v) for v in values))
    return "\n".join(lines) + "\n"


def _page(
    rows: Sequence[StampRow],
    bands: Sequence[Band],
    bins: Sequence[Bin],
    stacks: Sequence[Stacked],
    controls: Sequence[Stacked | None],
    facts: Sequence[BinFacts],
    manifest: Manifest,
) -> str:
    names, pictures = [], []
    for number, (each, made, control) in enumerate(zip(bins, stacks, controls, strict=True), start=1):
        told = f"{each.low:.4g} to {each.high:.4g}" if math.isfinite(each.low) else "all"
        for word, one in (("sources", made), ("control", control)):
            if one is not None:
                names.append(f"bin {number} ({told}): {word}")
                pictures.append(one.image)
    band_names = [band.name for band in bands]
    heads = ("bin", "from", "to", "band", "sources", "middle", "error", "control", "excess", "unit", "S/N")
    table = [
        (
            str(each.bin), f"{each.low:.4g}", f"{each.high:.4g}", each.band, str(each.sources), f"{each.peak:.4g}",
            f"{each.peak_err:.2g}", f"{each.control:.4g}", f"{each.excess:.4g}", each.unit,
            f"{each.snr:.1f}",
        )
        for each in facts
    ]  # fmt: skip
    sheet = Sheet("stack.png", sheet_png(names, band_names, pictures, "linear"), "stacks and controls")
    coverage = ", ".join(f"{row[0]} {row[1]}" for row in bands_told(rows, bands)[1])
    options = manifest.provenance.options
    return stamps_page(
        "Stack",
        f"{options['statistic']} of {len(rows)} sources; covered: {coverage}",
        (sheet,),
        heading="Bins",
        numbers=(
            (str(len(rows)), "sources"),
            (str(len(bins)), "bins"),
            (str(manifest.counts["control"]), "random positions"),
        ),
        heads=heads,
        table=table,
        options=options,
        notes=manifest.warnings[:20],
        footer=f"skysift {skysift.__version__}, {manifest.started}",
    )
