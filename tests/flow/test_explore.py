"""The products of an explored sample, its page, a person's labels on top, and the command."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from tests.commands import called
from tests.explore.samples import blobs

from skysift.base.errors import OptionError, OutputError, UnknownName, UsageError
from skysift.explore.exploring import explore_new, explore_sample
from skysift.explore.menus import menus_of
from skysift.explore.options import ActiveOptions, ExploreOptions
from skysift.explore.reference import read_reference
from skysift.explore.similar import look_alikes
from skysift.flow.explored import joined, read_rows
from skysift.flow.labelling import label
from skysift.flow.steps.explore import ExploreStep
from skysift.flow.thumbs import chosen_rows, thumbs_of
from skysift.io.features import read_features, write_features
from skysift.stamps.opening import open_pictures

QUICK = {
    "map": "pca",
    "bootstraps": 2,
    "outliers": ("density", "distance"),
    "clusterers": ("hdbscan", "kmeans"),
    "clusterer": "hdbscan",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A table of features of 154 sources, and their pictures."""
    folder = tmp_path_factory.mktemp("explore")
    features = blobs(n=50, strange=4)
    write_features(features, folder / "features.parquet")
    rng = np.random.default_rng(1)
    images = rng.normal(size=(len(features), 40, 40)).astype(np.float32)
    images[:, 18:22, 18:22] += 20.0
    images[7] = np.nan
    label_of = np.array(["bright", "faint"])[np.arange(len(features)) % 2]
    np.savez(folder / "pictures.npz", images=images, name=np.array(features.names), label=label_of)
    return folder


@pytest.fixture(scope="module")
def run(files):
    """One run with pictures."""
    features = read_features(files / "features.parquet")
    pictures = open_pictures(files / "pictures.npz")
    ExploreStep(ExploreOptions(**QUICK, thumbs=60)).run(features, files / "run", pictures=pictures)
    return files / "run"


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])


def test_a_run_writes_table_ranking_page_and_reference(run):
    told = json.loads((run / "manifest.json").read_text())
    assert {each["name"] for each in told["outputs"]} == {
        "explored.parquet", "ranking.csv", "models.csv", "duplicates.csv", "reference.npz", "report.html", "thumbs.npz",
    }  # fmt: skip
    assert told["counts"] == {"sources": 154, "without": 0, "groups": 3, "noise": 5, "duplicates": 0}
    assert told["options"]["methods"]["distance"] == {"neighbours": 5}
    table = read_features(run / "explored.parquet")
    assert {table.names[k] for k in np.argsort(table.facts["rank"])[:4]} == {f"s{k}" for k in range(150, 154)}
    assert set(table.labels()) == {"bright", "faint"}  # of the pictures
    assert table["q_distance"].min() == pytest.approx(0.5 / 154)
    assert (table.facts["cluster"][-4:] == -1).all()
    rows = (run / "ranking.csv").read_text().splitlines()
    assert rows[0] == "place,by,name,rank,cluster,interest,next,score,said,label,strange,q_density,q_distance"
    assert rows[1].startswith("1,strangeness,")
    assert [float(row.split(",")[3]) for row in rows[1:]] == sorted(table.facts["rank"])
    assert len(rows) == 155
    assert (run / "models.csv").read_text().splitlines()[1].startswith("hdbscan,3,")


def test_the_page_needs_nothing_else_and_holds_the_sample(run):
    page = (run / "report.html").read_text()
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "import " not in page[page.index("'use strict'") :]
    assert "fetch(" not in page
    data = data_of(page)
    assert len(data["names"]) == 154
    assert [each["name"] for each in data["columns"]][:5] == [
        "cluster",
        "rank",
        "strange",
        "q_density",
        "q_distance",
    ]
    assert {"label", "kind", "ra", "f0"} <= {each["name"] for each in data["columns"]}
    assert len(data["thumbs"]["sheets"]) == 1
    assert data["thumbs"]["sheets"][0].startswith("data:image/png;base64,")
    assert "60 pictures of 153" in page
    assert "1 of 154 pictures cannot be read" in page


def test_sources_without_a_picture_are_told(files, tmp_path):
    features = read_features(files / "features.parquet")
    pictures = open_pictures(files / "pictures.npz").select(np.arange(100))
    made = ExploreStep(ExploreOptions(**QUICK)).run(features, tmp_path / "out", pictures=pictures)
    assert made.manifest.warnings == (
        "54 of 154 sources have no picture; labels of the pictures are left out",
        "1 of 100 pictures cannot be read, and are not on the page",
    )


