"""``skysift validate``: how a field's positions and fluxes compare with a reference catalogue."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from skysift.base.errors import OptionError
from skysift.base.registry import Registry
from skysift.cli.flags import OptionsFlag, OverwriteFlag, RadiusFlag, TableFlag, gather, with_short
from skysift.cli.opening import frequencies_of
from skysift.sky import schema

__all__ = ["validate"]


def validate(
    catalogue: Annotated[
        Path,
        typer.Argument(
            metavar="CATALOGUE", help="The field: a table, or an output folder of `skysift find`."
        ),
    ],
    reference: Annotated[
        Path, typer.Argument(metavar="REFERENCE", help="A survey's catalogue, of which the field is cut.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the page, numbers and table go.")],
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="nearest, one-to-one, ellipse or likelihood.")
    ] = "one-to-one",
    radius: RadiusFlag = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option of the kind, such as --set min_snr=20; may be given again.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    table: TableFlag = "sources",
    frequency: Annotated[
        str | None, typer.Option("--frequency", metavar="HZ", help="Of the field, where it tells none.")
    ] = None,
    reference_frequency: Annotated[
        str | None,
        typer.Option("--reference-frequency", metavar="HZ", help="Of the reference, such as 1.4GHz."),
    ] = None,
    ra: Annotated[
        str | None,
        typer.Option("--ra", metavar="COLUMN", help="Of the reference, where it has no usual name."),
    ] = None,
    dec: Annotated[str | None, typer.Option("--dec", metavar="COLUMN", help="Likewise.")] = None,
    flux: Annotated[
        str | None, typer.Option("--flux", metavar="COLUMN", help="Likewise, integrated flux density.")
    ] = None,
    flux_unit: Annotated[
        str | None, typer.Option("--flux-unit", metavar="UNIT", help="Of the reference, where it tells none.")
    ] = None,
    overwrite: OverwriteFlag = False,
) -> None:
    r"""Validate a field: a page of astrometry and flux ratios against a reference catalogue.

    \b
    Examples:
      skysift validate field NVSS.fits --out check --reference-frequency 1.4GHz
      skysift validate field.fits survey.csv --out check --ra RAdeg --dec DEdeg --flux S1.4 --flux-unit mJy

    \b
    DIR gets validation.html (open it first), validation.json, matches.fits and manifest.json.
    """
    pairs = with_short(chosen, {"radius": radius})
    menu = gather(Registry[Any]("matcher").options(kind), pairs, options_file)
    schema.columns(table)
    named = {"ra": ra, "dec": dec, "flux_int": flux, "flux_unit": flux_unit}

    # loaded late: help and wrong options are told without numpy and astropy
    from skysift.flow.match_text import match_lines
    from skysift.flow.steps.validate import validate_field

    made = validate_field(
        catalogue,
        reference,
        out,
        Registry[Any]("matcher").load(kind)(menu),
        table=table,
        columns={key: value for key, value in named.items() if value is not None},
        frequency=_one("--frequency", frequency),
        reference_frequency=_one("--reference-frequency", reference_frequency),
        overwrite=overwrite,
    )
    for note in made.notes:
        print(f"skysift: warning: {note}", file=sys.stderr)
    print("\n".join([*match_lines(made), f"{out / 'validation.html'}"]))


def _one(flag: str, text: str | None) -> float:
    """The one frequency that a flag names (Hz); NaN where it is not given."""
    if text is None:
        return math.nan
    values = frequencies_of(text, flag)
    if len(values) != 1:
        raise OptionError(f"{flag} takes one frequency", got=text)
    return values[0]
