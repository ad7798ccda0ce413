"""Catalogues of Selavy and CASDA: mJy, MHz, identifiers that are texts."""

import numpy as np
import pytest
from astropy.io.votable import parse_single_table

from skysift.base.errors import FormatError
from skysift.io.layouts.reading import layout_of, read_any, reader
from skysift.sky.flags import describe

FIELDS = [
    ("island_id", "char", "--"), ("component_id", "char", "--"), ("component_name", "char", ""),
    ("ra_hms_cont", "char", ""), ("dec_dms_cont", "char", ""), ("ra_deg_cont", "double", "deg"),
    ("dec_deg_cont", "double", "deg"), ("ra_err", "float", "arcsec"), ("dec_err", "float", "arcsec"),
    ("freq", "float", "MHz"), ("flux_peak", "float", "mJy/beam"), ("flux_peak_err", "float", "mJy/beam"),
    ("flux_int", "float", "mJy"), ("flux_int_err", "float", "mJy"), ("maj_axis", "float", "arcsec"),
    ("min_axis", "float", "arcsec"), ("pos_ang", "float", "deg"), ("maj_axis_err", "float", "arcsec"),
    ("min_axis_err", "float", "arcsec"), ("pos_ang_err", "float", "deg"), ("maj_axis_deconv", "float", "arcsec"),
    ("min_axis_deconv", "float", "arcsec"), ("pos_ang_deconv", "float", "deg"),
    ("maj_axis_deconv_err", "float", "arcsec"), ("min_axis_deconv_err", "float", "arcsec"),
    ("pos_ang_deconv_err", "float", "deg"), ("chi_squared_fit", "float", "--"), ("rms_fit_gauss", "float", "mJy/beam"),
    ("spectral_index", "float", "--"), ("spectral_curvature", "float", "--"), ("spectral_index_err", "float", "--"),
    ("spectral_curvature_err", "float", "--"), ("rms_image", "float", "mJy/beam"), ("has_siblings", "int", ""),
    ("fit_is_estimate", "int", ""), ("spectral_index_from_TT", "int", ""), ("flag_c4", "int", ""),
    ("comment", "char", ""),
]  # fmt: skip
ROWS = [
    (
        "SB7_island_12 SB7_component_12a J053000-690000 05:30:00.0 -69:00:00 82.5 -69 0.01 0.02 943.5 80.0 0.5 100.0 1.0 "
        "12.0 8.0 176.0 0.1 0.2 1.0 3.0 0.0 -86.5 0.5 0.0 2.0 10.0 500.0 -0.8 -99.0 0.1 0.0 0.25 1 0 1 0"
    ),
    (
        "SB7_island_12 SB7_component_12b J053002-690000 05:30:02.0 -69:00:00 82.51 -69 0.01 0.02 943.5 8.0 0.5 10.0 1.0 "
        "12.0 8.0 20.0 0.1 0.2 1.0 3.0 0.0 45.0 0.5 0.0 2.0 10.0 500.0 -99.0 -99.0 0.0 0.0 0.25 1 1 1 0"
    ),
    (
        "SB7_island_3 SB7_component_3a J053100-690000 05:31:00.0 -69:00:00 82.75 -69 0.01 0.02 943.5 2.0 0.5 2.0 1.0 "
        "12.0 8.0 20.0 0.1 0.2 1.0 3.0 0.0 45.0 0.5 0.0 2.0 10.0 500.0 -99.0 -99.0 0.0 0.0 0.25 0 0 1 0"
    ),
]


def votable(rows=ROWS, fields=FIELDS):
    parts = ['<?xml version="1.0"?>', '<VOTABLE version="1.3" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">']
    parts += [
        '<COOSYS ID="J2000" equinox="J2000" system="eq_FK5"/>',
        '<RESOURCE><TABLE name="Component catalogue">',
    ]
    for name, datatype, unit in fields:
        size = ' arraysize="100"' if datatype == "char" else ""
        parts.append(f'<FIELD name="{name}" ID="col_{name}" datatype="{datatype}" unit="{unit}"{size}/>')
    parts.append("<DATA><TABLEDATA>")
    for row in rows:
        cells = [*row.split(), ""][: len(fields)]
        parts.append("<TR>" + "".join(f"<TD>    {cell}</TD>" for cell in cells) + "</TR>")
    return "\n".join([*parts, "</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>", ""])


def text():
    names = [name for name, _, _ in FIELDS]
    units = [f"[{unit}]" if unit not in ("", "--") else "--" for _, _, unit in FIELDS]
    return "\n".join(
        [f"#   {'  '.join(names)}", f"#   {'  '.join(units)}", *(f"    {row}" for row in ROWS), ""]
    )


def comma():
    rows = [",".join([*row.split(), ""]) for row in ROWS]
    return "\n".join([",".join(name for name, _, _ in FIELDS), *rows, ""])


