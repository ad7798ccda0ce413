"""Models of scikit-learn that are no trees, each kept by its numbers and told by a line or two of arithmetic."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.classify.model import Arrays, Draw, Floats, Ints, Model, logistic, softmax
from skysift.classify.options import (
    LogisticOptions,
    MLPOptions,
    NeighboursOptions,
    QDAOptions,
    SVCOptions,
)

__all__ = ["LogisticModel", "MLPModel", "NeighboursModel", "QDAModel", "SVCModel"]

_BLOCK = 1024


class LogisticModel(Model[LogisticOptions]):
    """Multinomial logistic regression."""

    def fit(self, values: Floats, targets: Ints, weights: Floats, options: LogisticOptions) -> None:
        """Learn the classes of rows."""
        from sklearn.linear_model import LogisticRegression  # late: it is slow to import

        found = LogisticRegression(C=options.strength, max_iter=5000, tol=1e-6)
        found.fit(values, targets, sample_weight=weights)
        self.slopes, self.offsets = np.asarray(found.coef_), np.asarray(found.intercept_)

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class)."""
        scores = values @ self.slopes.T + self.offsets
        return logistic(scores[:, 0]) if scores.shape[1] == 1 else softmax(scores)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Slopes and offsets."""
        return {"slopes": self.slopes, "offsets": self.offsets}

    def restore(self, arrays: Arrays) -> None:
        """Become what `arrays` told of."""
        self.slopes, self.offsets = arrays["slopes"], arrays["offsets"]

    @staticmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""
        return {"strength": draw("strength", 1e-3, 100.0, True)}


class SVCModel(Model[SVCOptions]):
    """Support vectors with a Gaussian kernel, each class against the rest; the largest margin wins."""

    def fit(self, values: Floats, targets: Ints, weights: Floats, options: SVCOptions) -> None:
        """Learn the classes of rows."""
        from sklearn.svm import SVC  # late: it is slow to import

        n = int(targets.max()) + 1
        self.width = options.width / max(values.shape[1] * float(values.var()), 1e-12)
        vectors, kept = [], []
        offsets = []
        for kind in range(1, 2) if n == 2 else range(n):
            found = SVC(C=options.strength, gamma=self.width, kernel="rbf", cache_size=64)
            found.fit(values, targets == kind, sample_weight=weights)
            all_of = np.zeros(len(values))
            all_of[found.support_] = found.dual_coef_[0]
            kept.append(all_of)
            offsets.append(float(found.intercept_[0]))
        dual = np.array(kept)
        used = (dual != 0).any(axis=0)
        vectors = values[used]
        self.vectors, self.dual, self.offsets = vectors, dual[:, used], np.array(offsets)

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class), from margins; the calibration makes them hold."""
        margin = np.empty((len(values), len(self.dual)))
        squares = (self.vectors**2).sum(axis=1)
        for start in range(0, len(values), _BLOCK):
            some = values[start : start + _BLOCK]
            apart = np.maximum((some**2).sum(axis=1)[:, None] + squares - 2.0 * some @ self.vectors.T, 0.0)
            margin[start : start + _BLOCK] = np.exp(-self.width * apart) @ self.dual.T + self.offsets
        return logistic(2.0 * margin[:, 0]) if margin.shape[1] == 1 else softmax(2.0 * margin)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Support vectors, what each counts, and the width of the kernel."""
        return {
            "vectors": self.vectors,
            "dual": self.dual,
            "offsets": self.offsets,
            "width": np.array([self.width]),
        }

    def restore(self, arrays: Arrays) -> None:
        """Become what `arrays` told of."""
        self.vectors, self.dual, self.offsets = (arrays[name] for name in ("vectors", "dual", "offsets"))
        self.width = float(arrays["width"][0])

    @staticmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""
        return {"strength": draw("strength", 0.1, 100.0, True), "width": draw("width", 0.1, 5.0, True)}


class MLPModel(Model[MLPOptions]):
    """A network of one hidden layer of rectified units, or two."""

    def fit(self, values: Floats, targets: Ints, weights: Floats, options: MLPOptions) -> None:
        """Learn the classes of rows; it ends early when the part that is held out gets no better."""
        from sklearn.neural_network import MLPClassifier  # late: it is slow to import

        counts = np.bincount(targets)
        enough = len(values) >= 100 and counts[counts > 0].min() > 1  # some of each are held out
        found = MLPClassifier(
            (options.hidden,) * options.layers,
            alpha=options.shrink,
            learning_rate_init=options.rate,
            batch_size=min(64, len(values)),
            max_iter=options.rounds,
            early_stopping=enough,
            n_iter_no_change=15 if enough else options.rounds,
            random_state=options.random_seed,
            tol=0.0,
        )
        import warnings

        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # rounds are an option: their end is meant
            found.fit(values, targets, sample_weight=weights)
        self.slopes = [np.asarray(each) for each in found.coefs_]
        self.offsets = [np.asarray(each) for each in found.intercepts_]

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class)."""
        seen = values
        for slopes, offsets in zip(self.slopes[:-1], self.offsets[:-1], strict=True):
            seen = np.maximum(seen @ slopes + offsets, 0.0)
        scores = seen @ self.slopes[-1] + self.offsets[-1]
        return logistic(scores[:, 0]) if scores.shape[1] == 1 else softmax(scores)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Slopes and offsets of each layer."""
        kept: dict[str, NDArray[Any]] = {f"slopes{k}": each for k, each in enumerate(self.slopes)}
        return kept | {f"offsets{k}": each for k, each in enumerate(self.offsets)}

    def restore(self, arrays: Arrays) -> None:
        """Become what `arrays` told of."""
        n = sum(name.startswith("slopes") for name in arrays)
        self.slopes = [arrays[f"slopes{k}"] for k in range(n)]
        self.offsets = [arrays[f"offsets{k}"] for k in range(n)]

    @staticmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""
        return {
            "hidden": int(draw("hidden", 8, 128, True)),
            "shrink": draw("shrink", 1e-4, 10.0, True),
            "rate": draw("rate", 3e-4, 1e-2, True),
        }


class QDAModel(Model[QDAOptions]):
    """Quadratic discriminants: one Gaussian a class, its covariance drawn towards a round one."""

    def fit(self, values: Floats, targets: Ints, weights: Floats, options: QDAOptions) -> None:
        """Learn the classes of rows; that of each class is its weighted mean and covariance."""
        n, wide = int(targets.max()) + 1, values.shape[1]
        self.middles = np.empty((n, wide))
        self.factors = np.empty((n, wide, wide))
        self.logs = np.empty(n)
        for kind in range(n):
            mine, counts = values[targets == kind], weights[targets == kind]
            self.middles[kind] = np.average(mine, axis=0, weights=counts)
            off = mine - self.middles[kind]
            covariance = (off * counts[:, None]).T @ off / counts.sum()
            round_one = np.eye(wide) * max(np.trace(covariance) / wide, 1e-9)
            covariance = (1.0 - options.shrink) * covariance + options.shrink * round_one
            sizes, axes = np.linalg.eigh(covariance)
            sizes = np.maximum(sizes, 1e-9)
            self.factors[kind] = axes / np.sqrt(sizes)
            self.logs[kind] = np.log(counts.sum() / weights.sum()) - 0.5 * np.log(sizes).sum()

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class)."""
        off = values[:, None, :] - self.middles
        far = np.einsum("rkf,kfg->rkg", off, self.factors)
        return softmax(self.logs - 0.5 * (far**2).sum(axis=2))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Middle, whitening factor and weight of each class."""
        return {"middles": self.middles, "factors": self.factors, "logs": self.logs}

    def restore(self, arrays: Arrays) -> None:
        """Become what `arrays` told of."""
        self.middles, self.factors, self.logs = (arrays[name] for name in ("middles", "factors", "logs"))

    @staticmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""
        return {"shrink": draw("shrink", 0.01, 0.9, True)}


class NeighboursModel(Model[NeighboursOptions]):
    """The classes of the nearest sources; one imagined source is shared by all classes."""

    def fit(self, values: Floats, targets: Ints, weights: Floats, options: NeighboursOptions) -> None:
        """Keep the rows, with their classes and weights."""
        self.values, self.targets, self.weights = values, targets, weights
        self.n = min(options.neighbours, len(values))

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class)."""
        kinds = int(self.targets.max()) + 1
        counts = np.eye(kinds)[self.targets] * self.weights[:, None]
        squares = (self.values**2).sum(axis=1)
        told = np.empty((len(values), kinds))
        for start in range(0, len(values), _BLOCK):
            some = values[start : start + _BLOCK]
            apart = (some**2).sum(axis=1)[:, None] + squares - 2.0 * some @ self.values.T
            near = np.argsort(apart, axis=1, kind="stable")[:, : self.n]
            told[start : start + _BLOCK] = counts[near].sum(axis=1)
        told += 1.0 / kinds
        return np.asarray(told / told.sum(axis=1, keepdims=True))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The rows with their classes and weights."""
        return {
            "values": self.values,
            "targets": self.targets,
            "weights": self.weights,
            "n": np.array([self.n]),
        }

    def restore(self, arrays: Arrays) -> None:
        """Become what `arrays` told of."""
        self.values, self.targets, self.weights = (arrays[name] for name in ("values", "targets", "weights"))
        self.n = int(arrays["n"][0])

    @staticmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""
        return {"neighbours": int(draw("neighbours", 3, 60, True))}
