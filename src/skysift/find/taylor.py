"""`TaylorTerms`: maps tt1 (and tt2) beside tt0; spectral index and curvature of every component and source.

tt0 is searched; the terms are measured at the places and with the shapes of its components, all by the same
weights, so that what is wrong with a shape cancels in the ratios. The noise of the terms goes together, and how
much is measured: its correlation enters the errors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from skysift.base.errors import HeaderError, UsageError
from skysift.base.parallel import Crew
from skysift.find.beams import seen_alike
from skysift.find.beside import MapLike, open_map, recorded, same_grid
from skysift.find.finding import Finding
from skysift.find.forced import measure_at
from skysift.find.noise import Noise, measure_noise, pixels_within
from skysift.find.options import FinderOptions
from skysift.find.places import Places
from skysift.find.spectra import (
    component_places,
    need_slope,
    plain_noise,
    sources_of,
    spectra_table,
    with_spectra,
)
from skysift.io.planes import has_data
from skysift.measure.background import mask_bright
from skysift.measure.convolve import common_beam, convolve, same_beam
from skysift.measure.response import DishResponse
from skysift.measure.spectrum import TaylorBand, taylor_laws
from skysift.sky.beam import Beam
from skysift.sky.box import Box
from skysift.sky.image import SkyImage
from skysift.sky.units import frequency_text

__all__ = ["TaylorTerms", "noise_correlation"]

Floats = npt.NDArray[np.float64]

_BLOCK = 512  # pixels along the side of a block of sums: a lattice that no tile can move
_MASKED = 3.5  # sigma; pixels of tt0 brighter than this, and one beam around them, are no noise
_ANOTHER = 1e-3  # of a frequency; terms that differ by more are told


@dataclass(frozen=True)
class TaylorTerms:
    """Taylor terms beside the map of the first, tt0, which is searched.

    Parameters
    ----------
    maps
        tt1, and perhaps tt2.
    """

    maps: tuple[MapLike, ...]
    name: str = "Taylor terms"
    tables: tuple[str, ...] = ("spectra",)

    def open(self, image: SkyImage, options: FinderOptions | None = None) -> OpenTerms:
        """The terms, on the pixels of tt0 and with its beam: all convolved to the common one where they differ.

        Raises
        ------
        UsageError
            There are more terms than two, one lies on other pixels or holds no data, the response to the primary
            beam is known at one frequency only, or `taylor_band` cannot be theirs.
        HeaderError
            One has no beam.
        """
        need_slope(
            options,
            "a band",
            "give the dish alone, whose pattern is known at every frequency, or correct all terms and say corrected=true",
        )
        if not 1 <= len(self.maps) <= 2:
            raise UsageError(
                "the Taylor terms are tt1, and perhaps tt2", got=f"{len(self.maps)} maps", allowed="1 or 2"
            )
        band = _band(image, options, 1 + len(self.maps))
        terms = [_term(given, image, f"tt{k}") for k, given in enumerate(self.maps, start=1)]
        own = tuple(each.beam for each in (image, *terms))
        notes = [
            f"{each.name} has another frequency than {image.name}: both are taken as terms of one spectrum"
            for each in terms
            if abs(each.frequency - image.frequency) > _ANOTHER * image.frequency
        ]
        if not all(same_beam(beam, own[0]) for beam in own):
            common = common_beam(own)
            notes.append(f"the Taylor terms have different beams: all are convolved to {common}")
            image, terms = convolve(image, common), [convolve(each, common) for each in terms]
        # terms of one spectrum, at its one frequency
        terms = [
            seen_alike(replace(each, frequency=image.frequency), image, f"tt{k}")
            for k, each in enumerate(terms, start=1)
        ]
        return OpenTerms(image, tuple(terms), own, tuple(notes), band)


def _band(image: SkyImage, options: FinderOptions | None, n_maps: int) -> TaylorBand | None:
    """The data that the terms were made of, as the options tell."""
    if options is None or options.taylor_band is None:
        return None
    low, high = options.taylor_band
    if not low <= image.frequency <= high:
        raise UsageError(
            "taylor_band does not hold the frequency of tt0, which the terms count from",
            got=f"{low:g} to {high:g} Hz, and {frequency_text(image.frequency)}",
            allowed="lowest and highest frequency in Hz",
            todo="give the band of the data, and --frequency where the header does not tell it",
        )
    solved = n_maps if options.taylor_terms is None else options.taylor_terms
    if solved < n_maps:
        raise UsageError(
            "fewer Taylor terms were solved for than there are maps",
            got=f"taylor_terms={solved}, and {n_maps} maps with tt0",
            allowed=f"{n_maps} or more",
        )
    return TaylorBand(low / image.frequency - 1.0, high / image.frequency - 1.0, solved)


def _term(given: MapLike, image: SkyImage, what: str) -> SkyImage:
    """One term, opened and checked."""
    try:
        term = open_map(given)
    except HeaderError as error:
        if "no beam" not in error.wrong:
            raise
        raise HeaderError(
            f"{what} has no beam (BMAJ, BMIN, BPA) in its header",
            got=str(given),
            todo="write the beam into the header: a flux cannot be measured without it",
        ) from None
    same_grid(image, term, what)
    if not has_data(term):
        raise UsageError(f"{what} holds no data", got=term.name, allowed="a map with pixels that are not 0")
    return term


@dataclass(frozen=True)
class OpenTerms:
    """Taylor terms that fit their tt0.

    Parameters
    ----------
    image
        tt0.
    terms
        tt1, and perhaps tt2.
    own
        The beams of tt0 and the terms before they were brought to one.
    notes
        What was odd.
    band
        What they were made of, where that is told.
    """

    image: SkyImage
    terms: tuple[SkyImage, ...]
    own: tuple[Beam, ...]
    notes: tuple[str, ...] = ()
    band: TaylorBand | None = None

    def add(self, finding: Finding, options: FinderOptions, crew: Crew) -> Finding:
        """The finding with spectral indices, curvatures and the table of the terms."""
        noises = [
            finding.noise,
            *(measure_noise(each, plain_noise(options), crew, signed=True) for each in self.terms),
        ]
        maps = (finding.image, *self.terms)
        correlation = noise_correlation(maps, noises, crew)
        places = component_places(finding, self.image)
        measured = [
            measure_at(each, noise, places, crew=crew, owner=sources_of(finding))
            for each, noise in zip(maps, noises, strict=True)
        ]
        catalogue = with_spectra(
            finding,
            measured,
            partial(taylor_laws, correlation=correlation, band=self.band),
            self.own,
            options.spectral_beams,
            _of_beam(finding.noise, places),
        )
        names = ("tt0", "tt1", "tt2")
        between = {
            f"{names[i]} {names[j]}": float(correlation[i, j]) for j in range(len(maps)) for i in range(j)
        }
        return recorded(
            finding,
            catalogue=catalogue,
            images=self.terms,
            notes=(*self.notes, *(note for each in self.terms for note in each.notes)),
            facts={"correlation of the noise": between},
            tables={
                "spectra": spectra_table(finding, measured, [self.image.frequency] * len(maps), taylor=True)
            },
        )


def _of_beam(noise: Noise, places: Places) -> Floats | None:
    """What the primary beam adds to index and curvature (component, 2); None where the terms are free of it.

    Those of a map that was corrected are, for corrections are made at each frequency.
    """
    response = noise.response
    if response is None or response.corrected or not isinstance(response.source, DishResponse):
        return None
    x, y = places.x, places.y
    return np.stack([-response.source.steepness(x, y), response.source.bend(x, y)], axis=1)


def noise_correlation(images: Sequence[SkyImage], noises: Sequence[Noise], crew: Crew) -> Floats:
    """How the noise of maps on the same pixels goes together, ``(map, map)``, 1 along the diagonal.

    Pixels of the first map above 3.5 sigma, and one beam around them, are left out: they are sources. Sums are made
    in blocks of a lattice, in a fixed order. Maps without a common pixel are taken as independent.
    """
    first = images[0]
    work = partial(_products, tuple(images), tuple(noises))
    blocks = [
        Box(y, y + _BLOCK, x, x + _BLOCK).intersect(first.box)
        for y in range(0, first.shape[0], _BLOCK)
        for x in range(0, first.shape[1], _BLOCK)
    ]
    total = np.add.reduce(list(crew.map("noise correlation", work, blocks)))
    scale = np.sqrt(np.diag(total))
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = total / (scale[:, None] * scale[None, :])
    correlation = np.where(np.isfinite(correlation), np.clip(correlation, -0.999, 0.999), 0.0)
    np.fill_diagonal(correlation, 1.0)
    return correlation


def _products(images: tuple[SkyImage, ...], noises: tuple[Noise, ...], box: Box) -> Floats:
    """Sums of products (map, map) of the noise over its rms in a box."""
    first = images[0]
    x, y = 0.5 * (first.shape[1] - 1), 0.5 * (first.shape[0] - 1)
    xx, xy, yy = (float(value) for value in first.frame.beam_covariance(first.beam, x, y)[0])
    offsets = pixels_within((xx, xy, yy))
    wide = box.expand(int(np.abs(offsets).max())).intersect(first.box)
    tile = noises[0].tile(first, wide)
    masked = np.zeros(tile.data.shape, np.uint8)
    mask_bright(tile.data, tile.level, tile.rms, _MASKED, offsets, masked)
    part = box.slices(wide)
    deviates = [
        (each.data.astype(np.float64) - each.level) / each.rms
        for each in (noise.tile(image, box) for image, noise in zip(images, noises, strict=True))
    ]
    good = np.isfinite(deviates).all(axis=0) & (masked[part] == 0)
    z = np.stack([each[good] for each in deviates])
    return np.asarray([[float((a * b).sum()) for b in z] for a in z])
