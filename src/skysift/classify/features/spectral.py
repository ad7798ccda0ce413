"""Spectra of sources: spectral index and curvature of the fluxes, and of the brightness where the source is resolved."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from skysift.base.random import generator
from skysift.classify.features.extractor import Columns, Extractor
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.pixels import correlated_squares
from skysift.classify.features.seen import Seen
from skysift.classify.features.spectrum import fit_power_laws, orthogonal_slopes
from skysift.classify.features.view import View
from skysift.sky.features import Feature

__all__ = ["SpectralFeatures", "radio_bands"]

Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]

_AROUND = 3  # pixels about the islands that a T-T plot takes in
_ALIKE = 0.02  # by which beams of two bands may differ: pixels of unlike beams have no common slope


def radio_bands(options: FeaturesOptions) -> list[int]:
    """Numbers of the bands that have a frequency, from the lowest frequency to the highest."""
    held = [k for k, frequency in enumerate(options.frequencies) if frequency > 0]
    return sorted(held, key=lambda k: options.frequencies[k])


class SpectralFeatures(Extractor):
    """Spectral index (S ~ frequency^alpha) with errors, of the whole source and of its pixels against each other."""

    title = "spectral index, curvature and T-T plots"
    needs = "give --set frequencies=F1,F2,... (Hz, one a band), two of them above 0"

    def applies(self, view: View, options: FeaturesOptions) -> bool:
        """Whether two bands have a frequency."""
        return len({options.frequencies[k] for k in radio_bands(options)}) > 1

    def columns(self, view: View, options: FeaturesOptions) -> tuple[Feature, ...]:
        """What is measured."""
        rows = [
            ("alpha", "", "spectral index of the fluxes, two detected bands or more"),
            ("alpha_err", "", "1 sigma of it"),
            ("alpha_low", "", "16th percentile of the index over draws of the fluxes within their errors"),
            ("alpha_high", "", "84th percentile of it"),
            ("alpha_bands", "", "radio bands that detect the source"),
        ]
        if len(radio_bands(options)) > 2:
            rows += [
                (
                    "curvature",
                    "",
                    "q of S ~ frequency^alpha exp(q ln(frequency / middle)^2), three detected bands or more",
                ),
                ("curvature_err", "", "1 sigma of it"),
            ]
        for a, b in self._pairs(options):
            names = f"{view.bands[a]}_{view.bands[b]}"
            rows += [
                (
                    f"tt_alpha_{names}",
                    "",
                    f"spectral index of the T-T plot of {names}, of one beam: blind to the levels of both",
                ),
                (f"tt_alpha_err_{names}", "", "1 sigma of it, correlated noise and all"),
                (f"tt_r_{names}", "", "correlation of the pixels of both bands"),
                (
                    f"tt_scatter_{names}",
                    "",
                    "rms of the pixels about that line, in units of what the noise makes",
                ),
            ]
        return tuple(Feature(*row) for row in rows)

    def _pairs(self, options: FeaturesOptions) -> list[tuple[int, int]]:
        """The lowest frequency with each of the others."""
        bands = radio_bands(options)
        return [(bands[0], b) for b in bands[1:] if options.frequencies[b] > options.frequencies[bands[0]]]

    def measure(self, seen: Seen) -> Columns:
        """The numbers."""
        options, found = seen.options, seen.fluxes
        bands = radio_bands(options)
        frequency = np.array([options.frequencies[k] for k in bands])
        t = np.log(frequency) - np.log(frequency).mean()
        flux = found.flux[:, bands]
        error = np.hypot(found.error[:, bands], options.calibration * np.abs(flux))
        with np.errstate(invalid="ignore"):
            detected = flux >= options.limit * found.error[:, bands]
        use = np.isfinite(flux) & (error > 0)
        use[detected.sum(axis=1) < 2] = False
        values, errors = fit_power_laws(flux, error, t, use, 2)
        low, high = self._drawn(flux, error, t, use, options.draws)
        out = {
            "alpha": values[:, 1],
            "alpha_err": errors[:, 1],
            "alpha_low": low,
            "alpha_high": high,
            "alpha_bands": np.where(np.isfinite(flux).any(axis=1), detected.sum(axis=1), np.nan),
        }
        if len(bands) > 2:
            use[detected.sum(axis=1) < 3] = False
            values, errors = fit_power_laws(flux, error, t, use, 3)
            out["curvature"], out["curvature_err"] = values[:, 2], errors[:, 2]
        for a, b in self._pairs(options):
            lever = np.log(options.frequencies[b] / options.frequencies[a])
            out |= _against(seen, a, b, float(lever))
        return out

    def _drawn(self, flux: Floats, error: Floats, t: Floats, use: Bools, draws: int) -> tuple[Floats, Floats]:
        """Percentiles of the index over fluxes drawn within their errors, by the same deviates for every source."""
        low, high = np.full(len(flux), np.nan), np.full(len(flux), np.nan)
        rows = np.flatnonzero(use.sum(axis=1) >= 2)
        if not len(rows):
            return low, high
        deviates = generator(1, "features", "spectral").normal(size=(draws, len(t)))
        n, m = len(rows), draws
        made = (flux[rows, None] + deviates * error[rows, None]).reshape(n * m, -1)
        spread = np.repeat(error[rows], m, axis=0)
        values, _ = fit_power_laws(made, spread, t, np.repeat(use[rows], m, axis=0), 2)
        low[rows], high[rows] = np.percentile(values[:, 1].reshape(n, m), [15.87, 84.13], axis=1)
        return low, high


def _against(seen: Seen, a: int, b: int, lever: float) -> dict[str, Floats]:
    """The T-T plot of two bands: the slope of the pixels of one against those of the other."""
    n = len(seen)
    names = f"{seen.view.bands[a]}_{seen.view.bands[b]}"
    x, y = (seen.pixels[:, k].astype(np.float64) - seen.level[:, k, None, None] for k in (a, b))
    width = np.nan_to_num(seen.widths[:, [a, b]].mean(axis=1))
    # pixels are chosen by the islands and some more around: a cut at the islands' edge would choose by the noise
    own: Bools = np.asarray((seen.labels[:, [a, b]] > 0).any(axis=1), np.bool_)
    grown = binary_dilation(own, np.ones((1, 3, 3), np.bool_), iterations=_AROUND)
    use = grown & np.isfinite(x) & np.isfinite(y)
    count = use.sum(axis=(1, 2)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        x = np.where(use, x - (np.where(use, x, 0.0).sum(axis=(1, 2)) / count)[:, None, None], 0.0)
        y = np.where(use, y - (np.where(use, y, 0.0).sum(axis=(1, 2)) / count)[:, None, None], 0.0)
        sxx, syy, sxy = ((p * q).sum(axis=(1, 2)) / count for p, q in ((x, x), (y, y), (x, y)))
        nx, ny = seen.noise[:, a], seen.noise[:, b]
        slope, r = orthogonal_slopes(sxx, syy, sxy, nx, ny)
        lost = ny**2 + slope**2 * nx**2  # variance of y - slope x
        lie = (x * (ny**2)[:, None, None] + y * (slope * nx**2)[:, None, None]) / lost[
            :, None, None
        ]  # x without noise
        squares = np.zeros(n)
        correlated_squares(np.nan_to_num(lie), width, squares)
        # sxy / slope is the mean square of the true deviations: noise of two bands does not go together
        err = np.sqrt(lost * squares) / (count * sxy / slope)
        rest = np.sqrt(((y - slope[:, None, None] * x) ** 2).sum(axis=(1, 2)) / count / lost)
        alpha = np.log(slope * seen.factors[:, b] / seen.factors[:, a]) / lever
        err = err / slope / abs(lever)
        apart = np.abs(np.log(seen.beams[:, b] / seen.beams[:, a]))
    known = np.isfinite(alpha) & (count > 5) & ~(apart > _ALIKE)
    return {
        f"tt_alpha_{names}": np.where(known, alpha, np.nan),
        f"tt_alpha_err_{names}": np.where(known, err, np.nan),
        f"tt_r_{names}": np.where(count > 5, r, np.nan),
        f"tt_scatter_{names}": np.where(known, rest, np.nan),
    }
