"""Fluxes and colours of a source in each band, with upper limits where it is not detected."""

from __future__ import annotations

import numpy as np

from skysift.classify.features.extractor import Columns, Extractor
from skysift.classify.features.options import FeaturesOptions
from skysift.classify.features.seen import Seen
from skysift.classify.features.view import View
from skysift.sky.features import Feature

__all__ = ["FluxFeatures", "neighbouring"]


def neighbouring(view: View) -> list[tuple[int, int]]:
    """Bands that follow each other, as numbers."""
    return [(k, k + 1) for k in range(len(view.bands) - 1)]


class FluxFeatures(Extractor):
    """Flux of each band over the same pixels; a band without data is NaN and flagged, never 0."""

    title = "fluxes, limits and colours of the bands"

    def columns(self, view: View, options: FeaturesOptions) -> tuple[Feature, ...]:
        """What is measured."""
        rows = []
        for name, unit in zip(view.bands, view.sums, strict=True):
            rows += [
                (
                    f"missing_{name}",
                    "",
                    f"1 where {name} has no data at half of the source, another unit than in most pictures, or no beam",
                ),
                (
                    f"covered_{name}",
                    "",
                    f"share of the source's pixels where {name} has data; fluxes are of these",
                ),
                (f"detected_{name}", "", f"1 where the flux in {name} is at least {options.limit:g} sigma"),
                (f"flux_{name}", unit, f"flux in {name} over the source's pixels"),
                (f"flux_err_{name}", unit, f"1 sigma of the flux in {name}, correlated noise and all"),
                (f"limit_{name}", unit, f"{options.limit:g} sigma where {name} does not detect the source"),
                (f"log_flux_{name}", "", f"log10 of the flux in {name}, where it is detected"),
                (f"log_peak_{name}", "", f"log10 of the brightest pixel in {name}, where it is detected"),
            ]
        reference = view.bands[view.reference]
        for name in view.bands:
            if name != reference:
                rows += [
                    (
                        f"ratio_{name}",
                        "",
                        f"log10 of the flux in {name} over that in {reference}, both detected",
                    ),
                    (
                        f"ratio_limit_{name}",
                        "",
                        f"the same of the limit in {name}, where only {reference} detects it",
                    ),
                ]
        for a, b in neighbouring(view):
            first, second = view.bands[a], view.bands[b]
            rows.append(
                (f"colour_{first}_{second}", "", f"log10 of the flux in {first} over that in {second}")
            )
        return tuple(Feature(*row) for row in rows)

    def measure(self, seen: Seen) -> Columns:
        """The numbers."""
        view, options, found = seen.view, seen.options, seen.fluxes
        with np.errstate(invalid="ignore", divide="ignore"):
            detected = found.flux >= options.limit * found.error
            known = np.isfinite(found.flux)
            light = np.where(detected, np.log10(found.flux), np.nan)
            limits = np.where(known & ~detected, options.limit * found.error, np.nan)
            tops = np.where(detected & (found.peak > 0), np.log10(found.peak), np.nan)
        out = {}
        for k, name in enumerate(view.bands):
            out[f"missing_{name}"] = found.missing[:, k].astype(np.float64)
            out[f"covered_{name}"] = found.covered[:, k]
            out[f"detected_{name}"] = np.where(known[:, k], detected[:, k], np.nan)
            out[f"flux_{name}"], out[f"flux_err_{name}"] = found.flux[:, k], found.error[:, k]
            out[f"limit_{name}"] = limits[:, k]
            out[f"log_flux_{name}"], out[f"log_peak_{name}"] = light[:, k], tops[:, k]
            if k != view.reference:
                out[f"ratio_{name}"] = light[:, k] - light[:, view.reference]
                out[f"ratio_limit_{name}"] = np.log10(limits[:, k]) - light[:, view.reference]
        for a, b in neighbouring(view):
            out[f"colour_{view.bands[a]}_{view.bands[b]}"] = light[:, a] - light[:, b]
        return out
