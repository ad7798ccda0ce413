"""Batches of a training as tensors, prepared while the network is busy: by a thread, or by processes."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from skysift.learn.learner import Feed, Learner

__all__ = ["batches_from"]

_AHEAD = 4  # batches that are prepared while the network is busy


class _Batches(Dataset[dict[str, Tensor]]):
    """The batch with a number; it depends on the number alone."""

    def __init__(self, learner: Learner[Any, Any], samples: Feed, parts: int) -> None:
        self.learner, self.samples, self.parts = learner, samples, parts

    def __getitem__(self, number: int) -> dict[str, Tensor]:
        step, part = divmod(number, self.parts)
        n = self.samples.batch // self.parts
        crops = self.samples.at(step, slice(part * n, (part + 1) * n))
        return self.learner.numbered(crops, number, self.samples.seed)


def batches_from(
    learner: Learner[Any, Any], samples: Feed, numbers: Sequence[int], n_processes: int = 0, parts: int = 1
) -> Generator[dict[str, Tensor]]:
    """
    The batches with these numbers, in their order.

    Parameters
    ----------
    learner
        Whose inputs and targets they are.
    samples
        Where the crops come from.
    numbers
        Of the batches.
    n_processes
        How many processes prepare them, for a GPU that one core cannot feed; 0 for a thread of this process.
    parts
        Batches that the crops of a step, those of `samples`, are shared out to.
    """
    numbered = _Batches(learner, samples, parts)
    if n_processes:
        yield from DataLoader(
            numbered,
            batch_size=None,
            sampler=numbers,
            num_workers=n_processes,
            prefetch_factor=_AHEAD,
            pin_memory=torch.cuda.is_available(),
        )
        return
    with ThreadPoolExecutor(1) as worker:
        waiting = [worker.submit(numbered.__getitem__, each) for each in numbers[:_AHEAD]]
        later = iter(numbers[_AHEAD:])
        try:
            while waiting:
                yield waiting.pop(0).result()
                waiting += [worker.submit(numbered.__getitem__, each) for each in islice(later, 1)]
        finally:
            for each in waiting:
                each.cancel()
