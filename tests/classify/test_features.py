"""Numbers measured on made pictures are those of the sources that were put into them."""

import html
import json

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, label
from tests.classify.pictures import blob, pictures_of
from tests.commands import called

from skysift.base.errors import OptionError, UnknownName, UsageError
from skysift.base.parallel import Crew
from skysift.base.registry import Registry
from skysift.classify.features.islands import ALL, CONNECTED, RADIUS, label_islands, persistent_peaks
from skysift.classify.features.moments import ZERNIKE, axes_of, zernike
from skysift.classify.features.noise import level_and_noise
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.picked import picked
from skysift.classify.features.table import features_of, left_aside, view_of
from skysift.io.features import read_features


def one(pixels, noise=0.01, **options):
    """The row of one picture, by column."""
    options = {"radius": 1.0, **options}
    features = features_of(pictures_of(np.asarray(pixels)[None], noise), FeaturesOptions(**options))
    return {name: features[name][0] for name in features.titles}


@pytest.mark.parametrize("spoil", ["", "source", "negative", "faint", "rounded", "holes"])
def test_level_and_noise_whatever_was_done_to_the_pixels(spoil):
    rng = np.random.default_rng(3)
    pixels = 5.0 + 2.0 * rng.normal(size=(6, 128, 128))
    if spoil == "source":
        pixels += blob(128, height=500.0, rms=8.0)
    if spoil == "negative":
        pixels = np.clip(pixels, 5.0, None)
    if spoil == "faint":
        pixels = np.where(
            pixels < 11.0, 0.0, pixels - 11.0 + 6.0
        )  # the level is 0 then, and what is left above 3 sigma
    if spoil == "rounded":
        pixels = np.round(pixels)
    if spoil == "holes":
        pixels[:, :40] = np.nan
    level, noise = level_and_noise(pixels.astype(np.float32), clip=3.0)
    assert np.median(level) == pytest.approx(0.0 if spoil == "faint" else 5.0, abs=0.15)
    assert np.median(noise) == pytest.approx(2.0, rel=0.06)


def test_an_empty_picture_has_no_noise():
    pixels = np.stack([np.full((32, 32), np.nan), np.zeros((32, 32))]).astype(np.float32)
    assert np.isnan(level_and_noise(pixels, 3.0)[1]).all()


@pytest.mark.parametrize("keep", [RADIUS, CONNECTED, ALL])
def test_islands_are_those_of_the_naive_way(keep):
    rng = np.random.default_rng(4)
    values = gaussian_filter(rng.normal(size=(5, 60, 70)), (0, 1.5, 1.5)) * 6.0
    values[:, :5] = np.nan
    labels = np.zeros(values.shape, np.int32)
    counts = np.zeros(5, np.int64)
    label_islands(values.astype(np.float32), 1.5, 2.5, 4, keep, 20.0, labels, counts)
    for k, picture in enumerate(values):
        pieces, n = label(picture >= 1.5, np.ones((3, 3)))
        wanted, distances = [], []
        y, x = np.mgrid[:60, :70]
        distance = np.hypot(y - 29.5, x - 34.5)
        for number in range(1, n + 1):
            piece = pieces == number
            near = distance[piece].min()
            if piece.sum() >= 4 and picture[piece].max() >= 2.5 and (keep != RADIUS or near <= 20.0):
                wanted.append(piece)
                distances.append(near)
        if keep == CONNECTED and wanted:
            wanted = [wanted[int(np.argmin(distances))]]
        assert counts[k] == len(wanted)
        assert {labels[k][piece].min() for piece in wanted} == set(range(1, len(wanted) + 1))
        assert (labels[k] > 0).sum() == sum(piece.sum() for piece in wanted)


