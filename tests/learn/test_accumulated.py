"""Methods with a memory, or a mean that follows: what all batches of a step leave counts, once, on any device."""

import numpy as np
import pytest
import torch

from skysift.base.random import generator
from skysift.base.registry import Registry
from skysift.flow.learning.plan import Plan
from skysift.learn.learner import Learner
from skysift.learn.loop import train
from skysift.learn.optim import make_optimizer
from skysift.learn.pictures import PictureSet
from skysift.learn.step import Group, Stepper

CPU = torch.device("cpu")
BATCH = 8
SMALL = {"encoder.width": 4, "encoder.blocks": (1, 1), "hidden": 16, "out": 8, "train.batch": BATCH,
         "train.accumulate": 2, "train.precision": "float32", "train.epochs": 1, "train.checks": 1}  # fmt: skip
OF = {"dino": {"prototypes": 12}, "all4one": {"memory": 24, "heads": 2}}


def plan_of(method):
    return Plan.of(method, SMALL | OF[method])


def pictures(n=4 * BATCH):
    pixels = generator(1, "accumulated").random((n, 1, 24, 24)).astype(np.float32)
    return PictureSet(pixels, {"rms": np.full((n, 1), 0.01, np.float32)})


def batches_of(learner, options, n=2):
    samples = learner.feed(pictures(), options.replace(accumulate=1), None)
    return [learner.numbered(samples.at(k), k, options.random_seed) for k in range(n)]


def net_of(learner):
    torch.manual_seed(3)
    net = learner.net()
    return net.train()


def left_by(learner, batch):
    """The gradients and what is left, of a batch that is alone."""
    net = net_of(learner)
    sum(learner.loss(net, batch).values()).backward()
    grads = {name: each.grad for name, each in net.named_parameters() if each.grad is not None}
    return grads, learner.left(net).clone()


@pytest.mark.parametrize("method", ["dino", "all4one"])
def test_all_batches_of_a_step_count_and_none_sees_what_another_leaves(method):
    plan = plan_of(method)
    learner, options = plan.learner(1), plan.train.loop(32)
    batches = batches_of(learner, options)
    alone = [left_by(learner, each) for each in batches]
    net = net_of(learner)
    before = {name: each.clone() for name, each in net.state_dict().items()}
    options = options.replace(clip=1e9)
    stepper = Stepper(learner, net, make_optimizer(net, options), options, CPU, Group())
    stepper.step(0, batches)
    for name, each in net.named_parameters():
        if each.grad is not None:
            mean = (alone[0][0][name] + alone[1][0][name]) / 2
            torch.testing.assert_close(each.grad, mean, rtol=1e-3, atol=1e-5)
    after, (a, b) = net.state_dict(), (each for _, each in alone)
    if method == "dino":
        kept = plan.options.centring
        assert not torch.allclose(a, b, atol=1e-5)
        torch.testing.assert_close(after["parts.head.centre"], (1 - kept) * (a + b) / 2)
    else:
        vectors = after["parts.memory.vectors"]
        torch.testing.assert_close(vectors[: 2 * BATCH], torch.cat([a, b]))
        torch.testing.assert_close(vectors[2 * BATCH :], before["parts.memory.vectors"][2 * BATCH :])
        assert int(after["parts.memory.place"]) == 2 * BATCH


@pytest.mark.parametrize("method", ["dino", "all4one"])
def test_two_processes_leave_what_one_leaves(method, tmp_path):
    torch.set_num_threads(1)
    plan = plan_of(method)
    one, two = (
        train(plan.learner(1), pictures(), plan.train.loop(32), tmp_path / name, device=CPU, others=others)
        for name, others in (("one", ()), ("two", (CPU,)))
    )
    assert one.steps == two.steps == 2
    for name, each in one.weights.items():
        if "running_" not in name and "num_batches" not in name:  # those of the first process
            torch.testing.assert_close(two.weights[name], each, rtol=1e-3, atol=1e-4, msg=name)


def test_a_memory_that_is_smaller_than_a_step_holds_its_end():
    learner = Plan.of("all4one", SMALL | {"memory": 16, "neighbours": 2}).learner(1)
    net = net_of(learner)
    left = torch.arange(24.0)[:, None].expand(24, 8).reshape(3, 8, 8)
    learner.gathered(net, left)
    assert sorted(net["memory"].vectors[:, 0].tolist()) == list(range(8, 24))


def test_methods_without_either_leave_nothing():
    made = {}
    for name in Registry("pretraining").names():
        kind = Registry("pretraining").load(name)
        made[name] = (kind.left is not Learner.left, kind.gathered is not Learner.gathered)
    assert {name for name, each in made.items() if any(each)} == {"dino", "all4one"}
    assert all(a == b for a, b in made.values())