@pytest.fixture(params=["xml", "txt", "csv"])
def components(request, tmp_path):
    path = tmp_path / f"selavy.components.{request.param}"
    path.write_text({"xml": votable, "txt": text, "csv": comma}[request.param]())
    return path


def test_units_and_conventions_become_ours(components):
    assert layout_of(components) == "casda"
    table = read_any(components)
    assert (table.kind, len(table)) == ("components", 3)
    assert list(table["component_id"]) == [1, 2, 3]
    assert list(table["island_id"]) == [12, 12, 3]
    assert list(table["foreign_id"]) == ["SB7_component_12a", "SB7_component_12b", "SB7_component_3a"]
    assert table["name"][0] == "J053000-690000"
    assert list(table["structure"]) == ["C", "C", "S"]
    assert [describe(value) for value in table["flags"]] == [[], ["fit_failed"], []]
    first = {name: values[0] for name, values in table.columns.items()}
    assert (first["flux_peak"], first["flux_int"], first["rms"]) == pytest.approx((0.08, 0.1, 2.5e-4))
    assert first["frequency"] == pytest.approx(9.435e8)
    assert (first["major"], first["minor"], first["pa"]) == pytest.approx((12.0, 8.0, 176.0))
    assert first["pa_deconv"] == pytest.approx(93.5)  # -86.5, turned by half a circle
    assert np.allclose(table["spectral_index"], [-0.8, np.nan, np.nan], equal_nan=True)  # -99 is not known


def test_what_is_written_has_the_fields_of_casda(components, tmp_path):
    path = reader("casda").write(read_any(components), tmp_path / "out.xml")
    made = parse_single_table(path)
    assert [each.name for each in made.fields] == [name for name, _, _ in FIELDS]
    assert {each.name: str(each.unit or "") for each in made.fields}["flux_peak"] == "mJy / beam"
    assert list(made.array["component_id"]) == ["SB7_component_12a", "SB7_component_12b", "SB7_component_3a"]
    assert list(made.array["spectral_index"]) == pytest.approx([-0.8, -99.0, -99.0])
    again, before = read_any(path), read_any(components)
    for name in before.names:
        if before[name].dtype.kind == "f":
            assert np.allclose(again[name], before[name], equal_nan=True), name
        else:
            assert np.array_equal(again[name], before[name]), name


def test_components_are_lettered_by_their_brightness(components, tmp_path):
    table = read_any(components)
    bare = table.with_columns({"foreign_id": np.full(3, ""), "name": np.full(3, "")})
    made = parse_single_table(reader("casda").write(bare[np.array([1, 0, 2])], tmp_path / "out.xml")).array
    assert list(made["component_id"]) == [
        "SKYSIFT_component_12b",
        "SKYSIFT_component_12a",
        "SKYSIFT_component_3a",
    ]
    assert list(made["island_id"]) == ["SKYSIFT_island_12", "SKYSIFT_island_12", "SKYSIFT_island_3"]
    assert list(made["component_name"]) == ["J053002-690000", "J053000-690000", "J053100-690000"]
    assert list(made["dec_dms_cont"]) == ["-69:00:00"] * 3


def test_islands(tmp_path):
    fields = [
        ("island_id", "char", "--"), ("island_name", "char", ""), ("n_components", "int", ""),
        ("ra_deg_cont", "double", "deg"), ("dec_deg_cont", "double", "deg"), ("freq", "float", "MHz"),
        ("flux_int", "float", "mJy"), ("flux_peak", "float", "mJy/beam"), ("background_noise", "float", "mJy/beam"),
        ("x_min", "int", ""), ("x_max", "int", ""), ("n_pix", "int", ""), ("solid_angle", "float", "arcmin2"),
        ("beam_area", "float", "arcmin2"), ("x_cen", "float", ""), ("y_cen", "float", ""),
    ]  # fmt: skip
    path = tmp_path / "selavy.islands.xml"
    path.write_text(
        votable(
            ["SB7_island_12 J053000-690000 2 82.5 -69.0 943.5 120.0 80.0 0.25 10 20 55 0.5 0.1 14.5 7.5"],
            fields,
        )
    )
    table = read_any(path)
    assert table.kind == "islands"
    assert (table["island_id"][0], table["n_components"][0], table["n_pixels"][0]) == (12, 2, 55)
    assert table["flux_int"][0] == pytest.approx(0.12)
    assert table["n_beams"][0] == pytest.approx(5.0)
    assert (table["x"][0], table["x_min"][0], table["x_max"][0]) == (14.5, 10, 20)


def test_a_truncated_file_is_told(components):
    components.write_text(components.read_text()[:-150])
    with pytest.raises(FormatError) as error:
        read_any(components)
    assert "\n" not in str(error.value)


@pytest.mark.full
def test_stilts_finds_no_fault(components, tmp_path, program):
    import subprocess

    stilts = program("stilts", "make system-deps")
    path = reader("casda").write(read_any(components), tmp_path / "out.xml")
    done = subprocess.run([stilts, "votlint", f"votable={path}"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr.strip()) == (0, "", "")
