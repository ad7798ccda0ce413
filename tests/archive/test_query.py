"""Running a query: overflow, time, cancelling, uploads, and that rows come one after the other."""

import io
import threading
import time

import pytest
from tests.archive.corpus import UP
from tests.archive.shelves import asked

from skysift.archive.adql.compile import compile_query
from skysift.archive.policy import ANONYMOUS
from skysift.archive.query import run_query
from skysift.archive.uploads import upload_from
from skysift.base.errors import CancelledError, FormatError, OptionError, TimeLimitError, UsageError

LONG = "SELECT COUNT(*) FROM radio.src a, radio.src b, radio.src c, radio.src d WHERE a.flux + b.flux < c.flux * d.flux"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.full)])
def either(request):
    """The shelf on each database."""
    return request.getfixturevalue("shelf" if request.param == "sqlite" else "postgres_shelf")


def compiled(shelf, text, maxrec=1000, **more):
    return compile_query(text, shelf.tables(ANONYMOUS), ANONYMOUS, shelf.engine.dialect.name, maxrec, **more)


@pytest.mark.parametrize(
    ("text", "maxrec", "rows", "overflow"),
    [
        ("SELECT id FROM radio.src", 10, 10, True),
        ("SELECT id FROM radio.src", 400, 400, False),
        ("SELECT TOP 10 id FROM radio.src", 10, 10, False),
        ("SELECT TOP 10 id FROM radio.src", 5, 5, True),
        ("SELECT id FROM radio.src", 0, 0, True),
        ("SELECT id FROM radio.src WHERE id < 0", 0, 0, False),
        ("SELECT id FROM radio.src UNION ALL SELECT id FROM radio.src", 700, 700, True),
    ],
)
def test_more_rows_than_may_be_given_are_told(either, text, maxrec, rows, overflow):
    answer = run_query(either.engine, compiled(either, text, maxrec))
    assert len(list(answer)) == rows
    assert (answer.count, answer.overflow) == (rows, overflow)


def test_a_long_query_ends_at_its_time(either):
    before = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"took too long: got 'more than 0\.2 s'"):
        list(run_query(either.engine, compiled(either, LONG), seconds=0.2))
    assert time.monotonic() - before < 10
    assert asked(either, "SELECT COUNT(*) FROM radio.src")[0] == [(400,)]


def test_the_time_of_a_query_is_that_of_the_database_and_not_of_who_reads(either):
    text = "SELECT a.id FROM radio.src a, radio.src b"
    with run_query(either.engine, compiled(either, text, 2500), seconds=2.0) as rows:
        next(iter(rows))
        time.sleep(2.1)
        assert len(list(rows)) == 2499


def test_who_reads_slowly_takes_no_connection_from_others(shelf):
    before = shelf.engine.pool.checkedout()
    with run_query(shelf.engine, compiled(shelf, "SELECT id FROM radio.src")) as rows:
        next(iter(rows))
        assert shelf.engine.pool.checkedout() == before


def test_a_query_is_cancelled(either):
    rows = run_query(
        either.engine, compiled(either, "SELECT a.id FROM radio.src a, radio.src b, radio.src c")
    )
    next(iter(rows))
    rows.cancel()
    with pytest.raises(CancelledError, match="cancelled"):
        list(rows)
    assert asked(either, "SELECT COUNT(*) FROM radio.src")[0] == [(400,)]


def test_a_query_is_cancelled_before_its_first_row(either):
    stopper = threading.Timer(0.2, lambda: query.cancel())
    query = Later(either, LONG)
    stopper.start()
    with pytest.raises(CancelledError):
        query.run()
    stopper.join()


class Later:
    """A query that is held by a mark from outside, as a service does."""

    def __init__(self, shelf, text):
        self.shelf, self.compiled, self.mark = shelf, compiled(shelf, text, 10), threading.Event()

    def cancel(self):
        self.mark.set()

    def run(self):
        return list(run_query(self.shelf.engine, self.compiled, stopped=self.mark))


