"""`spec_of`: what a request for a job means: its app, its options, and where the bytes of its inputs are.

A user names inputs by what the service gave them: ``upload:ID``, ``shelf:ID``, ``job:ID/NAME``; or by a URL, which
the service fetches first, within bounds. Never by a path: what they may not read is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Annotated, Any
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field

from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.base.options import file_options
from skysift.jobs.apps.menu import app_options
from skysift.jobs.job import Input, JobSpec
from skysift.jobs.options import ResourceOptions
from skysift.serve.context import Context
from skysift.serve.fetching import fetch_upload
from skysift.serve.wire import Plain, Sharing

__all__ = ["NewInput", "NewJob", "Recipe", "as_request", "input_of", "renewed", "spec_of"]

_SOURCES = ("upload:ID", "shelf:ID", "job:ID/NAME", "https://...")


class NewInput(BaseModel):
    """One thing that a job is to read."""

    model_config = ConfigDict(extra="forbid")

    source: Plain = Field(max_length=2000, description="upload:ID, shelf:ID, job:ID/NAME, or a URL.")
    role: str = Field(
        default="map",
        max_length=24,
        pattern=r"^[a-z][a-z0-9_-]*$",
        description="What it is for: map, catalogue, file.",
    )
    name: Plain = Field(
        default="", max_length=200, description="What it is called in this job; its own name by default."
    )


class Recipe(BaseModel):
    """What is to be done, but for its inputs."""

    model_config = ConfigDict(extra="forbid")

    finder: Plain | None = Field(
        default=None, max_length=64, description="A finder; short for the app `finder:NAME`."
    )
    app: Plain | None = Field(default=None, max_length=64, description="An app, where it is no finder.")
    options: dict[str, Any] = Field(
        default_factory=dict, description="Its options; others keep their defaults."
    )
    resources: dict[str, Any] = Field(
        default_factory=dict,
        description="What it may use, and where it runs: executor, cores, memory, seconds, retries.",
    )
    tags: list[Annotated[Plain, Field(max_length=64)]] = Field(default_factory=list, max_length=32)


class NewJob(Recipe):
    """What is to be done, and with what."""

    recipe: Recipe | None = Field(
        default=None, description="What another job did; what is said beside it counts more."
    )
    inputs: list[NewInput | Annotated[Plain, Field(max_length=2000)]] = Field(
        default_factory=list, max_length=10000
    )
    name: Plain = Field(default="", max_length=255, description="What you call it.")
    start: bool = Field(default=True, description="Whether it is queued at once.")
    access: Sharing | None = Field(default=None, description="Who may see it; you alone by default.")


def spec_of(wanted: NewJob, asked: Context, *, sent: bool = True) -> JobSpec:
    """The task that a request describes, every input found and allowed.

    Parameters
    ----------
    wanted
        The request.
    asked
        Who asks.
    sent
        Whether all inputs are there; else ``file:NAME`` stands for one that is to be sent, and no URL is fetched.

    Raises
    ------
    UsageError
        Something is missing, unknown or not allowed.
    """
    recipe = wanted.recipe or Recipe()
    app = _app(wanted) or _app(recipe)
    if app is None:
        raise OptionError("the job does not say what to do", allowed="finder, app or recipe")
    menu = app_options(app)
    find = input_of if sent else _told_of
    inputs = [find(NewInput(source=each) if isinstance(each, str) else each, asked) for each in wanted.inputs]
    options = {**recipe.options, **wanted.options}
    places: dict[str, int] = {}  # option -> which of the inputs is its file
    for name in file_options(menu):
        value = options.get(name)
        if isinstance(value, str) and value.partition(":")[0] in ("upload", "shelf", "job", "http", "https"):
            inputs.append(find(NewInput(source=value, role="file"), asked))
            places[name] = len(inputs) - 1
    named = _called_apart(inputs)
    options |= {name: f"input:{named[place].name}" for name, place in places.items()}
    return JobSpec(
        app=app,
        inputs=tuple(named),
        options=options,
        resources=ResourceOptions.parse({**recipe.resources, **wanted.resources}),
        tags=tuple(wanted.tags or recipe.tags),
        name=wanted.name,
    )


def input_of(wanted: NewInput, asked: Context) -> Input:
    """Where the bytes of an input are, if the user may read them.

    Raises
    ------
    UnknownName
        There is no such thing for this user.
    UsageError
        It is named in a way that is not known, or a URL leads where nothing is fetched from.
    """
    kind, _, rest = wanted.source.partition(":")
    if kind == "upload":
        upload = asked.uploads.upload(rest, asked.user)
        path, name = str(upload.path), upload.name
    elif kind == "job":
        one, _, wanted_name = rest.partition("/")
        asked.manager.job(one, asked.user)
        found = [each for each in asked.manager.results(one) if each.name == wanted_name]
        if not found:
            raise UnknownName("the job made no such file", got=wanted.source[:200])
        path, name = str(found[0].path), wanted_name.rpartition("/")[2]
    elif kind == "shelf":
        entry = asked.shelf.entry(rest, asked.user)
        path, name = str(entry.path), entry.name
    elif kind in ("http", "https"):
        upload = fetch_upload(asked, wanted.source, wanted.name)
        path, name = str(upload.path), upload.name
    else:
        raise OptionError(
            "an input is named in a way that is not known", got=wanted.source[:100], allowed=_SOURCES
        )
    return Input(path=path, name=wanted.name or name, role=wanted.role, source=wanted.source)


def _told_of(wanted: NewInput, asked: Context) -> Input:
    """An input of a task that is only checked: what is to be sent has no path, and a URL stays one."""
    kind, _, rest = wanted.source.partition(":")
    if kind == "file":
        return Input(path="", name=wanted.name or rest, role=wanted.role, source=wanted.source)
    if kind in ("http", "https"):
        name = wanted.name or PurePosixPath(unquote(urlsplit(wanted.source).path)).name or "url"
        return Input(path=wanted.source, name=name, role=wanted.role, source=wanted.source)
    return input_of(wanted, asked)


def renewed(held: Input, asked: Context) -> Input:
    """An input of a job, found again for who asks today; what came with the request itself is as it was.

    Raises
    ------
    UnknownName
        There is no such thing for this user any more.
    """
    if held.source.partition(":")[0] not in ("upload", "job", "shelf"):
        return held
    return input_of(NewInput(source=held.source, role=held.role, name=held.name), asked)


@contextmanager
def as_request() -> Iterator[None]:
    """What a body names and is not there, told as a fault of the request and not of its address."""
    try:
        yield
    except UnknownName as error:
        told = UsageError(error.wrong, allowed=error.allowed, todo=error.todo)
        told.got = error.got
        raise told from error


def _app(wanted: Recipe) -> str | None:
    if wanted.finder is not None and wanted.app is not None:
        raise OptionError("a job has a finder or an app", got="both", allowed="one of the two")
    return wanted.app if wanted.finder is None else f"finder:{wanted.finder}"


def _called_apart(inputs: list[Input]) -> list[Input]:
    """The same with names that differ."""
    seen: set[str] = set()
    named = []
    for each in inputs:
        name, number = each.name, 1
        while name in seen:
            number += 1
            stem, dot, suffix = each.name.partition(".")
            name = f"{stem}-{number}{dot}{suffix}"
        seen.add(name)
        named.append(replace(each, name=name))
    return named
