"""Losses of methods that learn without labels, by loops over pictures, columns and prototypes, as their papers say."""

import math

import numpy as np
import pytest
import torch

from skysift.base.random import generator
from skysift.learn.pretrain.all4one import columns_apart, nearest, told_apart
from skysift.learn.pretrain.byol import foretold
from skysift.learn.pretrain.dino import distilled
from skysift.learn.pretrain.mae import drawn_again, patches
from skysift.learn.pretrain.simclr import contrast
from skysift.learn.pretrain.swav import shares, swapped
from skysift.learn.pretrain.vicreg import covariance, variance
from skysift.learn.pretrain.wmse import whitened

N, D = 12, 5


def pair(seed=1, n=N, d=D):
    rng = generator(seed, "pairs")
    return rng.standard_normal((n, d)), rng.standard_normal((n, d))


def tensor(values):
    return torch.from_numpy(np.asarray(values)).float()


def cos(a, b):
    dot = sum(p * q for p, q in zip(a, b, strict=True))
    return dot / math.sqrt(sum(p * p for p in a)) / math.sqrt(sum(q * q for q in b))


def softmax(row):
    top = max(row)
    powers = [math.exp(each - top) for each in row]
    return [each / sum(powers) for each in powers]


def near(made, expected):
    assert float(made) == pytest.approx(expected, abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("temperature", [0.2, 1.0])
def test_simclr(temperature):
    a, b = pair()
    both = [*a, *b]
    total = 0.0
    for i in range(2 * N):
        partner = (i + N) % (2 * N)
        below = sum(math.exp(cos(both[i], both[k]) / temperature) for k in range(2 * N) if k != i)
        total -= math.log(math.exp(cos(both[i], both[partner]) / temperature) / below)
    near(contrast(tensor(a), tensor(b), temperature), total / (2 * N))


def test_byol():
    a, b = pair()
    total = 0.0
    for p, q in zip(a, b, strict=True):
        long_p, long_q = math.sqrt(sum(p * p)), math.sqrt(sum(q * q))
        total += sum((x / long_p - y / long_q) ** 2 for x, y in zip(p, q, strict=True))
    near(foretold(tensor(a), tensor(b)), total / N)


def test_vicreg():
    a, _ = pair()
    short = 0.0
    for j in range(D):
        mean = sum(a[:, j]) / N
        short += max(0.0, 1.0 - math.sqrt(sum((x - mean) ** 2 for x in a[:, j]) / (N - 1) + 1e-4)) / D
    near(variance(tensor(a)), short)
    together = 0.0
    for i in range(D):
        for j in range(D):
            if i != j:
                mean_i, mean_j = sum(a[:, i]) / N, sum(a[:, j]) / N
                together += (sum((a[k, i] - mean_i) * (a[k, j] - mean_j) for k in range(N)) / (N - 1)) ** 2
    near(covariance(tensor(a)), together / D)


def test_dino():
    student, teacher = [pair(seed)[0] for seed in (1, 2, 3)], [pair(seed)[1] for seed in (1, 2)]
    centre = generator(1, "centre").standard_normal(D)
    total, pairs = 0.0, 0
    for k, true in enumerate(teacher):
        for j, told in enumerate(student):
            if j == k:
                continue
            pairs += 1
            for row in range(N):
                wanted = softmax([(x - c) / 0.04 for x, c in zip(true[row], centre, strict=True)])
                given = softmax([x / 0.1 for x in told[row]])
                total -= sum(p * math.log(q) for p, q in zip(wanted, given, strict=True)) / N
    made = distilled([tensor(x) for x in student], [tensor(x) for x in teacher], tensor(centre), 0.1, 0.04)
    near(made, total / pairs)


def sinkhorn(scores, epsilon, rounds):
    n, k = scores.shape
    top = scores.max()
    made = [[math.exp((scores[i, j] - top) / epsilon) for j in range(k)] for i in range(n)]
    for _ in range(rounds):
        for j in range(k):
            total = sum(made[i][j] for i in range(n))
            for i in range(n):
                made[i][j] /= total * k
        for i in range(n):
            total = sum(made[i])
            made[i] = [each / (total * n) for each in made[i]]
    return np.array(made) * n


def test_swav():
    scores = [np.tanh(pair(seed)[0]) for seed in (1, 2, 3)]
    made = shares(tensor(scores[0]), 0.5, 3).numpy()
    np.testing.assert_allclose(made, sinkhorn(scores[0], 0.5, 3), atol=1e-5)
    assert made.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    total, pairs = 0.0, 0
    for k in range(2):
        wanted = sinkhorn(scores[k], 0.5, 3)
        for j in range(3):
            if j == k:
                continue
            pairs += 1
            for row in range(N):
                given = softmax(scores[j][row] / 0.1)
                total -= sum(p * math.log(q) for p, q in zip(wanted[row], given, strict=True)) / N
    near(swapped([tensor(each) for each in scores], 0.1, 0.5, 3), total / pairs)


def test_shares_use_all_prototypes_as_much():
    made = shares(tensor(np.tanh(pair(n=60)[0])), 0.5, 100)
    assert made.sum(dim=0).numpy() == pytest.approx(60 / D, rel=1e-3)


def test_wmse():
    z, _ = pair(n=40)
    mean = [sum(z[:, j]) / 40 for j in range(D)]
    c = [
        [
            0.999 * sum((z[k, i] - mean[i]) * (z[k, j] - mean[j]) for k in range(40)) / 39 + 0.001 * (i == j)
            for j in range(D)
        ]
        for i in range(D)
    ]
    low = [[0.0] * D for _ in range(D)]  # Cholesky, Banachiewicz's order
    for i in range(D):
        for j in range(i + 1):
            rest = c[i][j] - sum(low[i][k] * low[j][k] for k in range(j))
            low[i][j] = math.sqrt(rest) if i == j else rest / low[j][j]
    expected = []
    for row in z:
        y = []
        for i in range(D):
            y.append((row[i] - mean[i] - sum(low[i][k] * y[k] for k in range(i))) / low[i][i])
        expected.append(y)
    made = whitened(tensor(z)).numpy()
    np.testing.assert_allclose(made, expected, atol=1e-5)
    np.testing.assert_allclose(made.T @ made / 39, np.eye(D), atol=5e-3)


def test_mae():
    rng = generator(1, "mae")
    images, drawn = rng.standard_normal((2, 2, 8, 12)), rng.standard_normal((2, 6, 32))
    left_out = np.array([[1, 0, 1, 1, 0, 1], [0, 1, 1, 1, 1, 0]])
    total = n = 0
    for k in range(2):
        for place in range(6):
            y, x = divmod(place, 3)
            part = images[k, :, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].ravel()
            np.testing.assert_allclose(patches(tensor(images), 4)[k, place].numpy(), part, atol=1e-6)
            if left_out[k, place]:
                total += sum((p - q) ** 2 for p, q in zip(part, drawn[k, place], strict=True)) / 32
                n += 1
    near(drawn_again(tensor(drawn), patches(tensor(images), 4), tensor(left_out)), total / n)


def test_all4one():
    a, b = pair()
    memory = generator(1, "memory").standard_normal((20, D))
    found = nearest(tensor(a), tensor(memory), 3).numpy()
    for row in range(N):
        order = sorted(range(20), key=lambda k: -cos(a[row], memory[k]))[:3]
        np.testing.assert_allclose(found[row], memory[order], atol=1e-6)
    total = 0.0
    for i in range(N):
        below = sum(math.exp(cos(a[i], b[j]) / 0.2) for j in range(N))
        total -= math.log(math.exp(cos(a[i], b[i]) / 0.2) / below) / N
    near(told_apart(tensor(a), tensor(b), 0.2), total)
    same = other = 0.0
    for i in range(D):
        for j in range(D):
            value = cos(a[:, i], b[:, j])
            if i == j:
                same += (1.0 - value) ** 2 / D
            else:
                other += value**2 / (D * (D - 1))
    near(columns_apart(tensor(a), tensor(b)), 0.5 * math.sqrt(same) + 0.5 * math.sqrt(other))


def test_sharp_shares_still_sum_to_one():
    scores = torch.as_tensor(generator(1, "sharp").uniform(-1.0, 1.0, (64, 8)), dtype=torch.float32)
    made = shares(scores, 0.004, 3)
    torch.testing.assert_close(made.sum(dim=1), torch.ones(64))
