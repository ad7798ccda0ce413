"""The one loop that trains every model: forward, loss, step, validate; it goes on where it was broken off."""

from __future__ import annotations

import contextlib
import csv
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from skysift.base.errors import DataError, UsageError
from skysift.learn.batches import batches_from
from skysift.learn.device import out_of_memory, precision_on
from skysift.learn.fields import Field
from skysift.learn.learner import Learner
from skysift.learn.optim import Average, make_optimizer, rate
from skysift.learn.options import SelectionOptions, TrainOptions
from skysift.learn.samples import Samples
from skysift.learn.selection import found_again, refuse_idle, selected

__all__ = ["LOG", "STATE", "Trained", "train"]

Progress: TypeAlias = Callable[[str, int, int], None]

STATE, LOG = "state.pt", "log.csv"


@dataclass(frozen=True, eq=False)
class Trained:
    """
    The outcome of a training.

    Attributes
    ----------
    weights
        The running mean of the weights at the validation with the best score.
    numbers
        What that validation gave.
    step
        After how many steps it was.
    steps
        How many steps were made in all.
    stopped
        Why training ended before its last step; empty where it did not.
    put_back
        How many labels below the limits were put back; None where none were to be, or training ended before.
    """

    weights: Mapping[str, Tensor]
    numbers: Mapping[str, float]
    step: int
    steps: int
    stopped: str = ""
    put_back: int | None = None


@dataclass
class _State:
    """What goes on from step to step."""

    net: nn.Module
    optimizer: torch.optim.Optimizer
    average: Average
    split: int  # parts that a batch is run in; grows where memory does not suffice
    step: int = 0
    best: float = -math.inf
    best_step: int = 0
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best_numbers: dict[str, float] = field(default_factory=dict)
    worse: int = 0  # validations since the best
    back: list[Tensor] | None = None  # rows of the labels of each field that were put back
    numbers: dict[str, float] = field(default_factory=dict)  # of the last validation

    def save(self, path: Path, key: str) -> None:
        """Write all of it, whole or not at all."""
        part = path.with_suffix(".part")
        torch.save(
            {
                "key": key,
                "net": self.net.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "average": self.average.values,
                "split": self.split,
                "step": self.step,
                "best": self.best,
                "best_step": self.best_step,
                "best_weights": self.best_weights,
                "best_numbers": self.best_numbers,
                "worse": self.worse,
                "back": self.back,
            },
            part,
        )
        part.replace(path)

    def load(self, path: Path, key: str, device: torch.device) -> None:
        """Take up what was written.

        Raises
        ------
        UsageError
            It is of another training.
        """
        stored = torch.load(path, map_location=device, weights_only=True)
        if stored["key"] != key:
            raise UsageError(
                "the folder holds another training that was broken off",
                got=path.parent.name,
                todo="give the recipe and the options of that one, another --out, or --fresh",
            )
        self.net.load_state_dict(stored["net"])
        self.optimizer.load_state_dict(stored["optimizer"])
        self.average.values = stored["average"]
        for name in ("split", "step", "best", "best_step", "best_weights", "best_numbers", "worse", "back"):
            setattr(self, name, stored[name])


