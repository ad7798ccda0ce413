"""Made sources in a real map: the map with them in it, and the truth of them.

`skysift.sim.inject.sources` draws them. The pixels of the map that holds them are painted when they are read, the same
for any box; nothing of the real map is changed or copied.

A source is a sum of Gaussians seen through the map's own beam, so the image of a point of flux S is the beam
with the peak S. Primary beam and smearing act on them where they are told of; CLEAN bias does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.provenance import Provenance
from skysift.measure.ellipse import ellipses, shape_transform
from skysift.measure.gaussian import paint_gaussians
from skysift.sim.masks import true_masks
from skysift.sky import schema
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.catalogue import Catalogue
from skysift.sky.image import SkyImage
from skysift.sky.table import Table
from skysift.sky.truth import Truth

__all__ = ["InjectedSource", "MadeSources", "inject", "injected_truth", "painted"]

Floats = NDArray[np.float64]

_REACH = 40.0  # squared radius (sigma^2) to which `paint_gaussians` paints


@dataclass(frozen=True, eq=False)
class MadeSources:
    """Sources on a map, one row a source, and the Gaussians that their images are made of.

    Parameters
    ----------
    x, y
        Centroid of the flux (pixel).
    flux
        Total flux density (Jy).
    flux_peak
        Peak of the noise-free image (Jy/beam).
    rms
        Noise of the map there (Jy/beam).
    ee, en, nn
        Second moments without the beam (arcsec^2), along east and north.
    extent
        Largest extent without the beam (arcsec): FWHM of a Gaussian, that of a template's image.
    morphology
        ``point``, ``gaussian``, or the name of the template.
    owner
        Row of the source of each Gaussian, in order.
    gaussians
        (gaussian, 6): amplitude (Jy/beam), x, y, covariance xx, xy, yy (pixel^2), seen through the beam.
    """

    x: Floats
    y: Floats
    flux: Floats
    flux_peak: Floats
    rms: Floats
    ee: Floats
    en: Floats
    nn: Floats
    extent: Floats
    morphology: NDArray[np.str_]
    owner: NDArray[np.int64]
    gaussians: Floats

    @property
    def snr(self) -> Floats:
        """Peak over noise."""
        return self.flux_peak / self.rms

    def with_flux(self, flux: Floats) -> MadeSources:
        """The same sources with other total fluxes (Jy)."""
        factor = np.asarray(flux, dtype=np.float64) / self.flux
        gaussians = self.gaussians.copy()
        gaussians[:, 0] *= factor[self.owner]
        return replace(self, flux=self.flux * factor, flux_peak=self.flux_peak * factor, gaussians=gaussians)

    def select(self, rows: NDArray[np.int64]) -> MadeSources:
        """The sources with these numbers, which rise."""
        kept = np.isin(self.owner, rows)
        per_source = (
            "x", "y", "flux", "flux_peak", "rms", "ee", "en", "nn", "extent", "morphology",
        )  # fmt: skip
        return MadeSources(
            **{name: getattr(self, name)[rows] for name in per_source},
            owner=np.searchsorted(rows, self.owner[kept]),
            gaussians=self.gaussians[kept],
        )

    def __len__(self) -> int:
        return int(self.x.size)

    def __repr__(self) -> str:
        return f"MadeSources({len(self)}, {len(self.owner)} Gaussians)"


@dataclass(frozen=True, eq=False)
class InjectedSource:
    """The pixels of a map with Gaussians added when they are read; each pixel is the same for any box.

    Parameters
    ----------
    image
        The map.
    gaussians
        (gaussian, 6): amplitude (Jy/beam), x, y, covariance xx, xy, yy (pixel^2).
    """

    image: SkyImage
    gaussians: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns, (ny, nx)."""
        return self.image.shape

    def read(self, box: Box) -> NDArray[np.float32]:
        """The pixels of a box: the map's plus what was added, float32; blanks stay blank."""
        pixels = self.image.read(box).astype(np.float64)
        pixels += painted(self.gaussians, box)
        return np.ascontiguousarray(pixels, dtype=np.float32)


