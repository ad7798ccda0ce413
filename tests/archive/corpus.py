"""The corpus of queries: how one is asked, and when rows are the same."""

from __future__ import annotations

import io
import math
import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from tests.archive.shelves import asked

from skysift.archive.uploads import upload_from
from skysift.base.errors import UsageError

UP = b"""<?xml version="1.0"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>
<FIELD name="id" datatype="int"/><FIELD name="ra" datatype="double" unit="deg" ucd="pos.eq.ra;meta.main"/>
<FIELD name="dec" datatype="double" unit="deg" ucd="pos.eq.dec;meta.main"/>
<FIELD name="tag" datatype="char" arraysize="*"/>
<DATA><TABLEDATA><TR><TD>1</TD><TD>10.0</TD><TD>20.0</TD><TD>a</TD></TR>
<TR><TD>2</TD><TD>10.5</TD><TD>20.5</TD><TD>b</TD></TR>
<TR><TD>3</TD><TD>200.0</TD><TD>-30.0</TD><TD></TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"""


@cache
def corpus() -> dict[str, list[dict]]:
    """The queries, valid and invalid."""
    told = yaml.safe_load((Path(__file__).parent / "adql_corpus.yaml").read_text(encoding="utf-8"))
    return {
        kind: [{"q": each} if isinstance(each, str) else each for each in queries]
        for kind, queries in told.items()
    }


def cases(kind: str):
    """The queries of a kind, as parameters of a test."""
    return pytest.mark.parametrize("case", corpus()[kind], ids=[each["q"][:70] for each in corpus()[kind]])


def answer(shelf, case):
    """Rows and columns of a query of the corpus, asked by nobody."""
    uploads = {"up": upload_from("up", io.BytesIO(UP))} if "up" in case["q"].lower() else {}
    rows, columns = asked(shelf, case["q"], uploads=uploads)
    return (rows if case.get("ordered") else in_order(rows)), columns


def in_order(rows):
    """The rows in an order that depends on nothing but them."""
    return sorted(rows, key=_key)


def same(a, b, near: float = 1e-9) -> bool:
    """Whether two lists of rows are alike, numbers to a fraction."""
    return len(a) == len(b) and all(
        len(x) == len(y) and all(_alike(p, q, near) for p, q in zip(x, y, strict=True))
        for x, y in zip(a, b, strict=True)
    )


def refused(shelf, case) -> None:
    """Check that a query is refused with the words of the corpus."""
    with pytest.raises(UsageError) as caught:
        answer(shelf, case)
    assert re.search(case["error"], str(caught.value)), str(caught.value)


def _key(row):
    return [
        (value is None, 0 if value is None else round(value, 6) if isinstance(value, float) else value)
        for value in row
    ]


def _alike(p, q, near: float) -> bool:
    if isinstance(p, float) and isinstance(q, float):
        return math.isclose(p, q, rel_tol=near, abs_tol=near)
    return p == q and type(p) is type(q)
