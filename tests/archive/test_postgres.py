"""The shelf on PostgreSQL: what goes in comes out, removing leaves nothing."""

import re

import pytest
from tests.archive.corpus import answer, cases, refused, same
from tests.archive.shelves import ADA, BOB, EVE, asked, write_catalogue

from skysift.archive.policy import ANONYMOUS
from skysift.base.errors import UnknownName

pytestmark = pytest.mark.full


def test_the_shelf_holds_what_was_put_there(postgres_shelf):
    assert asked(postgres_shelf, "SELECT COUNT(*), COUNT(flux), COUNT(name) FROM radio.src")[0] == [
        (400, 376, 400)
    ]
    assert asked(postgres_shelf, "SELECT COUNT(*) FROM ivoa.obscore", ADA)[0] == [(2,)]


@pytest.mark.parametrize(("user", "tables"), [(ANONYMOUS, 1), (EVE, 1), (BOB, 2), (ADA, 3)])
def test_everybody_sees_what_they_may(postgres_shelf, user, tables):
    assert (
        len(asked(postgres_shelf, "SELECT * FROM tap_schema.tables WHERE schema_name = 'radio'", user)[0])
        == tables
    )


def test_removing_leaves_nothing(postgres_shelf, tmp_path):
    entry = postgres_shelf.ingest(write_catalogue(tmp_path / "gone.fits", 5), ADA)
    postgres_shelf.remove(entry.id, ADA)
    with pytest.raises(UnknownName):
        asked(postgres_shelf, "SELECT * FROM local_schema.gone", ADA)


@cases("valid")
def test_both_databases_give_equal_rows(shelf, postgres_shelf, case):
    here, columns = answer(shelf, case)
    there, declared = answer(postgres_shelf, case)
    assert columns == declared
    if re.search(r"SELECT (DISTINCT )?TOP \d+ (?!.*ORDER BY)", case["q"]):
        assert len(here) == len(there)
    else:
        assert same(here, there), (here, there)


@cases("invalid")
def test_both_databases_refuse(postgres_shelf, case):
    refused(postgres_shelf, case)
