"""`Executor`: starts workers somewhere, asks how they are, ends them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from skysift.jobs.options import ResourceOptions

__all__ = ["Executor", "State"]


@dataclass(frozen=True)
class State:
    """How a worker is.

    Parameters
    ----------
    running
        Whether it is still there, or still to come.
    told
        What is known of its end, such as ``signal 9``; empty for nothing.
    left
        Whether it has ended and children of it are still there.
    """

    running: bool
    told: str = ""
    left: bool = False


class Executor(Protocol):
    """Somewhere that workers can run.

    A worker is known by its handle, a text that is kept in the database, so that another process finds it again.
    Calls that cannot reach what runs the workers raise a `TransientError`; nothing is lost by that.

    Attributes
    ----------
    elsewhere
        Whether workers go on where the service ends in good order.
    """

    elsewhere: bool

    def start(self, folder: Path, resources: ResourceOptions) -> str:
        """Start a worker for the job of a folder; its handle."""
        ...

    def find(self, folder: Path) -> str:
        """The handle of a worker whose start was not told of; empty where there is none."""
        ...

    def poll(self, handle: str, folder: Path) -> State:
        """How a worker is."""
        ...

    def stop(self, handle: str, folder: Path, *, kill: bool = False) -> None:
        """Tell a worker and all its children to end; at once and whatever they do, where `kill`."""
        ...

    def logs(self, handle: str, folder: Path, tail: int) -> str:
        """The last bytes of what a worker printed."""
        ...

    def collect(self, handle: str, folder: Path) -> None:
        """Bring what a worker made into the folder, where it was made elsewhere."""
        ...

    def close(self) -> None:
        """Leave what runs the workers; those that are elsewhere go on."""
        ...

    def capacity(self) -> int | None:
        """How many cores its workers may use together; None where it sees to that itself.

        Raises
        ------
        OptionError
            It was not told where it is.
        """
        ...
