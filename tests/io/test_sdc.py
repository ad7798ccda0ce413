import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from tests.reference import sdc_cases
from tests.score import worlds

from skysift.base.errors import FormatError, OutputError, SkysiftWarning, UsageError
from skysift.io.layouts.options import Sdc1LayoutOptions
from skysift.io.layouts.sdc import Sdc1Layout, Sdc2Layout
from skysift.io.sdc import (
    is_sdc1,
    is_sdc2,
    read_rows,
    read_sdc1_table,
    read_sdc2_table,
    write_rows,
    write_truth_sdc1,
)
from skysift.io.sdc_rows import SDC1, SDC2, is_listed, sdc1_rows, sdc1_truth_rows, sdc2_rows
from skysift.sky import schema
from skysift.sky.catalogue import Catalogue
from skysift.sky.table import Table
from skysift.sky.truth import Truth

ROW = "12 -0.325 -29.66 -0.3254 -29.6632 2.5e-07 0.5 83.0 46.5 12.9 1 2"


@pytest.fixture
def truth_file(data_folder):
    return data_folder / "challenge" / "SDC1_truth_B1_0.05tr.cat"


@pytest.fixture
def text(tmp_path):
    """text(words): a file of these words."""

    def write(words, name="list.txt"):
        (tmp_path / name).write_bytes(words.encode())
        return tmp_path / name

    return write


def found(**more):
    """Three sources of a finder."""
    n = 3
    columns = {
        "ra": np.array([0.5, 359.5, 0.0]),
        "dec": np.full(n, -30.0),
        "flux": np.array([1e-3, 2e-3, 3e-3]),
        "major_deconv": np.array([2.0, 0.0, np.nan]),
        "minor_deconv": np.array([1.0, 0.0, np.nan]),
        "pa_deconv": np.array([30.0, np.nan, 90.0]),
    } | {name: value for name, value in more.items() if name not in _FURTHER}
    extra = schema.further("sources", *_FURTHER & set(more)) if _FURTHER & set(more) else ()
    return worlds.table(extra=extra, **columns, **{name: more[name] for name in _FURTHER & set(more)})


_FURTHER = {each.name for each in schema.FURTHER}


# -- text


def test_a_list_that_was_written_is_read_back_digit_by_digit(tmp_path):
    rows = sdc_cases.sdc1_truth(5, 400, 560)
    for header in (False, True):
        path = write_rows(rows, tmp_path / "list.txt", header=header, overwrite=True)
        assert is_sdc1(path)
        assert not is_sdc2(path)
        again = read_rows(path, SDC1)
        assert list(again) == list(SDC1)
        for name in SDC1:
            np.testing.assert_array_equal(again[name], rows[name])


def test_a_list_goes_through_a_table_and_its_formats_unchanged(tmp_path):
    rows = sdc_cases.sdc1_truth(6, 50, 1400)
    table = read_sdc1_table(write_rows(rows, tmp_path / "list.txt"))
    for name in ("a.fits", "a.vot", "a.parquet", "a.csv"):
        Catalogue(Table.empty("islands"), table, Table.empty("components")).write(tmp_path / name)
        again, left_out = sdc1_rows(Layouts.read(tmp_path / name))
        assert not left_out
        for column in SDC1:
            np.testing.assert_array_equal(again[column], rows[column])


class Layouts:
    @staticmethod
    def read(path):
        from skysift.io.tables import read_table

        return read_table(path)


def test_the_list_of_the_challenge_is_read(truth_file):
    assert is_sdc1(truth_file)
    table = read_sdc1_table(truth_file)
    assert len(table) == 475
    lines = [line.split() for line in truth_file.read_text().splitlines()]
    rows, _ = sdc1_rows(table)
    for place, name in enumerate(SDC1):
        np.testing.assert_array_equal(rows[name], [float(line[place]) for line in lines])


def test_what_a_row_means_in_the_schema(text):
    table = read_sdc1_table(text(ROW))
    sky = SkyCoord(-0.3254, -29.6632, unit="deg", frame="fk5").icrs
    assert table["ra"] == pytest.approx([sky.ra.deg], abs=1e-9)
    assert table["dec"] == pytest.approx([sky.dec.deg], abs=1e-9)
    assert table["flux_true"] == table["flux"] == table["flux_int"] == 2.5e-7
    assert table["object_type"] == "FS-AGN"
    assert table["angular_size"] == 83.0
    assert table["major_deconv"] == pytest.approx([83.0 * 2.355 / 5])
    assert table["pa_deconv"] == pytest.approx([77.1])
    assert table["core_fraction"] == 0.5
    assert (table["list_id"], table["name"], table["source_id"]) == (12, "12", 1)
    assert np.isnan(table["snr"][0])


