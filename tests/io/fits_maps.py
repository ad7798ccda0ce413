"""FITS files made by hand, with cards that astropy would mend or refuse."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

CARDS: dict[str, Any] = {
    "CTYPE1": "RA---SIN",
    "CTYPE2": "DEC--SIN",
    "CRVAL1": 50.0,
    "CRVAL2": -36.0,
    "CRPIX1": 20.0,
    "CRPIX2": 15.0,
    "CDELT1": -5.0 / 3600,
    "CDELT2": 5.0 / 3600,
    "RADESYS": "ICRS",
    "BMAJ": 25.0 / 3600,
    "BMIN": 20.0 / 3600,
    "BPA": 10.0,
    "BUNIT": "Jy/beam",
    "RESTFRQ": 1.4e9,
}
NONE = object()  # a card that is left out

_BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}


def noise(ny: int = 30, nx: int = 40, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1e-3, (ny, nx)).astype(np.float32)


def card(key: str, value: Any) -> bytes:
    if isinstance(value, bytes):  # the text after "= " as it is
        return f"{key:<8}= ".encode() + value.ljust(70)[:70]
    if isinstance(value, bool):
        return f"{key:<8}= {'T' if value else 'F':>20}".encode().ljust(80)
    if isinstance(value, str):
        return f"{key:<8}= '{value:<8}'".encode().ljust(80)
    return f"{key:<8}= {value!r:>20}".encode().ljust(80)


def header_of(cards: dict[str, Any], lines: tuple[str, ...] = ()) -> bytes:
    text = b"".join(card(key, value) for key, value in cards.items() if value is not NONE)
    text += b"".join(line.encode("latin-1").ljust(80)[:80] for line in lines)
    text += b"END".ljust(80)
    return text.ljust(-(-len(text) // 2880) * 2880)


def image_hdu(
    data: np.ndarray | None, cards: dict[str, Any], lines: tuple[str, ...] = (), first: bool = True
) -> bytes:
    """The bytes of one image HDU."""
    kind = "f4" if data is None else f"{data.dtype.kind}{data.dtype.itemsize}"
    top: dict[str, Any] = {"SIMPLE": True} if first else {"XTENSION": "IMAGE"}
    top |= {"BITPIX": _BITPIX[kind], "NAXIS": 0 if data is None else data.ndim}
    if data is not None:
        top |= {f"NAXIS{i + 1}": n for i, n in enumerate(reversed(data.shape))}
    if not first:
        top |= {"PCOUNT": 0, "GCOUNT": 1}
    body = b"" if data is None else data.astype(data.dtype.newbyteorder(">")).tobytes()
    return header_of({**top, **cards}, lines) + body.ljust(-(-len(body) // 2880) * 2880, b"\0")


def write_map(
    path: Path, data: np.ndarray | None = None, lines: tuple[str, ...] = (), **changes: Any
) -> Path:
    """A map of one HDU: good cards, changed as asked (NONE takes a card away)."""
    path.write_bytes(image_hdu(noise() if data is None else data, {**CARDS, **changes}, lines))
    return path
