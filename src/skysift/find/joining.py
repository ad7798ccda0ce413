"""Sources that are parts of one object become one row, and the table of all pairs says why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skysift.base.parallel import ALONE, Crew
from skysift.find.beside import extended
from skysift.find.bridges import Strips
from skysift.find.finding import Finding
from skysift.find.joined import islands_of, joined_catalogue, shapes_of
from skysift.find.noise import Noise
from skysift.find.options import FinderOptions
from skysift.match.joining import TERMS, Joins, Pairs, Parts, join_parts
from skysift.match.result import ResultTable
from skysift.measure.characterise import counts
from skysift.sky.catalogue import Catalogue
from skysift.sky.column import Column, arcsec, brightness, integer
from skysift.sky.image import SkyImage
from skysift.sky.mask import Mask
from skysift.sky.truth import SPURIOUS

__all__ = ["TABLE", "join_finding", "join_sources"]

TABLE = "joins"

SURE = 3.0  # errors that the flux of a part is above zero

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LOG, FLUX_RATIO, BRIDGE = (
    "stat.likelihood;arith.ratio",
    "phot.flux.density;arith.ratio",
    "phot.flux.density;stat.mean",
)


def join_finding(finding: Finding, options: FinderOptions, crew: Crew = ALONE) -> Finding:
    """The finding with sources of several islands as one row each, and the table of all pairs."""
    before = finding.catalogue
    catalogue, table, owner = _joined(before, finding.image, finding.noise, finding.mask, options, crew)
    facts = {**finding.facts, "counts": dict(counts(catalogue)), "pairs_compared": len(table)}
    facts["joined"] = int((catalogue.sources["n_parts"] > 1).sum())
    number = np.zeros(int(before.sources.ids.max(initial=0)) + 1, np.int64)
    number[before.sources.ids] = owner + 1
    spines = replace(finding.spines, owner=number[finding.spines.owner])
    tables = {**finding.tables, TABLE: table}
    return replace(finding, catalogue=catalogue, tables=tables, facts=facts, spines=spines)


def join_sources(
    catalogue: Catalogue,
    image: SkyImage,
    noise: Noise,
    mask: Mask,
    options: FinderOptions,
    crew: Crew = ALONE,
) -> tuple[Catalogue, ResultTable]:
    """
    The catalogue in which the sources of one object are one row, and one row for every pair that was considered.

    Parameters
    ----------
    catalogue
        What was found in the map, by any finder.
    image, noise, mask
        The map, its noise, and its islands with their numbers as labels: they tell of bridges.
    options
        What counts as likely, how far parts may lie apart, how names begin.
    crew
        Who reads the map.
    """
    return _joined(catalogue, image, noise, mask, options, crew)[:2]


def _joined(
    catalogue: Catalogue, image: SkyImage, noise: Noise, mask: Mask, options: FinderOptions, crew: Crew
) -> tuple[Catalogue, ResultTable, Ints]:
    """What `join_sources` gives, and the new row of each source."""
    rows = _eligible(catalogue)
    parts = parts_of(catalogue, image, rows)
    joins = join_parts(parts, Strips(image, noise, mask, catalogue, rows, crew), options)
    n = len(catalogue.sources)
    object_ = np.full(n, -1, np.int64)
    object_[rows] = joins.object
    alone = object_ < 0
    object_[alone] = len(joins) + np.arange(alone.sum())
    known, first, number = np.unique(object_, return_index=True, return_inverse=True)
    rank = np.empty(len(known), np.int64)
    rank[np.argsort(first, kind="stable")] = np.arange(len(known))
    object_ = rank[number]  # numbered in the order of the first rows
    whole = joined_catalogue(catalogue, object_, image, options)
    of_part = object_[rows]
    told = _columns(joins, of_part, len(known))
    return extended(whole, {"sources": told}), _table(joins.pairs, catalogue, rows, object_), object_


def _eligible(catalogue: Catalogue) -> Ints:
    """Rows of what may be part of an object: no artefact, with a place, and a flux of three times its error, if known."""
    sources = catalogue.sources
    flux, error = sources["flux"], sources["flux_err"]
    good = (flux > 0.0) & np.isfinite(sources["x"]) & np.isfinite(sources["y"])
    good &= np.isfinite(flux) & (sources["flux_int"] > 0.0)
    if "class" in sources:
        good &= sources["class"] != SPURIOUS
    return np.flatnonzero(good & ~(flux < SURE * error))


def parts_of(catalogue: Catalogue, image: SkyImage, rows: Ints) -> Parts:
    """These sources as parts, in a plane that touches the sky in the middle of the map."""
    sources = catalogue.sources.select(rows)
    ny, nx = image.shape
    matrix = image.frame.tangent([0.5 * (nx - 1)], [0.5 * (ny - 1)])[0]
    if not np.isfinite(matrix).all():
        matrix = image.frame.jacobian
    x, y = matrix @ np.stack([sources["x"] - 0.5 * (nx - 1), sources["y"] - 0.5 * (ny - 1)])
    return Parts(
        x,
        y,
        sources["flux"],
        sources["flux_peak"],
        sources["rms"],
        shapes_of(sources, "_deconv"),
        sources["resolved"].astype(np.bool_),
        float(np.sqrt(image.beam.major * image.beam.minor)),
        float(ny * nx * image.frame.pixel_area),
        image.frequency,
    )


def _columns(joins: Joins, of_part: Ints, n: int) -> Mapping[str, npt.NDArray[Any]]:
    """Columns of the sources that tell of their joins; `of_part` is the row of the new source of each part."""
    pairs, several = joins.pairs, np.isfinite(joins.probability)
    row = np.empty(len(joins), np.int64)
    row[joins.object] = of_part
    inside = np.flatnonzero(pairs.joined)
    of = of_part[pairs.first[inside]]

    def worst(values: Floats) -> Floats:
        out = np.full(n, -np.inf)
        np.fmax.at(out, of, values[inside])
        return np.where(out > -np.inf, out, np.nan)

    probability = np.full(n, np.nan)
    probability[row[several]] = joins.probability[several]
    with np.errstate(invalid="ignore", divide="ignore"):
        bridge = worst(pairs.bridges.mean / pairs.bridges.error)
    loudest = np.full(n, "", "<U12")
    table = np.zeros((n, len(TERMS)))
    for k, name in enumerate(TERMS):
        np.add.at(table[:, k], of, pairs.terms[name][inside])
    ring = np.zeros(n, np.bool_)
    np.logical_or.at(ring, of, pairs.ring[inside])
    names = np.array(["near" if name == "prior" else name for name in TERMS])[table.argmax(axis=1)]
    names = np.where((names == "alignment") & ring, "ring", names)
    joined = np.isfinite(probability)
    loudest[joined] = names[joined]
    return {
        "n_parts": np.bincount(of_part, minlength=n) + (np.bincount(of_part, minlength=n) == 0),
        "join_probability": probability,
        "join_reason": loudest,
        "join_separation": worst(pairs.separation),
        "join_chance": worst(pairs.expected),
        "join_bridge": bridge,
        "join_bend": worst(pairs.bend),
    }


def _table(pairs: Pairs, catalogue: Catalogue, rows: Ints, object_: Ints) -> ResultTable:
    """One row a pair: who, what tells for and against, and what was decided."""
    sources = catalogue.sources
    of, islands = islands_of(catalogue)
    island = islands[np.searchsorted(of, np.arange(len(sources)))]
    a, b = rows[pairs.first], rows[pairs.second]
    core = (
        np.where(pairs.core >= 0, object_[rows[np.maximum(pairs.core, 0)]] + 1, 0)
        if len(rows)
        else pairs.core
    )
    values: dict[str, npt.NDArray[Any]] = {
        "source_id_1": object_[a] + 1,
        "source_id_2": object_[b] + 1,
        "island_id_1": island[a],
        "island_id_2": island[b],
        "x_1": sources["x"][a],
        "y_1": sources["y"][a],
        "x_2": sources["x"][b],
        "y_2": sources["y"][b],
        "separation": pairs.separation,
        "gap": pairs.bridges.gap,
        "chance": pairs.expected,
        "flux_ratio": pairs.flux_ratio,
        "turn_1": pairs.turn_first,
        "turn_2": pairs.turn_second,
        "bend": pairs.bend,
        "bridge": pairs.bridges.mean,
        "bridge_err": pairs.bridges.error,
        "core_id": core,
        **{f"log_{name}": pairs.terms[name] for name in TERMS},
        "probability": pairs.probability,
        "joined": pairs.joined,
        "reason": pairs.reason,
    }
    order = np.lexsort((b, a))
    return ResultTable(TABLE, {name: column[order] for name, column in values.items()}, DECLARED)


def _pixel(name: str, meaning: str) -> Column:
    return Column(name, "float64", "pixel", "pos.cartesian", meaning, (), ".3f")


def _angle(name: str, meaning: str) -> Column:
    return Column(name, "float64", "deg", "pos.posAng", meaning, (), ".1f")


def _number(name: str, ucd: str, display: str, meaning: str) -> Column:
    return Column(name, "float64", "", ucd, meaning, (), display)


def _log(name: str, meaning: str) -> Column:
    return Column(f"log_{name}", "float64", "", LOG, meaning, (), ".2f")


DECLARED: tuple[Column, ...] = (
    integer("source_id_1", "meta.id", "Source that the brighter part belongs to in the end.", ()),
    integer("source_id_2", "meta.id", "Source that the fainter part belongs to in the end.", ()),
    integer("island_id_1", "meta.id", "Island of the brighter part, the first where it has several.", ()),
    integer("island_id_2", "meta.id", "Island of the fainter part, the first where it has several.", ()),
    _pixel("x_1", "Position of the brighter part."),
    _pixel("y_1", "Position of the brighter part."),
    _pixel("x_2", "Position of the fainter part."),
    _pixel("y_2", "Position of the fainter part."),
    arcsec("separation", "pos.angDistance", "Distance of the two.", ()),
    arcsec("gap", "pos.angDistance", "Length of the line between the two that is on neither's island.", ()),
    _number("chance", "stat.value", ".4g", "Chance neighbours expected within the distance, the fainter's flux or more."),
    _number("flux_ratio", FLUX_RATIO, ".3f", "Flux density of the fainter part over that of the brighter."),
    _angle("turn_1", "Angle between the line and the major axis of the brighter part, 0 to 90; NaN where it has none."),
    _angle("turn_2", "Angle between the line and the major axis of the fainter part, 0 to 90; NaN where it has none."),
    _angle("bend", "By how much the two arms are bent at the core; NaN without a core."),
    brightness("bridge", BRIDGE, "Mean brightness between the two, off all islands; NaN where there is no room.", ()),
    brightness("bridge_err", "stat.error;phot.flux.density", "Error of the mean brightness between the two.", ()),
    integer("core_id", "meta.id.cross", "Source of the part that stands between the two as a core does; 0 for none.", ()),
    _log("prior", "Log odds of a companion against a neighbour by chance, from flux, distance and local density."),
    _log("flux", "Log Bayes factor of the flux ratio."),
    _log("size", "Log Bayes factor of the sizes at this distance."),
    _log("alignment", "Log Bayes factor of the directions of the major axes."),
    _log("contact", "Log Bayes factor of whether the two touch."),
    _log("bridge", "Log Bayes factor of the brightness between the two."),
    _log("core", "Log Bayes factor of a core between the two."),
    _log("brightness", "Log Bayes factor of the surface brightnesses."),
    _number("probability", "stat.probability", ".3f", "That the two are one object, by this pair alone."),
    Column("joined", "bool", "", "meta.code", "True where the two are parts of one source in the end.", ()),
    Column("reason", "str", "", "meta.note", "What speaks loudest: near or chance (prior odds), or a term.", ()),
)  # fmt: skip
