"""`unpacked`: what an input holds where it is a tar, under a name whose ending tells its format."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from skysift.base.errors import FormatError
from skysift.jobs.job import Input

__all__ = ["unpacked"]


def unpacked(given: Input, folder: Path) -> Path:
    """The input as it is, or a folder of what a tar holds; a file whose path has lost its ending gets it again.

    Parameters
    ----------
    given
        The input.
    folder
        Where a tar is unpacked, or a copy goes; made where it is needed.

    Raises
    ------
    FormatError
        The tar cannot be read, or holds more than it weighs.
    """
    path, ending = Path(given.path), Path(given.name).suffix
    if path.is_file() and tarfile.is_tarfile(path):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with tarfile.open(path, "r:") as archive:
                if sum(each.size for each in archive) > path.stat().st_size:
                    raise FormatError(
                        "the tar is smaller than what it holds", got=given.name, allowed="a plain tar"
                    )
                archive.extractall(folder, filter="data")
        except (tarfile.TarError, OSError) as error:
            raise FormatError(
                "the tar cannot be read", got=given.name, allowed="a plain tar, not packed"
            ) from error
        return folder
    if ending and path.suffix != ending:
        folder.mkdir(parents=True, exist_ok=True)
        copy = folder / f"{Path(given.name).stem}{ending}"
        shutil.copyfile(path, copy)
        return copy
    return path
