"""`App`: what a job does; `Errand`: all that it is given to do it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from skysift.base.errors import DataError, OtherRunError, SkysiftError, UsageError
from skysift.base.options import Options
from skysift.base.provenance import InputRecord
from skysift.flow.products import folder_names
from skysift.jobs.job import Input

__all__ = ["App", "Errand", "each_input", "each_map", "going_on", "needed_of", "recorded"]

Made = TypeVar("Made")
Menu = TypeVar("Menu", bound=Options, covariant=True)


@dataclass(frozen=True)
class Errand:
    """What an app is given.

    Parameters
    ----------
    app
        The whole name of the app, such as ``finder:classic``.
    inputs
        What it reads.
    out
        The folder that it writes into; there may be what an attempt left that was interrupted.
    private
        What the service gave it beside the task: addresses, whitelists.
    cores
        How many tasks may run at once.
    progress
        Called as progress(stage, done, total).
    say
        Given a line that belongs to the story of the job.
    item
        Called as item(name, ok, text) when one of the inputs is done.
    """

    app: str
    inputs: tuple[Input, ...]
    out: Path
    private: Mapping[str, Any] = field(default_factory=dict)
    cores: int = 1
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None
    say: Callable[[str], None] = lambda text: None
    item: Callable[[str, bool, str], None] = lambda name, ok, text: None

    def of_role(self, *roles: str) -> tuple[Input, ...]:
        """The inputs that are for this."""
        return tuple(each for each in self.inputs if each.role in roles)

    def needed(self, role: str, *, at_least: int = 1, at_most: int | None = None) -> tuple[Input, ...]:
        """The inputs that are for this, so many.

        Raises
        ------
        UsageError
            There are too few or too many.
        """
        return needed_of(self.inputs, role, at_least, at_most)


def needed_of(inputs: Sequence[Input], role: str, at_least: int, at_most: int | None) -> tuple[Input, ...]:
    """The inputs that are for this, so many; asked when a job is submitted, and again by its app.

    Raises
    ------
    UsageError
        There are too few or too many.
    """
    found = tuple(each for each in inputs if each.role == role)
    if len(found) < at_least or (at_most is not None and len(found) > at_most):
        allowed = f"{at_least} or more" if at_most is None else f"{at_least} to {at_most}"
        if at_least == at_most:
            allowed = str(at_least)
        raise UsageError(f"inputs of the role {role!r}", got=len(found), allowed=allowed)
    return found


def recorded(*inputs: Input) -> tuple[InputRecord, ...]:
    """The inputs with their checksums, for the provenance: files as the job calls them, of a folder its tables."""
    from skysift.flow.steps.match import records  # late: heavy

    return tuple(
        record if Path(each.path).is_dir() else replace(record, name=each.name)
        for each in inputs
        for record in records([Path(each.path)])
    )


class App(Protocol[Menu]):
    """What a job does: born with its options, given an errand.

    An app reads the inputs, writes files into ``out`` and raises where it cannot; the worker makes results of the
    files. It may be ended at any time, and started again with what it left in ``out``.
    """

    def __init__(self, options: Menu) -> None: ...

    def run(self, errand: Errand) -> None:
        """Do it.

        Raises
        ------
        SkysiftError
            It cannot be done.
        """
        ...


def each_input(
    errand: Errand, inputs: Sequence[Input], names: Sequence[str], do: Callable[[Input, str], None]
) -> None:
    """Do the same to several inputs; one that fails does not keep the others from being done.

    Parameters
    ----------
    errand
        Whose inputs they are.
    inputs
        The inputs.
    names
        What each is called.
    do
        Is given an input and its name.

    Raises
    ------
    SkysiftError
        One input failed: its error; several did: their number.
    """
    failed: list[tuple[str, SkysiftError]] = []
    for done, (each, name) in enumerate(zip(inputs, names, strict=True)):
        errand.progress("inputs", done, len(inputs))
        try:
            do(each, name)
        except SkysiftError as error:
            if error.kind in ("transient", "fatal") or len(inputs) == 1:
                raise
            failed.append((name, error))
            errand.item(name, False, str(error))
        else:
            errand.item(name, True, "")
    errand.progress("inputs", len(inputs), len(inputs))
    if failed:
        raise DataError(
            f"{len(failed)} of {len(inputs)} inputs failed",
            got="; ".join(f"{name}: {error}" for name, error in failed),
            todo="the results of the others are there",
        )


def going_on(errand: Errand, do: Callable[[bool], Made]) -> Made:
    """What is made where an interrupted attempt may have left part of the work.

    What it left is used; where another version of skysift left it, it is discarded, and the job does not fail by it.

    Parameters
    ----------
    errand
        Whose work it is.
    do
        Does it; is told whether it begins anew.

    Raises
    ------
    SkysiftError
        It cannot be done.
    """
    try:
        return do(False)
    except OtherRunError as error:
        errand.say(
            f"an attempt that was interrupted had begun otherwise, {error.got}: its work is done again"
        )
        return do(True)


def each_map(errand: Errand, do: Callable[[Input, str], None]) -> None:
    """Do the same to every map; of several, each has a folder of its own below ``out``.

    Parameters
    ----------
    errand
        Whose inputs the maps are.
    do
        Is given a map and the name of its folder, which is empty where there is one map.

    Raises
    ------
    SkysiftError
        As for `each_input`; or there is no map.
    """
    maps = errand.needed("map")
    if len(maps) == 1:
        do(maps[0], "")
    else:
        each_input(errand, maps, folder_names([each.name for each in maps]), do)
