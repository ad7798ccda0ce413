"""`GalacticSimulator`: a field of the Galactic plane as surveys of the radio continuum see it.

Numbers, sizes and brightnesses at 1.4 GHz, for the inner Galaxy at low latitude:

- supernova remnants: diameters log-normal about 12 arcmin, and surface brightnesses about 2e-21 W/m2/Hz/sr at
  1 GHz, as in the catalogue of Green (2019, JApA 40, 36), more numerous by what newer surveys add (Anderson et al.
  2017, A&A 605, A58); S ~ nu^-0.5;
- HII regions: radii log-normal about 67 arcsec with 0.44 dex, and 24 in a square degree, of which three quarters
  shine in radio, as in the WISE catalogue (Anderson et al. 2014, ApJS 212, 1); the brightness of optically thin gas
  falls with the size, as emission measures do (Garay and Lizano 1999, PASP 111, 1049); S ~ nu^-0.1;
- bubbles: radii about 40 arcsec, as in the Milky Way Project (Simpson et al. 2012, MNRAS 424, 2442);
- planetary nebulae: diameters about 12 arcsec, fluxes about 5 mJy (HASH: Parker, Bojicic and Frew 2016, JPhCS 728,
  032008; SCORPIO: Ingallinera et al. 2019, MNRAS 490, 5063);
- radio stars: about 5 in a square degree (SCORPIO: Umana et al. 2015, MNRAS 454, 902);
- pulsars: fluxes log-normal about 0.4 mJy with 0.6 dex (ATNF: Manchester et al. 2005, AJ 129, 1993), spectra of
  -1.6 +- 0.54 (Jankowski et al. 2018, MNRAS 473, 4436);
- background galaxies: those of `skysift.sim.population`.

What it leaves out: nothing is clustered, nothing hides anything else, and brightnesses do not follow distances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skysift.base.random import generator
from skysift.sim.diffuse import DiffuseLayer, power_law_kernel
from skysift.sim.drawn import Layer
from skysift.sim.field import beam_of, frame_of
from skysift.sim.objects import Elements, Objects
from skysift.sim.options import GalacticOptions
from skysift.sim.population import cells_of, draw
from skysift.sim.scenes import scene_shape
from skysift.sim.simulator import Simulator
from skysift.sim.templates import Shape
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame
from skysift.sky.systems import System, sky_of, vectors
from skysift.sky.units import ARCSEC

__all__ = ["KINDS", "GalacticSimulator", "Kind"]

Floats = NDArray[np.float64]
Rectangle = tuple[float, float, float, float]

_KELVIN = 1.415e-6  # Jy/arcsec^2 of 1 K at 1.4 GHz, 2 k T nu^2 / c^2
_GREEN = 1e26 * 2.3504e-11  # Jy/arcsec^2 of 1 W/m2/Hz/sr
_CELL = 3600.0  # arcsec; width of the cells in which objects are drawn
_GALACTIC = System.of("GLON", "", math.nan)


@dataclass(frozen=True)
class Kind:
    """One kind of Galactic objects.

    Parameters
    ----------
    object_type
        Its name in the truth.
    density
        The option that tells how many there are in a square degree.
    radius
        Median of the radius (arcsec), scatter (dex), smallest and largest; 0 for points.
    brightness
        Median of the mean surface brightness over the circle of that radius (Jy/arcsec^2 at 1.4 GHz) and scatter
        (dex); 0 where fluxes are told.
    fading
        Power of the radius over its median with which the brightness changes.
    flux
        Median of the flux (Jy at 1.4 GHz) and scatter (dex), where no brightness is told.
    spectral_index
        Mean and scatter.
    shapes
        Shapes with their parts of the numbers; those of objects smaller than `small` arcsec come second.
    """

    object_type: str
    density: str
    radius: tuple[float, float, float, float]
    brightness: tuple[float, float]
    fading: float
    flux: tuple[float, float]
    spectral_index: tuple[float, float]
    shapes: tuple[tuple[str, float], ...]
    small: float = 0.0
    small_shapes: tuple[tuple[str, float], ...] = ()


KINDS: tuple[Kind, ...] = (
    Kind(
        "SNR", "supernova_remnants", (360.0, 0.3, 60.0, 1500.0), (2e-21 * 1.4**-0.5 * _GREEN, 0.5), 0.0,
        (0.0, 0.0), (-0.5, 0.15), (("shell", 0.5), ("partial-shell", 0.35), ("filled-shell", 0.15)),
    ),
    Kind(
        "HII", "hii_regions", (67.0, 0.44, 3.0, 1500.0), (15.0 * _KELVIN, 0.5), -0.8,
        (0.0, 0.0), (-0.1, 0.03), (("thick-shell", 0.55), ("clumpy", 0.45)),
        40.0, (("compact", 0.4), ("cometary", 0.3), ("clumpy", 0.3)),
    ),
    Kind(
        "bubble", "bubbles", (40.0, 0.3, 8.0, 600.0), (8.0 * _KELVIN, 0.4), -0.5,
        (0.0, 0.0), (-0.1, 0.05), (("bubble", 1.0),),
    ),
    Kind(
        "PN", "planetary_nebulae", (6.0, 0.35, 0.5, 120.0), (0.0, 0.0), 0.0,
        (5e-3, 0.6), (-0.1, 0.1), (("ring", 0.6), ("bipolar", 0.4)), 2.0, (("compact", 1.0),),
    ),
    Kind(
        "filament", "filaments", (300.0, 0.25, 60.0, 1500.0), (0.5 * _KELVIN, 0.3), 0.0,
        (0.0, 0.0), (-0.1, 0.15), (("filament", 1.0),),
    ),
    Kind(
        "star", "stars", (0.0, 0.0, 0.0, 0.0), (0.0, 0.0), 0.0, (4e-4, 0.5), (0.2, 0.6), (("point", 1.0),),
    ),
    Kind(
        "pulsar", "pulsars", (0.0, 0.0, 0.0, 0.0), (0.0, 0.0), 0.0, (4e-4, 0.6), (-1.6, 0.54), (("point", 1.0),),
    ),
)  # fmt: skip


class GalacticSimulator(Simulator[GalacticOptions]):
    """A field of the Galactic plane: remnants, nebulae, filaments, stars, pulsars, galaxies and diffuse emission."""

    name = "galactic"
    reference = 1.4e9

    def __init__(self, options: GalacticOptions) -> None:
        if options.glon is not None and options.glat is not None:
            ra, dec = _GALACTIC.to_icrs(np.array([options.glon]), np.array([options.glat]))
            options = options.replace(ra=float(ra[0]), dec=float(dec[0]), glon=None, glat=None)
        super().__init__(options)

    def frame(self) -> Frame:
        """The frame of all maps: SIN around the middle, along Galactic longitude and latitude."""
        equatorial = frame_of(self.options)
        cards = dict(equatorial.cards)
        lon, lat = self._middle()
        cards |= {"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-SIN", "CRVAL1": lon, "CRVAL2": lat}
        for word in ("RADESYS", "EQUINOX", "LONPOLE", "LATPOLE"):
            cards.pop(word, None)
        return Frame.from_cards(cards, equatorial.shape)

    def sky(self, area: Rectangle) -> tuple[Objects, Elements]:
        """What there is in a rectangle of the plane that touches the middle: longitude, then latitude (arcsec)."""
        made = [self._kind(kind, area) for kind in KINDS]
        if self.options.density > 0.0:
            corners = np.hypot(max(abs(area[0]), abs(area[1])), max(abs(area[2]), abs(area[3])))
            square = (-float(corners), float(corners), -float(corners), float(corners))
            options = self.options
            made.append(draw(square, (options.ra, options.dec), options, options.random_seed))
        return Objects.concat([each for each, _ in made]), Elements.concat(
            [each for _, each in made], [len(each) for each, _ in made]
        )

    def layers(self, frame: Frame, frequency: float) -> tuple[Layer, ...]:
        """The diffuse emission."""
        options = self.options
        if options.diffuse <= 0.0:
            return ()
        beam = beam_of(options, frequency)
        step = max(1.0, 0.45 * frame.beam_pixels(beam_of(options, max(options.frequencies)))[1])
        outer = options.diffuse_scale / (step * frame.scale[0])
        ratio = (frequency / options.frequencies[0]) ** options.diffuse_index * beam.area
        rms = options.diffuse * ratio / beam_of(options, options.frequencies[0]).area
        kernel = power_law_kernel(options.diffuse_slope, max(outer, 4.0))
        return (DiffuseLayer(kernel, step, rms, options.diffuse_skew, options.random_seed),)

    def _middle(self) -> tuple[float, float]:
        """Galactic longitude and latitude of the middle (deg)."""
        lon, lat = _GALACTIC.from_icrs(np.array([self.options.ra]), np.array([self.options.dec]))
        return float(lon[0]), float(lat[0])

    def _kind(self, kind: Kind, area: Rectangle) -> tuple[Objects, Elements]:
        """The objects of one kind that reach into the rectangle.

        Cells of a fixed lattice are drawn each with a generator of its own, so that an object does not depend on
        the rectangle.
        """
        largest = 1.5 * kind.radius[3]
        wide = (area[0] - largest, area[1] + largest, area[2] - largest, area[3] + largest)
        mean = getattr(self.options, kind.density) * self.options.crowding * (_CELL / 3600.0) ** 2
        parts = []
        for column, row in cells_of(wide, _CELL):
            rng = generator(self.options.random_seed, "galactic", kind.object_type, str(column), str(row))
            for number in range(int(rng.poisson(mean))):
                own = generator(
                    self.options.random_seed, "galactic", kind.object_type, str(column), str(row), str(number)
                )
                east, north = (np.array([column, row]) + own.uniform(size=2)) * _CELL
                radius = _radius(kind, own) * self.options.size_scale
                reach = 1.5 * radius
                if area[0] - reach <= east < area[1] + reach and area[2] - reach <= north < area[3] + reach:
                    parts.append(self._object(kind, float(east), float(north), radius, own))
        if not parts:
            return Objects.empty(), Elements.empty()
        return Objects.concat([each for each, _ in parts]), Elements.concat(
            [each for _, each in parts], [1] * len(parts)
        )

    def _object(
        self, kind: Kind, east: float, north: float, radius: float, rng: np.random.Generator
    ) -> tuple[Objects, Elements]:
        """One object at a place of the plane (arcsec)."""
        shapes = kind.small_shapes if radius < kind.small else kind.shapes
        parts = np.array([part for _, part in shapes])
        name = shapes[int(np.searchsorted(np.cumsum(parts / parts.sum()), rng.uniform()))][0]
        shape = scene_shape(name, rng)
        flux = _flux(kind, radius, rng)
        alpha = float(rng.normal(*kind.spectral_index))
        ra, dec = self._sky_of(east, north)
        ee, en, nn = (radius**2 * value for value in shape.moments())
        whole = Beam.from_covariance(np.array([[ee, en], [en, nn]]))
        one = np.ones(1)
        objects = Objects(
            ra, dec, ra, dec, flux * one, alpha * one, float(name == "point") * one,
            whole.major * one, whole.minor * one, whole.pa * one, 2.0 * radius * one,
            np.array([name]), np.array([kind.object_type]),
        )  # fmt: skip
        return objects, _elements(shape, radius, flux, alpha)

    def _sky_of(self, east: float, north: float) -> tuple[Floats, Floats]:
        """ICRS position (deg) of a place of the plane that touches the middle, along longitude and latitude."""
        lon, lat = self._middle()
        a, b = math.radians(lon), math.radians(lat)
        to_east = np.array([-math.sin(a), math.cos(a), 0.0])
        to_north = np.array([-math.sin(b) * math.cos(a), -math.sin(b) * math.sin(a), math.cos(b)])
        place = vectors(np.array([lon]), np.array([lat])) + ARCSEC * (east * to_east + north * to_north)
        return _GALACTIC.to_icrs(*sky_of(place))


def _radius(kind: Kind, rng: np.random.Generator) -> float:
    """The radius of an object (arcsec)."""
    median, scatter, smallest, largest = kind.radius
    if median <= 0.0:
        return 0.0
    return float(np.clip(median * 10.0 ** (scatter * rng.normal()), smallest, largest))


def _flux(kind: Kind, radius: float, rng: np.random.Generator) -> float:
    """The flux of an object at the reference frequency (Jy)."""
    if kind.brightness[0] <= 0.0:
        return float(kind.flux[0] * 10.0 ** (kind.flux[1] * rng.normal()))
    level = kind.brightness[0] * 10.0 ** (kind.brightness[1] * rng.normal())
    return float(level * (radius / kind.radius[0]) ** kind.fading * math.pi * radius**2)


def _elements(shape: Shape, radius: float, flux: float, alpha: float) -> Elements:
    """The Gaussians of one object."""
    n = shape.share.size
    square = radius**2
    return Elements(
        np.zeros(n, dtype=np.int64),
        radius * shape.east,
        radius * shape.north,
        flux * shape.share,
        square * shape.ee,
        square * shape.en,
        square * shape.nn,
        np.full(n, alpha),
    )
