"""Catalogues of every format become tables with their types, units and UCDs; products come as one."""

import io
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table
from tests.archive.shelves import ADA, BOB, asked, write_catalogue, write_map

from skysift.archive.policy import Access
from skysift.archive.shelf import Shelf
from skysift.archive.uploads import upload_from
from skysift.base.errors import FormatError, OptionError, UnknownName, UsageError
from skysift.io.answers.forms import form_of
from skysift.io.answers.rows import Rows
from skysift.io.sql import connect, database_url
from skysift.io.votable_door import read_upload


@pytest.fixture
def empty(tmp_path):
    """A shelf with nothing on it."""
    engine = connect(database_url(tmp_path))
    yield Shelf(engine, tmp_path / "shelf")
    engine.dispose()


@pytest.fixture
def table():
    """Three rows with a number, a text, a truth and gaps."""
    table = Table(
        {
            "RA": [10.0, 350.0, 0.0],
            "DEC": [0.0, 5.0, -90.0],
            "n": MaskedColumn([1, 2, 3], mask=[False, True, False], dtype=np.int32),
            "name": ["a", "b c", "d"],
        }
    )
    table["RA"].unit = table["DEC"].unit = "deg"
    return table


@pytest.mark.parametrize("form", ["fits", "votable", "csv", "parquet"])
def test_every_format_becomes_a_table(empty, table, tmp_path, form):
    path = tmp_path / f"cat.{ {'votable': 'vot'}.get(form, form) }"
    if form == "parquet":
        names = {name: pa.array(table[name].tolist()) for name in table.colnames}
        pq.write_table(pa.table(names), path)
    else:
        table.write(path, format={"csv": "ascii.csv"}.get(form, form))
    empty.ingest(path, ADA, collection="mine")
    rows, columns = asked(empty, "SELECT ra, dec, n, name FROM mine.cat ORDER BY name", ADA)
    assert rows == [(10.0, 0.0, 1, "a"), (350.0, 5.0, None, "b c"), (0.0, -90.0, 3, "d")]
    assert [each.datatype for each in columns][:2] == ["double", "double"]
    near = "SELECT name FROM mine.cat WHERE CONTAINS(POINT(ra, dec), CIRCLE(77, -89.9, 0.2)) = 1"
    assert asked(empty, near, ADA)[0] == [("d",)]


def test_arrays_and_odd_names_of_fits(empty, tmp_path):
    columns = [
        fits.Column("x y", "2D", array=np.array([[1.5, 2.0], [3.0, 4.0]])),
        fits.Column("X Y", "J", null=-1, array=np.array([7, -1])),
        fits.Column("size", "E", "JY/BEAM", array=np.array([0.5, np.nan], dtype=np.float32)),
        fits.Column("bits", "16X", array=np.zeros((2, 16), dtype=bool)),
    ]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(tmp_path / "odd-1.fits")
    empty.ingest(tmp_path / "odd-1.fits", ADA)
    rows, fields = asked(empty, 'SELECT "x y", "X Y_", "size" FROM local_schema.odd_1', ADA)
    assert rows == [("1.5 2.0", 7, 0.5), ("3.0 4.0", None, None)]
    assert [(each.datatype, each.arraysize, each.unit) for each in fields] == [
        ("double", "2", ""),
        ("int", "", ""),
        ("float", "", "Jy.beam**-1"),
    ]


def test_scaled_and_unsigned_columns_of_fits(empty, tmp_path):
    kinds = {
        "u16": ("I", [-32768, 32767, 7], {"TZERO": 2**15}, "int", [0, 65535, 32775]),
        "u32": ("J", [-(2**31), 2**31 - 1, 0], {"TZERO": 2**31}, "long", [0, 2**32 - 1, 2**31]),
        "u64": ("K", [-(2**63), 2**63 - 1, 0], {"TZERO": 2**63}, "double", [0.0, 2.0**64, 2.0**63]),
        "s8": ("B", [0, 255, 128], {"TZERO": -128}, "short", [-128, 127, 0]),
        "scaled": ("I", [1, -1, 3], {"TZERO": 1.5, "TSCAL": 0.25, "TNULL": -1}, "double", [1.75, None, 2.25]),
        "gap": ("I", [0, 7, 5], {"TZERO": 2**15, "TNULL": 7}, "int", [32768, None, 32773]),
        "e": ("E", [0.5, 1.0, np.nan], {"TSCAL": 2.0}, "double", [1.0, 2.0, None]),
        "u16s": ("2I", [[-32768, 32767]] * 3, {"TZERO": 2**15}, "int", ["0 65535"] * 3),
    }
    columns = [fits.Column(name, form, array=np.array(raw)) for name, (form, raw, *_) in kinds.items()]
    fits.HDUList([fits.PrimaryHDU(), fits.BinTableHDU.from_columns(columns)]).writeto(
        tmp_path / "scaled.fits"
    )
    raw = (tmp_path / "scaled.fits").read_bytes()
    header = fits.Header.fromstring(raw[2880:5760].decode())
    for number, (_, _, cards, *_) in enumerate(kinds.values(), start=1):
        header.update({f"{key}{number}": value for key, value in cards.items()})
    (tmp_path / "scaled.fits").write_bytes(raw[:2880] + header.tostring().encode() + raw[5760:])
    empty.ingest(tmp_path / "scaled.fits", ADA)
    rows, fields = asked(empty, "SELECT * FROM local_schema.scaled", ADA)
    for each, values, (name, (*_, datatype, wanted)) in zip(
        fields, zip(*rows, strict=True), kinds.items(), strict=True
    ):
        assert (each.name, each.datatype, list(values)) == (name, datatype, wanted)


