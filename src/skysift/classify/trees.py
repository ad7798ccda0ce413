"""Models of trees: LightGBM by its own text; random forest and histogram boosting by arrays of their nodes."""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.classify.model import Arrays, Draw, Floats, Ints, Model
from skysift.classify.options import LightGBMOptions

__all__ = ["LightGBMModel"]


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
            "seed": options.random_seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
        }
        data = lightgbm.Dataset(values, targets, weight=weights, params={"verbosity": -1})
        self._take(lightgbm.train(how, data, options.trees).model_to_string())

    def _take(self, text: str) -> None:
        import lightgbm  # late: it is slow to import

        self.text = text
        self.booster = lightgbm.Booster(model_str=text)

    def told(self, values: Floats) -> Floats:
        """The probability of each class: (row, class)."""
        told = np.asarray(self.booster.predict(values, num_threads=1))
        return np.stack([1.0 - told, told], axis=1) if told.ndim == 1 else told

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
