"""Where a network and labels disagree: told in full, decided by a person, and taken in by the next training."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from regions import Regions
from tests import skies
from tests.commands import called

import skysift
from skysift.base.errors import FormatError, UsageError
from skysift.base.parallel import ALONE
from skysift.find.neural.labelled import labels_of
from skysift.find.noise import measure_noise
from skysift.flow.steps.candidates import candidates_products
from skysift.flow.training.corrections import (
    COLUMNS,
    FOUND,
    LOST,
    NUMBERS,
    Candidates,
    candidates_of,
    corrected,
    read_candidates,
    write_candidates,
)
from skysift.flow.training.labels import open_labels
from skysift.flow.training.lacking import same_object
from skysift.flow.training.making import make_fields
from skysift.flow.training.options import CandidatesOptions
from skysift.flow.training.recipe import read_recipe
from skysift.measure.options import NoiseOptions
from skysift.sky.detections import Detections, Footprints
from skysift.sky.truth import CLASS_COLOURS

BEAM = (4.0, 4.0, 0.0)
SIZE = 240
MISSING, FALSE = 5, 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A map of bright points on a lattice; labels without some of them and with some where nothing is."""
    torch.set_num_threads(1)
    made = tmp_path_factory.mktemp("candidates")
    sources = skies.population((SIZE, SIZE), BEAM, n_points=36, snr=(30, 300), lattice=36, margin=16, seed=2)
    data, truth = skies.paint((SIZE, SIZE), BEAM, sources=sources, seed=2)
    skies.write(made / "map.fits", data, BEAM)
    np.save(made / "truth.npy", truth)
    x = np.concatenate([truth["x"][MISSING:], truth["x"][:FALSE] + 18.0])
    y = np.concatenate([truth["y"][MISSING:], truth["y"][:FALSE] + 18.0])
    rows = [f"ellipse({a + 1:.3f},{b + 1:.3f},2,2,0) # tag={{compact}}" for a, b in zip(x, y, strict=True)]
    (made / "labels.reg").write_text(
        "\n".join(["# Region file format: DS9 version 4.1", "image", *rows]) + "\n"
    )
    return made


@pytest.fixture(scope="module")
def truth(folder):
    return np.load(folder / "truth.npy")


@pytest.fixture(scope="module")
def made(folder, weights):
    options = CandidatesOptions(weights=str(weights), threshold=0.5, lost_snr=0.0)
    return candidates_products(
        options, skysift.open(folder / "map.fits"), folder / "labels.reg", folder / "out"
    )


