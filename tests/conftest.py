"""What every test may ask for: the folder of real data, and programs that are not Python packages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # there is a test process a core; read when libraries load

CHECKOUT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The folder of the checkout."""
    return CHECKOUT


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """The folder of real maps: $SKYSIFT_DATA, or ../shared/data beside the checkout."""
    told = os.environ.get("SKYSIFT_DATA")
    folder = Path(told) if told else CHECKOUT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no folder of real data (SKYSIFT_DATA is {'not a folder' if told else 'not set'})")
    return folder


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small net that was trained on made skies, once for all test processes."""
    from tests.fields import small_weights  # late: it brings torch

    return small_weights(_shared_folder(tmp_path_factory))


@pytest.fixture(scope="session")
def unet_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small U-Net that was trained on made skies, once for all test processes."""
    from tests import fields  # late: it brings torch

    return fields.unet_weights(_shared_folder(tmp_path_factory))


@pytest.fixture(scope="session")
def rcnn_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small network of two looks that was trained on made skies, once for all test processes."""
    from tests import fields  # late: it brings torch

    return fields.rcnn_weights(_shared_folder(tmp_path_factory))


@pytest.fixture(scope="session")
def detr_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a small detection transformer that was trained on made skies, once for all test processes."""
    from tests import fields  # late: it brings torch

    return fields.detr_weights(_shared_folder(tmp_path_factory))


def _shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all test processes share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def program() -> Callable[[str, str], str]:
    """program(name, how): the path of a program; without it the test is skipped, or with CI=true fails."""

    def find(name: str, how: str) -> str:
        path = shutil.which(name)
        if path is None:
            told = f"{name} is not installed; {how} installs it"
            (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(told)
        return path

    return find


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL of its own; without the programs the test is skipped, or with CI=true fails."""
    from tests.postgres import binaries, cluster  # late: few tests need it

    programs = binaries()
    if programs is None:
        told = "PostgreSQL is not installed; make system-deps installs it"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(told)
    with cluster(programs) as url:
        yield url
