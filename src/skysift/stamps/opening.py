"""`open_pictures`: stamps of a run, a folder of FITS files or an array in an npz, as pictures of one size."""

from __future__ import annotations

import csv
import gzip
import hashlib
import tarfile
import warnings
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, UsageError
from skysift.base.provenance import InputRecord
from skysift.base.store import checksum
from skysift.stamps.pictures import Ints, Pictures, Pixels, centred
from skysift.stamps.written import ARCHIVE, COVERAGE, open_stamps

__all__ = ["columns_by_name", "labelled", "open_pictures"]

_FITS = (".fits", ".fit", ".fts", ".fits.gz")
_GZIP = b"\x1f\x8b"  # that a compressed file begins with
_BLANK = -32768  # of 16-bit pixels
_PRODUCT = "skysift find made it: it is no picture of the sky"
_ALLOWED = "a folder of `skysift stamps`, a folder of FITS files, or an .npz with images or pixels"


def open_pictures(path: str | Path, *, size: int | None = None, labels: str | Path | None = None) -> Pictures:
    """
    Small images with what is known of each.

    Parameters
    ----------
    path
        The folder of a run of ``skysift stamps``; a folder of FITS images, or one of such folders, each called as the
        label of what is in it; or an npz with ``images`` or ``pixels`` (row, y, x) or (row, band, y, x) and further
        arrays that hold a value a row. Where there is ``step_jy``, pixels are multiplied by it, and -32768 is blank.
    size
        Pixels along the side; images are cut or widened with NaN about their middle. By default the largest side.
    labels
        A table with columns ``name`` and ``label``, and perhaps more; they become facts.

    Raises
    ------
    UsageError
        There is nothing at this place, or no picture can be read.
    FormatError
        It is none of these.
    """
    place = Path(path)
    if not place.exists():
        raise UsageError("there are no pictures at this place", got=str(path), allowed=_ALLOWED)
    if place.is_file() and place.suffix == ".npz":
        pictures = _array(place, size)
    elif (place / COVERAGE).is_file():
        pictures = _run(place, size)
    elif place.is_dir():
        pictures = _folder(place, size)
    else:
        raise FormatError("pictures cannot be read from this", got=place.name, allowed=_ALLOWED)
    if not pictures.good.any():
        first = next((each for each in pictures.errors if each), "it is empty")
        raise UsageError("no picture can be read", got=f"{place.name}: {first}", allowed=_ALLOWED)
    return pictures if labels is None else labelled(pictures, labels)


def labelled(pictures: Pictures, path: str | Path) -> Pictures:
    """Pictures with the columns of a table, whose rows are found by the column ``name``.

    Raises
    ------
    UsageError
        There is no such table, it names no picture, or one twice.
    FormatError
        It has no column ``name``.
    """
    return pictures.with_facts(**columns_by_name(path, pictures.names))


def columns_by_name(
    path: str | Path, names: Sequence[str], what: str = "pictures"
) -> dict[str, NDArray[np.str_]]:
    """The columns of a table for rows of these names, as texts; empty where the table says nothing.

    Parameters
    ----------
    path
        A CSV with a column ``name`` and one or more others.
    names
        Of the rows.
    what
        The rows are called in errors.

    Raises
    ------
    UsageError
        There is no such table, it names none of the rows, or one twice.
    FormatError
        It is no text, or has no column ``name``.
    """
    place = Path(path)
    if not place.is_file():
        raise UsageError("there is no such table of labels", got=str(path), allowed="a CSV with name,label")
    try:
        with place.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(line for line in file if not line.startswith("#"))
            rows = list(reader)
            columns = [each for each in reader.fieldnames or () if each]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FormatError(
            "the table of labels cannot be read", got=place.name, allowed="a CSV with name,label in UTF-8"
        ) from error
    if "name" not in columns or len(columns) < 2:
        raise FormatError("the table of labels has no names", got=columns, allowed="columns name,label[,...]")
    twice = [name for name, n in Counter(row["name"] for row in rows).items() if n > 1]
    if twice:
        raise UsageError("a name stands twice in the table of labels", got=twice[0])
    known = {row["name"]: row for row in rows}
    if not any(name in known for name in names):
        raise UsageError(
            f"the table of labels names none of the {what}",
            got=next(iter(known), "no row"),
            allowed=f"names such as {names[0]}",
        )
    return {
        column: np.array([(known.get(name) or {}).get(column) or "" for name in names])
        for column in columns
        if column != "name"
    }


