"""Rows in every form, read again by other programs: types, units, missing values, overflow and late errors."""

import io
import json
import math

import numpy as np
import pytest
from astropy.io import fits
from astropy.io.votable import parse
from astropy.table import Table

from skysift.base.errors import OptionError, TransientError
from skysift.io.answers.forms import FORMS, VOTABLE, form_of
from skysift.io.answers.rows import Rows
from skysift.io.answers.votable import error_document, field_ids
from skysift.io.field import Field
from skysift.io.votable_door import read_upload

FIELDS = (
    Field(
        "ra", "double", unit="deg", ucd="pos.eq.ra;meta.main", utype="a:b", description='The "RA" & <more>'
    ),
    Field("f", "float", unit="mJy"),
    Field("n", "int"),
    Field("k", "short"),
    Field("big", "long"),
    Field("ok", "boolean"),
    Field("name", "char", "*"),
    Field("wide", "unicodeChar", "*"),
    Field("code", "char", "3"),
    Field("point", "double", "2", "point"),
    Field("poly", "double", "*", "polygon"),
    Field("size", "int", description="a reserved word"),
)
ROWS = [
    (
        10.684708333333335,
        0.1,
        7,
        -3,
        2**53 + 1,
        True,
        "a<b & c",
        "\u03b2 Cet",
        "abc",
        "1.5 -2.25",
        [1.0, 2.0, 3.5],
        1,
    ),
    (None, None, None, None, None, None, None, None, None, None, None, None),
    (float("nan"), -2.5, 0, 0, -1, False, 'x,"y"', "", "z", [3.0, 4.0], "5.0 6.0", 2),
]


def bytes_of(form, rows=ROWS, limit=None, fields=FIELDS, **more):
    return b"".join(form_of(form).write(fields, Rows(rows, limit), **more))


@pytest.mark.parametrize("form", ["votable", "votable/b2"])
def test_a_votable_says_what_was_put_in(form):
    raw = bytes_of(form, infos=[("note", "x < y")])
    assert raw.count(b"OVERFLOW") == 0
    table = parse(io.BytesIO(raw), verify="exception").get_first_table()
    assert [(each.name, each.datatype, each.arraysize or "") for each in table.fields] == [
        (each.name, each.datatype, each.arraysize) for each in FIELDS
    ]
    first = table.get_field_by_id("ra")
    assert (str(first.unit), first.ucd, first.utype) == ("deg", "pos.eq.ra;meta.main", "a:b")
    assert first.description == 'The "RA" & <more>'
    read = read_upload(io.BytesIO(raw)).rows
    assert read[0][0] == ROWS[0][0]
    assert read[0][1] == pytest.approx(np.float32(0.1), rel=1e-9)
    assert read[0][2:6] == (7, -3, 2**53 + 1, True)
    assert read[0][6:9] == ("a<b & c", "\u03b2 Cet", "abc")
    assert read[0][9:11] == ("1.5 -2.25", "1.0 2.0 3.5")
    assert read[1][:6] == (None,) * 6
    assert read[2][0] is None
    assert read[2][4:7] == (-1, False, 'x,"y"')
    assert read[2][9:] == ("3.0 4.0", "5.0 6.0", 2)


def test_more_rows_than_allowed_are_told_after_the_rows():
    raw = bytes_of("votable", limit=2).decode()
    assert raw.index("</TABLE>") < raw.index('value="OVERFLOW"')
    assert len(parse(io.BytesIO(raw.encode())).get_first_table().array) == 2
    assert "OVERFLOW" not in bytes_of("votable", limit=3).decode()
    assert "OVERFLOW" in bytes_of("votable/b2", limit=0).decode()
    assert json.loads(bytes_of("json", limit=1))["status"] == "OVERFLOW"


def test_what_fails_late_is_told_and_the_document_stays_whole():
    def rows():
        yield ROWS[0]
        raise TransientError("the query took too long")

    for form in ("votable", "votable/b2"):
        raw = bytes_of(form, rows())
        assert b"the query took too long" in raw
        infos = parse(io.BytesIO(raw)).resources[0].infos
        assert [each.value for each in infos if each.name == "QUERY_STATUS"] == ["OK", "ERROR"]
    assert json.loads(bytes_of("json", rows()))["status"] == "ERROR"


def test_what_fails_at_once_is_raised_before_anything_is_written():
    def rows():
        raise TransientError("no such luck")
        yield ()

    with pytest.raises(TransientError):
        Rows(rows()).begin()
    again = Rows(iter(ROWS)).begin()
    assert list(again) == ROWS


