"""``skysift find``: maps in, a folder of products for each out."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysift.base.errors import OptionError, SkysiftError, exit_code
from skysift.base.registry import Registry
from skysift.base.settings import SMALLEST_TILE, settings
from skysift.cli.flags import OptionsFlag, SetFlag, gather
from skysift.cli.progress import Watch, summary
from skysift.flow.maps import MAPS
from skysift.sky.beam import Beam
from skysift.sky.box import Region, parse_region

if TYPE_CHECKING:
    from skysift.find.finder import Finder
    from skysift.flow.steps.find import Products

__all__ = ["find"]

_HERTZ = {"": 1.0, "hz": 1.0, "khz": 1e3, "mhz": 1e6, "ghz": 1e9}


def find(
    maps: Annotated[
        list[str], typer.Argument(metavar="MAP...", help="FITS images; map.fits[SCI] names an HDU.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="Where the products go; several maps get DIR/<stem>/ each."
        ),
    ],
    finder: Annotated[
        str, typer.Option("--finder", metavar="NAME", help="See `skysift options`.")
    ] = "classic",
    chosen: SetFlag = None,
    options_file: OptionsFlag = None,
    workers: Annotated[
        int | None, typer.Option("--workers", metavar="N", help="Threads; the usable cores by default.")
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option("--tile", metavar="N", help="Pixels along a tile's side; the catalogue is the same."),
    ] = None,
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
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the products of an earlier run, on success.")
    ] = False,
    hdu: Annotated[
        str | None, typer.Option("--hdu", metavar="N|NAME", help="HDU; the first image by default.")
    ] = None,
    plane: Annotated[
        str | None,
        typer.Option("--plane", metavar="I,J", help="Which plane of further axes, 0-based, array order."),
    ] = None,
    beam: Annotated[
        str | None, typer.Option("--beam", metavar="MAJ,MIN,PA", help="Beam in arcsec (FWHM) and degrees.")
    ] = None,
    beam_plane: Annotated[
        str | None, typer.Option("--beam-plane", metavar="image|sky", help="Where the beam keeps its shape.")
    ] = None,
    pixel_scale: Annotated[
        str | None,
        typer.Option("--pixel-scale", metavar="X,Y", help="Size of a pixel in arcsec; one number if square."),
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="Unit of the pixels, such as mJy/beam.")
    ] = None,
    frequency: Annotated[
        str | None, typer.Option("--frequency", metavar="HZ", help="Frequency, such as 1.4GHz.")
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="No progress and no summary; warnings stay.")
    ] = False,
) -> None:
    r"""Find the sources of radio maps; write catalogues, maps and a page.

    \b
    Examples:
      skysift find map.fits --out field
      skysift find map.fits --out deep --set seed=4.5 --set grow=2.5 --overwrite
      skysift find a.fits b.fits --out survey --format fits,votable --maps rms,residual
      skysift find map.fits --out corner --region 50.67,-37.2,30arcmin
      skysift find cube.fits --out channel7 --plane 7 --beam 45,40,10 --unit mJy/beam

    \b
    DIR gets the tables islands, sources and components, regions.reg (DS9), regions.crtf (CASA), the maps,
    report.html (open it first) and manifest.json. Nothing shows there before all of it is written.
    Flags that describe the map (--hdu, --plane, --beam, --unit, ...) hold for all maps of the call.
    """
    registry = Registry[Any]("finder")
    task = _Task(
        name=finder,
        opening={
            "hdu": None if hdu is None else int(hdu) if re.fullmatch(r"\d+", hdu) else hdu,
            "plane": None if plane is None else _plane(plane),
            "beam": None if beam is None else _beam(beam),
            "pixel_scale": None if pixel_scale is None else _pixel_scale(pixel_scale),
            "unit": unit,
            "frequency": None if frequency is None else _frequency(frequency),
            "beam_plane": beam_plane
            if beam_plane is None
            else _one_of("--beam-plane", beam_plane, ("image", "sky")),
        },
        region=None if region is None else parse_region(region),
        formats=_listed("--format", formats, Registry[Any]("format").names()),
        maps=_maps(products),
        report=report,
        overwrite=overwrite,
        workers=_at_least("--workers", workers, 1) or settings().workers,
        tile=_at_least("--tile", tile, SMALLEST_TILE) or settings().tile,
        quiet=quiet,
    )
    options = gather(registry.options(finder), chosen, options_file)
    made = registry.load(finder)(options)  # only now: it brings the compiled code
    if len(maps) == 1:
        task.run(maps[0], made, out)
    else:
        _run_all(maps, made, out, task)


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
    workers: int
    tile: int
    quiet: bool

    def run(self, path: str, finder: Finder[Any], out: Path) -> Products:
        """Find the sources of one map and tell what was made."""
        # Loaded late: help and wrong options are told without astropy.
        from skysift.flow.steps.find import find_products
        from skysift.io.open import open_image

        image = open_image(path, **self.opening)
        for note in image.notes:
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
                tile=self.tile,
                region=self.region,
                progress=watch,
            )
        for note in made.manifest.warnings:
            if note not in image.notes:
                _warn(image.name, note)
        if not self.quiet:
            print(summary(made))
        return made


def _run_all(paths: Sequence[str], finder: Finder[Any], out: Path, task: _Task) -> None:
    """Every map in its own folder; a map that fails does not keep the others from being done."""
    from skysift.flow.products import folder_names, locked  # late, as in _Task.run

    failed: list[tuple[str, SkysiftError]] = []
    with locked(out):
        for path, name in zip(paths, folder_names(paths), strict=True):
            try:
                task.run(path, finder, out / name)
            except SkysiftError as error:
                print(f"skysift: error: {path}: {error}", file=sys.stderr)
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


def _one_of(flag: str, text: str, allowed: Sequence[str]) -> str:
    if text not in allowed:
        raise OptionError(f"{flag} is not allowed", got=text, allowed=allowed)
    return text


def _at_least(flag: str, value: int | None, least: int) -> int | None:
    if value is not None and value < least:
        raise OptionError(f"{flag} is too small", got=value, allowed=f"a whole number, {least} or more")
    return value


def _plane(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\s*\d+\s*(,\s*\d+\s*)*", text):
        raise OptionError(
            "--plane is not a list of numbers", got=text, allowed="0-based numbers such as 7 or 0,7"
        )
    return tuple(int(part) for part in text.split(","))


def _numbers(text: str) -> list[float]:
    """The numbers of a list; none where one of its parts is not a number."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []


