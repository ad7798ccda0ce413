"""Maps whose beam varies: fluxes, sizes and errors with the beam that is at each place."""

from dataclasses import replace

import numpy as np
import pytest
from tests import images, skies
from tests.find import varying
from tests.find.test_statistics import width

from skysift.base.errors import FormatError, OptionError, SkysiftError, UsageError
from skysift.find.beams import as_seen
from skysift.find.classic.options import ClassicOptions
from skysift.find.run import make_finder, search
from skysift.sky.beam import Beam
from skysift.sky.beams import BeamTable
from skysift.sky.flags import has

SHAPE = (272, 680)


@pytest.fixture(scope="module")
def points():
    return varying.mosaic(shape=SHAPE)


@pytest.fixture(scope="module")
def extended():
    return varying.mosaic(shape=SHAPE, size=5.0, snr=40.0, noise="convolved", seed=2)


@pytest.fixture(scope="module")
def cube(points, tmp_path_factory):
    path = tmp_path_factory.mktemp("psf") / "psf.fits"
    varying.write_cube(path, points.image)
    return str(path)


def matched(mosaic: varying.Mosaic, image, **options):
    """Sources and the components found for them."""
    catalogue = search(image, make_finder("classic", **options)).catalogue
    c = catalogue.components
    apart = np.hypot(c.x[:, None] - mosaic.truth["x"], c.y[:, None] - mosaic.truth["y"])
    nearest = np.argmin(apart, axis=0)
    found = apart[nearest, np.arange(len(nearest))] < 3.0
    assert found.mean() > 0.98
    return mosaic.truth[found], c.select(nearest[found])


def thirds(truth, values, mosaic) -> list[float]:
    """Medians in the left, the middle and the right third of the map."""
    at = (3 * truth["x"] / mosaic.image.shape[1]).astype(int)
    return [float(np.median(values[at == k])) for k in range(3)]


def test_points_are_unbiased_and_unresolved_all_over_the_map(points, cube):
    truth, c = matched(points, points.image, psf_file=cube)
    assert thirds(truth, c.flux / truth["total"], points) == pytest.approx([1.0] * 3, abs=0.015)
    assert c.resolved.mean() < 0.03
    for name in ("flux", "flux_int", "flux_peak"):
        pull = (c[name] - truth["total"]) / c[f"{name}_err"]
        assert width(pull) == pytest.approx(1.0, abs=0.13), name
    share = truth["x"] / (SHAPE[1] - 1)
    np.testing.assert_allclose(c["beam_major"], varying.NARROW + 4.0 * share, rtol=2e-3)
    np.testing.assert_allclose(c["beam_pa"], 60.0 * share, atol=0.5)


def test_with_the_nominal_beam_they_are_visibly_wrong(points):
    truth, c = matched(points, points.image)
    left, middle, right = thirds(truth, c.flux_int / truth["total"], points)
    assert left < 0.85
    assert middle == pytest.approx(1.0, abs=0.05)
    assert right > 1.15
    assert c.resolved.mean() > 0.15
    assert "beam_major" not in c


def test_extended_sources_keep_flux_and_size(extended, cube):
    truth, c = matched(extended, extended.image, psf_file=cube)
    assert thirds(truth, c.flux / truth["total"], extended) == pytest.approx([1.0] * 3, abs=0.03)
    size = 5.0 * varying.SCALE
    assert thirds(truth, c.major_deconv / size, extended) == pytest.approx([1.0] * 3, abs=0.03)
    assert c.resolved.mean() > 0.95
    assert width((c.flux - truth["total"]) / c.flux_err) == pytest.approx(1.0, abs=0.15)
    wrong, k = matched(extended, extended.image)
    assert thirds(wrong, k.flux / wrong["total"], extended)[0] < 0.85


def test_islands_are_summed_in_local_beams(points, cube):
    catalogue = search(points.image, make_finder("classic", psf_file=cube, seed=5, grow=2.5)).catalogue
    islands, c = catalogue.islands, catalogue.components
    ratio = islands.flux_int[c.island_id - 1] / c.flux_int
    at = (3 * c.x / SHAPE[1]).astype(int)
    assert [float(np.median(ratio[at == k])) for k in (0, 2)] == pytest.approx([0.95, 0.95], abs=0.04)


def test_a_table_does_as_a_cube_does(points, cube):
    by_cube = search(points.image, make_finder("classic", psf_file=cube)).catalogue.components
    by_table = search(varying.with_beams(points.image), make_finder("classic")).catalogue.components
    np.testing.assert_allclose(by_table.flux, by_cube.flux, rtol=0.02)
    np.testing.assert_allclose(by_table["beam_major"], by_cube["beam_major"], rtol=0.02)


def test_no_tile_and_no_worker_shows(points, cube):
    image = points.image.cut(images.Box(0, 150, 0, 400))
    finder = make_finder("classic", psf_file=cube, channel_width=4e6, integration_time=20.0)
    whole = search(image, finder).catalogue
    assert search(image, finder, tile=64, workers=2).catalogue == whole


