"""Several devices give the weights of one: two processes on the CPU against one, whatever ends or breaks them."""

import os
import pickle
import time
from datetime import timedelta

import numpy as np
import pytest
import torch
from tests.fields import made_field
from tests.learn.test_loop import Mean, options

from skysift.base.errors import DataError, OptionError, UsageError
from skysift.find.neural.yolo.dense import DenseLearner
from skysift.find.neural.yolo.options import DenseOptions
from skysift.learn.device import devices_named
from skysift.learn.fields import read_field, write_field
from skysift.learn.loop import train
from skysift.learn.options import SelectionOptions, TrainOptions
from skysift.learn.samples import Samples
from skysift.learn.step import Group
from skysift.learn.together import _MEETING

CPU = torch.device("cpu")
FIELDS = [made_field(0, 96), made_field(1, 96, held=True)]
HOW = TrainOptions(
    steps=6,
    batch=2,
    accumulate=4,
    crop=64,
    validate_every=3,
    learning_rate=3e-3,
    average=0.5,
    precision="float32",
)


def nearly(a, b, least=1e-5):
    return all(torch.allclose(a[name], b[name], rtol=0.0, atol=least) for name in a)


def test_two_processes_give_the_weights_of_one(tmp_path):
    """A training with labels that are put back on the way, on fields that lie on disk."""
    torch.set_num_threads(1)
    for number, field in enumerate(FIELDS):
        write_field(tmp_path / str(number), field)
    fields = [read_field(tmp_path / str(number)) for number in range(2)]
    limits = SelectionOptions(peak=8.0, put_back=0.5)
    made = [
        train(
            DenseLearner(DenseOptions(widths=(8, 12), depths=(1, 1), faintest=4.0)),
            fields, HOW, tmp_path / name, device=CPU, others=others, selection=limits,
        )
        for name, others in (("one", ()), ("two", (CPU,)))
    ]  # fmt: skip
    one, two = made
    assert nearly(one.weights, two.weights)
    assert not nearly(
        one.weights, DenseLearner(DenseOptions(widths=(8, 12), depths=(1, 1))).net().state_dict()
    )
    assert (one.step, one.steps, one.put_back) == (two.step, two.steps, two.put_back)
    assert one.numbers == pytest.approx(two.numbers, abs=1e-4, nan_ok=True)


def test_a_training_of_two_goes_on_where_it_was_broken_off(tmp_path):
    chosen = options(batch=2, accumulate=2, precision="float32")
    whole = train(Mean(), FIELDS, chosen, tmp_path / "whole", device=CPU)
    with pytest.raises(DataError, match="the loss is not a number at step 13"):
        train(Mean(spoil=13), FIELDS, chosen, tmp_path / "two", device=CPU, others=(CPU,))
    again = train(Mean(), FIELDS, chosen, tmp_path / "two", device=CPU, others=(CPU,))
    assert nearly(whole.weights, again.weights)
    assert (again.step, again.steps) == (whole.step, 20)


class Falls(Mean):
    """A model whose second process ends at once."""

    def net(self):
        if torch.distributed.is_initialized() and torch.distributed.get_rank():
            raise SystemExit(1)
        return super().net()


class Small(Mean):
    """A model with memory for one crop in its second process."""

    def loss(self, net, batch):
        second = torch.distributed.is_initialized() and torch.distributed.get_rank() == 1
        self.memory = 1 if second else None
        return super().loss(net, batch)


def test_a_process_that_ends_is_told(tmp_path):
    with pytest.raises(DataError, match="a process that shares the training ended: got 'cpu, cpu'"):
        train(Falls(), FIELDS, options(accumulate=2), tmp_path, device=CPU, others=(CPU,))
    assert not torch.distributed.is_initialized()


def only_in(process):
    """A model for one process; another that reads it ends."""
    if os.getpid() != process:
        raise SystemExit(1)
    return Mean()


class Absent(Mean):
    """A model whose second process ends before it is there."""

    def __reduce__(self):
        return only_in, (os.getpid(),)


class Late(Mean):
    """A model that is long in coming."""

    def __reduce__(self):
        return time.sleep, (600.0,)


def test_a_process_that_ends_before_it_is_there_is_told_at_once(tmp_path):
    begin = time.monotonic()
    with pytest.raises(DataError, match="a process that shares the training ended: got 'cpu, cpu'"):
        train(Absent(), FIELDS, options(accumulate=2), tmp_path, device=CPU, others=(CPU,))
    assert time.monotonic() - begin < 0.5 * _MEETING.total_seconds()
    assert not torch.distributed.is_initialized()


def test_a_process_that_does_not_come_is_not_awaited_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("skysift.learn.together._MEETING", timedelta(seconds=0.2))
    with pytest.raises(DataError, match=r"are not all there: got '1 of 2 after 0\.2 s'; give fewer"):
        train(Late(), FIELDS, options(accumulate=2), tmp_path, device=CPU, others=(CPU,))


def test_memory_that_does_not_suffice_in_one_process_halves_the_batches_of_all(tmp_path):
    chosen = options(steps=5, batch=2, accumulate=2, precision="float32")
    small = Small()
    two = train(small, FIELDS, chosen, tmp_path / "two", device=CPU, others=(CPU,))
    assert small.seen[-1] == 1
    one = train(Mean(), FIELDS, chosen, tmp_path / "one", device=CPU)
    assert nearly(one.weights, two.weights)


def test_batches_that_cannot_be_shared_are_refused(tmp_path):
    with pytest.raises(
        OptionError,
        match=r"got 'accumulate=1, 2 devices'; .*train.accumulate=2 --set train.batch=2 for steps of 4",
    ):
        train(Mean(), FIELDS, options(), tmp_path, device=CPU, others=(CPU,))
    assert not list(tmp_path.iterdir())
    assert devices_named("cpu, cpu") == (CPU, CPU)
    with pytest.raises(UsageError, match="no such device: got 'gpu'"):
        devices_named("cpu,gpu")


def test_every_batch_of_a_step_has_one_process():
    numbers = [Group(rank, 3).batches(4, 6, 6) for rank in range(3)]
    assert sorted(each for mine in numbers for each in mine) == list(range(24, 36))
    assert [len(each) for each in numbers] == [4, 4, 4]
    assert Group().batches(2, 4, 1) == [2, 3]


def test_some_crops_of_a_batch_are_those_of_the_whole():
    samples = Samples([made_field(0, 96), made_field(3, 96)], 64, 4, random_seed=5)
    whole, part = samples.at(7), samples.at(7, slice(2, 4))
    assert len(part) == 2
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(whole[2:], part, strict=True))


def test_a_field_on_disk_is_sent_by_its_place(tmp_path):
    write_field(tmp_path / "one", FIELDS[0])
    field = read_field(tmp_path / "one")
    sent = pickle.dumps(field)
    assert len(sent) < field.pixels.nbytes
    got = pickle.loads(sent)
    assert np.array_equal(got.pixels, field.pixels)
    assert isinstance(got.pixels, np.memmap)
    assert np.array_equal(got.labels["x"], field.labels["x"])
    whole = pickle.loads(pickle.dumps(FIELDS[1]))
    assert np.array_equal(whole.pixels, FIELDS[1].pixels)
    assert whole.held == FIELDS[1].held
