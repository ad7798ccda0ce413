"""Comparisons: cells with what decides them, one table, encoders that are kept."""

import csv
import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from tests.commands import called
from tests.conftest import CHECKOUT
from tests.flow.learning.sets import N, doubles

from skysift.base.errors import CancelledError, DataError, StorageError, UnknownName
from skysift.flow.learning.comparing import read_comparison
from skysift.flow.learning.probing import Row
from skysift.flow.steps.benchmark import _lines
from skysift.flow.steps.pretrain import refuse_unfit

RECIPE = """
name: small
protocol: {protocol}
methods: {{simclr: {{out: 8}}, vic: {{method: vicreg, out: 8, train.epochs: 1}}}}
networks: {{tiny: {{width: 4, blocks: [1, 1]}}}}
preparations: {{asinh: {{size: 24}}}}
sets: {{all: {{pictures: [doubles.npz, more.npz], most: 80}}}}
train: {{epochs: 2, batch: 16}}
pool: {{same: 0}}
tasks: {{kinds: {{pictures: doubles.npz}}}}
probe: {{folds: 2, repeats: 1, kinds: [linear]}}
"""


@pytest.fixture
def recipe(pictures, tmp_path):
    (tmp_path / "doubles.npz").symlink_to(pictures)
    np.savez(tmp_path / "more.npz", images=doubles(90, seed=3))
    path = tmp_path / "small.yaml"
    path.write_text(RECIPE.format(protocol="apart"))
    return path


def table(folder):
    with (folder / "benchmark.csv").open() as lines:
        return list(csv.DictReader(lines))


def dues(path):
    from skysift.flow.learning.cells import asked_in, dues_of, inputs_of

    comparison = read_comparison(path)
    asked = asked_in(comparison)
    return dues_of(comparison, asked, inputs_of(comparison, asked))


def _stop():
    raise StopIteration


def test_one_table_with_what_stands_beside_and_a_broken_run_goes_on(recipe, tmp_path, monkeypatch):
    from skysift.flow.learning import cells

    done, whole = [], cells.run_cell

    def broken(comparison, due, *more):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(due)
        whole(comparison, due, *more)

    monkeypatch.setattr(cells, "run_cell", broken)
    assert called("benchmark", recipe, "--out", tmp_path / "b", "--threads", 1).returncode == 130
    monkeypatch.setattr(cells, "run_cell", whole)
    before = (tmp_path / "b" / ".cells").glob("*.json")
    assert len(list(before)) == 1
    said = called("benchmark", recipe, "--out", tmp_path / "b", "--threads", 1)
    assert said.returncode == 0, said.stderr
    rows = table(tmp_path / "b")
    assert {row["method"] for row in rows} == {"simclr", "vic", "none", "random network", "plain features"}
    assert all(row["task"] == "kinds" and 0.0 <= float(row["accuracy"]) <= 1.0 for row in rows)
    own = {row["method"]: row for row in rows if row["set"]}
    assert float(own["simclr"]["seconds"]) > 0.0
    assert float(own["vic"]["spread"]) > 0.0
    assert not (tmp_path / "b" / ".cells").exists()
    assert "plain features" in said.stdout


@pytest.mark.parametrize("protocol", ["apart", "folds"])
def test_a_cell_that_breaks_spoils_its_own_row_alone_and_is_tried_again(
    recipe, tmp_path, monkeypatch, protocol
):
    from skysift.flow.learning import cells

    recipe.write_text(RECIPE.format(protocol=protocol))
    whole = cells.learn

    def broken(plan, pool, work, **more):
        if plan.method == "vicreg" and (protocol == "apart" or not hasattr(broken, "done")):
            broken.done = True  # one part of two is enough
            raise DataError("the loss is not a number at step 2")
        return whole(plan, pool, work, **more)

    monkeypatch.setattr(cells, "learn", broken)
    words = ("benchmark", recipe, "--out", tmp_path / "b", "--threads", 1)
    said = called(*words)
    assert said.returncode == 0, said.stderr
    assert "vic-tiny-asinh-all" in said.stderr
    assert "the loss is not a number at step 2" in said.stderr
    assert "not a number at step 2" in (tmp_path / "b" / "report.html").read_text()
    assert {row["method"] for row in table(tmp_path / "b")} == {
        "simclr", "none", "random network", "plain features",
    }  # fmt: skip
    first = {row["method"]: row for row in table(tmp_path / "b")}
    monkeypatch.setattr(cells, "learn", whole)
    assert called(*words, "--overwrite").returncode == 0
    rows = {row["method"]: row for row in table(tmp_path / "b")}
    assert "vic" in rows
    assert rows["simclr"] == first["simclr"]  # its encoder was kept


