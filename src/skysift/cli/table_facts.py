"""What ``skysift info`` tells of a catalogue: whose it is, how many rows, where on the sky, how bright."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skysift.sky.units import frequency_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["folder_facts", "is_catalogue", "table_facts", "table_lines"]


_ALL_ROUND = 10.0  # deg: without a wider gap in right ascension, a catalogue goes all round the sky


def is_catalogue(path: str) -> bool:
    """True for a file that holds a catalogue that is known and no map."""
    place = Path(path)
    if not place.is_file() or place.stat().st_size == 0:
        return False
    from skysift.io.cards import read_hdus  # late: wrong flags and help are told without astropy
    from skysift.io.layouts.reading import layout_of

    with place.open("rb") as file:
        if file.read(9) == b"SIMPLE  =" and any(hdu.has_image for hdu in read_hdus(path)):
            return False
    return bool(layout_of(place))


def folder_facts(path: str) -> dict[str, Any]:
    """What there is to tell about the tables in a folder of ``skysift find`` or of a truth, as JSON-safe values.

    Raises
    ------
    UsageError
        It is the folder of a made sky, which holds truths.
    FormatError
        It holds no tables, or broken ones.
    """
    from skysift.io.tables import table_files  # late, as above
    from skysift.io.truth import is_truth

    told = [table_facts(str(file)) for file in table_files(Path(path)).values()]
    kind = "a truth of `skysift simulate`" if is_truth(path) else "a catalogue of skysift"
    return {"bytes": sum(each["bytes"] for each in told), "folder": kind, "tables": told}


def table_facts(path: str) -> dict[str, Any]:
    """What there is to tell about a catalogue, as JSON-safe values; None where it does not tell.

    Raises
    ------
    FormatError
        The file is broken.
    """
    import numpy as np  # late, as above

    from skysift.io.layouts.reading import layout_of, read_any

    layout, table = layout_of(path), read_any(path)
    known = [
        name
        for name, values in table.columns.items()
        if values.dtype.kind != "f" or np.isfinite(values).any()
    ]
    lost = int(np.sum(~(np.isfinite(table["ra"]) & np.isfinite(table["dec"]))))
    return {
        "bytes": Path(path).stat().st_size,
        "layout": layout,
        "table": table.kind,
        "rows": len(table),
        "rows_without_position": lost,
        "columns": known,
        "ra_deg": _arc(table["ra"]),
        "dec_deg": _range(table["dec"]),
        "flux_int_jy": _range(table["flux_int"]),
        "frequencies_hz": [
            float(each) for each in np.unique(table["frequency"][np.isfinite(table["frequency"])])
        ],
    }


def table_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The facts as names and texts for a person."""
    lost = facts["rows_without_position"]
    whose = "skysift" if facts["layout"] == "skysift" else f"another program, layout {facts['layout']}"
    lines = [("catalogue", f"{facts['rows']} {facts['table']} of {whose}")]
    if facts["ra_deg"] and facts["dec_deg"]:
        (west, east), (south, north) = facts["ra_deg"], facts["dec_deg"]
        lines.append(("sky", f"RA {west:.4f} to {east:.4f}, Dec {south:+.4f} to {north:+.4f} deg (ICRS)"))
    if lost:
        lines.append(("", f"{lost} rows without a position"))
    if facts["flux_int_jy"]:
        lines.append(
            ("flux", f"{facts['flux_int_jy'][0]:.4g} to {facts['flux_int_jy'][1]:.4g} Jy (integrated)")
        )
    told = [frequency_text(each) for each in facts["frequencies_hz"]]
    lines.append(
        ("frequency", f"{told[0]} to {told[-1]}" if len(told) > 1 else told[0] if told else "not known")
    )
    return lines


def _range(values: NDArray[np.float64]) -> list[float] | None:
    import numpy as np  # late, as above

    good = values[np.isfinite(values)]
    return [float(good.min()), float(good.max())] if good.size else None


def _arc(ra: NDArray[np.float64]) -> list[float] | None:
    """The shortest arc that holds all right ascensions, from its western to its eastern end: 359 to 1 is short."""
    import numpy as np  # late, as above

    good = np.unique(ra[np.isfinite(ra)])
    if not good.size:
        return None
    gaps = np.diff(np.append(good, good[0] + 360.0))
    after = int(np.argmax(gaps))
    if gaps[after] < _ALL_ROUND:
        return [0.0, 360.0]
    return [float(good[(after + 1) % good.size]), float(good[after])]