@pytest.mark.parametrize(
    "words",
    [
        ROW,
        ROW + "\n",
        "\n\n" + ROW + "\n\n",
        ROW.replace(" ", "\t"),
        "   " + ROW.replace(" ", "   ") + "  \r\n",
        ROW.replace(" ", ", "),
        " ".join(SDC1) + "\n" + ROW,
        "# " + " ".join(SDC1) + "\n" + ROW,
        "# made by somebody\n# in 2019\n" + ",".join(SDC1).upper() + "\n" + ROW.replace(" ", ","),
        "ID RA (core) DEC (core) RA (cent) DEC (cent) Flux and so on\n" + ROW,
        ROW.replace("12 ", "12.0 ", 1).replace("1 2", "1.0 2.0"),
        " ".join(reversed(SDC1)) + "\n" + " ".join(reversed(ROW.split())),
    ],
)
def test_lists_by_blanks_tabs_or_commas_with_names_or_without(text, words):
    path = text(words)
    assert is_sdc1(path)
    rows, _ = sdc1_rows(read_sdc1_table(path))
    assert [float(rows[name][0]) for name in SDC1] == [float(each) for each in ROW.split()]


def test_a_list_of_names_alone_is_a_list_without_rows(text):
    path = text(" ".join(SDC1) + "\n")
    assert is_sdc1(path)
    assert len(read_sdc1_table(path)) == 0


def test_rows_that_lack_a_value_are_left_out_and_counted(text):
    path = text("\n".join([ROW, ROW.replace("2.5e-07", "nan"), ROW.replace("12.9", "NA"), ROW]))
    with pytest.warns(SkysiftWarning, match=r"list.txt: 2 of 4 rows lack a value and are left out"):
        table = read_sdc1_table(path)
    assert len(table) == 2
    assert np.sum(np.isnan(read_rows(path, SDC1)["flux"])) == 1


@pytest.mark.parametrize(
    "words",
    [
        "",
        "just words\n",
        "a b c\nd e f\n" + ROW,
        ROW + " 5",
        ROW[:-2],
        ROW.replace("1 2", "1.5 2"),
        ROW.replace("-29.66 ", "129.66 "),
        "a,b,c\n1,2,3\n",
        "\0\1\2",
    ],
)
def test_what_is_no_list_is_told_in_one_line(text, words):
    path = text(words)
    assert not is_sdc1(path)
    with pytest.raises(FormatError, match=r"is no list of the challenge: allowed: 12 columns of numbers: id"):
        read_sdc1_table(path)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (f"{ROW}\n{ROW[:-2]}\n", "cannot be read as a list of the challenge .*Expected 12 columns, got 11"),
        (
            f"{ROW}\n{ROW.replace('12.9', 'x')}\n",
            "cannot be read as a list of the challenge .*conversion error",
        ),
        (f"{ROW}\n{ROW.replace('1 2', '1 2.5')}\n", "the column class must hold whole numbers: got 2.5"),
        (f"{ROW}\n{ROW.replace('12 ', '12.5 ', 1)}\n", "the column id must hold whole numbers: got 12.5"),
    ],
)
def test_broken_rows_are_told_in_one_line(text, words, told):
    with pytest.raises(FormatError, match=told):
        read_sdc1_table(text(words))


def test_no_file():
    assert not is_sdc1("none.txt")
    with pytest.raises(UsageError, match=r"no such file: got 'none.txt'"):
        read_sdc1_table("none.txt")


def test_long_lists_are_read_in_blocks(text, monkeypatch):
    rows = sdc_cases.sdc1_truth(7, 300, 560)
    path = write_rows(rows, text(""), overwrite=True)
    monkeypatch.setattr("skysift.io.sdc._BLOCK", 1000)
    again = read_rows(path, SDC1)
    for name in SDC1:
        np.testing.assert_array_equal(again[name], rows[name])


def test_a_list_of_hi_galaxies(tmp_path):
    rows = sdc_cases.sdc2_truth(5, 100, 1.0)
    path = write_rows(rows, tmp_path / "list.txt")
    assert is_sdc2(path)
    assert not is_sdc1(path)
    table = read_sdc2_table(path)
    assert is_listed(table, 2)
    assert np.array_equal(table["frequency"], rows["central_freq"])
    out = Sdc2Layout().write(table, tmp_path / "again.txt")
    again = sdc2_rows(Sdc2Layout().read(out))
    for name in SDC2:
        np.testing.assert_array_equal(again[name], rows[name])
    with pytest.raises(
        UsageError, match="the table of sources lacks columns of HI sources: got 'list_id, ra_list, "
    ):
        sdc2_rows(found())