@dataclass(frozen=True, eq=False)
class _Array:
    """Pixels of one array, kept as they are on disk."""

    values: Any
    size: int
    steps: NDArray[np.float64] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.values), self.values.shape[1], self.size, self.size

    def read(self, rows: Ints) -> Pixels:
        held = np.asarray(self.values[rows])
        pixels = held.astype(np.float32)
        if self.steps is not None:
            pixels *= self.steps[rows, None, None, None].astype(np.float32)
            pixels[held == _BLANK] = np.nan
        return centred(pixels, self.size)


@dataclass(frozen=True, eq=False)
class _Files:
    """Pixels of FITS images: files of their own, or members of an archive at known places."""

    files: tuple[Path, ...]
    places: tuple[tuple[int, int], ...]  # first byte and number of bytes in an archive
    bands: int
    size: int

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return len(self.files), self.bands, self.size, self.size

    def read(self, rows: Ints) -> Pixels:
        out = np.full((len(rows), self.bands, self.size, self.size), np.nan, np.float32)
        for k, row in enumerate(rows):
            image = _image(_bytes(self.files[row], self.places[row] if self.places else None))
            if not isinstance(image, str) and len(image) == self.bands:
                out[k] = centred(image, self.size)
        return out


def _bytes(path: Path, place: tuple[int, int] | None) -> bytes:
    if place is None:
        return path.read_bytes()
    with path.open("rb") as file:
        file.seek(place[0])
        return file.read(place[1])


def _image(content: bytes) -> Pixels | str:
    """The first image of a FITS file as (band, y, x), or what is wrong with it."""
    from astropy.io import fits  # late: heavy

    try:
        if content[:2] == _GZIP:
            content = gzip.decompress(content)
        with (
            warnings.catch_warnings(action="ignore"),  # what is wrong with a file is told of its row
            fits.open(BytesIO(content), memmap=False) as hdus,
        ):
            if any(
                str(hdu.header.get("CREATOR")).startswith("skysift") and "FINDER" in hdu.header
                for hdu in hdus
            ):
                return _PRODUCT
            data = next((hdu.data for hdu in hdus if hdu.is_image and hdu.data is not None), None)
            if data is None:
                return "there is no image in it"
            data = np.asarray(data, np.float32)
    except (OSError, ValueError, TypeError, IndexError, KeyError, EOFError, zlib.error) as error:
        return f"it cannot be read: {' '.join(str(error).split())[:120] or type(error).__name__}"
    while data.ndim > 3 and data.shape[0] == 1:
        data = data[0]
    if data.ndim == 2:
        data = data[None]
    if data.ndim != 3:
        return f"it has {data.ndim} axes, not (band, y, x)"
    return data if np.isfinite(data).any() else "all pixels are blank"