def decided(folder, name, verdicts):
    """A copy of the table with verdicts by kind."""
    with (folder / "out" / "candidates.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row in rows:
        row["verdict"] = verdicts.get(row["kind"], "")
    with (folder / name).open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def rows_at(candidates, kind, x, y):
    """How far the rows of a kind are from places (pixel)."""
    mine = np.array(candidates.kind) == kind
    away = np.hypot(candidates.numbers["x"][mine][:, None] - x, candidates.numbers["y"][mine][:, None] - y)
    return away.min(axis=0), away.min(axis=1)


def test_what_labels_lack_and_what_is_not_there_are_candidates(made, truth):
    told = made.listed.compared.candidates
    lacking, _ = rows_at(told, FOUND, truth["x"][:MISSING], truth["y"][:MISSING])
    assert (lacking < 1.5).all()
    wrong, _ = rows_at(told, LOST, truth["x"][:FALSE] + 18.0, truth["y"][:FALSE] + 18.0)
    assert (wrong < 1.5).sum() >= FALSE - 1  # a small net is half sure of some noise
    _, known = rows_at(told, FOUND, truth["x"][MISSING:], truth["y"][MISSING:])
    assert (known > 2.0).all()
    for kind, sign in ((FOUND, -1.0), (LOST, 1.0)):
        score = told.numbers["score"][np.array(told.kind) == kind]
        assert (np.diff(sign * score) >= 0.0).all()
    first = int(np.argmin(np.hypot(told.numbers["x"] - truth["x"][0], told.numbers["y"] - truth["y"][0])))
    assert told.numbers["snr"][first] == pytest.approx(truth["snr"][0], rel=0.4)
    assert made.manifest.facts["labels"] == len(truth) - MISSING + FALSE
    manifest = made.manifest.to_dict()
    assert [each["name"] for each in manifest["inputs"]] == ["map.fits", "small.safetensors", "labels.reg"]
    assert all(each["checksum"] for each in manifest["inputs"])
    assert (manifest["options"]["flips"], manifest["options"]["classes"]) == (1, {})


def test_products_are_a_table_regions_and_a_page(made, folder):
    told = made.listed.compared.candidates
    out = folder / "out"
    assert sorted(each.name for each in out.iterdir()) == [
        "candidates.crtf", "candidates.csv", "candidates.reg", "manifest.json", "report.html",
    ]  # fmt: skip
    read = read_candidates(out / "candidates.csv")
    assert (read.kind, read.label_class) == (told.kind, told.label_class)
    assert read.verdict == (None,) * len(told)
    for name in NUMBERS:
        assert read.numbers[name] == pytest.approx(told.numbers[name], rel=1e-5, abs=6e-4, nan_ok=True)
    regions = Regions.read(out / "candidates.reg", format="ds9")
    assert [region.meta["text"] for region in regions] == [
        f"{kind} {k + 1}" for k, kind in enumerate(told.kind)
    ]
    assert {region.visual["facecolor"] for region in regions} <= set(CLASS_COLOURS.values())
    page = (out / "report.html").read_text()
    assert page.count('class="card"') == len(told)
    assert page.count("<ellipse") == 2 * len(told)  # with a dark rim
    facts = json.loads((out / "manifest.json").read_text())["facts"]
    assert facts["found"] == told.kind.count(FOUND)


def test_accepted_finds_become_labels_and_rejected_ones_go(made, folder, truth):
    path = decided(folder, "all.csv", {FOUND: "Yes", LOST: "no"})
    recipe = {
        "options": {"widths": [8, 12], "depths": [1, 1]},
        "fields": [{"map": "map.fits", "labels": "labels.reg", "corrections": path.name}],
    }
    (folder / "own.yaml").write_text(yaml.safe_dump(recipe))
    read = read_recipe(folder / "own.yaml")
    assert read.plans[0].to_dict()["corrections"] == "all.csv"
    with pytest.warns(UserWarning, match="finds were added to the labels"):
        (field,) = make_fields(read.plans, read.noise, folder / "fields", ALONE)
    told = made.listed.compared.candidates
    raw = field.labels.raw
    away = np.hypot(raw["x"][:, None] - truth["x"], raw["y"][:, None] - truth["y"])
    assert (away.min(axis=0) < 1.5).all()
    assert len(field.labels) == len(truth) - MISSING + FALSE + told.kind.count(FOUND) - told.kind.count(LOST)
    new = away[:, :MISSING].argmin(axis=0)
    assert raw["snr_int"][new] == pytest.approx(truth["snr"][:MISSING], rel=0.4)
    assert (field.labels.area[new] > 5).all()
    assert (raw["use"][new] == 1.0).all()
    other = read_recipe(folder / "own.yaml").plans[0]
    decided(folder, "all.csv", {FOUND: "yes"})
    with pytest.warns(UserWarning, match="0 labels removed"):
        (again,) = make_fields((other,), read.noise, folder / "fields", ALONE)  # another table, another field
    assert len(again.labels) > len(field.labels)


def test_finetune_takes_corrections(folder, made, weights):
    decided(folder, "yes.csv", {FOUND: "yes"})
    done = called(
        "finetune", weights, "--map", folder / "map.fits", "--labels", folder / "labels.reg", "--corrections",
        folder / "yes.csv", "--out", folder / "tuned", "--set", "train.steps=1", "--set", "train.batch=1",
        "--set", "train.crop=64", "--threads", "1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads((folder / "tuned" / "manifest.json").read_text())
    n = made.listed.compared.candidates.kind.count(FOUND)
    assert any(f"{n} finds were added to the labels, 0 labels removed" in note for note in told["warnings"])
    assert [each["name"] for each in told["inputs"]] == ["map.fits", "labels.reg", "yes.csv"]


def test_the_command_tells_where_to_look(folder, weights):
    done = called(
        "candidates", weights, folder / "map.fits", folder / "labels.reg", "--out", folder / "told", "--quiet",
        "--set", "threshold=0.5", "--workers", "2",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "told" / "report.html").exists()
    bad = called("candidates", weights, folder / "map.fits", folder / "none.reg", "--out", folder / "no")
    assert bad.returncode == 2
    assert "there is no such file of labels" in bad.stderr
    twice = called(
        "candidates",
        weights,
        folder / "map.fits",
        folder / "labels.reg",
        "--out",
        folder / "no",
        "--set",
        "weights=a",
    )
    assert "the weights are said twice" in twice.stderr


def test_tables_that_cannot_be_used_are_told_in_a_line(folder, made, tmp_path):
    image = skysift.open(folder / "map.fits")
    noise = measure_noise(image, NoiseOptions())
    labels = labels_of(image, open_labels(folder / "labels.reg", image, noise)[0], noise)
    told = made.listed.compared.candidates
    with pytest.raises(UsageError, match="no verdict of the corrections is filled in"):
        corrected(labels, told, image)
    lost = replace(told, verdict=tuple(False if kind == LOST else None for kind in told.kind))
    moved = replace(
        lost, numbers={**told.numbers, "ra": np.full(len(told), np.nan), "x": told.numbers["x"] + 9.0}
    )
    with pytest.raises(UsageError, match="a label that the corrections remove is not there"):
        corrected(labels, moved, image)
    path = tmp_path / "table.csv"
    for change, match in (
        (("verdict\n", "verdikt\n"), "lacks the column verdict"),
        ((",\n", ",maybe\n"), r"table.csv, line 2: a verdict is yes, no, or empty: got 'maybe'"),
        (("found", "seen"), "no such kind of candidate: got 'seen'"),
    ):
        path.write_text((folder / "out" / "candidates.csv").read_text().replace(*change))
        with pytest.raises(FormatError, match=match):
            read_candidates(path)


def test_a_table_of_a_spreadsheet_with_semicolons_is_read(folder, made, tmp_path):
    path = tmp_path / "table.csv"
    shutil.copy(folder / "out" / "candidates.csv", path)
    wanted = read_candidates(path)
    path.write_text(
        path.read_text().replace(".", ",,").replace(",,", "\0").replace(",", ";").replace("\0", ",")
    )
    read = read_candidates(path)
    assert read.kind == wanted.kind
    for name in NUMBERS:
        assert np.array_equal(read.numbers[name], wanted.numbers[name], equal_nan=True)


def test_nothing_is_a_table_too(tmp_path):
    none = candidates_of([], [], {name: [] for name in NUMBERS})
    write_candidates(tmp_path / "none.csv", none)
    assert isinstance(read_candidates(tmp_path / "none.csv"), Candidates)
    assert len(read_candidates(tmp_path / "none.csv")) == 0


def test_pairs_are_those_of_a_slow_twin():
    rng = np.random.default_rng(4)
    masks = rng.random((7, 30, 30)) < 0.05
    index, row, column = np.nonzero(masks)
    prints = Footprints(row, column, column + 1, index)
    place = rng.uniform(0, 29, (2, 7))
    boxes = np.tile([0, 30, 0, 30], (7, 1))
    labels = Detections(boxes, np.ones(7), prints, {"x": place[0], "y": place[1]})
    x, y = rng.uniform(0, 29, (2, 60))
    finds = Detections(np.tile([0, 1, 0, 1], (60, 1)), np.ones(60), raw={"x": x, "y": y})
    pairs = set(zip(*(each.tolist() for each in same_object(finds, labels, 3.0)), strict=True))
    wanted = {
        (k, j)
        for k in range(60)
        for j in range(7)
        if np.hypot(x[k] - place[0, j], y[k] - place[1, j]) <= 3.0
        or masks[j, int(np.floor(y[k] + 0.5)), int(np.floor(x[k] + 0.5))]
    }
    assert pairs == wanted
    assert same_object(finds, Detections.empty({"x": np.empty(0), "y": np.empty(0)}), 3.0)[0].size == 0