def test_a_comparison_all_of_whose_cells_break_says_why(recipe, tmp_path, monkeypatch):
    from skysift.flow.learning import cells

    def broken(*args, **more):
        raise torch.OutOfMemoryError("1 GiB")

    monkeypatch.setattr(cells, "learn", broken)
    said = called("benchmark", recipe, "--out", tmp_path / "b", "--threads", 1)
    assert said.returncode == 2
    assert "memory of the device does not suffice" in said.stderr


@pytest.mark.parametrize("error", [StorageError("the disk is full"), CancelledError("the job was cancelled")])
def test_what_would_break_all_cells_ends_the_comparison(recipe, tmp_path, monkeypatch, error):
    from skysift.flow.learning import cells

    tried = []

    def broken(*args, **more):
        tried.append(1)
        raise error

    monkeypatch.setattr(cells, "learn", broken)
    said = called("benchmark", recipe, "--out", tmp_path / "b", "--threads", 1)
    assert said.returncode != 0
    assert str(error) in said.stderr
    assert len(tried) == 1


def _full_disk(due):
    """In place of a cell, in a process of its own: the first finds the disk full, the others take long."""
    from skysift.flow.steps import benchmark

    work = benchmark._process["told"][2]
    (work / f"{due.cell.name}.begun").touch()
    until = time.monotonic() + 120.0
    if due.cell.fold == 0 and due.cell.method == "simclr":
        while len(list(work.glob("*.begun"))) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    time.sleep(until - time.monotonic())


def test_a_full_disk_ends_the_trainings_on_all_devices(recipe, tmp_path, monkeypatch):
    recipe.write_text(RECIPE.format(protocol="folds"))
    monkeypatch.setattr("skysift.flow.steps.benchmark._one", _full_disk)
    clock = time.monotonic()
    said = called("benchmark", recipe, "--out", tmp_path / "b", "--device", "cpu,cpu", "--threads", 1)
    assert said.returncode != 0
    assert os.strerror(errno.ENOSPC) in said.stderr
    assert time.monotonic() - clock < 100.0  # the other was not waited for
    assert len(dues(recipe)) == 4
    assert len(list((tmp_path / "b" / ".cells").glob("*.begun"))) == 2


@pytest.mark.parametrize("everywhere", [True, False])
def test_an_interrupt_ends_the_trainings_on_all_devices(recipe, tmp_path, everywhere):
    words = ("benchmark", recipe, "--out", tmp_path / "b", "--device", "cpu,cpu", "--threads", 1)
    recipe.write_text(
        recipe.read_text().replace("epochs: 2", "epochs: 90000").replace(", train.epochs: 1", "")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "skysift.cli.main", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        until = time.monotonic() + 120.0
        while len(list((tmp_path / "b" / ".cells").glob("*/"))) < 2:  # each has begun to learn
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)
        (os.killpg if everywhere else os.kill)(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=20)  # until the last process has closed what it writes to
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 130
    assert told.splitlines()[-1].startswith("skysift: interrupted")
    assert "Traceback" not in told


def test_each_fold_is_left_out_of_what_is_learnt_from(recipe, tmp_path, monkeypatch):
    from skysift.flow.learning import cells

    seen = []
    monkeypatch.setattr(cells, "learn", lambda plan, pool, work, **more: seen.append(pool) or _stop())
    for protocol, sizes in (("apart", [80]), ("folds", [80, 80]), ("transductive", [80])):
        recipe.write_text(RECIPE.format(protocol=protocol).replace("most: 80", "most: 0"))
        comparison = read_comparison(recipe)
        seen.clear()
        asked = cells.asked_in(comparison)
        for due in cells.dues_of(comparison, asked, cells.inputs_of(comparison, asked))[: len(sizes)]:
            with pytest.raises(StopIteration):
                cells.run_cell(comparison, due, asked, tmp_path, "cpu", 1)
        lengths = [len(pool) for pool in seen]
        assert lengths == {
            "apart": [90],
            "folds": [90 + N - 1 - 32, 90 + N - 1 - 31],
            "transductive": [90 + N - 1],
        }[protocol] or sorted(lengths) == sorted([90 + N - 1 - 32, 90 + N - 1 - 31])