def _array(path: Path, size: int | None) -> Pictures:
    try:
        with ZipFile(path):  # numpy would take a file of another kind
            pass
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            arrays = {name: _texts(held[name]) for name in held.files}
    except (OSError, ValueError, EOFError, BadZipFile, zlib.error) as error:
        raise FormatError(
            "the npz cannot be read", got=path.name, allowed="arrays without pickled objects"
        ) from error
    name = next((each for each in ("images", "pixels", "stamps") if each in arrays), "")
    values = arrays.get(name)
    if values is None or values.ndim not in (3, 4) or values.dtype.kind not in "fiu":
        raise FormatError(
            "the npz holds no pictures",
            got=sorted(arrays),
            allowed="images or pixels: (row, y, x) or (row, band, y, x)",
        )
    if values.ndim == 3:
        values = values[:, None]
    n = len(values)
    facts: dict[str, NDArray[Any]] = {}
    for title, array in arrays.items():
        if title != name and array.ndim == 1 and len(array) == n:
            facts.update(
                {each: _texts(array[each]) for each in array.dtype.names}
                if array.dtype.names
                else {title: array}
            )
    bands = tuple(str(each) for each in arrays["bands"]) if "bands" in arrays else ()
    told = facts.pop("name", facts.pop("names", np.arange(1, n + 1)))
    names, notes = _told_apart([str(each).strip() for each in told])
    facts.setdefault("pixels", np.full(n, max(values.shape[2:])))
    step = facts.get("step_jy")
    store = _Array(
        values, size or max(values.shape[2:]), None if step is None else np.asarray(step, np.float64)
    )
    if values.dtype.kind == "f":
        blank = ~np.isfinite(values).any(axis=(1, 2, 3))
    else:
        blank = (values == _BLANK).all(axis=(1, 2, 3)) if step is not None else np.zeros(n, np.bool_)
    errors = np.where(blank, "all pixels are blank", "")
    if step is not None:
        steps = np.asarray(step, np.float64)
        good = np.isfinite(steps) & (steps != 0.0)
        errors = np.where(good, errors, "its step_jy is 0, or no number")
    return Pictures(
        names,
        bands if len(bands) == values.shape[1] else _numbered(values.shape[1]),
        store,
        np.arange(n),
        facts,
        tuple(str(each) for each in errors),
        unit="Jy/beam" if step is not None else "",
        origin=_origin(path),
        notes=notes,
    )


def _texts(values: NDArray[Any]) -> NDArray[Any]:
    """The array; of bytes the texts that they are."""
    return np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values


def _run(folder: Path, size: int | None) -> Pictures:
    from astropy.io import fits  # late: heavy

    stored = open_stamps(folder)
    with fits.open(folder / COVERAGE, memmap=False) as hdus:
        rows, header = hdus[1].data, hdus[1].header
        facts = {name: np.array(rows[name]) for name in rows.dtype.names if name not in ("name", "file")}
    facts = {name: values.astype(values.dtype.newbyteorder("=")) for name, values in facts.items()}
    sides = np.asarray(facts["pixels"], np.int64)
    errors = tuple("" if side > 0 else "there is no stamp" for side in sides)
    side = size or int(sides.max(initial=1))
    origin = _origin(folder / COVERAGE)
    store: _Array | _Files
    if stored.array is not None:
        store = _Array(stored.array, side)
    else:
        with tarfile.open(folder / ARCHIVE) as archive:
            at = {each.name: (each.offset_data, each.size) for each in archive}
        places = tuple(at.get(name, (0, 0)) for name in stored.files)
        store = _Files((folder / ARCHIVE,) * len(stored), places, len(stored.bands), side)
    names, notes = _told_apart(stored.names)
    return Pictures(
        names, stored.bands, store, np.arange(len(stored)), facts, errors,
        float(header.get("PIXSIZE", np.nan)), str(header.get("UNIT", "")), *_of_bands(facts, stored.bands), origin, notes,
    )  # fmt: skip


def _of_bands(
    facts: Mapping[str, NDArray[Any]], bands: Sequence[str]
) -> tuple[NDArray[np.str_] | None, NDArray[np.float64] | None]:
    """Unit and beam of each band of each stamp (row, band); None where an older run did not tell them."""
    if not all(f"{name}_unit" in facts for name in bands):
        return None, None
    units = np.stack([facts[f"{name}_unit"].astype(np.str_) for name in bands], axis=1)
    axes = [
        np.stack([np.asarray(facts[f"{name}_beam_{axis}"], np.float64) for name in bands], axis=1)
        for axis in ("major", "minor")
    ]
    return np.char.strip(units), np.sqrt(axes[0] * axes[1])