def test_names_that_could_end_the_script_cannot(files, tmp_path):
    features = blobs(n=20)
    evil = "</script><b>&\u2028"
    named = type(features)((evil, *features.names[1:]), features.columns, features.values, features.facts)
    ExploreStep(ExploreOptions(**QUICK)).run(named, tmp_path / "out")
    page = (tmp_path / "out" / "report.html").read_text()
    assert evil not in page
    assert data_of(page)["names"][0] == evil


def test_the_same_sample_gives_the_same_bytes(run, files, tmp_path):
    features = read_features(files / "features.parquet")
    pictures = open_pictures(files / "pictures.npz")
    ExploreStep(ExploreOptions(**QUICK, thumbs=60)).run(features, tmp_path / "again", pictures=pictures)
    for name in ("explored.parquet", "ranking.csv", "reference.npz", "report.html"):
        assert (tmp_path / "again" / name).read_bytes() == (run / name).read_bytes(), name


def test_new_sources_are_put_on_the_frozen_map(run):
    features = blobs(n=50, strange=4)
    reference = read_reference(run / "reference.npz")
    known = read_features(run / "explored.parquet")
    rows = [3, 60, 152]
    found = explore_new(features.select(rows), reference)
    np.testing.assert_array_equal(found.positions, np.stack([known["map_x"], known["map_y"]], axis=1)[rows])
    assert found.labels.tolist() == known.facts["cluster"][rows].tolist()
    new = blobs(n=50, strange=4, seed=0)
    shifted = type(new)(new.names, new.columns, new.values + 0.3, new.facts)
    whole, one = explore_new(shifted, reference), explore_new(shifted.select([60]), reference)
    np.testing.assert_array_equal(one.positions[0], whole.positions[60])
    assert one.strange[0] == whole.strange[60]
    assert (whole.labels[:150] == known.facts["cluster"][:150]).mean() > 0.95
    with pytest.raises(UnknownName, match=r"features that the table lacks: got 'f2 and \d+ others'"):
        explore_new(features.only(["f0", "f1"]), reference)


def test_sources_without_features_come_last():
    features = blobs(n=30)
    values = features.values.copy()
    values[4] = np.nan
    found = explore_sample(type(features)(features.names, features.columns, values), ExploreOptions(**QUICK))
    assert np.isnan(found.positions[4]).all()
    assert (found.labels[4], found.rank[4]) == (-1, 90)
    assert "1 source has no feature: it is on no map" in found.notes[-1]
    values[7] = np.nan
    found = explore_sample(type(features)(features.names, features.columns, values), ExploreOptions(**QUICK))
    assert found.rank[[4, 7]].tolist() == [89.5, 89.5]


@pytest.mark.parametrize("how", [{}, {"outliers": ("forest", "reconstruction"), "clusterers": ("kmeans",)}])
def test_the_order_of_the_rows_changes_nothing(how):
    features = blobs(n=30, strange=4)
    values = features.values.copy()
    values[[10, 11]] = values[9]  # equal ones
    features = type(features)(features.names, features.columns, values, features.facts)
    rows = np.random.default_rng(3).permutation(len(features))
    options = ExploreOptions(**{**QUICK, **how, "clusterer": ""})
    one, two = (explore_sample(each, options) for each in (features, features.select(rows)))
    np.testing.assert_array_equal(one.positions[rows], two.positions)
    np.testing.assert_array_equal(one.labels[rows], two.labels)
    np.testing.assert_array_equal(one.rank[rows], two.rank)
    pairs = [
        {frozenset((found.features.names[p.first], found.features.names[p.second])) for p in found.duplicates}
        for found in (one, two)
    ]
    assert pairs[0] == pairs[1] != set()


def apart():
    """Two tables; one source is strange in the second only, and one has nothing in it."""
    one, two = blobs(n=40), blobs(n=40, seed=5)
    values = two.values.copy()
    values[3], values[9] = 90.0, np.nan
    other = type(two)(two.names, tuple(type(c)(f"e{k}") for k, c in enumerate(two.columns)), values)
    return joined([one, other], ["features", "embedding"])