def train(
    learner: Learner[Any],
    fields: Sequence[Field],
    options: TrainOptions,
    folder: Path,
    *,
    device: torch.device,
    start: Mapping[str, Tensor] | None = None,
    selection: SelectionOptions | None = None,
    key: str = "",
    workers: int = 1,
    progress: Progress | None = None,
) -> Trained:
    """
    Train a model on fields.

    The log (`LOG`) has one row each validation; `STATE` holds all that is needed to go on after a break: the same
    call then continues with the same crops. Batches that memory does not suffice for are run in halves.

    Parameters
    ----------
    learner
        The model.
    fields
        What it learns from; the parts that they keep are validated on.
    options
        How.
    folder
        Where state and log are.
    device
        Where the network runs.
    start
        Weights to begin with, for fine-tuning; None for fresh ones.
    selection
        Which labels are learnt, and which of the others are put back on the way; None for all.
    key
        What decides the training; a state with another key is refused.
    workers
        Processes that prepare crops for a GPU; on a CPU the network takes all cores, and one thread prepares them.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    DataError
        The loss is not a number; the last good weights are in the folder.
    UsageError
        No crop fits, labels are to be put back that the model does not tell of, or the folder holds another training.
    """
    limits = selection or SelectionOptions()
    refuse_idle(learner, limits)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.random_seed)
    net = learner.net()
    if start is not None:
        net.load_state_dict(dict(start))
    net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    torch.backends.cudnn.benchmark = True  # all batches have one shape
    state = _State(net, make_optimizer(net, options), Average(net, options.average), options.accumulate)
    if (folder / STATE).exists():
        state.load(folder / STATE, key, device)
    kind = precision_on(device, options.precision)
    log = _Log(folder / LOG, state.step)
    told = progress or _silent
    told("train", state.step, options.steps)
    stopped = _stopped(state, options)
    sums: dict[str, float] = {}
    turn = options.steps
    if limits.put_back is not None:
        turn = max(1, min(options.steps - 1, round(limits.put_back_after * options.steps)))
    while state.step < options.steps and not stopped:
        if state.back is None and state.step == turn:
            told("put back", 0, 1)
            with _averaged(state):
                rows = found_again(learner, state.net, fields, limits, device)
            state.back = [torch.from_numpy(each) for each in rows]
            told("put back", 1, 1)
        until = turn if state.back is None else options.steps
        samples = _samples(learner, fields, options, limits, state.back)
        n_processes = workers if device.type == "cuda" else 0
        with contextlib.closing(batches_from(learner, samples, state.step, until, n_processes)) as batches:
            while state.step < until and not stopped:
                batch = next(batches)
                for group in state.optimizer.param_groups:
                    group["lr"] = rate(state.step, options)
                terms = _step(learner, state, batch, device, kind, options)
                if not math.isfinite(sum(terms.values())):
                    raise DataError(
                        f"the loss is not a number at step {state.step + 1}",
                        got=", ".join(f"{name} {value:.3g}" for name, value in terms.items()),
                        todo="give a lower learning_rate, and --fresh or another --out"
                        + ("; --start begins with the last good weights" if state.best_weights else ""),
                    )
                state.average.update(state.net, state.step)
                state.step += 1
                for name, value in terms.items():
                    sums[name] = sums.get(name, 0.0) + value
                sums["n"] = sums.get("n", 0.0) + 1.0
                told("train", state.step, options.steps)
                if state.step % options.validate_every == 0 or state.step == options.steps:
                    _validate(learner, state, fields, device)
                    log.add(state, sums, rate(state.step - 1, options))
                    sums = {}
                    state.save(folder / STATE, key)
                    stopped = _stopped(state, options)
    n_back = None if state.back is None else sum(len(each) for each in state.back)
    return Trained(state.best_weights, state.best_numbers, state.best_step, state.step, stopped, n_back)


def _samples(
    learner: Learner[Any],
    fields: Sequence[Field],
    options: TrainOptions,
    limits: SelectionOptions,
    back: Sequence[Tensor] | None,
) -> Samples:
    """Crops of fields whose labels are those that are learnt now."""
    rows = [None] * len(fields) if back is None else [each.cpu().numpy() for each in back]
    chosen = [selected(one, limits, mine) for one, mine in zip(fields, rows, strict=True)]
    n = options.batch * options.accumulate
    return Samples(chosen, options.crop, n, options.random_seed, masks=learner.masks)


@contextlib.contextmanager
def _averaged(state: _State) -> Generator[None]:
    """The network with the running mean of its weights, as it is judged; its own come back."""
    own = {name: value.clone() for name, value in state.net.state_dict().items()}
    state.net.load_state_dict(state.average.values)
    state.net.eval()
    with torch.no_grad():
        yield
    state.net.load_state_dict(own)


def _stopped(state: _State, options: TrainOptions) -> str:
    """Why training ends before its last step; empty where it does not."""
    worse = bool(options.patience) and state.worse >= options.patience
    return f"no better score in {state.worse} validations" if worse else ""


