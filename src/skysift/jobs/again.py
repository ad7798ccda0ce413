"""A task once more: its inputs looked up anew by the rights of today, with what came along kept beside the new job."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import RowMapping

from skysift.archive.policy import User
from skysift.base.errors import StorageError
from skysift.jobs.folder import JobFolder
from skysift.jobs.job import Input, JobSpec
from skysift.jobs.store import full_spec, private_part

__all__ = ["Renewed", "known_paths", "private_again", "renewed_inputs", "task_again"]

Renewed = Callable[[Input], Input]
"""Finds an input again by its source, for who asks today."""


def renewed_inputs(spec: JobSpec, renewed: Renewed | None) -> JobSpec:
    """The task with every input looked up anew; an error where who asks may not read one any more."""
    return spec if renewed is None else replace(spec, inputs=tuple(renewed(each) for each in spec.inputs))


def private_again(row: RowMapping, user: User) -> dict[str, Any]:
    """What of a task is for the worker alone, with the groups that its owner has today."""
    private = private_part(row)
    if "user" in private and user.known and user.name == row["owner"]:
        private["user"] = {"name": user.name, "groups": sorted(user.groups), "admin": user.admin}
    return private


@contextmanager
def task_again(row: RowMapping, renewed: Renewed | None, old: Path, new: Path) -> Iterator[JobSpec]:
    """The task of a job for another one, with the files that came along copied, for they go with the old job.

    Where the block fails they are removed.

    Raises
    ------
    UnknownName
        Who asks may not read an input any more.
    StorageError
        A file cannot be copied.
    """
    spec = renewed_inputs(full_spec(row), renewed)
    before, after = JobFolder(old).inputs, JobFolder(new).inputs
    try:
        yield replace(spec, inputs=tuple(_kept(each, before, after) for each in spec.inputs))
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise


def _kept(each: Input, old: Path, new: Path) -> Input:
    path = Path(each.path)
    if not path.is_relative_to(old) or not path.exists():
        return each
    target = new / path.relative_to(old)
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        shutil.copy2(path, target)
    except OSError as error:
        raise StorageError("a file that came with the job cannot be kept", got=str(error)) from error
    return replace(each, path=str(target))


def known_paths(spec: JobSpec, row: RowMapping) -> JobSpec:
    """The task with the paths of those inputs that are as they were told of before, without paths."""
    paths: Mapping[str, str] = {each.told()["name"]: each.path for each in full_spec(row).inputs}
    inputs = (each if each.path else replace(each, path=paths.get(each.name, "")) for each in spec.inputs)
    return replace(spec, inputs=tuple(inputs))
