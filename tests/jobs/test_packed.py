"""A tar of images is opened where it holds no more than it weighs."""

import io
import tarfile

import pytest

from skysift.base.errors import FormatError
from skysift.jobs.apps.packed import unpacked
from skysift.jobs.job import Input


def packed(path, mode, content):
    with tarfile.open(path, mode) as archive:
        member = tarfile.TarInfo("a.fits")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


def test_a_plain_tar_is_opened_and_a_packed_one_refused(tmp_path):
    folder = unpacked(Input(str(packed(tmp_path / "a.tar", "w", b"0" * 5000))), tmp_path / "one")
    assert (folder / "a.fits").read_bytes() == b"0" * 5000
    with pytest.raises(FormatError, match="plain tar"):
        unpacked(Input(str(packed(tmp_path / "b.tar", "w:gz", bytes(10**7)))), tmp_path)


def test_a_tar_that_claims_more_than_it_weighs_is_refused(tmp_path):
    member = tarfile.TarInfo("a.fits")
    member.size = 2**40
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(FormatError, match=r"smaller than what it holds|cannot be read"):
        unpacked(Input(str(tmp_path / "a.tar")), tmp_path)
