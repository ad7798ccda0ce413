"""Bright sources come back as they were painted."""

import dataclasses

import numpy as np
import pytest
from tests import images, skies
from tests.images import source

from skysift.sky.box import Box
from skysift.sky.flags import describe, flag, has

QUIET = 1e-6  # Jy/beam; sources of about 1 Jy are then all but free of noise
SHAPE = (160, 190)


def found(*sources, beam_px=images.BEAM, shape=SHAPE, rms=QUIET, noise="convolved", place=None, **options):
    image = images.painted(shape, *sources, beam_px=beam_px, rms=rms, noise=noise, **(place or {}))
    return images.finding(image, **options)


@pytest.mark.parametrize("beam_px", [images.BEAM, images.ROUND, (12.0, 9.0, 140.0), (2.5, 2.2, 0.0)])
@pytest.mark.parametrize("place", [{}, {"scale": (19.0, 11.0)}, {"centre": (30.0, 60.0)}])
def test_a_point_source(beam_px, place):
    finding = found(source(80.3, 70.8, 0.7), beam_px=beam_px, place=place)
    (c,) = finding.catalogue.components.to_astropy()
    assert (c["x"], c["y"]) == pytest.approx((80.3, 70.8), abs=1e-3)
    assert c["flux"] == pytest.approx(0.7, rel=1e-3)
    assert c["flux_int"] == pytest.approx(0.7, rel=1e-3)
    assert c["flux_peak"] == pytest.approx(0.7, rel=1e-3)
    assert (c["major"], c["minor"]) == pytest.approx(
        (finding.image.beam.major, finding.image.beam.minor), rel=1e-3
    )
    assert c["structure"] == "S"
    assert not c["resolved"]
    assert c["major_deconv"] < 0.1 * c["major"]


@pytest.mark.parametrize("size", [(6.0, 6.0, 0.0), (9.0, 4.0, 75.0), (20.0, 12.0, 160.0)])
@pytest.mark.parametrize("scale", [(2.0, 2.0), (19.0, 11.0)])
def test_an_extended_source(size, scale):
    finding = found(source(90.6, 75.2, 5.0, *size), place={"scale": scale, "centre": (200.0, -40.0)})
    (c,) = finding.catalogue.components.to_astropy()
    assert (c["x"], c["y"]) == pytest.approx((90.6, 75.2), abs=2e-3)
    assert c["flux"] == pytest.approx(5.0, rel=1e-3)
    arcsec = np.diag([scale[1], scale[0]])
    seen = arcsec @ (skies.covariance(*images.BEAM) + skies.covariance(*size)) @ arcsec
    true = arcsec @ skies.covariance(*size) @ arcsec
    for columns, covariance in (
        (("major", "minor", "pa"), seen),
        (("major_deconv", "minor_deconv", "pa_deconv"), true),
    ):
        major, minor, pa = skies.ellipse(covariance)
        assert (c[columns[0]], c[columns[1]]) == pytest.approx((major, minor), rel=2e-3)
        if major > 1.05 * minor:
            assert (c[columns[2]] - pa + 90) % 180 - 90 == pytest.approx(0.0, abs=0.2)
    assert c["resolved"]


def test_the_flux_of_a_model_is_that_of_its_components():
    """The sum of the model over the map is the sum of fluxes times the beam's solid angle."""
    finding = found(
        source(50, 60, 0.7), source(100, 100, 3.0, 8.0), source(120.4, 40.2, 2.0, 12.0, 5.0, 30.0)
    )
    c = finding.catalogue.components
    model = finding.read("model", Box.of(SHAPE))
    area = skies.beam_area(images.BEAM)
    assert model.sum(dtype=float) / area == pytest.approx(c.flux_int.sum(), rel=1e-4)
    assert c.flux_int.sum() == pytest.approx(5.7, rel=1e-3)
    data = finding.image.read()
    np.testing.assert_allclose(finding.read("residual", Box.of(SHAPE)), data - model, atol=3e-6)
    assert np.abs(finding.read("residual", Box.of(SHAPE))).max() < 2e-3