def test_strange_ones_are_sought_in_each_table(tmp_path):
    features, parts = apart()
    ExploreStep(ExploreOptions(**QUICK)).run(features, tmp_path / "out", parts=parts)
    table = read_features(tmp_path / "out" / "explored.parquet")
    titles = ["q_features_density", "q_features_distance", "q_embedding_density", "q_embedding_distance"]
    assert [name for name in table.titles if name.startswith("q_")] == titles
    assert table["q_embedding_distance"][3] > 0.99 > table["q_features_distance"][3]
    assert table.facts["rank"][3] < 15
    told = [-np.log(1 - table[name]) for name in titles]
    both = np.nanmean(told, axis=0)
    assert (np.argsort(both)[::-1][:20] == np.argsort(table.facts["rank"])[:20]).all()
    assert np.isnan(table["q_embedding_density"][9])
    assert np.isfinite(table["strange"]).all()  # by the table that has it
    alone = explore_sample(features.only(parts["features"]), ExploreOptions(**QUICK))
    np.testing.assert_array_equal(alone.quantiles["distance"], table["q_features_distance"])
    assert "sought in features and embedding apart" in (tmp_path / "out" / "report.html").read_text()
    one = explore_sample(features, ExploreOptions(**QUICK, apart=False), parts=parts)
    assert set(one.quantiles) == {"density", "distance"}


def test_an_embedding_is_searched_by_density_alone_unless_methods_are_named():
    features, parts = apart()
    group = dict.fromkeys(parts["embedding"], "embedding")
    columns = tuple(replace(each, group=group.get(each.name, "shape")) for each in features.columns)
    features = replace(features, columns=columns)
    plain = {**QUICK, "outliers": ()}
    found = explore_sample(features, ExploreOptions(**plain), parts=parts)
    assert set(found.quantiles) == {"features_forest", "features_density", "embedding_density"}
    new = explore_new(features.select(np.arange(9)), found.reference)
    assert set(new.quantiles) == set(found.quantiles)
    np.testing.assert_allclose(new.strange, found.strange[:9], atol=0.03)
    one = explore_sample(features, ExploreOptions(**plain, apart=False), parts=parts)
    assert set(one.quantiles) == {"forest", "density"}
    alone = features.only(parts["embedding"])
    assert set(explore_sample(alone, ExploreOptions(**plain)).quantiles) == {"density"}
    named = ExploreOptions(**{**plain, "outliers": ("forest",)})
    assert set(explore_sample(alone, named).quantiles) == {"forest"}
    with pytest.raises(
        UsageError, match=r"not used in embeddings unless it is named.*outliers=forest,density"
    ):
        explore_sample(
            alone, ExploreOptions(**plain), menus_of(ExploreOptions(**plain), {"forest": {"trees": 9}})
        )


def test_new_sources_are_judged_in_each_table(tmp_path):
    features, parts = apart()
    ExploreStep(ExploreOptions(**QUICK)).run(features, tmp_path / "out", parts=parts)
    reference, before = (
        read_reference(tmp_path / "out" / "reference.npz"),
        read_features(tmp_path / "out" / "explored.parquet"),
    )
    same = explore_new(features, reference)
    np.testing.assert_allclose(same.strange, before["strange"], atol=0.03)
    new = type(features)(tuple(f"n{k}" for k in range(120)), features.columns, features.values + 0.2)
    whole, some = explore_new(new, reference), explore_new(new.select([3, 9]), reference)
    np.testing.assert_array_equal(whole.strange[[3, 9]], some.strange)
    assert some.strange[0] > 0.9
    assert np.isnan(some.quantiles["embedding_density"][1])


def test_groups_keep_their_ids_from_run_to_run(run, tmp_path):
    features = blobs(n=50, strange=4)
    rows = np.r_[100:150, 0:50, 55:100]  # in another order, without some
    ExploreStep(ExploreOptions(**QUICK)).run(features.select(rows), tmp_path / "out", like=run)
    old = read_features(run / "explored.parquet").facts["cluster"][rows]
    new = read_features(tmp_path / "out" / "explored.parquet").facts["cluster"]
    assert (old == new).mean() > 0.97


def test_the_map_is_umaps_and_the_same_each_time():
    features = blobs(n=30, far=12.0)
    how = ExploreOptions(**{**QUICK, "map": "umap"}, neighbours=8)
    one, two = (explore_sample(features, how) for _ in range(2))
    np.testing.assert_array_equal(one.positions, two.positions)
    assert one.reference.told["map"] == "umap"
    near = look_alikes(one.positions, np.arange(90), 3)[1]
    kinds = features.facts["kind"]
    assert (kinds[near] == kinds[:, None]).mean() > 0.98


