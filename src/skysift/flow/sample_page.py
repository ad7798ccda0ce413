"""The page of a made sample: its colours class by class, what surveys see of them, and where the numbers are from."""

from __future__ import annotations

import io

import numpy as np

import skysift
from skysift.base.provenance import Manifest
from skysift.flow.stamp_sheets import Sheet, stamps_page
from skysift.sim.colours.options import SamplesOptions
from skysift.sim.colours.published import KINDS
from skysift.sim.colours.sample import bands_of
from skysift.sky.features import Features

__all__ = ["samples_page"]


def samples_page(features: Features, options: SamplesOptions, manifest: Manifest) -> str:
    """The page, as HTML that needs no other file."""
    sheets = (
        Sheet(
            "spectra.png",
            _spectra(features, options),
            "Flux over that at 1.4 GHz: medians and middle 68 % of what is detected, upper limits left out",
        ),
        Sheet("index.png", _indices(features, options), "Spectral indices as they are measured"),
    )
    labels = np.asarray(features.facts["label"])
    table = []
    for name in options.classes:
        mine, kind = labels == name, KINDS[name]
        table.append(
            (
                name,
                str(int(mine.sum())),
                f"{np.median(features['flux_radio'][mine]):.3g}",
                *(
                    f"{np.isfinite(features[f'flux_{band.name}'][mine]).mean():.0%}"
                    for band in bands_of(options)
                ),
                kind.sure,
                kind.source,
            )
        )
    return stamps_page(
        "Made sample of classes",
        "Made sources with published colours: how they are made decides how well they can be told apart. Part of each "
        "class that is detected in each band, and where its colours are from:",
        sheets,
        heading="Classes",
        numbers=(
            (str(len(features)), "made sources"),
            (str(len(options.classes)), "classes"),
            (f"{options.scatter:g}", "scatter of colours, in units of the declared"),
        ),
        heads=(
            "class",
            "sources",
            "median mJy",
            *(band.name for band in bands_of(options)),
            "sure",
            "source",
        ),
        table=table,
        options=options.to_dict(),
        notes=manifest.warnings,
        footer=f"skysift {skysift.__version__}, {manifest.started}",
    )


def _colour(k: int) -> str:
    from matplotlib import colormaps  # loaded late
    from matplotlib.colors import to_hex

    return str(to_hex(colormaps["tab10"](k % 10)))


def _spectra(features: Features, options: SamplesOptions) -> bytes:
    from matplotlib.figure import Figure  # loaded late

    bands, labels = bands_of(options), np.asarray(features.facts["label"])
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    for k, name in enumerate(options.classes):
        at, low, middle, high = [], [], [], []
        for band in bands:
            values = features[f"ratio_{band.name}"][labels == name]
            values = values[np.isfinite(values)]
            if len(values) >= 3:
                a, b, c = np.quantile(values, (0.16, 0.5, 0.84))
                at.append(band.wavelength)
                low.append(a)
                middle.append(b)
                high.append(c)
        axes.plot(at, middle, "o-", color=_colour(k), label=KINDS[name].title, ms=4)
        axes.fill_between(at, low, high, color=_colour(k), alpha=0.12, lw=0)
    axes.set(xscale="log", xlabel="wavelength (um)", ylabel="log10 flux / flux at 1.4 GHz")
    axes.legend(fontsize=8, ncols=2)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100)
    return out.getvalue()


def _indices(features: Features, options: SamplesOptions) -> bytes:
    from matplotlib.figure import Figure  # loaded late

    labels = np.asarray(features.facts["label"])
    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axes = figure.subplots()
    for k, name in enumerate(options.classes):
        values = features["alpha"][labels == name]
        values = values[np.isfinite(values)]
        if len(values):
            axes.hist(
                values, np.linspace(-3.0, 2.0, 41).tolist(), histtype="step", color=_colour(k), label=name
            )
    axes.set(xlabel="spectral index", ylabel="sources")
    axes.legend(fontsize=7)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=100)
    return out.getvalue()
