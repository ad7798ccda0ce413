"""Many cut-outs: one archive, a report of each, an item that fails spoils itself alone, and a run that goes on."""

import io
import json
import tarfile

import numpy as np
import pytest
from astropy.io import fits
from tests.stamps.test_cutout import made

from skysift.base.errors import FormatError, OptionError, RegionError, StorageError, UsageError
from skysift.base.parallel import Crew
from skysift.flow.products import PART
from skysift.flow.steps.cutouts import CutoutsStep
from skysift.stamps import batch
from skysift.stamps.archive import PieceWriter, join_pieces, safe_name
from skysift.stamps.batch import Item, cut_all, read_items
from skysift.stamps.cutout import cut


@pytest.fixture
def items(tmp_path):
    """Items on a map: whole ones, one over the edge, one elsewhere, one of a missing and one of a broken file."""
    made(tmp_path / "map.fits", (80, 100))
    (tmp_path / "broken.fits").write_bytes(b"SIMPLE  =                    T" + b" " * 50)
    path = str(tmp_path / "map.fits")
    at = [f"CIRCLE {50 + 0.005 * k:.3f} -30.0 0.05" for k in range(40)]
    listed = [{"id": f"good {k}", "path": path, "pos": pos} for k, pos in enumerate(at)]
    listed[3] |= {"id": "../../etc/passwd"}
    listed += [
        {"id": "edge", "path": path, "pos": "CIRCLE 50 -30.4 0.05"},
        {"id": "far", "path": path, "pos": "CIRCLE 250 30.4 0.05"},
        {"id": "missing", "path": str(tmp_path / "no.fits"), "pos": at[0]},
        {"id": "broken", "path": str(tmp_path / "broken.fits"), "pos": at[0]},
    ]
    return tuple(Item.parse(each, k) for k, each in enumerate(listed))


def members(archive):
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}


def test_all_items_are_in_the_report_and_the_good_ones_in_the_archive(items, tmp_path):
    outcomes, manifest = CutoutsStep().run(items, tmp_path / "out")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [each["id"] for each in report["items"]] == [item.id for item in items]
    assert report["counts"] == {"items": 44, "cut": 41, "full": 40, "partial": 1, "none": 1, "failed": 2}
    assert dict(manifest.counts) == report["counts"]
    by_id = {each.id: each for each in outcomes}
    assert "holds nothing of the region" in by_id["far"].error
    assert "no.fits" in by_id["missing"].error
    assert (by_id["missing"].kind, by_id["broken"].kind) == ("usage", "data")
    stored = members(tmp_path / "out" / "cutouts.tar")
    assert list(stored) == [each.file for each in outcomes if each.ok]
    assert all(len(stored[each.file]) == each.bytes for each in outcomes if each.ok)
    assert "/" not in "".join(stored)
    with fits.open(io.BytesIO(stored[outcomes[7].file])) as hdus:
        np.testing.assert_array_equal(hdus[0].data, cut(items[7].paths[0], items[7].pos).data)


def test_workers_change_nothing(items, tmp_path):
    one = cut_all(items, tmp_path / "one.tar", tmp_path / "work")
    two = cut_all(items, tmp_path / "two.tar", tmp_path / "work", crew=Crew(workers=3))
    assert one == two
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()
    assert not list((tmp_path / "work").iterdir())


def test_blanks_are_counted(items, tmp_path):
    path = tmp_path / "map.fits"
    data = fits.getdata(path).copy()
    data[:, 50:] = np.nan
    fits.update(path, data, fits.getheader(path), 0)
    (outcome,) = cut_all(items[:1], tmp_path / "x.tar", tmp_path / "work")
    assert outcome.blanks == cut(path, items[0].pos).blanks > 0
    assert outcome.blank_fraction == pytest.approx(outcome.blanks / np.prod(outcome.shape), abs=1e-6)


