"""``skysift completeness``: how many of the sources in a map a finder finds, measured by putting some in."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysift.base.errors import OptionError
from skysift.base.registry import Registry
from skysift.base.settings import SMALLEST_TILE, settings
from skysift.cli.flags import (
    OptionsFlag,
    OverwriteFlag,
    QuietFlag,
    SetFlag,
    TileFlag,
    WorkersFlag,
    at_least,
    folder_of,
    gather,
    read_pairs,
)
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
from skysift.cli.progress import Watch
from skysift.flow.style import digits, prefixed
from skysift.sim.inject.options import CompletenessOptions

if TYPE_CHECKING:
    from skysift.base.options import Options
    from skysift.score.scorer import Report

__all__ = ["completeness"]


def completeness(
    path: Annotated[str, typer.Argument(metavar="MAP", help="A FITS image; map.fits[SCI] names an HDU.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the products go.")],
    finder: Annotated[
        str, typer.Option("--finder", metavar="NAME", help="See `skysift options`.")
    ] = "classic",
    chosen: SetFlag = None,
    options_file: OptionsFlag = None,
    made: Annotated[
        list[str] | None,
        typer.Option(
            "--inject",
            metavar="KEY=VALUE",
            help="Choose an option of the made sources, such as --inject kind=gaussians; may be given again. "
            "`skysift options completeness` lists them.",
        ),
    ] = None,
    workers: WorkersFlag = None,
    tile: TileFlag = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report instead of a summary.")] = False,
    overwrite: OverwriteFlag = False,
    hdu: HduFlag = None,
    plane: PlaneFlag = None,
    beam: BeamFlag = None,
    beam_plane: BeamPlaneFlag = None,
    pixel_scale: PixelScaleFlag = None,
    unit: UnitFlag = None,
    frequency: FrequencyFlag = None,
    quiet: QuietFlag = False,
) -> None:
    r"""Measure the completeness of a finder on a map: put made sources in, find them, draw the curve.

    \b
    Examples:
      skysift completeness map.fits --out complete
      skysift completeness map.fits --out deep --set seed=4.5 --inject snr_low=1.5
      skysift completeness map.fits --out wide --inject kind=gaussians --inject size_high=120
      skysift completeness map.fits --out real --inject kind=templates --inject templates=galaxies/

    \b
    DIR gets completeness.html (open it first), completeness.png, completeness.json, the binned curves
    (curves.csv), every made source with what was found of it (injections.csv) and manifest.json.
    The map is searched again for every round of sources: it takes some ten times as long as `skysift find`.
    """
    folder = folder_of(out)
    task = opening(
        hdu=hdu,
        plane=plane,
        beam=beam,
        beam_plane=beam_plane,
        pixel_scale=pixel_scale,
        unit=unit,
        frequency=frequency,
    )
    at_least("--workers", workers, 1)
    at_least("--tile", tile, SMALLEST_TILE)
    registry = Registry[Any]("finder")
    menu = registry.options(finder)
    _refuse_swapped("--inject", made, CompletenessOptions, "--set", f"the finder {finder}", menu)
    _refuse_swapped("--set", chosen, menu, "--inject", "the made sources", CompletenessOptions)
    what = gather(CompletenessOptions, made, flag="--inject")
    options = gather(menu, chosen, options_file, kind="finder")
    # Loaded late: help and wrong options are told without the compiled code.
    from skysift.flow.steps.completeness import CompletenessStep
    from skysift.io.open import open_image

    searcher = registry.load(finder)(options)
    image = open_image(path, **task)
    for note in image.notes:
        if " was given: " not in note:  # the flags of this call
            print(f"skysift: warning: {image.name}: {note}", file=sys.stderr)
    with Watch(image.name, quiet=quiet) as watch:
        done = CompletenessStep(what).run(
            image,
            searcher,
            folder,
            name=finder,
            overwrite=overwrite,
            workers=workers or settings().workers,
            tile=tile or settings().tile,
            progress=watch,
        )
    if as_json:
        print((folder / "completeness.json").read_text(encoding="utf-8"), end="")
    elif not quiet:
        print(_summary(done.report, folder))


def _refuse_swapped(
    flag: str, pairs: list[str] | None, menu: type[Options], other: str, of: str, other_menu: type[Options]
) -> None:
    """Refuse an option that came with the flag of the other menu.

    Raises
    ------
    OptionError
        `menu` has no such option, and `other_menu` has.
    """
    for key, value in read_pairs(pairs or (), flag).items():
        if key not in menu.model_fields and key in other_menu.model_fields:
            raise OptionError(
                f"{flag} has no such option: it is one of {of}", got=key, todo=f"write {other} {key}={value}"
            )


def _summary(report: Report, folder: Path) -> str:
    """The numbers that a person wants first, and where the page is."""
    n = report.numbers
    factor, unit = prefixed("Jy", [n["flux_50"]])
    lines = [f"made sources    {n['n_made']}, found {n['n_found']}"]
    for level in (50, 80, 95):
        flux, snr = float(n[f"flux_{level}"]), float(n[f"snr_{level}"])
        shown = f"{digits(flux * factor)} {unit}" if math.isfinite(flux) else "never reached"
        lines.append(f"{level} % complete   {shown}, S/N {digits(snr)}")
    if "reliability" in n:
        share = float(n["reliability"])
        shown = (
            f"{100 * share:.1f} %"
            if math.isfinite(share)
            else "not known: nothing was found in the map as it is"
        )
        lines.append(f"reliability     {shown} (from the inverted map)")
    lines.append(
        f"flux / true     {digits(n['flux_ratio'])} above S/N 10, pulls {digits(n['flux_pull_width'])} wide"
    )
    return "\n".join([*lines, f"page            {folder / 'completeness.html'}"])
