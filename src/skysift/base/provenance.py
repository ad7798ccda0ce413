"""`Provenance`: the story that every product tells; `Manifest`: the story of one run.

A provenance holds what decides the catalogue and nothing else (version, finder, science options, inputs), so
that the same question gives the same bytes on any day, with any tile size and any number of workers. What a
run adds (tile, workers, times, other versions) is in its manifest.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Self

__all__ = ["Card", "InputRecord", "Manifest", "Provenance", "library_versions"]

Card = tuple[str, str, str]
"""(keyword, value, comment) of a FITS header; HISTORY cards have an empty comment."""

_CARDS = {
    "finder": ("FINDER", "source finder"),
    "simulator": ("SIMULATR", "simulator of skies"),
    "matcher": ("MATCHER", "how rows were paired"),
    "step": ("STEP", "what was done"),
}
_UNKNOWN = "unknown"  # flux-density scale
_HISTORY_WIDTH = 72  # characters of text in one HISTORY card


@dataclass(frozen=True)
class InputRecord:
    """One thing that was read: a file's name without its folder, the checksum of its bytes, which part of it.

    Parameters
    ----------
    name
        The file's name, or the name of an array.
    checksum
        "sha256:" and the hexadecimal digest.
    hdu
        Number or name of the HDU; None for what has none.
    plane
        Which plane along the axes above the second, in array order.
    size
        Bytes.
    """

    name: str
    checksum: str
    hdu: int | str | None = None
    plane: tuple[int, ...] = ()
    size: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON-safe values."""
        return asdict(self) | {"plane": list(self.plane)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The record that `to_dict` told of."""
        return cls(**{**values, "plane": tuple(values["plane"])})


@dataclass(frozen=True)
class Provenance:
    """What decided a product: version, finder, all of its options, what was read, what was odd about it.

    Parameters
    ----------
    version
        Of skysift.
    finder
        Its name in the index; that of a simulator for a made sky, of a matcher for matched catalogues, of a step.
    options
        Every option, defaults included, JSON-safe.
    inputs
        What was read.
    notes
        What was odd about the input, one line each.
    kind
        Of what `finder` names in the index: ``finder``, ``simulator``, ``matcher`` or ``step``.
    """

    version: str
    finder: str
    options: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[InputRecord, ...] = ()
    notes: tuple[str, ...] = ()
    kind: str = "finder"

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(json.loads(json.dumps(dict(self.options)))))

    def __hash__(self) -> int:
        return hash(json.dumps(self.to_dict(), sort_keys=True))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self).from_dict, (self.to_dict(),)

    def to_dict(self) -> dict[str, Any]:
        """The provenance as JSON-safe values."""
        return {
            "version": self.version,
            "finder": self.finder,
            "options": dict(self.options),
            "inputs": [record.to_dict() for record in self.inputs],
            "notes": list(self.notes),
            **({} if self.kind == "finder" else {"kind": self.kind}),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The provenance that `to_dict` told of."""
        return cls(
            version=values["version"],
            finder=values["finder"],
            options=values["options"],
            inputs=tuple(InputRecord.from_dict(record) for record in values["inputs"]),
            notes=tuple(values["notes"]),
            kind=values.get("kind", "finder"),
        )

    def cards(self) -> tuple[Card, ...]:
        """The cards of a FITS header: CREATOR and FINDER (or SIMULATR), then options, inputs, notes as HISTORY."""
        word, meaning = _CARDS.get(self.kind, _CARDS["finder"])
        history = [
            *(f"option {name} = {json.dumps(value)}" for name, value in self.options.items()),
            *(_input_line(record) for record in self.inputs),
            *(f"note {note}" for note in self.notes),
        ]
        scale = str(self.options.get("flux_scale", _UNKNOWN))
        return (
            ("CREATOR", f"skysift {self.version}", "program that made this file"),
            (word, _ascii(self.finder), meaning),
            *([("FLUXSCAL", _ascii(scale), "flux-density scale")] if scale != _UNKNOWN else []),
            *(("HISTORY", part, "") for line in history for part in _wrap(_ascii(line))),
        )


@dataclass(frozen=True)
class Manifest:
    """The story of one run: its provenance, what it wrote, on which machine setting, and what it cost.

    Parameters
    ----------
    provenance
        What decided the products.
    outputs
        Names of the files written, relative to the folder of the manifest.
    tile
        Pixels along the side of a tile.
    workers
        How many tasks ran at once.
    started
        When, ISO 8601 in UTC.
    seconds
        Wall-clock seconds of each stage.
    region
        The part that was searched, as a person would type it; empty for the whole map.
    facts
        What was measured on the way, such as the choice of the background; JSON-safe.
    counts
        Islands, sources, components, flagged rows, ...
    versions
        Of Python and of the libraries that the numbers depend on; see `library_versions`.
    warnings
        What was odd, one line each.
    """

    provenance: Provenance
    outputs: tuple[str, ...] = ()
    tile: int = 0
    workers: int = 0
    started: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    region: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The manifest as JSON-safe values; the provenance's keys come first."""
        return {
            **self.provenance.to_dict(),
            "outputs": list(self.outputs),
            "tile": self.tile,
            "workers": self.workers,
            "started": self.started,
            "seconds": {name: round(spent, 3) for name, spent in self.seconds.items()},
            "region": self.region,
            "facts": dict(self.facts),
            "counts": dict(self.counts),
            "versions": dict(self.versions),
            "warnings": list(self.warnings),
        }


_NUMBERS_DEPEND_ON = ("numpy", "numba", "astropy", "pyarrow")


def library_versions() -> dict[str, str]:
    """The versions of Python and of the libraries that the numbers depend on, without importing them."""
    from importlib.metadata import PackageNotFoundError, version  # late: it is slow to import

    versions = {"python": platform.python_version()}
    for name in _NUMBERS_DEPEND_ON:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:  # an extra that is not installed has no version to tell
            continue
    return versions


def _input_line(record: InputRecord) -> str:
    hdu = "" if record.hdu is None else f" HDU {record.hdu}"
    plane = f" plane {list(record.plane)}" if record.plane else ""
    return f"input {record.name}{hdu}{plane} {record.size} bytes {record.checksum}"


def _ascii(text: str) -> str:
    """The text in the printable ASCII that FITS allows; other characters as backslash codes."""
    plain = text.encode("ascii", "backslashreplace").decode()
    return "".join(character if character.isprintable() else " " for character in plain)


def _wrap(text: str) -> Iterator[str]:
    """The text in pieces of a card's width; pieces after the first are indented."""
    yield text[:_HISTORY_WIDTH]
    rest, width = text[_HISTORY_WIDTH:], _HISTORY_WIDTH - 2
    for start in range(0, len(rest), width):
        yield "  " + rest[start : start + width]
