"""``skysift score``: a catalogue against the truth, by one or several scorers."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from skysift.base.errors import OptionError, UsageError
from skysift.base.registry import Registry
from skysift.cli.flags import OverwriteFlag, read_file, read_pairs
from skysift.score.several import Layer, kinds_of, menus_of

__all__ = ["score"]


def score(
    catalogue: Annotated[
        Path,
        typer.Argument(
            metavar="CATALOGUE",
            help="An output folder of `skysift find`, a table of any program, or a list of a data challenge.",
        ),
    ],
    truth: Annotated[
        Path,
        typer.Argument(
            metavar="TRUTH",
            help="An output folder of `skysift simulate` or a truth in it, a catalogue taken for true, or a list of a "
            "data challenge.",
        ),
    ],
    kinds: Annotated[
        str,
        typer.Option("--kind", metavar="LIST", help="Scorers: counts,fluxes,sdc1,sdc2,coco,classes."),
    ] = "counts,fluxes",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object keyed by kind instead of text.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write report.json, report.html, tables (CSV) and figures (PNG) there.",
        ),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option: --set counts.bright=7 for one kind, --set faintest=3 for all that have it; "
            "may be given again.",
        ),
    ] = None,
    options_file: Annotated[
        Path | None,
        typer.Option(
            "--options", metavar="FILE", help="Read options from YAML, kind by kind or for all; --set wins."
        ),
    ] = None,
    rms: Annotated[
        str | None,
        typer.Option(
            "--rms", metavar="MAP", help="Map of the noise (rms_map); rms.fits of CATALOGUE by default."
        ),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            "--labels",
            metavar="MAP",
            help="Map of labels for coco (labels); labels.fits of CATALOGUE by default.",
        ),
    ] = None,
    frequency: Annotated[
        str | None, typer.Option("--frequency", metavar="F", help="Of SDC1: 560MHz, 1400MHz or 9200MHz.")
    ] = None,
    train: Annotated[bool, typer.Option("--train", help="SDC1 inside the training area only.")] = False,
    overwrite: OverwriteFlag = False,
) -> None:
    r"""Say how good a catalogue is, against the truth: numbers with intervals, tables, figures.

    \b
    Examples:
      skysift score field truth
      skysift score field truth --kind counts,fluxes,classes --out scores
      skysift score found.txt truth.txt --kind sdc1 --frequency 560MHz --json
      skysift score field truth --set table=components --set counts.bright=7

    Every report tells its matching rule in sentences, and how many matches chance makes beside them.
    """
    names = _kinds(kinds)
    if out is not None and out.resolve() in (catalogue.resolve(), truth.resolve()):
        raise OptionError("--out is what is scored", got=str(out), todo="choose another folder")
    flags = {"rms_map": rms, "labels": labels, "frequency": frequency, "train": True if train else None}
    menus = menus_of(
        names,
        _of_folder(catalogue, names),
        {} if options_file is None else _keyed_file(read_file(options_file)),
        _keyed(names, read_pairs(chosen or ())),
        {"": {key: value for key, value in flags.items() if value is not None}},
    )

    # loaded late: help and wrong options are told without numpy and astropy
    from skysift.flow.products import refuse_earlier
    from skysift.flow.report_text import reports_text
    from skysift.flow.steps.score import Side, write_scores
    from skysift.score.matching import APART
    from skysift.score.opening import open_sides, truth_place
    from skysift.score.scorer import reports_to_json
    from skysift.score.scoring import score_all

    if out is not None:
        refuse_earlier(out, overwrite=overwrite)
    found, there = open_sides(catalogue, truth)
    reports, refused = score_all(menus, found, there)
    for name, error in refused.items():
        print(f"skysift: warning: {name} is left out: {error}", file=sys.stderr)
    notes = dict.fromkeys(note for report in reports for note in report.notes)
    if APART in notes:
        raise UsageError(
            APART, got=f"{catalogue} and {truth}", todo="score it against the truth of its own map"
        )
    if out is not None:
        write_scores(
            reports,
            out,
            (Side("catalogue", catalogue), Side("truth", truth_place(truth))),
            overwrite=overwrite,
        )
    for note in notes:
        print(f"skysift: warning: {note}", file=sys.stderr)
    if as_json:
        print(reports_to_json(reports))
    else:
        print(reports_text(reports))


def _kinds(text: str) -> tuple[str, ...]:
    known = Registry[Any]("scorer").names()
    names = kinds_of(text)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise OptionError(
            "--kind names something unknown", got=unknown[0] if unknown else text, allowed=known
        )
    return names


def _of_folder(catalogue: Path, names: Sequence[str]) -> Layer:
    """The maps of the noise and of labels that lie beside a catalogue, for the scorers that look at them."""
    registry = Registry[Any]("scorer")
    fields = {key for name in names for key in registry.options(name).model_fields}
    maps = {"rms_map": catalogue / "rms.fits", "labels": catalogue / "labels.fits"}
    return {"": {key: str(path) for key, path in maps.items() if key in fields and path.is_file()}}


def _keyed(names: Sequence[str], pairs: Mapping[str, object]) -> Layer:
    """The layer of texts such as counts.bright=7 or bright=7."""
    keyed: dict[str, dict[str, object]] = {}
    for key, value in pairs.items():
        kind, dot, name = key.rpartition(".")
        if dot and kind not in names:
            raise OptionError(
                "--set names a kind that is not scored", got=key, allowed=[f"{each}.{name}" for each in names]
            )
        keyed.setdefault(kind, {})[name] = value
    return keyed


def _keyed_file(values: Mapping[str, object]) -> Layer:
    """The layer of a file: options under the names of scorers, and others for all."""
    known = Registry[Any]("scorer").names()
    keyed: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        if key in known and isinstance(value, dict):
            keyed[key] = {str(name): each for name, each in value.items()}
        else:
            keyed.setdefault("", {})[key] = value
    return keyed
