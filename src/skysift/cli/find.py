"""``skysift find``: maps in, a folder of products for each out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysift.base.cluster import cluster
from skysift.base.errors import OptionError, SkysiftError, exit_code
from skysift.base.registry import Registry
from skysift.base.settings import SMALLEST_TILE, settings
from skysift.cli.beside import (
    Besides,
    ChannelFrequenciesFlag,
    ChannelsFlag,
    StokesFlag,
    TaylorFlag,
    besides,
)
from skysift.cli.flags import (
    FreshFlag,
    OptionsFlag,
    OverwriteFlag,
    PrimaryBeamFlag,
    PsfFlag,
    QuietFlag,
    SchedulerFlag,
    SetFlag,
    TileFlag,
    WeightFlag,
    WorkersFlag,
    at_least,
    folder_of,
    gather,
)
from skysift.cli.learning import DeviceFlag
from skysift.cli.opening import (
    BeamFlag,
    BeamPlaneFlag,
    FrequencyFlag,
    HduFlag,
    PixelScaleFlag,
    PlaneFlag,
    UnitFlag,
    opening,
)
from skysift.cli.progress import Watch, summary
from skysift.flow.maps import MAPS
from skysift.sky.box import Region, parse_region

if TYPE_CHECKING:
    from skysift.find.finder import Finder
    from skysift.flow.kept import FinishedMaps

__all__ = ["find"]


def find(
    maps: Annotated[
        list[str], typer.Argument(metavar="MAP...", help="FITS images; map.fits[SCI] names an HDU.")
    ],
    out: Annotated[
        str,
        typer.Option(
            "--out", metavar="DIR", help="Where the products go; several maps get DIR/<stem>/ each."
        ),
    ],
    finder: Annotated[
        str,
        typer.Option(
            "--finder", metavar="NAME", help="classic, full, extended, yolo (see above), or another."
        ),
    ] = "classic",
    chosen: SetFlag = None,
    options_file: OptionsFlag = None,
    workers: WorkersFlag = None,
    scheduler: SchedulerFlag = None,
    tile: TileFlag = None,
    region: Annotated[
        str | None,
        typer.Option(
            "--region",
            metavar="REGION",
            help="Search a part: x0,x1,y0,y1 (pixels, half-open), or RA,DEC,RADIUS (deg, 30arcmin).",
        ),
    ] = None,
    formats: Annotated[
        str, typer.Option("--format", metavar="LIST", help="Formats of the tables: fits,votable,parquet,csv.")
    ] = "fits",
    products: Annotated[
        str,
        typer.Option("--maps", metavar="none|all|LIST", help="Maps: background,rms,model,residual,labels."),
    ] = "all",
    report: Annotated[bool, typer.Option("--report/--no-report", help="Draw report.html.")] = True,
    primary_beam: PrimaryBeamFlag = None,
    weight: WeightFlag = None,
    reliability: Annotated[
        float | None,
        typer.Option(
            "--reliability",
            metavar="R",
            help="Drop sources less reliable than this, such as 0.95; short for --set reliability=R.",
        ),
    ] = None,
    device: DeviceFlag = None,
    engine: Annotated[
        str | None,
        typer.Option(
            "--engine",
            metavar="ENGINE",
            help="What runs the network: torch, onnx or openvino; short for --set engine=ENGINE.",
        ),
    ] = None,
    overwrite: OverwriteFlag = False,
    fresh: FreshFlag = False,
    hdu: HduFlag = None,
    plane: PlaneFlag = None,
    beam: BeamFlag = None,
    psf: PsfFlag = None,
    beam_plane: BeamPlaneFlag = None,
    pixel_scale: PixelScaleFlag = None,
    unit: UnitFlag = None,
    frequency: FrequencyFlag = None,
    stokes: StokesFlag = None,
    taylor: TaylorFlag = None,
    channels: ChannelsFlag = None,
    channel_frequencies: ChannelFrequenciesFlag = None,
    quiet: QuietFlag = False,
) -> None:
    r"""Find the sources of radio maps; write catalogues, maps and a page.

    \b
    Examples:
      skysift find map.fits --out field
      skysift find map.fits --out deep --set seed=4.5 --set grow=2.5 --overwrite
      skysift find a.fits b.fits --out survey --format fits,votable --maps rms,residual
      skysift find map.fits --out corner --region 50.67,-37.2,30arcmin
      skysift find pointing.fits --out field --primary-beam beam.fits
      skysift find mosaic.fits --out field --psf mosaic_psf.fits
      skysift find plane.fits --out plane --finder full --set widest_scale=10
      skysift find map.fits --out sure --finder full --reliability 0.95
      skysift find map.fits --out learnt --finder yolo --set weights=mine.safetensors --engine onnx
      skysift find cube.fits --out channel7 --plane 7 --beam 45,40,10 --unit mJy/beam
      skysift find tt0.fits --out mfs --taylor tt1.fits --taylor tt2.fits
      skysift find map.fits --out spectra --channels cube.fits --set spectral_curvature=true
      skysift find i.fits --out pol --stokes q.fits --stokes u.fits --stokes v.fits --set leakage_v=0.002

    \b
    Finders (`skysift options NAME` lists what each can be told):
      classic   compact sources: islands above a threshold, fitted with Gaussians
      full      these and all that is not compact: lobes, shells, filaments; no flux is counted twice
      extended  what is not compact, and the compact sources on top of it; no others
      yolo      what a network finds that was trained with `skysift train` (needs the extra learn)
      unet      objects of any shape and their pixels, by a network that tells masks (needs the extra learn)
      rcnn      objects of five classes and their pixels, by a network that looks twice (needs the extra learn)
      detr      the same, by a transformer that tells each object once (needs the extra learn)
      ensemble  what several finders find together (needs the extra learn)

    \b
    DIR gets the tables islands, sources and components, regions.reg (DS9), regions.crtf (CASA), the maps,
    report.html (open it first) and manifest.json; with a finder of extended sources spines and
    extended.moc.fits. Nothing shows there before all of it is written.
    A run that is broken off after ten seconds or more keeps its work in DIR/.partial: the same command goes
    on from there, and another one is refused until --fresh discards it.
    Flags that describe the map (--hdu, --plane, --beam, --unit, ...) hold for all maps of the call.
    """
    folder = folder_of(out)
    registry = Registry[Any]("finder")
    task = _Task(
        name=finder,
        opening=opening(
            hdu=hdu,
            plane=plane,
            beam=beam,
            beam_plane=beam_plane,
            pixel_scale=pixel_scale,
            unit=unit,
            frequency=frequency,
        ),
        region=None if region is None else parse_region(region),
        formats=_listed("--format", formats, Registry[Any]("format").names()),
        maps=_maps(products),
        report=report,
        overwrite=overwrite,
        workers=at_least("--workers", workers, 1),
        scheduler=None if scheduler is None else cluster(scheduler).address,
        fresh=fresh,
        tile=at_least("--tile", tile, SMALLEST_TILE) or settings().tile,
        quiet=quiet,
        beside=besides(
            maps, stokes=stokes, taylor=taylor, channels=channels, channel_frequencies=channel_frequencies
        ),
    )
    short = {
        "primary_beam": primary_beam,
        "weight": weight,
        "psf_file": psf,
        "reliability": reliability,
        "device": device,
        "engine": engine,
    }
    pairs = [*(chosen or ()), *(f"{name}={path}" for name, path in short.items() if path is not None)]
    options = gather(registry.options(finder), pairs, options_file, kind="finder")
    made = registry.load(finder)(options)  # only now: it brings the compiled code
    if len(maps) == 1:
        task.run(maps[0], made, folder)
    else:
        _run_all(maps, made, folder, task)


_MACHINE = (
    "overwrite",
    "fresh",
    "workers",
    "scheduler",
    "tile",
    "quiet",
)  # of a task: no product depends on them


@dataclass(frozen=True)
class _Task:
    """All that is done to one map, checked before any file is touched."""

    name: str
    opening: dict[str, Any]
    region: Region | None
    formats: tuple[str, ...]
    maps: tuple[str, ...]
    report: bool
    overwrite: bool
    workers: int | None
    scheduler: str | None
    fresh: bool
    tile: int
    quiet: bool
    beside: Besides

    def run(self, path: str, finder: Finder[Any], out: Path, finished: FinishedMaps | None = None) -> None:
        """Find the sources of one map and tell what was made; a map that is finished already is left as it is."""
        # Loaded late: help and wrong options are told without astropy.
        from skysift.flow.steps.find import find_products, product_names, run_key
        from skysift.io.open import open_image

        image = open_image(path, **self.opening)
        beside = self.beside.of(image, self.opening)
        key: tuple[object, ...] = ()
        if finished is not None:
            names = product_names(self.formats, self.maps, report=self.report, segments=finder.segments)
            asked = [getattr(self, each.name) for each in fields(self) if each.name not in _MACHINE]
            key = (run_key(image, finder, name=self.name, region=self.region, beside=beside), *asked)
            if finished.has(out.name, key) and all((out / name).exists() for name in names):
                if not self.quiet:
                    print(f"skysift: {image.name}: finished before the run was broken off", file=sys.stderr)
                return
        for note in image.notes:
            if " was given: " not in note:  # the flags of this call
                _warn(image.name, note)
        with Watch(image.name, quiet=self.quiet) as watch:
            made = find_products(
                image,
                finder,
                out,
                name=self.name,
                formats=self.formats,
                maps=self.maps,
                report=self.report,
                overwrite=self.overwrite,
                workers=self.workers,
                scheduler=self.scheduler,
                tile=self.tile,
                region=self.region,
                progress=watch,
                beside=beside,
                fresh=self.fresh,
                say=watch.say,
            )
        for note in made.manifest.warnings:
            if note not in image.notes:
                _warn(image.name, note)
        if finished is not None:
            finished.add(out.name, key)
        if not self.quiet:
            print(summary(made))


def _run_all(paths: Sequence[str], finder: Finder[Any], out: Path, task: _Task) -> None:
    """Every map in its own folder; a map that fails does not keep the others from being done."""
    from skysift.flow.kept import FinishedMaps  # late, as in _Task.run
    from skysift.flow.products import PART, folder_names, locked

    failed: list[tuple[str, SkysiftError]] = []
    with locked(out), FinishedMaps(out / PART, fresh=task.fresh) as finished:
        for path, name in zip(paths, folder_names(paths), strict=True):
            try:
                task.run(path, finder, out / name, finished)
            except SkysiftError as error:
                told = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
                print(f"skysift: error: {path}: {error}{told}", file=sys.stderr)
                failed.append((path, error))
    if failed:
        names = ", ".join(path for path, _ in failed)
        print(f"skysift: {len(failed)} of {len(paths)} maps failed: {names}", file=sys.stderr)
        raise typer.Exit(min(exit_code(error.kind) for _, error in failed))


def _warn(name: str, note: str) -> None:
    print(f"skysift: warning: {name}: {note}", file=sys.stderr)


def _maps(text: str) -> tuple[str, ...]:
    if text.strip() in ("none", "all"):
        return tuple(MAPS) if text.strip() == "all" else ()
    return _listed("--maps", text, ("none", "all", *MAPS))


def _listed(flag: str, text: str, allowed: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in allowed or name in ("none", "all")]
    if unknown or not names:
        raise OptionError(
            f"{flag} names something unknown", got=unknown[0] if unknown else text, allowed=allowed
        )
    return names