def painted(gaussians: Floats, box: Box) -> Floats:
    """The Gaussians (gaussian, 6) in a box of the map, (y, x) Jy/beam."""
    out = np.zeros(box.shape)
    if len(gaussians):
        reach_y, reach_x = np.sqrt(_REACH * gaussians[:, 5]), np.sqrt(_REACH * gaussians[:, 3])
        near = (gaussians[:, 2] + reach_y >= box.y0) & (gaussians[:, 2] - reach_y <= box.y1)
        near &= (gaussians[:, 1] + reach_x >= box.x0) & (gaussians[:, 1] - reach_x <= box.x1)
        paint_gaussians(np.ascontiguousarray(gaussians[near]), box.y0, box.x0, out)
    return out


def inject(
    image: SkyImage, sources: MadeSources, shown: Callable[[Floats, Floats], Floats] | None = None
) -> SkyImage:
    """The map with the sources in it; nothing is painted before it is read.

    Parameters
    ----------
    image
        The map.
    sources
        What goes into it.
    shown
        What part of a true flux the map shows at pixels (x, y), as the primary beam has it; all of it where None.
    """
    gaussians = sources.gaussians
    if shown is not None:
        gaussians = gaussians.copy()
        gaussians[:, 0] *= shown(gaussians[:, 1], gaussians[:, 2])
    pixels = InjectedSource(image, gaussians)
    return replace(image, pixels=pixels, origin=None, factor=1.0, unit="Jy/beam")


def injected_truth(
    image: SkyImage,
    made: MadeSources,
    provenance: Provenance,
    *,
    workers: int = 1,
    response: Floats | None = None,
) -> Truth:
    """The truth of sources in a map: their table with the map's noise, and their masks.

    Where the `response` of the primary beam at the sources is known, it is a column; all values are true ones.

    The mask of a source is where its image exceeds 1 sigma of the map, or holds 90 % of its flux where that is
    fainter, as if it were alone: masks of neighbours may overlap.
    """
    n = len(made)
    g = made.gaussians
    masks = true_masks(
        made.owner, g[:, 1], g[:, 2], g[:, 0], g[:, 3:], made.rms, image.shape, workers=workers
    )
    beam = (
        shape_transform(image.frame.tangent(made.x, made.y))
        @ image.point_covariance(made.x, made.y)[..., np.newaxis]
    )
    own = np.stack([made.ee, made.en, made.nn], axis=1)
    no_error = np.zeros((n, 3, 3))
    seen, bare = ellipses(own + beam[..., 0], no_error), ellipses(own, no_error)
    ra, dec = image.frame.to_sky(made.x, made.y)
    known: dict[str, NDArray[Any]] = {
        "source_id": np.arange(1, n + 1),
        "name": np.array([f"injected {i}" for i in range(1, n + 1)]),
        "x": made.x, "y": made.y, "ra": ra, "dec": dec,
        "flux": made.flux, "flux_int": made.flux, "flux_peak": made.flux_peak,
        "rms": made.rms, "snr": made.snr,
        "major": seen.major, "minor": seen.minor, "pa": seen.pa,
        "major_deconv": bare.major, "minor_deconv": bare.minor, "pa_deconv": bare.pa,
        "resolved": bare.major > 0.0,
        "frequency": np.full(n, image.frequency),
        "n_components": np.bincount(made.owner, minlength=n), "n_islands": masks.n_islands,
        "structure": np.where(np.bincount(made.owner, minlength=n) > 1, "M", "S"),
        "class": _classes(made, bare.major, masks.n_islands, image.beam),
        "morphology": made.morphology,
        "flux_true": made.flux, "angular_size": made.extent, "mask_level": masks.level,
    }  # fmt: skip
    if response is not None:
        known["primary_beam"] = response
    extra = schema.further(
        "sources", "class", "morphology", "flux_true", "angular_size", "mask_level",
        *(() if response is None else ("primary_beam",)),
    )  # fmt: skip
    blank: dict[str, Any] = {"int64": 0, "float64": np.nan, "bool": False, "str": ""}
    columns = {
        each.name: known.get(each.name, np.full(n, blank[each.dtype]))
        for each in (*schema.columns("sources"), *extra)
    }
    catalogue = Catalogue(
        Table.empty("islands"),
        Table.from_columns("sources", columns, extra),
        Table.empty("components"),
        provenance,
    )
    return Truth(catalogue, masks.detections, image.frame, image.beam, image.frequency)


def _classes(made: MadeSources, major: Floats, islands: NDArray[np.int64], beam: Beam) -> NDArray[np.str_]:
    """Compact where the beam hides the shape, else extended, and extended-multisland where it is in parts."""
    wide = np.where(islands > 1, "extended-multisland", "extended")
    return np.where(major < beam.minor, "compact", wide)
