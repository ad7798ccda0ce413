"""Made tables of sources: clouds of numbers about places of their own, some of them missing."""

import numpy as np

from skysift.classify.classifier import Labelled
from skysift.sky.features import Feature, Features

CLASSES = ("FRI", "FRII", "Compact")


def table(n=240, classes=CLASSES, *, seed=1, apart=3.0, blank=0.05, columns=6):
    """Features of n sources, and the class of each."""
    rng = np.random.default_rng(seed)
    targets = np.arange(n) % len(classes)
    values = rng.normal(size=(n, columns))
    values[np.arange(n), targets % columns] += apart
    values[rng.random(values.shape) < blank] = np.nan
    names = tuple(f"s{k:04d}" for k in range(n))
    features = Features(
        names,
        tuple(Feature(f"f{k}", "", f"number {k}", "made") for k in range(columns)),
        values,
        {"label": np.array([classes[k] for k in targets])},
    )
    return features, targets


def labelled(n=240, classes=CLASSES, **how):
    features, targets = table(n, classes, **how)
    return Labelled(features.names, classes, targets, features=features)


def tagged(n=240, **how):
    """Sources with several tags: two of the numbers above 0.5."""
    features, _ = table(n, **how)
    targets = np.nan_to_num(features.values[:, :2]) > 0.5
    return Labelled(features.names, ("bent", "double"), targets, features=features)