def test_the_file_stands_in_the_provenance_and_the_notes(points, cube):
    finding = search(points.image, make_finder("classic", psf_file=cube))
    told = finding.catalogue.provenance
    assert told.options["psf_file"] == cube
    assert [each.name for each in told.inputs] == ["mosaic", "psf.fits"]
    assert told.inputs[1].checksum.startswith("sha256:")
    assert any("the beam over the map is that of psf.fits" in note for note in finding.notes)
    again, _ = as_seen(finding.image, ClassicOptions(psf_file=cube))
    assert again == finding.image


def test_one_beam_all_over_the_map_changes_no_flux():
    """A map of beams that says what the header says gives the catalogue of the header."""
    data, _ = skies.paint(
        (150, 200), images.ROUND, rms=images.RMS,
        sources=skies.population((150, 200), images.ROUND, n_points=12, n_extended=3, snr=(20, 200), rms=images.RMS),
    )  # fmt: skip
    image = images.image(data, images.ROUND, centre=(180.0, -30.0))
    plain = images.finding(image).catalogue.components
    table = BeamTable((180.0,), (-30.0,), (image.beam,))
    c = images.finding(replace(image, beams=table)).catalogue.components
    np.testing.assert_allclose(c.flux, plain.flux, rtol=1e-4)
    np.testing.assert_allclose(c.major_deconv, plain.major_deconv, rtol=1e-3, atol=1e-2)


def test_places_without_a_beam_get_the_nominal_one_and_a_flag(points, tmp_path):
    from astropy.io import fits

    varying.write_cube(tmp_path / "holes.fits", points.image)
    with fits.open(tmp_path / "holes.fits", mode="update") as hdus:
        hdus[0].data[:, :, 30:] = np.nan
    finding = search(points.image, make_finder("classic", psf_file=str(tmp_path / "holes.fits")))
    c = finding.catalogue.components
    right = c.x > 0.78 * SHAPE[1]
    assert has(c.flags, "nominal_beam")[right].all()
    assert not has(c.flags, "nominal_beam")[c.x < 0.7 * SHAPE[1]].any()
    assert c["beam_major"][right] == pytest.approx(points.image.beam.major, rel=1e-3)
    assert any("the nominal beam is taken there" in note for note in finding.notes)


def write_table(path, ra, dec, major=12.0):
    from astropy.table import Table

    Table({"ra": ra, "dec": dec, "bmaj": [major / 3600], "bmin": [major / 3600], "bpa": [0.0]}).write(path)
    return str(path)


@pytest.mark.parametrize(
    ("place", "what"),
    [
        (([180.0], [30.0], 12.0), "tells no beam near the map"),
        (([180.0], [-30.0], 12.0 * 3600), "in degrees"),
    ],
)
def test_tables_of_another_field_or_unit_are_refused(points, tmp_path, place, what):
    path = write_table(tmp_path / "psf.fits", *place)
    with pytest.raises(SkysiftError, match=what) as caught:
        search(points.image, make_finder("classic", psf_file=path))
    assert "\n" not in str(caught.value)


def test_cubes_that_cover_nothing_of_the_map_are_refused(points, cube):
    elsewhere = replace(points.image, frame=images.frame(SHAPE, centre=(20.0, 40.0)))
    with pytest.raises(UsageError, match="tells no beam at any place"):
        as_seen(elsewhere, ClassicOptions(psf_file=cube))


def test_a_cube_with_negative_axes_has_no_beam(points, tmp_path):
    from astropy.io import fits

    varying.write_cube(tmp_path / "negative.fits", points.image)
    with fits.open(tmp_path / "negative.fits", mode="update") as hdus:
        hdus[0].data[0] *= -1.0
    with pytest.raises(UsageError, match="tells no beam at any place"):
        as_seen(points.image, ClassicOptions(psf_file=str(tmp_path / "negative.fits")))


def test_a_map_without_sky_has_no_beams_that_vary(cube):
    with pytest.raises(UsageError, match="place on the sky"):
        as_seen(images.image(np.zeros((30, 30))), ClassicOptions(psf_file=cube))


def test_a_map_whose_beam_varies_is_not_convolved(points):
    from skysift.measure.convolve import convolve

    with pytest.raises(UsageError, match="its beam varies"):
        convolve(varying.with_beams(points.image), Beam(30.0, 30.0))


def test_the_name_of_the_file_is_checked_when_it_is_opened(points, tmp_path):
    with pytest.raises(UsageError, match="no such file of beams"):
        search(points.image, make_finder("classic", psf_file=str(tmp_path / "gone.fits")))
    (tmp_path / "empty.csv").write_text("ra,dec,bmaj,bmin,bpa\n")
    with pytest.raises(FormatError):
        search(points.image, make_finder("classic", psf_file=str(tmp_path / "empty.csv")))


def test_phase_centres_are_two_angles():
    for text in ("12", "north", "10,95", "1,2,3"):
        with pytest.raises(OptionError, match="two angles"):
            ClassicOptions(phase_centre=text, channel_width=1e6)
    with pytest.raises(OptionError, match="is used with"):
        ClassicOptions(phase_centre="10,20")
