"""The menus of the service's own apps; light."""

from __future__ import annotations

from skysift.base.options import Options, option

__all__ = ["CutoutOptions", "HipsOptions", "ManyCutoutsOptions", "QueryOptions"]


class QueryOptions(Options):
    """A query of the knowledge base, as TAP has it; what is wrong with it shows when it is asked."""

    query: str = option("", doc="The query, in ADQL 2.1.")
    lang: str = option("ADQL", doc="Its language: ADQL, ADQL-2.0 or ADQL-2.1.")
    maxrec: str = option("", doc="How many rows may go out; empty for what the service usually gives.")
    form: str = option(
        "", doc="Form of the table: votable, votable/b2, csv, tsv, fits or json; VOTable if empty."
    )
    upload: tuple[str, ...] = option((), doc="Tables that come along: NAME,param:INPUT or NAME,URL.")


class CutoutOptions(Options):
    """Parts of maps and cubes of the shelf, as SODA has them: every map in every region and every band."""

    id: tuple[str, ...] = option((), doc="Identifiers of maps and cubes.")
    pos: tuple[str, ...] = option((), doc="Regions: CIRCLE, RANGE or POLYGON and numbers (degrees).")
    possys: str = option("", doc="System of the regions: ICRS or GALACTIC.")
    band: tuple[str, ...] = option((), doc="Intervals of wavelength (m).")
    pol: tuple[str, ...] = option((), doc="Polarisations.")
    velocity: str = option("", doc="An interval of velocity (km/s).")
    pixel: str = option("", doc="Pixels from 1, in place of regions: X1 X2 Y1 Y2, and C1 C2 for channels.")


class ManyCutoutsOptions(Options):
    """Many parts of many maps of the shelf into one archive, by a list of JSON, with a report of each."""

    items: str = option(
        "body", doc="The input that holds the list: objects with id, pos, possys, band, velocity, pol."
    )
    compress: bool = option(True, doc="Whether the archive is tar.gz; else tar.")


class HipsOptions(Options):
    """All tiles of a map of the shelf as HiPS, made before anybody looks: for maps that are large."""

    id: str = option("", doc="Identifier of the map.")
