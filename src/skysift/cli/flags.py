"""From a shell to `Options`: ``--set KEY=VALUE`` and ``--options FILE.yaml``, which --set overrides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, TypeAlias, TypeVar

import typer
import yaml

from skysift.base.errors import OptionError, UsageError
from skysift.base.options import Options
from skysift.base.registry import Registry

__all__ = [
    "DataFlag",
    "DatabaseFlag",
    "FreshFlag",
    "OptionsFlag",
    "OverwriteFlag",
    "PrimaryBeamFlag",
    "PsfFlag",
    "QuietFlag",
    "RadiusFlag",
    "SchedulerFlag",
    "SetFlag",
    "TableFlag",
    "TileFlag",
    "WeightFlag",
    "WorkersFlag",
    "at_least",
    "folder_of",
    "gather",
    "read_file",
    "read_pairs",
    "with_short",
]

Menu = TypeVar("Menu", bound=Options)

SetFlag: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Choose an option of the finder, such as --set seed=4.5; may be given again. "
        "`skysift options` lists them.",
    ),
]
OptionsFlag: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--options",
        metavar="FILE",
        help="Read options from a YAML file, or a manifest.json; --set wins.",
    ),
]

WorkersFlag: TypeAlias = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="Threads; the usable cores by default.")
]
SchedulerFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Let a Dask cluster do the work: tcp://HOST:PORT of its scheduler.",
    ),
]
TileFlag: TypeAlias = Annotated[
    int | None,
    typer.Option("--tile", metavar="N", help="Pixels along a tile's side; the catalogue is the same."),
]
PrimaryBeamFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--primary-beam",
        metavar="MAP",
        help="Response of the primary beam, to correct for; short for --set primary_beam=MAP.",
    ),
]
WeightFlag: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--weight", metavar="MAP", help="Weights of a mosaic of true fluxes; short for --set weight=MAP."
    ),
]
PsfFlag: TypeAlias = Annotated[
    str | None,
    typer.Option("--psf", metavar="FILE", help="Beam over the map: a cube or a table; sets psf_file."),
]
OverwriteFlag: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Replace the products of an earlier run, on success.")
]
FreshFlag: TypeAlias = Annotated[
    bool, typer.Option("--fresh", help="Discard what a broken-off run keeps in DIR; begin anew.")
]
QuietFlag: TypeAlias = Annotated[
    bool, typer.Option("--quiet", help="No progress and no summary; warnings stay.")
]
RadiusFlag: TypeAlias = Annotated[
    float | None,
    typer.Option("--radius", metavar="ARCSEC", help="How near; half the median FWHM by default."),
]
TableFlag: TypeAlias = Annotated[
    str, typer.Option("--table", metavar="TABLE", help="sources, components or islands of a folder.")
]
DataFlag: TypeAlias = Annotated[
    str | None, typer.Option("--data", metavar="DIR", help="Folder of the data of the service.")
]
DatabaseFlag: TypeAlias = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="Its database, where it is not in that folder."),
]


def gather(
    menu: type[Menu],
    pairs: Sequence[str] | None = None,
    file: Path | None = None,
    *,
    flag: str = "--set",
    kind: str = "",
) -> Menu:
    """The options of `menu`: its defaults, changed by the file, changed by the pairs.

    Parameters
    ----------
    menu
        The options of the algorithm that was asked for.
    pairs
        Texts KEY=VALUE; of two with one key the later counts.
    file
        A YAML file of keys and values.
    flag
        The flag that the pairs came with.
    kind
        The kind of plug-in that the menu is of: a key that others of the kind have is told with their names.

    Raises
    ------
    OptionError
        A key does not exist, a value is not allowed, or a text is not KEY=VALUE.
    UsageError
        The file cannot be read.
    """
    from_file: Mapping[str, object] = {} if file is None else read_file(file)
    values = {**from_file, **read_pairs(pairs or (), flag)}
    for name in (each for each in values if kind and each not in menu.model_fields):
        others = _owners(kind, name)
        if others:
            choices = " or ".join(f"--{kind} {each}" for each in others)
            raise OptionError(
                f"the {kind} that was chosen has no such option",
                got=name,
                todo=f"choose {choices}, which have it",
            )
    return menu.parse(values)


def _owners(kind: str, option: str) -> list[str]:
    """Names of the plug-ins of a kind that have an option of this name."""
    registry = Registry[object](kind)
    named = (each for each in registry.names() if registry.has_options(each))
    return [each for each in named if option in registry.options(each).model_fields]


def folder_of(out: str) -> Path:
    """The folder that --out names; an empty text, as an unset variable of a shell gives, is none.

    Raises
    ------
    OptionError
        The text is empty.
    """
    if not out.strip():
        raise OptionError("--out is empty", allowed="a folder; --out . is the current one")
    return Path(out)


def at_least(flag: str, value: int | None, least: int) -> int | None:
    """The value of a flag, None where it was not given.

    Raises
    ------
    OptionError
        The value is too small.
    """
    if value is not None and value < least:
        raise OptionError(f"{flag} is too small", got=value, allowed=f"a whole number, {least} or more")
    return value


def read_pairs(pairs: Sequence[str], flag: str = "--set") -> dict[str, str]:
    """Key -> value of texts KEY=VALUE, the values as they were written.

    Raises
    ------
    OptionError
        A text has no "=" or nothing before it.
    """
    read = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise OptionError(f"{flag} takes KEY=VALUE", got=pair, todo=f"write it as {flag} seed=5")
        read[key.strip()] = value.strip()
    return read


def read_file(path: Path) -> dict[str, object]:
    """Key -> value of a YAML file, or the options in the manifest of a run; an empty file has none.

    Raises
    ------
    UsageError
        The file is not there, or is not YAML with one KEY: VALUE per line.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("the options file cannot be read", got=str(path), todo=error.strerror) from error
    except UnicodeDecodeError as error:
        raise UsageError("the options file is not text", got=str(path)) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark is not None else ""
        raise UsageError(
            f"the options file is not YAML{where}", got=str(path), allowed="one KEY: VALUE per line"
        ) from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise UsageError(
            "the options file does not hold options", got=str(path), allowed="one KEY: VALUE per line"
        )
    if isinstance(values.get("options"), dict) and "finder" in values:  # a manifest.json, which is YAML too
        return dict(values["options"])
    return values


def with_short(pairs: Sequence[str] | None, short: Mapping[str, object]) -> list[str]:
    """The pairs of ``--set`` with those that flags of their own are short for; None for a flag that was not given.

    Raises
    ------
    OptionError
        An option is said both ways.
    """
    said, given = read_pairs(pairs or ()), {name: value for name, value in short.items() if value is not None}
    twice = sorted(said.keys() & given.keys())
    if twice:
        raise OptionError(
            f"the option {twice[0]} is said twice",
            got=f"--set {twice[0]}={said[twice[0]]} and a flag of its own, {given[twice[0]]}",
            allowed="one of the two",
        )
    return [*(pairs or ()), *(f"{name}={value}" for name, value in given.items())]
