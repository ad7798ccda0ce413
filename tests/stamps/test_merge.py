"""Maps as one: tiles of one grid pixel by pixel, others interpolated, beams made one, flux kept."""

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from tests.stamps.test_cutout import header

from skysift.base.errors import UsageError
from skysift.stamps.cutout import cut
from skysift.stamps.merge import merge


def sky(head, shape, sources, fwhm=0.05):
    """Round Gaussians at places on the sky, of peak 1, as a header's pixels show them."""
    wcs = WCS(head)
    y, x = np.mgrid[: shape[0], : shape[1]]
    lon, lat = wcs.all_pix2world(x, y, 0)
    total = np.zeros(shape)
    for ra, dec in sources:
        away = np.hypot((lon - ra) * np.cos(np.radians(dec)), lat - dec)
        total += np.exp(-4 * np.log(2) * (away / fwhm) ** 2)
    return total.astype(np.float32)


@pytest.fixture
def whole(tmp_path):
    """A map of noise in one file, and the same in four files whose borders overlap by two pixels."""
    data = np.random.default_rng(1).normal(size=(60, 80)).astype(np.float32)
    data[30, 40:50] = np.nan
    fits.writeto(tmp_path / "whole.fits", data, header(data.shape, (50.0, -30.0)))
    for name, rows, columns in (
        ("a", slice(0, 31), slice(0, 41)),
        ("b", slice(0, 31), slice(39, 80)),
        ("c", slice(29, 60), slice(0, 41)),
        ("d", slice(29, 60), slice(39, 80)),
    ):
        head = header(data.shape, (50.0, -30.0))
        head["CRPIX1"] -= columns.start
        head["CRPIX2"] -= rows.start
        fits.writeto(tmp_path / f"{name}.fits", data[rows, columns], head)
    return data


def test_tiles_of_one_grid_give_the_map_again(whole, tmp_path):
    names = [tmp_path / f"{name}.fits" for name in "bdca"]
    merged = merge(names)
    np.testing.assert_array_equal(merged.data, whole)
    assert merged.overlap == "full"
    path = merged.write(tmp_path / "merged.fits")
    head = fits.getheader(path)
    assert path.stat().st_size == merged.size
    assert WCS(head).wcs_world2pix(50.0, -30.0, 0) == pytest.approx((39.5, 29.5))
    assert (head["BMAJ"], head["BUNIT"]) == (0.03, "Jy/beam")
    assert "merged b.fits, d.fits" in "".join(head["HISTORY"])


def test_a_region_over_the_border_is_that_of_the_whole_map(whole, tmp_path):
    region = "CIRCLE 50.0 -30.0 0.08"
    merged = merge([tmp_path / f"{name}.fits" for name in "abcd"], region)
    direct = cut(tmp_path / "whole.fits", region)
    assert merged.overlap == "full"
    np.testing.assert_array_equal(merged.data, direct.data)
    assert [merged.header[key] for key in ("CRPIX1", "CRPIX2")] == [
        direct.header[key] for key in ("CRPIX1", "CRPIX2")
    ]
    assert merge([tmp_path / "a.fits", tmp_path / "d.fits"], region).overlap == "partial"
    assert merge([tmp_path / "a.fits", tmp_path / "d.fits"], "CIRCLE 60 -30 0.1").empty


def test_maps_of_other_grids_are_interpolated_where_they_belong(tmp_path):
    sources = [(50.0, -30.0), (49.7, -30.1), (50.35, -29.85)]
    one = header((60, 80), (50.1, -30.0))
    two = header((70, 70), (49.8, -30.0), projection="TAN", scale=0.008)
    angle = np.radians(25.0)
    two["PC1_1"], two["PC1_2"], two["PC2_1"], two["PC2_2"] = (
        np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)
    )  # fmt: skip
    for name, head, shape in (("one", one, (60, 80)), ("two", two, (70, 70))):
        fits.writeto(tmp_path / f"{name}.fits", sky(head, shape, sources), head)
    merged = merge([tmp_path / "one.fits", tmp_path / "two.fits"])
    head = merged.header
    truth = sky(head, merged.data.shape, sources)
    covered = np.isfinite(merged.data)
    assert merged.data.shape[1] > 90  # it reaches beyond the first map
    assert covered[30, 5]
    assert np.abs(merged.data - truth)[covered].max() < 2e-3
    assert merged.data[covered].sum() == pytest.approx(truth[covered].sum(), rel=1e-4)


