"""Real maps: whole tables, the same for any tiles, and what other finders saw in them."""

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Table
from tests import images
from tests.images import well_formed

import skysift
from skysift.sky.schema import TABLES

SMALL = ("Aegean_1904-66_SIN", "PyBDSF_ch0_I", "LOFAR_GRB201006A_144MHz", "AMI-LA_GRB120422A")
LARGE = (
    "AMI-LA_SWIFT554620_17GHz",
    "LOFAR_LSMTool_test_image_144MHz",
    "SUMSS_J0318M36",
    "SUMSS_J0336M36",
    "SUMSS_J0320M40",
    "VLA_FornaxA_1510MHz",
    "ATCA_ScorpioExtendedSourceField",
    "ATCA_ScorpioS17Field",
)


def look(data_folder, name, **options):
    return images.finding(skysift.open(data_folder / "continuum" / f"{name}.fits"), **options)


def check(data_folder, name):
    one = well_formed(look(data_folder, name, negative=True))
    other = look(data_folder, name, negative=True, tile=100, workers=2)
    assert len(one.catalogue) > 0
    for table in TABLES:
        assert one.catalogue.table(table) == other.catalogue.table(table)


@pytest.mark.parametrize("name", SMALL)
def test_small_maps(data_folder, name):
    check(data_folder, name)


@pytest.mark.full
@pytest.mark.parametrize("name", LARGE)
def test_large_maps(data_folder, name):
    check(data_folder, name)


@pytest.mark.parametrize(
    ("name", "reference", "columns"),
    [
        ("PyBDSF_ch0_I", "PyBDSF_ref.srl.FITS", ("RA", "DEC", "Total_flux", "Isl_rms")),
        ("Aegean_1904-66_SIN", "Aegean_1904_comp.fits", ("ra", "dec", "int_flux", "local_rms")),
    ],
)
def test_what_others_found_well_is_found(data_folder, name, reference, columns):
    """Sources of other finders above 10 sigma: nearly all have one within a beam, their fluxes alike in the median."""
    finding = look(data_folder, name)
    theirs = Table.read(data_folder / "continuum" / reference)
    ra, dec, flux, rms = (np.asarray(theirs[column], float) for column in columns)
    bright = flux > 10 * rms
    assert bright.sum() > 20
    s = finding.catalogue.sources
    index, apart, _ = SkyCoord(ra[bright], dec[bright], unit="deg").match_to_catalog_sky(
        SkyCoord(s.ra, s.dec, unit="deg")
    )
    near = apart.arcsec < finding.image.beam.major
    assert near.mean() > 0.85
    assert np.median(s.flux[index[near]] / flux[bright][near]) == pytest.approx(1.0, abs=0.1)
    assert len(s) < 2 * len(theirs)