# -- rows of catalogues


def test_sizes_angles_and_constants_of_a_catalogue():
    rows, left_out = sdc1_rows(found())
    assert not left_out
    assert list(rows["id"]) == [1, 2, 3]
    assert list(rows["b_maj"]) == [2.0, 0.0, 0.0]
    assert list(rows["b_min"]) == [1.0, 0.0, 0.0]
    assert list(rows["pa"]) == [60.0, 0.0, 0.0]
    assert list(rows["size"]) == [2, 2, 2]
    assert list(rows["class"]) == [3, 3, 3]
    assert list(rows["core_frac"]) == [0.0375] * 3
    assert list(rows["flux"]) == [1e-3, 2e-3, 3e-3]


def test_where_nothing_is_left_of_a_size_that_of_a_network_stands():
    told = {
        "major_net": np.array([9.0, 3.0, np.nan]),
        "minor_net": np.array([8.0, 2.0, np.nan]),
        "pa_net": np.full(3, 10.0),
    }
    table = found().with_columns(told, schema.further("sources", *told))
    rows, _ = sdc1_rows(table)
    assert list(rows["b_maj"]) == [2.0, 3.0, 0.0]
    assert list(rows["b_min"]) == [1.0, 2.0, 0.0]
    assert list(rows["pa"]) == [60.0, 80.0, 0.0]


@pytest.mark.parametrize(
    ("pa", "west"), [(0.0, 90.0), (30.0, 60.0), (90.0, 0.0), (90.1, 179.9), (170.0, 100.0)]
)
def test_the_angle_of_the_challenge_runs_from_west_clockwise(pa, west):
    rows, _ = sdc1_rows(found(pa_deconv=np.full(3, pa)))
    assert rows["pa"] == pytest.approx(np.full(3, west))
    # a step from the centre: east and north by the angle from north, west and south by the angle from west
    there = np.sin(np.radians(pa)), np.cos(np.radians(pa))
    angle = np.radians(rows["pa"][0])
    here = -np.cos(angle), -np.sin(angle)
    assert abs(there[0] * here[0] + there[1] * here[1]) == pytest.approx(1.0)


def test_positions_are_fk5_and_cross_zero_without_a_jump():
    rows, _ = sdc1_rows(found())
    sky = SkyCoord([0.5, 359.5, 0.0], [-30.0] * 3, unit="deg").fk5
    assert rows["ra_core"] == pytest.approx(sky.ra.wrap_at("180d").deg, abs=1e-9)
    assert rows["dec_core"] == pytest.approx(sky.dec.deg, abs=1e-9)
    assert np.array_equal(rows["ra_cent"], rows["ra_core"])


def test_fluxes_are_divided_by_the_primary_beam():
    rows, left_out = sdc1_rows(found(), response=np.array([0.5, 1.0, np.nan]))
    assert list(rows["flux"]) == [2e-3, 2e-3]
    assert left_out == {"outside the primary beam": 1}
    rows, _ = sdc1_rows(found(primary_beam=np.array([0.5, 0.25, 1.0])))
    assert list(rows["flux"]) == [2e-3, 8e-3, 3e-3]


def test_artefacts_of_a_truth_are_not_off_the_primary_beam():
    more = {
        "primary_beam": np.array([0.5, np.nan, np.nan]),
        "class": np.array(["compact", "spurious", "compact"]),
    }
    extra = schema.further("sources", *more)
    assert sdc1_rows(found().with_columns(more, extra))[1] == {
        "artefacts, which have no primary beam": 1,
        "without a response of the primary beam": 1,
    }


def test_rows_that_no_list_can_hold_are_counted_by_reason():
    rows, left_out = sdc1_rows(found(ra=np.array([np.nan, 0.0, 1.0]), flux=np.array([1.0, -1.0, np.nan])))
    assert len(rows["id"]) == 0
    assert left_out == {"without a position": 1, "without a flux above 0": 2}


def test_classes_and_core_fractions_that_a_catalogue_knows_are_kept():
    table = found(class_id=np.array([1, 2, 3]), core_fraction=np.array([0.2, np.nan, 0.0]))
    rows, _ = sdc1_rows(table, class_id=2, core_fraction=0.01)
    assert list(rows["class"]) == [1, 2, 3]
    assert list(rows["core_frac"]) == [0.2, 0.01, 0.0]


