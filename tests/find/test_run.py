"""The verb: `skysift.find(image, finder, ...)`, its errors, its progress, its story."""

from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from tests import images, skies
from tests.images import RMS, source

import skysift
from skysift.base.errors import OptionError, RegionError, UnknownName, UsageError, exit_code
from skysift.find.classic.finder import ClassicFinder
from skysift.find.classic.options import ClassicOptions
from skysift.find.run import find, make_finder, search
from skysift.sky.box import Box, PixelRegion, SkyRegion
from skysift.sky.schema import TABLES


@pytest.fixture(scope="module")
def image():
    sources = [source(30 + 40 * k, 70, 0.008 + 0.01 * k) for k in range(4)]
    return images.painted((150, 180), *sources, centre=(10.0, -50.0))


def same(one, other) -> bool:
    return all(one.table(name) == other.table(name) for name in TABLES)


def test_the_verb_of_the_package(image):
    catalogue = skysift.find(image, "classic", seed=5, grow=3)
    assert same(catalogue, find(image))
    assert same(catalogue, find(image, ClassicFinder(ClassicOptions())))
    assert catalogue.provenance.finder == "classic"
    assert catalogue.provenance.options == ClassicOptions().to_dict()


def test_options_change_what_is_found(image):
    assert len(find(image, seed=50)) < len(find(image))
    assert len(find(image, seed=3.5, grow=2.5)) > len(find(image, seed=6.0))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seeds": 4}, r"no such option.*'seeds'.*did you mean 'seed'"),
        ({"seed": -1}, r"'seed' is not allowed.*-1.*above 0"),
        ({"seed": "bright"}, r"'seed' is not allowed.*bright.*number"),
        ({"seed": float("nan")}, r"'seed'.*nan"),
        ({"seed": 3, "grow": 4}, r"grow must not exceed seed.*grow=4.0, seed=3.0"),
        ({"connectivity": 6}, r"'connectivity' is not allowed.*6.*8 | 4"),
        ({"errors": "none"}, r"'errors' is not allowed.*sandwich | condon"),
        ({"background": "flat"}, r"'background' is not allowed.*mesh | zero | file"),
        ({"fdr": 2.0}, r"'fdr' is not allowed.*below 1"),
        ({"max_components": 0}, r"'max_components' is not allowed.*at least 1"),
    ],
)
def test_wrong_options_are_told_in_one_line(image, options, words):
    with pytest.raises(OptionError, match=words) as error:
        find(image, "classic", **options)
    assert "\n" not in str(error.value)
    assert exit_code(error.value.kind) == 2


def test_an_unknown_finder_lists_the_known(image):
    with pytest.raises(UnknownName, match=r"clasic.*classic") as error:
        find(image, "clasic")
    assert exit_code(error.value.kind) == 2


def test_options_of_a_finder_that_is_given_are_its_own(image):
    with pytest.raises(UsageError, match="seed"):
        find(image, make_finder("classic"), seed=4)


def test_what_the_machine_may_do(image):
    with pytest.raises(UsageError, match=r"the tile is too small.*63.*64"):
        find(image, tile=63)
    with pytest.raises(UsageError, match=r"workers.*0"):
        find(image, workers=0)
    with pytest.raises(RegionError, match="does not meet the map"):
        find(image, region=PixelRegion(Box(1000, 1100, 0, 10)))


def test_a_region_on_the_sky(image):
    c = find(image).components
    circle = SkyRegion(float(c.ra[2]), float(c.dec[2]), 20 / 3600)
    part = find(image, region=circle)
    assert part.components.x.tolist() == [c.x[2]]


def test_provenance_tells_the_science_and_nothing_of_the_machine(image):
    one, other = find(image, seed=6), find(image, seed=6, tile=64, workers=2)
    assert one.provenance == other.provenance
    assert one.provenance.options["seed"] == 6.0
    assert one.provenance.version == skysift.__version__
    (record,) = one.provenance.inputs
    assert record == image.input_record()
    text = str(one.provenance.to_dict())
    assert "tile" not in text
    assert "workers" not in text


def test_notes_of_the_image_are_in_the_provenance(image):
    noted = replace(image, notes=("something was odd",))
    finding = images.finding(noted)
    assert "something was odd" in finding.notes
    assert finding.catalogue.provenance.notes == finding.notes


def test_progress_reaches_its_end_in_every_stage(image):
    calls = []
    search(image, make_finder("classic"), tile=64, workers=2, progress=lambda *call: calls.append(call))
    stages = list(dict.fromkeys(stage for stage, _, _ in calls))
    assert len(stages) >= 3
    assert [stage for stage, _, _ in calls] == sorted((stage for stage, _, _ in calls), key=stages.index)
    for stage in stages:
        steps = [(done, total) for name, done, total in calls if name == stage]
        assert [done for done, _ in steps] == list(range(1, steps[0][1] + 1))


@pytest.mark.parametrize("workers", [1, 3])
def test_what_breaks_in_a_tile_comes_out_unchanged(image, workers):
    class Broken:
        shape = image.shape

        def read(self, box):
            raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        find(replace(image, pixels=Broken()), workers=workers, tile=64)


