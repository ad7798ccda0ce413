"""The one loop that trains every model: forward, loss, step, validate; it goes on where it was broken off."""

from __future__ import annotations

import contextlib
import csv
import math
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar, cast

import torch
from torch import Tensor, nn

from skysift.base.errors import DataError, UsageError
from skysift.learn.batches import batches_from
from skysift.learn.device import placed
from skysift.learn.fields import Field
from skysift.learn.learner import Feed, Learner
from skysift.learn.optim import Average, make_optimizer, rate
from skysift.learn.options import LoopOptions, SelectionOptions
from skysift.learn.putback import found_again, refuse_idle
from skysift.learn.step import Stepper
from skysift.learn.together import Shared, refuse_unshared, together

__all__ = ["LOG", "STATE", "Trained", "train"]

D = TypeVar("D")
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
    split: int = 1  # parts that a batch is run in; grows where memory does not suffice
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
    learner: Learner[Any, D],
    data: D,
    options: LoopOptions,
    folder: Path,
    *,
    device: torch.device,
    others: Sequence[torch.device] = (),
    start: Mapping[str, Tensor] | None = None,
    selection: SelectionOptions | None = None,
    key: str = "",
    workers: int = 1,
    progress: Progress | None = None,
) -> Trained:
    """
    Train a model.

    The log (`LOG`) has one row each validation; `STATE` holds all that is needed to go on after a break: the same
    call then continues with the same crops. Batches that memory does not suffice for are run in halves.

    Parameters
    ----------
    learner
        The model.
    data
        What it learns from, such as fields; the parts that they keep are validated on.
    options
        How.
    folder
        Where state and log are.
    device
        Where the network runs, and is judged.
    others
        Further devices that share the batches of a step, each by a process of its own.
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
        No crop fits, labels are to be put back that the model does not tell of, the batches of a step cannot be shared
        among the devices, or the folder holds another training.
    """
    devices = (device, *others)
    refuse_unshared(options, devices)
    limits = selection or SelectionOptions()
    refuse_idle(learner, limits)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.random_seed)
    net = learner.net()
    if start is not None:
        net.load_state_dict(dict(start))
    net = placed(net, device)
    state = _State(net, make_optimizer(net, options), Average(net, options.average))
    if (folder / STATE).exists():
        state.load(folder / STATE, key, device)
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
                fields = cast("Sequence[Field]", data)  # of a detector, as was made sure of
                rows = found_again(learner, state.net, fields, limits, device)
            state.back = [torch.from_numpy(each) for each in rows]
            told("put back", 1, 1)
        until = turn if state.back is None else options.steps
        back = None if state.back is None else [each.cpu().numpy() for each in state.back]
        samples = learner.feed(data, options, limits, back)
        n_processes = max(1, workers // len(devices)) if device.type == "cuda" else 0
        shared = _shared(learner, samples, options, state, until, n_processes, len(devices))
        with contextlib.ExitStack() as open_until:
            group = open_until.enter_context(together(shared, devices))
            mine = group.batches(state.step, until, options.accumulate)
            batches = batches_from(learner, samples, mine, n_processes, options.accumulate)
            open_until.enter_context(contextlib.closing(batches))
            stepper = Stepper(learner, state.net, state.optimizer, options, device, group, state.split)
            while state.step < until and not stopped and group.go():
                parts = [next(batches) for _ in range(options.accumulate // group.size)]
                terms = stepper.step(state.step, parts)
                state.split = stepper.split
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
                    _validate(learner, state, data, device)
                    log.add(state, sums, rate(state.step - 1, options))
                    sums = {}
                    state.save(folder / STATE, key)
                    stopped = _stopped(state, options)
    n_back = None if state.back is None else sum(len(each) for each in state.back)
    return Trained(state.best_weights, state.best_numbers, state.best_step, state.step, stopped, n_back)


def _shared(
    learner: Learner[Any, D],
    samples: Feed,
    options: LoopOptions,
    state: _State,
    until: int,
    workers: int,
    n: int,
) -> Shared:
    """What the processes of each device begin with."""
    if n == 1:
        return Shared(learner, samples, options, {}, {}, state.step, until, state.split, workers, 1)
    net, optimizer = (_on_cpu(dict(each.state_dict())) for each in (state.net, state.optimizer))
    threads = max(1, torch.get_num_threads() // n)
    return Shared(learner, samples, options, net, optimizer, state.step, until, state.split, workers, threads)


def _on_cpu(value: Any) -> Any:
    """A state with copies of its tensors on the CPU: processes are sent the memory itself."""
    if isinstance(value, Tensor):
        return value.detach().cpu().clone()
    if isinstance(value, dict):
        return {name: _on_cpu(each) for name, each in value.items()}
    return [_on_cpu(each) for each in value] if isinstance(value, list) else value


@contextlib.contextmanager
def _averaged(state: _State) -> Generator[None]:
    """The network with the running mean of its weights, as it is judged; its own come back."""
    own = {name: value.clone() for name, value in state.net.state_dict().items()}
    state.net.load_state_dict(state.average.values)
    state.net.eval()
    with torch.no_grad():
        yield
    state.net.load_state_dict(own)


def _stopped(state: _State, options: LoopOptions) -> str:
    """Why training ends before its last step; empty where it does not."""
    worse = bool(options.patience) and state.worse >= options.patience
    return f"no better score in {state.worse} validations" if worse else ""


def _validate(learner: Learner[Any, D], state: _State, data: D, device: torch.device) -> None:
    """Judge the running mean of the weights; keep it where it is the best so far."""
    with _averaged(state):
        numbers = learner.validate(state.net, data, device)
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