@pytest.mark.parametrize("rotation", [0.0, 40.0])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("axes", [("RA", "DEC"), ("GLON", "GLAT")])
def test_positions_and_angles_are_icrs(rotation, mirrored, axes):
    """The tips of the major axis, taken to the sky by astropy, give the position angle from ICRS north."""
    import astropy.units as u

    place = {
        "centre": (35.0, 20.0),
        "rotation": rotation,
        "mirrored": mirrored,
        "axes": axes,
        "projection": "TAN",
    }
    finding = found(source(60.0, 110.0, 5.0, 16.0, 6.0, 50.0), beam_px=images.ROUND, place=place)
    (c,) = finding.catalogue.components.to_astropy()
    along = np.array([-np.sin(np.radians(50)), np.cos(np.radians(50))]) * 3  # in pixels (x, y)
    wcs = finding.image.frame.wcs
    centre = wcs.pixel_to_world(60.0, 110.0).icrs
    tip = wcs.pixel_to_world(60.0 + along[0], 110.0 + along[1]).icrs
    assert (c["ra"], c["dec"]) == pytest.approx((centre.ra.deg, centre.dec.deg), abs=1e-5)
    turned = c["pa"] - centre.position_angle(tip).to_value(u.deg)
    assert (turned + 90) % 180 - 90 == pytest.approx(0.0, abs=0.2)


@pytest.mark.parametrize("plane", ["sky", "image"])
def test_a_beam_fixed_on_the_sky_is_wider_in_pixels_where_the_map_stretches_it(plane):
    """At latitude 60 a pixel of a CAR map is half as wide on the sky as at its equator."""
    shape, (x, y) = (120, 190), (80.3, 60.8)
    quiet = images.painted(shape, rms=QUIET, projection="CAR", centre=(0.0, 0.0))
    frame = dataclasses.replace(quiet.frame.crop(Box(108000, 108120, 0, 190)), beam_plane=plane)
    xx, xy, yy = frame.with_beam_plane("sky").beam_covariance(quiet.beam, x, y)[0]
    major, minor, pa = skies.ellipse(np.array([[xx, xy], [xy, yy]]))
    assert (major, minor) == pytest.approx((8.0, 4.0), rel=0.01)
    there = skies.paint(shape, (major, minor, pa), rms=QUIET, sources=source(x, y, 0.7))[0]
    finding = images.finding(
        dataclasses.replace(images.image(there, images.ROUND), frame=frame, beam=quiet.beam)
    )
    (c,) = finding.catalogue.components.to_astropy()
    assert c["resolved"] == (plane == "image")
    assert (c["major"], c["minor"]) == pytest.approx((8.0, 8.0), rel=2e-3)  # arcsec on the sky
    assert c["flux"] == pytest.approx(0.7 if plane == "sky" else 1.4, rel=2e-3)


@pytest.mark.parametrize(("distance", "ratio"), [(8.0, 1.0), (10.0, 0.3), (14.0, 0.1)])
def test_doubles_are_split(distance, ratio):
    finding = found(source(80, 70, 1.0), source(80 + distance, 72, ratio), beam_px=images.ROUND, rms=1e-3)
    c = finding.catalogue.components
    assert len(c) == 2
    order = np.argsort(c.x)
    assert c.flux[order] == pytest.approx([1.0, ratio], rel=0.05)
    assert c.x[order] == pytest.approx([80, 80 + distance], abs=0.1)


def test_a_faint_neighbour_in_the_wing_is_found_in_the_residual():
    finding = found(source(80, 70, 1.0), source(85.5, 70, 0.15), beam_px=images.ROUND, rms=1e-3)
    c = finding.catalogue.components
    assert len(c) == 2
    order = np.argsort(-c.flux)
    assert c.flux[order] == pytest.approx([1.0, 0.15], rel=0.1)
    assert c.x[order] == pytest.approx([80, 85.5], abs=0.3)
    assert has(c.flags, "reseeded").any()


