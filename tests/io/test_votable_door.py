"""The door for VOTables of strangers: what passes keeps its types, and what is dangerous does not pass."""

import io

import numpy as np
import pytest
from astropy.io.votable import from_table, writeto
from astropy.table import MaskedColumn, Table

from skysift.base.errors import FormatError
from skysift.io.votable_door import Bounds, read_upload

HEAD = '<?xml version="1.0"?>\n{dtd}<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE>'
FOOT = "</TABLE></RESOURCE></VOTABLE>"


def sent(body, dtd=""):
    return io.BytesIO((HEAD.format(dtd=dtd) + body + FOOT).encode())


def test_types_units_and_missing_values_stay():
    table = read_upload(
        sent(
            '<FIELD name="n" datatype="short" ucd="meta.id"><VALUES null="-1"/></FIELD>'
            '<FIELD name="f" datatype="float" unit="mJy"/>'
            '<FIELD name="t" datatype="char" arraysize="*" xtype="timestamp"/>'
            '<FIELD name="p" datatype="double" arraysize="2" xtype="point"/>'
            '<FIELD name="b" datatype="boolean"/>'
            "<DATA><TABLEDATA>"
            "<TR><TD>7</TD><TD>NaN</TD><TD>2026-01-01T00:00:00</TD><TD>12.5 -3.25</TD><TD>T</TD></TR>"
            "<TR><TD>-1</TD><TD>2.5</TD><TD>x</TD><TD/><TD>F</TD></TR>"
            "</TABLEDATA></DATA>"
        )
    )
    assert [(each.name, each.datatype, each.arraysize, each.xtype) for each in table.fields] == [
        ("n", "short", "", ""),
        ("f", "float", "", ""),
        ("t", "char", "*", "timestamp"),
        ("p", "double", "2", "point"),
        ("b", "boolean", "", ""),
    ]
    assert table.fields[1].unit == "mJy"
    assert table.fields[0].ucd == "meta.id"
    assert table.rows[0] == (7, None, "2026-01-01T00:00:00", "12.5 -3.25", True)
    assert table.rows[1] == (None, 2.5, "x", None, False)


@pytest.mark.parametrize("form", ["tabledata", "binary", "binary2"])
def test_every_serialization_is_read(form):
    made = Table(
        {
            "i": np.array([1, 2], dtype=np.int32),
            "x": MaskedColumn([1.5, 2.5], mask=[False, True]),
            "s": ["a", "bc"],
        }
    )
    file = io.BytesIO()
    document = from_table(made)
    document.set_all_tables_format(form)
    writeto(document, file)
    table = read_upload(file)
    assert [each.datatype for each in table.fields][:2] == ["int", "double"]
    assert table.rows == ((1, 1.5, "a"), (2, None, "bc"))


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (sent("", dtd='<!DOCTYPE VOTABLE [<!ENTITY a "b">]>'), "has a DTD"),
        (sent("", dtd='<!DOCTYPE VOTABLE SYSTEM "http://127.0.0.1/x.dtd">'), "has a DTD"),
        (
            sent('<FIELD name="a" datatype="int"/><DATA><BINARY><STREAM href="file:///etc/passwd"/></BINARY></DATA>'),
            "rows elsewhere",
        ),
        (
            sent('<FIELD name="a" datatype="int"/><DATA><BINARY><STREAM encoding="gzip">x</STREAM></BINARY></DATA>'),
            "is packed",
        ),
        (io.BytesIO(b"<html><body/></html>"), "not a VOTable"),
        (io.BytesIO(b"\x89PNG"), "not XML"),
        (io.BytesIO(b""), "not XML"),
        (io.BytesIO(b"<VOTABLE>" + b"<RESOURCE>" * 40 + b"</RESOURCE>" * 40 + b"</VOTABLE>"), "too deep"),
        (io.BytesIO(b"<VOTABLE/>"), "holds no table"),
        (sent('<FIELD name="a" datatype="int"/><FIELD name="A" datatype="int"/>'), "have one name"),
        (sent('<FIELD name="a&quot;b" datatype="int"/>'), "no name that can be used"),
        (sent('<FIELD name="a" datatype="floatComplex"/>'), "not known"),
        (
            sent(
                '<FIELD name="a" datatype="int"/><DATA><TABLEDATA>'
                + "<TR><TD>1</TD></TR>" * 11
                + "</TABLEDATA></DATA>"
            ),
            "too many rows",
        ),
        (sent("".join(f'<FIELD name="a{n}" datatype="int"/>' for n in range(6))), "too many columns"),
        (io.BytesIO(b"<VOTABLE>" + b" " * 30_000 + b"</VOTABLE>"), "too many bytes"),
    ],
)  # fmt: skip
def test_what_is_dangerous_or_broken_does_not_pass(file, said):
    with pytest.raises(FormatError, match=said):
        read_upload(file, Bounds(size=20_000, rows=10, columns=5))
