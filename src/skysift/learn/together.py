"""`together`: processes, one a device, that share the batches of a step and end it with the same weights.

Of the batches whose gradients make one step (`accumulate`) each process runs its part; gradients are summed over all
processes, and each makes the same step of the optimiser. What a batch holds follows from its number, so that nothing
is exchanged but sums, and what batches leave for the end of a step (a mean, vectors of a memory). Any number of devices
gives the weights of one, but for the order of the sums, and for running statistics of normalisations over the batch,
which are those of the batches of the first process. That process is the one that trains: it validates, keeps the
state, and says whether there is one more step.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from skysift.base.errors import DataError, OptionError
from skysift.learn.batches import batches_from
from skysift.learn.device import placed
from skysift.learn.learner import Feed, Learner
from skysift.learn.optim import make_optimizer
from skysift.learn.options import LoopOptions
from skysift.learn.step import Group, Stepper

__all__ = ["Shared", "refuse_unshared", "together"]

_PATIENCE = timedelta(hours=12)  # for the first process, while it validates
_MEETING = timedelta(minutes=5)  # for all to be there


@dataclass(frozen=True)
class Shared:
    """
    What every process is given.

    Attributes
    ----------
    learner, samples, options
        The model, its crops, and how it learns.
    net, optimizer
        States to begin with, on the CPU.
    step, until, split
        Number of the first step and that after the last; parts that a batch is run in.
    workers, threads
        Processes that prepare crops for a GPU, and threads of torch, of each.
    """

    learner: Learner[Any, Any]
    samples: Feed
    options: LoopOptions
    net: Mapping[str, Tensor]
    optimizer: Mapping[str, Any]
    step: int
    until: int
    split: int
    workers: int
    threads: int


def refuse_unshared(options: LoopOptions, devices: Sequence[torch.device]) -> None:
    """Refuse batches that cannot be shared evenly among devices.

    Raises
    ------
    OptionError
        They cannot.
    """
    n = len(devices)
    if options.accumulate % n:
        most = n * max(1, round(options.accumulate / n))
        batch = max(1, round(options.batch * options.accumulate / most))
        raise OptionError(
            "the batches of a step cannot be shared among the devices",
            got=f"accumulate={options.accumulate}, {n} devices",
            allowed=f"a multiple of {n}",
            todo=f"--set train.accumulate={most} --set train.batch={batch} for steps of {most * batch} crops",
        )


@contextlib.contextmanager
def together(shared: Shared, devices: Sequence[torch.device]) -> Iterator[Group]:
    """The group of processes that share a training; this one is the first. They end with the block.

    Parameters
    ----------
    shared
        What they are given.
    devices
        Of each, the first for this process.

    Raises
    ------
    DataError
        One of them ended, or is not there after some minutes.
    """
    if len(devices) == 1:
        yield Group()
        return
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "meeting"
        heard, helpers = [], []
        for rank in range(1, len(devices)):
            ear, mouth = context.Pipe(duplex=False)
            helper = context.Process(target=_help, args=(shared, list(devices), rank, place, mouth))
            heard.append(ear)
            helpers.append(helper)
            helper.start()
            mouth.close()
        try:
            _await(heard, helpers, devices)
            group = _meet(devices, 0, place)
            yield group
            group.go(going=False)
            distributed.barrier()  # none closes while another still listens
            for each in helpers:
                each.join()
        except RuntimeError as error:
            if all(_alive(each) for each in helpers):
                raise
            raise _ended(devices) from error
        finally:
            for ear in heard:
                ear.close()
            for each in helpers:
                each.kill()
                each.join()
            if distributed.is_initialized():
                distributed.destroy_process_group()


def _alive(process: BaseProcess) -> bool:
    """Whether a process is there a moment after the others lost touch with one."""
    process.join(2.0)
    return process.is_alive()


def _ended(devices: Sequence[torch.device]) -> DataError:
    return DataError(
        "a process that shares the training ended",
        got=", ".join(str(each) for each in devices),
        todo="what it said before tells why",
    )


def _await(
    heard: Sequence[Connection], helpers: Sequence[BaseProcess], devices: Sequence[torch.device]
) -> None:
    """Wait until every helper has told that it is there; none may end before that, nor be late."""
    until = time.monotonic() + _MEETING.total_seconds()
    missing = list(heard)
    while missing:
        ready = wait([*missing, *(each.sentinel for each in helpers)], max(0.0, until - time.monotonic()))
        if not ready:
            raise DataError(
                "the processes that share the training are not all there",
                got=f"{len(devices) - len(missing)} of {len(devices)} after {_MEETING.total_seconds():g} s",
                todo="give fewer devices, or free the machine of other work",
            )
        for ear in [each for each in missing if each in ready]:
            try:
                ear.recv()
            except (EOFError, OSError) as error:
                raise _ended(devices) from error
            missing.remove(ear)
        if any(not each.is_alive() for each in helpers):
            raise _ended(devices)


def _meet(devices: Sequence[torch.device], rank: int, place: Path) -> Group:
    """The group, when all processes are there."""
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # they are all on this machine
    device = devices[rank]
    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=f"file://{place}",
        rank=rank,
        world_size=len(devices),
        timeout=_MEETING,
    )
    distributed.barrier()  # what links them to each other is made with the first exchange
    distributed.distributed_c10d._set_pg_timeout(_PATIENCE)
    return Group(rank, len(devices), device)


def _help(shared: Shared, devices: Sequence[torch.device], rank: int, place: Path, here: Connection) -> None:
    """Make the steps of a training with the first process, as long as there is one more."""
    torch.set_num_threads(shared.threads)
    here.send(rank)
    here.close()
    group, options, device = _meet(devices, rank, place), shared.options, devices[rank]
    net: nn.Module = shared.learner.net()
    net.load_state_dict(dict(shared.net))
    net = placed(net, device)
    optimizer = make_optimizer(net, options)
    optimizer.load_state_dict(dict(shared.optimizer))
    stepper = Stepper(shared.learner, net, optimizer, options, device, group, shared.split)
    mine = group.batches(shared.step, shared.until, options.accumulate)
    step = shared.step
    with contextlib.closing(
        batches_from(shared.learner, shared.samples, mine, shared.workers, options.accumulate)
    ) as batches:
        while group.go():
            stepper.step(step, [next(batches) for _ in range(options.accumulate // group.size)])
            step += 1
    distributed.barrier()
    distributed.destroy_process_group()
