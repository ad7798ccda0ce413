"""Stokes Q, U and V beside Stokes I: fluxes, errors, limits, and what is found in V itself."""

import numpy as np
import pytest
from astropy.io import fits
from tests import images, polarised, skies

import skysift
from skysift.base.errors import UsageError
from skysift.find.circular import owners
from skysift.find.polarised import turn_of_north
from skysift.find.run import make_finder, search
from skysift.find.stokes import StokesMaps
from skysift.measure.polarisation import as_rare
from skysift.sky.flags import has
from skysift.sky.systems import System

POSITIVE, NEGATIVE = (30.0, 30.5, 0.02), (90.0, 60.0, -0.02)


def beside(sky, letters="QUV"):
    return StokesMaps.of({letter: sky.maps[letter] for letter in letters}, sky.maps["I"])


def found_in(sky, letters="QUV", **options):
    return search(sky.maps["I"], make_finder("classic", **options), beside=[beside(sky, letters)])


def rows_of(table, sky):
    """The row of each true source."""
    return np.argmin(np.hypot(table["x"][:, None] - sky.x, table["y"][:, None] - sky.y), axis=0)


@pytest.fixture(scope="module")
def made():
    """Isolated sources of 50 sigma, 10 % linear, 20 % circular, and two sources in V alone."""
    shape, x, y = polarised.lattice(12)
    angle = np.random.default_rng(1).uniform(0, 180, len(x))
    sky = polarised.sky(
        shape,
        x,
        y,
        np.full(len(x), 0.05),
        fraction_p=0.1,
        angle=angle,
        fraction_v=-0.2,
        v_alone=(POSITIVE, NEGATIVE),
    )
    return sky, angle


@pytest.fixture(scope="module")
def measured(made):
    return found_in(made[0], leakage_v=0.001)


def test_fluxes_are_true_within_their_errors(made, measured):
    sky, angle = made
    rows = measured.catalogue.components
    at = rows_of(rows, sky)
    for letter in "QUV":
        name = f"flux_{letter.lower()}"
        pull = (rows[name][at] - sky.truth[letter]) / rows[f"{name}_err"][at]
        assert abs(pull.mean()) < 0.3
        assert 0.8 < pull.std() < 1.2
    assert rows["flux_p"].mean() == pytest.approx(0.005, rel=0.05)
    off = (rows["angle_p"][at] - angle + 90) % 180 - 90
    assert 0.8 < (off / rows["angle_p_err"][at]).std() < 1.2
    pull = (rows["fraction_v"] + 0.2) / rows["fraction_v_err"]
    assert abs(pull.mean()) < 0.3
    assert 0.8 < pull.std() < 1.2


def test_a_source_has_the_sum_of_its_components():
    x, y = np.array([40.0, 44.0, 100.0]), np.array([40.0, 40.0, 90.0])
    sky = polarised.sky(
        (130, 140), x, y, np.array([0.4, 0.3, 0.2]), fraction_v=np.array([0.1, -0.2, 0.1]), seed=3
    )
    catalogue = found_in(sky, group_tolerance=1000).catalogue
    double = int(np.argmax(catalogue.sources["n_components"]))
    mine = catalogue.components["source_id"] == catalogue.sources.ids[double]
    assert mine.sum() == 2
    v, errors = catalogue.components["flux_v"][mine], catalogue.components["flux_v_err"][mine]
    assert catalogue.sources["flux_v"][double] == pytest.approx(v.sum())
    error = catalogue.sources["flux_v_err"][double]
    assert error == pytest.approx(np.hypot(*errors), rel=0.1)
    assert error != pytest.approx(np.hypot(*errors), rel=0.01)  # the two are blended
    assert v.max() == pytest.approx(0.04, abs=0.006)
    assert v.min() == pytest.approx(-0.06, abs=0.006)


def test_extended_sources_keep_their_fractions():
    shape, x, y = polarised.lattice(5, 50)
    sky = polarised.sky(
        shape, x, y, np.full(25, 0.5), fraction_p=0.3, angle=60.0, fraction_v=0.1, size=6.0, seed=5
    )
    rows = found_in(sky).catalogue.components
    at = rows_of(rows, sky)
    assert rows["fraction_v"][at].mean() == pytest.approx(0.1, abs=0.005)
    assert rows["fraction_p"][at].mean() == pytest.approx(0.3, abs=0.01)
    assert rows["angle_p"][at].mean() == pytest.approx(60.0, abs=1.0)
    assert 0.7 < ((rows["fraction_v"][at] - 0.1) / rows["fraction_v_err"][at]).std() < 1.3


