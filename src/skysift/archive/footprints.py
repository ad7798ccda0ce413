"""What maps cover of the sky as MOC texts: one map, and the union of many."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from skysift.archive.regions import Area, middle_of, separation, vector_of

__all__ = ["footprint_of", "union"]

_ORDERS = (5, 13)
_FINENESS = 64.0  # cells across a map


def footprint_of(area: Area) -> str:
    """The MOC of a region, as JSON; its cells are a small part of its width."""
    from astropy import units
    from mocpy import MOC  # late: it brings matplotlib

    if area.kind == "POINT":
        return _text(
            MOC.from_lonlat(*(np.array([v]) * units.deg for v in area.numbers), max_norder=_ORDERS[1])
        )
    if area.kind == "CIRCLE":
        lon, lat, radius = area.numbers
        order = _order(2.0 * radius)
        if radius >= 180.0:
            return json.dumps({"0": list(range(12))})
        return _text(
            MOC.from_cone(lon * units.deg, lat * units.deg, radius=radius * units.deg, max_depth=order)
        )
    middle = vector_of(*middle_of(area))
    width = 2.0 * max(separation(middle, vector_of(*corner)) for corner in area.corners)
    lon, lat = (np.array(values) * units.deg for values in zip(*area.corners, strict=True))
    return _text(MOC.from_polygon(lon=lon, lat=lat, max_depth=_order(width)))


def union(texts: Iterable[str]) -> str:
    """The MOC of all that several cover, as JSON; empty for none."""
    from mocpy import MOC  # late: it brings matplotlib

    whole: Any = None
    for text in texts:
        each = MOC.from_json(json.loads(text))
        whole = each if whole is None else whole.union(each)
    return "" if whole is None else _text(whole)


def _order(width: float) -> int:
    """The order of cells that are some part of a width (deg)."""
    cell = max(width, 1e-3) / _FINENESS
    return int(np.clip(math.ceil(math.log2(58.6 / cell)), *_ORDERS))


def _text(moc: Any) -> str:
    return json.dumps(moc.serialize("json"), separators=(",", ":"))