def test_peaks_stand_out_by_their_prominence_and_share_the_flux():
    picture = (
        blob(61, x=-12.0, height=10.0)
        + blob(61, x=12.0, height=6.0, rms=3.0)
        + blob(61, y=5.0, x=-12.0, height=4.0)
    )
    labels = (picture > 0.01).astype(np.int32)[None]
    peaks, counts = np.full((1, 4, 6), np.nan), np.zeros(1, np.int64)
    persistent_peaks(picture[None].astype(np.float32), labels, np.array([0.5]), 0.0, peaks, counts)
    assert counts[0] == 2  # the third lies on the shoulder of the first
    assert peaks[0, 0, :3] == pytest.approx([30, 18, picture.max()], abs=1e-5)
    assert peaks[0, 1, 1] == 42
    assert peaks[0, 1, 3] == pytest.approx(6.0 - picture[30, 18:43].min(), abs=0.05)
    assert peaks[0, :2, 4].sum() == pytest.approx(picture[labels[0] > 0].sum(), rel=1e-5)
    assert peaks[0, 1, 4] == pytest.approx(6.0 * 2 * np.pi * 9.0, rel=0.03)


def test_a_gaussian_has_its_axes_and_is_straight():
    row = one(blob(121, rms=12.0, minor=4.0, pa=30.0, height=100.0), scale=2.0)
    assert row["rms_major"] == pytest.approx(24.0, rel=0.02)
    assert row["axis_ratio"] == pytest.approx(1.0 / 3.0, rel=0.02)
    assert row["flux_peak_ratio"] == pytest.approx(np.log10(2 * np.pi * 48.0), abs=0.01)
    assert row["peaks"] == 1
    assert row["components"] == 1
    assert row["opening_angle"] == pytest.approx(180.0, abs=3.0)
    assert row["rotation_asymmetry"] < 0.03
    assert row["centroid_offset"] < 0.2
    assert np.isnan(row["fr_ratio"])


def test_zernikes_moments_are_those_of_their_own_shapes():
    y, x = np.nonzero(np.ones((201, 201)))
    y, x = y - 100.0, x - 100.0
    disc = np.hypot(y, x) <= 100.0
    y, x = y[disc], x[disc]
    r, turn = np.hypot(y, x) / 100.0, np.arctan2(y, x)
    light = 1.0 + 0.5 * r**2 * np.cos(2.0 * (turn - 0.3))
    source = picked(np.zeros(len(x), np.int64), y, x, light, np.ones(len(x), np.int64), 1)
    found = dict(
        zip(ZERNIKE, zernike(source, light, axes_of(source, light), source.total(light))[0], strict=True)
    )
    wanted = {(2, 2): 0.25 / np.pi}  # a of 1 + a r^2 cos 2 is half of the moment over the flux, times 2 / pi
    for order, value in found.items():
        assert value == pytest.approx(wanted.get(order, 0.0), abs=3e-3), order


def test_shapes_do_not_change_when_the_picture_is_turned():
    source = (
        blob(101, y=4.0, x=-20.0, height=8.0)
        + blob(101, y=9.0, x=18.0, height=5.0, rms=3.0)
        + blob(101, height=2.0)
    )
    rows = np.stack([source, source[::-1], source.T, np.rot90(source)])
    features = features_of(pictures_of(rows, 0.0), FeaturesOptions(radius=1.0))
    for name, values in zip(features.titles, features.values.T, strict=True):
        loose = 0.01 if name == "m20" else 1e-6  # which of two equal pixels is the brighter one is chance
        np.testing.assert_allclose(values, values[0], rtol=loose, atol=1e-6, err_msg=name)


