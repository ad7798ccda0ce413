"""Learning without labels from a shell: sets and maps become a pool, a pool weights, weights features."""

import json

import numpy as np
import pytest
from astropy.io import fits
from tests.commands import called
from tests.flow.learning.sets import SMALL, N, doubles, sets, write_map

from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.cli.flags import read_pairs
from skysift.flow.learning.cuts import cuts_of
from skysift.flow.learning.options import PoolOptions
from skysift.flow.learning.plan import Plan
from skysift.flow.learning.pool import Pool, near_to, pool_of
from skysift.flow.learning.reading import excluded_places
from skysift.io.features import read_features
from skysift.learn.hub import weights_of
from skysift.learn.scale import Preparation
from skysift.stamps.opening import open_pictures


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
    assert "warning: 1 picture with a row of NaN: all pixels are blank" in said.stderr
    table = read_features(tmp_path / "f.parquet")
    assert table.values.shape == (N, 8)
    assert np.isnan(table.values[3]).all()
    assert table.labels()[:2] == ("single", "double")
    assert table.provenance.options["weights"] == "tiny"
    again = called("embed", weights, pictures, "--out", tmp_path / "f.parquet")
    assert again.returncode == 2
    assert "--overwrite" in again.stderr
    assert called("embed", weights, pictures, "--out", tmp_path / "f.csv").returncode == 2


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
        (
            ("simclr", "SET", "--out", "x", "--set", "pool.cuts=9"),
            "pool.cuts does nothing without a map: give --map MAP, or leave it out",
        ),
        (("simclr", "SET", "--out", "x", "--set", "pool.seed=9"), "pool.seed does nothing without a map"),
        (("simclr", "SET", "--out", "x", "--set", "pool.blank=0.1"), "pool.blank does nothing without a map"),
        (
            ("simclr", "--map", "m.fits", "--cut", "random", "--out", "x", "--set", "pool.seed=9"),
            "pool.seed does nothing with --cut random: no sources are sought: leave it out",
        ),
        (
            ("simclr", "SET", "--out", "x", "--set", "pool.apart=9"),
            "pool.apart does nothing without places to leave out: give --exclude, or leave it out",
        ),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(words, told, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = called("pretrain", *(pictures if word == "SET" else word for word in words), "--quiet")
    assert said.returncode == 2
    assert told in said.stderr
    assert "Traceback" not in said.stderr
    assert not (tmp_path / "x" / "manifest.json").exists()


DETECTOR = (
    "encoder.backbone=detector",
    "encoder.widths=4,6",
    "encoder.depths=1,1",
    "prepare.size=24",
    "prepare.bin=1",
)


def test_brightness_in_units_of_the_noise_is_raised_to_no_power_unless_asked():
    values = read_pairs([*DETECTOR, "prepare.preset=noise"])
    assert Plan.of("simclr", values).views.gamma == (1.0, 1.0)
    assert Plan.of("simclr", {**values, **read_pairs(["views.gamma=0.8,1.2"])}).views.gamma == (0.8, 1.2)
    assert Plan.of("simclr", {}).views.gamma == (0.6, 1.6)


def test_an_encoder_that_finders_can_begin_with_learns_from_maps(tmp_path):
    write_map(tmp_path / "m.fits")
    chosen = sets(*DETECTOR, "prepare.preset=noise", "hidden=16", "out=8", "train.epochs=1", "train.batch=4")
    more = sets("pool.cuts=20")
    words = ("--map", tmp_path / "m.fits", "--cut", "random", "--out", tmp_path / "e", "--threads", 1)
    said = called("pretrain", "simclr", *words, *chosen, *more)
    assert said.returncode == 0, said.stderr
    weights = weights_of(str(tmp_path / "e" / "e.safetensors"))
    assert weights.card.options["backbone"] == "detector"
    assert weights.card.settings["preparation"]["steps"] == "sigma"
    assert {name.split(".")[1] for name in weights.tensors} == {"stem", "down", "blocks"}
    told = read_pairs(DETECTOR, "--set")
    for unlike, words in (
        (
            {"prepare.preset": "asinh"},
            r"units of the noise.*got 'prepare.preset=asinh'.*prepare.preset=noise",
        ),
        ({"prepare.steps": "max"}, r"got 'prepare.steps=max'"),
        (
            {
                "prepare.preset": "noise",
                "prepare.size": 8,
                "encoder.widths": (4,) * 4,
                "encoder.depths": (1,) * 4,
            },
            "too small for 4 stages.*16 or more",
        ),
        (
            {
                "prepare.preset": "noise",
                "views.local": 2,
                "views.local_size": 8,
                "encoder.widths": (4,) * 4,
                "encoder.depths": (1,) * 4,
            },
            "views of a part are too small for 4 stages.*16 or more",
        ),
    ):
        with pytest.raises(OptionError, match=words):
            Plan.of("simclr", {**told, **unlike})


def test_cut_outs_of_a_map_are_learnt_from(tmp_path):
    write_map(tmp_path / "m.fits")
    chosen = sets(*SMALL, "train.epochs=1", "train.batch=4", "pool.cuts=20", "prepare.bin=1")
    said = called(
        "pretrain", "byol", "--map", tmp_path / "m.fits", "--cut", "random", "--out", tmp_path / "b", *chosen
    )
    assert said.returncode == 0, said.stderr
    card = weights_of(str(tmp_path / "b" / "b.safetensors")).card
    assert (card.training["maps"], card.training["cut"]) == (["m.fits"], "random")


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


def test_what_is_in_the_way_is_told_before_pictures_are_prepared(trained, pictures, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "skysift.flow.learning.reading.pool_from", lambda *args, **more: pytest.fail("it is prepared")
    )
    for words, told in (
        (("simclr", pictures, "--out", trained[0]), "holds the products of an earlier run"),
        (("simclr", pictures, "--out", tmp_path / "x", "--name", "a/b"), "--name is no name of a file"),
        (
            ("simclr", pictures, "--out", tmp_path / "x", "--cut", "random"),
            "--cut does nothing without a map",
        ),
        (("mae", pictures, "--out", tmp_path / "x"), "encoder.backbone=vit"),
        (
            ("wmse", pictures, "--out", tmp_path / "x", *sets("train.batch=64")),
            "the batch is smaller than white",
        ),
        (("simclr", pictures, "--out", tmp_path / "x", "--device", "cpu,cpu"), "accumulate=1, 2 devices"),
    ):
        said = called("pretrain", *words)
        assert said.returncode == 2
        assert told in said.stderr
        assert not (tmp_path / "x").exists()
