"""`ReconstructionOutlier`: a small autoencoder on the one loop; what it gives back badly is strange."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from skysift.base.random import generator
from skysift.explore.options import ReconstructionOptions
from skysift.explore.outliers import Outlier
from skysift.learn.learner import Batch, Learner, Rows
from skysift.learn.loop import train
from skysift.learn.options import LoopOptions, SelectionOptions

__all__ = ["ReconstructionOutlier", "RowsFeed", "RowsLearner"]

Floats: TypeAlias = NDArray[np.float64]
_HELD = 10  # every tenth source is kept for validation


class RowsFeed:
    """Batches of rows without end, each row once a round.

    Parameters
    ----------
    rows
        What is drawn from: (row, number).
    batch
        Rows of a batch.
    seed
        With the number of a batch it decides what that holds.
    """

    def __init__(self, rows: NDArray[np.float32], batch: int, seed: int) -> None:
        self.rows, self.batch, self.seed = rows, min(batch, len(rows)), seed

    def at(self, number: int, rows: slice = slice(None)) -> Sequence[Any]:
        """The batch with this number, or some of its rows."""
        turn, place = divmod(number, max(1, len(self.rows) // self.batch))
        order = generator(self.seed, "rows", str(turn)).permutation(len(self.rows))
        return list(self.rows[order[place * self.batch : (place + 1) * self.batch][rows]])


class RowsLearner(Learner[ReconstructionOptions, NDArray[np.float32]]):
    """An autoencoder of rows of numbers, judged by how well it gives back rows that it did not see."""

    name = "autoencoder"

    def __init__(self, options: ReconstructionOptions, n: int) -> None:
        super().__init__(options)
        self.n = n

    def net(self) -> nn.Module:
        """The network with fresh weights."""
        width, narrow = self.options.width, max(1, min(self.options.bottleneck, self.n // 3))
        return nn.Sequential(
            nn.Linear(self.n, width), nn.GELU(), nn.Linear(width, narrow),
            nn.Linear(narrow, width), nn.GELU(), nn.Linear(width, self.n),
        )  # fmt: skip

    def feed(
        self, data: NDArray[np.float32], how: LoopOptions, limits: SelectionOptions, back: Rows = None
    ) -> RowsFeed:
        """Batches of the rows that are not kept for validation."""
        del limits, back
        learnt = np.arange(len(data)) % _HELD != _HELD - 1
        return RowsFeed(data[learnt], how.batch, how.random_seed)

    def numbered(self, samples: Sequence[Any], number: int, random_seed: int) -> dict[str, Tensor]:
        """The batch with this number."""
        del number, random_seed
        return {"rows": torch.from_numpy(np.stack(samples))}

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The mean absolute deviation beyond one unit, squared below: strange rows do not rule the training."""
        return {"huber": nn.functional.smooth_l1_loss(net(batch["rows"]), batch["rows"])}

    def validate(self, net: nn.Module, data: NDArray[np.float32], device: torch.device) -> dict[str, float]:
        """How well rows that were kept are given back; larger is better."""
        kept = torch.from_numpy(data[np.arange(len(data)) % _HELD == _HELD - 1]).to(device)
        if not len(kept):
            return {"score": 0.0}
        return {"score": -float(nn.functional.smooth_l1_loss(net(kept), kept))}


class ReconstructionOutlier(Outlier[ReconstructionOptions]):
    """Sources that a small autoencoder gives back badly are strange."""

    def scores(self, reference: Floats, new: Floats | None, random_seed: int) -> Floats:
        """The mean square of what is lost, in units of the variance of the reference."""
        scale = max(float(reference.std()), 1e-12)
        rows = (reference / scale).astype(np.float32)
        learner = RowsLearner(self.options, rows.shape[1])
        loop = LoopOptions(
            steps=self.options.steps,
            batch=self.options.batch,
            learning_rate=3e-3,
            average=0.98,
            precision="float32",
            validate_every=self.options.steps,
            random_seed=random_seed,
        )
        state = torch.random.get_rng_state()
        try:
            with tempfile.TemporaryDirectory() as folder:
                found = train(learner, rows, loop, Path(folder), device=torch.device("cpu"))
        finally:
            torch.random.set_rng_state(state)
        net = learner.net()
        net.load_state_dict(dict(found.weights))
        asked = rows if new is None else (new / scale).astype(np.float32)
        with torch.no_grad():
            lost = net(torch.from_numpy(asked)).numpy() - asked
        return np.asarray((lost.astype(np.float64) ** 2).mean(axis=1))