def test_lobes_and_jets_are_told_apart():
    double = (
        blob(101, x=-20.0, height=5.0, rms=2.5)
        + blob(101, x=20.0, height=4.0, rms=2.5)
        + blob(101, height=0.5)
    )
    jets = (
        blob(101, height=10.0) + blob(101, x=-8.0, rms=8.0, minor=2.0) + blob(101, x=8.0, rms=8.0, minor=2.0)
    )
    fr2, fr1 = one(double), one(jets)
    assert fr2["peaks"] == 3
    assert fr2["fr_ratio"] > 0.5 > fr2["core_share"]
    assert fr2["fr_angle"] == pytest.approx(180.0, abs=5.0)
    assert fr2["peak_order"] == pytest.approx(0.5)  # the core is nearer, the other lobe is not
    assert fr1["peak_first"] < 0.1
    assert fr1["core_share"] > 0.5
    assert fr2["profile_5"] + fr2["profile_4"] > fr1["profile_5"] + fr1["profile_4"] + 0.3


def test_a_bent_source_opens_by_its_angle():
    row = one(blob(101, y=14.0, x=14.0) + blob(101, y=14.0, x=-14.0) + blob(101, height=2.0))
    assert row["opening_angle"] == pytest.approx(90.0, abs=8.0)  # the core counts to both sides
    assert row["fr_angle"] == pytest.approx(90.0, abs=4.0)
    assert row["peak_angle"] == pytest.approx(90.0, abs=4.0)


def test_rings_tell_one_side_from_two_whichever_way_they_lie():
    one_side, two_sides = blob(101, x=12.0) + blob(101), blob(101, x=12.0) + blob(101, x=-12.0) + blob(101)
    first, second = one(one_side), one(two_sides)
    k = 7  # the ring of 11 pixels
    assert second[f"ring_{k}_0"] == pytest.approx(2.0 * first[f"ring_{k}_0"], rel=0.05)
    assert second[f"ring_{k}_1"] < 0.05 * first[f"ring_{k}_1"]
    assert second[f"ring_{k}_2"] == pytest.approx(2.0 * first[f"ring_{k}_2"], rel=0.05)
    assert one(blob(101))["ring_0_0"] == pytest.approx(1.0, abs=0.05)
    turned = one(blob(101, y=9.0, x=-np.sqrt(63.0)) + blob(101))
    for m in range(4):
        assert turned[f"ring_{k}_{m}"] == pytest.approx(first[f"ring_{k}_{m}"], rel=0.05)


def test_rings_beyond_the_picture_or_over_blank_pixels_have_no_numbers():
    whole = one(blob(101))
    assert whole["rings_missing"] == 1  # 64 pixels
    assert whole["ring_12_0"] == 0.0
    assert np.isnan([whole[f"ring_13_{m}"] for m in range(7)]).all()
    narrow = one(blob(41))
    assert narrow["rings_missing"] == 4
    assert np.isfinite(narrow["ring_9_6"])
    assert np.isnan([narrow[f"ring_{k}_0"] for k in range(10, 14)]).all()
    for k in range(6):
        assert narrow[f"ring_{k}_0"] == pytest.approx(whole[f"ring_{k}_0"], abs=0.02)
    holed = blob(101)
    holed[50, 50 + 27] = np.nan  # on a place of ring 10
    row = one(holed)
    assert row["rings_missing"] == 2
    assert np.isnan(row["ring_10_0"])
    assert np.isfinite(row["ring_9_0"])
    assert np.isfinite(row["ring_11_0"])


def test_what_a_turn_brings_out_of_the_picture_does_not_count_as_asymmetry():
    row = one(blob(41, x=19.0, rms=4.0), radius=1.0)  # only a part of it is in the picture
    assert row["rotation_asymmetry"] < 0.25
    holed = blob(41, rms=4.0)
    holed[23:, 18:23] = np.nan
    assert one(holed)["rotation_asymmetry"] < 0.25
    lopsided = one(blob(61, x=10.0, rms=4.0) + 4.0 * blob(61, x=-8.0, rms=2.0))
    assert lopsided["rotation_asymmetry"] > 0.3


