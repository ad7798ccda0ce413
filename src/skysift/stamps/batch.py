"""Many cut-outs in one go: a list of items in, one archive and a report of each item out.

An item that fails spoils its own row only. Items are done some at a time by whoever the crew is; each task writes
the stamps that it makes into a file of its own and hands back what it has to tell, so that memory stays flat.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from skysift.base.errors import FormatError, OptionError, SkysiftError, UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.stamps.archive import PieceWriter, join_pieces, safe_name
from skysift.stamps.cutout import Cut, cut
from skysift.stamps.merge import merge
from skysift.stamps.region import parse_shape, system_of

__all__ = ["Item", "Outcome", "cut_all", "pieces_of", "read_items"]

_PER_TASK = 32  # items
_LARGEST = 2**31  # bytes of one cut-out


@dataclass(frozen=True)
class Item:
    """One cut-out that is wanted.

    Parameters
    ----------
    id
        What it is called in the report.
    paths
        The map, or several adjacent ones, which are merged.
    pos
        The region: ``CIRCLE 12 34 0.1``, ``RANGE ...``, ``POLYGON ...`` (deg).
    system
        Of the region: ICRS, GALACTIC or FK5.
    hdu
        Of the map; the first image with data by default.
    band, velocity, channels, pol
        As for `skysift.stamps.cutout.cut`.
    """

    id: str
    paths: tuple[str, ...]
    pos: str | None = None
    system: str = "ICRS"
    hdu: int | str | None = None
    band: tuple[float, float] | None = None
    velocity: tuple[float, float] | None = None
    channels: tuple[int, int] | None = None
    pol: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, values: Mapping[str, Any], number: int = 0) -> Self:
        """The item of JSON-safe values; the map as `path`, or several as `paths`.

        Raises
        ------
        UsageError
            A key is not known, none names a map, or the region cannot be read.
        """
        known = {*cls.__dataclass_fields__, "path"}
        unknown = [key for key in values if key not in known]
        if unknown:
            raise OptionError(
                f"item {number} has a key that is not known", got=unknown[0], allowed=sorted(known)
            )
        paths = values.get("paths") or values.get("path") or ()
        paths = (paths,) if isinstance(paths, str) else tuple(paths)
        if not paths or not all(isinstance(path, str) and path for path in paths):
            raise UsageError(
                f"item {number} names no map", got=json.dumps(dict(values))[:80], todo="give a path"
            )
        pos, system = values.get("pos"), str(values.get("system") or "ICRS")
        if pos is not None:
            parse_shape(str(pos))
        system_of(system)
        pairs = {key: _pair(values, key, number) for key in ("band", "velocity", "channels")}
        pol = values.get("pol")
        pol = tuple(pol.split()) if isinstance(pol, str) else None if pol is None else tuple(pol)
        return cls(
            str(values.get("id") or number), paths, None if pos is None else str(pos), system, values.get("hdu"),
            pol=pol, **pairs,
        )  # fmt: skip

    def cut(self) -> Cut:
        """The cut-out itself."""
        asked: dict[str, Any] = {
            key: getattr(self, key) for key in ("band", "velocity", "channels", "pol", "system")
        }
        if len(self.paths) > 1:
            return merge(self.paths, self.pos, **asked)
        return cut(self.paths[0], self.pos, hdu=self.hdu, **asked)


@dataclass(frozen=True)
class Outcome:
    """What became of an item.

    Parameters
    ----------
    id
        Of the item.
    file
        Its name in the archive; empty where there is none.
    overlap
        How much of the region the map holds: ``full``, ``partial``, ``none``; empty where it failed.
    shape
        Lengths of the axes, in array order.
    blanks, blank_fraction
        How many pixels are blank.
    bytes
        Of the file.
    error, kind
        Why there is none, in one line, and the kind of the error: ``usage``, ``data``, ``transient``, ``fatal``.
    """

    id: str
    file: str = ""
    overlap: str = ""
    shape: tuple[int, ...] = ()
    blanks: int = 0
    blank_fraction: float = 0.0
    bytes: int = 0
    error: str = ""
    kind: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is a cut-out."""
        return bool(self.file)

    def to_dict(self) -> dict[str, Any]:
        """The outcome as JSON-safe values."""
        return {"ok": self.ok} | asdict(self) | {"shape": list(self.shape)}


