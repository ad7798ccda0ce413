"""Learning without labels from a shell: sets and maps become a pool, a pool weights, weights features and numbers."""

import csv
import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from astropy.io import fits
from tests.commands import called
from tests.conftest import CHECKOUT

from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.base.random import generator
from skysift.flow.learning.comparing import read_comparison
from skysift.flow.learning.cuts import cuts_of
from skysift.flow.learning.options import PoolOptions, ProbeOptions
from skysift.flow.learning.plan import Plan
from skysift.flow.learning.pool import Pool, near_to, pool_of
from skysift.flow.learning.probing import Row, asked_of, beside, judge, labels_of
from skysift.flow.learning.reading import excluded_places
from skysift.flow.steps.benchmark import _lines
from skysift.io.features import read_features
from skysift.learn.hub import weights_of
from skysift.learn.scale import Preparation
from skysift.stamps.opening import open_pictures

SIDE, N = 48, 64
SMALL = ("encoder.width=4", "encoder.blocks=1,1", "hidden=16", "out=8", "prepare.size=24", "prepare.bin=2")


def sets(*given):
    return [word for pair in given for word in ("--set", pair)]


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def doubles(n=N, seed=1):
    """Single sources, and pairs of them."""
    rng = generator(seed, "doubles")
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    pixels = 0.02 * rng.standard_normal((n, SIDE, SIDE))
    for k in range(n):
        apart, angle = 8.0 * (k % 2), rng.uniform(0, 2 * np.pi)
        for sign in (-1, 1):
            dx, dy = sign * apart * np.cos(angle), sign * apart * np.sin(angle)
            pixels[k] += np.exp(-((x - dx) ** 2 + (y - dy) ** 2) / 2 / 2.5**2)
    return pixels.astype(np.float32)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures") / "doubles.npz"
    label = np.array(["single", "double"])[np.arange(N) % 2]
    ra, dec = 10.0 + 0.1 * np.arange(N), np.full(N, -30.0)
    pixels = doubles()
    pixels[3] = np.nan
    names = np.array([f"s{k}" for k in range(N)])
    np.savez(path, pixels=pixels, label=label, ra=ra, dec=dec, name=names)
    return path


@pytest.fixture(scope="module")
def trained(pictures, tmp_path_factory):
    out = tmp_path_factory.mktemp("trained") / "tiny"
    chosen = sets(*SMALL, "train.epochs=10", "train.batch=16")
    said = called("pretrain", "simclr", pictures, "--out", out, "--threads", 1, *chosen)
    assert said.returncode == 0, said.stderr
    return out, said


def write_map(path, shape=(200, 260), ra=10.0, dec=-30.0, sources=((60, 50), (150, 180), (100, 120))):
    rng = generator(2, "map")
    data = 1e-3 * rng.standard_normal(shape)
    y, x = np.mgrid[: shape[0], : shape[1]]
    for yy, xx in sources:
        data += 0.1 * np.exp(-((x - xx) ** 2 + (y - yy) ** 2) / 2 / 2.0**2)
    head = fits.Header()
    head["CTYPE1"], head["CTYPE2"] = "RA---SIN", "DEC--SIN"
    head["CRVAL1"], head["CRVAL2"], head["CRPIX1"], head["CRPIX2"] = ra, dec, shape[1] / 2, shape[0] / 2
    head["CDELT1"], head["CDELT2"], head["BUNIT"] = -2 / 3600, 2 / 3600, "Jy/beam"
    head["BMAJ"], head["BMIN"], head["BPA"] = 9.4 / 3600, 9.4 / 3600, 0.0
    fits.writeto(path, data.astype(np.float32), head)
    return path


# -- the command line


def test_weights_with_their_card_a_log_and_a_page(trained):
    out, said = trained
    assert "simclr, 39 steps" in said.stdout
    assert "1 cannot be read" in said.stdout
    names = {"tiny.safetensors", "log.csv", "report.html", "manifest.json"}
    assert {each.name for each in out.iterdir()} == names
    card = weights_of(str(out / "tiny.safetensors")).card
    assert (card.model, card.training["method"], card.training["pictures"]) == ("encoder", "simclr", N - 1)
    assert card.settings["preparation"]["size"] == 24
    assert 0.0 < card.numbers["spread"] <= 1.1
    page = (out / "report.html").read_text()
    assert "three views of each" in page
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["counts"] == {"read": N, "bad": 1, "double": 0, "excluded": 0}
    listed = called("models", out / "tiny.safetensors")
    assert "learnt by simclr" in listed.stdout