@pytest.mark.parametrize("form", ["csv", "parquet", "votable", "fits"])
def test_letters_beyond_ascii_stay(empty, tmp_path, form):
    names, plain, path = ["Hya", "\u03b2 Cet"], ["a", "b"], tmp_path / "letters"
    if form == "csv":
        path.write_text(f"name,plain\n{names[0]},a\n{names[1]},b\n", encoding="utf-8")
    elif form == "parquet":
        pq.write_table(pa.table({"name": names, "plain": plain}), path)
    elif form == "votable":
        rows = "".join(f"<TR><TD>{a}</TD><TD>{b}</TD></TR>" for a, b in zip(names, plain, strict=True))
        fields = "".join(
            f'<FIELD name="{each}" datatype="char" arraysize="*"/>' for each in ("name", "plain")
        )
        data = f"<DATA><TABLEDATA>{rows}</TABLEDATA></DATA>"
        text = f'<VOTABLE version="1.4"><RESOURCE><TABLE>{fields}{data}</TABLE></RESOURCE></VOTABLE>'
        path.write_text(text, encoding="utf-8")
    else:
        Table({"name": ["Hya", "?? Cet"], "plain": plain}).write(path, format="fits")
        path.write_bytes(path.read_bytes().replace(b"?? Cet", names[1].encode()))
    empty.ingest(path, ADA)
    rows, fields = asked(empty, "SELECT name, plain, name || plain AS joined FROM local_schema.letters", ADA)
    assert rows == [("Hya", "a", "Hyaa"), ("\u03b2 Cet", "b", "\u03b2 Cetb")]
    assert [each.datatype for each in fields] == ["unicodeChar", "char", "unicodeChar"]
    for answer in ("votable", "votable/b2"):
        raw = b"".join(form_of(answer).write(fields, Rows(rows)))
        assert list(read_upload(io.BytesIO(raw)).rows) == rows