def test_two_devices_share_the_trainings(recipe, tmp_path):
    said = called("benchmark", recipe, "--out", tmp_path / "b", "--device", "cpu,cpu", "--threads", 1)
    assert said.returncode == 0, said.stderr
    rows = table(tmp_path / "b")
    assert len({row["method"] for row in rows}) == 5
    for row in rows:  # the summary tells each row by all its names
        names = [row[name] for name in ("method", "network", "preparation", "set", "kind") if row[name]]
        assert any(
            line.split()[: len(" ".join(names).split())] == " ".join(names).split()
            for line in said.stdout.splitlines()
        )
    called("benchmark", recipe, "--out", tmp_path / "one", "--device", "cpu", "--threads", 1)
    lasting = [{**row, "seconds": ""} for row in table(tmp_path / "b")]
    assert lasting == [{**row, "seconds": ""} for row in table(tmp_path / "one")]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("tasks: {kinds: {pictures: doubles.npz}}", "tasks: {}"), "names no tasks"),
        (("vicreg", "moco"), "moco"),
        (("out: 8}, vic", "dim: 8}, vic"), "'dim'"),
        (("pictures: [doubles.npz, more.npz], ", ""), "neither pictures nor maps"),
        (("protocol: apart", "protocol: any"), "apart"),
        (("name: small", "names: small"), "not known"),
        (("{pictures: doubles.npz}", "{column: label}"), "has no pictures"),
        (("vic: {method: vicreg, out: 8, train.epochs: 1}", "vic: 5"), "methods.vic"),
    ],
)
def test_a_wrong_recipe_is_told_before_anything_runs(recipe, tmp_path, change, told):
    recipe.write_text(recipe.read_text().replace(*change))
    said = called("benchmark", recipe, "--out", tmp_path / "b")
    assert said.returncode == 2
    assert told in said.stderr


def test_the_recipe_that_ships_is_the_benchmark_of_the_field():
    comparison = read_comparison(CHECKOUT / "recipes" / "self-supervision.yaml")
    seed = [cell for cell in comparison.cells() if cell.method != "vicreg"]
    assert len(seed) == 48
    assert {cell.set for cell in seed} == {"curated", "uncurated"}


def test_a_test_without_positions_cannot_be_left_out(recipe, tmp_path):
    np.savez(tmp_path / "bare.npz", pixels=doubles(), label=np.array(["single", "double"])[np.arange(N) % 2])
    recipe.write_text(
        recipe.read_text().replace("kinds: {pictures: doubles.npz}", "kinds: {pictures: bare.npz}")
    )
    said = called("benchmark", recipe, "--out", tmp_path / "b", "--threads", 1)
    assert said.returncode == 2
    assert f"{N} of {N} in kinds" in said.stderr
    assert "protocol: transductive" in said.stderr


def test_fine_tuning_stands_beside_that_of_a_fresh_network(recipe):
    comparison = read_comparison(recipe)
    cell = comparison.cells()[0]
    row = Row(cell.method, "finetune", 100.0, 30, 0.9, 0.0, 0.9, 0.0)
    row = replace(row, features=cell.name)
    rows = [asdict(row), asdict(replace(row, features="fresh network", accuracy=0.6))]
    found = {cell: {"seconds": 1.0, "spread": 0.5, "rows": {"kinds": rows}}}
    lines = {line.method: line for line in _lines(comparison, found)}
    assert {name: line.accuracy for name, line in lines.items()} == {cell.method: 0.9, "fresh network": 0.6}
    assert lines["fresh network"].set == ""


