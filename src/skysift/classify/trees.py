"""Models of trees: LightGBM by its own text; random forest and histogram boosting by arrays of their nodes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.classify.model import Arrays, Draw, Floats, Ints, Model, logistic, softmax
from skysift.classify.options import BoostingOptions, ForestOptions, LightGBMOptions

__all__ = ["BoostingModel", "Forest", "ForestModel", "LightGBMModel"]


class LightGBMModel(Model[LightGBMOptions]):
    """Gradient boosted trees (Ke et al. 2017, NeurIPS 30), which learn where to send what is missing."""

    blanks = True

    def fit(self, values: Floats, targets: Ints, weights: Floats, options: LightGBMOptions) -> None:
        """Learn the classes of rows."""
        import lightgbm  # late: it is slow to import

        n = int(targets.max()) + 1
        kind = {"objective": "binary"} if n == 2 else {"objective": "multiclass", "num_class": n}
        how = {
            **kind,
            "num_leaves": options.leaves,
            "learning_rate": options.rate,
            "min_data_in_leaf": options.least,
            "feature_fraction": options.columns,
            "bagging_fraction": options.share,
            "bagging_freq": 1,
            "lambda_l2": options.shrink,
            "max_bin": 63,  # as good as 255 on thousands of sources, and twice as fast
            "seed": options.random_seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(
            values, targets, weight=weights, params={"verbosity": -1, "max_bin": how["max_bin"]}
        )
        self._take(lightgbm.train(how, data, options.trees).model_to_string())

    def _take(self, text: str) -> None:
        import lightgbm  # late: it is slow to import

        self.text = text
        self.booster = lightgbm.Booster(model_str=text)

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class)."""
        told = np.asarray(self.booster.predict(values, num_threads=1))
        return np.stack([1.0 - told, told], axis=1) if told.ndim == 1 else told

    def gains(self) -> Floats:
        """How much is gained by splitting at each column."""
        return np.asarray(self.booster.feature_importance("gain"), np.float64)

    def shares(self, values: Floats) -> Floats:
        """SHAP: what each column adds to the score of each class, (row, class, column); of two classes to the second."""
        told = np.asarray(self.booster.predict(values, pred_contrib=True, num_threads=1))
        n = values.shape[1] + 1
        return told.reshape(len(values), -1, n)[:, :, :-1]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """LightGBM's own text, packed."""
        return {"text": np.frombuffer(zlib.compress(self.text.encode(), 9), np.uint8).copy()}

    def restore(self, arrays: Arrays) -> None:
        """Become what the text tells of."""
        self._take(zlib.decompress(arrays["text"].tobytes()).decode())

    @staticmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""
        return {
            "trees": int(draw("trees", 60, 500, True)),
            "leaves": int(draw("leaves", 4, 48, True)),
            "rate": draw("rate", 0.02, 0.2, True),
            "least": int(draw("least", 4, 40, True)),
            "columns": draw("columns", 0.2, 1.0, False),
            "shrink": draw("shrink", 0.01, 30.0, True),
        }


