"""`ExtendedSimulator`: extended sources of chosen shapes, sizes and surface brightnesses among compact ones.

It is made for measuring how well extended sources are found: what is drawn is not what the sky has most of, but the same
number of every shape, over ranges of size and brightness that are log-uniform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skysift.base.random import generator
from skysift.sim.diffuse import DiffuseLayer, power_law_kernel
from skysift.sim.drawn import Layer
from skysift.sim.extended.drawings import REACH, Drawing, drawing
from skysift.sim.extended.options import IN_PARTS, ExtendedSkyOptions
from skysift.sim.field import beam_of
from skysift.sim.instrument import rms_of
from skysift.sim.masks import ENCLOSED, isophote
from skysift.sim.objects import Elements, Objects
from skysift.sim.painting import add_gaussians, reach_of
from skysift.sim.population import beside, cells_of, draw
from skysift.sim.simulator import Simulator
from skysift.sim.templates import Shape
from skysift.sky.beam import Beam
from skysift.sky.frame import Frame

__all__ = ["ExtendedSimulator", "seen_area"]

Floats = NDArray[np.float64]
Rectangle = tuple[float, float, float, float]

TYPE = "extended"  # in the column object_type
_CELL = 64.0  # beams along a side of the cells in which sources are drawn
_FINE = 4.0  # pixels across the narrow axis of the beam where areas are counted
_INDEX = {"disc": -0.1, "ring": -0.4, "arc": -0.5, "ellipse": -0.1}  # of spectra; others are synchrotron's
_SYNCHROTRON, _SCATTER = -0.75, 0.15


@dataclass(frozen=True, eq=False)
class _Candidate:
    """An extended source before it is known whether there is room for it."""

    name: str
    east: float
    north: float
    mark: float
    brightness: float
    index: float
    drawn: Drawing


class ExtendedSimulator(Simulator[ExtendedSkyOptions]):
    """Extended sources of chosen shapes, sizes and brightnesses, without overlap, among compact sources."""

    name = "extended"
    reference = 1.4e9

    def sky(self, area: Rectangle) -> tuple[Objects, Elements]:
        """What there is in a rectangle of the plane that touches the middle of the field."""
        options = self.options
        made = [self._object(each) for each in self._settled(area)]
        if options.density > 0.0:
            made.append(draw(area, (options.ra, options.dec), options, options.random_seed))
        if not made:
            return Objects.empty(), Elements.empty()
        return Objects.concat([each for each, _ in made]), Elements.concat(
            [each for _, each in made], [len(each) for each, _ in made]
        )

    def layers(self, frame: Frame, frequency: float) -> tuple[Layer, ...]:
        """The diffuse emission."""
        options = self.options
        if options.diffuse <= 0.0:
            return ()
        first = self._beam
        step = max(1.0, 0.45 * frame.beam_pixels(beam_of(options, max(options.frequencies)))[1])
        outer = options.diffuse_scale * first.major / (step * frame.scale[0])
        shown = (frequency / options.frequencies[0]) ** _INDEX["disc"] * beam_of(options, frequency).area
        rms = options.diffuse * rms_of(options, options.frequencies[0]) * shown / first.area
        kernel = power_law_kernel(options.diffuse_slope, max(outer, 4.0))
        return (DiffuseLayer(kernel, step, rms, options.diffuse_skew, options.random_seed),)

    @property
    def _beam(self) -> Beam:
        """That of the first frequency, by which sizes and brightnesses are told."""
        return beam_of(self.options, self.options.frequencies[0])

    def _settled(self, area: Rectangle) -> list[_Candidate]:
        """The extended sources whose circles reach into a rectangle, each with room around it.

        Who lies too near to another that was drawn with a lower mark is left out, whatever became of the other (the
        second thinning of Matern 1960): what is left depends on no rectangle.
        """
        options = self.options
        gap = None if options.spacing is None else options.spacing * self._beam.major
        far = self._farthest()
        rim = far if gap is None else 3.0 * far + gap
        all_ = self._candidates((area[0] - rim, area[1] + rim, area[2] - rim, area[3] + rim))
        place = np.array([(each.east, each.north) for each in all_]).reshape(-1, 2)
        radius = np.array([each.drawn.radius for each in all_])
        keep = (place[:, 0] + radius >= area[0]) & (place[:, 0] - radius < area[1])
        keep &= (place[:, 1] + radius >= area[2]) & (place[:, 1] - radius < area[3])
        if gap is not None and len(all_) > 1:
            pairs = cKDTree(place).query_pairs(2.0 * far + gap, output_type="ndarray")
            apart = np.hypot(*(place[pairs[:, 0]] - place[pairs[:, 1]]).T)
            near = pairs[apart < radius[pairs].sum(axis=1) + gap]
            mark = np.array([each.mark for each in all_])
            keep[np.where(mark[near[:, 0]] > mark[near[:, 1]], near[:, 0], near[:, 1])] = False
        return [all_[row] for row in np.flatnonzero(keep)]

    def _farthest(self) -> float:
        """How far an extended source may reach from its centroid (arcsec)."""
        options, beam = self.options, self._beam
        whole = REACH * math.sqrt(options.size_high * beam.area) + beam.major
        parts = options.separation_high * beam.major + 2.0 * beam.major
        return max(parts if each in IN_PARTS else whole for each in options.shapes)

    def _candidates(self, area: Rectangle) -> list[_Candidate]:
        """All sources that may be in the cells of a fixed lattice that a rectangle touches."""
        options = self.options
        cell = _CELL * self._beam.major
        mean = options.extended / 1000.0 * cell**2 / self._beam.area
        found = []
        for column, row in cells_of(area, cell):
            where = [TYPE, str(column), str(row)]
            n = int(generator(options.random_seed, *where).poisson(mean))
            own = (generator(options.random_seed, *where, str(number)) for number in range(n))
            found += [self._candidate(column, row, rng) for rng in own]
        return found

    def _candidate(self, column: int, row: int, rng: np.random.Generator) -> _Candidate:
        """One source somewhere in a cell."""
        options, beam = self.options, self._beam
        sharpest = min(beam_of(options, each).minor for each in options.frequencies)
        east, north = (np.array([column, row]) + rng.uniform(size=2)) * _CELL * beam.major
        mark = float(rng.uniform())
        name = options.shapes[int(rng.integers(len(options.shapes)))]
        size, brightness, apart = (
            low * (high / low) ** rng.uniform()
            for low, high in (
                (options.size_low, options.size_high),
                (options.brightness_low, options.brightness_high),
                (options.separation_low, options.separation_high),
            )
        )
        index = float(rng.normal(_INDEX.get(name, _SYNCHROTRON), _SCATTER))
        drawn = drawing(name, float(size) * beam.area, float(apart) * beam.major, sharpest, rng)
        return _Candidate(name, float(east), float(north), mark, float(brightness), index, drawn)

    def _object(self, one: _Candidate) -> tuple[Objects, Elements]:
        """A source on the sky, as bright as it was drawn."""
        options, drawn, beam = self.options, one.drawn, self._beam
        first = options.frequencies[0]
        area = seen_area(drawn.shape, beam) / beam.area
        flux = one.brightness * rms_of(options, first) * area / ENCLOSED
        flux *= (self.reference / first) ** one.index
        place = np.array([[one.east, one.north], [one.east + drawn.core_east, one.north + drawn.core_north]])
        ra, dec = beside(options.ra, options.dec, place[:, 0], place[:, 1])
        core = int(drawn.core > 0.0)
        ee, en, nn = drawn.shape.moments()
        whole = Beam.from_covariance(np.array([[ee, en], [en, nn]]))
        row = np.ones(1)
        objects = Objects(
            ra[:1], dec[:1], ra[core : core + 1], dec[core : core + 1], flux * row, one.index * row,
            drawn.core * row, whole.major * row, whole.minor * row, whole.pa * row, drawn.extent * row,
            np.array([one.name]), np.array([TYPE]),
        )  # fmt: skip
        shape = drawn.shape
        n = shape.share.size
        return objects, Elements(
            np.zeros(n, dtype=np.int64), shape.east, shape.north, flux * shape.share, shape.ee, shape.en,
            shape.nn, np.full(n, one.index),
        )  # fmt: skip


def seen_area(shape: Shape, beam: Beam) -> float:
    """Solid angle (arcsec^2) of the isophote that holds 90 % of a shape's flux, seen through a beam."""
    step = beam.minor / _FINE
    (bee, ben), (_, bnn) = beam.to_covariance()
    wide = np.stack([shape.ee + bee, shape.en + ben, shape.nn + bnn], axis=1) / step**2
    peak = shape.share / np.sqrt(wide[:, 0] * wide[:, 2] - wide[:, 1] ** 2)
    x, y = shape.east / step, shape.north / step
    reach = reach_of(peak, 0.0)
    x0, y0 = (math.floor(float((at - np.sqrt(reach * wide[:, k])).min())) for at, k in ((x, 0), (y, 2)))
    x1, y1 = (math.ceil(float((at + np.sqrt(reach * wide[:, k])).max())) for at, k in ((x, 0), (y, 2)))
    image = np.zeros((y1 - y0 + 1, x1 - x0 + 1))
    add_gaussians(image, y0, x0, np.arange(peak.size), x, y, peak, wide, reach)
    return float(np.sum(image >= isophote(image, np.inf, ENCLOSED))) * step**2
