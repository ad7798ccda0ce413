"""Features in files: Parquet with unit and meaning of each column; any table of numbers can be read as features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import FormatError, UsageError
from skysift.io.format import provenance_from_json, provenance_to_json, reading
from skysift.io.layouts.containers import load
from skysift.io.output import whole_file
from skysift.sky.features import Feature, Features

__all__ = ["is_features", "read_features", "write_features"]

_KIND = b"skysift.features"
_NAMES = ("name", "id", "source_id", "source", "objname", "sname")  # what a foreign table may call its rows
_FACTS = (
    "label",
    "class",
    "ra",
    "dec",
    "split",
    "fold",
    "flags",
)  # numbers of a foreign table that say nothing of kind


def write_features(features: Features, path: str | Path) -> None:
    """Write features as Parquet, whole or not at all.

    The column ``name`` comes first, then facts, then features; unit, meaning and group stand in the metadata of each
    column, the provenance in that of the file.

    Raises
    ------
    OutputError
        The folder is not there, or cannot be written.
    StorageError
        The disk is full.
    """
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.parquet as pq

    fields, arrays = [pa.field("name", pa.string())], [pa.array(list(features.names), pa.string())]
    for name, values in features.facts.items():
        array = pa.array([str(each) for each in values]) if values.dtype.kind in "UOS" else pa.array(values)
        fields.append(pa.field(name, array.type, metadata={"kind": "fact"}))
        arrays.append(array)
    for k, each in enumerate(features.columns):
        told = {"kind": "feature", "unit": each.unit, "description": each.doc, "group": each.group}
        fields.append(pa.field(each.name, pa.float64(), metadata=told))
        arrays.append(pa.array(features.values[:, k]))
    metadata: dict[bytes | str, str] = {_KIND: "1"}
    if features.provenance is not None:
        metadata["skysift.provenance"] = provenance_to_json(features.provenance)
    with whole_file(path, overwrite=True) as part:
        pq.write_table(
            pa.table(arrays, schema=pa.schema(fields, metadata=metadata)), part, compression="zstd"
        )


def is_features(path: str | Path) -> bool:
    """Whether a file holds features that skysift wrote."""
    place = Path(path)
    if not place.is_file() or place.suffix not in (".parquet", ".pq"):
        return False
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.parquet as pq

    try:
        return _KIND in (pq.read_schema(place).metadata or {})
    except (pa.ArrowException, OSError):
        return False


def read_features(path: str | Path) -> Features:
    """The features of a file: one that skysift wrote, or any table (Parquet, FITS, VOTable, CSV, text).

    Of a foreign table all columns of numbers are features, but for those that are called as positions, labels and
    identifiers are; the rest are facts. Rows without a name are numbered.

    Raises
    ------
    UsageError
        There is no such file.
    FormatError
        It is no table, or one without a column of numbers.
    """
    place = Path(path)
    if not place.is_file():
        raise UsageError(
            "there is no such table of features", got=str(path), todo="`skysift features` makes one"
        )
    if is_features(place):
        return _own(place)
    foreign = load(place)
    named = next((name for name in foreign.columns if name.lower() in _NAMES), "")
    n = len(foreign)
    names = (
        tuple(str(each).strip() for each in foreign.texts(named))
        if named
        else tuple(map(str, range(1, n + 1)))
    )
    columns, values, facts = [], [], {}
    for name, column in foreign.columns.items():
        if name == named:
            continue
        array = np.asarray(column.values)
        if array.ndim == 1 and array.dtype.kind in "fiub" and name.lower() not in _FACTS:
            columns.append(Feature(name, column.unit or "", column.meaning or ""))
            values.append(foreign.numbers(name))
        elif array.ndim == 1:
            facts[name] = array
    if not columns:
        raise FormatError(
            "the table holds no column of numbers", got=place.name, todo="give a table of features"
        )
    return Features(names, tuple(columns), np.stack(values, axis=1).astype(np.float64), facts)


def _own(path: Path) -> Features:
    import pyarrow as pa  # late: it is slow to import
    import pyarrow.parquet as pq

    with reading(path, "Parquet", pa.ArrowException, OSError):
        content = pq.read_table(path, use_threads=False)
    columns, values = [], []
    facts: dict[str, NDArray[Any]] = {}
    names: tuple[str, ...] = ()
    for field in content.schema:
        column = content.column(field.name)
        told: Mapping[str, str] = {
            key.decode(): value.decode() for key, value in (field.metadata or {}).items()
        }
        if field.name == "name":
            names = tuple(column.to_pylist())
        elif told.get("kind") == "feature":
            columns.append(
                Feature(field.name, told.get("unit", ""), told.get("description", ""), told.get("group", ""))
            )
            values.append(column.to_numpy().astype(np.float64))
        elif pa.types.is_string(field.type):
            facts[field.name] = np.array(column.to_pylist(), dtype=np.str_)
        else:
            facts[field.name] = column.to_numpy()
    told_of = (content.schema.metadata or {}).get(b"skysift.provenance")
    table = np.stack(values, axis=1) if values else np.empty((len(names), 0))
    provenance = None if told_of is None else provenance_from_json(told_of.decode(), path)
    return Features(names, tuple(columns), table, facts, provenance)
