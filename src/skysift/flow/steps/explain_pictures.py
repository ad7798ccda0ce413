"""`PicturesExplainStep`: where a classifier of pictures looks, as maps, a table and a page of pictures."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skysift
from skysift.base.errors import UsageError
from skysift.base.parallel import ALONE, Crew
from skysift.base.provenance import InputRecord, Manifest, Provenance, library_versions
from skysift.classify.classifier import Given
from skysift.classify.images import PictureClassifier, prepared
from skysift.classify.options import LooksOptions
from skysift.classify.saliency import grad_cam, occlusion
from skysift.flow.products import MANIFEST, ProductFolder, write_manifest, writing
from skysift.flow.stamp_sheets import Sheet, stamps_page
from skysift.stamps.pictures import Pictures

__all__ = ["Looks", "PicturesExplainStep"]

MAPS, TABLE, PAGE, SHEET = "maps.npz", "reasons.csv", "report.html", "looks.png"
_MIDDLE = 0.25  # of the side: half the width of what counts as the middle
_SHOWN = 24


@dataclass(frozen=True, eq=False)
class Looks:
    """
    Where a classifier looks.

    Attributes
    ----------
    names, labels, probability
        Of the pictures, the class that is told, and its probability.
    cam
        (picture, y, x) what speaks for the class, 0 to 1; None where the network does not learn from maps (an encoder
        that is frozen).
    fall
        (picture, y, x) how much less probable the class is where a part is hidden.
    manifest
        Of what was written.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    probability: NDArray[np.float64]
    cam: NDArray[np.float32] | None
    fall: NDArray[np.float32]
    manifest: Manifest


class PicturesExplainStep:
    """
    Where a classifier of pictures looks.

    Parameters
    ----------
    options
        Of how many pictures, and how finely.
    """

    def __init__(self, options: LooksOptions) -> None:
        self.options = options

    def __repr__(self) -> str:
        return f"PicturesExplainStep({self.options!r})"

    def run(
        self,
        classifier: PictureClassifier[Any],
        given: Given,
        out: str | Path,
        *,
        model: str = "",
        inputs: Sequence[InputRecord] = (),
        overwrite: bool = False,
        crew: Crew = ALONE,
    ) -> Looks:
        """The maps, after ``maps.npz``, ``reasons.csv``, ``looks.png``, ``report.html`` and a manifest were written.

        Raises
        ------
        UsageError
            No pictures are given, or none can be read.
        OutputError
            The folder cannot be written, or holds earlier products and `overwrite` is off.
        """
        begun, clock = datetime.now(UTC), time.perf_counter()
        if not isinstance(given, Pictures):
            raise UsageError("the classifier looks at pictures", got="a table", todo="give the pictures")
        good = np.flatnonzero(given.good)
        spread = np.linspace(0, max(len(good) - 1, 0), self.options.sources).astype(np.int64)
        chosen = given.select(good[np.unique(spread)] if len(good) else [])
        pixels, known = prepared(chosen, classifier.preparation, classifier.bands)
        chosen, pixels = chosen.select(known), pixels[known]
        if not len(chosen):
            raise UsageError("none of the pictures can be read", got=f"{len(given)} pictures")
        with (
            ProductFolder(
                Path(out), names=(MAPS, TABLE, SHEET, PAGE, MANIFEST), overwrite=overwrite
            ) as folder,
            writing(folder.directory),
        ):
            told = classifier.of_prepared(pixels)
            best = told.argmax(axis=1)
            cam = grad_cam(classifier.nets[0], pixels, best) if classifier.nets else None
            falls = []
            for k in range(len(pixels)):
                falls.append(
                    occlusion(
                        classifier.of_prepared,
                        pixels[k : k + 1],
                        best[k : k + 1],
                        patch=self.options.patch,
                        stride=self.options.stride,
                    )
                )
                if crew.progress is not None:
                    crew.progress("reasons", k + 1, len(pixels))
            fall = np.concatenate(falls)
            labels = tuple(classifier.classes[k] for k in best)
            probability = told[np.arange(len(told)), best]
            maps: dict[str, Any] = {
                "names": np.array(chosen.names),
                "label": np.array(labels),
                "occlusion": fall,
                **({} if cam is None else {"grad_cam": cam}),
            }
            with folder.path(MAPS).open("wb") as file:
                np.savez_compressed(file, **maps)
            rows = _rows(chosen.names, labels, probability, fall)
            folder.path(TABLE).write_text(_csv(rows), encoding="utf-8")
            sheet = _sheet(chosen, pixels, labels, probability, cam, fall)
            folder.path(SHEET).write_bytes(sheet)
            provenance = Provenance(
                skysift.__version__,
                "classify-explain",
                {**self.options.to_dict(), "model": model, "classifier": classifier.name},
                tuple(inputs),
                (),
                "step",
            )
            manifest = Manifest(
                provenance,
                (MAPS, TABLE, SHEET, PAGE),
                started=begun.strftime("%Y-%m-%dT%H:%M:%SZ"),
                seconds={"all": time.perf_counter() - clock},
                counts={"sources": len(chosen)},
                versions=library_versions(),
            )
            page = stamps_page(
                f"Where {classifier.name} looks",
                "What the network reads, what speaks for the class that it tells (Grad-CAM), and how much less probable "
                "that is where a square is hidden (red: the class rests on this place; blue: it speaks against it).",
                (Sheet(SHEET, sheet, f"{min(_SHOWN, len(chosen))} of {len(chosen)} pictures"),),
                heading="Sources",
                numbers=(
                    (str(len(chosen)), "pictures"),
                    (f"{np.median([row[3] for row in rows]):.0%}", "of the fall is in the middle half"),
                ),
                heads=("name", "label", "probability", "fall in the middle", "largest fall"),
                table=[(n, c, f"{p:.3f}", f"{m:.0%}", f"{f:.3f}") for n, c, p, m, f in rows[:200]],
                options=dict(provenance.options),
                notes=()
                if cam is not None
                else ("the encoder is frozen and tells no gradient: there is no Grad-CAM",),
                footer=f"skysift {skysift.__version__}, {manifest.started}",
            )
            folder.path(PAGE).write_text(page, encoding="utf-8")
            write_manifest(manifest, folder)
            folder.commit()
        return Looks(chosen.names, labels, probability, cam, fall, manifest)


