"""What boxes are of: sources of maps or lines of cubes; how they are told to a network, and what its answers mean."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from skysift.find.neural.boxes import hull_of_ellipse
from skysift.find.neural.found import as_detections, nothing_found, raw_columns
from skysift.find.neural.shapes import beam_width
from skysift.find.neural.targets import UNIT, parameter_weights, source_parameters
from skysift.find.neural.yolo.gridnet import MAPS, Parts
from skysift.measure.ellipse import FWHM
from skysift.sky.detections import Detections

__all__ = ["FULL", "MapSources", "Sources", "sky_boxes"]

Floats = NDArray[np.float64]

FULL = 2.0 * FWHM  # standard deviations across a box: twice the FWHM


class Sources(ABC):
    """
    What a box stands for.

    Labels are ``(source, parameter)``, as crops tell them.

    Attributes
    ----------
    parts
        What is told of a box.
    """

    parts: Parts

    @abstractmethod
    def scaled(self, priors: Floats, beam: Floats) -> Floats:
        """Sides ``(prior, axis)`` in pixels of priors as they are declared."""

    @abstractmethod
    def boxes(self, labels: Floats, beam: Floats, largest: Floats) -> Floats:
        """Boxes ``(source, 2 x axes)`` of labels, in pixels from the outer edge of the first, none beyond ``(axis,)``."""

    @abstractmethod
    def values(self, labels: Floats, beam: Floats) -> Floats:
        """Parameters ``(source, parameter)`` but for the position, as the network is to tell them."""

    @abstractmethod
    def weights(self, values: Floats, snr: Floats) -> Floats:
        """How much each parameter counts ``(source, parameter)``, the position included."""

    @abstractmethod
    def detections(
        self, centre: Floats, flux: Floats, told: Floats, beam: Floats, near: float, scores: Floats
    ) -> Detections:
        """
        Detections, the best first.

        Parameters
        ----------
        centre
            ``(source, axis)``, pixel.
        flux
            Ln of flux over noise.
        told
            ``(part, source)``: all that was said of their boxes, scales as ln.
        beam
            ``(3,)``.
        near
            Beams: nearer than this to a better one, a detection is the same source.
        scores
            ``(source,)``.
        """

    @abstractmethod
    def rows(self, found: Detections) -> Floats:
        """Labels of detections, as far as `boxes` looks at them."""

    @abstractmethod
    def nothing(self) -> Detections:
        """No detection, with the names of the parameters."""


class MapSources(Sources):
    """Sources of maps: Gaussians with a flux and a class."""

    parts = MAPS

    def scaled(self, priors: Floats, beam: Floats) -> Floats:
        """Priors are in units of the beam."""
        return priors * beam_width(beam)

    def boxes(self, labels: Floats, beam: Floats, largest: Floats) -> Floats:
        """Those of `sky_boxes`."""
        return sky_boxes(labels, beam, largest)

    def values(self, labels: Floats, beam: Floats) -> Floats:
        """Those of `source_parameters`."""
        return source_parameters(labels, beam)

    def weights(self, values: Floats, snr: Floats) -> Floats:
        """Those of `parameter_weights`."""
        return parameter_weights(values, snr)

    def detections(
        self, centre: Floats, flux: Floats, told: Floats, beam: Floats, near: float, scores: Floats
    ) -> Detections:
        """Detections with the raw parameters of `skysift.find.neural.found.RAW`."""
        mean, scale = told[self.parts.mean], np.exp(told[self.parts.scale])
        columns = raw_columns(
            centre[:, 1], centre[:, 0], flux, mean[1:], scale, told[self.parts.kind], UNIT, beam_width(beam)
        )
        columns["reach"] = np.full(len(scores), near * beam_width(beam))
        return as_detections(columns, scores)

    def rows(self, found: Detections) -> Floats:
        """Centres and covariances of detections."""
        a, b = ((found[name] / FWHM) ** 2 for name in ("major", "minor"))
        mean, half = 0.5 * (a + b), 0.5 * (a - b)
        cos, sin = found["cos"], found["sin"]
        return np.stack([found["x"], found["y"], mean + half * cos, half * sin, mean - half * cos], axis=1)

    def nothing(self) -> Detections:
        """No detection."""
        return nothing_found()


def sky_boxes(labels: Floats, beam: Floats, largest: Floats) -> Floats:
    """
    Boxes of sources ``(source, 4)``: centre (y, x) and sides (y, x), in pixels from the outer edge of the first.

    They are the hulls of the ellipses with twice the axes (FWHM) of the source, of which none is below the width of
    the beam, as in the training set of Cornu et al. (2024).

    Parameters
    ----------
    labels
        ``(source, parameter)``, the first of `skysift.learn.fields.LABELS`: x, y, xx, xy, yy.
    beam
        ``(3,)`` covariance of the beam (pixels squared).
    largest
        ``(2,)``: pixels that a side has at most.
    """
    xx, xy, yy = labels[:, 2], labels[:, 3], labels[:, 4]
    least = (2.0 * beam_width(beam) / FULL) ** 2
    mean, half = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    wide, slim = np.maximum(mean + half, least), np.maximum(mean - half, least)
    safe = np.where(half > 0.0, half, 1.0)
    cos = np.where(half > 0.0, 0.5 * (xx - yy) / safe, 0.0)
    sin = np.where(half > 0.0, xy / safe, 0.0)
    middle, apart = 0.5 * (wide + slim), 0.5 * (wide - slim)
    covariance = np.array([[middle - apart * cos, apart * sin], [apart * sin, middle + apart * cos]])
    sides = np.minimum(hull_of_ellipse(np.moveaxis(covariance, 2, 0), FULL), largest)
    return np.concatenate([labels[:, [1, 0]] + 0.5, sides], axis=1)
