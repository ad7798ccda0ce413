"""What belongs to the machine, not to the science: settings from the environment, read once.

=====================  =================================================  ==============================
variable               what                                               default
=====================  =================================================  ==============================
SKYSIFT_CACHE          folder for what can be made again                  ~/.cache/skysift
SKYSIFT_WORKERS        how many tasks run at once                         usable cores
SKYSIFT_TILE           pixels along the side of a tile                    1024
SKYSIFT_SCHEDULER      address of a Dask scheduler whose workers serve    none: threads of this machine
SKYSIFT_KEEP           seconds of work that a run keeps at once           10
SKYSIFT_LOG_LEVEL      debug, info, warning, error                        warning
SKYSIFT_CLIENT_TOKEN   your token for a service that asks who you are     none
SKYSIFT_AEGEAN         Python of an environment with AegeanTools          none: no such jobs
SKYSIFT_PYBDSF         Python of an environment with bdsf                 none: no such jobs
=====================  =================================================  ==============================

What a service is told has names of its own: ``SKYSIFT_SERVE_`` and the name of the setting in capitals.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from skysift.base.errors import UsageError

__all__ = [
    "LOG_LEVELS",
    "SMALLEST_TILE",
    "USUAL_TILE",
    "Settings",
    "named",
    "settings",
    "usable_cores",
    "worker_environment",
]

LOG_LEVELS = ("debug", "info", "warning", "error")
USUAL_TILE = 1024
PROGRAMS = ("aegean", "pybdsf")  # of other environments, that jobs run
SMALLEST_TILE = 64  # pixels; below it, reading costs more than finding


@dataclass(frozen=True)
class Settings:
    """What this machine is told by its environment; none of it can change a catalogue."""

    cache: Path
    workers: int
    tile: int = USUAL_TILE
    log_level: str = "warning"
    scheduler: str | None = None
    keep: int = 10
    programs: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Settings:
        """The settings that the variables ``SKYSIFT_*`` describe; an empty variable counts as not set.

        Raises
        ------
        UsageError
            A variable holds what is not allowed.
        """
        given = {name: text for name, text in environment.items() if text.strip()}
        level = given.get("SKYSIFT_LOG_LEVEL", "warning").strip().lower()
        if level not in LOG_LEVELS:
            raise UsageError("SKYSIFT_LOG_LEVEL is not a level", got=level, allowed=LOG_LEVELS)
        home_cache = Path(given.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "skysift"
        return cls(
            cache=Path(given.get("SKYSIFT_CACHE", home_cache)).expanduser(),
            workers=_whole(given, "SKYSIFT_WORKERS", usable_cores(), at_least=1),
            tile=_whole(given, "SKYSIFT_TILE", USUAL_TILE, at_least=SMALLEST_TILE),
            log_level=level,
            scheduler=given.get("SKYSIFT_SCHEDULER", "").strip() or None,
            keep=_whole(given, "SKYSIFT_KEEP", 10, at_least=0),
            programs={
                name: Path(given[f"SKYSIFT_{name.upper()}"].strip()).expanduser()
                for name in PROGRAMS
                if f"SKYSIFT_{name.upper()}" in given
            },
        )


@cache
def settings() -> Settings:
    """The settings of this process; the environment is read at the first call only."""
    return Settings.from_environment(os.environ)


def named(room: str, environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the environment says to one room, by the name of the setting: ``SKYSIFT_<ROOM>_<NAME>``.

    Parameters
    ----------
    room
        The room, such as ``serve``.
    environment
        The variables; those of the process by default.
    """
    given = os.environ if environment is None else environment
    start = f"SKYSIFT_{room.upper()}_"
    return {
        name.removeprefix(start).lower(): text
        for name, text in given.items()
        if name.startswith(start) and text.strip()
    }


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
_SECRET = "SKYSIFT_SERVE_"  # of the service alone


def worker_environment(cores: int) -> dict[str, str]:
    """The environment of a process that does work of its own on so many cores; without the service's secrets."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SECRET)}
    return {**kept, **dict.fromkeys(_THREADS, str(cores)), "PYTHONUNBUFFERED": "1"}


def _whole(given: Mapping[str, str], name: str, default: int, *, at_least: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    try:
        value = int(text)
    except ValueError:
        value = at_least - 1
    if value < at_least:
        raise UsageError(f"{name} is not allowed", got=text, allowed=f"a whole number, {at_least} or more")
    return value