def test_an_interrupt_ends_the_search(image):
    def stop(stage, done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find(image, workers=2, tile=64, progress=stop)


# -- one sky from several doors


def test_a_file_and_a_packed_file_and_an_array_give_one_catalogue(tmp_path, image):
    data = image.read()
    skies.write(tmp_path / "map.fits", data, images.ROUND, centre=(10.0, -50.0))
    header = fits.getheader(tmp_path / "map.fits")
    packed = fits.CompImageHDU(data, header, compression_type="GZIP_1", quantize_level=0)
    fits.HDUList([fits.PrimaryHDU(), packed]).writeto(tmp_path / "map.fits.fz")
    fits.PrimaryHDU(data.astype("f8"), header).writeto(tmp_path / "double.fits")
    fits.PrimaryHDU(data[None, None], header).writeto(tmp_path / "cube.fits")
    opened = [
        skysift.open(tmp_path / name) for name in ("map.fits", "map.fits.fz", "double.fits", "cube.fits")
    ]
    opened.append(
        skysift.SkyImage.from_array(data, beam=opened[0].beam, wcs=WCS(header), frequency=opened[0].frequency)
    )
    catalogues = [find(each) for each in opened]
    assert len(catalogues[0]) == 4
    for other in catalogues[1:]:
        assert same(catalogues[0], other)


def test_the_unit_of_the_map_does_not_matter(tmp_path, image):
    skies.write(tmp_path / "jansky.fits", image.read(), images.ROUND)
    skies.write(tmp_path / "milli.fits", image.read() * 1000, images.ROUND, BUNIT="mJy/beam")
    one, other = (find(skysift.open(tmp_path / name)).components for name in ("jansky.fits", "milli.fits"))
    for name in ("x", "y", "flux", "flux_err", "major", "snr"):
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4)


def test_scaled_integers_give_nearly_the_same(tmp_path, image):
    data = image.read()
    skies.write(tmp_path / "float.fits", data, images.ROUND)
    scaled = fits.PrimaryHDU(data.astype("f8"), fits.getheader(tmp_path / "float.fits"))
    scaled.scale("int16", bscale=RMS / 50, bzero=0.0)
    scaled.writeto(tmp_path / "short.fits")
    one, other = (find(skysift.open(tmp_path / name)).components for name in ("float.fits", "short.fits"))
    assert len(one) == len(other)
    np.testing.assert_allclose(one.flux, other.flux, rtol=0.01, atol=0.1 * RMS)


# -- options of the classic finder


def test_four_neighbours_part_what_touches_at_corners():
    data = np.zeros((80, 90), np.float32)
    rng = np.random.default_rng(1)
    data += rng.standard_normal(data.shape).astype("f4")
    for k in range(6):
        data[30 + k, 40 + k] = 100.0
    image = images.image(data, images.ROUND)
    assert len(find(image, connectivity=8).islands) == 1
    assert len(find(image, connectivity=4).islands) == 6


def test_a_false_discovery_threshold():
    shape = (400, 400)
    noise, _ = skies.paint(shape, images.ROUND, rms=RMS, seed=5)
    sources = skies.population(shape, images.ROUND, n_points=60, snr=(8, 100), rms=RMS, seed=5)
    full, _ = skies.paint(shape, images.ROUND, rms=RMS, sources=sources, seed=5)
    assert len(find(images.image(noise), fdr=1e-4, grow=2.5)) <= 1
    finding = images.finding(images.image(full), fdr=0.01, grow=2.5)
    assert len(finding.catalogue.islands) == pytest.approx(60, abs=10)
    strict = find(images.image(full), fdr=1e-6, grow=2.5)
    assert len(strict.islands) <= len(finding.catalogue.islands)
    assert finding.catalogue.islands.snr.min() >= 2.5


def test_errors_by_condon(image):
    sandwich, condon = (find(image, errors=kind).components for kind in ("sandwich", "condon"))
    for name in ("x", "y", "flux_peak", "flux_int", "flux", "major", "minor", "pa", "resolved"):
        np.testing.assert_array_equal(sandwich[name], condon[name])
    free = np.isfinite(condon.major_err)
    point = condon.snr > 15
    snr = condon.snr[free & point]
    np.testing.assert_allclose((condon.flux_peak_err / condon.rms)[free & point], 1.0, atol=0.35)
    np.testing.assert_allclose(
        (condon.flux_int_err / condon.flux_int)[free & point] * snr / np.sqrt(3), 1.0, atol=0.15
    )
    np.testing.assert_allclose(
        condon.ra_err[free & point] * snr * np.sqrt(8 * np.log(2)) / 8.0, 1.0, atol=0.1
    )


def test_a_wider_prominence_splits_less():
    image = images.painted((120, 160), source(70, 60, 0.05), source(76, 60, 0.05))
    assert len(find(image).components) == 2
    assert len(find(image, prominence=40.0, reseed=60.0).components) == 1
