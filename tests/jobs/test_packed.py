"""A tar of images is opened where it holds no more than it weighs."""

import io
import tarfile

import pytest

from skysift.base.errors import FormatError
from skysift.jobs.apps.classify import _unpacked


def packed(path, mode, content):
    with tarfile.open(path, mode) as archive:
        member = tarfile.TarInfo("a.fits")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return path


def test_a_plain_tar_is_opened_and_a_packed_one_refused(tmp_path):
    folder = _unpacked(packed(tmp_path / "a.tar", "w", b"0" * 5000), "a.tar", tmp_path)
    assert (folder / "a.fits").read_bytes() == b"0" * 5000
    with pytest.raises(FormatError, match="plain tar"):
        _unpacked(packed(tmp_path / "b.tar", "w:gz", bytes(10**7)), "b.tar", tmp_path)


def test_a_tar_that_claims_more_than_it_weighs_is_refused(tmp_path):
    member = tarfile.TarInfo("a.fits")
    member.size = 2**40
    (tmp_path / "a.tar").write_bytes(member.tobuf() + bytes(1024))
    with pytest.raises(FormatError, match=r"smaller than what it holds|cannot be read"):
        _unpacked(tmp_path / "a.tar", "a.tar", tmp_path)
