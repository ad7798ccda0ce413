"""Which networks are compared: files of weights, or finders with options, as the command line names them."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skysift.base.errors import UsageError
from skysift.base.registry import Registry
from skysift.learn.hub import weights_of

_EXACT = ("rcnn", "detr")  # finders whose networks reckon with places in pixels


@dataclass(frozen=True)
class Network:
    """A learned finder with its options."""

    name: str
    finder: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def threshold(self) -> float:
        """The score below which it leaves sources out: that of its card."""
        weights = self.options.get("weights") or self.default("weights")
        if "threshold" in self.options:
            return float(self.options["threshold"])
        return weights_of(str(weights)).card.threshold if weights else 0.5

    @property
    def threshold_told(self) -> str:
        """The threshold as tables have it: "by class" where the weights have one for each."""
        weights = self.options.get("weights") or self.default("weights")
        chosen = "threshold" not in self.options and weights
        if chosen and weights_of(str(weights)).card.settings.get("class_thresholds"):
            return "by class"
        return f"{self.threshold:.2f}"

    def default(self, option: str) -> Any:
        """What the finder takes where nothing is said; None where it has no such option."""
        known = Registry[Any]("finder").options(self.finder).model_fields
        return known[option].default if option in known else None

    def with_(self, **options: Any) -> dict[str, Any]:
        """Its options and more, those that its finder has."""
        known = Registry[Any]("finder").options(self.finder).model_fields
        return {**{name: value for name, value in options.items() if name in known}, **self.options}

    def fast(self, **options: Any) -> dict[str, Any]:
        """Its options with the fastest engine, in the numbers that it can reckon with."""
        kind = "float32" if self.finder in _EXACT else "bfloat16"
        return self.with_(engine="openvino", precision=kind, **options)


def network(text: str) -> Network:
    """The network of FILE.safetensors, NAME of weights, or [LABEL=]FINDER[:OPTION=VALUE,...]."""
    label, _, rest = text.partition("=") if "=" in text.split(":")[0] else ("", "", text)
    finder, _, pairs = rest.partition(":")
    registry = Registry[Any]("finder")
    if finder in registry.names():
        told = dict(pair.split("=", 1) for pair in pairs.split(",") if pair)
        options = {name: None if value == "null" else value for name, value in told.items()}
        return Network(label or finder, finder, options)
    weights = weights_of(rest)
    for name in registry.names():
        if weights.card.model in getattr(registry.load(name), "models", {}):
            path = Path(rest)
            told = str(path.resolve()) if path.exists() else rest
            return Network(label or weights.card.name, name, {"weights": told})
    raise UsageError("no finder looks through such weights", got=weights.card.model)