def test_features_of_each_picture(trained, pictures, tmp_path):
    weights = trained[0] / "tiny.safetensors"
    said = called("embed", weights, pictures, "--out", tmp_path / "f.parquet", "--threads", 1)
    assert said.returncode == 0, said.stderr
    assert f"{N} pictures, 1 of them cannot be read: 8 features each" in said.stdout
    table = read_features(tmp_path / "f.parquet")
    assert table.values.shape == (N, 8)
    assert np.isnan(table.values[3]).all()
    assert table.labels()[:2] == ("single", "double")
    assert table.provenance.options["weights"] == "tiny"
    again = called("embed", weights, pictures, "--out", tmp_path / "f.parquet")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    assert called("embed", weights, pictures, "--out", tmp_path / "f.csv").returncode == 2


def test_probes_beside_the_majority_random_weights_and_plain_features(trained, pictures, tmp_path):
    chosen = sets("folds=3", "repeats=1", "fractions=20,100", "kinds=linear,knn,finetune", "epochs=2")
    said = called(
        "probe", trained[0] / "tiny.safetensors", "--pictures", pictures, "--out", tmp_path / "p", *chosen
    )
    assert said.returncode == 0, said.stderr
    with (tmp_path / "p" / "probe.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert {(row["features"], row["kind"]) for row in rows} == {
        ("tiny", "linear"),
        ("tiny", "knn"),
        ("tiny", "finetune"),
        ("fresh network", "finetune"),
        ("none", "majority"),
        ("random network", "linear"),
        ("plain features", "lightgbm"),
    }
    by = {(row["features"], row["kind"], row["share"]): row for row in rows}
    assert float(by["tiny", "linear", "100"]["accuracy"]) > 0.9
    assert float(by["none", "majority", "100"]["accuracy"]) == pytest.approx(0.5, abs=0.05)
    assert int(by["tiny", "linear", "20"]["labels"]) == 8
    page = (tmp_path / "p" / "report.html").read_text()
    assert "random network" in page
    assert "plain features" in page


