"""Batches of a training as tensors, prepared while the network is busy: by a thread, or by processes."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from skysift.learn.learner import Learner
from skysift.learn.samples import Samples

__all__ = ["batches_from"]

_AHEAD = 4  # batches that are prepared while the network is busy


class _Batches(Dataset[dict[str, Tensor]]):
    """The batch with a number; it depends on the number alone."""

    def __init__(self, learner: Learner[Any], samples: Samples) -> None:
        self.learner, self.samples = learner, samples

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        return self.learner.numbered(self.samples.at(number), number, self.samples.seed)


def batches_from(
    learner: Learner[Any], samples: Samples, step: int, until: int, n_processes: int = 0
) -> Generator[dict[str, Tensor]]:
    """
    The batches from one number on up to another, in their order.

    Parameters
    ----------
    learner
        Whose inputs and targets they are.
    samples
        Where the crops come from.
    step, until
        Number of the first batch, and the number after the last.
    n_processes
        How many processes prepare them, for a GPU that one core cannot feed; 0 for a thread of this process.
    """
    numbered = _Batches(learner, samples)
    if n_processes:
        yield from DataLoader(
            numbered,
            batch_size=None,
            sampler=range(step, until),
            num_workers=n_processes,
            prefetch_factor=_AHEAD,
            pin_memory=torch.cuda.is_available(),
        )
        return
    with ThreadPoolExecutor(1) as worker:
        waiting = [
            worker.submit(numbered.__getitem__, each) for each in range(step, min(step + _AHEAD, until))
        ]
        try:
            while waiting:
                yield waiting.pop(0).result()
                step += 1
                if step + _AHEAD - 1 < until:
                    waiting.append(worker.submit(numbered.__getitem__, step + _AHEAD - 1))
        finally:
            for each in waiting:
                each.cancel()