def _rows(
    names: Sequence[str],
    labels: Sequence[str],
    probability: NDArray[np.float64],
    fall: NDArray[np.float32],
) -> list[tuple[str, str, float, float, float]]:
    """Name, class, its probability, the part of what it rests on that is in the middle half, the largest fall."""
    side = fall.shape[1]
    low, high = round(side * (0.5 - _MIDDLE)), round(side * (0.5 + _MIDDLE))
    rests = np.maximum(fall, 0.0)
    total = rests.sum(axis=(1, 2))
    middle = rests[:, low:high, low:high].sum(axis=(1, 2)) / np.maximum(total, 1e-12)
    return [
        (name, label, float(p), float(m), float(f))
        for name, label, p, m, f in zip(
            names, labels, probability, middle, fall.max(axis=(1, 2)), strict=True
        )
    ]


def _csv(rows: Sequence[tuple[str, str, float, float, float]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("name", "label", "probability", "middle", "largest_fall"))
    writer.writerows((n, c, f"{p:.6f}", f"{m:.4f}", f"{f:.6f}") for n, c, p, m, f in rows)
    return out.getvalue()


def _sheet(
    pictures: Pictures,
    pixels: NDArray[np.float32],
    labels: Sequence[str],
    probability: NDArray[np.float64],
    cam: NDArray[np.float32] | None,
    fall: NDArray[np.float32],
) -> bytes:
    """Pictures side by side: what the network reads, with what speaks for the class, with what hiding changes."""
    from matplotlib.figure import Figure  # loaded late

    n = min(_SHOWN, len(pixels))
    across, panels = 3, 2 if cam is None else 3
    down = -(-n // across)
    figure = Figure(figsize=(across * panels * 1.25, down * 1.55), layout="constrained")
    axes = np.asarray(figure.subplots(down, across * panels, squeeze=False))
    for each in axes.ravel():
        each.set_axis_off()
    for k in range(n):
        row, first = k // across, (k % across) * panels
        shown = pixels[k].max(axis=0)
        for j in range(panels):
            axes[row, first + j].imshow(shown, cmap="gray", origin="lower")
        if cam is not None:
            axes[row, first + 1].imshow(cam[k], cmap="inferno", alpha=0.55, origin="lower", vmin=0, vmax=1)
        limit = max(float(np.abs(fall[k]).max()), 1e-6)
        axes[row, first + panels - 1].imshow(
            fall[k], cmap="coolwarm", alpha=0.6, origin="lower", vmin=-limit, vmax=limit
        )
        axes[row, first].set_title(f"{pictures.names[k][:16]}\n{labels[k]} {probability[k]:.2f}", fontsize=6)
        if row == 0:
            axes[row, first + panels - 1].set_title("hidden", fontsize=6)
            if cam is not None:
                axes[row, first + 1].set_title("Grad-CAM", fontsize=6)
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=110)
    return out.getvalue()
