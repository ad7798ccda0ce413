"""Lines of cubes as what boxes stand for: rotating discs with a line flux, a size, a width, an angle, an inclination."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skysift.find.neural.shapes import beam_width
from skysift.find.neural.targets import SMALLEST, UNIT
from skysift.find.neural.yolo.gridnet import CUBES
from skysift.find.neural.yolo.sources import Sources, sky_boxes
from skysift.learn.fields import LABELS, LINE_LABELS
from skysift.measure.ellipse import FWHM
from skysift.sky.detections import Detections

__all__ = ["LINES", "LineSources"]

Floats = NDArray[np.float64]

LINES = ("x", "y", "channel", "snr", "major", "w20", "cos", "sin", "inclination", "x_err", "channel_err", "snr_err",
         "major_err", "w20_err", "pa_err", "inclination_err")  # fmt: skip
"""Raw parameters of a line: centre (pixel, channel); line flux over the noise of a channel (channels); size along the
major axis without the beam (FWHM, pixel); width at a fifth of the peak (channels); cosine and sine of the angle of the
receding half from x towards y; inclination (rad); and errors of these, relative for flux, size and width, rad for the
angle."""

_NAMES = (*LABELS, *LINE_LABELS)
_AT = {name: k for k, name in enumerate(_NAMES)}
_PER_FWHM = 1.0 / np.sqrt(np.log2(5.0))  # FWHM of a Gaussian over its width at a fifth of the peak
_NARROWEST = 2.0  # channels of a box, and of a width
_BEYOND = 1e9  # pixels
_LARGEST, _WIDEST = 128.0, 2048.0  # pixels, channels that are told
_BRIGHTEST = 25.0  # ln of flux over noise


class LineSources(Sources):
    """Lines of cubes, with what SKA Data Challenge 2 asks for (Hartley et al. 2023, MNRAS 523, 1967)."""

    parts = CUBES

    def scaled(self, priors: Floats, beam: Floats) -> Floats:
        """Priors are in channels, and in units of the beam along y and x."""
        return np.asarray(priors * np.array([1.0, beam_width(beam), beam_width(beam)]))

    def boxes(self, labels: Floats, beam: Floats, largest: Floats) -> Floats:
        """Twice the size on the sky, as of sources of maps, twice the FWHM of a Gaussian as wide along the channels."""
        on_sky = sky_boxes(labels, beam, largest[1:])
        deep = np.clip(2.0 * _PER_FWHM * labels[:, _AT["w20"]], _NARROWEST, largest[0])
        return np.column_stack(
            [labels[:, _AT["channel"]] + 0.5, on_sky[:, :2], deep, on_sky[:, 2:]],
        )

    def values(self, labels: Floats, beam: Floats) -> Floats:
        """`skysift.find.neural.targets.LINE_PARAMETERS` from ``flux`` on."""
        xx, xy, yy = (labels[:, _AT[name]] for name in ("xx", "xy", "yy"))
        wide = np.maximum(0.5 * (xx + yy) + np.hypot(0.5 * (xx - yy), xy), 0.0)
        major = np.maximum(FWHM * np.sqrt(wide) / beam_width(beam), SMALLEST)
        flux = np.log(np.maximum(labels[:, _AT["snr_int"]], 0.1))
        width = np.log(np.maximum(labels[:, _AT["w20"]], 1.0))
        turn = [labels[:, _AT[name]] for name in ("cos", "sin", "inclination")]
        return np.stack([flux, np.log(major), width, *turn], axis=1)

    def weights(self, values: Floats, snr: Floats) -> Floats:
        """The angle counts as far as the line is bright and turns visibly, the inclination as far as it is bright."""
        weights = np.ones((len(values), self.parts.parameters))
        bright = np.minimum(snr / 10.0, 1.5)
        turning = np.minimum(np.exp(values[:, 1]), 1.0) * np.sin(values[:, 5])
        weights[:, 6] = weights[:, 7] = bright * turning
        weights[:, 8] = bright
        return weights

    def detections(
        self, centre: Floats, flux: Floats, told: Floats, beam: Floats, near: float, scores: Floats
    ) -> Detections:
        """Detections with the raw parameters `LINES`; `near` is of no account."""
        mean, error = told[self.parts.mean], np.sqrt(2.0) * np.exp(told[self.parts.scale])
        width = beam_width(beam)
        length = np.maximum(np.hypot(mean[3], mean[4]), 1e-9)
        columns = {
            "x": centre[:, 2],
            "y": centre[:, 1],
            "channel": centre[:, 0],
            "snr": np.exp(np.minimum(flux, _BRIGHTEST)),
            "major": np.minimum(width * np.exp(np.clip(mean[1], -3.0, _BRIGHTEST)), _LARGEST),
            "w20": np.exp(np.clip(mean[2], np.log(_NARROWEST), np.log(_WIDEST))),
            "cos": mean[3] / length,
            "sin": mean[4] / length,
            "inclination": np.clip(mean[5], 0.0, 0.5 * np.pi),
            "x_err": UNIT * np.sqrt(0.5 * (error[0] ** 2 + error[1] ** 2)),
            "channel_err": UNIT * error[2],
            "snr_err": error[3],
            "major_err": error[4],
            "w20_err": error[5],
            "pa_err": np.minimum(np.hypot(error[6], error[7]) / np.sqrt(2.0) / length, np.pi / np.sqrt(3.0)),
            "inclination_err": error[8],
        }
        assert tuple(columns) == LINES
        good = (np.abs(centre) < _BEYOND).all(axis=1)
        order = np.flatnonzero(good)
        order = order[np.lexsort((*centre[order].T[::-1], -scores[order]))]
        raw = {name: np.asarray(values, np.float64)[order] for name, values in columns.items()}
        half = 0.5 * np.maximum(raw["major"], 1.0)
        low, high = (
            np.floor(np.stack([raw["y"], raw["x"]]) + sign * half + 0.5).astype(np.int64) for sign in (-1, 1)
        )
        high = np.maximum(high, low) + 1
        boxes = np.stack([low[0], high[0], low[1], high[1]], axis=1)
        return Detections(boxes, scores[order], raw=raw)

    def rows(self, found: Detections) -> Floats:
        """Labels of detections: discs as thin as their inclination shows them."""
        rows = np.zeros((len(found), len(_NAMES)))
        a = (found["major"] / FWHM) ** 2
        b = a * np.cos(found["inclination"]) ** 2
        cos, sin = found["cos"], found["sin"]
        mean, half = 0.5 * (a + b), 0.5 * (a - b)
        twice_cos, twice_sin = cos * cos - sin * sin, 2.0 * cos * sin
        rows[:, 2:5] = np.stack([mean + half * twice_cos, half * twice_sin, mean - half * twice_cos], axis=1)
        for name in ("x", "y", "channel", "w20", "cos", "sin", "inclination"):
            rows[:, _AT[name]] = found[name]
        return rows

    def nothing(self) -> Detections:
        """No detection."""
        return Detections.empty({name: np.empty(0) for name in LINES})
