"""The truth of a made map: its tables, classes, masks and artefacts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.provenance import Provenance
from skysift.measure.ellipse import Ellipses, ellipses
from skysift.sim.apparent import Apparent
from skysift.sim.masks import TrueMasks, union
from skysift.sim.objects import Objects
from skysift.sky import schema
from skysift.sky.beam import Beam
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Detections
from skysift.sky.flags import flag
from skysift.sky.frame import Frame
from skysift.sky.naming import names
from skysift.sky.schema import TableName
from skysift.sky.table import Table
from skysift.sky.truth import FLAGGED, Truth

__all__ = ["Scene", "make_truth"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESOLVED = (
    1.0  # beams (geometric mean FWHM): an object with a longer major axis, without the beam, is extended
)
DISTURBING = 0.2  # of an object's peak: an artefact on its mask that is brighter than this spoils it
FURTHER = (
    "class",
    "morphology",
    "object_type",
    "flux_true",
    "primary_beam",
    "spectral_index",
    "core_fraction",
    "angular_size",
    "mask_level",
)


@dataclass(frozen=True, eq=False)
class Scene:
    """What a truth is made from.

    Parameters
    ----------
    objects, apparent, masks
        One row an object.
    rms
        Noise of the map at each object (Jy/beam).
    artefacts
        Connected regions of the noise-free artefact map; `scores` are their peaks (Jy/beam), below zero for holes.
    artefact_rms
        Noise of the map at each of them (Jy/beam).
    hidden, cut
        Objects that lie where the map is blank, and those whose mask may reach there.
    frame, beam, frequency
        Of the map.
    """

    objects: Objects
    apparent: Apparent
    masks: TrueMasks
    rms: Floats
    artefacts: Detections
    artefact_rms: Floats
    hidden: NDArray[np.bool_]
    cut: NDArray[np.bool_]
    frame: Frame
    beam: Beam
    frequency: float


def make_truth(scene: Scene, provenance: Provenance | None = None) -> Truth:
    """The truth of a made map: the objects that are seen in it, sorted by row of the map, and then the artefacts.

    An object has a row where its mask has a pixel inside the map. Its class is

    - ``flagged`` where the map's border or blank pixels cut its mask, or where an artefact that is brighter than
      a fifth of the object's peak covers part of it;
    - else ``extended-multisland`` where its mask has several islands of at least half a beam;
    - else ``extended`` where its major axis without the beam (FWHM of the Gaussian with its second moments)
      exceeds the geometric mean of the beam's;
    - else ``compact``. Artefacts are ``spurious``.
    """
    seen = np.flatnonzero((scene.masks.n_inside > 0) & ~scene.hidden)
    order = seen[np.lexsort((scene.apparent.x_object[seen], scene.apparent.y_object[seen]))]
    masks = Detections.concat([scene.masks.detections.select(order), _bare(scene.artefacts)])
    regions = _Regions(masks)
    sources = _joined(_objects(scene, order, regions), _artefacts(scene, regions))
    n = len(masks)
    ids = np.arange(1, n + 1)
    sources |= {
        "source_id": ids,
        "frequency": np.full(n, scene.frequency),
        "structure": np.where(regions.shared, "C", "S"),
        "name": names(sources["ra"], sources["dec"], 0.5, x=sources["x"], y=sources["y"]),
    }
    core = _core(scene, order, sources)
    catalogue = Catalogue(
        _table("islands", regions.rows(sources, scene)),
        _table("sources", sources, FURTHER),
        _table("components", {**sources, **core, "component_id": ids, "island_id": regions.first + 1}),
        provenance,
    )
    return Truth(catalogue, masks, scene.frame, scene.beam, scene.frequency)


class _Regions:
    """The connected regions of all masks together: they are the islands."""

    def __init__(self, masks: Detections) -> None:
        prints = masks.footprints
        self.runs, self.region, held = union(prints)
        self.n = int(self.region.max()) + 1 if self.region.size else 0
        pairs = np.unique(np.stack([prints.index, held], axis=1), axis=0)  # (source, island)
        self.islands_of = np.bincount(pairs[:, 0], minlength=len(masks))
        self.sources_of = np.bincount(pairs[:, 1], minlength=self.n)
        first = np.searchsorted(pairs[:, 0], np.arange(len(masks)))
        self.first = pairs[first, 1] if len(masks) else np.empty(0, dtype=np.int64)
        self.shared = self.sources_of[self.first] > 1

    def rows(
        self, sources: Mapping[str, NDArray[np.generic]], scene: Scene
    ) -> dict[str, NDArray[np.generic]]:
        """The columns of the islands."""
        n, area = self.n, (self.runs[:, 2] - self.runs[:, 1]).astype(np.float64)
        size = np.bincount(self.region, area, n)
        middle = np.bincount(self.region, area * 0.5 * (self.runs[:, 1] + self.runs[:, 2] - 1), n) / size
        row = np.bincount(self.region, area * self.runs[:, 0], n) / size
        low = np.full((n, 2), np.iinfo(np.int64).max)
        high = np.full((n, 2), -1)
        np.minimum.at(low, self.region, self.runs[:, :2])
        np.maximum.at(high, self.region, np.stack([self.runs[:, 0], self.runs[:, 2] - 1], axis=1))
        ra, dec = scene.frame.to_sky(middle, row)
        peak, flux, rms = np.full(n, -np.inf), np.zeros(n), np.zeros(n)
        np.maximum.at(peak, self.first, sources["flux_peak"].astype(np.float64))
        np.add.at(flux, self.first, sources["flux_int"].astype(np.float64))
        np.maximum.at(rms, self.first, sources["rms"].astype(np.float64))
        known = np.isfinite(peak)
        peak = np.where(known, peak, np.nan)
        rms = np.where(rms > 0, rms, np.nan)
        return {
            "island_id": np.arange(1, n + 1),
            "name": names(ra, dec, 0.5, x=middle, y=row),
            "x": middle,
            "y": row,
            "ra": ra,
            "dec": dec,
            "x_min": low[:, 1],
            "x_max": high[:, 1],
            "y_min": low[:, 0],
            "y_max": high[:, 0],
            "n_pixels": size.astype(np.int64),
            "n_beams": size / scene.frame.beam_area_pixels(scene.beam),
            "flux_peak": peak,
            "flux_int": np.where(known, flux, np.nan),
            "flux": np.where(known, flux, np.nan),
            "rms": rms,
            "snr": peak / rms,
            "n_components": np.bincount(self.first, minlength=n),
            "n_sources": self.sources_of,
            "frequency": np.full(n, scene.frequency),
        }


def _objects(scene: Scene, order: Ints, regions: _Regions) -> dict[str, NDArray[np.generic]]:
    """The columns of the objects with these numbers."""
    objects, apparent, masks = scene.objects, scene.apparent, scene.masks
    x, y = apparent.x_object[order], apparent.y_object[order]
    ra, dec = scene.frame.to_sky(x, y)
    shape, own = _axes(apparent.sky_seen[order]), _axes(apparent.sky[order])
    peak, rms = masks.peak[order], scene.rms[order]
    outside = masks.n_inside[order] < masks.n_all[order]
    cut = outside | scene.cut[order]
    spoilt = _spoilt(scene, order, peak)
    beam = math.sqrt(scene.beam.major * scene.beam.minor)
    extended = own.major > RESOLVED * beam
    kind = np.where(extended, "extended", "compact")
    kind = np.where(masks.n_islands[order] > 1, "extended-multisland", kind)
    return {
        "x": x,
        "y": y,
        "ra": ra,
        "dec": dec,
        "flux_peak": peak,
        "flux_int": apparent.flux_int[order],
        "flux": apparent.flux_int[order],
        "major": shape.major,
        "minor": shape.minor,
        "pa": shape.pa,
        "major_deconv": own.major,
        "minor_deconv": own.minor,
        "pa_deconv": np.where(own.major > 0, own.pa, 0.0),
        "resolved": extended,
        "rms": rms,
        "background": np.zeros(order.size),
        "snr": peak / rms,
        "n_islands": regions.islands_of[: order.size],
        "n_components": np.ones(order.size, dtype=np.int64),
        "flags": np.where(outside, flag("edge"), 0) + np.where(scene.cut[order], flag("blank"), 0),
        "class": np.where(cut | spoilt, FLAGGED, kind),
        "morphology": objects.morphology[order],
        "object_type": objects.object_type[order],
        "flux_true": apparent.flux_true[order],
        "primary_beam": apparent.response[order],
        "spectral_index": objects.spectral_index[order],
        "core_fraction": objects.core_fraction[order],
        "angular_size": objects.angular_size[order],
        "mask_level": masks.level[order],
    }


def _artefacts(scene: Scene, regions: _Regions) -> dict[str, NDArray[np.generic]]:
    """The columns of the artefacts: where they are and how bright; what else there is of an object they lack."""
    found = scene.artefacts
    n = len(found)
    prints = found.footprints
    wide = (prints.stop - prints.start).astype(np.float64)
    size = np.maximum(np.bincount(prints.index, wide, n), 1.0)
    x = np.bincount(prints.index, wide * 0.5 * (prints.start + prints.stop - 1), n) / size
    y = np.bincount(prints.index, wide * prints.row, n) / size
    ra, dec = scene.frame.to_sky(x, y)
    return {
        "x": x,
        "y": y,
        "ra": ra,
        "dec": dec,
        "flux_peak": found.scores,
        "rms": scene.artefact_rms,
        "snr": found.scores / scene.artefact_rms,
        "resolved": np.zeros(n, dtype=np.bool_),
        "n_islands": regions.islands_of[len(regions.islands_of) - n :],
        "n_components": np.ones(n, dtype=np.int64),
        "flags": np.where(found.scores < 0, flag("negative"), 0),
        "class": np.full(n, "spurious"),
        "morphology": np.full(n, "sidelobe"),
        "object_type": np.full(n, "artefact"),
    }


def _core(scene: Scene, order: Ints, sources: Mapping[str, NDArray[np.generic]]) -> dict[str, Floats]:
    """Where the components are: at the cores, which lie at the centroid for what has none."""
    ra, dec = sources["ra"].astype(np.float64), sources["dec"].astype(np.float64)
    cored = scene.objects.core_fraction[order] > 0.0
    ra[: order.size][cored] = scene.objects.ra_core[order][cored]
    dec[: order.size][cored] = scene.objects.dec_core[order][cored]
    x, y = sources["x"].astype(np.float64), sources["y"].astype(np.float64)
    x[: order.size][cored], y[: order.size][cored] = scene.frame.to_pixel(
        ra[: order.size][cored], dec[: order.size][cored]
    )
    return {"ra": ra, "dec": dec, "x": x, "y": y}


def _spoilt(scene: Scene, order: Ints, peak: Floats) -> NDArray[np.bool_]:
    """Which objects share a pixel with an artefact that is bright beside them."""
    spoilt = np.zeros(order.size, dtype=np.bool_)
    if not len(scene.artefacts):
        return spoilt
    bad, prints = scene.artefacts.footprints, scene.masks.detections.select(order).footprints
    width = int(max(bad.stop.max(), prints.stop.max(initial=0))) + 1
    begin, end = bad.row * width + bad.start, bad.row * width + bad.stop
    by_place = np.argsort(begin, kind="stable")
    begin, end, score = begin[by_place], end[by_place], np.abs(scene.artefacts.scores[bad.index][by_place])
    first = np.searchsorted(end, prints.row * width + prints.start, side="right")
    last = np.searchsorted(begin, prints.row * width + prints.stop, side="left")
    met = np.repeat(np.arange(len(prints)), np.maximum(last - first, 0))
    offset = np.arange(met.size) - np.repeat(
        np.cumsum(np.maximum(last - first, 0)) - np.maximum(last - first, 0), np.maximum(last - first, 0)
    )
    bright = score[first[met] + offset] > DISTURBING * peak[prints.index[met]]
    spoilt[prints.index[met[bright]]] = True
    return spoilt


def _bare(artefacts: Detections) -> Detections:
    """The detections with scores of 1 and no raw parameters, as those of the objects are."""
    return Detections(artefacts.boxes, np.ones(len(artefacts)), artefacts.footprints)


def _axes(sky: Floats) -> Ellipses:
    """Axes and angles of covariances (n, 3) that have no errors."""
    return ellipses(sky, np.zeros((len(sky), 3, 3)))


def _joined(
    above: Mapping[str, NDArray[np.generic]], below: Mapping[str, NDArray[np.generic]]
) -> dict[str, NDArray[np.generic]]:
    """The rows of two sets of columns; numbers that the second lacks are NaN."""
    n = next(iter(below.values())).size
    return {
        name: np.concatenate([values, below.get(name, np.full(n, np.nan))]) for name, values in above.items()
    }


def _table(
    kind: TableName, columns: Mapping[str, NDArray[np.generic]], further: tuple[str, ...] = ()
) -> Table:
    """The table with these columns; what is not given is NaN, 0, false or empty."""
    extra = schema.further(kind, *further) if further else ()
    blank = {"int64": 0, "float64": np.nan, "bool": False, "str": ""}
    n = next(iter(columns.values())).size
    return Table.from_columns(
        kind,
        {
            each.name: columns[each.name] if each.name in columns else np.full(n, blank[each.dtype])
            for each in (*schema.columns(kind), *extra)
        },
        extra,
    )