def test_islands_have_no_axes():
    with pytest.raises(UsageError, match="islands have no axes"):
        sdc1_rows(Table.empty("islands"))


def test_the_layout_tells_what_it_leaves_out(tmp_path):
    out = tmp_path / "out.txt"
    table = found(flux=np.array([1e-3, -1.0, 3e-3]))
    with pytest.warns(SkysiftWarning) as told:
        Sdc1Layout().write(table, out)
    assert [str(each.message) for each in told] == [
        "the fluxes are not corrected for the primary beam: --primary-beam names its map",
        "1 of 3 sources are left out: 1 without a flux above 0",
    ]
    lines = out.read_text().splitlines()
    assert lines[0] == " ".join(SDC1)
    assert len(lines) == 3
    assert Sdc1Layout().matches(out)
    assert len(Sdc1Layout().read(out)) == 2
    with pytest.raises(OutputError, match="the file exists"):
        Sdc1Layout().write(Sdc1Layout().read(out), out)


def test_the_layout_looks_into_the_map_of_the_primary_beam(tmp_path, data_folder):
    beam = data_folder / "challenge" / "SDC1_PrimaryBeam_B1.fits"
    layout = Sdc1Layout(Sdc1LayoutOptions(primary_beam=str(beam), class_id=1, core_fraction=0.5))
    near, far = found(), found(dec=np.full(3, 40.0))
    out = layout.write(near, tmp_path / "out.txt")
    rows = read_rows(out, SDC1)
    assert np.all(rows["flux"] > near["flux"])
    assert rows["flux"][2] == pytest.approx(3e-3, rel=2e-3)  # on the axis
    assert set(rows["class"]) == {1}
    assert set(rows["core_frac"]) == {0.5}
    with pytest.raises(
        UsageError, match="no source lies on the map of the primary beam: got '3 of 3 sources"
    ):
        layout.write(far, tmp_path / "far.txt")
    assert not (tmp_path / "far.txt").exists()


# -- rows of truths


def made(**more):
    n = 4
    columns = {
        "class": np.array(["compact", "extended", "extended", "spurious"]),
        "object_type": np.array(["SFG", "SS-AGN", "FS-AGN", ""]),
        "flux_true": np.array([1e-3, 2e-3, 3e-3, 4e-3]),
        "core_fraction": np.array([0.0, 0.1, 0.7, np.nan]),
        "angular_size": np.array([1.0, 30.0, 5.0, np.nan]),
        "ra": np.full(n, 10.0),
        "dec": np.full(n, 20.0),
        "flux": np.array([5e-4, 1e-3, 1.5e-3, 2e-3]),
        "major_deconv": np.array([2.0, 12.0, 3.0, 4.0]),
        "minor_deconv": np.array([1.0, 4.0, 3.0, 4.0]),
        "pa_deconv": np.array([0.0, 45.0, 90.0, 0.0]),
    } | more
    extra = schema.further("sources", *(name for name in columns if name in _FURTHER))
    table = worlds.table(extra=extra, **columns)
    return Truth(Catalogue(Table.empty("islands"), table, Table.empty("components")))


def test_a_made_truth_as_rows_of_the_challenge():
    rows = sdc1_truth_rows(made())
    assert list(rows["id"]) == [1, 2, 3]  # without the artefact
    assert list(rows["flux"]) == [1e-3, 2e-3, 3e-3]
    assert list(rows["class"]) == [3, 1, 2]
    assert list(rows["size"]) == [2, 1, 2]
    assert list(rows["b_maj"]) == [2.0, 30.0, 3.0]
    assert list(rows["b_min"]) == [1.0, 10.0, 3.0]
    assert list(rows["core_frac"]) == [0.0, 0.1, 0.7]
    assert list(rows["pa"]) == [90.0, 45.0, 0.0]
    assert list(sdc1_truth_rows(made(), apparent=True)["flux"]) == [5e-4, 1e-3, 1.5e-3]


def test_a_truth_is_written_as_the_challenge_writes_it(tmp_path):
    path = write_truth_sdc1(made(), tmp_path / "truth.txt")
    assert len(path.read_text().splitlines()) == 3  # no line of names
    again = read_rows(path, SDC1)
    for name, values in sdc1_truth_rows(made()).items():
        np.testing.assert_array_equal(again[name], values)
    with pytest.raises(OutputError, match="the file exists"):
        write_truth_sdc1(made(), path)
