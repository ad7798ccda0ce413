"""Batches: the same numbers from a thread and from processes, from any number on."""

import torch
from tests.fields import made_field
from tests.learn.test_loop import Mean

from skysift.learn.batches import batches_from
from skysift.learn.samples import Samples


def images(samples, step, until, n_processes=0):
    made = batches_from(Mean(), samples, range(step, until), n_processes)
    return [each["image"] for each in made]


def test_batches_depend_on_their_number_alone():
    samples = Samples([made_field(0, 64), made_field(3, 64)], 32, 2, random_seed=5)
    whole = images(samples, 0, 7)
    assert len(whole) == 7
    assert not torch.equal(whole[0], whole[1])
    for a, b in ((images(samples, 3, 7), whole[3:]), (images(samples, 0, 7, n_processes=2), whole)):
        assert len(a) == len(b)
        assert all(torch.equal(one, other) for one, other in zip(a, b, strict=True))


def test_no_batch_is_made_where_none_is_asked_for():
    assert images(Samples([made_field(0, 64)], 32, 2, random_seed=5), 4, 4) == []