def test_sources_in_v_are_found_with_both_signs_and_without_i(made, measured):
    table = measured.tables["stokes_v"]
    alone = table.select(table["stokes_i_id"] == 0)
    assert len(table) == 144 + 2
    assert len(alone) == 2
    order = np.argsort(alone["x"])
    for row, (x, y, flux) in zip(order, (POSITIVE, NEGATIVE), strict=True):
        assert np.hypot(alone["x"][row] - x, alone["y"][row] - y) < 0.5
        assert alone["flux"][row] == pytest.approx(flux, abs=4 * alone["flux_err"][row])
        assert abs(alone["flux_i"][row]) < 4 * alone["flux_i_err"][row]
        assert alone["fraction_v_lower"][row] > 1
        assert np.isnan(alone["fraction_v"][row])
    assert has(table["flags"], "negative").sum() == 145
    known = table.select(table["stokes_i_id"] > 0)
    assert known["fraction_v"].mean() == pytest.approx(-0.2, abs=0.01)
    assert (known["stokes_i_separation"] < 4.0).all()
    assert measured.facts["stokes"]["v_without_i"] == 2


def test_more_polarised_flux_than_flux_is_flagged():
    """As where the map of Stokes I lacks the short baselines of those of Q and U."""
    shape, x, y = polarised.lattice(3)
    told = {}
    for share in (0.9, 1.3):
        sky = polarised.sky(shape, x, y, np.full(9, 0.05), fraction_p=share, angle=20.0)
        for table in (found_in(sky, "QU").catalogue.components, found_in(sky, "QU").catalogue.sources):
            assert table["fraction_p"][rows_of(table, sky)] == pytest.approx([share] * 9, abs=0.1)
            assert np.array_equal(has(table["flags"], "over_polarised"), table["fraction_p"] > 1.0)
            told[share] = has(table["flags"], "over_polarised").mean()
    assert told == {0.9: 0.0, 1.3: 1.0}


def test_linear_polarisation_is_detected_where_its_significance_says(made):
    """Sources of five sigma, about the threshold; the debiased intensity alone would miss some of them."""
    catalogue, least = found_in(made[0], "QU", polarised_sigma=4.3).catalogue, as_rare(4.3)
    for rows in (catalogue.components, catalogue.sources):
        seen = rows["snr_p"] > least
        assert 0.1 < seen.mean() < 0.9
        np.testing.assert_array_equal(np.isnan(rows["fraction_p_limit"]), seen)
        assert (rows["flux_p"] < least * rows["flux_p_err"])[seen].any()


def test_what_leaks_is_a_limit_and_flagged():
    shape, x, y = polarised.lattice(4)
    sky = polarised.sky(shape, x, y, np.full(16, 2.0), fraction_v=0.004, fraction_p=0.008, angle=10.0, seed=6)
    rows = found_in(sky, leakage_v=0.01, leakage_p=0.02).catalogue.sources
    assert has(rows["flags"], "leakage").all()
    assert (rows["fraction_v_limit"] > 0.01).all()
    assert (rows["fraction_p_limit"] > 0.02).all()
    np.testing.assert_allclose(rows["flux_v_leakage_err"], 0.01 * rows["flux"])
    pure = found_in(sky).catalogue.sources
    assert not has(pure["flags"], "leakage").any()
    assert np.isnan(pure["fraction_v_limit"]).sum() > 12
    np.testing.assert_array_equal(pure["flux_v_err"], rows["flux_v_err"])  # statistical errors stay pure


def test_no_number_depends_on_tiles_or_workers(made, measured):
    sky, _ = made
    again = search(
        sky.maps["I"], make_finder("classic", leakage_v=0.001), beside=[beside(sky)], tile=100, workers=3
    )
    assert again.catalogue == measured.catalogue
    assert again.tables["stokes_v"] == measured.tables["stokes_v"]


