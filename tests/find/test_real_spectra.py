"""Fornax A with the VLA at 1510 MHz and in SUMSS at 843 MHz: other pixels, another beam, other baselines."""

from zipfile import ZipFile

import numpy as np
import pytest

from skysift.find.channels import Channels
from skysift.find.run import make_finder, search
from skysift.io.open import open_image
from skysift.sky.beam import Beam
from skysift.sky.box import PixelRegion
from skysift.sky.flags import has


def test_the_lobes_of_fornax_a_are_seen_unlike_by_two_arrays(data_folder):
    folder = data_folder / "continuum"
    vla, sumss = folder / "VLA_FornaxA_1510MHz.fits", folder / "SUMSS_J0318M36.fits"
    if not (vla.is_file() and sumss.is_file()):
        pytest.skip(f"{folder} lacks the maps of Fornax A")
    image = open_image(vla)
    middle = PixelRegion(image.box.expand(-150))
    finding = search(image, make_finder("classic"), region=middle, beside=[Channels((image, str(sumss)))])
    rows = finding.catalogue.components
    assert (rows["n_channels"] == 2).any()
    doubted = has(rows["flags"], "uv_mismatch")
    assert doubted.any()
    assert (rows["major_deconv"][doubted] > Beam(76.56, 45.0).minor).all()
    assert not doubted[~np.asarray(rows["resolved"], bool)].any()
    assert (rows["spectral_index_err"][np.isfinite(rows["spectral_index"])] < 5).all()


def test_channels_of_askap_with_hardly_any_data_do_not_spoil_the_common_beam(data_folder, tmp_path):
    archive = data_folder / "cubes" / "ASKAP_EMU_1743-51_subcubes.zip"
    if not archive.is_file():
        pytest.skip(f"no {archive}")
    with ZipFile(archive) as file:
        path = file.extract(file.namelist()[0], tmp_path)
    opened = Channels((path,)).open(open_image(path, plane=(0, 20)))
    assert len(opened.planes) == 33
    assert any(
        note.endswith("than those of the other planes: plane 11, plane 18 left out") for note in opened.notes
    )
    assert opened.common.major == pytest.approx(14.58, rel=0.02)
    for each in opened.planes:
        opened.common.deconvolve(each.beam)