def test_letters_of_uploads_and_of_the_query_stay(shelf):
    raw = (
        '<VOTABLE version="1.4"><RESOURCE><TABLE><FIELD name="c" datatype="char" arraysize="*"/>'
        "<DATA><TABLEDATA><TR><TD>\u00e9</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )
    given = {"x": upload_from("x", io.BytesIO(raw.encode()))}
    rows, fields = asked(shelf, "SELECT c, '\u03b2' AS b, 'b' AS p FROM tap_upload.x", uploads=given)
    assert rows == [("\u00e9", "\u03b2", "b")]
    assert [each.datatype for each in fields] == ["unicodeChar", "unicodeChar", "char"]


def test_a_folder_of_products_is_one_entry(empty, tmp_path):
    folder = tmp_path / "run 1"
    folder.mkdir()
    write_catalogue(folder / "sources.fits", 6)
    for name, columns in (("components", ("component_id", "source_id")), ("islands", ("island_id",))):
        Table({each: np.arange(4) for each in columns}).write(folder / f"{name}.fits")
    write_map(folder / "rms.fits")
    (folder / "report.html").write_text("<p>fine</p>")
    outputs = [
        "sources.fits",
        "components.fits",
        "islands.fits",
        "rms.fits",
        "report.html",
        "../../etc/passwd",
        "gone.fits",
    ]
    (folder / "manifest.json").write_text(
        json.dumps({"version": "1", "outputs": [{"name": each} for each in outputs]})
    )
    product = empty.ingest(folder, ADA, access=Access("ada", "group", "survey"), collection="runs")
    assert (product.kind, product.name) == ("product", "run 1")
    assert json.loads(product.provenance)["version"] == "1"
    roles = {each.name: (each.kind, each.role) for each in empty.children(product, BOB)}
    assert roles == {
        "sources.fits": ("catalogue", "derivation"),
        "components.fits": ("catalogue", "derivation"),
        "islands.fits": ("catalogue", "derivation"),
        "rms.fits": ("image", "noise"),
        "report.html": ("file", "auxiliary"),
    }
    assert asked(empty, "SELECT COUNT(*) FROM runs.run_1_sources", BOB)[0] == [(6,)]
    keys = asked(
        empty, "SELECT target_table FROM tap_schema.keys WHERE from_table = 'runs.run_1_components'", BOB
    )[0]
    assert sorted(keys) == [("runs.run_1_islands",), ("runs.run_1_sources",)]
    assert empty.ingest(folder, ADA, access=Access("ada", "group", "survey"), collection="runs") == product
    empty.remove(product.id, ADA)
    assert empty.entries(ADA) == []


@pytest.mark.parametrize("known", [False, True])
def test_what_the_shelf_keeps_outlives_its_source(empty, tmp_path, known):
    folder = tmp_path / "run"
    folder.mkdir()
    write_catalogue(folder / "sources.fits", 6)
    write_map(folder / "rms.fits")
    (folder / "report.html").write_text("<p>fine</p>")
    outputs = [{"name": each} for each in ("sources.fits", "rms.fits", "report.html")]
    (folder / "manifest.json").write_text(json.dumps({"outputs": outputs}))
    if known:  # it was held where it lies before
        empty.ingest(folder, ADA, collection="runs")
    product = empty.ingest(folder, ADA, collection="runs", keep=True)
    shutil.rmtree(folder)
    assert product.name == "run"
    assert json.loads((product.path / "manifest.json").read_text())["outputs"] == outputs
    files = {each.name: each.path for each in empty.children(product, ADA)}
    assert files["report.html"].read_text() == "<p>fine</p>"
    assert fits.getdata(files["rms.fits"]).shape == (20, 20)
    assert len(Table.read(files["sources.fits"])) == 6
    empty.remove(product.id, ADA)
    assert not any(path.exists() for path in (product.path, *files.values()))


def test_two_tables_of_one_name(empty, tmp_path):
    for number, user in enumerate((ADA, BOB), start=1):
        empty.ingest(write_catalogue(tmp_path / "t.fits", number), user, collection="c")
    assert [each.full_name for each in empty.tables(ADA) if each.schema == "c"] == ["c.t"]
    assert [each.full_name for each in empty.tables(BOB) if each.schema == "c"] == ["c.t_2"]


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("a.txt", b"hello", "neither an image nor a table"),
        ("a.fits", b"SIMPLE  =", "truncated|cannot|no image|not FITS"),
        ("a.vot", b"<VOTABLE><RESOURCE>", "XML|VOTable"),
        ("a.parquet", b"PAR1nonsense", "Parquet"),
        ("a.csv", b"a,b\n1,2\n3\n", "CSV"),
        ("a.vot", b"<!DOCTYPE x><VOTABLE/>", "DTD"),
    ],
)
def test_broken_files_are_told_and_leave_nothing(empty, tmp_path, name, content, error):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=error):
        empty.ingest(tmp_path / name, ADA)
    assert empty.entries(ADA) == []
    with empty.engine.connect() as connection:
        assert not connection.exec_driver_sql("SELECT name FROM sqlite_master WHERE name LIKE 'cat%'").all()


def test_two_that_bring_the_same_store_it_once(empty, tmp_path):
    path = write_catalogue(tmp_path / "t.fits", 500)
    with ThreadPoolExecutor(4) as pool:
        found = set(pool.map(lambda _: empty.ingest(path, ADA).id, range(8)))
    assert len(found) == 1
    assert asked(empty, "SELECT COUNT(*) FROM local_schema.t", ADA)[0] == [(500,)]


def test_bad_wishes_are_told(empty, tmp_path):
    path = write_catalogue(tmp_path / "t.fits", 3)
    for name in ("  ", "", "my maps", "a/b", "../x", "-x", "caf\u00e9", "a\n", "x" * 101, "a'b"):
        with pytest.raises(OptionError, match="the name of a collection is not allowed"):
            empty.ingest(path, ADA, collection=name)
    with pytest.raises(OptionError, match="one of the service"):
        empty.ingest(path, ADA, collection="TAP_SCHEMA")
    with pytest.raises(UsageError, match="no such file"):
        empty.ingest(tmp_path / "none.fits", ADA)
    with pytest.raises(UnknownName, match="to refer to"):
        empty.ingest(path, ADA, refers={"id": "nothing.id"})
    with pytest.raises(FormatError, match="holds no products"):
        empty.ingest(tmp_path, ADA)
    assert empty.entries(ADA) == []


def test_whole_numbers_beyond_those_with_a_sign_are_floats_where_they_occur(empty, tmp_path):
    values = {"small": [1, 2**63 - 1], "large": [7, 2**63], "void": [None, None]}
    table = pa.table({name: pa.array(cells, pa.uint64()) for name, cells in values.items()})
    pq.write_table(table, tmp_path / "u.parquet")
    empty.ingest(tmp_path / "u.parquet", ADA, access=Access("ada", "public"), collection="u")
    (found,) = [each for each in empty.tables(ADA) if each.name == "u"]
    assert [each.datatype for each in found.fields] == ["long", "double", "long"]
    rows = asked(empty, "SELECT small, large FROM u.u ORDER BY small", ADA)[0]
    assert rows == [(1, 7.0), (2**63 - 1, 2.0**63)]