def test_a_flux_tells_of_how_much_of_the_source_it_is():
    source = np.stack([blob(64, rms=4.0)] * 3)
    source[1, :29] = np.nan
    source[2, :36] = np.nan
    pictures = pictures_of(source[None], 0.01)
    features = features_of(pictures, FeaturesOptions(groups=("flux",)))
    row = dict(zip(features.titles, features.values[0], strict=True))
    assert row["covered_b0"] == 1.0
    assert 0.5 < row["covered_b1"] < 0.9
    assert row["flux_b1"] < 0.9 * row["flux_b0"]
    assert 0.0 < row["covered_b2"] < 0.5
    assert row["missing_b2"] == 1.0
    assert np.isnan(row["flux_b2"])


def test_neighbours_are_left_out_when_asked():
    field = blob(101) + blob(101, y=35.0)
    assert one(field)["components"] == 2
    assert one(field, neighbours="connected")["components"] == 1
    assert one(field, radius=0.25)["components"] == 1
    assert one(field + blob(101, y=48.0, x=48.0), neighbours="all")["components"] == 3


def test_what_cannot_be_measured_spoils_its_own_row_only():
    source = blob(64)
    pixels = np.stack([source, np.full((64, 64), np.nan), np.zeros((64, 64)), source])
    pictures = pictures_of(pixels, 0.0)
    features = features_of(pictures)
    assert np.isnan(features.values[1:3]).all()
    np.testing.assert_array_equal(features.values[0], features.values[3])
    assert [bool(each) for each in features.facts["error"]] == [False, True, True, False]


def test_workers_change_nothing():
    rng = np.random.default_rng(5)
    pixels = np.stack([blob(48, *rng.normal(0, 5, 2), height=3.0) for _ in range(150)])
    pictures = pictures_of(pixels, 0.1)
    np.testing.assert_array_equal(features_of(pictures).values, features_of(pictures, crew=Crew(3)).values)


def test_every_column_is_declared():
    for name in Registry("feature").names():
        assert Registry("feature").load(name).title
    features = features_of(pictures_of(blob(48)[None], 0.01))
    assert all(each.doc and each.group for each in features.columns)
    assert features["rms_major"].size == 1
    assert features.columns[features.titles.index("rms_major")].unit == "pixel"


def test_wrong_requests_are_told():
    pictures = pictures_of(blob(48)[None], 0.01)
    with pytest.raises(UnknownName, match="no such band"):
        features_of(pictures, FeaturesOptions(reference="nosuch"))
    with pytest.raises(UnknownName, match="no such feature"):
        features_of(pictures, FeaturesOptions(groups=("shapes",)))
    with pytest.raises(OptionError, match="frequencies do not fit"):
        features_of(pictures, FeaturesOptions(frequencies=(1e9, 2e9)))
    both = pictures_of(np.stack([blob(48)] * 2)[None], 0.01)
    with pytest.raises(OptionError, match="between bands of one frequency"):
        features_of(both, FeaturesOptions(frequencies=(1.4e9, 1.405e9)))
    with pytest.raises(UsageError, match="no picture"):
        features_of(pictures.select([]))


def test_what_pictures_say_themselves_goes_before_options():
    said = {"scale": 2.0, "facts": {"beam_major": np.array([8.0]), "beam_minor": np.array([4.5])}}
    silent, telling = pictures_of(blob(48)[None], 0.01), pictures_of(blob(48)[None], 0.01, **said)
    options = FeaturesOptions(scale=5.0, beam=30.0)
    for pictures, scale, beam, told in ((silent, 5.0, 30.0, 0), (telling, 2.0, 6.0, 2)):
        view = view_of(pictures, options)
        assert (view.scale, view.beam) == (scale, beam)
        assert len(left_aside(pictures, options)) == told
    assert left_aside(telling, FeaturesOptions(scale=2.0)) == ()
    sizes = [features_of(telling, each)["rms_major"][0] for each in (options, FeaturesOptions())]
    assert sizes[0] == sizes[1] == pytest.approx(4.0, rel=0.05)


