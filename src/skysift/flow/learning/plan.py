"""`Plan`: a method with all that it is told, from one list of keys and values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skysift.base.errors import OptionError
from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.flow.learning.options import GROUPS, PoolOptions
from skysift.learn.options import EncoderOptions, PreparationOptions, ViewOptions
from skysift.learn.pretrain.options import PretrainOptions
from skysift.learn.scale import Preparation
from skysift.learn.scale_options import PRESETS

__all__ = ["Plan"]


@dataclass(frozen=True)
class Plan:
    """
    How a network learns from pictures.

    Attributes
    ----------
    method
        Name of the method in the index.
    options
        Of the method.
    train, encoder, views, prepare, pool
        How long, which network, from which views, of pixels prepared how, of which pictures.
    """

    method: str
    options: Options
    train: PretrainOptions
    encoder: EncoderOptions
    views: ViewOptions
    prepare: PreparationOptions
    pool: PoolOptions

    @classmethod
    def of(cls, method: str, values: Mapping[str, object]) -> Plan:
        """The plan that keys such as ``temperature`` and ``train.epochs`` choose.

        Raises
        ------
        UnknownName
            There is no such method.
        OptionError
            A key is not known, a value is not allowed, or the network does not read what the preparation gives.
        """
        menu = Registry[Any]("pretraining").options(method)
        split: dict[str, dict[str, object]] = {name: {} for name in ("", *GROUPS)}
        for key, value in values.items():
            group, point, name = key.rpartition(".")
            if point and group not in GROUPS:
                raise OptionError(
                    "no such group of options", got=key, allowed=[f"{each}.NAME" for each in GROUPS]
                )
            split[group][name] = value
        encoder, prepare = (
            EncoderOptions.parse(split["encoder"]),
            PreparationOptions.parse(split["prepare"]),
        )
        if (
            encoder.backbone == "detector"
        ):  # a power of pixels in units of the noise is not what happens to maps
            split["views"].setdefault("gamma", (1.0, 1.0))
        views = ViewOptions.parse(split["views"])
        _refuse_unlike(encoder, prepare, views)
        return cls(
            method,
            menu.parse(split[""]),
            PretrainOptions.parse(split["train"]),
            encoder,
            views,
            prepare,
            PoolOptions.parse(split["pool"]),
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it, as JSON-safe values."""
        groups = {name: getattr(self, name).to_dict() for name in GROUPS}
        return {"method": self.method, "options": self.options.to_dict(), **groups}

    def learner(self, channels: int) -> Any:
        """The method, ready for the loop."""
        load = Registry[Any]("pretraining").load(self.method)
        return load(self.options, self.encoder, self.views, channels)


def _refuse_unlike(encoder: EncoderOptions, prepare: PreparationOptions, views: ViewOptions) -> None:
    """Refuse pictures that are not as the network of finders reads maps."""
    if encoder.backbone != "detector":
        return
    steps, wanted = Preparation.of(prepare).steps, PRESETS["noise"]
    if steps != wanted:
        raise OptionError(
            "the backbone detector reads pixels in units of the noise, as finders do",
            got=f"prepare.preset={prepare.preset}" if not prepare.steps else f"prepare.steps={steps}",
            allowed="prepare.preset=noise",
        )
    least = 2 ** len(encoder.widths)
    if prepare.size < least:
        raise OptionError(
            f"pictures are too small for {len(encoder.widths)} stages",
            got=f"prepare.size={prepare.size}",
            allowed=f"{least} or more",
        )
    if views.local and views.local_size < least:
        raise OptionError(
            f"views of a part are too small for {len(encoder.widths)} stages",
            got=f"views.local_size={views.local_size}",
            allowed=f"{least} or more",
        )
