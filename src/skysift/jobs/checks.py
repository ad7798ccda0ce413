"""`checked`: a task as somebody told it, after every check that can be made before it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from skysift.base.errors import OptionError, UsageError
from skysift.base.settings import settings
from skysift.base.store import is_url
from skysift.jobs.apps.app import needed_of
from skysift.jobs.apps.menu import beside_of, chosen, needs_of, program_of
from skysift.jobs.executors.executor import Executor
from skysift.jobs.job import JobSpec

__all__ = ["checked"]

LONGEST_NAME, LONGEST_TAG, MOST_TAGS, MOST_INPUTS = 255, 64, 32, 10000


def checked(spec: JobSpec, executor: Callable[[str], Executor], *, sent: bool = True) -> JobSpec:
    """The task with all its options, after every check that needs no pixels.

    Parameters
    ----------
    spec
        The task, as somebody told it.
    executor
        Gives an executor by its name.
    sent
        Whether the inputs are there; else those without a path are still to be sent.

    Raises
    ------
    UnknownName
        There is no such app or executor.
    OptionError
        An option or a resource is not allowed.
    UsageError
        An input is missing, or there are more or fewer of a role than the app needs.
    """
    options = chosen(spec.app, spec.options, spec.inputs)
    spec = replace(spec, options=options)
    program = program_of(spec.app)
    if program is not None and program not in settings().programs:
        raise UsageError(
            f"{program} is not installed here", todo=f"the setting SKYSIFT_{program.upper()} names its Python"
        )
    executor(spec.resources.executor).capacity()  # refuses what nobody set up
    if len(spec.name) > LONGEST_NAME:
        raise OptionError(
            "the name of a job is too long", got=len(spec.name), allowed=f"{LONGEST_NAME} letters"
        )
    if len(spec.tags) > MOST_TAGS or any(not 0 < len(tag) <= LONGEST_TAG for tag in spec.tags):
        raise OptionError(
            "tags are not allowed", got=spec.tags, allowed=f"{MOST_TAGS} of up to {LONGEST_TAG} letters"
        )
    if len(spec.inputs) > MOST_INPUTS:
        raise OptionError("a job has too many inputs", got=len(spec.inputs), allowed=f"{MOST_INPUTS} at most")
    for role, (at_least, at_most) in needs_of(spec.app).items():
        needed_of(spec.inputs, role, at_least, at_most)
    _check_beside(spec)
    for each in spec.inputs:
        if not _may_be_called(each.name):
            raise OptionError(
                "the name of an input is not allowed",
                got=each.name[:100],
                allowed=f"the name of a file, of up to {LONGEST_NAME} letters, without folders",
            )
        if not each.path and not sent:
            continue
        if not each.path or not (is_url(each.path) or Path(each.path).exists()):
            raise UsageError("an input is not there", got=each.name)
    inputs = (
        each if is_url(each.path) else replace(each, path=str(Path(each.path).absolute()))
        for each in spec.inputs
    )  # the worker stands elsewhere
    return replace(spec, inputs=tuple(inputs))


def _check_beside(spec: JobSpec) -> None:
    """Refuse maps beside a map that do not go together.

    Raises
    ------
    UsageError
        They are beside several maps, or are too many, or both Taylor terms and channels.
    """
    roles = beside_of(spec.app)
    counts = {role: sum(each.role == role for each in spec.inputs) for role in roles}
    given = [role for role, count in counts.items() if count]
    n_maps = sum(each.role == "map" for each in spec.inputs)
    if given and n_maps > 1:
        raise UsageError(
            f"inputs of the role {given[0]!r} lie beside one map",
            got=f"{n_maps} maps",
            todo="search one map a job",
        )
    for role in given:
        needed_of(spec.inputs, role, *roles[role])
    if counts.get("taylor") and counts.get("channels"):
        raise UsageError(
            "a spectral index comes from Taylor terms or from channels",
            got="inputs of the roles 'taylor' and 'channels'",
            allowed="one of the two",
        )
    stokes = sum(count for role, count in counts.items() if role.startswith("stokes"))
    if stokes and spec.options.get("stokes") is not None:
        raise UsageError("maps of Stokes parameters are inputs, or planes of the cube of the map", got="both")
    frequencies = spec.options.get("channel_frequencies") or ()
    if roles and frequencies and len(frequencies) != counts["channels"]:
        raise UsageError(
            "every input of the role 'channels' has its frequency",
            got=f"{len(frequencies)} frequencies",
            allowed=str(counts["channels"]),
        )


def _may_be_called(name: str) -> bool:
    """Whether a name is that of a file: folders and logs are called by it."""
    return (
        0 < len(name) <= LONGEST_NAME and name not in (".", "..") and "/" not in name and name.isprintable()
    )