def test_leaving_early_gives_the_connection_back(either):
    for _ in range(40):  # more than the pool has
        with run_query(either.engine, compiled(either, "SELECT id FROM radio.src")) as rows:
            assert next(iter(rows)) == (0,)
    assert asked(either, "SELECT COUNT(*) FROM radio.src")[0] == [(400,)]


def test_two_queries_with_uploads_of_one_name(either):
    first = run_query(
        either.engine,
        compiled(either, "SELECT id FROM tap_upload.t", uploads={"t": upload_from("t", io.BytesIO(UP))}),
    )
    second = asked(
        either, "SELECT COUNT(*) FROM tap_upload.t", uploads={"t": upload_from("t", io.BytesIO(UP))}
    )
    assert second[0] == [(3,)]
    assert len(list(first)) == 3


TYPES = b"""<VOTABLE version="1.4"><RESOURCE><TABLE>
<FIELD name="s" datatype="short"/><FIELD name="i" datatype="int"/><FIELD name="l" datatype="long"/>
<FIELD name="f" datatype="float" unit="Jy"/><FIELD name="b" datatype="boolean"/><FIELD name="u" datatype="unsignedByte"/>
<FIELD name="t" datatype="char" arraysize="*" xtype="timestamp"/><FIELD name="c" datatype="char" arraysize="3"/>
<FIELD name="w" datatype="unicodeChar" arraysize="*"/><FIELD name="a" datatype="double" arraysize="2"/>
<DATA><TABLEDATA><TR><TD>1</TD><TD>2</TD><TD>3</TD><TD>0.5</TD><TD>T</TD><TD>7</TD><TD>2020-01-01T00:00:00</TD>
<TD>abc</TD><TD>\xc3\xa9</TD><TD>1.5 2.5</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


def test_columns_of_uploads_stay_what_they_are(either):
    rows, columns = asked(
        either,
        "SELECT s AS s2, i, l, f, b, u, t, c, w, a FROM tap_upload.x",
        uploads={"x": upload_from("x", io.BytesIO(TYPES))},
    )
    assert rows == [(1, 2, 3, 0.5, True, 7, "2020-01-01T00:00:00", "abc", "\xe9", "1.5 2.5")]
    kinds = [
        "short",
        "int",
        "long",
        "float",
        "boolean",
        "unsignedByte",
        "char",
        "char",
        "unicodeChar",
        "double",
    ]
    assert [each.datatype for each in columns] == kinds
    assert [each.arraysize for each in columns][-4:] == ["*", "3", "*", "2"]
    assert (columns[6].xtype, columns[3].unit) == ("timestamp", "Jy")


@pytest.mark.parametrize("name", ["a b", "1a", "x;drop", 'a"b', ""])
def test_names_of_uploads_are_plain(name):
    with pytest.raises(OptionError, match="plain one"):
        upload_from(name, io.BytesIO(UP))


def test_what_is_no_votable_is_refused():
    with pytest.raises(FormatError):
        upload_from("x", io.BytesIO(b"<!DOCTYPE a [<!ENTITY b 'c'>]><VOTABLE/>"))


def test_a_query_cannot_write(either):
    """Even a statement that is no query changes nothing."""
    from dataclasses import replace

    bad = replace(compiled(either, "SELECT id FROM radio.src"), sql="DELETE FROM shelf_entry", parameters={})
    with pytest.raises(UsageError, match=r"cannot answer"):
        list(run_query(either.engine, bad))
    assert asked(either, "SELECT COUNT(*) FROM radio.src")[0] == [(400,)]


def test_long_chains_are_answered(shelf):
    text = " OR ".join(f"id = {k}" for k in range(3000))
    assert asked(shelf, f"SELECT COUNT(*) FROM radio.src WHERE {text}")[0] == [(400,)]


@pytest.mark.parametrize(
    "inner", ["(" * 5000 + "id" + ")" * 5000, "id" + "+1" * 5000, "SQRT(" * 60 + "id" + ")" * 60]
)
def test_what_is_too_deep_is_refused(shelf, inner):
    with pytest.raises(UsageError, match=r"deep|cannot be read|cannot answer|too long"):
        asked(shelf, f"SELECT {inner} FROM radio.src")
