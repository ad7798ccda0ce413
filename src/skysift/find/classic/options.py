"""The menu of the classic finder; light: no loops, no kernels."""

from typing import Literal

from pydantic import model_validator

from skysift.base.errors import OptionError
from skysift.base.options import option
from skysift.find.options import FinderOptions


class ClassicOptions(FinderOptions):
    """Islands above a threshold, split at their peaks and fitted with Gaussians."""

    seed: float = option(5.0, unit="sigma", above=0.0, doc="A pixel this bright starts an island.")
    connectivity: Literal[8, 4] = option(
        8, doc="Pixels join across corners and edges (8) or across edges only (4)."
    )
    negative: bool = option(
        False, doc="Find islands in the inverted map too; their fluxes are negative and flagged."
    )
    fdr: float | None = option(
        None,
        above=0.0,
        below=1.0,
        doc="Share of false pixels allowed among those above the seed, which is set from it instead of `seed`.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "ClassicOptions":
        if self.grow > self.seed:
            raise OptionError(
                "grow must not exceed seed",
                got=f"grow={self.grow}, seed={self.seed}",
                todo="lower grow or raise seed",
            )
        return self
