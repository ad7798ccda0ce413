"""Processes of this machine: whether one is still the one that was started, and the end of it and its children."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

__all__ = ["alive", "group_alive", "same_boot", "signal_group", "start_time"]

_PROC = Path("/proc")


def start_time(pid: int) -> str:
    """When a process began, as a text that no other process of its number has; empty where there is none.

    A process that has ended and was not yet taken note of counts as none.
    """
    if (_PROC / "self" / "stat").exists():
        try:
            told = (_PROC / str(pid) / "stat").read_text()
        except OSError:
            return ""
        rest = told.rpartition(")")[2].split()  # behind the name, which may hold anything
        return "" if rest[0] in ("Z", "X") else f"{rest[19]}@{_boot()}"
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, began = done.stdout.strip().partition(" ")
    return "" if state.startswith("Z") else began.strip()


def _boot() -> str:
    """Which start of the machine this is; after another one the numbers of processes mean nothing."""
    with suppress(OSError):
        return (_PROC / "sys" / "kernel" / "random" / "boot_id").read_text().strip()
    return ""


def alive(pid: int, start: str) -> bool:
    """Whether the process that began then is still there."""
    return bool(start) and start_time(pid) == start


def same_boot(start: str) -> bool:
    """Whether a process that began then began since the machine was started."""
    return bool(start) and start.partition("@")[2] == _boot()


def group_alive(group: int) -> bool:
    """Whether any process of a group is there that has not ended."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    if not (_PROC / "self" / "stat").exists():
        return True
    for place in _PROC.iterdir():
        if place.name.isdigit():
            with suppress(OSError, IndexError):
                rest = (place / "stat").read_text().rpartition(")")[2].split()
                if int(rest[2]) == group and rest[0] not in ("Z", "X"):
                    return True
    return False


def signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to a process and all its children that stayed in its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