def _folder(folder: Path, size: int | None) -> Pictures:
    files = sorted(each for each in folder.rglob("*") if each.is_file() and each.name.lower().endswith(_FITS))
    if not files:
        raise UsageError("the folder holds no pictures", got=str(folder), allowed=_ALLOWED)
    shapes: list[tuple[int, int, int]] = []
    errors, pictured, products = [], [], []
    for path in files:
        image = _image(path.read_bytes())
        if isinstance(image, str) and image == _PRODUCT:
            products.append(str(path.relative_to(folder)))
            continue
        pictured.append(path)
        errors.append(image if isinstance(image, str) else "")
        shapes.append((0, 0, 0) if isinstance(image, str) else image.shape)
    if not pictured:
        raise UsageError(
            "the folder holds products of skysift find, and no picture of the sky",
            got=", ".join(products[:4]) + (", ..." if len(products) > 4 else ""),
            todo=f"`skysift stamps {folder} --map MAP --out stamps` makes pictures of what was found",
        )
    files = pictured
    counts = Counter(shape[0] for shape in shapes if shape[0])
    bands = counts.most_common(1)[0][0] if counts else 1
    told = tuple(
        error or ("" if shape[0] == bands else f"it has {shape[0]} bands, most have {bands}")
        for error, shape in zip(errors, shapes, strict=True)
    )
    side = size or max((max(shape[1:]) for shape in shapes), default=1)
    inner = [path.relative_to(folder) for path in files]
    facts: dict[str, NDArray[Any]] = {
        "file": np.array([str(each) for each in inner]),
        "pixels": np.array([max(shape[1:]) for shape in shapes], np.int64),
    }
    if all(len(each.parts) == 2 for each in inner):
        facts["label"] = np.array([each.parts[0] for each in inner])
    names = _unique([_stem(path.name) for path in files], [str(each) for each in inner])
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(folder)} {checksum(str(path))[0]}".encode())
    origin = InputRecord(
        folder.name, f"sha256:{digest.hexdigest()}", size=sum(path.stat().st_size for path in files)
    )
    return Pictures(
        names,
        _numbered(bands),
        _Files(tuple(files), (), bands, max(side, 1)),
        np.arange(len(files)),
        facts,
        told,
        origin=origin,
        notes=(f"left out, for skysift find made them: {', '.join(products)}",) if products else (),
    )


def _origin(path: Path) -> InputRecord:
    told, size = checksum(str(path))
    return InputRecord(path.name, told, size=size)


def _stem(name: str) -> str:
    return next(
        name[: -len(end)] for end in sorted(_FITS, key=len, reverse=True) if name.lower().endswith(end)
    )


def _told_apart(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names, those that stand more than once numbered from the second on, and a line where there are such."""
    counts, taken = Counter(names), set(names)
    twice = [name for name, n in counts.items() if n > 1]
    if not twice:
        return tuple(names), ()
    seen: Counter[str] = Counter()
    out = []
    for name in names:
        seen[name] += 1
        told, number = name, seen[name]
        while number > 1 and told in taken:
            told = f"{name}#{number}"
            number += 1
        taken.add(told)
        out.append(told)
    note = (
        f"{len(twice)} name{'s' * (len(twice) > 1)} of pictures more than once, numbered from the second on: "
    )
    return tuple(out), (f"{note}{', '.join(twice[:3])}{', ...' * (len(twice) > 3)}",)


def _unique(names: Sequence[str], longer: Sequence[str]) -> tuple[str, ...]:
    """The names, or the longer ones where two are equal."""
    return tuple(names) if len(set(names)) == len(names) else tuple(longer)


def _numbered(n: int) -> tuple[str, ...]:
    return ("image",) if n == 1 else tuple(f"band{k + 1}" for k in range(n))
