"""Kernels are compiled once per state of their sources, and release the interpreter lock."""

import os
import shutil
import subprocess
import sys
import threading
import time

import numpy as np

from skysift.base import compiled
from skysift.base.compiled import kernel, source_hash
from skysift.base.settings import settings


@kernel
def count(n: int) -> int:
    """Some work."""
    total = 0
    for i in range(n):
        total += (i * i) % 7
    return total


def test_a_kernel_is_the_function_it_was_made_of():
    assert count(1000) == count.py_func(1000)
    assert count.__doc__ == "Some work."


def test_division_by_zero_is_that_of_numpy():
    @kernel
    def divide(a: float, b: float) -> float:
        return a / b

    assert np.isinf(divide(1.0, 0.0))


def test_threads_run_kernels_while_python_goes_on():
    count(10)
    worker = threading.Thread(target=count, args=(3 * 10**8,))
    worker.start()
    ticks = 0
    while worker.is_alive():
        time.sleep(0.001)
        ticks += 1
    worker.join()
    assert ticks > 5


def test_the_cache_is_named_by_the_sources():
    assert source_hash() == source_hash()
    assert len(source_hash()) == 16
    here = compiled._SOURCE / "measure" / "gaussian.py"
    assert compiled.cache_of(here).name == source_hash(here)


def test_a_file_reaches_what_it_imports_and_no_more():
    reached = {
        path.relative_to(compiled._SOURCE).as_posix()
        for path in compiled._reached(compiled._SOURCE / "measure" / "island.py")
    }
    assert {
        "measure/island.py",
        "measure/components.py",
        "measure/fit.py",
        "measure/gaussian.py",
        "sky/flags.py",
    } <= reached
    assert not any(name.startswith(("cli/", "flow/", "find/")) for name in reached)


def test_any_change_of_a_source_with_a_kernel_changes_the_name(tmp_path, monkeypatch):
    copy = tmp_path / "skysift"
    shutil.copytree(compiled._SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compiled, "_SOURCE", copy)
    before = source_hash()
    plain, with_kernels = copy / "base" / "errors.py", copy / "measure" / "gaussian.py"
    plain.write_text(plain.read_text() + "\n# nothing compiled here\n")
    assert source_hash() == before
    above, beside = (source_hash(copy / "measure" / name) for name in ("island.py", "label.py"))
    with_kernels.write_text(with_kernels.read_text() + "\n# a change\n")
    assert source_hash() != before
    assert source_hash(copy / "measure" / "island.py") != above
    assert source_hash(copy / "measure" / "label.py") == beside


def test_the_name_tells_checkouts_apart_and_follows_what_kernels_freeze(tmp_path, monkeypatch):
    before = source_hash()
    copy = tmp_path / "skysift"
    shutil.copytree(compiled._SOURCE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(compiled, "_SOURCE", copy)
    moved = source_hash()
    assert moved != before
    flags = copy / "sky" / "flags.py"
    flags.write_text(flags.read_text() + "\n# a change\n")
    assert source_hash() != moved


def test_kernels_of_sources_that_are_gone_are_removed(tmp_path, monkeypatch):
    now, day = time.time(), 86400.0
    ages = {"mine": 0.0, "long": 31 * day, **{f"day{n}": n * day + 60 for n in range(8)}}
    monkeypatch.setattr(compiled, "_KEPT", 5)
    for name, age in ages.items():
        (tmp_path / name / "deep").mkdir(parents=True)
        os.utime(tmp_path / name, (now - age, now - age))
    compiled._prune(tmp_path / "mine")
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "day0", "day1", "day2", "day3"}


def test_a_cache_that_cannot_be_made_moves_to_the_temporary_folder(tmp_path, monkeypatch, caplog):
    (tmp_path / "file").write_text("in the way")
    told = settings()
    monkeypatch.setattr(compiled, "settings", lambda: type(told)(tmp_path / "file", told.workers))
    monkeypatch.setattr(compiled.tempfile, "gettempdir", lambda: str(tmp_path))
    folder = compiled._cache_folder("name")
    assert tmp_path in folder.parents
    assert folder.is_dir()


SAYS = """
import logging
import sys
logging.basicConfig()
from skysift.measure import label  # its kernels are loaded, and none is called
if "call" in sys.argv:
    import numpy as np
    plane = np.ones((2, 2), np.float32)
    print(label.count_runs(plane, 0 * plane, plane, 0.5, 1.0), label.count_runs(plane, 0 * plane, plane, 5.0, 1.0))
"""


def test_who_compiles_says_so_once_and_who_loads_from_the_cache_says_nothing(tmp_path):
    def said(*words: str) -> tuple[str, int]:
        done = subprocess.run(
            [sys.executable, "-c", SAYS, *words],
            env={**os.environ, "SKYSIFT_CACHE": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip(), done.stderr.count("compiling kernels")

    assert said() == ("", 0)
    assert said("call") == ("2 0", 1)
    assert said("call") == ("2 0", 0)
