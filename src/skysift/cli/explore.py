"""``skysift explore``: a sample on a map, in groups, its strange ones first; look-alikes; a person's labels."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.base.extras import require
from skysift.cli.flags import (
    OptionsFlag,
    OverwriteFlag,
    QuietFlag,
    at_least,
    folder_of,
    read_file,
    read_pairs,
    with_short,
)
from skysift.cli.progress import Watch
from skysift.explore.menus import menus_of, refuse_idle
from skysift.explore.options import SHOWN, ActiveOptions, ExploreOptions

if TYPE_CHECKING:
    from skysift.flow.steps.explore import ExploreMade

__all__ = ["explore"]

_ALIKE = 10  # look-alikes of a source


def explore(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="FEATURES... | similar DIR NAME... | label DIR",
            help="Tables of features or embeddings of the same sources, joined by name, strange ones sought in each; "
            "or a folder of this command, to be asked for look-alikes of sources, or to be given a person's labels.",
        ),
    ],
    out: Annotated[str | None, typer.Option("--out", metavar="DIR", help="Where the products go.")] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            "--pictures",
            metavar="STAMPS",
            help="Pictures of the sources for the page: a folder of `skysift stamps` or of FITS files, or an npz.",
        ),
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(
            "--like", metavar="DIR", help="An earlier run: groups get its ids where they share sources."
        ),
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(
            "--reference",
            metavar="DIR",
            help="An earlier run on whose map the sources are put; its options count.",
        ),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            metavar="CSV",
            help="name,label,score of a person, as the page downloads them (label).",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option("--method", help="neighbour or gaussian: how scores change the ranking (label)."),
    ] = None,
    number: Annotated[
        int | None,
        typer.Option(
            "-k", "--number", metavar="N", help=f"Look-alikes of each source, {_ALIKE} by default (similar)."
        ),
    ] = None,
    chosen: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Choose an option, such as --set map=pca, or of a method --set kmeans.number=6; may be given again. "
            "`skysift options explore` lists them.",
        ),
    ] = None,
    options_file: OptionsFlag = None,
    overwrite: OverwriteFlag = False,
    quiet: QuietFlag = False,
) -> None:
    r"""Explore a sample: its map, groups, look-alikes, near-duplicates, and the strange ones first.

    \b
    Examples:
      skysift explore features.parquet --pictures stamps --out explored
      skysift explore features.parquet embedding.parquet --out both
      skysift explore new.parquet --reference explored --out new
      skysift explore similar explored J1200+30 -k 20
      skysift explore label explored --labels scores.csv

    \b
    DIR gets report.html (open it first: a map to move in, pictures on hover, a lasso, a panel for scores),
    explored.parquet, ranking.csv, models.csv, duplicates.csv, reference.npz and manifest.json. `label` adds
    labels.csv, which `skysift classify train --labels` takes, and ranks anew: ranking.csv then goes by interest, what
    the person would score high. Its columns stay the same; rank is always that of strangeness alone.
    """
    require("skysift explore", "sklearn", "umap", "torch")
    if words[0] == "similar":
        _refuse(
            words[0], out=out, labels=labels, reference=reference, like=like, pictures=pictures, method=method,
            set=chosen or None, options=options_file, overwrite=overwrite or None,
        )  # fmt: skip
        _similar(words[1:], _ALIKE if number is None else number)
    elif words[0] == "label":
        _refuse(
            words[0], out=out, reference=reference, like=like, pictures=pictures, number=number,
            overwrite=overwrite or None,
        )  # fmt: skip
        _label(words[1:], labels, method, chosen, options_file, quiet=quiet)
    else:
        _refuse("FEATURES", labels=labels, method=method, number=number)
        if out is None:
            raise OptionError("--out is missing", allowed="a folder")
        if like is not None and reference is not None:
            raise OptionError("--like and --reference do not go together", allowed="one of the two")
        _explore([Path(word) for word in words], folder_of(out), pictures, like, reference, chosen, options_file,
                 overwrite=overwrite, quiet=quiet)  # fmt: skip


def _refuse(what: str, **flags: object) -> None:
    """Refuse flags that do nothing here."""
    given = [name for name, value in flags.items() if value is not None]
    if given:
        raise OptionError(f"--{given[0]} does nothing with {what}", todo="leave it out")


def _explore(
    tables: Sequence[Path],
    folder: Path,
    pictures: Path | None,
    like: Path | None,
    reference: Path | None,
    chosen: list[str] | None,
    options_file: Path | None,
    *,
    overwrite: bool,
    quiet: bool,
) -> None:
    plain, of_methods = _parted(
        {**({} if options_file is None else read_file(options_file)), **read_pairs(chosen or ())}
    )
    options = ExploreOptions.parse(plain)
    menus = menus_of(options, of_methods)
    idle = [key for key in (*plain, *of_methods) if reference is not None and key not in SHOWN]
    if idle:
        raise OptionError(
            f"{idle[0]} does nothing with --reference: its options count", allowed=SHOWN, todo="leave it out"
        )
    refuse_idle(options, tables=len(tables), pictures=pictures is not None)

    from skysift.flow.explored import joined  # late: help and wrong options are told without heavy parts
    from skysift.flow.steps.explore import ExploreStep
    from skysift.flow.steps.match import records
    from skysift.io.features import read_features
    from skysift.stamps.opening import open_pictures

    features, parts = joined([read_features(table) for table in tables], [table.stem for table in tables])
    shown = None if pictures is None else open_pictures(pictures)
    inputs = [*records(list(tables)), *([] if shown is None or shown.origin is None else [shown.origin])]
    with Watch(f"{len(features)} sources", quiet=quiet) as watch:
        made = ExploreStep(options, menus).run(
            features, folder, parts=parts, pictures=shown, like=like, reference=reference, inputs=inputs,
            overwrite=overwrite, progress=watch,
        )  # fmt: skip
    _told(made, folder, quiet=quiet)


def _parted(values: Mapping[str, object]) -> tuple[dict[str, object], dict[str, dict[str, object]]]:
    """Options of exploring, and those of methods, which are written method.option or under the method's name."""
    plain: dict[str, object] = {}
    methods: dict[str, dict[str, object]] = {}
    for key, value in values.items():
        name, dot, option = key.partition(".")
        if dot:
            methods.setdefault(name, {})[option] = value
        elif isinstance(value, dict):
            methods.setdefault(key, {}).update({str(each): one for each, one in value.items()})
        else:
            plain[key] = value
    return plain, methods