def test_labels_are_stored_and_turn_the_ranking(run, tmp_path):
    import shutil

    folder = tmp_path / "run"
    shutil.copytree(run, folder)
    given = tmp_path / "scores.csv"
    given.write_text("name,label,score\ns150,,0\ns151,ring,5\ns000,,0\n")
    label(folder, given, ActiveOptions())
    table = read_features(folder / "explored.parquet")
    assert table.facts["score"][151] == 5.0
    assert np.isfinite(table["interest"]).all()
    assert table["interest"][151] > table["interest"][150]
    order = np.argsort(table.facts["next"])
    assert set(order[-3:]) == {0, 150, 151}  # what has a score has no number and comes last
    before = read_rows(run / "ranking.csv")
    after = read_rows(folder / "ranking.csv")
    assert before[0].keys() == after[0].keys()
    assert ({row["by"] for row in before}, {row["by"] for row in after}) == ({"strangeness"}, {"interest"})
    interest = [float(row["interest"]) for row in after]
    assert interest == sorted(interest, reverse=True)
    rank = {row["name"]: row["rank"] for row in before}
    assert all(row["rank"] == rank[row["name"]] for row in after)  # strangeness alone is as it was
    assert {row["name"]: row["said"] for row in after if row["said"]} == {"s151": "ring"}
    assert {row["name"] for row in after if not row["next"]} == {"s000", "s150", "s151"}
    assert "It is ranked by a person&#39;s scores" in (folder / "report.html").read_text()
    given.write_text("name,label,score\ns150,dull,\n")
    label(folder, given, ActiveOptions(method="gaussian"))
    kept = (folder / "labels.csv").read_text()
    assert kept == "name,label,score\ns150,dull,0\ns151,ring,5\ns000,,0\n"
    data = data_of((folder / "report.html").read_text())
    assert data["said"]["s151"] == ["ring", 5.0]
    assert len(data["thumbs"]["sheets"]) == 1
    told = json.loads((folder / "manifest.json").read_text())
    assert (told["counts"]["scores"], told["counts"]["labels"]) == (3, 2)
    assert told["options"]["active"]["method"] == "gaussian"
    assert "labels.csv" in {each["name"] for each in told["outputs"]}


def test_tables_are_joined_by_name(files):
    one = blobs(n=20)
    other = type(one)(
        one.names[::-1],
        tuple(type(c)(f"e{k}", group="embedding") for k, c in enumerate(one.columns)),
        one.values[::-1],
    )
    both, parts = joined([one, other], ["a.b", "a.b"])
    assert parts == {"a_b": one.titles, "a_b_2": other.titles}
    twice, parts = joined([one, other, other])
    assert parts["table_3"] == tuple(f"{name}_3" for name in other.titles)
    np.testing.assert_array_equal(twice["e1_3"], twice["e1"])
    np.testing.assert_array_equal(both["e2"], both["f2"])
    with pytest.raises(UsageError, match="not in the other table"):
        joined([one, other.select([0, 1])])
    with pytest.raises(UsageError, match="stands twice"):
        joined([type(one)(("a",) * 60, one.columns, one.values)])


def test_pictures_are_made_small_and_some_are_chosen(files):
    pictures = open_pictures(files / "pictures.npz")
    thumbs = thumbs_of(pictures, np.arange(154), np.array([3, 7]), 20, 0)
    assert thumbs.pixels.shape == (2, 20, 20)
    assert thumbs.across.tolist() == [40, 40]
    assert thumbs.pixels[0].argmax() // 20 in (9, 10)
    assert not thumbs.pixels[1].any()
    assert thumbs_of(pictures, np.arange(154), np.array([3]), 8, 8).pixels.min() >= 1
    assert thumbs_of(pictures, np.arange(154), np.array([3]), 64, 0).pixels.shape == (1, 64, 64)
    rank = np.arange(154)[::-1] + 1
    rows = chosen_rows(rank, np.ones(154, bool), 21, 1)
    assert rows.size == 21
    assert set(range(143, 154)) <= set(rows.tolist())
    assert chosen_rows(rank, rank > 100, 99, 1).size == 54


