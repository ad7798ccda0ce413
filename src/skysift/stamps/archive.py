"""One tar archive from many pieces that are written side by side, and joined in their order at the end."""

from __future__ import annotations

import re
import shutil
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, OutputError, StorageError
from skysift.io.output import FULL

__all__ = ["PieceWriter", "join_pieces", "safe_name"]

_BLOCK = tarfile.BLOCKSIZE
_LONGEST = 80  # characters of a name in an archive


class PieceWriter:
    """A run of members of a tar archive, in a file that shows only when it is whole.

    Use it as a context.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    StorageError
        The disk is full.
    OutputError
        It cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._half = path.with_name(f".{path.name}.half")

    def __enter__(self) -> PieceWriter:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self._half.open("wb")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self._file.close()
        if kind is None:
            self._half.replace(self.path)
        else:
            self._half.unlink(missing_ok=True)
        if isinstance(error, OSError):
            refused = StorageError if error.errno in FULL else OutputError
            raise refused("a stamp cannot be written", got=str(self.path), todo=error.strerror) from error

    def add(self, name: str, size: int, blocks: Iterable[bytes]) -> None:
        """Add a member of `size` bytes; one whose blocks end early leaves no trace."""
        begin, written = self._file.tell(), 0
        member = tarfile.TarInfo(name)
        member.size, member.mode = size, 0o644
        try:
            self._file.write(member.tobuf(tarfile.PAX_FORMAT))
            for block in blocks:
                self._file.write(block)
                written += len(block)
            self._file.write(b"\0" * (-written % _BLOCK))
            if written != size:
                raise FormatError("a stamp has another size than was told", got=written, allowed=str(size))
        except BaseException:
            self._file.seek(begin)
            self._file.truncate()
            raise

    def dump(self, array: NDArray[np.float32]) -> None:
        """Write an array as the whole piece."""
        np.save(self._file, array)


def join_pieces(pieces: Sequence[Path], archive: Path) -> int:
    """Join pieces to a tar archive, each removed as soon as it is in; the bytes of the archive.

    The pieces go one by one, so that no more than one of them is there twice.
    """
    with archive.open("wb") as whole:
        for path in pieces:
            with path.open("rb") as piece:
                shutil.copyfileobj(piece, whole, 2**20)
            path.unlink()
        whole.write(b"\0" * 2 * _BLOCK)
        whole.write(b"\0" * (-whole.tell() % tarfile.RECORDSIZE))
        return whole.tell()


def safe_name(number: int, name: str, suffix: str = ".fits") -> str:
    """A file name that no other row has and that is harmless wherever it is unpacked: ``000012-J0318.fits``."""
    plain = re.sub(r"[^A-Za-z0-9_+.-]+", "_", name).strip("._")[:_LONGEST]
    return f"{number:06d}{'-' if plain else ''}{plain}{suffix}"
