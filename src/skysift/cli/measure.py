"""``skysift measure``: fluxes at the places of a catalogue, on one map or on many."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from skysift.base.cluster import hands
from skysift.base.errors import OptionError
from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.base.settings import SMALLEST_TILE, settings
from skysift.cli.flags import (
    OptionsFlag,
    OverwriteFlag,
    PrimaryBeamFlag,
    PsfFlag,
    QuietFlag,
    SchedulerFlag,
    TileFlag,
    WeightFlag,
    WorkersFlag,
    at_least,
    folder_of,
    gather,
    with_short,
)
from skysift.cli.opening import (
    BeamFlag,
    BeamPlaneFlag,
    HduFlag,
    PixelScaleFlag,
    PlaneFlag,
    UnitFlag,
    frequencies_of,
    opening,
)
from skysift.cli.progress import Watch
from skysift.measure.options import MeasureOptions
from skysift.sky import schema

if TYPE_CHECKING:
    from skysift.base.provenance import Manifest
    from skysift.flow.measurements import Measurements

__all__ = ["measure"]


def measure(
    maps: Annotated[
        list[str], typer.Argument(metavar="MAP...", help="FITS images; map.fits[SCI] names an HDU.")
    ],
    at: Annotated[
        Path,
        typer.Option(
            "--at",
            metavar="CATALOGUE",
            help="A folder or table of skysift, or a catalogue of another program.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the products go.")],
    fit: Annotated[
        Literal["flux", "position", "shape"] | None,
        typer.Option("--fit", help="What is fitted; the flux alone by default."),
    ] = None,
    table: Annotated[
        str, typer.Option("--table", metavar="TABLE", help="components, sources or islands of a folder.")
    ] = "components",
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="FILE", help="Label map of an earlier run: its footprints are summed."
        ),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option, such as --set apertures=20,40; may be given again. "
            "`skysift options measure` lists them.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    primary_beam: PrimaryBeamFlag = None,
    weight: WeightFlag = None,
    psf: PsfFlag = None,
    workers: WorkersFlag = None,
    scheduler: SchedulerFlag = None,
    tile: TileFlag = None,
    formats: Annotated[
        str, typer.Option("--format", metavar="LIST", help="Formats of the tables: fits,votable,parquet,csv.")
    ] = "fits",
    report: Annotated[bool, typer.Option("--report/--no-report", help="Draw report.html.")] = True,
    overwrite: OverwriteFlag = False,
    hdu: HduFlag = None,
    plane: PlaneFlag = None,
    beam: BeamFlag = None,
    beam_plane: BeamPlaneFlag = None,
    pixel_scale: PixelScaleFlag = None,
    unit: UnitFlag = None,
    frequency: Annotated[
        str | None,
        typer.Option(
            "--frequency", metavar="LIST", help="Of the maps: one for all, or one each; - for unknown."
        ),
    ] = None,
    quiet: QuietFlag = False,
) -> None:
    r"""Measure fluxes at known places: on one map or many, with limits, light curves and spectra.

    \b
    Examples:
      skysift measure map.fits --at field --out forced
      skysift measure may.fits june.fits july.fits --at field/components.fits --out curves
      skysift measure map.fits --at pybdsf.srl --out again --fit position
      skysift measure low.fits high.fits --at list.csv --out spectra --set apertures=20,40 --format fits,csv

    \b
    DIR gets measurements (one row a place and map), series (one row a place: mean, eta, V, modulation index,
    spectral index), report.html (open it first) and manifest.json. Fluxes keep their sign; flux_limit stands
    beside them. Shapes are those of the catalogue, its beam taken out and that of each map put on: flux_int
    here is to be compared with the column flux of `skysift find`.
    """
    folder = folder_of(out)
    schema.columns(table)  # a name that no table has is told before anything is read
    short = {"fit": fit, "primary_beam": primary_beam, "weight": weight, "psf_file": psf}
    pairs = with_short(chosen, short)
    options = gather(MeasureOptions, pairs, options_file)
    task = opening(hdu=hdu, plane=plane, beam=beam, beam_plane=beam_plane, pixel_scale=pixel_scale, unit=unit)
    del task["frequency"]
    frequencies = _frequencies(frequency, len(maps))
    names = tuple(dict.fromkeys(name.strip() for name in formats.split(",") if name.strip()))
    known_formats = Registry[Any]("format").names()
    if not names or any(name not in known_formats for name in names):
        raise OptionError("--format names something unknown", got=formats, allowed=known_formats)
    workers = at_least("--workers", workers, 1)
    executor, workers = hands(scheduler, workers)
    tile = at_least("--tile", tile, SMALLEST_TILE) or settings().tile

    # loaded late: help and wrong options are told without numpy, astropy and the compiled code
    from skysift.flow.steps.match import records
    from skysift.flow.steps.measure import MeasureStep, read_known
    from skysift.io.open import open_image

    known = read_known(at, options, table)
    images = [
        open_image(path, **task, frequency=None if math.isnan(each) else each)
        for path, each in zip(maps, frequencies, strict=True)
    ]
    with Watch(images[0].name if len(images) == 1 else f"{len(images)} maps", quiet=quiet) as watch:
        done, manifest = MeasureStep(options).run(
            images,
            known,
            folder,
            inputs=records([at]),
            labels=labels,
            formats=names,
            report=report,
            overwrite=overwrite,
            crew=Crew(workers, tile, watch, executor),
        )
    for note in done.notes:
        if " was given: " not in note:  # the flags of this call
            print(f"skysift: warning: {note}", file=sys.stderr)
    if not quiet:
        print(_summary(done, manifest, folder))


def _frequencies(text: str | None, n_maps: int) -> list[float]:
    """The frequency of each map (Hz); NaN for those of the headers."""
    if text is None:
        return [math.nan] * n_maps
    told = frequencies_of(text)
    if len(told) not in (1, n_maps):
        raise OptionError(
            "--frequency does not fit the maps",
            got=f"{len(told)} for {n_maps} maps",
            allowed="one for all, or one each",
        )
    return told * n_maps if len(told) == 1 else told


def _summary(done: Measurements, manifest: Manifest, folder: Path) -> str:
    """A few lines about the run."""
    counts = manifest.counts
    flagged = f"{counts['flagged']} flagged ({counts['doubtful']} doubtful)"
    if counts["outside"]:
        flagged += f", {counts['outside']} outside of a map"
    significant = int((done.table["snr"] > 5).sum())
    rows = [
        ("places", f"{counts['places']}", f"on {counts['maps']} map{'s' if counts['maps'] > 1 else ''}"),
        ("fluxes", f"{counts['measured']}", f"{significant} above five errors, {flagged}"),
    ]
    if counts["maps"] > 1:
        odd = int((done.series["p_constant"] < 1e-3).sum())
        rows.append(("variable", f"{odd}", "places constant with a probability below 0.1 %"))
    rows.append(("time", f"{sum(manifest.seconds.values()):.1f} s", ""))
    wide = max(len(value) for _, value, _ in rows)
    lines = [f"{title:<9} {value:>{wide}}  {more}".rstrip() for title, value, more in rows]
    first = "report.html" if "report.html" in manifest.outputs else "manifest.json"
    return "\n".join([*lines, f"{'look at':<9} {folder / first}"])
