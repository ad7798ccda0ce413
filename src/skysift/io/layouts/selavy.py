"""Selavy and CASDA: component and island catalogues of ASKAP, as VOTable, CSV, or the text of Selavy itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from skysift.io.layouts.containers import Foreign
from skysift.io.layouts.conversion import sexagesimal
from skysift.io.layouts.declared import DeclaredLayout, Filled, Marks, Place, Places
from skysift.io.layouts.rank import letters, numbers_in, rank_within
from skysift.sky.flags import flag, has
from skysift.sky.naming import names
from skysift.sky.schema import TableName
from skysift.sky.table import Table, Values

__all__ = ["CasdaLayout"]

_UNKNOWN = -99.0  # a spectral index that was not measured
_PREFIX = "SKYSIFT"


def _pair(theirs: str, ours: str, unit: str, *, error: bool = True, needed: bool = False) -> Iterator[Place]:
    """A column and its error, ``_err`` behind the name."""
    yield Place(theirs, ours, unit, needed=needed)
    yield Place(f"{theirs}_err", f"{ours}_err" if error and ours else "", unit)


_POSITION = (
    Place("ra_hms_cont", dtype="str", ucd="pos.eq.ra"),
    Place("dec_dms_cont", dtype="str", ucd="pos.eq.dec"),
    Place("ra_deg_cont", "ra", "deg", needed=True),
    Place("dec_deg_cont", "dec", "deg", needed=True),
)
_NUMBER = "meta.code"


def _shape(suffix: str, ours: str) -> Iterator[Place]:
    """Axes and angle."""
    yield Place(f"maj_axis{suffix}", f"major{ours}", "arcsec")
    yield Place(f"min_axis{suffix}", f"minor{ours}", "arcsec")
    yield Place(f"pos_ang{suffix}", f"pa{ours}", "deg")


def _residuals() -> Iterator[Place]:
    for word in ("max", "min", "mean", "rms", "stdev"):
        yield Place(f"{word}_residual", unit="mJy/beam")


class CasdaLayout(DeclaredLayout):
    """Components or islands as Selavy finds them and CASDA holds them: fluxes in mJy, axes in arcsec, MHz.

    Identifiers are texts: `component_id` is `foreign_id`, the number of the island is the one at the end of its
    identifier, components are numbered, `component_name` is `name`. A spectral index of -99 is one that was
    not measured. `fit_is_estimate` is our flag `fit_failed`; `has_siblings` says that the structure is not `S`.
    UCDs are those of the standard, where CASDA has words of its own.
    """

    name = "casda"
    title = "Selavy and CASDA"
    places: ClassVar[Places] = {
        "components": (
            Place("island_id", "island_id", dtype="str", needed=True, ucd="meta.id.parent", special=True),
            Place("component_id", "foreign_id", needed=True, ucd="meta.id;meta.main"),
            Place("component_name", "name", ucd="meta.id"),
            *_POSITION,
            Place("ra_err", "ra_err", "arcsec"),
            Place("dec_err", "dec_err", "arcsec"),
            Place("freq", "frequency", "MHz"),
            *_pair("flux_peak", "flux_peak", "mJy/beam", needed=True),
            *_pair("flux_int", "flux_int", "mJy", needed=True),
            *_shape("", ""),
            Place("maj_axis_err", "major_err", "arcsec"),
            Place("min_axis_err", "minor_err", "arcsec"),
            Place("pos_ang_err", "pa_err", "deg"),
            *_shape("_deconv", "_deconv"),
            Place("maj_axis_deconv_err", "major_deconv_err", "arcsec"),
            Place("min_axis_deconv_err", "minor_deconv_err", "arcsec"),
            Place("pos_ang_deconv_err", unit="deg", ucd="stat.error;pos.posAng"),
            Place("chi_squared_fit", ucd="stat.fit.chi2"),
            Place("rms_fit_gauss", unit="mJy/beam", ucd="stat.stdev;stat.fit"),
            Place("spectral_index", "spectral_index", unknown=_UNKNOWN, constant=_UNKNOWN),
            Place("spectral_curvature", unknown=_UNKNOWN, constant=_UNKNOWN),
            Place("spectral_index_err", "spectral_index_err"),
            Place("spectral_curvature_err"),
            Place("rms_image", "rms", "mJy/beam"),
            Place("has_siblings", "structure", dtype="int64", ucd=_NUMBER, special=True),
            Place("fit_is_estimate", "flags", ucd=_NUMBER, special=True),
            Place("spectral_index_from_TT", dtype="int64", ucd=_NUMBER),
            Place("flag_c4", dtype="int64", ucd=_NUMBER),
            Place("comment", dtype="str", ucd="meta.note"),
        ),
        "islands": (
            Place("island_id", "foreign_id", needed=True, ucd="meta.id;meta.main"),
            Place("island_name", "name", ucd="meta.id"),
            Place("n_components", "n_components", dtype="int64"),
            *_POSITION,
            Place("freq", "frequency", "MHz"),
            Place("maj_axis", unit="arcsec", ucd="phys.angSize.smajAxis"),
            Place("min_axis", unit="arcsec", ucd="phys.angSize.sminAxis"),
            Place("pos_ang", unit="deg", ucd="pos.posAng"),
            *_pair("flux_int", "flux_int", "mJy", needed=True),
            Place("flux_peak", "flux_peak", "mJy/beam", needed=True),
            Place("mean_background", "background", "mJy/beam"),
            Place("background_noise", "rms", "mJy/beam"),
            *_residuals(),
            Place("x_min", "x_min", dtype="int64"),
            Place("x_max", "x_max", dtype="int64"),
            Place("y_min", "y_min", dtype="int64"),
            Place("y_max", "y_max", dtype="int64"),
            Place("n_pix", "n_pixels", dtype="int64"),
            Place("solid_angle", unit="arcmin2", ucd="phys.angArea"),
            Place("beam_area", unit="arcmin2", ucd="phys.angArea;instr.beam"),
            Place("x_ave", unit="pixel", ucd="pos.cartesian.x;stat.mean"),
            Place("y_ave", unit="pixel", ucd="pos.cartesian.y;stat.mean"),
            Place("x_cen", "x", "pixel"),
            Place("y_cen", "y", "pixel"),
            Place("x_peak", dtype="int64", ucd="pos.cartesian.x;stat.max", constant=-1),
            Place("y_peak", dtype="int64", ucd="pos.cartesian.y;stat.max", constant=-1),
            *(Place(f"flag_i{number}", dtype="int64", ucd=_NUMBER) for number in (1, 2, 3, 4)),
            Place("comment", dtype="str", ucd="meta.note"),
        ),
    }
    marks: ClassVar[Marks] = {
        "components": frozenset({"island_id", "component_id", "ra_deg_cont", "dec_deg_cont"}),
        "islands": frozenset({"island_id", "ra_deg_cont", "dec_deg_cont", "n_pix"}),
    }
    suffixes = (".xml", ".vot", ".votable", ".csv")
    sky = ("ra_deg_cont", "dec_deg_cont")

    def complete(self, kind: TableName, filled: Filled, foreign: Foreign) -> None:
        """Numbers out of the identifiers, flags, structure; the beam areas in an island."""
        filled["island_id"] = numbers_in(foreign.texts("island_id"))
        if kind == "islands":
            area = foreign.numbers("beam_area")
            filled["n_beams"] = foreign.numbers("solid_angle") / np.where(area > 0, area, np.nan)
            return
        siblings = foreign.numbers("has_siblings")
        filled["structure"] = np.where(np.isnan(siblings), "", np.where(siblings == 1, "C", "S"))
        estimated = foreign.numbers("fit_is_estimate") == 1
        filled["flags"] = np.where(estimated, flag("fit_failed"), 0)

    def fill(self, kind: TableName, table: Table) -> Filled:
        """Identifiers, positions as text, names by the position, and its flags."""
        islands = table["island_id"]
        if kind == "components" and not np.any(islands):  # not known: each stands alone
            islands = np.arange(1, len(table) + 1)
        island = np.strings.add(f"{_PREFIX}_island_", np.char.mod("%d", islands))
        made: Filled = {
            "ra_hms_cont": sexagesimal(table["ra"], 1, hours=True),
            "dec_dms_cont": sexagesimal(table["dec"], 0, hours=False),
        }
        own = table["foreign_id"] if "foreign_id" in table else np.full(len(table), "")
        if kind == "islands":
            return made | {
                "island_id": np.where(own == "", island, own),
                "island_name": _named(table),
            }
        rank = _by_flux(islands, table["flux_peak"])
        component = np.strings.add(f"{_PREFIX}_component_", np.char.mod("%d", islands))
        siblings = np.isin(table["structure"], ["C", "M"])
        return made | {
            "island_id": island,
            "component_id": np.where(own == "", np.strings.add(component, letters(rank)), own),
            "component_name": _named(table),
            "has_siblings": siblings.astype(np.int64),
            "fit_is_estimate": has(table["flags"], "fit_failed").astype(np.int64),
        }


def _named(table: Table) -> Values:
    """Names; those that are empty by the position, ``J053527-691611``."""
    known = table["name"]
    if not np.any(known == ""):
        return known
    made = np.strings.partition(names(table["ra"], table["dec"], 20.0, x=table["x"], y=table["y"]), " ")[2]
    return np.where(known == "", made, known)


def _by_flux(islands: Values, flux: Values) -> NDArray[np.int64]:
    """The rank of each component in its island, the brightest first."""
    order = np.argsort(-np.nan_to_num(flux, nan=-np.inf), kind="stable")
    rank = np.empty(len(islands), dtype=np.int64)
    rank[order] = rank_within(islands[order])
    return rank
