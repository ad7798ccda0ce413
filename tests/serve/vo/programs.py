"""Programs of others that tests run."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

__all__ = ["said", "stilts"]


def stilts(*words: str) -> tuple[int, str]:
    """How STILTS ends, and what it prints; without it the test is skipped, or with CI=true fails."""
    program = shutil.which("stilts")
    if program is None:
        told = "stilts is not installed; make system-deps installs it"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(told)
    done = subprocess.run([program, *words], capture_output=True, text=True, timeout=900, check=False)
    return done.returncode, done.stdout + done.stderr


def said(*words: str) -> str:
    """What STILTS prints."""
    return stilts(*words)[1]
