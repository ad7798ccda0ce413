"""``skysift simulate``: a made sky, as maps with their truth."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from skysift.base.errors import OptionError
from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.base.settings import settings
from skysift.cli.flags import OverwriteFlag, QuietFlag, WorkersFlag, at_least, folder_of, gather
from skysift.cli.progress import Watch
from skysift.flow.style import digits, prefixed
from skysift.sky.units import frequency_text

if TYPE_CHECKING:
    from skysift.flow.steps.simulate import Simulated

__all__ = ["simulate"]


def simulate(
    kind: Annotated[
        str,
        typer.Argument(
            metavar="KIND",
            help="What is made: continuum, galactic, extended, inject, samples, detections.",
        ),
    ],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="Where the products go.")],
    path: Annotated[
        str | None,
        typer.Argument(metavar="[MAP]", help="With inject: the FITS image that made sources go into."),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option of the simulator, such as --set n_pixels=1024; may be given again. "
            "`skysift options KIND` lists them.",
        ),
    ] = None,
    options_file: Annotated[
        Path | None,
        typer.Option(
            "--options",
            metavar="FILE",
            help="Read options from a YAML file, or a manifest.json; --set wins.",
        ),
    ] = None,
    workers: WorkersFlag = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format", metavar="LIST", help="Further forms of the truth: sdc1, the text of the challenge."
        ),
    ] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Draw report.html.")] = True,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Make a sky: maps as a telescope sees it, and the truth that they were made from.

    \b
    Examples:
      skysift simulate continuum --out field --set n_pixels=1024
      skysift simulate continuum --out deep --set hours=1000 --set random_seed=7 --format sdc1
      skysift simulate continuum --out bands --set frequency=560e6,1400e6 --set beam=1.5 --set array=none
      skysift simulate galactic --out plane --set glon=344.5 --set glat=0.5
      skysift simulate inject map.fits --out filled --set number=200 --set kind=gaussians
      skysift simulate samples --out classes --set number=500 --set scatter=1.5
      skysift simulate detections --out found --set fields=40

    \b
    DIR gets, for each frequency, map-NMHz.fits and the folder truth-NMHz (tables and footprints), and once
    report.html (open it first) and manifest.json. The same options give the same bytes, with any --workers.
    inject gives map.fits, the folder truth and manifest.json; samples, made sources of seven classes with published
    colours, gives features.parquet and, with --set stamps=SIDE, stamps.npz; detections, what a finder finds in made maps
    with artefacts, gives stamps.npz labelled real or spurious.
    """
    folder = folder_of(out)
    at_least("--workers", workers, 1)
    forms = tuple(dict.fromkeys(name.strip() for name in (formats or "").split(",") if name.strip()))
    unknown = [name for name in forms if name not in _FORMS]
    if unknown:
        raise OptionError("--format names something unknown", got=unknown[0], allowed=_FORMS)
    if kind == "inject":
        _inject(path, folder, chosen, options_file, workers, overwrite=overwrite, quiet=quiet)
        return
    if path is not None:
        raise OptionError(f"{kind} takes no map", got=path, todo="only `skysift simulate inject MAP` does")
    if kind == "samples":
        _samples(folder, chosen, options_file, overwrite=overwrite, quiet=quiet)
        return
    if kind == "detections":
        _detections(folder, chosen, options_file, workers, overwrite=overwrite, quiet=quiet)
        return
    registry = Registry[Any]("simulator")
    options = gather(registry.options(kind), chosen, options_file)
    simulator = registry.load(kind)(options)  # only now: it brings the compiled code
    from skysift.flow.steps.simulate import simulate_products  # likewise

    with Watch(kind, quiet=quiet) as watch:
        made = simulate_products(
            simulator,
            folder,
            formats=forms,
            report=report,
            overwrite=overwrite,
            workers=workers or settings().workers,
            progress=watch,
        )
    for note in made.manifest.warnings:
        print(f"skysift: warning: {kind}: {note}", file=sys.stderr)
    if not quiet:
        print(_summary(made))


def _inject(
    path: str | None,
    out: Path,
    chosen: list[str] | None,
    options_file: Path | None,
    workers: int | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Put made sources into a real map."""
    if path is None:
        raise OptionError("inject needs a map", todo="write it as skysift simulate inject MAP --out DIR")
    registry = Registry[Any]("step")
    options = gather(registry.options("inject"), chosen, options_file)
    step = registry.load("inject")(options)  # only now: it brings the compiled code
    from skysift.io.open import open_image  # likewise

    image = open_image(path)
    for note in image.notes:
        print(f"skysift: warning: {image.name}: {note}", file=sys.stderr)
    with Watch(image.name, quiet=quiet) as watch:
        made = step.run(image, out, overwrite=overwrite, workers=workers, progress=watch)
    if not quiet:
        snr = made.truth.sources["snr"]
        print(f"{len(snr)} sources put into {image.name}, {int((snr >= 5).sum())} above 5 sigma")
        print(f"  look at     {made.folder / 'map.fits'}, {made.folder / 'truth'}")


def _samples(
    out: Path, chosen: list[str] | None, options_file: Path | None, *, overwrite: bool, quiet: bool
) -> None:
    """Make a sample of classes with published colours."""
    registry = Registry[Any]("step")
    options = gather(registry.options("samples"), chosen, options_file)
    made = registry.load("samples")(options).run(out, overwrite=overwrite)
    if not quiet:
        counts = ", ".join(f"{n} {name}" for name, n in made.manifest.counts.items())
        print(f"{len(made.features)} made sources, {len(made.features.columns)} columns: {counts}")
        print(f"  look at     {made.folder / 'report.html'}, {made.folder / 'features.parquet'}")


def _detections(
    out: Path,
    chosen: list[str] | None,
    options_file: Path | None,
    workers: int | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Make maps with artefacts, search them, and cut what is found."""
    registry = Registry[Any]("step")
    options = gather(registry.options("detections"), chosen, options_file)
    with Watch("detections", quiet=quiet) as watch:
        crew = Crew(workers or settings().workers, progress=watch)
        made = registry.load("detections")(options).run(out, overwrite=overwrite, crew=crew)
    if not quiet:
        counts = made.manifest.counts
        print(
            f"{counts['real']} real and {counts['spurious']} spurious detections in {counts['maps']} made maps"
        )
        print(f"  look at     {made.folder / 'report.html'}, {made.folder / 'stamps.npz'}")


_FORMS = ("sdc1",)


def _summary(made: Simulated) -> str:
    """A few lines about what was made and where to look."""
    lines = [made.manifest.provenance.finder]
    for image, truth in made.maps:
        snr, rms = truth.sources["snr"][truth.real], truth.sources["rms"]
        factor, unit = prefixed("Jy/beam", rms)
        known = sorted(value for value in rms.tolist() if math.isfinite(value))
        noise = f"rms {digits(known[len(known) // 2] * factor)} {unit}" if known else "rms not known"
        counts = f"{len(snr)} objects, {int((snr >= 5).sum())} above 5 sigma, {len(rms) - len(snr)} artefacts"
        lines += [
            f"  {frequency_text(image.frequency, 4)}: {image.shape[1]} x {image.shape[0]} px, beam {image.beam}",
            f"    {counts}; {noise}",
        ]
    spent = made.manifest.seconds
    lines.append(f"  time        {sum(spent.values()):.1f} s")
    first = "report.html" if "report.html" in made.manifest.outputs else "manifest.json"
    return "\n".join([*lines, f"  look at     {made.folder / first}"])
