"""Tables of CAESAR: names that hold numbers, sums over pixels, GHz."""

import numpy as np
import pytest

from skysift.io.layouts.reading import layout_of, read_any, reader

ISLANDS = (
    (
        "name\tiauName\tnpix\tnComponents\tnNestedSources\tx\ty\tx_w\ty_w\tx_wcs(deg)\ty_wcs(deg)\tx_w_wcs(deg)\ty_w_wcs(deg)"
        "\txmin\txmax\tymin\tymax\txmin_wcs(deg)\txmax_wcs(deg)\tymin_wcs(deg)\tymax_wcs(deg)\tnu(GHz)\tStot(Jy/beam)"
        "\tSmax(Jy/beam)\tS(Jy)\tSerr(Jy)\tbeamArea\tbkgSum(Jy/beam)\trmsSum(Jy/beam)\tmorphId\tsourcenessId\tisGoodSource"
        "\tsourceNestedLevel"
    ),
    (
        "S4\tG300.1+0.2\t50\t2\t0\t10.5\t20.5\t10.75\t20.25\t255.1\t-41.1\t255.2\t-41.2\t5\t16\t15\t26\t255.0\t255.4\t-41.3"
        "\t-41.0\t2.1\t6.0\t0.5\t0.21\t0.01\t25.0\t1.0\t0.05\t2\t1\t1\t0"
    ),
)
COMPONENTS = (
    (
        "name\tnpix\tcomponentId\tiauName\tx\ty\tx_err\ty_err\tx_wcs(deg)\ty_wcs(deg)\tx_wcs_err(deg)\ty_wcs_err(deg)"
        "\tnu(GHz)\tSpeak(Jy/beam)\tSpeak_err(Jy/beam)\tS{unit}\tS_err{unit}\tS_island{unit}\tS_island_err{unit}\tbeamArea"
        "\tbmaj\tbmin\tpa\tbmaj_err\tbmin_err\tpa_err\tbmaj_wcs(arcsec)\tbmin_wcs(arcsec)\tpa_wcs(deg)\tbmaj_wcs_err(arcsec)"
        "\tbmin_wcs_err(arcsec)\tpa_wcs_err(deg)\tbmaj_beam(arcsec)\tbmin_beam(arcsec)\tpa_beam(deg)\tbmaj_deconv_wcs(arcsec)"
        "\tbmin_deconv_wcs(arcsec)\tpa_deconv_wcs(deg)\tfitBeamEllipseEccentricityRatio\tfitBeamEllipseAreaRatio"
        "\tfitBeamEllipseRotAngle\tbkgSum(Jy/beam)\trmsSum(Jy/beam)\tchi2\tndf\tfitQuality\tsourcenessId\tmorphId"
    ),
    (
        "S4\t50\t1\tG300.1+0.2a\t10.5\t20.5\t0.1\t0.2\t255.15\t-41.15\t0.0001\t0.0002\t2.1\t0.4\t0.01\t{flux}\t{error}\t0.2\t0.01"
        "\t25.0\t8\t6\t30\t1\t1\t5\t12.0\t9.0\t210.0\t0.5\t0.25\t5.0\t8.0\t7.0\t0.0\t9.0\t5.5\t35.0\t1\t1.5\t30\t1.0\t0.05\t40"
        "\t42\t3\t1\t1"
    ),
    (
        "S4\t50\t2\tG300.1+0.2b\t12.5\t20.5\t0.1\t0.2\t255.25\t-41.15\t0.0001\t0.0002\t2.1\t0.1\t0.01\t{flux}\t{error}\t0.2\t0.01"
        "\t25.0\t8\t6\t30\t1\t1\t5\t12.0\t9.0\t30.0\t0.5\t0.25\t5.0\t8.0\t7.0\t0.0\t9.0\t5.5\t35.0\t1\t1.5\t30\t1.0\t0.05\t40"
        "\t42\t3\t1\t1"
    ),
)
HEAD = "#======== CAESAR RESULTS ======\n# This ascii file contains what was found.\n#\n# ---- HEADER ----\n"


def write(path, lines, **values):
    filled = [line.format(**values) if values else line for line in lines]
    path.write_text(HEAD + "# name - Source name assigned by finder\n# " + "\n".join(filled) + "\n")
    return path


def test_islands_lie_above_their_background(tmp_path):
    path = write(tmp_path / "catalog.dat", ISLANDS)
    assert layout_of(path) == "caesar"
    table = read_any(path)
    assert table.kind == "islands"
    first = {name: values[0] for name, values in table.columns.items()}
    assert (first["island_id"], first["foreign_id"], first["name"]) == (4, "S4", "G300.1+0.2")
    assert first["background"] == pytest.approx(0.02)
    assert first["rms"] == pytest.approx(0.001)
    assert first["flux_int"] == pytest.approx((6.0 - 1.0) / 25)
    assert first["flux_peak"] == pytest.approx(0.48)
    assert first["n_beams"] == pytest.approx(2.0)
    assert first["frequency"] == pytest.approx(2.1e9)
    assert (first["x"], first["y"], first["ra"], first["dec"]) == (10.75, 20.25, 255.2, -41.2)
    assert (first["x_min"], first["x_max"], first["y_min"], first["y_max"]) == (5, 16, 15, 26)
    assert (first["n_pixels"], first["n_components"]) == (50, 2)


@pytest.mark.parametrize(("unit", "scale"), [("(Jy)", 1.0), ("(Jy/beam)", 25.0)])
def test_components_in_either_unit_of_flux(tmp_path, unit, scale):
    path = write(tmp_path / "comp.dat", COMPONENTS, unit=unit, flux=0.5 * scale, error=0.02 * scale)
    table = read_any(path)
    assert (table.kind, len(table)) == ("components", 2)
    assert list(table["component_id"]) == [1, 2]
    assert list(table["foreign_id"]) == ["S4_1", "S4_2"]
    first = {name: values[0] for name, values in table.columns.items()}
    assert (first["flux_int"], first["flux_int_err"]) == pytest.approx((0.5, 0.02))
    assert (first["ra_err"], first["dec_err"]) == pytest.approx((0.36, 0.72))
    assert (first["major"], first["minor"], first["pa"]) == (12.0, 9.0, 30.0)
    assert (first["major_deconv"], first["pa_deconv"]) == (9.0, 35.0)
    assert first["rms"] == pytest.approx(0.001)


@pytest.mark.parametrize("lines", [ISLANDS, COMPONENTS])
def test_what_is_written_is_read(tmp_path, lines):
    values = {"unit": "(Jy)", "flux": 0.5, "error": 0.02} if lines is COMPONENTS else {}
    table = read_any(write(tmp_path / "one.dat", lines, **values))
    again = read_any(reader("caesar").write(table, tmp_path / "two.dat"))
    for name in table.names:
        same = (
            np.allclose(again[name], table[name], equal_nan=True) if table[name].dtype.kind == "f" else None
        )
        assert same or np.array_equal(again[name], table[name]), name


def test_names_that_share_a_number_are_numbered_as_they_come(tmp_path):
    lines = [ISLANDS[0], ISLANDS[1], ISLANDS[1].replace("S4\t", "S4_N4\t")]
    assert list(read_any(write(tmp_path / "nested.dat", lines))["island_id"]) == [1, 2]
