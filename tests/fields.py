"""Fields and weights for tests of learned models: small skies with known sources, a small net trained on them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock
from tests import skies

from skysift.find.extended.runs import boxes_of
from skysift.learn.fields import LABELS, Field
from skysift.sky.box import Box
from skysift.sky.detections import Detections, Footprints
from skysift.sky.truth import CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from skysift.find.neural.yolo.gridnet import GridNet
    from skysift.find.neural.yolo.options import GridOptions
    from skysift.learn.detector import FieldLearner
    from skysift.learn.options import TrainOptions
    from skysift.learn.samples import Crop

BEAMS = ((4.0, 4.0, 0.0), (6.0, 3.5, 30.0), (3.0, 2.5, 70.0))
KINDS = ("convolved", "beam", "white")
STEPS = 240


def made_field(seed: int, size: int = 192, *, held: bool = False, density: float = 0.4) -> Field:
    """A field of points and Gaussians in noise of one of three colours."""
    beam, kind = BEAMS[seed % 3], KINDS[(seed // 3) % 3]
    n = round(density * size * size / (40.0 * skies.beam_area(beam)))
    sources = skies.population(
        (size, size), beam, n_points=2 * n // 3, n_extended=n // 3, rms=1.0, snr=(4, 1000), by_peak=True,
        margin=0, seed=seed,
    )  # fmt: skip
    data, truth = skies.paint((size, size), beam, rms=1.0, noise=kind, sources=sources, seed=seed)
    own = skies.covariance(
        truth["dmaj"], np.where(truth["dmin"] > 0, truth["dmin"], truth["dmaj"]), truth["dpa"]
    )
    values = {
        "x": truth["x"],
        "y": truth["y"],
        "xx": own[:, 0, 0],
        "xy": own[:, 0, 1],
        "yy": own[:, 1, 1],
        "snr_peak": truth["snr"],
        "snr_int": truth["total"],
        "core": np.full(len(truth), np.nan),
        "class": np.full(len(truth), float(CLASSES.index("compact"))),
        "use": np.ones(len(truth)),
    }
    assert tuple(values) == LABELS
    corner = np.floor(np.stack([truth["y"], truth["x"]], axis=1) + 0.5).astype(np.int64)
    boxes = np.stack([corner[:, 0], corner[:, 0] + 1, corner[:, 1], corner[:, 1] + 1], axis=1)
    covariance = skies.covariance(*beam)
    seen = own + covariance
    prints = ellipse_prints(truth["x"], truth["y"], seen, np.asarray(truth["snr"]), size)
    labels = Detections(boxes_of(prints, len(truth), boxes), np.ones(len(truth)), prints, raw=values)
    told = (float(covariance[0, 0]), float(covariance[0, 1]), float(covariance[1, 1]))
    return Field(f"made-{seed}", data, labels, told, Box(0, size, 0, size) if held else None)


def ellipse_prints(x, y, shape, peak, size: int) -> Footprints:
    """The pixels of Gaussians above 1 sigma, or a tenth of the peak where that is more."""
    runs = []
    rows, columns = np.mgrid[:size, :size]
    for k in range(len(x)):
        inverse = np.linalg.inv(shape[k])
        dx, dy = columns - x[k], rows - y[k]
        q = inverse[0, 0] * dx**2 + 2.0 * inverse[0, 1] * dx * dy + inverse[1, 1] * dy**2
        j, i = np.nonzero(q <= 2.0 * np.log(min(max(float(peak[k]), 1.0), 10.0)))
        runs.append(np.stack([j, i, i + 1, np.full(len(j), k)]))
    return Footprints(*np.concatenate(runs, axis=1)) if runs else Footprints.empty()


def _train(
    learner: FieldLearner[Any], fields: Sequence[Field], how: TrainOptions, threshold: float, path: Path
) -> None:
    """Train a small network and write its weights."""
    import torch

    from skysift.learn.checkpoint import Card, write_checkpoint
    from skysift.learn.loop import train

    torch.set_num_threads(1)
    made = train(learner, fields, how, path.with_suffix(".training"), device=torch.device("cpu"))
    card = Card(
        learner.name, path.stem, "tests", learner.options.to_dict(),
        numbers=made.numbers, settings={"threshold": threshold},
    )  # fmt: skip
    write_checkpoint(path, made.weights, card)


def unet_weights(folder: Path) -> Path:
    """Weights of a small U-Net that was trained for a few seconds; made once for all processes."""
    path = folder / "small-unet.safetensors"
    with FileLock(folder / "small-unet.lock"):
        if not path.exists():
            from skysift.find.neural.unet.options import UnetModelOptions
            from skysift.find.neural.unet.unet import UnetLearner
            from skysift.learn.options import TrainOptions

            options = UnetModelOptions(widths=(16, 24), depths=(1, 2), coarse=0.2)
            fields = [made_field(seed, density=0.15) for seed in range(9)]
            how = TrainOptions(
                steps=160, batch=4, crop=96, validate_every=160, learning_rate=4e-3, average=0.97
            )
            _train(UnetLearner(options), [*fields, made_field(100, 128, held=True)], how, 0.8, path)
    return path


def rcnn_weights(folder: Path) -> Path:
    """Weights of a small network of two looks that was trained for a few seconds; made once for all processes."""
    path = folder / "small-rcnn.safetensors"
    with FileLock(folder / "small-rcnn.lock"):
        if not path.exists():
            from skysift.find.neural.rcnn.model import RcnnLearner
            from skysift.find.neural.rcnn.options import RcnnModelOptions
            from skysift.learn.options import TrainOptions

            options = RcnnModelOptions(
                widths=(12, 16, 24, 24, 24),
                depths=(1, 1, 1, 1, 1),
                pyramid=24,
                hidden=32,
                proposals=64,
                learnt=12,
                class_weights=(1.0,) * 6,
            )
            fields = [made_field(seed, density=0.15) for seed in range(9)]
            how = TrainOptions(
                steps=100,
                batch=4,
                crop=64,
                validate_every=100,
                learning_rate=5e-3,
                average=0.97,
                precision="float32",
            )
            _train(RcnnLearner(options), [*fields, made_field(100, 128, held=True)], how, 0.35, path)
    return path


def detr_weights(folder: Path) -> Path:
    """Weights of a small detection transformer that was trained for a few seconds; made once for all processes."""
    path = folder / "small-detr.safetensors"
    with FileLock(folder / "small-detr.lock"):
        if not path.exists():
            from skysift.find.neural.detr.model import DetrLearner
            from skysift.find.neural.detr.options import DetrModelOptions
            from skysift.learn.options import TrainOptions

            options = DetrModelOptions(
                widths=(12, 16, 24, 24, 24),
                depths=(1, 1, 1, 1, 1),
                pyramid=24,
                hidden=32,
                heads=4,
                layers=2,
                inner=64,
                queries=64,
                learnt=16,
                denoised=6,
                class_weights=(1.0,) * 6,
            )
            fields = [made_field(seed, density=0.15) for seed in range(9)]
            how = TrainOptions(
                steps=100,
                batch=4,
                crop=64,
                validate_every=100,
                learning_rate=4e-3,
                average=0.97,
                precision="float32",
            )
            _train(DetrLearner(options), [*fields, made_field(100, 128, held=True)], how, 0.5, path)
    return path


def small_weights(folder: Path) -> Path:
    """Weights of a small dense net that was trained for a quarter of a minute; made once for all processes."""
    path = folder / "small.safetensors"
    with FileLock(folder / "small.lock"):
        if not path.exists():
            from skysift.find.neural.yolo.dense import DenseLearner
            from skysift.find.neural.yolo.options import DenseOptions
            from skysift.learn.options import TrainOptions

            options = DenseOptions(widths=(20, 32), depths=(2, 2), faintest=4.0)
            fields = [made_field(seed) for seed in range(9)]
            how = TrainOptions(
                steps=STEPS, batch=4, crop=96, validate_every=STEPS, learning_rate=3e-3, average=0.98
            )
            _train(DenseLearner(options), [*fields, made_field(100, held=True)], how, 0.8, path)
    return path


def learnt(learner, crops, steps):
    """The net of a learner after so many steps on the same crops, and its losses on the way."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(1)
    batch, net, losses = learner.batch(crops), learner.net(), []
    optimizer = torch.optim.AdamW(net.parameters(), lr=4e-3, weight_decay=0.0)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1.0, (step + 1) / 10) * (0.51 + 0.5 * np.cos(np.pi * step / steps))
        loss = torch.stack(list(learner.loss(net, batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 2.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    return net.eval(), losses


@cache
def overfit_grid() -> tuple[GridOptions, GridNet, list[float], list[Crop]]:
    """Options, net, losses and crops of a small grid head that learnt four crops by heart; a few seconds."""
    from skysift.find.neural.yolo.grid import GridLearner
    from skysift.find.neural.yolo.options import GridOptions
    from skysift.learn.samples import cut, label_table

    options = GridOptions(widths=(16, 24, 48), depths=(1, 1, 2), faintest=4.0, coarse=0.0)
    learner, crops = GridLearner(options), []
    for seed in range(4):
        field = made_field(seed, density=0.8)
        crops.append(cut(field, Box(64, 128, 64, 128), label_table(field)))
    net, losses = learnt(learner, crops, 220)
    return options, net, losses, crops


def grid_weights(folder: Path) -> Path:
    """Weights of a small grid head that was trained for a few seconds: enough to find what is bright."""
    import torch

    from skysift.find.neural.yolo.grid import GridLearner
    from skysift.find.neural.yolo.options import GridOptions
    from skysift.learn.checkpoint import Card, write_checkpoint
    from skysift.learn.loop import train
    from skysift.learn.options import TrainOptions

    torch.set_num_threads(1)
    options = GridOptions(widths=(12, 20, 40), depths=(1, 1, 2), faintest=4.0, early=80, coarse=0.0)
    how = TrainOptions(steps=160, batch=4, crop=64, validate_every=160, learning_rate=4e-3, average=0.97)
    fields = [*(made_field(3 * seed) for seed in range(3)), made_field(99, 96, held=True)]
    made = train(GridLearner(options), fields, how, folder / "training", device=torch.device("cpu"))
    path = folder / "grid.safetensors"
    card = Card(
        "yolo-grid", "grid", "tests", options.to_dict(), numbers=made.numbers, settings={"threshold": 0.6}
    )
    write_checkpoint(path, made.weights, card)
    return path
