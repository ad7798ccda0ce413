"""How the fields of a survey compare: each with references, and overlapping ones with each other."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import SkysiftError, UsageError
from skysift.base.registry import Registry
from skysift.flow.steps.match import entries_of
from skysift.flow.survey_catalogue import Merged
from skysift.flow.survey_config import ReferencePlan
from skysift.flow.survey_fields import FieldDone, FieldOpen
from skysift.flow.validation import in_field
from skysift.io.layouts.reading import read_any
from skysift.match.catalogues import match_catalogues
from skysift.match.entries import Entries
from skysift.match.offsets import Astrometry, FluxScale, astrometry, bright, flux_scale, robust_scatter
from skysift.match.result import Match, ResultTable
from skysift.match.sky import offsets, separation
from skysift.sky.flags import doubtful
from skysift.sky.schema import Column

__all__ = [
    "COMPARISONS",
    "Check",
    "against_fields",
    "against_reference",
    "comparisons",
    "read_reference",
    "refuse_elsewhere",
]

Floats = NDArray[np.float64]


def _real(name: str, unit: str, ucd: str, meaning: str) -> Column:
    return Column(name, "float64", unit, ucd, meaning, (), ".4g")


COMPARISONS: tuple[Column, ...] = (
    Column("field", "str", "", "meta.id;obs.field", "Name of the field.", ()),
    Column("against", "str", "", "meta.id", "Name of the reference, or of the other field.", ()),
    Column("kind", "str", "", "meta.code", "What it is compared with: reference or field.", ()),
    Column("n_pairs", "int64", "", "meta.number", "Number of pairs.", (), "d"),
    Column(
        "n_bright",
        "int64",
        "",
        "meta.number",
        "Pairs that tell: bright, and without doubtful flags.",
        (),
        "d",
    ),
    _real("radius", "arcsec", "phys.angSize", "How near pairs are; NaN between fields, where errors tell."),
    _real("chance", "", "stat.probability", "Share of the pairs that are chance; NaN between fields."),
    _real("east", "arcsec", "pos.eq.ra;arith.diff", "Median offset to the east, field less the other."),
    _real("east_err", "arcsec", "stat.error;pos.eq.ra", "Its error."),
    _real("east_scatter", "arcsec", "stat.stdev;pos.eq.ra", "Robust scatter."),
    _real("north", "arcsec", "pos.eq.dec;arith.diff", "Median offset to the north."),
    _real("north_err", "arcsec", "stat.error;pos.eq.dec", "Its error."),
    _real("north_scatter", "arcsec", "stat.stdev;pos.eq.dec", "Robust scatter."),
    _real(
        "position_pull",
        "",
        "stat.stdev",
        "Robust scatter of offsets over their errors; 1 where errors are honest.",
    ),
    _real("flux_ratio", "", "phot.flux.density;arith.ratio", "Median of the fluxes over those of the other."),
    _real("flux_ratio_err", "", "stat.error", "Its error."),
    _real("flux_scatter", "", "stat.stdev", "Robust scatter of the logarithm of the ratio."),
    _real(
        "flux_scale", "", "phot.flux.density;arith.ratio", "The ratio less what the frequencies make of it."
    ),
    _real("flux_pull", "", "stat.stdev", "Robust scatter of flux differences over their errors."),
)


@dataclass(frozen=True)
class Check:
    """One comparison of a field.

    Parameters
    ----------
    field, against, kind
        The field, what it is compared with, and what this is.
    n_pairs
        Pairs in all.
    sky, scale
        Field less the other, field over the other.
    position_pull, flux_pull
        Scatters in units of the errors; NaN where errors are not known.
    radius, chance
        How pairs with a reference are found, and how many are chance.
    page
        Name of the page that shows it; empty where there is none.
    """

    field: str
    against: str
    kind: str
    n_pairs: int
    sky: Astrometry
    scale: FluxScale
    position_pull: float
    flux_pull: float
    radius: float = math.nan
    chance: float = math.nan
    page: str = ""


def comparisons(checks: Sequence[Check]) -> ResultTable:
    """The comparisons as a table."""
    values: dict[str, list[Any]] = {each.name: [] for each in COMPARISONS}
    for check in checks:
        sky, scale = check.sky, check.scale
        row = (
            check.field, check.against, check.kind, check.n_pairs, sky.n, check.radius, check.chance,
            sky.east, sky.east_err, sky.east_scatter, sky.north, sky.north_err, sky.north_scatter,
            check.position_pull, scale.ratio, scale.ratio_err, scale.scatter, scale.scale, check.flux_pull,
        )  # fmt: skip
        for name, value in zip(values, row, strict=True):
            values[name].append(value)
    kinds: dict[str, Any] = {"str": np.str_, "int64": np.int64, "float64": np.float64}
    columns = {each.name: np.array(values[each.name], dtype=kinds[each.dtype]) for each in COMPARISONS}
    return ResultTable("comparisons", columns, COMPARISONS)


# -- against references


def read_reference(plan: ReferencePlan) -> Entries:
    """The rows of a reference.

    Raises
    ------
    SkysiftError
        The file is no catalogue that is known.
    """
    told = plan.options
    named = {"ra": told.ra, "dec": told.dec, "flux_int": told.flux, "flux_unit": told.flux_unit}
    columns = {key: value for key, value in named.items() if value}
    table = read_any(plan.path, "named" if columns else None, columns or None)
    frequency = math.nan if told.frequency is None else told.frequency
    return replace(entries_of(table, plan.path, "flux", frequency), name=plan.name)


def refuse_elsewhere(reference: Entries, fields: Sequence[FieldOpen]) -> None:
    """Refuse a reference of another part of the sky, before anything is searched.

    Raises
    ------
    UsageError
        None of its rows lies on the map of a field.
    """
    placed = reference.take(reference.placed)
    if fields and not len(placed):
        raise UsageError(
            f"the reference {reference.name} has no rows",
            allowed="rows on the maps of the fields",
            todo="name another catalogue, or leave it out of references",
        )
    nearest = (math.inf, "")
    for field in fields:
        frame = field.image.frame
        x, y = frame.to_pixel(placed.ra, placed.dec)
        rows, columns = field.image.shape
        with np.errstate(invalid="ignore"):
            if np.any((x > -0.5) & (x < columns - 0.5) & (y > -0.5) & (y < rows - 0.5)):
                return
        ra, dec = frame.to_sky(0.5 * (columns - 1), 0.5 * (rows - 1))
        apart = float(np.min(separation(ra, dec, placed.ra, placed.dec), initial=math.inf))
        nearest = min(nearest, (apart, field.plan.name))
    if fields:
        raise UsageError(
            f"the reference {reference.name} has no row in any field",
            got=f"the nearest {nearest[0] / 3600.0:.3g} deg from the middle of {nearest[1]}",
            allowed="rows on the maps of the fields",
            todo="name another catalogue or other columns (ra, dec), or leave it out of references",
        )


def against_reference(
    field: FieldDone, survey: Entries, plan: ReferencePlan, min_snr: float
) -> tuple[Check, Match | None, str]:
    """A field compared with a reference, the match for its page, and what is odd; no match where there are no rows."""
    sources = field.catalogue.sources
    if not len(sources) or not np.isfinite(sources["ra"]).any():
        return _nothing(field.name, plan.name, "reference"), None, "the field has no sources"
    found = Entries.of(sources, field.name)
    options = {
        "radius": plan.options.radius,
        "min_snr": min_snr,
        "expected_index": plan.options.spectral_index,
    }
    matcher = Registry[Any]("matcher").make("one-to-one", **options)
    radius = matcher.radius(survey, found)
    near = in_field(survey, found, radius)
    if not len(near):
        return _nothing(field.name, plan.name, "reference"), None, f"{plan.name} has no row in the field"
    try:
        match = match_catalogues([near, found], matcher)
    except SkysiftError as error:
        return _nothing(field.name, plan.name, "reference"), None, str(error)
    join = match.joins[0]
    both = np.flatnonzero((match["row_1"] >= 0) & (match["row_2"] >= 0))
    clean = ~doubtful(sources["flags"])[match["row_2"][both]]
    left, right = near.take(match["row_1"][both][clean]), found.take(match["row_2"][both][clean])
    sky, scale, pulls = _compared(left, right, min_snr, plan.options.spectral_index)
    check = Check(
        field.name, plan.name, "reference", len(both), sky, scale, *pulls, join.radius, join.chance.rate
    )
    return check, match, ""


def _nothing(field: str, against: str, kind: str) -> Check:
    return Check(field, against, kind, 0, Astrometry(), FluxScale(), math.nan, math.nan)


def _compared(
    left: Entries, right: Entries, min_snr: float, index: float | None
) -> tuple[Astrometry, FluxScale, tuple[float, float]]:
    """Offsets and flux ratios of pairs, right less or over left, and the scatters in units of their errors."""
    good = bright(left, right, min_snr)
    left, right = left.take(good), right.take(good)
    if not len(left):
        return Astrometry(), FluxScale(), (math.nan, math.nan)
    east, north = offsets(left.ra, left.dec, right.ra, right.dec)
    with np.errstate(invalid="ignore", divide="ignore"):
        pulls = np.concatenate(
            [east / np.hypot(left.ra_err, right.ra_err), north / np.hypot(left.dec_err, right.dec_err)]
        )
        fluxes = (right.flux - left.flux) / np.hypot(left.flux_err, right.flux_err)
    return (
        astrometry(left, right),
        flux_scale(left, right, index),
        (robust_scatter(pulls[np.isfinite(pulls)]), robust_scatter(fluxes[np.isfinite(fluxes)])),
    )


# -- fields against each other


def against_fields(merged: Merged, fields: Sequence[FieldDone], min_snr: float) -> list[Check]:
    """Every two fields that have sources in common compared with each other, the first less the second."""
    left, right = _partners(merged)
    sources = merged.catalogue.sources
    clean = ~doubtful(sources["flags"])
    entries = Entries.of(sources, "sources") if len(sources) else None
    one, other = merged.field[left], merged.field[right]
    checks = []
    for first, second in np.unique(np.stack([one, other], axis=1), axis=0).tolist() if len(left) else []:
        here = np.flatnonzero((one == first) & (other == second))
        good = here[clean[left[here]] & clean[right[here]]]
        if entries is None:
            continue
        sky, scale, pulls = _compared(entries.take(right[good]), entries.take(left[good]), min_snr, None)
        checks.append(Check(fields[first].name, fields[second].name, "field", len(here), sky, scale, *pulls))
    return checks


def _partners(merged: Merged) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of rows of one group, the row of the earlier field first."""
    group, field = merged.resolved.group, merged.field
    order = np.lexsort((field, group))
    parts_left, parts_right = [], []
    for step in range(1, int(np.bincount(group).max(initial=1)) if len(group) else 1):
        same = group[order[:-step]] == group[order[step:]]
        parts_left.append(order[:-step][same])
        parts_right.append(order[step:][same])
    if not parts_left:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    return np.concatenate(parts_left).astype(np.int64), np.concatenate(parts_right).astype(np.int64)
