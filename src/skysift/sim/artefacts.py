"""`Artefacts`: what imperfect calibration and deconvolution leave around bright sources, and which pixels it is.

Around a source with a peak of ``S`` stands ``S (clean_residual (dirty - clean beam) + errors)``. The errors are the image
of a point seen by antennas whose gains are wrong: a relative error of amplitude adds a pattern that is symmetric about
the source (rings and spokes), an error of phase one that is antisymmetric (Perley 1999, ASP Conf. 180, 275). They are
gridded baseline by baseline for a few independent sets of antenna errors; each source takes its own random mixture
of those, which is again a set of antenna errors, since the pattern is linear in them. The mean gain is right: the source
itself keeps its peak. Bowls are Gaussians of negative flux, by `telescope.uv_filter`.

Approximations: errors to first order; a resolved source leaves the sidelobes of a point of its peak brightness; sources
whose highest sidelobe is likely below 0.3 times the noise (the patterns' highest, added in quadrature) leave none;
sidelobes end where they are likely below a tenth of the noise, or at `sidelobe_radius`; the dirty beam is the same
all over the map.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skysift.base.random import generator
from skysift.match.merge import merge_fragments
from skysift.measure.gaussian import SUPPORT, paint_gaussians
from skysift.measure.label import count_runs, find_runs
from skysift.sim.options import InstrumentOptions
from skysift.sim.painting import CELL
from skysift.sim.stamping import TAPS, add_stamps, blank_ellipses, sum_runs
from skysift.sim.telescope import Coverage, dirty_beam, hole, lost, reach
from skysift.sky.beam import FWHM_PER_SIGMA, Beam
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints

__all__ = ["Artefacts"]

Floats = NDArray[np.float64]
Noise: TypeAlias = float | NDArray[np.floating] | Callable[[Box], NDArray[np.floating]]

_SETS = 4  # independent sets of antenna errors
_FAINTEST = 0.3  # of the noise: sidelobes of a source that are painted
_END = 0.1  # of the noise: sidelobes that are left out
_LOBE = 1.25  # FWHM from the middle to the border of the main lobe
_GLITCH = 10.0  # times the gain error


class Artefacts:
    """A layer of residual sidelobes and bowls, the same for any window it is painted in.

    Parameters
    ----------
    options
        What calibration and deconvolution leave.
    coverage
        Of the array that sees the map.
    beam
        Restoring beam.
    x, y
        Where the sources are (pixels).
    flux_peak, flux_int
        Brightest pixel (Jy/beam) and total flux (Jy) of each source as the map shows them.
    shape
        Covariance (xx, xy, yy) of each source with the beam, of its second moments; pixels squared, (source, 3).
    rms
        Noise at each source (Jy/beam).
    random_seed, name
        Of the gain errors; maps of one sky with different names have different ones.
    tracks
        How many observations from start to end the map is the mean of: gain errors fall as one over its root.
    """

    def __init__(
        self,
        options: InstrumentOptions,
        coverage: Coverage,
        beam: Beam,
        *,
        x: ArrayLike,
        y: ArrayLike,
        flux_peak: ArrayLike,
        flux_int: ArrayLike,
        shape: ArrayLike,
        rms: ArrayLike,
        random_seed: int,
        name: str = "",
        tracks: float = 1.0,
    ) -> None:
        self.options, self.beam, self._scale = options, beam, coverage.pixel_scale
        self._radius = reach(options, beam, coverage.pixel_scale)
        place = np.stack([np.asarray(each, np.float64) for each in (x, y)], axis=1)  # (source, x y)
        peak, flux = np.asarray(flux_peak, np.float64), np.asarray(flux_int, np.float64)
        shapes = np.asarray(shape, np.float64).reshape(-1, 3)
        noise = np.broadcast_to(np.asarray(rms, np.float64), peak.shape)
        self._bank = self._patterns(coverage, random_seed, name, 1.0 / math.sqrt(max(tracks, 1.0)))
        mix = self._mixtures(place, peak, random_seed, name)
        most = self._envelopes()
        lobe = math.ceil(_LOBE * math.sqrt(beam.major * beam.minor) / self._scale)
        bright = np.sqrt(mix**2 @ most[:, min(lobe, self._radius)] ** 2) > _FAINTEST * noise
        self._mix, self._place = np.ascontiguousarray(mix[bright]), place[bright]
        seen = np.sqrt(self._mix**2 @ most**2) >= _END * noise[bright, None]  # (source, distance)
        self._reach = np.minimum(np.sum(seen, axis=1), self._radius).astype(np.float64)
        bowls, sunken = self._sunken(coverage, place, flux, shapes, noise)
        self._bowls = bowls
        own = bright | sunken
        self._lobes = np.ascontiguousarray(np.column_stack([place, shapes])[own])  # x, y, xx, xy, yy

    @property
    def empty(self) -> bool:
        """True where nothing is painted anywhere."""
        return not len(self) and not len(self._bowls)

    def paint(self, box: Box) -> Floats:
        """Artefacts (Jy/beam) in a window, float64 (y, x); each pixel the same whatever the window."""
        out = np.zeros(box.shape)
        x, y = (np.ascontiguousarray(each) for each in self._place.T)
        add_stamps(self._bank, self._mix, x, y, self._reach, box.y0, box.x0, out)
        paint_gaussians(self._bowls, box.y0, box.x0, out)
        return out

    def labels(self, rms: Noise, shape: tuple[int, int], level: float | None = None) -> Detections:
        """Connected regions where the artefacts alone exceed the noise, main lobes of their sources left out.

        Parameters
        ----------
        rms
            Noise (Jy/beam): a number, a map (y, x), or what gives it for a window.
        shape
            Rows and columns of the map.
        level
            In sigma; left out, the option `artefact_level`.

        Returns
        -------
        Detections
            One row a region, 8-connected, in map order; scores are its largest signal-to-noise, ``raw`` holds
            ``sign`` (-1 for holes), ``x``, ``y`` (centroid), ``flux_int`` (Jy) and ``flux_peak`` (Jy/beam).
        """
        threshold = self.options.artefact_level if level is None else level
        parts, runs, sums = [], [], []
        for y in range(0, shape[0], CELL):
            for x in range(0, shape[1], CELL):
                box = Box(y, y + CELL, x, x + CELL).intersect(Box.of(shape))
                if self._misses(box):
                    continue
                for part, run, held in self._fragments(box, _noise(rms, box), threshold):
                    parts.append(part)
                    runs.append(run)
                    sums.append(held)
        merged = merge_fragments(parts, 1)
        if not len(merged):
            return Detections.empty(
                {each: np.empty(0) for each in ("sign", "x", "y", "flux_int", "flux_peak")}
            )
        return self._measured(merged, np.concatenate(runs), np.concatenate(sums))

    def _patterns(self, coverage: Coverage, seed: int, name: str, scale: float) -> NDArray[np.float32]:
        """The residual of deconvolution and the images of the sets of gain errors: (pattern, y, x)."""
        options = self.options
        dirty, n = dirty_beam(coverage), coverage.size
        half = self._radius + TAPS + 1
        middle = slice(n // 2 - half, n // 2 + half + 1)
        bank = [options.clean_residual * (dirty - self._clean(n))[middle, middle]]
        moments = coverage.moments(options.gain_interval)
        many = (coverage.antennas, int(moments[-1]) + 2)
        scale *= math.sqrt(
            1.5
        )  # the mean square on a straight line between independent nodes is 2/3 of theirs
        if options.amplitude_error > 0 or options.phase_error > 0:
            for number in range(_SETS):
                rng = generator(seed, "telescope", "gains", name, str(number))
                draws = rng.normal(size=(2, *many))
                draws *= np.where(rng.uniform(size=many) < options.glitches, _GLITCH, 1.0)
                amplitude = scale * options.amplitude_error * draws[0]
                phase = scale * math.radians(options.phase_error) * draws[1]
                errors = np.fft.fftshift(coverage.errors(amplitude, phase, moments))
                bank.append((errors - errors[n // 2, n // 2] * dirty)[middle, middle])
        return np.ascontiguousarray(bank, dtype=np.float32)

    def _clean(self, n: int) -> Floats:
        """The restoring beam, peak 1, (y, x)."""
        xx, xy, yy = self._beam_shape()
        y, x = np.mgrid[:n, :n] - float(n // 2)
        det = xx * yy - xy * xy
        return np.asarray(np.exp(-0.5 * (yy * x * x - 2.0 * xy * x * y + xx * y * y) / det))

    def _beam_shape(self) -> tuple[float, float, float]:
        c = self.beam.to_covariance() / self._scale**2
        return float(c[0, 0]), -float(c[0, 1]), float(c[1, 1])

    def _mixtures(self, place: Floats, peak: Floats, seed: int, name: str) -> Floats:
        """How much of each pattern each source shows (Jy/beam), (source, pattern); drawn in the order of the sources."""
        mix = np.empty((len(peak), len(self._bank)))
        mix[:, 0] = peak
        rng = generator(seed, "telescope", "mixtures", name)
        draws = rng.normal(size=mix[:, 1:].shape)
        norm = np.sqrt(np.sum(draws**2, axis=1, keepdims=True)) if draws.shape[1] else 1.0
        mix[:, 1:] = peak[:, None] * draws / norm
        return mix

    def _envelopes(self) -> Floats:
        """The highest sidelobe of each pattern at each distance (pixels) or beyond, (pattern, distance)."""
        half = self._bank.shape[1] // 2
        y, x = np.mgrid[-half : half + 1, -half : half + 1]
        ring = np.hypot(x, y).astype(np.int64)
        inside = ring <= self._radius
        most = np.zeros((len(self._bank), self._radius + 1))
        for each, pattern in zip(most, self._bank, strict=True):
            np.maximum.at(each, ring[inside], np.abs(pattern[inside]))
        return np.maximum.accumulate(most[:, ::-1], axis=1)[:, ::-1]

    def _sunken(
        self, coverage: Coverage, place: Floats, flux: Floats, shape: Floats, noise: Floats
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Bowls deeper than a tenth of the noise as Gaussians (peak, x, y, xx, xy, yy), and whose they are."""
        scale = self._scale
        variance = hole(coverage) / scale**2
        xx, xy, yy = self._beam_shape()
        own = (shape - np.array([xx, xy, yy])) * scale**2
        own[:, [0, 2]] = np.maximum(own[:, [0, 2]], 0.0)
        part = self.options.bowl * lost(coverage, own[:, 0], -own[:, 1], own[:, 2])
        wide = shape + np.array([variance, 0.0, variance])
        depth = math.sqrt(xx * yy - xy * xy) / np.sqrt(wide[:, 0] * wide[:, 2] - wide[:, 1] ** 2)
        peak = -part * flux * depth
        deep = np.abs(peak) > _END * noise
        return np.ascontiguousarray(np.column_stack([peak, place, wide])[deep]), deep

    def _misses(self, box: Box) -> bool:
        """True where no pattern and no bowl reaches into a window."""
        x, y = np.concatenate([self._place, self._bowls[:, 1:3]]).T
        wide = np.sqrt(SUPPORT * np.maximum(self._bowls[:, 3], self._bowls[:, 5]))
        dx = np.maximum(np.maximum(box.x0 - x, x - box.x1), 0.0)
        dy = np.maximum(np.maximum(box.y0 - y, y - box.y1), 0.0)
        return not bool(np.any(np.hypot(dx, dy) < np.concatenate([self._reach, wide])))

    def _fragments(
        self, box: Box, rms: NDArray[np.float32], threshold: float
    ) -> list[tuple[Detections, NDArray[np.int64], Floats]]:
        """Runs of one window, of either sign: as detections, as rows (row, start, stop), and what they hold."""
        values = self.paint(box)
        blank_ellipses(self._lobes, (_LOBE * FWHM_PER_SIGMA) ** 2, box.y0, box.x0, values)
        data, level = values.astype(np.float32), np.zeros(box.shape, np.float32)
        found = []
        for sign in (1, -1):
            n = count_runs(data, level, rms, threshold, float(sign))
            if not n:
                continue
            runs, peaks, held = np.empty((n, 3), np.int64), np.empty(n), np.empty((n, 4))
            find_runs(data, level, rms, threshold, float(sign), box.y0, box.x0, runs, peaks)
            sum_runs(values, runs, box.y0, box.x0, held)
            boxes = np.stack([runs[:, 0], runs[:, 0] + 1, runs[:, 1], runs[:, 2]], axis=1)
            prints = Footprints(runs[:, 0], runs[:, 1], runs[:, 2], np.arange(n))
            raw = {"seeded": np.ones(n, np.int64), "sign": np.full(n, sign, np.int64)}
            found.append((Detections(boxes, peaks, prints, raw), runs, held))
        return found

    def _measured(self, merged: Detections, runs: NDArray[np.int64], held: Floats) -> Detections:
        """The regions with what their runs hold."""
        prints, width = merged.footprints, int(runs[:, 2].max()) + 1
        key = prints.row * width + prints.start
        order = np.argsort(key)
        owner = prints.index[order][
            np.searchsorted(key[order], runs[:, 0] * width + runs[:, 1], side="right") - 1
        ]
        total = np.zeros((len(merged), 3))
        np.add.at(total, owner, held[:, :3])
        peak = np.zeros(len(merged))
        strongest = np.argsort(np.abs(held[:, 3]), kind="stable")
        peak[owner[strongest]] = held[strongest, 3]
        xx, xy, yy = self._beam_shape()
        area = 2.0 * math.pi * math.sqrt(xx * yy - xy * xy)
        raw = {
            "sign": merged["sign"],
            "x": total[:, 1] / total[:, 0],
            "y": total[:, 2] / total[:, 0],
            "flux_int": total[:, 0] / area,
            "flux_peak": peak,
        }
        return Detections(merged.boxes, merged.scores, prints, raw)

    def __len__(self) -> int:
        return len(self._place)

    def __repr__(self) -> str:
        return f"Artefacts({len(self)} sources with sidelobes, {len(self._bowls)} bowls)"


def _noise(rms: Noise, box: Box) -> NDArray[np.float32]:
    """The noise of a window, float32 (y, x)."""
    if callable(rms):
        return np.ascontiguousarray(rms(box), dtype=np.float32)
    if np.ndim(rms) == 0:
        return np.full(box.shape, rms, dtype=np.float32)
    return np.ascontiguousarray(np.asarray(rms)[box.slices()], dtype=np.float32)
