"""Real maps: what networks find on them, on them upside down, and around Fornax A; one figure each."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import AsinhNorm
from matplotlib.figure import Figure
from PIL import Image

from bench.neural.networks import Network
from bench.peers.tables import table
from bench.real import continuum, with_pixels
from skysift.sky.truth import CLASS_COLOURS

STATIC = Path(__file__).resolve().parents[2] / "docs" / "_static"
MAPS = {
    "SUMSS_J0318M36": "Fornax A field",
    "VLA_FornaxA_1510MHz": "Fornax A, VLA",
    "ATCA_ScorpioS17Field": "ATCA, S17 (trained on)",
    "ATCA_ScorpioExtendedSourceField": "ATCA, extended",
    "AMI-LA_GRB120422A": "near-empty",
    "AMI-LA_SWIFT554620_17GHz": "near-empty (trained on)",
    "LOFAR_GRB201006A_144MHz": "striped",
}
FORNAX = "SUMSS_J0318M36"
LOBES = (123, 256, 195, 535)  # rows and columns of Fornax A with both lobes
BESIDE = 80  # pixels around them: rings of sidelobes
RULE = """
Sources at each finder's own threshold on a map / on the same map with its sign turned, where every source is an
artefact; artefacts that networks call spurious are no sources. "Lobes": within the box of Fornax A; "beside": within
{beside} pixels of it, where its sidelobes are. `classic` at 5 sigma. Figures: `docs/_static/neural_*.png`, circles
coloured by class. "Trained on": the map is one of the backgrounds of `recipes/yolo.yaml`, whose
artefacts the network was shown as nothing; what it does there says little of other maps.
"""


@dataclass(frozen=True)
class Seen:
    """Places (pixel) and classes of what was found."""

    x: np.ndarray
    y: np.ndarray
    kind: np.ndarray


def seen(image: Any, one: Network | None) -> Seen:
    """What a network, or `classic`, finds."""
    from skysift.find.run import make_finder, search

    if one is None:
        finder = make_finder("classic", seed=5)
    else:
        finder = make_finder(one.finder, **one.fast())
    s = search(image, finder).catalogue.sources
    return Seen(s["x"], s["y"], s["class"].astype(str) if "class" in s else np.full(len(s), "compact"))


def places(found: Seen) -> tuple[int, int]:
    """How many lie in the box of Fornax A, and around it."""
    y0, y1, x0, x1 = LOBES
    inside = (found.y >= y0) & (found.y < y1) & (found.x >= x0) & (found.x < x1)
    near = (
        (found.y >= y0 - BESIDE)
        & (found.y < y1 + BESIDE)
        & (found.x >= x0 - BESIDE)
        & (found.x < x1 + BESIDE)
    )
    return int(inside.sum()), int((near & ~inside).sum())


def picture(image: Any, found: Seen, title: str, out: Path) -> None:
    """The map with circles around what was found."""
    mpl.use("Agg")
    pixels = image.read()
    scale = float(1.4826 * np.nanmedian(np.abs(pixels - np.nanmedian(pixels)))) or 1.0
    figure = Figure(figsize=(9, 9 * pixels.shape[0] / pixels.shape[1] + 0.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(
        pixels / scale,
        origin="lower",
        cmap="gray_r",
        norm=AsinhNorm(4.0, -3.0, 60.0),
        interpolation="nearest",
    )
    for kind, colour in CLASS_COLOURS.items():
        own = found.kind == kind
        if own.any():
            axes.plot(
                found.x[own],
                found.y[own],
                "o",
                ms=7,
                mfc="none",
                mec=colour,
                mew=0.9,
                label=f"{kind} ({own.sum()})",
            )
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
    axes.legend(loc="upper right", fontsize=8)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=70)
    Image.open(buffer).convert("RGB").quantize(256).save(out, optimize=True)


def real_section(networks: list[Network], figures: Path | None = STATIC) -> str:
    """The whole section; the figures are those of the first network."""
    import skysift

    folder = continuum()
    finders: list[Network | None] = [None, *networks]
    rows, around = [], []
    for stem, what in MAPS.items():
        image = skysift.open(folder / f"{stem}.fits")
        turned = with_pixels(image, -image.read())
        row: list[object] = [stem, what]
        for one in finders:
            found, false = seen(image, one), seen(turned, one)
            row.append(f"{len(found.x)} / {len(false.x)}")
            name = "classic 5" if one is None else one.name
            if stem == FORNAX:
                around.append(
                    [name, *(f"{a} / {b}" for a, b in zip(places(found), places(false), strict=True))]
                )
            if figures is not None and networks and one is networks[0]:
                picture(image, found, f"{what}: {stem}, {name}", figures / f"neural_{stem}.png")
        rows.append(row)
    head = ["map", "what", "classic 5", *(one.name for one in networks)]
    parts = ["### Real maps\n", RULE.format(beside=BESIDE), table(head, rows)]
    return "\n".join([*parts, "Around Fornax A:\n", table(["finder", "lobes", "beside"], around)])