def test_an_unresolved_source_has_the_flux_of_the_beam_shaped_fit():
    finding = found(
        *(source(30 + 40 * k, 40 + 25 * k, 0.02) for k in range(4)), beam_px=images.ROUND, rms=1e-3
    )
    c = finding.catalogue.components
    assert len(c) == 4
    unresolved = ~c.resolved
    assert unresolved.sum() >= 3
    np.testing.assert_array_equal(c.flux[unresolved], c.flux_beam[unresolved])
    np.testing.assert_array_equal(c.flux_err[unresolved], c.flux_beam_err[unresolved])
    assert (c.flux_beam_err < c.flux_int_err)[~has(c.flags, "beam_shaped")].all()
    np.testing.assert_array_equal(c.flux[c.resolved], c.flux_int[c.resolved])
    assert np.isnan(c.flux_beam[c.resolved]).all()


def test_a_disc_is_resolved_and_its_island_holds_its_flux():
    disc = skies.population(SHAPE, images.ROUND, n_discs=1, lattice=150, seed=1)
    disc["total"], disc["dmaj"], disc["dmin"] = 3.0, 24.0, 24.0
    finding = found(disc, beam_px=images.ROUND, rms=1e-4)
    catalogue = finding.catalogue
    assert len(catalogue.islands) == 1
    assert catalogue.components.resolved.any()
    assert catalogue.islands.flux_int[0] == pytest.approx(3.0, rel=0.02)
    assert catalogue.sources.flux.sum() == pytest.approx(3.0, rel=0.1)


# -- islands of every sort


def junk(kind: str, rng: np.random.Generator) -> np.ndarray:
    """Something bright that no Gaussian fits, in units of the rms."""
    data = np.zeros((90, 100))
    y, x = np.mgrid[:90, :100]
    if kind == "hot pixel":
        data[rng.integers(90), rng.integers(100)] = 10 ** rng.uniform(1, 5)
    elif kind == "row":
        data[rng.integers(90), rng.integers(0, 40) : rng.integers(45, 100)] = rng.uniform(6, 100)
    elif kind == "column":
        data[rng.integers(0, 30) : rng.integers(35, 90), rng.integers(100)] = rng.uniform(6, 100)
    elif kind == "diagonal":
        data[abs(y - x + rng.integers(-40, 40)) < 1] = rng.uniform(6, 100)
    elif kind == "blob":
        data[rng.random((90, 100)) < 0.002] = rng.uniform(20, 200)
        data = skies.covariance(3, 3, 0)[0, 0] * data
        data = np.maximum(data, np.roll(data, 1, 0) * rng.uniform(0, 1))
    elif kind == "plateau":
        data[20 : 20 + rng.integers(1, 30), 30 : 30 + rng.integers(1, 40)] = rng.uniform(6, 50)
    elif kind == "ring":
        r = np.hypot(y - 45, x - 50)
        data[abs(r - rng.uniform(5, 30)) < rng.uniform(0.6, 3)] = rng.uniform(6, 50)
    elif kind == "corner":
        data[:2, :3] = data[-1:, -2:] = rng.uniform(6, 500)
    return data


@pytest.mark.parametrize(
    "kind", ["hot pixel", "row", "column", "diagonal", "blob", "plateau", "ring", "corner"]
)
@pytest.mark.parametrize("beam_px", [images.BEAM, (1.5, 1.5, 0.0), (12.0, 12.0, 0.0)])
def test_an_island_above_the_seed_never_vanishes(kind, beam_px):
    rng = np.random.default_rng(len(kind))
    data = junk(kind, rng) + skies.correlated_noise((90, 100), beam_px, "convolved", rng)
    data[rng.integers(0, 90, 3), rng.integers(0, 100, 3)] = np.nan
    finding = images.finding(images.image(data, beam_px, scale=(3.0, 2.0), centre=(40.0, 50.0)))
    tile = finding.noise.tile(finding.image, Box.of(data.shape))
    snr = (tile.data.astype(float) - tile.level) / tile.rms
    labels = finding.mask.paint()
    assert (labels[np.nan_to_num(snr) >= 5] > 0).all()
    catalogue = finding.catalogue
    assert len(catalogue.islands) == labels.max()
    assert set(catalogue.components.island_id.tolist()) == set(range(1, labels.max() + 1))
    assert (catalogue.islands.n_components >= 1).all()
    for table in (catalogue.components, catalogue.sources):
        for name in ("x", "y", "flux_peak", "flux_int", "flux", "major", "minor", "snr", "rms"):
            assert np.isfinite(table[name]).all(), (name, [describe(f) for f in table.flags])
        assert (table.flux > 0).all()
        assert table.flux_peak.max() < 5 * np.nanmax(data)
        assert (table.major >= table.minor).all()
        assert (table.minor > 0).all()
        known = ~has(table.flags, "no_errors")
        for name in ("flux_err", "flux_int_err", "flux_peak_err", "x_err", "y_err", "ra_err", "dec_err"):
            assert (table[name][known] > 0).all(), name
        assert np.isnan(table.x_err[~known]).all()