def test_a_run_that_is_broken_off_goes_on_where_it_was(items, tmp_path, monkeypatch):
    monkeypatch.setattr(batch, "_PER_TASK", 8)
    monkeypatch.setattr("skysift.flow.products.settings", lambda: type("S", (), {"keep": 0})())
    done, real = [], Item.cut

    def cut_until(item):
        done.append(item.id)
        if len(done) > 20 and not again:
            raise KeyboardInterrupt
        return real(item)

    again = []
    monkeypatch.setattr(Item, "cut", cut_until)
    with pytest.raises(KeyboardInterrupt):
        CutoutsStep().run(items, tmp_path / "out", crew=Crew(executor="serial"))
    assert not (tmp_path / "out" / "cutouts.tar").exists()
    assert (tmp_path / "out" / PART).is_dir()
    again.append(True)
    done.clear()
    CutoutsStep().run(items, tmp_path / "out", crew=Crew(executor="serial"))
    assert done[0] == items[16].id  # two tasks of eight were whole
    assert len(done) == len(items) - 16
    assert not (tmp_path / "out" / PART).exists()
    CutoutsStep().run(items, tmp_path / "other")
    assert members(tmp_path / "out" / "cutouts.tar") == members(tmp_path / "other" / "cutouts.tar")


def test_a_full_disk_ends_the_run_and_leaves_nothing(items, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PieceWriter, "add", full)
    with pytest.raises(StorageError):
        CutoutsStep().run(items, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_several_maps_of_an_item_are_merged(tmp_path):
    made(tmp_path / "a.fits", (40, 50), CRPIX1=50.5)
    made(tmp_path / "b.fits", (40, 50), CRPIX1=0.5)
    item = Item.parse(
        {"paths": [str(tmp_path / "a.fits"), str(tmp_path / "b.fits")], "pos": "CIRCLE 50 -30 0.05"}
    )
    (outcome,) = cut_all([item], tmp_path / "x.tar", tmp_path / "work")
    assert (outcome.overlap, outcome.shape, outcome.blanks) == ("full", (10, 10), 0)


def test_items_are_read_from_json(tmp_path):
    path = tmp_path / "list.json"
    path.write_text(
        json.dumps({"items": [{"path": "m.fits", "pos": "CIRCLE 1 2 3", "system": "galactic", "pol": "I V"}]})
    )
    (item,) = read_items(path)
    assert (item.id, item.paths, item.pol, item.system) == ("0", ("m.fits",), ("I", "V"), "galactic")
    for text, error, told in (
        ("{", FormatError, "not JSON"),
        ('{"a": 1}', FormatError, "no list"),
        ('[{"pos": "CIRCLE 1 2 3"}]', UsageError, "names no map"),
        ('[{"path": "a", "size": 3}]', OptionError, "not known: got 'size'"),
        ('[{"path": "a", "pos": "BOX 1 2"}]', RegionError, "cannot be read"),
        ('[{"path": "a", "band": "1"}]', OptionError, "not two numbers"),
    ):
        path.write_text(text)
        with pytest.raises(error, match=told):
            read_items(path)
    with pytest.raises(UsageError, match="cannot be read"):
        read_items(tmp_path / "none.json")
    with pytest.raises(UsageError, match="nothing to cut out"):
        CutoutsStep().run((), tmp_path / "out")


def test_names_in_an_archive_are_harmless():
    assert safe_name(3, "../../etc/passwd") == "000003-etc_passwd.fits"
    assert safe_name(3, "") == "000003.fits"
    assert len(safe_name(3, "x" * 500)) < 100


def test_a_member_that_ends_early_leaves_no_trace(tmp_path):
    with PieceWriter(tmp_path / "piece") as piece:
        piece.add("one", 3, [b"abc"])
        with pytest.raises(FormatError):
            piece.add("two", 5, [b"abc"])
        piece.add("three", 600, [b"a" * 300, b"b" * 300])
    join_pieces([tmp_path / "piece"], tmp_path / "all.tar")
    assert {name: len(data) for name, data in members(tmp_path / "all.tar").items()} == {
        "one": 3,
        "three": 600,
    }
