"""`search_v`: what is found in Stokes V itself, of both signs, and what of it lies on a component of Stokes I."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from skysift.base.parallel import Crew
from skysift.find.classic.finder import ClassicFinder
from skysift.find.classic.options import ClassicOptions
from skysift.find.finding import Finding
from skysift.find.forced import measure_at
from skysift.find.noise import Noise
from skysift.find.options import FinderOptions
from skysift.find.places import Places, places_at
from skysift.find.run import search
from skysift.find.spectra import plain_noise
from skysift.measure.options import BeamOptions
from skysift.measure.polarisation import fraction, standing
from skysift.sky.box import PixelRegion
from skysift.sky.flags import flag
from skysift.sky.image import SkyImage
from skysift.sky.schema import further
from skysift.sky.table import Table

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

WITHIN = 2.0 * float(np.log(2.0))  # squared distance in sigma of a place at half the height of a Gaussian
_BLENDED = 8.0  # sigma; components of Stokes I nearer than this are measured together with a place
_NAMES = (
    "stokes_i_id", "stokes_i_separation", "flux_i", "flux_i_err", "fraction_v", "fraction_v_err", "fraction_v_limit",
    "fraction_v_lower", "flux_v_leakage_err",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class VFinding:
    """
    What was found in a map of Stokes V.

    Attributes
    ----------
    table
        Its components, with their signs, and what Stokes I is there.
    noise
        Of the map; None where there was nothing to search.
    facts, notes
        What was measured on the way, and what was odd.
    """

    table: Table
    noise: Noise | None
    facts: Mapping[str, object]
    notes: tuple[str, ...] = ()


def search_v(image: SkyImage | None, finding: Finding, options: FinderOptions, crew: Crew) -> VFinding:
    """
    The components of both signs in a map of Stokes V, each with Stokes I at its place.

    Islands are found and fitted as by the classic finder with the options of the search of Stokes I.

    Parameters
    ----------
    image
        The map of Stokes V; None where it holds no data.
    finding
        What was found in Stokes I, and its noise.
    options
        Those of the search of Stokes I.
    crew
        Who does it.
    """
    declared = further("components", *_NAMES)
    if image is None:
        return VFinding(Table.empty("components", declared), None, {"v_components": 0})
    finder = ClassicFinder(_for_v(options))
    region = None if finding.area == finding.image.box else PixelRegion(finding.area)
    found = search(
        image,
        finder,
        name="classic",
        workers=crew.workers,
        tile=crew.tile,
        progress=crew.progress,
        executor=crew.executor,
        kept=crew.kept,
        region=region,
        signed=True,
    )
    rows = found.catalogue.components
    owner = owners(
        finding.gaussians[:, 1], finding.gaussians[:, 2], finding.gaussians[:, 3:6], rows["x"], rows["y"]
    )
    columns = _with_total(found, owner, finding, options, crew)
    table = rows.with_columns(columns, declared)
    facts = {
        "v_components": len(table),
        "v_positive": int((table["flux"] > 0).sum()),
        "v_negative": int((table["flux"] < 0).sum()),
        "v_without_i": int((owner < 0).sum()),
    }
    return VFinding(table, found.noise, facts)


def owners(x: Floats, y: Floats, shape: Floats, at_x: Floats, at_y: Floats) -> Ints:
    """
    For each place the Gaussian on which it lies, within the ellipse of half its height; -1 where there is none.

    Parameters
    ----------
    x, y, shape
        Gaussians: pixels ``(n,)``, covariances ``(n, 3)``. Of several the place has the one in whose ellipse it is
        most central.
    at_x, at_y
        The places (pixels).
    """
    owner = np.full(len(at_x), -1)
    if not len(at_x) or not len(x):
        return owner
    half = np.hypot(0.5 * (shape[:, 0] - shape[:, 2]), shape[:, 1])
    reach = np.sqrt(WITHIN * (0.5 * (shape[:, 0] + shape[:, 2]) + half))
    a, b = _near(x, y, reach, at_x, at_y)
    dx, dy = at_x[b] - x[a], at_y[b] - y[a]
    xx, xy, yy = shape[a].T
    distance = (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy)
    inside = distance <= WITHIN
    a, b, distance = a[inside], b[inside], distance[inside]
    order = np.lexsort((a, distance, b))
    a, b = a[order], b[order]
    first = np.flatnonzero(np.diff(b, prepend=-1))
    owner[b[first]] = a[first]
    return owner


def _near(x: Floats, y: Floats, reach: Floats, at_x: Floats, at_y: Floats) -> tuple[Ints, Ints]:
    """Pairs of a Gaussian and a place within its reach."""
    found = cKDTree(np.stack([at_x, at_y], axis=1)).query_ball_point(
        np.stack([x, y], axis=1), reach, return_sorted=True
    )
    count = np.array([len(each) for each in found], np.int64)
    return np.repeat(np.arange(len(x)), count), np.concatenate([np.asarray(each, np.int64) for each in found])


def _for_v(options: FinderOptions) -> ClassicOptions:
    """The options of the search of Stokes V: those of Stokes I, both signs, the noise of the map itself.

    The map has its beams and its smearing already.
    """
    done: dict[str, Any] = dict.fromkeys(BeamOptions.model_fields)
    named = {name: getattr(options, name) for name in ClassicOptions.model_fields if hasattr(options, name)}
    return ClassicOptions(**named | plain_noise(options).to_dict() | done | {"negative": True})


def _with_total(
    found: Finding, owner: Ints, finding: Finding, options: FinderOptions, crew: Crew
) -> dict[str, npt.NDArray[Any]]:
    """Stokes I at the places of what was found in V, with fractions and limits."""
    rows, components = found.catalogue.components, finding.catalogue.components
    matched = owner >= 0
    total, total_err = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    apart, number = np.full(len(rows), np.nan), np.zeros(len(rows), np.int64)
    mine = owner[matched]
    total[matched], total_err[matched] = components["flux"][mine], components["flux_err"][mine]
    number[matched] = components.ids[mine]
    offset = np.stack(
        [rows["x"][matched] - components["x"][mine], rows["y"][matched] - components["y"][mine]], 1
    )
    tangent = found.image.frame.tangent(rows["x"][matched], rows["y"][matched])
    apart[matched] = np.hypot(*np.einsum("nij,nj->in", tangent, offset))
    alone = np.flatnonzero(~matched)
    if alone.size:
        total[alone], total_err[alone] = _total_at(found, alone, finding, crew)
    sigmas = options.polarised_sigma
    flux, error = rows["flux"], rows["flux_err"]
    ratio, ratio_err = fraction(flux, error, total, total_err)
    seen = total > sigmas * total_err
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = np.abs(flux) / (np.maximum(total, 0.0) + sigmas * total_err)
    stands = standing(flux, error, np.where(seen, total, np.nan), options.leakage_v, sigmas, sigmas)
    return {
        "stokes_i_id": number,
        "stokes_i_separation": apart,
        "flux_i": total,
        "flux_i_err": total_err,
        "fraction_v": np.where(seen, ratio, np.nan),
        "fraction_v_err": np.where(seen, ratio_err, np.nan),
        "fraction_v_limit": stands.limit,
        "fraction_v_lower": np.where(seen, np.nan, lower),
        "flux_v_leakage_err": options.leakage_v * np.abs(total),
        "flags": rows["flags"] | np.where(stands.leaked, flag("leakage"), 0),
    }


def _total_at(found: Finding, alone: Ints, finding: Finding, crew: Crew) -> tuple[Floats, Floats]:
    """Stokes I at the places of some components of Stokes V, solved together with the components of I near them."""
    image = finding.image
    x, y = found.gaussians[alone, 1], found.gaussians[alone, 2]
    beam = places_at(image, x, y).beam
    wide = np.asarray(found.catalogue.components["resolved"], bool)[alone, None]
    shape = np.where(wide, found.gaussians[alone, 3:6], beam)
    there = finding.gaussians
    near = np.empty(0, np.int64)
    if len(there):
        reach = _BLENDED * np.sqrt(np.maximum(there[:, 3], there[:, 5]))
        near = np.unique(_near(there[:, 1], there[:, 2], reach, x, y)[0])
    places = Places(
        np.concatenate([x, there[near, 1]]),
        np.concatenate([y, there[near, 2]]),
        np.ascontiguousarray(np.concatenate([shape, there[near, 3:6]])),
        np.ascontiguousarray(np.concatenate([beam, places_at(image, there[near, 1], there[near, 2]).beam])),
    )
    forced = measure_at(image, finding.noise, places, crew=crew)
    return forced.flux_int[: len(alone)], forced.flux_int_err[: len(alone)]
