"""What goes onto the shelf comes back: entries, ObsCore, tables, and only to those who may see them."""

import math

import pytest
from tests.archive.shelves import ADA, BOB, EVE, asked, write_catalogue, write_map

from skysift.archive.policy import ANONYMOUS, Access
from skysift.archive.shelf import Shelf
from skysift.base.errors import UnknownName, UsageError
from skysift.io.sql import connect, database_url


def test_the_same_content_is_one_entry(shelf, tmp_path):
    first = shelf.ingest(write_map(tmp_path / "a.fits", 50.0), ADA)
    again = shelf.ingest(tmp_path / "a.fits", ADA)
    assert first == again
    assert first.did == f"ivo://skysift.local/local?{first.id}"
    shelf.remove(first.id, ADA)


def test_a_map_is_a_row_of_obscore(shelf):
    rows, columns = asked(shelf, "SELECT * FROM ivoa.obscore")
    row = dict(zip([each.name for each in columns], rows[0], strict=True))
    assert len(rows) == 1
    assert row["s_ra"] == pytest.approx(10.0)
    assert row["s_dec"] == pytest.approx(20.0)
    assert row["s_fov"] == pytest.approx(0.2 * math.sqrt(2), rel=1e-3)
    assert row["s_resolution"] == pytest.approx(108.0)
    assert row["em_min"] == pytest.approx(299792458.0 / 1.4e9)
    assert row["s_region"].startswith("POLYGON ICRS ")
    assert row["t_min"] == pytest.approx(55589.2587, abs=1e-3)
    assert row["access_url"] == f"http://localhost/datalink/links?ID={row['obs_publisher_did']}"
    assert {each.utype for each in columns if each.name == "access_url"} == {"obscore:Access.reference"}


def test_a_cube_tells_its_band(shelf):
    rows, _ = asked(
        shelf, "SELECT em_min, em_max, em_xel FROM ivoa.obscore WHERE dataproduct_type = 'cube'", ADA
    )
    low, high = 299792458.0 / (1.4e9 + 3.5e6), 299792458.0 / (1.4e9 - 0.5e6)
    assert rows[0] == (pytest.approx(low), pytest.approx(high), 4)


@pytest.mark.parametrize(
    ("user", "tables", "maps"), [(ANONYMOUS, 1, 1), (EVE, 1, 1), (BOB, 2, 1), (ADA, 3, 2)]
)
def test_everybody_sees_what_they_may(shelf, user, tables, maps):
    rows, _ = asked(shelf, "SELECT table_name FROM tap_schema.tables WHERE schema_name = 'radio'", user)
    assert len(rows) == tables == sum(each.schema == "radio" for each in shelf.tables(user))
    assert asked(shelf, "SELECT COUNT(*) FROM ivoa.obscore", user)[0] == [(maps,)]
    assert len(shelf.entries(user)) == tables + maps


def test_a_private_table_does_not_exist_for_others(shelf):
    assert asked(shelf, "SELECT COUNT(*) FROM radio.mine", ADA)[0] == [(30,)]
    for user in (ANONYMOUS, EVE, BOB):
        with pytest.raises(UnknownName, match="no such table"):
            asked(shelf, "SELECT COUNT(*) FROM radio.mine", user)


def test_sharing_and_removing(tmp_path):
    engine = connect(database_url(tmp_path))
    shelf = Shelf(engine, tmp_path / "shelf")
    entry = shelf.ingest(write_catalogue(tmp_path / "t.fits", 5), ADA, keep=True)
    assert entry.path == (tmp_path / "shelf" / entry.id / "t.fits").resolve()
    with pytest.raises(UnknownName):
        shelf.share(entry.id, BOB, Access("bob", "public"))
    shelf.share(entry.id, ADA, Access("ada", "public"))
    with pytest.raises(UsageError, match="only its owner"):
        shelf.remove(entry.id, BOB)
    assert asked(shelf, "SELECT COUNT(*) FROM local_schema.t", BOB)[0] == [(5,)]
    shelf.remove(entry.id, ADA)
    with pytest.raises(UnknownName):
        asked(shelf, "SELECT COUNT(*) FROM local_schema.t", ADA)
    with engine.connect() as connection:
        assert not connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE name LIKE 'cat%'").all()
    assert not (tmp_path / "shelf" / entry.id).exists()
    engine.dispose()


def test_nobody_puts_nothing_there(shelf, tmp_path):
    with pytest.raises(UsageError, match="somebody who is known"):
        shelf.ingest(write_map(tmp_path / "b.fits"), ANONYMOUS)
    with pytest.raises(UsageError, match="for others"):
        shelf.ingest(write_map(tmp_path / "b.fits"), BOB, access=Access("ada"))
