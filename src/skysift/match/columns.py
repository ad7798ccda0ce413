"""The columns of what matching makes, once: matches, candidates, duplicates.

A name that ends in a number holds what the catalogue with this number has; 1 is the reference.
"""

from __future__ import annotations

from skysift.sky.schema import Column

__all__ = ["CANDIDATES", "DUPLICATES", "EACH", "FURTHER", "MATCHES", "numbered"]

_FLUX = "phot.flux.density;em.radio"


def _number(name: str, ucd: str, meaning: str) -> Column:
    return Column(name, "int64", "", ucd, meaning, (), "d")


def _real(name: str, unit: str, ucd: str, meaning: str, display: str) -> Column:
    return Column(name, "float64", unit, ucd, meaning, (), display)


def _text(name: str, ucd: str, meaning: str) -> Column:
    return Column(name, "str", "", ucd, meaning, ())


MATCHES: tuple[Column, ...] = (
    _number("match_id", "meta.id;meta.main", "Number of the row, from 1."),
    _number("n_catalogues", "meta.number", "Number of catalogues that have the source."),
    _real(
        "ra",
        "deg",
        "pos.eq.ra;meta.main",
        "Right ascension (ICRS) by the first catalogue that has the source.",
        ".6f",
    ),
    _real(
        "dec",
        "deg",
        "pos.eq.dec;meta.main",
        "Declination (ICRS) by the first catalogue that has the source.",
        ".6f",
    ),
    _real(
        "spectral_index", "", "spect.index;em.radio", "Spectral index alpha, with S ~ frequency^alpha.", ".2f"
    ),
    _real(
        "spectral_index_err",
        "",
        "stat.error;spect.index",
        "Error of the spectral index by the errors of the fluxes.",
        ".2f",
    ),
    _real(
        "spectral_index_min",
        "",
        "spect.index;stat.min",
        "Lower limit of the index, by a catalogue at a lower frequency that does not have the source.",
        ".2f",
    ),
    _real(
        "spectral_index_max",
        "",
        "spect.index;stat.max",
        "Upper limit of the index, by a catalogue at a higher frequency that does not have the source.",
        ".2f",
    ),
    _real(
        "curvature",
        "",
        "spect.index;arith.diff",
        "Coefficient of ln(frequency)^2; the index is that at the frequency of the reference.",
        ".2f",
    ),
    _real("curvature_err", "", "stat.error;spect.index;arith.diff", "Error of the curvature.", ".2f"),
    _text("remarks", "meta.note", "What is odd: no position, duplicate id, shared."),
)

EACH: tuple[Column, ...] = (
    _number("id", "meta.id", "Number of the source in its catalogue; 0 where it has none."),
    _number("row", "meta.id;meta.table", "Row of the catalogue, from 0; -1 where it has none."),
    _text("name", "meta.id", "Name of the source in its catalogue."),
    _real(
        "ra",
        "deg",
        "pos.eq.ra",
        "Right ascension (ICRS) in the catalogue; corrected where the catalogue was.",
        ".6f",
    ),
    _real(
        "dec",
        "deg",
        "pos.eq.dec",
        "Declination (ICRS) in the catalogue; corrected where the catalogue was.",
        ".6f",
    ),
    _real("flux", "Jy", _FLUX, "Flux density in the catalogue; corrected where the catalogue was.", ".4g"),
    _real("flux_err", "Jy", f"stat.error;{_FLUX}", "Error of the flux density.", ".4g"),
)

FURTHER: tuple[Column, ...] = (
    _real("separation", "arcsec", "pos.angDistance", "Distance from the position of the row.", ".3f"),
    _real(
        "east",
        "arcsec",
        "pos.eq.ra;arith.diff",
        "Offset east from the position of the row, RA times cos(dec).",
        ".3f",
    ),
    _real("north", "arcsec", "pos.eq.dec;arith.diff", "Offset north from the position of the row.", ".3f"),
    _real(
        "probability",
        "",
        "stat.probability",
        "Reliability by likelihood ratio; else the probability that chance puts no row so near.",
        ".4f",
    ),
    _real(
        "overlap",
        "",
        "phys.area;arith.ratio",
        "Share of the smaller ellipse or island that lies in the other.",
        ".3f",
    ),
    _real("likelihood_ratio", "", "stat.likelihood", "Likelihood ratio of the pair.", ".4g"),
    _real(
        "flux_ratio",
        "",
        f"{_FLUX};arith.ratio",
        "Flux density over that of the first catalogue that has the source.",
        ".3f",
    ),
    _number("n_near", "meta.number", "Number of rows of the catalogue within the radius."),
)

CANDIDATES: tuple[Column, ...] = (
    _number(
        "match_id",
        "meta.id;meta.main",
        "Number of the row in the table of matches whose position was searched.",
    ),
    _number("catalogue", "meta.id", "Number of the catalogue in which the candidate is."),
    _number("id", "meta.id", "Number of the candidate in its catalogue."),
    _number("row", "meta.id;meta.table", "Row of the candidate in its catalogue, from 0."),
    *(each for each in FURTHER if each.name in ("separation", "probability", "overlap", "likelihood_ratio")),
    Column("chosen", "bool", "", "meta.code", "True where the candidate is the match.", ()),
)

DUPLICATES: tuple[Column, ...] = (
    _number("group", "meta.id;meta.main", "Number of the group of rows that are one source, from 1."),
    _number("n_group", "meta.number", "Number of rows of the group."),
    *(each for each in EACH),
    _number("other_id", "meta.id", "Number of the nearest other row of the group."),
    *(each for each in FURTHER if each.name in ("separation", "flux_ratio")),
    _text("remarks", "meta.note", "What is the same: position, id."),
)


def numbered(column: Column, number: int) -> Column:
    """The declaration of a column for the catalogue with this number."""
    meaning = f"{column.meaning[:-1]}, catalogue {number}."
    return Column(
        f"{column.name}_{number}", column.dtype, column.unit, column.ucd, meaning, (), column.display
    )