def test_what_decides_a_cell_is_the_content_of_files_the_version_and_what_is_told(recipe, monkeypatch):
    first = dues(recipe)
    assert [(each.learnt, each.judged) for each in dues(recipe)] == [
        (each.learnt, each.judged) for each in first
    ]
    assert len({each.learnt for each in first}) == len(first)

    recipe.write_text(recipe.read_text().replace("kinds: [linear]", "kinds: [linear, knn]"))
    probed = dues(recipe)
    assert [each.learnt for each in probed] == [each.learnt for each in first]
    assert not {each.judged for each in probed} & {each.judged for each in first}
    recipe.write_text(recipe.read_text().replace("folds: 2", "folds: 3"))
    assert [each.learnt for each in dues(recipe)] == [each.learnt for each in first]

    with monkeypatch.context() as patch:
        patch.setattr("skysift.__version__", "99.0")
        assert not {each.learnt for each in dues(recipe)} & {each.learnt for each in first}
    np.savez(recipe.parent / "more.npz", images=doubles(90, seed=4))
    assert not {each.learnt for each in dues(recipe)} & {each.learnt for each in first}


def test_a_changed_probe_judges_the_kept_encoders_anew(recipe, tmp_path, monkeypatch):
    from skysift.flow.learning import cells

    words = ("benchmark", recipe, "--out", tmp_path / "b", "--threads", 1)
    assert called(*words).returncode == 0
    kept = tmp_path / "b" / "encoders"
    assert {each.name for each in kept.iterdir()} == {
        "simclr-tiny-asinh-all.safetensors",
        "vic-tiny-asinh-all.safetensors",
    }
    told = json.loads((tmp_path / "b" / "manifest.json").read_text())
    assert {each["name"] for each in told["inputs"]} == {"doubles.npz", "more.npz"}
    assert all(each["checksum"].startswith("sha256:") for each in told["inputs"])
    before = {row["method"]: row["seconds"] for row in table(tmp_path / "b")}

    monkeypatch.setattr(cells, "learn", lambda *args, **more: pytest.fail("it is learnt again"))
    said = called(*words, "--overwrite", "--set", "probe.kinds=[linear, knn]", "--set", "probe.folds=3")
    assert said.returncode == 0, said.stderr
    rows = table(tmp_path / "b")
    assert {row["kind"] for row in rows} == {"linear", "knn", "majority", "lightgbm"}
    assert {row["method"]: row["seconds"] for row in rows} == before
    used = called("embed", kept / "vic-tiny-asinh-all.safetensors", recipe.parent / "more.npz", "--out",
                  tmp_path / "f.parquet", "--threads", 1)  # fmt: skip
    assert used.returncode == 0, used.stderr


@pytest.mark.parametrize("protocol", ["apart", "folds", "transductive"])
def test_a_comparison_by_committed_folds(recipe, folds, protocol, monkeypatch):
    from skysift.flow.learning import cells

    text = RECIPE.format(protocol=protocol).replace("folds: 2", "folds: 3").replace("most: 80", "most: 0")
    recipe.write_text(text.replace("{pictures: doubles.npz}", "{pictures: doubles.npz, fixed: mine.csv}"))
    seen = []
    monkeypatch.setattr(cells, "learn", lambda plan, pool, work, **more: seen.append(pool) or _stop())
    comparison = read_comparison(recipe)
    asked = cells.asked_in(comparison)
    mine = [each for each in dues(recipe) if each.cell.method == "simclr"]
    for due in mine:
        with pytest.raises(StopIteration):
            cells.run_cell(comparison, due, asked, recipe.parent, "cpu", 1)
    one = asked["kinds"]
    left = {
        "apart": [N - 3],
        "folds": [int((one.folds[0] == k).sum()) for k in range(3)],
        "transductive": [0],
    }
    assert [90 + N - 1 - len(pool) for pool in seen] == left[protocol]
    if protocol == "folds":
        names = np.array(one.pictures.names)
        assert all(not set(pool.names) & set(names[one.folds[0] == k]) for k, pool in enumerate(seen))


def test_the_small_recipe_tries_each_method_with_one_network():
    comparison = read_comparison(CHECKOUT / "recipes" / "self-supervision-small.yaml")
    assert {(cell.method, cell.network) for cell in comparison.cells()} == {
        ("mae", "vit"),
        *((name, "resnet10") for name in ["all4one", "byol", "dino", "simclr", "swav", "vicreg", "wmse"]),
    }
    for cell in comparison.cells():
        refuse_unfit(cell.plan)


def test_a_network_that_a_recipe_lacks(recipe):
    recipe.write_text(recipe.read_text().replace("{out: 8}", "{out: 8, networks: [large]}"))
    with pytest.raises(UnknownName, match=r"methods.simclr.*large.*tiny"):
        read_comparison(recipe)