def stamped(tmp_path, images):
    np.savez(
        tmp_path / "wide.npz", images=images.astype(np.float32), name=[f"w{k}" for k in range(len(images))]
    )
    return open_pictures(tmp_path / "wide.npz")


def test_a_picture_is_cut_around_its_source_unless_it_is_told_how_much_to_show(tmp_path):
    rng = np.random.default_rng(1)
    images = rng.normal(size=(5, 300, 300))
    y, x = np.mgrid[:300, :300] - 150
    images[0] += 40 * (np.hypot(x, y) < 10)  # 20 pixels across
    images[1] += 40 * (np.abs(y) < 2) * (np.abs(x) < 60)  # 120
    images[2] += 60 * np.exp(-(x**2 + y**2) / 4)  # a point
    images[4] += 40 * (np.abs(y) < 2) * (np.abs(x) < 140)
    thumbs = thumbs_of(stamped(tmp_path, images), np.arange(5), np.arange(5), 48)
    assert thumbs.across.tolist() == [48, 192, 24, 300, 300]  # all of one without a source
    seen = [(each > 128).any(axis=0).sum() for each in thumbs.pixels[:2]]
    assert seen == pytest.approx([19, 119 / 4], abs=2)  # of 48 pixels
    assert thumbs_of(stamped(tmp_path, images), np.arange(5), np.arange(2), 48, 0).across.tolist() == [
        300,
        300,
    ]


def test_a_source_of_one_band_is_seen_beside_bands_of_other_units(tmp_path):
    rng = np.random.default_rng(1)
    images = rng.normal(size=(1, 3, 48, 48))
    images[0, 0, 20:28, 20:28] += 30.0
    images[0] *= np.array([1e-4, 1e6, np.nan])[:, None, None]  # Jy/beam, counts, and none
    shown = thumbs_of(stamped(tmp_path, images), np.arange(1), np.arange(1), 48).pixels[0].astype(float)
    assert shown.shape == (48, 48)
    across = thumbs_of(stamped(tmp_path, images), np.arange(1), np.arange(1), 48).across
    assert across.tolist() == [24]
    assert np.median(shown[20:28, 20:28]) > 200 > 100 > np.median(shown[:6])


def test_the_page_tells_how_much_a_picture_shows(files, tmp_path):
    features = read_features(files / "features.parquet")
    pictures = replace(open_pictures(files / "pictures.npz"), scale=1.5)
    ExploreStep(ExploreOptions(**QUICK, thumb=16)).run(features, tmp_path / "out", pictures=pictures)
    data = data_of((tmp_path / "out" / "report.html").read_text())
    assert set(data["thumbs"]["across"]) == {8, 16}
    assert data["thumbs"]["scale"] == 1.5
    given = tmp_path / "scores.csv"
    given.write_text("name,score\ns150,5\n")
    label(tmp_path / "out", given, ActiveOptions())
    assert data_of((tmp_path / "out" / "report.html").read_text())["thumbs"] == data["thumbs"]


def test_groups_that_run_into_each_other_are_told():
    cloud = blobs(n=60, far=0.0, width=40)
    how = ExploreOptions(**{**QUICK, "clusterer": "kmeans"})
    found = [explore_sample(each, how).notes for each in (cloud, blobs(n=60, far=12.0))]
    told = [[note for note in notes if "run into" in note] for notes in found]
    assert len(told[0]) == 1
    assert "silhouette 0.0" in told[0][0]
    assert not told[1]


def test_what_cannot_be_is_told(run, files, tmp_path):
    features = read_features(files / "features.parquet")
    with pytest.raises(OutputError, match="earlier run"):
        ExploreStep(ExploreOptions(**QUICK)).run(features, run)
    with pytest.raises(UnknownName, match="no such clusterer"):
        ExploreStep(ExploreOptions(clusterers=("hdbscn",)))
    with pytest.raises(UsageError, match="method that is not used: got 'forest'"):
        menus_of(ExploreOptions(**QUICK), {"forest": {"trees": 3}})
    with pytest.raises(OptionError, match="neighbours"):
        menus_of(ExploreOptions(**QUICK), {"distance": {"neighbours": 0}})
    strangers = open_pictures(files / "pictures.npz")
    other = type(features)(tuple(f"x{k}" for k in range(len(features))), features.columns, features.values)
    with pytest.raises(UsageError, match="none of the pictures"):
        ExploreStep(ExploreOptions(**QUICK)).run(other, tmp_path / "out", pictures=strangers)
    assert not (tmp_path / "out").exists()


