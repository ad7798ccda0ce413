"""Made samples for the tests of exploring."""

import numpy as np

from skysift.sky.features import Feature, Features


def blobs(n=60, groups=3, width=6, far=8.0, strange=0, seed=0):
    """Groups of Gaussian clouds, then so many sources far from all of them."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(groups, width)) * far
    values = [centre + rng.normal(size=(n, width)) for centre in centres]
    values += [rng.normal(size=(1, width)) * 5 * far for _ in range(strange)]
    values = np.concatenate(values)
    facts = {
        "kind": np.array([f"k{k}" for k in range(groups) for _ in range(n)] + ["strange"] * strange),
        "ra": rng.uniform(10.0, 20.0, len(values)),
        "dec": rng.uniform(-5.0, 5.0, len(values)),
    }
    names = tuple(f"s{k:03d}" for k in range(len(values)))
    columns = tuple(Feature(f"f{k}", "mJy", "a number", "shape") for k in range(width))
    return Features(names, columns, values, facts)