def test_a_missing_parameter_is_told():
    shape, x, y = polarised.lattice(3)
    sky = polarised.sky(shape, x, y, np.full(9, 0.05), fraction_v=0.3)
    finding = found_in(sky, "QV")
    rows = finding.catalogue.components
    assert "flux_q" in rows
    assert "flux_p" not in rows
    assert "there is no map of Stokes U" in finding.notes[0]
    assert finding.catalogue.provenance.notes == finding.notes
    assert set(found_in(sky, "U").tables) == set()


def test_planes_without_data_are_told_and_give_nothing():
    shape, x, y = polarised.lattice(3)
    sky = polarised.sky(shape, x, y, np.full(9, 0.05), fraction_v=0.3)
    empty = images.image(np.full(shape, np.nan), centre=(180.0, -30.0))
    half = sky.maps["Q"].read().copy()
    half[:, :40] = np.nan
    maps = {"V": empty, "Q": images.image(half, centre=(180.0, -30.0))}
    finding = search(sky.maps["I"], make_finder("classic"), beside=[StokesMaps.of(maps, sky.maps["I"])])
    assert any("Stokes V (array) holds no data" in note for note in finding.notes)
    assert any("Stokes Q has no data at 3 of 9 components" in note for note in finding.notes)
    rows = finding.catalogue.components
    assert "flux_v" not in rows
    assert np.isnan(rows["flux_q"]).sum() == 3
    assert len(finding.tables["stokes_v"]) == 0
    assert "fraction_v_lower" in finding.tables["stokes_v"]


def test_nothing_found_has_the_columns_too():
    sky = polarised.sky((90, 90), np.array([]), np.array([]), np.array([]), v_alone=(POSITIVE,))
    finding = found_in(sky)
    assert len(finding.catalogue.components) == 0
    assert "fraction_p" in finding.catalogue.components
    assert len(finding.tables["stokes_v"]) == 1


def test_another_grid_is_refused_and_another_beam_is_told():
    shape, x, y = polarised.lattice(3)
    sky = polarised.sky(shape, x, y, np.full(9, 0.05), fraction_v=0.3)
    small = images.image(np.zeros((80, 90)), centre=(180.0, -30.0))
    with pytest.raises(UsageError, match=r"the map of Stokes V \(array\) does not lie on the pixels"):
        search(sky.maps["I"], make_finder("classic"), beside=[StokesMaps.of({"V": small}, sky.maps["I"])])
    wide = polarised.sky(shape, x, y, np.full(9, 0.05), fraction_v=0.3, beam_px=(6.0, 5.0, 20.0))
    mixed = StokesMaps.of({"V": wide.maps["V"]}, sky.maps["I"])
    finding = search(sky.maps["I"], make_finder("classic"), beside=[mixed])
    assert "another beam" in finding.notes[0]
    assert finding.catalogue.components["fraction_v"].mean() == pytest.approx(0.3, abs=0.03)


def test_files_tell_what_they_are_and_angles_follow_their_convention(tmp_path):
    shape, x, y = polarised.lattice(3)
    sky = polarised.sky(shape, x, y, np.full(9, 0.2), fraction_p=0.2, angle=30.0, fraction_v=0.1)
    for number, letter in enumerate("IQUV"):
        cards = {"CTYPE3": "STOKES", "CRVAL3": number + 1.0, "CRPIX3": 1.0, "CDELT3": 1.0, "WCSAXES": 3}
        skies.write(tmp_path / f"{letter}.fits", sky.maps[letter].read(), images.ROUND, **cards)
    skies.write(tmp_path / "plain.fits", sky.maps["V"].read(), images.ROUND)
    i, q, u, v = (str(tmp_path / f"{letter}.fits") for letter in "IQUV")
    rows = skysift.find(i, stokes=[q, u, v]).components
    assert rows["angle_p"].mean() == pytest.approx(30.0, abs=2.0)
    assert rows["fraction_v"].mean() == pytest.approx(0.1, abs=0.01)
    fits.setval(u, "POLCCONV", value="COSMO")
    assert skysift.find(i, stokes=[q, u]).components["angle_p"].mean() == pytest.approx(150.0, abs=2.0)
    named = skysift.find(i, stokes=[f"V={tmp_path / 'plain.fits'}"]).components
    np.testing.assert_array_equal(named["flux_v"], rows["flux_v"])
    image = skysift.open(i)
    with pytest.raises(UsageError, match="does not tell which Stokes parameter"):
        StokesMaps.of([str(tmp_path / "plain.fits")], image)
    with pytest.raises(UsageError, match="Stokes Q is given twice"):
        StokesMaps.of([q, f"Q={v}"], image)
    with pytest.raises(UsageError, match="no such Stokes map"):
        StokesMaps.of([f"W={v}"], image)
    cube = np.stack([sky.maps[letter].read() for letter in "IQUV"])
    header = fits.getheader(i)
    fits.PrimaryHDU(cube, header).writeto(tmp_path / "cube.fits")
    same = skysift.find(tmp_path / "cube.fits", stokes="same")
    np.testing.assert_array_equal(same.components["flux_v"], rows["flux_v"])
    assert [record.plane for record in same.provenance.inputs] == [
        (0,),
        (),
    ]  # its own plane, and the others as one