def test_plain_texts():
    lines = bytes_of("csv").decode().splitlines()
    assert lines[0] == "ra,f,n,k,big,ok,name,wide,code,point,poly,size"
    assert (
        lines[1]
        == "10.684708333333335,0.1,7,-3,9007199254740993,true,a<b & c,\u03b2 Cet,abc,1.5 -2.25,1.0 2.0 3.5,1"
    )
    assert lines[2] == ",,,,,,,,,,,"
    assert '"x,""y"""' in lines[3]
    assert lines[3].startswith("NaN,-2.5,0")
    tsv = bytes_of("tsv", [("a\tb\n",)], fields=[Field("s", "char", "*")]).decode()
    assert tsv == "s\na b \n"


def test_json_has_numbers_lists_and_nulls():
    told = json.loads(bytes_of("json"))
    assert told["status"] == "OK"
    assert told["columns"][0]["unit"] == "deg"
    assert told["rows"][0][4] == 2**53 + 1
    assert told["rows"][0][9:11] == [[1.5, -2.25], [1.0, 2.0, 3.5]]
    assert told["rows"][1] == [None] * 12
    assert told["rows"][2][0] is None
    assert json.loads(bytes_of("json", []))["rows"] == []
    assert len(json.loads(bytes_of("json", ROWS * 400))["rows"]) == 1200


def test_a_fits_table_keeps_types_and_missing_values():
    raw = bytes_of("fits", ROWS * 1500)
    assert len(raw) % 2880 == 0
    with fits.open(io.BytesIO(raw), logical_as_bytes=True) as hdus:
        header = hdus[1].header
        assert header["NAXIS2"] == 4500
        assert header["TUNIT1"] == "deg"
        assert header["TUCD1"] == "pos.eq.ra;meta.main"
        assert [header[f"TFORM{n}"] for n in range(1, 7)] == ["D", "E", "J", "I", "K", "L"]
        table = Table(hdus[1].data)
        assert table["ok"][:3].tolist() == ["T", "", "F"]
        assert table["big"][0] == 2**53 + 1
        assert table["name"][4497] == "a<b & c"
        assert math.isnan(table["ra"][1])
        assert table["n"][1] == header["TNULL3"]
        assert table["poly"][0].tolist() == [1.0, 2.0, 3.5]
        assert table["point"][2].tolist() == [3.0, 4.0]
    with fits.open(io.BytesIO(bytes_of("fits", []))) as hdus:
        assert len(hdus[1].data) == 0


def test_a_fits_table_keeps_every_byte_and_tells_of_letters_it_has_not():
    fields = [Field("b", "unsignedByte"), Field("s", "char", "*"), Field("w", "unicodeChar", "*")]
    with fits.open(
        io.BytesIO(bytes_of("fits", [(255, "a", "\u03b2"), (None, None, None)], fields=fields))
    ) as hdus:
        header, table = hdus[1].header, hdus[1].data
        assert table["b"][0] == 255
        assert table["b"][1] == header["TNULL1"] != 255
        assert table["w"].tolist() == ["?", ""]
        assert str(header["COMMENT"]) == "letters beyond ASCII became ? in the column w"


def test_infinities_and_odd_names():
    fields = [Field("a b", "double"), Field("a b", "double"), Field("x", "int"), Field("x", "int")]
    assert field_ids(fields) == ["col1", "col2", "x", "x_4"]
    raw = bytes_of("votable", [(math.inf, -math.inf, 1, 2)], fields=fields)
    assert b"<TD>+Inf</TD><TD>-Inf</TD>" in raw
    assert len(parse(io.BytesIO(raw), verify="ignore").get_first_table().array) == 1


def test_errors_are_votables():
    document = parse(io.BytesIO(error_document("a < b & \x01 c").encode()), verify="exception")
    told = document.resources[0].infos[0]
    assert (told.value, told.content) == ("ERROR", "a < b &   c")


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (None, "votable"), ("", "votable"), ("VOTable", "votable"), ("text/xml", "votable"),
        ("application/x-votable+xml", "votable"), ("application/x-votable+xml; serialization=BINARY2", "votable/b2"),
        ("application/x-votable+xml;serialization=tabledata", "votable"), ("CSV", "csv"), ("text/csv", "csv"),
        ("text/csv; header=absent", "csv"), ("fits", "fits"), ("application/fits", "fits"), ("tsv", "tsv"),
        ("application/json", "json"), ("application/x-votable+xml;content=datalink", "votable"),
    ],
)  # fmt: skip
def test_forms_are_known_by_many_names(said, name):
    assert form_of(said).name == name


def test_other_forms_are_refused():
    for said in ("xlsx", "application/x-votable+xml;serialization=PARQUET"):
        with pytest.raises(OptionError, match="not written in such a form"):
            form_of(said)
    assert VOTABLE in FORMS