class Forest:
    """Trees as flat arrays: where each node asks, where it sends to, and what its leaf says."""

    names = ("feature", "threshold", "left", "right", "blank_left", "value", "roots")

    def __init__(self, arrays: Arrays) -> None:
        (
            self.feature,
            self.threshold,
            self.left,
            self.right,
            self.blank_left,
            self.value,
            self.roots,
        ) = (arrays[name] for name in self.names)

    def leaves(self, values: NDArray[np.floating[Any]], tree: int) -> Ints:
        """The leaf of a tree that each row comes to."""
        node = np.full(len(values), self.roots[tree], np.int64)
        walking = np.flatnonzero(self.feature[node] >= 0)
        while walking.size:
            at = node[walking]
            seen = values[walking, self.feature[at]]
            with np.errstate(invalid="ignore"):
                left = np.where(np.isnan(seen), self.blank_left[at], seen <= self.threshold[at])
            node[walking] = np.where(left, self.left[at], self.right[at])
            walking = walking[self.feature[node[walking]] >= 0]
        return node

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Its arrays, by name."""
        return {name: getattr(self, name) for name in self.names}


def _joined(trees: list[dict[str, NDArray[Any]]]) -> Forest:
    """A forest of trees whose nodes are numbered from 0 in each."""
    sizes = np.array([len(each["feature"]) for each in trees], np.int64)
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    kept: dict[str, NDArray[Any]] = {"roots": roots}
    for name, kind in (
        ("feature", np.int16),
        ("threshold", np.float64),
        ("blank_left", np.bool_),
        ("value", np.float32),
    ):
        kept[name] = np.concatenate([each[name] for each in trees]).astype(kind)
    for name in ("left", "right"):
        moved = [each[name].astype(np.int64) + root for each, root in zip(trees, roots, strict=True)]
        kept[name] = np.concatenate(moved).astype(np.int32)
    return Forest(kept)


class ForestModel(Model[ForestOptions]):
    """A random forest (Breiman 2001, Machine Learning 45, 5), which learns where to send what is missing."""

    blanks = True

    def fit(self, values: Floats, targets: Ints, weights: Floats, options: ForestOptions) -> None:
        """Learn the classes of rows."""
        from sklearn.ensemble import RandomForestClassifier  # late: it is slow to import

        found = RandomForestClassifier(
            options.trees,
            min_samples_leaf=options.least,
            max_features=options.columns,
            max_depth=options.deepest,
            random_state=options.random_seed,
            n_jobs=1,
        )
        found.fit(values.astype(np.float32), targets, sample_weight=weights)
        trees = []
        for each in found.estimators_:
            tree = each.tree_
            share = tree.value[:, 0, :]
            leaf = tree.children_left < 0
            trees.append({
                "feature": np.where(leaf, -1, tree.feature),
                "threshold": tree.threshold,
                "left": np.where(leaf, 0, tree.children_left),
                "right": np.where(leaf, 0, tree.children_right),
                "blank_left": np.asarray(tree.missing_go_to_left, bool),
                "value": share / share.sum(axis=1, keepdims=True),
            })  # fmt: skip
        self.forest = _joined(trees)

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class), the mean of the trees."""
        seen = values.astype(np.float32)
        total = np.zeros((len(values), self.forest.value.shape[1]))
        for tree in range(len(self.forest.roots)):
            total += self.forest.value[self.forest.leaves(seen, tree)]
        return total / len(self.forest.roots)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The nodes of the trees."""
        return self.forest.arrays()

    def restore(self, arrays: Arrays) -> None:
        """Become what `arrays` told of."""
        self.forest = Forest(arrays)

    @staticmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""
        return {
            "least": int(draw("least", 1, 20, True)),
            "columns": draw("columns", 0.1, 1.0, False),
            "deepest": int(draw("deepest", 4, 24, True)),
        }


class BoostingModel(Model[BoostingOptions]):
    """Gradient boosted trees on histograms, which learn where to send what is missing."""

    blanks = True

    def fit(self, values: Floats, targets: Ints, weights: Floats, options: BoostingOptions) -> None:
        """Learn the classes of rows."""
        from sklearn.ensemble import HistGradientBoostingClassifier  # late: it is slow to import

        found = HistGradientBoostingClassifier(
            max_iter=options.trees,
            max_leaf_nodes=options.leaves,
            learning_rate=options.rate,
            min_samples_leaf=options.least,
            l2_regularization=options.shrink,
            early_stopping=False,
            random_state=options.random_seed,
        )
        blank = ~np.isfinite(values).any(axis=0)  # it fails on them; a column of one value is not split on
        found.fit(np.where(blank, 0.0, values), targets, sample_weight=weights)
        trees = []
        for round_of in found._predictors:
            for each in round_of:
                node = each.nodes
                leaf = node["is_leaf"].astype(bool)
                trees.append({
                    "feature": np.where(leaf, -1, node["feature_idx"].astype(np.int64)),
                    "threshold": node["num_threshold"],
                    "left": np.where(leaf, 0, node["left"].astype(np.int64)),
                    "right": np.where(leaf, 0, node["right"].astype(np.int64)),
                    "blank_left": node["missing_go_to_left"].astype(bool),
                    "value": node["value"],
                })  # fmt: skip
        self.forest = _joined(trees)
        self.base = np.asarray(found._baseline_prediction, np.float64).ravel()

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class)."""
        n = len(self.base)
        scores = np.tile(self.base, (len(values), 1))
        for tree in range(len(self.forest.roots)):
            scores[:, tree % n] += self.forest.value[self.forest.leaves(values, tree)]
        return logistic(scores[:, 0]) if n == 1 else softmax(scores)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The nodes of the trees, and the score that all begin with."""
        return {**self.forest.arrays(), "base": self.base}

    def restore(self, arrays: Arrays) -> None:
        """Become what `arrays` told of."""
        self.forest, self.base = Forest(arrays), arrays["base"]

    @staticmethod
    def drawn(draw: Draw) -> dict[str, Any]:
        """Options of one trial of a search."""
        return {
            "trees": int(draw("trees", 40, 300, True)),
            "leaves": int(draw("leaves", 4, 48, True)),
            "rate": draw("rate", 0.02, 0.3, True),
            "least": int(draw("least", 4, 40, True)),
            "shrink": draw("shrink", 0.01, 30.0, True),
        }
