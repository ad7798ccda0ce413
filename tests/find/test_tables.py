"""The three tables of a catalogue agree with each other, with the pixels and with their own columns."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from tests import images, skies
from tests.images import source

from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.flags import has


def counted(of: np.ndarray, by: np.ndarray, ids: np.ndarray) -> list[int]:
    """For each id, how many different values of `by` go with it."""
    return [len(set(by[of == number].tolist())) for number in ids]


@pytest.fixture(params=["found", "both_signs"])
def finding(request):
    return request.getfixturevalue(request.param)


def test_ids_count_from_one_and_link(finding):
    islands, sources, components = (finding.catalogue.table(t) for t in ("islands", "sources", "components"))
    for table, key in ((islands, "island_id"), (sources, "source_id"), (components, "component_id")):
        assert table[key].tolist() == list(range(1, len(table) + 1))
    assert set(components.island_id.tolist()) == set(islands.island_id.tolist())
    assert set(components.source_id.tolist()) == set(sources.source_id.tolist())
    c = components
    assert islands.n_components.tolist() == counted(c.island_id, c.component_id, islands.island_id)
    assert islands.n_sources.tolist() == counted(c.island_id, c.source_id, islands.island_id)
    assert sources.n_components.tolist() == counted(c.source_id, c.component_id, sources.source_id)
    assert sources.n_islands.tolist() == counted(c.source_id, c.island_id, sources.source_id)


def test_rows_come_in_map_order(finding):
    labels = finding.mask.paint()
    first = [np.flatnonzero(labels == number)[0] for number in finding.catalogue.islands.island_id]
    assert first == sorted(first)
    assert finding.catalogue.components.island_id.tolist() == sorted(
        finding.catalogue.components.island_id.tolist()
    )


def test_structure_is_that_of_the_links(finding):
    c, s = finding.catalogue.components, finding.catalogue.sources
    in_island = np.bincount(c.island_id)[c.island_id]
    in_source = np.bincount(c.source_id)[c.source_id]
    expected = np.where(in_source > 1, "M", np.where(in_island == 1, "S", "C"))
    assert c.structure.tolist() == expected.tolist()
    for row in range(len(s)):
        assert set(c.structure[c.source_id == s.source_id[row]].tolist()) == {s.structure[row]}


def test_a_source_of_one_component_has_its_numbers(finding):
    c, s = finding.catalogue.components, finding.catalogue.sources
    lone = s.n_components == 1
    of = np.array([np.flatnonzero(c.source_id == number)[0] for number in s.source_id[lone]])
    shared = set(s.columns) & set(c.columns) - {"source_id"}
    for name in sorted(shared):
        np.testing.assert_array_equal(s[name][lone], c[name][of], name)


def test_a_source_of_several_has_their_flux_and_their_moments(found):
    c, s = found.catalogue.components, found.catalogue.sources
    several = np.flatnonzero(s.n_components > 1)
    assert len(several) > 0
    for row in several:
        mine = c.source_id == s.source_id[row]
        flux = c.flux_int[mine]
        assert s.flux[row] == s.flux_int[row] == pytest.approx(flux.sum())
        assert s.x[row] == pytest.approx((flux * c.x[mine]).sum() / flux.sum())
        assert s.y[row] == pytest.approx((flux * c.y[mine]).sum() / flux.sum())
        assert 0.99 * c.flux_peak[mine].max() <= s.flux_peak[row] <= 1.01 * c.flux_peak[mine].sum()
        sy, sx = found.image.frame.scale
        joint = sum(
            c.flux_int[k]
            * (
                Beam(c.major[k], c.minor[k], c.pa[k]).to_covariance()
                + np.outer(*2 * [[-sx * (c.x[k] - s.x[row]), sy * (c.y[k] - s.y[row])]])
            )
            for k in np.flatnonzero(mine)
        )
        seen = Beam(s.major[row], s.minor[row], s.pa[row]).to_covariance()
        assert np.trace(seen) == pytest.approx(np.trace(joint) / flux.sum(), rel=1e-3)
        np.testing.assert_allclose(seen, joint / flux.sum(), atol=0.05 * np.trace(seen))
        bound = np.sqrt((c.flux_int_err[mine] ** 2).sum())
        assert 0 < s.flux_int_err[row] < np.sqrt(mine.sum()) * bound
        assert s.resolved[row]


def test_islands_are_sums_over_their_pixels(finding):
    islands = finding.catalogue.islands
    whole = Box.of(finding.image.shape)
    labels = finding.read("labels", whole)
    data = finding.image.read().astype(float) - finding.read("background", whole)
    residual = finding.read("residual", whole) / finding.read("rms", whole)
    area = finding.image.frame.beam_area_pixels(finding.image.beam)
    for k, number in enumerate(islands.island_id):
        y, x = np.nonzero(labels == number)
        values = data[y, x]
        assert islands.n_pixels[k] == len(values)
        assert (islands.y_min[k], islands.y_max[k]) == (y.min(), y.max())
        assert (islands.x_min[k], islands.x_max[k]) == (x.min(), x.max())
        assert islands.n_beams[k] == pytest.approx(len(values) / area, rel=1e-6)
        assert islands.flux_int[k] == pytest.approx(values.sum() / area, rel=1e-5)
        assert abs(islands.flux_peak[k]) == pytest.approx(np.abs(values).max(), rel=1e-5)
        assert islands.x[k] == pytest.approx((values * x).sum() / values.sum(), rel=1e-5)
        assert islands.y[k] == pytest.approx((values * y).sum() / values.sum(), rel=1e-5)
        assert islands.residual_rms[k] == pytest.approx(
            np.sqrt((residual[y, x] ** 2).mean()), rel=0.05, abs=0.05
        )
        worst = residual[y, x][np.argmax(np.abs(residual[y, x]))]
        assert abs(islands.residual_peak[k]) == pytest.approx(abs(worst), rel=0.1, abs=0.3)


def test_the_error_of_a_summed_flux(finding):
    """rms times the square root of the beams, and the error of the level times the beams."""
    islands = finding.catalogue.islands
    pure = islands.rms * np.sqrt(islands.n_beams)
    assert (islands.flux_int_err >= pure * (1 - 1e-9)).all()
    assert (islands.flux_int_err < 3 * pure).all()
    if finding.facts["level"] == "zero":
        np.testing.assert_allclose(islands.flux_int_err, pure)


def test_signal_to_noise_is_peak_over_rms(finding):
    for table in ("components", "sources", "islands"):
        rows = finding.catalogue.table(table)
        np.testing.assert_allclose(rows.snr, rows.flux_peak / rows.rms)
        np.testing.assert_array_equal(rows.frequency, np.full(len(rows), finding.image.frequency))


def test_the_rms_is_that_of_the_map_at_the_place(finding):
    c = finding.catalogue.components
    rms, level = (finding.read(name, Box.of(finding.image.shape)) for name in ("rms", "background"))
    y, x = np.floor(c.y + 0.5).astype(int), np.floor(c.x + 0.5).astype(int)
    inside = (y >= 0) & (x >= 0) & (y < rms.shape[0]) & (x < rms.shape[1])
    y, x = y[inside], x[inside]
    data = np.isfinite(rms[y, x])
    np.testing.assert_allclose(c.rms[inside][data], rms[y, x][data], rtol=1e-6)
    np.testing.assert_allclose(c.background[inside][data], level[y, x][data], rtol=1e-6)


def test_positions_on_the_sky_are_those_of_astropy(found):
    wcs = found.image.frame.wcs
    for table in ("components", "sources", "islands"):
        rows = found.catalogue.table(table)
        sky = wcs.pixel_to_world(rows.x, rows.y).icrs
        apart = sky.separation(SkyCoord(rows.ra, rows.dec, unit="deg"))
        assert apart.to_value(u.arcsec).max() < 1e-3


def test_errors_of_positions_are_the_same_in_pixels_and_on_the_sky(found):
    c = found.catalogue.components
    known = ~has(c.flags, "no_errors")
    sy, sx = found.image.frame.scale
    np.testing.assert_allclose(c.ra_err[known], sx * c.x_err[known], rtol=0.02)
    np.testing.assert_allclose(c.dec_err[known], sy * c.y_err[known], rtol=0.02)


def test_names_are_unique_and_begin_with_the_acronym(crowded):
    catalogue = images.finding(crowded, acronym="TEST1").catalogue
    for table in ("components", "sources", "islands"):
        names = catalogue.table(table).name.tolist()
        assert len(set(names)) == len(names)
        assert all(name.startswith("TEST1 J") for name in names)


def test_calibration_terms_are_columns_of_their_own(crowded, found):
    catalogue = images.finding(crowded, flux_scale_error=0.05, position_error=0.7).catalogue
    for table in ("components", "sources", "islands"):
        rows, plain = catalogue.table(table), found.catalogue.table(table)
        for name in rows.columns:
            if name not in ("flux_cal_err", "position_cal_err"):
                np.testing.assert_array_equal(rows[name], plain[name], name)
    for table in ("components", "sources"):
        rows, plain = catalogue.table(table), found.catalogue.table(table)
        np.testing.assert_allclose(rows.flux_cal_err, 0.05 * np.abs(rows.flux))
        np.testing.assert_allclose(rows.position_cal_err, 0.7)
        assert not plain.flux_cal_err.any()
        assert not plain.position_cal_err.any()


def test_negative_islands_mirror_positive_ones(tmp_path):
    shape, rms = (200, 220), images.RMS
    kinds = {"n_points": 12, "n_extended": 3, "n_doubles": 2}
    sources = skies.population(shape, images.BEAM, **kinds, snr=(8, 300), rms=rms, seed=3)
    data, _ = skies.paint(shape, images.BEAM, rms=rms, sources=sources, seed=3)
    skies.write(tmp_path / "rms.fits", np.full(shape, rms, "f4"), images.BEAM)
    options = {"negative": True, "background": "zero", "rms_file": str(tmp_path / "rms.fits")}
    up = images.finding(images.image(data, images.BEAM), **options).catalogue
    down = images.finding(images.image(-data, images.BEAM), **options).catalogue
    assert len(up) > 10
    for table in ("components", "sources", "islands"):
        mine, other = up.table(table), down.table(table)
        assert len(mine) == len(other)
        np.testing.assert_array_equal(has(mine.flags, "negative"), ~has(other.flags, "negative"))
        for name in set(mine.columns) & {"x", "y", "residual_rms", "n_pixels"}:
            np.testing.assert_allclose(mine[name], other[name], rtol=0.04, err_msg=name)
        for name in set(mine.columns) & {"flux", "flux_peak", "flux_int", "snr", "residual_peak"}:
            np.testing.assert_allclose(mine[name], -other[name], rtol=0.04, err_msg=name)
        for name in set(mine.columns) & {"island_id", "source_id", "structure", "n_components", "n_sources"}:
            np.testing.assert_array_equal(mine[name], other[name])


def test_positive_islands_stay_as_they_are_when_negative_ones_are_looked_for(crowded, found):
    catalogue = images.finding(crowded, negative=True).catalogue
    kept = ~has(catalogue.components.flags, "negative")
    for name in ("x", "y", "flux", "flux_err", "major", "snr", "flags"):
        np.testing.assert_array_equal(catalogue.components[name][kept], found.catalogue.components[name])
    positive = images.finding(crowded).catalogue.islands
    assert (positive.flux_int > 0).all()


# -- the rule that makes sources


def pair(distance: float, **options):
    image = images.painted((120, 160), source(70, 60, 0.1), source(70 + distance, 60, 0.08), rms=images.RMS)
    return images.finding(image, **options).catalogue


@pytest.mark.parametrize(("distance", "structure"), [(3.8, ["M"]), (9.0, ["C", "C"]), (25.0, ["S", "S"])])
def test_two_components_are_one_source_where_no_dip_parts_them(distance, structure):
    catalogue = pair(distance)
    assert catalogue.sources.structure.tolist() == structure
    assert len(catalogue.components) == 2
    assert len(catalogue.islands) == (2 if structure == ["S", "S"] else 1)


def test_the_tolerance_of_grouping():
    """Two wide components a FWHM apart: the dip between them is three hundredths of their peak."""
    peak, size = 0.2, np.hypot(6.0, 4.0)
    total = peak * size**2 / 16
    pair = (source(70, 60, total, 6.0), source(70 + 0.97 * size, 60, total, 6.0))
    image = images.painted((120, 160), *pair, rms=images.RMS)
    assert images.finding(image).catalogue.sources.structure.tolist() == ["C", "C"]
    assert images.finding(image, group_tolerance=20.0).catalogue.sources.structure.tolist() == ["M"]