def read_items(path: str | Path) -> tuple[Item, ...]:
    """The items of a JSON file: a list of objects, or an object with the list under ``items``.

    Raises
    ------
    UsageError
        There is no such file, or an item cannot be right.
    FormatError
        It is not JSON, or holds no list.
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError("the list of cut-outs cannot be read", got=str(path), todo=error.strerror) from error
    except ValueError as error:
        raise FormatError("the list of cut-outs is not JSON", got=str(path), todo=str(error)) from error
    listed = values.get("items") if isinstance(values, dict) else values
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise FormatError("the list of cut-outs holds no list of objects", got=str(path))
    return tuple(Item.parse(each, number) for number, each in enumerate(listed))


@dataclass(frozen=True)
class _Task:
    """Some items, numbered from the first on, and the name of the file for their stamps."""

    first: int
    items: tuple[Item, ...]

    @property
    def name(self) -> str:
        return f"{self.first:08d}.piece"


def cut_all(
    items: Sequence[Item], archive: str | Path, work: str | Path, *, crew: Crew = ALONE
) -> list[Outcome]:
    """Make the cut-outs of all items into one tar archive; what became of each, in their order.

    Parameters
    ----------
    items
        What is wanted.
    archive
        The archive.
    work
        A folder for pieces of the archive; what a broken-off run has left there is used where the crew keeps results.
    crew
        Who does it.

    Raises
    ------
    StorageError
        The disk is full.
    """
    work = Path(work)
    tasks = [
        _Task(start, tuple(items[start : start + _PER_TASK])) for start in range(0, len(items), _PER_TASK)
    ]
    outcomes = pieces_of(tasks, partial(_cut_some, work=str(work)), work, "cut-outs", crew)
    join_pieces([work / task.name for task in tasks], Path(archive))
    return [each for part in outcomes for each in part]


def pieces_of(tasks: Sequence[Any], function: Any, work: Path, stage: str, crew: Crew) -> list[Any]:
    """What a function tells of each task, every one of which has left its piece in the folder.

    A result that was kept by a broken-off run is made again where its piece is not there.
    """
    told = []
    for task, result in zip(tasks, crew.map(stage, function, tasks), strict=True):
        told.append(result if (work / task.name).exists() else function(task))
    return told


def _cut_some(task: _Task, work: str) -> list[Outcome]:
    with PieceWriter(Path(work) / task.name) as piece:
        return [_cut_one(task.first + k, item, piece) for k, item in enumerate(task.items)]


def _cut_one(number: int, item: Item, piece: PieceWriter) -> Outcome:
    """The outcome of one item; its stamp goes into the piece."""
    try:
        part = item.cut()
        if part.empty:
            told = "the map holds nothing of the region, band or polarisation"
            return Outcome(item.id, overlap="none", error=told, kind="usage")
        if part.size > _LARGEST:
            raise UsageError(
                "a cut-out of many is too large", got=f"{part.size} bytes", allowed=f"{_LARGEST}"
            )
        name = safe_name(number, item.id)
        data = part.data
        blanks = part.blanks
        piece.add(name, part.size, part.blocks())
    except SkysiftError as error:
        return Outcome(item.id, error=str(error), kind=error.kind)
    except OSError:  # the piece cannot be written: that is not the item's fault
        raise
    except Exception as error:  # noqa: BLE001 -- a file that nobody thought of spoils its own row only
        return Outcome(item.id, error=f"{type(error).__name__}: {error}", kind="fatal")
    fraction = round(blanks / data.size, 6)
    return Outcome(item.id, name, part.overlap, part.shape, blanks, fraction, part.size)


def _pair(values: Mapping[str, Any], key: str, number: int) -> tuple[Any, Any] | None:
    """Two numbers of an item."""
    given = values.get(key)
    if given is None:
        return None
    parts = given.split() if isinstance(given, str) else given
    try:
        low, high = (int(part) if key == "channels" else float(part) for part in parts)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{key} of item {number} is not two numbers", got=given) from error
    return low, high
