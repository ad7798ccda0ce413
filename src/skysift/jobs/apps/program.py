"""`Program`: another program as part of a job: a process of its own, its words in the log, its tables in our schema.

The door through which finders of other environments come: an app of this kind names its program's Python by a setting,
runs it without a shell, and reads its tables by one of the layouts.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import skysift
from skysift.base.errors import DataError, UsageError
from skysift.base.options import Options
from skysift.base.provenance import InputRecord, Provenance
from skysift.base.registry import Registry
from skysift.base.settings import settings, worker_environment
from skysift.base.store import checksum, local_copy
from skysift.io.format import FileFormat
from skysift.io.layouts.reading import read_any_catalogue
from skysift.io.regions import write_crtf, write_ds9
from skysift.jobs.job import Input
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table

__all__ = ["Program", "empty_catalogue", "foreign_catalogue", "write_tables"]

_LAST = 6  # lines of a program that failed that are told


class Program:
    """A program in an environment of its own.

    Parameters
    ----------
    name
        Its name among the settings, such as ``aegean``.
    cores
        How many threads it may use.

    Raises
    ------
    UsageError
        The settings do not say where it is.
    """

    def __init__(self, name: str, cores: int) -> None:
        python = settings().programs.get(name)
        if python is None:
            raise UsageError(
                f"{name} is not installed here", todo=f"the setting SKYSIFT_{name.upper()} names it"
            )
        self.name, self.python, self.cores = name, python, cores

    def script(self, name: str) -> tuple[Path, Path]:
        """The beginning of a command: a script that stands beside its Python, run by that Python."""
        return self.python, self.python.with_name(name)

    def run(self, command: Sequence[str | Path], folder: Path) -> None:
        """Run it in a folder; what it prints goes into the log.

        It is a child of the worker and in its group: what ends the worker ends it.

        Raises
        ------
        DataError
            It ended with an error; its last lines are told.
        UsageError
            There is no such program.
        """
        environment = worker_environment(self.cores)
        environment.pop("PYTHONPATH", None)  # its environment is its own
        last: list[str] = []
        try:
            with subprocess.Popen(
                [str(word) for word in command],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            ) as process:
                for line in process.stdout or ():
                    print(line.rstrip(), flush=True)
                    last = [*last[-_LAST:], line.strip()]
        except OSError as error:
            raise UsageError(
                f"{self.name} cannot be run", got=str(command[0]), todo=error.strerror or str(error)
            ) from error
        if process.returncode:
            raise DataError(
                f"{self.name} ended with {process.returncode}", got=" / ".join(each for each in last if each)
            )


def foreign_catalogue(path: Path) -> Catalogue:
    """The catalogue in a table of a known layout; an empty one where the program wrote none."""
    return read_any_catalogue(path) if path.exists() else empty_catalogue()


def empty_catalogue() -> Catalogue:
    """A catalogue of nothing."""
    return Catalogue(Table.empty("islands"), Table.empty("sources"), Table.empty("components"))


def write_tables(
    catalogue: Catalogue, each: Input, options: Options, finder: str, out: Path, formats: Sequence[str]
) -> Catalogue:
    """The catalogue with its story, after its tables and regions were written into a folder."""
    digest, size = checksum(each.path)
    record = InputRecord(each.name, digest, size=size)
    told = replace(
        catalogue, provenance=Provenance(skysift.__version__, finder, options.to_dict(), (record,))
    )
    for name in dict.fromkeys(formats):
        writer: FileFormat = Registry[Any]("format").make(name)
        for table in ("islands", "sources", "components"):
            writer.write(told, out / f"{table}{writer.suffixes[0]}", table, overwrite=True)
    write_ds9(out / "regions.reg", told.components, None, overwrite=True)
    write_crtf(out / "regions.crtf", told.components, None, overwrite=True)
    return told


def file_of(each: Input) -> Path:
    """An input as a file of this machine."""
    return Path(local_copy(each.path))