def _label(
    words: Sequence[str],
    labels: Path | None,
    method: str | None,
    chosen: list[str] | None,
    options_file: Path | None,
    *,
    quiet: bool,
) -> None:
    if len(words) != 1:
        raise UsageError("label takes one folder of `skysift explore`", got=" ".join(words) or "none")
    if labels is None:
        raise OptionError("--labels is missing", allowed="a CSV with name,label,score")
    pairs = read_pairs(with_short(chosen, {"method": method}))
    options = ActiveOptions.parse({**({} if options_file is None else read_file(options_file)), **pairs})

    from skysift.flow.explored import LABELS
    from skysift.flow.labelling import label
    from skysift.flow.steps.match import records

    folder = Path(words[0])
    made = label(folder, labels, options, inputs=records([labels]))
    if not quiet:
        counts = made.manifest.counts
        print(f"labels   {counts['labels']:>6}  scores {counts['scores']}; kept in {folder / LABELS}")
    _told(made, folder, quiet=quiet)


def _similar(words: Sequence[str], number: int) -> None:
    if len(words) < 2:
        raise UsageError("similar takes a folder and names of sources", got=" ".join(words) or "nothing")
    at_least("--number", number, 1)

    import numpy as np

    from skysift.explore.similar import look_alikes
    from skysift.flow.explore_page import CLUSTER
    from skysift.flow.explored import open_explored

    table, reference, _ = open_explored(Path(words[0]))
    place = {name: k for k, name in enumerate(table.names)}
    unknown = [name for name in words[1:] if name not in place]
    if unknown:
        raise UnknownName(
            "no such source in the sample", got=unknown[0], allowed=f"names such as {table.names[0]}"
        )
    coordinates = reference.space.of(table)
    good = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
    back = {int(row): k for k, row in enumerate(good)}
    lost = [name for name in words[1:] if place[name] not in back]
    if lost:
        raise UsageError("the source has no features to be compared by", got=lost[0])
    far, near = look_alikes(coordinates[good], [back[place[name]] for name in words[1:]], number)
    print("source,look_alike,distance,cluster")
    for name, distances, rows in zip(words[1:], far, near, strict=True):
        for distance, row in zip(distances, good[rows], strict=True):
            print(f"{name},{table.names[row]},{distance:.4g},{table.facts[CLUSTER][row]}")


def _told(made: ExploreMade, folder: Path, *, quiet: bool) -> None:
    for note in made.manifest.warnings:
        print(f"skysift: warning: {note}", file=sys.stderr)
    if quiet:
        return
    from skysift.flow.explored import REPORT, amount, ranked

    counts, facts = made.manifest.counts, made.manifest.facts
    order, by = ranked(made.table)
    number, rest = amount(facts["features"], "feature"), amount(counts["noise"], "source")
    parts = f"{number}, {amount(facts['components'], 'component')}, map by {facts['map']}"
    lines = [
        f"sources  {counts['sources']:>6}  {parts}",
        f"groups   {counts['groups']:>6}  by {facts['clusterer'] or 'none'}, {rest} in no group",
        f"pairs    {counts['duplicates']:>6}  that are nearly one source",
        f"first    {', '.join(made.table.names[k] for k in order[:3])}  by {by}",
        f"look at  {folder / REPORT}",
    ]
    print("\n".join(lines))