@pytest.mark.full
@pytest.mark.parametrize("seed", range(120))
def test_islands_of_any_junk_are_measured(seed):
    rng = np.random.default_rng([seed, 77])
    kinds = ["hot pixel", "row", "column", "diagonal", "blob", "plateau", "ring", "corner"]
    beam_px = [images.BEAM, images.ROUND, (1.5, 1.5, 0.0), (12.0, 3.0, 70.0), (3.0, 2.5, 100.0)][seed % 5]
    signs = rng.choice([1, 1, 1, -1], 3)
    data = sum(sign * junk(kind, rng) for kind, sign in zip(rng.choice(kinds, 3), signs, strict=True))
    data = data + skies.correlated_noise((90, 100), beam_px, "convolved", rng)
    data[rng.random((90, 100)) < [0.0, 0.01, 0.2][seed % 3]] = np.nan
    image = images.image(data, beam_px, scale=(3.0, 2.0), centre=(40.0, 50.0))
    finding = images.well_formed(images.finding(image, negative=True, connectivity=4 + 4 * (seed % 2)))
    c = finding.catalogue.components
    assert set(c.island_id.tolist()) == set(range(1, finding.mask.paint().max() + 1))
    known = ~has(c.flags, "no_errors")
    for name in ("flux_err", "flux_int_err", "flux_peak_err", "x_err", "y_err", "ra_err", "dec_err"):
        assert (c[name][known] > 0).all(), name
    assert np.abs(c.flux_peak).max() < 5 * np.nanmax(np.abs(data))


def test_what_no_gaussian_fits_has_moments():
    """A hot pixel is no beam; whatever it is called, it is told."""
    data = skies.correlated_noise((90, 100), images.BEAM, "convolved", np.random.default_rng(1))
    data[40, 50] += 1e4
    c = images.finding(images.image(data, images.BEAM)).catalogue.components
    assert len(c) == 1
    assert (c.x[0], c.y[0]) == pytest.approx((50, 40), abs=0.5)
    assert c.flags[0] & (flag("moments") | flag("beam_shaped") | flag("fit_failed") | flag("poor_fit"))


def crowd(n: int, step: float) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    side = round(np.sqrt(n))
    return [
        source(
            12 + step * i + rng.uniform(-0.3, 0.3),
            100 + step * j + rng.uniform(-0.3, 0.3),
            rng.uniform(0.5, 2),
        )
        for i in range(side)
        for j in range(side)
    ]


def test_an_island_of_four_hundred_peaks_is_fitted():
    sources = crowd(400, 7.0)
    finding = found(*sources, beam_px=images.ROUND, shape=(330, 330), rms=2e-2, max_components=1000)
    c = finding.catalogue
    assert len(c.islands) < 20  # they touch
    assert len(c.components) == pytest.approx(400, abs=25)
    assert c.components.flux.sum() == pytest.approx(sum(s["total"][0] for s in sources), rel=0.02)
    assert not has(c.islands.flags, "budget").any()


def test_an_island_beyond_its_budget_is_flagged_and_keeps_its_brightest():
    finding = found(*crowd(100, 7.0), beam_px=images.ROUND, shape=(270, 270), rms=2e-3, max_components=30)
    c = finding.catalogue
    largest = np.argmax(c.islands.n_components)
    assert c.islands.n_components[largest] <= 30
    assert has(c.islands.flags, "budget")[largest]
    assert has(c.components.flags, "budget")[c.components.island_id == c.islands.island_id[largest]].all()