def test_beams_that_differ_are_made_one_and_flux_is_kept(tmp_path):
    for name, centre, fwhm in (("one", 50.2, 0.05), ("two", 49.8, 0.06)):
        head = header((60, 60), (centre, -30.0))
        head["BMAJ"], head["BMIN"], head["BPA"] = fwhm, fwhm, 0.0
        fits.writeto(
            tmp_path / f"{name}.fits", sky(head, (60, 60), [(50.05, -30.0), (49.95, -30.1)], fwhm), head
        )
    merged = merge([tmp_path / "one.fits", tmp_path / "two.fits"])
    assert merged.header["BMAJ"] == merged.header["BMIN"] == pytest.approx(0.06)
    assert "convolved to the beam" in merged.notes[0]
    truth = sky(merged.header, merged.data.shape, [(50.05, -30.0), (49.95, -30.1)], 0.06)
    assert np.nanmax(np.abs(merged.data - truth)) < 3e-3
    assert np.isfinite(merged.data[10:-10, 5:-5]).all()
    assert np.nansum(merged.data) == pytest.approx(truth.sum(), rel=1e-3)


def test_cubes_are_merged_channel_by_channel(tmp_path):
    line = {"CTYPE3": "VRAD", "CRVAL3": 1e4, "CRPIX3": 1.0, "CDELT3": 1e3, "CUNIT3": "m/s", "RESTFRQ": 1.42e9}
    data = np.arange(6 * 20 * 30, dtype=np.float32).reshape(6, 20, 30)
    for name, channels, columns in (("a", slice(0, 5), slice(0, 15)), ("b", slice(1, 6), slice(15, 30))):
        head = header((20, 30), (50.0, -30.0), **line)
        head["CRPIX1"] -= columns.start
        head["CRPIX3"] -= channels.start
        fits.writeto(tmp_path / f"{name}.fits", data[channels, :, columns], head)
    paths = [tmp_path / "a.fits", tmp_path / "b.fits"]
    with pytest.raises(UsageError, match="differ in their axes"):
        merge(paths)
    np.testing.assert_array_equal(merge(paths, velocity=(10.6e3, 14.4e3)).data, data[1:5])


def test_what_cannot_be_one_is_refused_in_one_line(whole, tmp_path):
    paths = [tmp_path / f"{name}.fits" for name in "ab"]
    with pytest.raises(UsageError, match="no map to merge"):
        merge([])
    fits.setval(paths[1], "BUNIT", value="K")
    with pytest.raises(UsageError, match="differ in unit"):
        merge(paths)
    fits.setval(paths[1], "BUNIT", value="JY/BEAM")
    fits.setval(paths[1], "CRVAL1", value=70.0)
    with pytest.raises(UsageError, match="too far apart"):
        merge(paths)


def test_the_mosaics_of_a_survey_are_one(data_folder, tmp_path):
    folder = data_folder / "continuum"
    paths = [folder / "SUMSS_J0318M36.fits", folder / "SUMSS_J0320M40.fits"]
    merged = merge(paths, "RANGE 49.5 50.5 -38.4 -37.8")
    one = cut(paths[0], "RANGE 49.5 50.5 -38.4 -37.8")
    assert merged.overlap == "full"
    assert merged.blanks == 0 < one.blanks + (merged.data.size - one.data.size)