def test_pictures_that_hold_too_little_are_flagged_and_told_once(tmp_path):
    images = np.stack([blob(24), blob(24)]) + 0.01 * np.random.default_rng(1).normal(size=(2, 24, 24))
    np.savez(tmp_path / "a.npz", images=images.astype(np.float32), name=["a", "a"])
    done = called("features", tmp_path / "a.npz", "--out", tmp_path / "f")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("of 2 pictures 2 have under 32 pixels along the side") == 1
    assert done.stderr.count("numbered from the second on: a\n") == 1
    table = read_features(tmp_path / "f" / "features.parquet")
    assert table.names == ("a", "a#2")
    assert table.facts["sampling"].tolist() == ["small", "small"]


def test_equal_reasons_why_pictures_have_no_features_are_told_once(tmp_path):
    rng = np.random.default_rng(6)
    images = np.stack([*(blob(48, height=2.0),) * 2, *(np.zeros((48, 48)),) * 5, np.full((48, 48), np.nan)])
    images[:2] += rng.normal(0, 0.05, (2, 48, 48))
    np.savez(tmp_path / "a.npz", images=images.astype(np.float32), name=[f"p{k}" for k in range(8)])
    done = called("features", tmp_path / "a.npz", "--out", tmp_path / "out", "--set", "scale=1.8")
    assert done.returncode == 0, done.stderr
    told = [each for each in done.stderr.splitlines() if "without features" in each]
    assert [each.split(" without")[0] for each in told] == [
        "skysift: warning: 5 pictures",
        "skysift: warning: 1 picture",
    ]
    assert told[0].endswith("(p2, p3, p4 and 2 more)")
    kept = json.loads((tmp_path / "out" / "manifest.json").read_text())["warnings"]
    assert [f"skysift: warning: {each}" for each in kept if "without features" in each] == told
    page = (tmp_path / "out" / "report.html").read_text()
    assert all(each.removeprefix("skysift: warning: ") in html.unescape(page) for each in told)


def test_the_command_writes_a_table_or_a_folder(tmp_path):
    rng = np.random.default_rng(6)
    images = np.stack([blob(48, height=2.0), np.zeros((48, 48)), blob(48, x=6.0) + blob(48, x=-6.0)])
    images[[0, 2]] += rng.normal(0, 0.05, (2, 48, 48))
    np.savez(tmp_path / "a.npz", images=images.astype(np.float32), label=np.array(["one", "none", "two"]))
    done = called("features", tmp_path / "a.npz", "--out", tmp_path / "f.parquet", "--set", "scale=1.8")
    assert done.returncode == 0, done.stderr
    assert "pictures 3, 2 with a source" in done.stdout
    assert "there is no source in it" in done.stderr
    table = read_features(tmp_path / "f.parquet")
    assert table.labels() == ("one", "none", "two")
    assert table["peaks"][[0, 2]].tolist() == [1.0, 2.0]
    assert np.isnan(table.values[1]).all()
    assert table.provenance.options["scale"] == 1.8
    done = called("features", tmp_path / "a.npz", "--out", tmp_path / "out", "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    assert {each.name for each in (tmp_path / "out").iterdir()} == {
        "features.parquet",
        "report.html",
        "manifest.json",
    }
    assert "rms_major" in (tmp_path / "out" / "report.html").read_text()
    for words, told in (
        (["features", tmp_path / "a.npz"], "--out is missing"),
        (["features", tmp_path / "b.npz", "--out", tmp_path / "x"], "there are no pictures"),
        (["features", tmp_path / "a.npz", "--out", tmp_path / "f.parquet"], "the file exists"),
        (["features", tmp_path / "a.npz", "--out", tmp_path / "out"], "earlier run"),
        (
            ["features", tmp_path / "a.npz", "--out", tmp_path / "y", "--set", "seed=1e9"],
            "no picture shows a source",
        ),
    ):
        done = called(*words)
        assert done.returncode == 2
        assert told in done.stderr
        assert done.stderr.strip().count("\n") <= 1