def test_maps_in_memory_must_be_named():
    image = images.painted((60, 60), centre=(180.0, -30.0))
    with pytest.raises(UsageError, match="a map in memory does not tell"):
        StokesMaps.of(image, image)
    with pytest.raises(UsageError, match="no file whose other planes"):
        StokesMaps.of("same", image)


def test_a_place_lies_on_the_gaussian_that_is_nearest_for_its_width():
    x, y = np.array([10.0, 20.0]), np.array([10.0, 10.0])
    shape = np.array([[1.0, 0.0, 1.0], [25.0, 0.0, 25.0]])
    at_x = np.array([11.0, 14.5, 8.0, np.nextafter(20.0, 0)])
    assert owners(x, y, shape, at_x, np.full(4, 10.0)).tolist() == [0, 1, -1, 1]
    assert owners(x[:0], y[:0], shape[:0], at_x, at_x).tolist() == [-1] * 4


@pytest.mark.parametrize("ra", [30.0, 266.0])
def test_the_north_of_a_galactic_map_is_turned_to_that_of_icrs(ra):
    from astropy.coordinates import SkyCoord

    dec = -29.0
    system = System.of("GLON", "", np.nan)
    here = SkyCoord(ra, dec, unit="deg")
    pole = SkyCoord(0, 90, unit="deg", frame="galactic").icrs
    expected = here.position_angle(pole).deg
    turned = turn_of_north(system, np.array([ra]), np.array([dec]))[0]
    assert (turned - expected + 180) % 360 - 180 == pytest.approx(0.0, abs=1e-3)
    assert turn_of_north(System.of("RA", "ICRS", np.nan), np.array([ra]), np.array([dec]))[0] == 0.0


def test_the_beam_of_the_searched_map_stands_in(tmp_path):
    shape, x, y = polarised.lattice(3)
    sky = polarised.sky(shape, x, y, np.full(9, 0.2), fraction_v=0.1)
    skies.write(tmp_path / "i.fits", sky.maps["I"].read(), images.ROUND)
    skies.write(
        tmp_path / "v.fits", sky.maps["V"].read(), images.ROUND, BMAJ=None, BMIN=None, BPA=None, STOKES="V"
    )
    image = skysift.open(tmp_path / "i.fits")
    finding = search(image, make_finder("classic"), beside=[StokesMaps.of(str(tmp_path / "v.fits"), image)])
    assert any("no beam of its own" in note for note in finding.notes)
    assert finding.catalogue.components["fraction_v"].mean() == pytest.approx(0.1, abs=0.01)


class Remembered(dict):
    """Results of a run by stage and key."""

    def has(self, stage, key):
        return (stage, key) in self

    def read(self, stage, key):
        return self[stage, key]

    def write(self, stage, key, result):
        assert (stage, key) not in self
        self[stage, key] = result


def test_what_is_done_on_the_maps_is_kept_for_a_run_that_goes_on():
    sky = polarised.sky(
        (90, 90), np.array([40.0]), np.array([45.0]), np.array([0.2]), fraction_v=-0.2, seed=8
    )
    store, plain = Remembered(), found_in(sky)
    for again in (False, True):
        known = len(store)
        found = search(sky.maps["I"], make_finder("classic"), beside=[beside(sky)], kept=store)
        assert found.catalogue == plain.catalogue
        for name in plain.tables["stokes_v"]:
            np.testing.assert_array_equal(found.tables["stokes_v"][name], plain.tables["stokes_v"][name])
        assert (len(store) == known) == again
    assert sum(stage == "noise, first pass" for stage, _ in store) == 4