def test_the_command(files, run, tmp_path):
    quick = [
        "--set",
        "map=pca",
        "--set",
        "bootstraps=2",
        "--set",
        "outliers=density,distance",
        "--set",
        "clusterers=hdbscan",
    ]
    out = tmp_path / "out"
    done = called("explore", files / "features.parquet", "--out", out, *quick, "--set", "hdbscan.smallest=20")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["sources", "154"]
    assert "by hdbscan, 5 sources in no group" in done.stdout
    done = called("explore", "similar", out, "s003", "s100", "-k", 2)
    assert done.stdout.splitlines()[0] == "source,look_alike,distance,cluster"
    assert len(done.stdout.splitlines()) == 5
    given = tmp_path / "scores.csv"
    given.write_text("name,score\ns150,5\n")
    done = called("explore", "label", out, "--labels", given)
    assert done.returncode == 0, done.stderr
    assert "scores 1" in done.stdout
    done = called(
        "explore", files / "features.parquet", "--reference", out, "--out", tmp_path / "new", "--quiet"
    )
    assert (done.returncode, done.stdout) == (0, "")
    for words, told in (
        (["features.parquet"], "--out is missing"),
        (["similar", out, "nobody"], "no such source"),
        (["similar", out], "names of sources"),
        (["similar", tmp_path, "s003"], "none of `skysift explore`"),
        (["label", out], "--labels is missing"),
        (["label", out, "--labels", given, "--out", "x"], "--out does nothing with label"),
        (["label", out, "--labels", given, "-k", "3"], "--number does nothing with label"),
        (["label", out, "--labels", given, "--overwrite"], "--overwrite does nothing with label"),
        (
            ["label", out, "--labels", given, "--set", "trust=2"],
            "trust does nothing with method=gaussian; give method=neighbour, or leave it out",
        ),
        (
            ["label", out, "--labels", given, "--method", "neighbour", "--set", "strangeness=2"],
            "strangeness does nothing with method=neighbour",
        ),
        (
            ["label", out, "--labels", given, "--set", "method=neighbour", "--set", "tradeoff=2"],
            "tradeoff does nothing with method=neighbour",
        ),
        (["similar", out, "s003", "--overwrite"], "--overwrite does nothing with similar"),
        ([files / "features.parquet", "--out", "x", "-k", "3"], "--number does nothing with FEATURES"),
        ([files / "features.parquet", "--out", "x", "--like", out, "--reference", out], "do not go together"),
        ([files / "features.parquet", "--out", "x", "--set", "kmeans.numbr=3"], "numbr"),
        (
            [files / "features.parquet", "--out", "x", "--set", "thumb=32"],
            "thumb does nothing without pictures",
        ),
        (
            [files / "features.parquet", "--out", "x", "--set", "apart=false"],
            "apart does nothing with one table",
        ),
        (
            [files / "features.parquet", "--out", "x", "--set", "map=pca", "--set", "min_dist=0.2"],
            "min_dist does nothing with map=pca",
        ),
    ):
        done = called("explore", *words)
        assert done.returncode == 2, words
        assert told in done.stderr
        assert done.stderr.count("\n") == 1


def test_options_are_those_of_the_reference_but_for_the_page(run, files, tmp_path):
    features = read_features(files / "features.parquet")
    ExploreStep(ExploreOptions(columns=7)).run(features, tmp_path / "new", reference=run)
    told, before = (json.loads((each / "manifest.json").read_text()) for each in (tmp_path / "new", run))
    assert told["options"] == {**before["options"], "columns": 7, "thumbs": 2000}
    for words, what in (
        (["--set", "components=3"], "components does nothing with --reference"),
        (["--set", "kmeans.number=3"], "kmeans does nothing with --reference"),
    ):
        done = called(
            "explore", files / "features.parquet", "--reference", run, "--out", tmp_path / "x", *words
        )
        assert done.returncode == 2
        assert what in done.stderr
    done = called("explore", "similar", run, "s003", "--set", "components=3")
    assert (done.returncode, "--set does nothing with similar" in done.stderr) == (2, True)


def test_groups_of_features_that_are_not_there_are_told(files):
    features = read_features(files / "features.parquet")
    with pytest.raises(UnknownName, match="no features of this group: got 'colour'"):
        explore_sample(features, ExploreOptions(**QUICK, groups=("colour",)))