def _step(
    learner: Learner[Any],
    state: _State,
    batch: dict[str, Tensor],
    device: torch.device,
    kind: torch.dtype | None,
    options: TrainOptions,
) -> dict[str, float]:
    """One step of the optimiser; the terms of the loss. Where memory does not suffice the batch is run in halves."""
    while True:
        try:
            return _tried_step(learner, state, batch, device, kind, options)
        except RuntimeError as error:
            n = len(next(iter(batch.values())))
            if not out_of_memory(error) or state.split >= n:
                raise
        state.split = min(2 * state.split, n)
        if device.type == "cuda":
            torch.cuda.empty_cache()  # here: the error that is gone by now held what was in it


def _tried_step(
    learner: Learner[Any],
    state: _State,
    batch: dict[str, Tensor],
    device: torch.device,
    kind: torch.dtype | None,
    options: TrainOptions,
) -> dict[str, float]:
    state.net.train()
    state.optimizer.zero_grad(set_to_none=True)
    totals: dict[str, Tensor] = {}
    n = len(next(iter(batch.values())))
    for rows in torch.arange(n).chunk(min(state.split, n)):
        whole = len(rows) == n
        part = {
            name: (value if whole else value[rows]).to(device, non_blocking=True)
            for name, value in batch.items()
        }
        with torch.autocast(device.type, dtype=kind or torch.bfloat16, enabled=kind is not None):
            terms = learner.loss(state.net, part)
        share = len(rows) / n
        loss = share * torch.stack([each.float() for each in terms.values()]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        for name, each in terms.items():
            totals[name] = totals.get(name, 0.0) + share * each.detach().float()
    length = nn.utils.clip_grad_norm_(state.net.parameters(), options.clip)
    *values, norm = torch.stack(
        [*totals.values(), length]
    ).tolist()  # all at once: a GPU is waited for here alone
    if not math.isfinite(sum(values)):
        return dict(zip(totals, values, strict=True))
    if not math.isfinite(norm):
        return {"gradient": norm}
    state.optimizer.step()
    return dict(zip(totals, values, strict=True))


def _validate(learner: Learner[Any], state: _State, fields: Sequence[Field], device: torch.device) -> None:
    """Judge the running mean of the weights; keep it where it is the best so far."""
    with _averaged(state):
        numbers = learner.validate(state.net, fields, device)
    score = numbers.get(learner.better, -math.inf)
    if not math.isfinite(score):
        score = -math.inf
    if score > state.best or not state.best_weights:
        state.best, state.best_step, state.worse = score, state.step, 0
        state.best_weights = {
            name: value.detach().cpu().clone() for name, value in state.average.values.items()
        }
        state.best_numbers = numbers
    else:
        state.worse += 1
    state.numbers = numbers


class _Log:
    """A table of what each validation gave, one row each, written as it comes."""

    def __init__(self, path: Path, step: int) -> None:
        self.path, self.began = path, time.perf_counter()
        if not path.exists():
            return
        with path.open(newline="") as lines:
            rows = [row for row in csv.DictReader(lines) if int(row["step"]) <= step]
        if not rows:
            path.unlink()
            return
        self.began -= float(rows[-1]["seconds"])
        with path.open("w", newline="") as out:  # without what came after the state was kept
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    def add(self, state: _State, sums: Mapping[str, float], learning_rate: float) -> None:
        """Append the row of a validation."""
        n = sums.get("n", 1.0)
        row: dict[str, object] = {
            "step": state.step,
            "seconds": round(time.perf_counter() - self.began, 1),
            "learning_rate": f"{learning_rate:.3g}",
            **{f"loss_{name}": f"{value / n:.5g}" for name, value in sums.items() if name != "n"},
            **{name: f"{value:.5g}" for name, value in state.numbers.items()},
        }
        fresh = not self.path.exists()
        with self.path.open("a", newline="") as out:
            writer = csv.DictWriter(out, list(row))
            if fresh:
                writer.writeheader()
            writer.writerow(row)


def _silent(stage: str, done: int, total: int) -> None:
    """No progress is told."""
