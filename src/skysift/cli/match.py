"""``skysift match``: who is who between catalogues, and who is twice in one."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from skysift.base.errors import OptionError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.cli.flags import OptionsFlag, OverwriteFlag, RadiusFlag, TableFlag, gather, with_short
from skysift.cli.opening import frequencies_of
from skysift.sky import schema

__all__ = ["match"]


def match(
    catalogues: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B...",
            help="Tables or output folders, ours or of PyBDSF, Aegean, CAESAR, CASDA, LoTSS, SDC; A is the "
            "reference. A alone: its duplicates.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The table of all rows: .fits .vot .parquet .csv."),
    ] = None,
    kind: Annotated[
        str,
        typer.Option("--kind", metavar="KIND", help="nearest, one-to-one, ellipse, island or likelihood."),
    ] = "one-to-one",
    radius: RadiusFlag = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option of the kind, such as --set trials=50; may be given again.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    table: TableFlag = "sources",
    frequency: Annotated[
        str | None,
        typer.Option(
            "--frequency",
            metavar="LIST",
            help="Of catalogues that do not tell theirs, in their order: 843MHz,1.4GHz; a dash skips one.",
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="LIST",
            help="Maps of labels for --kind island: a.fits,b.fits; labels.fits of folders.",
        ),
    ] = None,
    correct: Annotated[
        bool, typer.Option("--correct", help="Take measured offsets and flux scales away, and match again.")
    ] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates", help="List the duplicates within A; as A alone does.")
    ] = False,
    candidates: Annotated[
        Path | None,
        typer.Option("--candidates", metavar="FILE", help="All pairs weighed by ellipse or likelihood."),
    ] = None,
    report: Annotated[
        bool, typer.Option("--report", help="Draw a page beside FILE: offsets, flux ratios, numbers.")
    ] = False,
    overwrite: OverwriteFlag = False,
) -> None:
    r"""Match catalogues: one table of who is who, with offsets, flux ratios and spectral indices.

    \b
    Examples:
      skysift match deep.fits shallow.fits --out both.fits
      skysift match low mid high.csv --out all.parquet --kind likelihood --report
      skysift match a.fits b.fits --out ab.vot --radius 5 --correct --set expected_index=-0.8
      skysift match a.fits --out twice.csv --radius 10

    Each catalogue is matched to the rows that there are so far, which stand where the first catalogue that has
    them puts them. Every row of each comes out, matched or not. `skysift options KIND` lists what can be chosen.
    """
    pairs = with_short(chosen, {"radius": radius})
    menu = gather(Registry[Any]("matcher").options(kind), pairs, options_file)
    schema.columns(table)  # a name that no table has is told before anything is read
    if duplicates and len(catalogues) > 1:
        raise OptionError("--duplicates takes one catalogue", got=len(catalogues))
    if len(catalogues) == 1:
        flags = {"correct": correct, "labels": labels, "candidates": candidates, "report": report}
        _refuse_alone(kind, menu, flags | {"frequency": frequency})
    if report and out is None:
        raise OptionError("--report draws a page beside the file of --out", todo="give --out FILE")
    steps = [] if frequency is None else frequencies_of(frequency)

    # loaded late: help and wrong options are told without numpy and astropy
    from skysift.flow.match_text import duplicates_lines, match_lines
    from skysift.flow.steps.match import duplicate_rows, match_files

    if len(catalogues) == 1:
        settled: Any = menu
        twice = duplicate_rows(
            catalogues[0], out, radius=settled.radius, table=table, flux=settled.flux, overwrite=overwrite
        )
        print("\n".join(duplicates_lines(twice)))
        return
    matcher = Registry[Any]("matcher").load(kind)(menu)
    page = out.with_suffix(".html") if report and out is not None else None
    made = match_files(
        catalogues,
        matcher,
        out,
        table=table,
        correct=correct,
        frequencies=steps,
        labels=[Path(part.strip()) for part in labels.split(",")] if labels else (),
        candidates=candidates,
        report=page,
        overwrite=overwrite,
    )
    for note in made.notes:
        print(f"skysift: warning: {note}", file=sys.stderr)
    print("\n".join(match_lines(made)))


def _refuse_alone(kind: str, menu: Options, flags: Mapping[str, object]) -> None:
    """Refuse what says how two catalogues are matched where there is one, whose duplicates follow radius and flux.

    Raises
    ------
    OptionError
        Such a flag or option was given.
    """
    given = [f"--{name}" for name, value in flags.items() if value]
    usual = type(menu)().to_dict()
    given += [
        f"--set {name}"
        for name, value in menu.to_dict().items()
        if value != usual[name] and name not in ("radius", "flux")
    ]
    if kind != "one-to-one":
        given.insert(0, "--kind")
    if given:
        raise OptionError(
            "one catalogue has duplicates only, and is not matched",
            got=", ".join(given),
            allowed="--radius, --set flux, --table",
            todo="name a second catalogue",
        )