def test_other_labels_and_their_meaning(trained, pictures, tmp_path):
    weights = trained[0] / "tiny.safetensors"
    said = called("probe", weights, "--pictures", pictures, "--out", tmp_path / "p", "--class", "single=one")
    assert said.returncode == 2
    assert "nothing to tell apart" in said.stderr
    assert "1 classes: one" in said.stderr
    said = called("probe", weights, "--pictures", pictures, "--out", tmp_path / "p", "--column", "kind")
    assert "no such column" in said.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("simclr", "--out", "x"), "nothing to learn from"),
        (("moco", "SET", "--out", "x"), "moco"),
        (("simclr", "SET", "--out", "x", "--set", "train.speed=3"), "speed"),
        (("simclr", "SET", "--out", "x", "--set", "data.size=3"), "no such group of options"),
        (("simclr", "SET", "--out", "x"), "fewer pictures than a batch"),
        (("mae", "SET", "--out", "x", "--set", "train.batch=8"), "encoder.backbone=vit"),
        (("simclr", "NOWHERE", "--out", "x"), "no pictures at this place"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(words, told, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = called("pretrain", *(pictures if word == "SET" else word for word in words), "--quiet")
    assert said.returncode == 2
    assert told in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "x" / "manifest.json").exists()


def test_cut_outs_of_a_map_are_learnt_from(tmp_path):
    write_map(tmp_path / "m.fits")
    chosen = sets(*SMALL, "train.epochs=1", "train.batch=4", "pool.cuts=20", "prepare.bin=1")
    said = called(
        "pretrain", "byol", "--map", tmp_path / "m.fits", "--cut", "random", "--out", tmp_path / "b", *chosen
    )
    assert said.returncode == 0, said.stderr
    card = weights_of(str(tmp_path / "b" / "b.safetensors")).card
    assert (card.training["maps"], card.training["cut"]) == (["m.fits"], "random")


# -- the pool


def test_sets_are_joined_and_each_place_stands_once(pictures, tmp_path):
    other = tmp_path / "other.npz"
    ra = np.array([10.0, 10.1 + 5 / 3600, 50.0])
    np.savez(other, images=(255 * np.abs(doubles(3))).astype(np.uint8), ra=ra, dec=np.full(3, -30.0))
    read = [open_pictures(each) for each in (pictures, other)]
    pool = pool_of(read, Preparation(size=24, bin=2))
    assert len(pool) == N - 1 + 1
    assert dict(pool.counts) == {"read": N + 3, "bad": 1, "double": 2}
    assert np.isfinite(pool.pixels).all()
    everything = pool_of(read, Preparation(size=24, bin=2), same=0.0)
    assert len(everything) == N + 2
    assert (pool.pictures().targets["rms"] > 0).all()


def test_a_pool_is_kept_and_read_again(pictures, tmp_path):
    pool = pool_of([open_pictures(pictures)], Preparation(size=24, bin=2))
    pool.save(tmp_path / "pool.npz")
    again = Pool.load(tmp_path / "pool.npz")
    assert again.key == pool.key
    assert (again.names, again.bands, dict(again.counts)) == (pool.names, pool.bands, dict(pool.counts))
    np.testing.assert_array_equal(again.rms, pool.rms)


def test_what_is_near_to_what_is_excluded_is_left_out(pictures):
    pool = pool_of([open_pictures(pictures)], Preparation(size=24, bin=2))
    left = pool.without(np.array([10.0, 12.0]), np.array([-30.0, -30.0]), 180.0)
    assert len(left) == N - 3
    assert left.counts["excluded"] == 2
    assert "s0" not in left.names
    ra, dec = excluded_places([pictures])
    assert len(ra) == N
    assert not len(pool.without(ra, dec, 10.0))
    unknown = np.full(3, np.nan)
    assert not near_to(unknown, unknown, ra, dec, 180.0).any()


def test_places_that_are_not_told_cannot_be_excluded(tmp_path):
    np.savez(tmp_path / "bare.npz", images=doubles(4))
    with pytest.raises(UsageError, match=r"tells no positions.*bare.npz"):
        excluded_places([tmp_path / "bare.npz"])


def test_cut_outs_by_chance_about_sources_and_by_catalogue(tmp_path):
    path = write_map(tmp_path / "m.fits")
    (random,) = cuts_of([path], "random", 32, PoolOptions(cuts=30))
    apart = np.hypot(random.x[:, None] - random.x, random.y[:, None] - random.y) + 1e3 * np.eye(len(random))
    assert apart.min() >= 16
    assert next(random.batches()).shape == (len(random), 1, 32, 32)
    (found,) = cuts_of([path], "sources", 32, PoolOptions())
    assert sorted(zip(found.y.tolist(), found.x.tolist(), strict=True)) == [(60, 50), (100, 120), (150, 180)]
    middle = next(found.batches())[:, 0, 16, 16]
    assert middle == pytest.approx(0.1, rel=0.05)
    ra, dec = found.facts["ra"], found.facts["dec"]
    lines = [f"{a} {d} s{k}" for k, (a, d) in enumerate(zip([*ra, 200.0], [*dec, 20.0], strict=True))]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    (listed,) = cuts_of([path], str(tmp_path / "list.txt"), 32, PoolOptions())
    assert listed.x.tolist() == found.x.tolist()
    with pytest.raises(UsageError, match=r"no such way to cut.*'elsewhere'.*random, sources"):
        cuts_of([path], "elsewhere", 32, PoolOptions())


def test_blank_cut_outs_are_left_out(tmp_path):
    path = write_map(tmp_path / "m.fits")
    with fits.open(path, mode="update") as hdus:
        hdus[0].data[:, :130] = np.nan
    (random,) = cuts_of([path], "random", 32, PoolOptions(cuts=50, blank=0.1))
    assert (random.x >= 130 + 10).all()


# -- probing


def test_parts_of_labels_keep_the_share_of_classes(pictures):
    options = ProbeOptions(folds=3, repeats=1, fractions=(25.0, 100.0))
    read = open_pictures(pictures)
    asked = asked_of(read, labels_of(read, "label", {}), options)
    assert asked.classes == ("double", "single")
    assert len(asked) == N - 1
    seen = []

    def predict(learnt, test):
        seen.append((len(learnt), asked.targets[learnt].mean()))
        assert not set(learnt) & set(test)
        return np.eye(2)[asked.targets[test]]

    rows = judge("true", "oracle", asked, predict, options)
    assert [row.accuracy for row in rows] == [1.0, 1.0]
    assert {n for n, _ in seen[:3]} <= {10, 11}
    assert seen[0][1] == pytest.approx(0.5, abs=0.1)
    majority = beside(asked, options)[0]
    assert majority.accuracy == pytest.approx(32 / 63, abs=0.01)
    assert majority.f1 == pytest.approx(1 / 3, abs=0.02)


def test_too_few_of_a_class_for_the_folds(pictures):
    read = open_pictures(pictures)
    labels = tuple("rare" if k < 2 else "usual" for k in range(N))
    with pytest.raises(UsageError, match=r"too few sources of a class.*2 of rare"):
        asked_of(read, labels, ProbeOptions(folds=3))


# -- the plan


def test_keys_go_where_they_belong():
    plan = Plan.of("byol", {"momentum": "0.9", "train.epochs": "3", "views.noise": "1", "encoder.width": "8"})
    assert (plan.options.momentum, plan.train.epochs, plan.views.noise, plan.encoder.width) == (
        0.9,
        3,
        1.0,
        8,
    )
    assert json.loads(json.dumps(plan.to_dict()))["method"] == "byol"
    with pytest.raises(UnknownName, match="moco"):
        Plan.of("moco", {})
    with pytest.raises(OptionError, match="temperature"):
        Plan.of("byol", {"temperature": 0.1})


# -- comparing


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


def test_one_table_with_what_stands_beside_and_a_broken_run_goes_on(recipe, tmp_path, monkeypatch):
    from skysift.flow.steps import benchmark

    done, whole = [], benchmark.run_cell

    def broken(comparison, cell, work, device, threads):
        if len(done) == 1:
            raise UsageError("broken off")
        done.append(cell)
        whole(comparison, cell, work, device, threads)

    monkeypatch.setattr(benchmark, "run_cell", broken)
    assert called("benchmark", recipe, "--out", tmp_path / "b", "--threads", 1).returncode == 2
    monkeypatch.setattr(benchmark, "run_cell", whole)
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


def test_each_fold_is_left_out_of_what_is_learnt_from(recipe, tmp_path, monkeypatch):
    from skysift.flow.steps import benchmark

    seen = []
    monkeypatch.setattr(benchmark, "learn", lambda plan, pool, work, **more: seen.append(pool) or _stop())
    for protocol, sizes in (("apart", [80]), ("folds", [80, 80]), ("transductive", [80])):
        recipe.write_text(RECIPE.format(protocol=protocol).replace("most: 80", "most: 0"))
        comparison = read_comparison(recipe)
        seen.clear()
        for cell in comparison.cells()[: len(sizes)]:
            with pytest.raises(StopIteration):
                benchmark.run_cell(comparison, cell, tmp_path, "cpu", 1)
        lengths = [len(pool) for pool in seen]
        assert lengths == {
            "apart": [90],
            "folds": [90 + N - 1 - 32, 90 + N - 1 - 31],
            "transductive": [90 + N - 1],
        }[protocol] or sorted(lengths) == sorted([90 + N - 1 - 32, 90 + N - 1 - 31])


def _stop():
    raise StopIteration


def test_two_devices_share_the_trainings(recipe, tmp_path):
    said = called("benchmark", recipe, "--out", tmp_path / "b", "--device", "cpu,cpu", "--threads", 1)
    assert said.returncode == 0, said.stderr
    assert len({row["method"] for row in table(tmp_path / "b")}) == 5


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


def test_pictures_without_positions_are_told_where_some_are_excluded(pictures, tmp_path):
    np.savez(tmp_path / "bare.npz", pixels=doubles())
    chosen = sets(*SMALL, "train.epochs=1", "train.batch=16")
    words = ("pretrain", "simclr", tmp_path / "bare.npz", "--exclude", pictures, "--out", tmp_path / "x")
    said = called(*words, "--threads", 1, *chosen)
    assert said.returncode == 0, said.stderr
    assert f"{N} pictures tell no position" in said.stderr
    told = json.loads((tmp_path / "x" / "manifest.json").read_text())
    assert told["counts"]["unplaced"] == N
    assert told["inputs"][0]["name"] == "bare.npz"


def test_fine_tuning_stands_beside_that_of_a_fresh_network(recipe):
    comparison = read_comparison(recipe)
    cell = comparison.cells()[0]
    row = Row(cell.method, "finetune", 100.0, 30, 0.9, 0.0, 0.9, 0.0)
    rows = [asdict(row), asdict(replace(row, features="fresh network", accuracy=0.6))]
    found = {cell: {"seconds": 1.0, "spread": 0.5, "rows": {"kinds": rows}}}
    lines = {line.method: line for line in _lines(comparison, found)}
    assert {name: line.accuracy for name, line in lines.items()} == {cell.method: 0.9, "fresh network": 0.6}
    assert lines["fresh network"].set == ""


def test_folders_and_tables_that_were_read_stand_in_the_story(trained, pictures, tmp_path):
    (tmp_path / "folder").mkdir()
    for k, each in enumerate(doubles(3)):
        fits.writeto(tmp_path / "folder" / f"s{k}.fits", each)
    (tmp_path / "labels.csv").write_text("name,label\ns0,one\n")
    words = (
        "embed",
        trained[0] / "tiny.safetensors",
        tmp_path / "folder",
        "--labels",
        tmp_path / "labels.csv",
    )
    said = called(*words, "--out", tmp_path / "f.parquet", "--threads", 1)
    assert said.returncode == 0, said.stderr
    told = read_features(tmp_path / "f.parquet").provenance
    assert [each.name for each in told.inputs] == ["folder", "labels.csv"]
    said = called("embed", *words[1:], "--out", tmp_path / "labels.csv" / "f.parquet")
    assert said.returncode == 2
    assert "cannot write the products" in said.stderr


@pytest.mark.parametrize("key", ["turns=3", "fractions=0", "fractions=10,300"])
def test_probes_that_are_not_possible_are_told_at_once(key):
    name, _, value = key.partition("=")
    with pytest.raises(OptionError, match=name):
        ProbeOptions.parse({name: value})
