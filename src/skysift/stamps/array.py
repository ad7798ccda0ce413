"""All stamps of a run as one array (source, band, y, x) beside names and positions, in Zarr or in HDF5."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError
from skysift.base.extras import require

__all__ = ["ARRAYS", "ArrayForm", "StoredArray", "array_in", "write_array"]

ArrayForm: TypeAlias = Literal["zarr", "hdf5"]

ARRAYS: dict[ArrayForm, str] = {"zarr": "stamps.zarr", "hdf5": "stamps.hdf5"}
_LIBRARY: dict[ArrayForm, str] = {"zarr": "zarr", "hdf5": "h5py"}


@dataclass(frozen=True)
class StoredArray:
    """The array of a run; a row is read when it is asked for.

    Parameters
    ----------
    path
        Of the group or the file.
    form
        ``zarr`` or ``hdf5``.
    shape
        Sources, bands, rows and columns.
    """

    path: Path
    form: ArrayForm
    shape: tuple[int, ...]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """The stamps of some sources: (source, band, y, x)."""
        return np.stack(list(self.each(rows))) if len(rows) else np.empty((0, *self.shape[1:]), np.float32)

    def each(self, rows: Iterable[int] | None = None) -> Iterator[NDArray[np.float32]]:
        """The stamps (band, y, x) of some sources, or of all, one by one."""
        rows = range(len(self)) if rows is None else rows
        with _opened(self.path, self.form) as stamps:
            for row in rows:
                yield np.asarray(stamps[int(row)], np.float32)


def array_in(folder: Path) -> StoredArray | None:
    """The array in the folder of a run; None where there is none."""
    for form, name in ARRAYS.items():
        if (folder / name).exists():
            with _opened(folder / name, form) as stamps:
                return StoredArray(folder / name, form, tuple(stamps.shape))
    return None


@contextmanager
def _opened(path: Path, form: ArrayForm) -> Iterator[Any]:
    """The array on disk, to be read.

    Raises
    ------
    FormatError
        It cannot be read.
    """
    require(f"format={form}", _LIBRARY[form])
    try:
        if form == "zarr":
            import zarr  # late: only where stamps are kept so

            yield zarr.open_group(path, mode="r")["stamps"]
        else:
            import h5py  # likewise

            with h5py.File(path, "r") as file:
                yield file["stamps"]
    except (OSError, KeyError, ValueError) as error:
        raise FormatError(
            "the array of stamps cannot be read", got=str(path), todo="make it again"
        ) from error


def write_array(
    path: Path,
    form: ArrayForm,
    pieces: Sequence[Path],
    shape: tuple[int, int, int, int],
    names: Sequence[str],
    columns: Mapping[str, NDArray[np.float64]],
    told: Mapping[str, Any],
) -> None:
    """Join pieces to one array, each removed as soon as it is in: ``stamps``, a column of each name, attributes.

    Parameters
    ----------
    path
        The Zarr group, or the HDF5 file.
    form
        Which of them.
    pieces
        Files of numpy: some sources (source, band, y, x) each, in their order.
    shape
        Of the whole array.
    names
        Of the sources: an attribute of the group in Zarr, a dataset in HDF5, where attributes end at 64 KB.
    columns
        Numbers, one a source, such as positions (deg).
    told
        Texts, numbers and lists of texts that become attributes.
    """
    if form == "zarr":
        import zarr  # late: only where stamps are kept so

        group = zarr.open_group(path, mode="w")
        stamps = group.create_array(
            "stamps", shape=shape, chunks=(1, *shape[1:]), dtype="f4", fill_value=math.nan
        )
        _fill(stamps, pieces)
        for name, values in columns.items():
            group.create_array(name, data=np.asarray(values, np.float64))
        group.attrs.update({"names": list(names), **told})
        return
    import h5py  # likewise

    with h5py.File(path, "w") as file:
        _fill(
            file.create_dataset(
                "stamps", shape, "f4", chunks=(1, *shape[1:]), compression="gzip", compression_opts=1, shuffle=True,
                fillvalue=math.nan,
            ),
            pieces,
        )  # fmt: skip
        for name, values in columns.items():
            file.create_dataset(name, data=np.asarray(values, np.float64))
        file.create_dataset("names", data=list(names), dtype=h5py.string_dtype())
        file.attrs.update(told)


def _fill(stamps: Any, pieces: Sequence[Path]) -> None:
    row = 0
    for piece in pieces:
        data = np.load(piece)
        stamps[row : row + len(data)] = data
        row += len(data)
        piece.unlink()
