"""The table of beams of a cube with one beam a plane, for the planes of a part of it."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np

from skysift.base.store import is_url
from skysift.io.cards import Hdu
from skysift.io.headers import Plane
from skysift.stamps.axes import Run, spectral_axis, stokes_axis

__all__ = ["beam_table"]


def beam_table(path: str, hdus: Sequence[Hdu], hdu: Hdu, plane: Plane, runs: Sequence[Run]) -> bytes:
    """The rows of the table BEAMS (CASA) for chosen planes, renumbered, as the bytes of an HDU; none without a table."""
    table = next((one for one in hdus if one.kind == "table" and one.name.upper() == "BEAMS"), None)
    if table is None or table.truncated:
        return b""
    from astropy.io import fits  # heavy: only cubes with a table of beams need it

    chosen = dict(zip(plane.axes, runs, strict=True))
    axes = {"CHAN": spectral_axis(hdu.header, plane.axes), "POL": stokes_axis(hdu.header, plane.axes)}
    with fits.open(path, memmap=False, use_fsspec=is_url(path)) as opened:
        whole = opened[table.index]
        rows = np.array(whole.data)
        kept = np.ones(len(rows), np.bool_)
        for column, axis in axes.items():
            if axis is None or column not in whole.columns.names:
                continue
            run = chosen[axis]
            numbers = np.asarray(rows[column], np.int64)
            kept &= np.isin(numbers, np.fromiter(run.indices, np.int64, len(run)))
            rows[column] = (numbers - run.start) // run.step
        header = whole.header.copy()
        for key in ("NCHAN", "NPOL"):
            axis = axes["CHAN" if key == "NCHAN" else "POL"]
            if key in header and axis is not None:
                header[key] = len(chosen[axis])
        out = BytesIO()
        fits.BinTableHDU(rows[kept], header=header).writeto(out, output_verify="silentfix")
    written = out.getvalue()
    return written[_first_table(written) :]


def _first_table(written: bytes) -> int:
    """Where the table begins behind the empty HDU that comes before it."""
    return written.index(b"XTENSION")
