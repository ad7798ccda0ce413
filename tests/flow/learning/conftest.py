"""Pictures with classes, and an encoder that learnt from them."""

import numpy as np
import pytest
import torch
from tests.commands import called
from tests.flow.learning.sets import SMALL, N, doubles, sets


@pytest.fixture(scope="package", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="package")
def pictures(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "doubles.npz"
    label = np.array(["single", "double"])[np.arange(N) % 2]
    ra, dec = 10.0 + 0.1 * np.arange(N), np.full(N, -30.0)
    pixels = doubles()
    pixels[3] = np.nan
    names = np.array([f"s{k}" for k in range(N)])
    np.savez(path, pixels=pixels, label=label, ra=ra, dec=dec, name=names)
    return path


@pytest.fixture(scope="package")
def trained(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "tiny"
    chosen = sets(*SMALL, "train.epochs=10", "train.batch=16")
    said = called("pretrain", "simclr", pictures, "--out", out, "--threads", 1, *chosen)
    assert said.returncode == 0, said.stderr
    return out, said


@pytest.fixture
def folds(tmp_path):
    """Three folds of all pictures but two, of which the first is only learnt from."""
    path = tmp_path / "mine.csv"
    rows = [f"s{k},{k % 3 if k else -1},{(k + 1) % 3}" for k in range(N - 2)]
    path.write_text("\n".join(["name,fold_1,fold_2", *rows]) + "\n")
    return path