def _pixel_scale(text: str) -> tuple[float, float]:
    """Size of a pixel along y and x (arcsec)."""
    numbers = _numbers(text)
    if len(numbers) not in (1, 2) or not all(0 < number < math.inf for number in numbers):
        raise OptionError(
            "--pixel-scale is not a size", got=text, allowed="arcsec above 0: one number or X,Y"
        )
    return numbers[-1], numbers[0]


def _beam(text: str) -> Beam:
    numbers = _numbers(text)
    if len(numbers) not in (1, 3) or not all(0 < number < math.inf for number in numbers[:2]):
        raise OptionError(
            "--beam is not a beam",
            got=text,
            allowed="MAJ,MIN,PA in arcsec and degrees, or one FWHM",
            todo="such as --beam 45,40,10",
        )
    return Beam(numbers[0], numbers[0]) if len(numbers) == 1 else Beam(*numbers)


def _frequency(text: str) -> float:
    match = re.fullmatch(r"\s*([0-9.]+(?:[eE][+-]?\d+)?)\s*([a-zA-Z]*)\s*", text)
    try:
        if match is not None and float(match.group(1)) > 0:
            return float(match.group(1)) * _HERTZ[match.group(2).lower()]
    except (ValueError, KeyError):
        pass  # told below, in the same words as every other text that is no frequency
    raise OptionError(
        "--frequency is not a frequency", got=text, allowed="a number above 0, with Hz, kHz, MHz or GHz"
    )
