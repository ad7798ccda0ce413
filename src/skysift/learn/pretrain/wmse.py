"""W-MSE (Ermolov et al. 2021, ICML): vectors are made white, which no collapse survives; then two views give the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from skysift.base.errors import OptionError
from skysift.learn.layers.encoder import Encoder
from skysift.learn.options import LoopOptions
from skysift.learn.pretrain.byol import foretold
from skysift.learn.pretrain.method import Nets, Pretraining, head, wide
from skysift.learn.pretrain.options import WmseOptions

__all__ = ["Wmse", "whitened"]

_FLOOR = 1e-3  # of the identity, in the covariance
_FEWEST = 4  # vectors that are made white together


def whitened(z: Tensor) -> Tensor:
    """Vectors (picture, column) whose columns have mean 0, deviation 1 and no covariance, by Cholesky's triangle."""
    n, d = z.shape
    with torch.autocast(z.device.type, enabled=False):
        centred = wide(z) - wide(z).mean(dim=0)
        matrix = centred.T @ centred / (n - 1)
        eye = torch.eye(d, device=z.device)
        triangle = torch.linalg.cholesky((1.0 - _FLOOR) * matrix + _FLOOR * eye)
        white: Tensor = torch.linalg.solve_triangular(triangle, centred.T, upper=False).T
    return white


class Wmse(Pretraining[WmseOptions]):
    """The whitening of parts of the batch keeps it from collapse."""

    name: ClassVar[str] = "wmse"

    def parts(self, encoder: Encoder) -> Mapping[str, nn.Module]:
        """A head of two layers.

        Raises
        ------
        OptionError
            Fewer vectors are made white together than they are long.
        """
        if self.options.white <= self.options.out:
            raise OptionError(
                "white is too small: vectors of so many columns cannot be made white",
                got=f"white={self.options.white}, out={self.options.out}",
                allowed="white larger than out, best twice as large",
            )
        return {"head": head(encoder.n_features, self.options.hidden, self.options.out)}

    def refuse(self, how: LoopOptions) -> None:
        """Refuse batches with fewer pictures than are made white together.

        Raises
        ------
        OptionError
            A batch has fewer.
        """
        white, out = self.options.white, self.options.out
        if how.batch < white:
            mend = f"white={how.batch}" if how.batch > out else f"train.batch={white}"
            raise OptionError(
                "the batch is smaller than white: so many vectors cannot be made white together",
                got=f"batch={how.batch}, white={white}",
                allowed="a batch of white or more, best several times as large",
                todo=f"give --set {mend}",
            )

    def fitting(self, fits: int, most: int) -> Mapping[str, int]:
        """Options with which the method learns from few pictures: where there are fewer than `white`, a smaller one."""
        white, out = self.options.white, self.options.out
        if white <= most:
            return {"train.batch": max(fits, white)}
        if most < _FEWEST:
            return {}
        fits = max(fits, _FEWEST)
        return {"train.batch": fits, "white": fits} | ({"out": fits // 2} if out >= fits else {})

    def terms(self, net: Nets, views: Sequence[Tensor], chance: torch.Generator) -> dict[str, Tensor]:
        """The distance of the white vectors of two views, whitened in parts; a rest that is too short joins the last."""
        del chance
        n = len(views[0])
        made = [net["head"](net.encoder(torch.cat(list(views[:2]))))]
        a, b = made[0].split(n)
        parts = n // self.options.white
        white = [torch.cat([whitened(part) for part in each.tensor_split(parts)]) for each in (a, b)]
        terms = {"distance": foretold(white[0], white[1])}
        for each in views[2:]:
            local = net["head"](net.encoder(each))
            local = torch.cat([whitened(part) for part in local.tensor_split(parts)])
            apart = 0.5 * (foretold(local, white[0]) + foretold(local, white[1])) / len(views[2:])
            terms["local"] = terms.get("local", 0.0) + apart
        return terms
