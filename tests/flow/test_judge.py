"""A network judges the rows of any catalogue: sources score high, blank places low; nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import catalogues, skies
from tests.commands import called
from tests.fields import made_field

import skysift
from skysift.base.errors import UsageError
from skysift.base.provenance import Provenance
from skysift.find.neural.known import detector_of
from skysift.find.neural.opinion import Opinion
from skysift.find.neural.orientations import found_in_each
from skysift.flow.steps.judge import Judged, _with_opinion
from skysift.io.tables import load_table
from skysift.learn.checkpoint import load_into, read_checkpoint, write_checkpoint
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table
from skysift.sky.truth import CLASSES

BEAM = (4.0, 4.0, 0.0)
SIZE = 560  # two windows wide
BLANK = 60  # columns without data


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """A map of sources on a lattice, its path, and their pixels."""
    torch.set_num_threads(1)
    sources = skies.population((SIZE, SIZE - BLANK), BEAM, n_points=110, snr=(10, 500), lattice=35, seed=11)
    data, truth = skies.paint((SIZE, SIZE), BEAM, sources=sources, seed=11)
    data[:, SIZE - BLANK :] = np.nan
    path = tmp_path_factory.mktemp("judged") / "map.fits"
    skies.write(path, data, BEAM)
    return skysift.open(path), path, truth


def rows_at(image, x, y, kind="sources"):
    """A table with rows at these pixels, all else plausible."""
    table = getattr(catalogues.catalogue(len(x), seed=3), kind)[: len(x)]
    assert len(table) == len(x)
    ra, dec = image.frame.to_sky(x, y)
    return table.with_columns({"ra": ra, "dec": dec, "x": x, "y": y})


@pytest.fixture(scope="module")
def rows(sky):
    """The sources, as many places between them, one off the map and one where there are no data."""
    image, _, truth = sky
    x, y = (np.asarray(truth[name], np.float64) for name in ("x", "y"))
    between = (np.floor(x / 35) * 35.0, np.floor(y / 35) * 35.0)
    odd = (np.array([-40.0, SIZE - 0.5 * BLANK]), np.array([100.0, 100.0]))
    return rows_at(image, *(np.concatenate(each) for each in zip((x, y), between, odd, strict=True)))


@pytest.fixture(scope="module")
def judged(sky, rows, weights):
    return skysift.judge(rows, sky[0], weights=str(weights))


def test_sources_score_high_and_blank_places_low(judged, sky):
    n = len(sky[2])
    score = judged["score"]
    assert np.median(score[:n]) > 0.8
    assert np.median(score[n : 2 * n]) < 0.2
    ranks = np.argsort(np.argsort(score[: 2 * n]))
    area = (ranks[:n].sum() - n * (n - 1) / 2) / n**2  # under the curve of true and false positives
    assert area > 0.97
    bright = np.flatnonzero(sky[2]["snr"] > 20)
    assert np.mean(judged["class"][bright] == "compact") > 0.9


def test_rows_without_data_have_no_opinion(judged):
    assert np.isfinite(judged["score"][:-2]).all()
    assert np.isnan(judged["score"][-2:]).all()
    assert np.isnan(judged["class_score"][-2:]).all()
    assert judged["class"][-2:].tolist() == ["", ""]


def test_a_row_without_an_answer_near_it_is_spurious(sky, rows, weights):
    judged = skysift.judge(rows, sky[0], weights=str(weights), radius=0.002)
    alone = judged["score"][:-2] == 0.0
    assert alone.mean() > 0.9
    assert set(judged["class"][:-2][alone].tolist()) == {"spurious"}
    assert np.isnan(judged["class_score"][:-2][alone]).all()
    assert np.isnan(judged["score"][-2:]).all()


def test_what_is_surely_spurious_is_not_counted_as_real(rows):
    kind, score = np.full(len(rows), "compact", "U20"), np.full(len(rows), 0.9)
    kind[:5], score[5:8] = "spurious", 0.1
    said = Opinion(np.array([CLASSES.index(each) for each in kind]), score, score)
    judged = Judged(_with_opinion(rows, said), Provenance("1", "judge"), (0.5,) * len(CLASSES), 0, 0)
    assert judged.real == len(rows) - 8
    own = replace(judged, limits=tuple(0.95 if each == "compact" else 0.5 for each in CLASSES))
    assert own.real == 0  # a class may ask for more than others
    assert judged.counts["spurious"] == 5


def test_nothing_else_changes(judged, rows):
    assert [name for name in judged.names if name not in rows] == ["class", "class_score", "score"]
    assert Table(rows.kind, {name: judged[name] for name in rows.names}, rows.extra) == rows


def test_what_its_own_finder_found_scores_as_it_did(sky, weights):
    found = skysift.find(sky[0], "yolo", weights=str(weights), tile=512, workers=1)
    again = skysift.judge(found, sky[0], weights=str(weights)).with_columns({})
    near = np.abs(again["score"] - found.sources["score"]) < 1e-6
    assert len(found.sources) > 80
    assert np.mean(near) > 0.9  # measured positions may be nearer to another answer
    assert np.mean(again["score"] >= found.sources["score"] - 1e-6) > 0.95


def test_workers_change_nothing(sky, rows, judged, weights):
    assert skysift.judge(rows, sky[0], weights=str(weights), workers=3) == judged
    backwards = skysift.judge(
        rows.select(np.arange(len(rows))[::-1]), sky[0], weights=str(weights), workers=1
    )
    assert backwards.select(np.arange(len(rows))[::-1]) == judged


@pytest.mark.parametrize("suffix", ["fits", "vot", "parquet", "csv"])
def test_the_command_writes_any_format(suffix, sky, rows, judged, weights, tmp_path):
    given, out = tmp_path / "given.fits", tmp_path / f"out.{suffix}"
    Catalogue(Table.empty("islands"), rows, Table.empty("components")).write(given)
    said = called("judge", given, sky[1], "--set", f"weights={weights}", "--out", out)
    assert said.returncode == 0, said.stderr
    assert f"{len(rows)} sources, {len(rows) - 2} judged" in said.stdout
    assert "1 rows are off the map" in said.stderr
    read, provenance = load_table(out)
    for name in ("source_id", "flux", "class"):
        assert np.array_equal(read[name], judged[name])
    assert np.array_equal(read["score"], judged["score"], equal_nan=True)
    if suffix != "csv":  # which has no place for it
        assert provenance.finder == "judge"
        assert {"given.fits", "map.fits", weights.name} <= {each.name for each in provenance.inputs}


def test_a_list_of_another_program(sky, judged, weights, tmp_path):
    image, path, truth = sky
    ra, dec = image.frame.to_sky(truth["x"], truth["y"])
    lines = [f"{a:.9f},{d:.9f},{f}" for a, d, f in zip(ra, dec, truth["total"], strict=True)]
    given, out = tmp_path / "list.csv", tmp_path / "out.parquet"
    given.write_text("\n".join(["RA,DEC,S_Jy", *lines]) + "\n")
    said = called("judge", given, path, "--set", f"weights={weights}", "--out", out, "--quiet")
    assert said.returncode == 0, said.stderr
    assert np.allclose(load_table(out)[0]["score"], judged["score"][: len(truth)], atol=1e-6)


def test_components_may_be_judged_and_a_class_is_replaced(sky, weights):
    image, _, truth = sky
    table = rows_at(image, truth["x"][:20].astype(float), truth["y"][:20].astype(float), "components")
    once = skysift.judge(table, image, weights=str(weights))
    twice = skysift.judge(once.with_columns({"score": np.zeros(20)}), image, weights=str(weights))
    assert once.kind == "components"
    assert twice == once


def test_an_empty_catalogue_stays_empty(sky, weights):
    judged = skysift.judge(Table.empty("sources"), sky[0], weights=str(weights))
    assert len(judged) == 0
    assert "score" in judged


def test_bad_requests_are_one_line(sky, rows, weights, tmp_path):
    with pytest.raises(UsageError, match="no row of the catalogue lies on the map"):
        skysift.judge(rows.with_columns({"dec": rows["dec"] + 5.0}), sky[0], weights=str(weights))
    with pytest.raises(UsageError, match="no such catalogue"):
        skysift.judge(3, sky[0], weights=str(weights))
    given = tmp_path / "given.fits"
    Catalogue(Table.empty("islands"), rows, Table.empty("components")).write(given)
    told = called("judge", given, sky[1], "--out", tmp_path / "out.xyz")
    assert "the suffix of the file tells no format" in told.stderr
    told = called("judge", given, sky[1], "--out", given, "--set", f"weights={weights}")
    assert "the file exists" in told.stderr
    told = called("judge", given, sky[1], "--out", tmp_path / "out.fits", "--set", "weights=nothing")
    assert "no weights of this name" in told.stderr
    told = called("judge", given, sky[1], "--out", tmp_path / "out.fits", "--set", "radius=0")
    assert "radius" in told.stderr
    assert told.returncode == 2


def test_weights_that_were_calibrated_in_orientations_look_in_these(sky, rows, weights, judged, tmp_path):
    """The opinion is the mean over orientations, and turns with the map; of weights of one orientation it does not."""
    read = read_checkpoint(weights)
    path = tmp_path / "eight.safetensors"
    write_checkpoint(path, read.tensors, replace(read.card, settings={**read.card.settings, "flips": 8}))
    said = skysift.judge(rows, sky[0], weights=str(path))
    n = len(sky[2])
    assert np.isfinite(said["score"][:-2]).all()
    assert not np.allclose(said["score"][:-2], judged["score"][:-2], atol=1e-3)
    assert np.corrcoef(said["score"][:-2], judged["score"][:-2])[0, 1] > 0.9
    assert np.median(said["score"][:n]) > 0.8
    assert np.median(said["score"][n : 2 * n]) < 0.2
    kept = said["class"][:n] == judged["class"][:n]
    assert kept.mean() > 0.9
    assert said["class_score"][:n].max() <= 1.0


def test_the_mean_of_orientations_is_that_of_each_alone(weights):
    read = read_checkpoint(weights)
    detector = detector_of(read)
    net = detector.net()
    load_into(net, read)
    field = made_field(1, 128)

    def run(inputs):
        with torch.no_grad():
            return net.eval()(*(torch.from_numpy(each) for each in inputs.values())).numpy()

    beam = np.array(field.beam)
    looks = found_in_each(detector, run, field.pixels, beam, 4)
    assert len(looks) == 4
    (plain,) = found_in_each(detector, run, field.pixels, beam, 1)
    alone = detector.found(run(detector.inputs(field.pixels, beam))[0], field.pixels, beam, 0.0)
    assert np.array_equal(plain.scores, alone.scores)
    assert np.allclose(plain["x"], alone["x"])
    bright = field.labels["snr_peak"] > 30
    inside = bright & Box(20, 108, 20, 108).contains(field.labels["x"], field.labels["y"])
    for each in looks:
        for x, y in zip(field.labels["x"][inside], field.labels["y"][inside], strict=True):
            near = np.hypot(each["x"] - x, each["y"] - y) < 2.0
            assert near.any()
