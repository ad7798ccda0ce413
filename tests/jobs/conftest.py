"""Apps of a guest, and a manager to give jobs to."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.jobs import guests
from tests.jobs.services import managing

from skysift.jobs.manager import Manager


@pytest.fixture(scope="session")
def guest_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("guest")
    guests.install(folder)
    return folder


@pytest.fixture(autouse=True)
def guest(guest_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of a guest is installed, for this process and for workers."""
    monkeypatch.syspath_prepend(guest_folder)
    before = os.environ.get("PYTHONPATH", "")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(guest_folder), before])))
    assert str(guest_folder) in sys.path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    with managing(tmp_path) as made:
        yield made
