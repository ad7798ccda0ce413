"""The menus of exploring: maps, groups, outliers, a person's scores; light, so that help is quick."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import field_validator, model_validator

from skysift.base.options import Options, option

__all__ = [
    "SHOWN",
    "USUAL",
    "ActiveOptions",
    "DensityOptions",
    "DistanceOptions",
    "ExploreOptions",
    "ForestOptions",
    "HdbscanOptions",
    "KMeansOptions",
    "MixtureOptions",
    "ReconstructionOptions",
]

USUAL = ("forest", "density")
"""Names of the kind outlier that are asked where none is named."""
SHOWN = ("thumbs", "thumb", "cut", "columns")
"""Options of exploring that say what the page shows, and nothing else."""


class ExploreOptions(Options):
    """How a sample is put on a map, parted into groups and searched for what is strange."""

    groups: tuple[str, ...] = option(
        (), doc="Only features of these groups (shape, flux, embedding ...); none for all."
    )
    missing: Literal["mark", "median", "drop"] = option(
        "mark",
        doc="Where a number is missing: its feature's median, and a further coordinate that says so (mark); the median "
        "alone; or features with missing numbers are left out (drop).",
    )
    standard: Literal["robust", "none"] = option(
        "robust", doc="Features less their median over their quartile width, or as they are."
    )
    clip: float = option(
        5.0, unit="sigma", above=0.0, doc="Standardised numbers farther from the median are set to this."
    )
    balance: bool = option(
        True, doc="Groups of features weigh alike, however many features each of them has."
    )
    components: int = option(
        256,
        at_least=2,
        at_most=4096,
        doc="Most principal components that are the coordinates of all that follows.",
    )
    variance: float = option(
        0.9999,
        above=0.0,
        at_most=1.0,
        doc="Fewer components are taken where they hold this part of the variance.",
    )
    whiten: bool = option(
        False, doc="Components get unit variance, so that faint ones count as much as strong ones."
    )
    map: Literal["umap", "pca"] = option("umap", doc="What the map of the sample is made by.")
    neighbours: int = option(15, at_least=2, at_most=500, doc="Neighbours that the map keeps together.")
    min_dist: float = option(0.1, at_least=0.0, below=1.0, doc="How near points of the map may come.")
    clusterers: tuple[str, ...] = option(
        ("hdbscan", "kmeans", "mixture"), doc="What is tried for groups: names of the kind clusterer."
    )
    clusterer: str = option(
        "", doc="Whose groups are kept; by default those that are most stable and best parted."
    )
    bootstraps: int = option(
        10, at_least=0, at_most=1000, doc="Samples drawn anew that groups are compared on."
    )
    outliers: tuple[str, ...] = option(
        (),
        doc="What says how strange a source is, in every table: names of the kind outlier. By default forest and "
        "density, and density alone in a table of an embedding, where a forest finds little.",
    )
    apart: bool = option(
        True,
        doc="Of several tables, strange ones are sought in each by itself, and what all say is combined; or in one space "
        "of all.",
    )
    radius: float = option(
        5.0, unit="arcsec", above=0.0, doc="Sources nearer on the sky are reported as near-duplicates."
    )
    alike: float = option(
        0.1,
        at_least=0.0,
        doc="Pairs nearer than this, in units of the median distance of nearest neighbours, are near-duplicates.",
    )
    thumbs: int = option(
        2000, at_least=0, at_most=50_000, doc="Most pictures that the page holds; the strangest come first."
    )
    thumb: int = option(48, unit="pixel", at_least=8, at_most=256, doc="Side of a picture on the page.")
    cut: int | None = option(
        None,
        unit="pixel",
        at_least=0,
        doc="Pixels about the middle that pictures on the page show; 0: all of them. By default each is cut around its "
        "source, and the page tells how much it shows.",
    )
    columns: int = option(60, at_least=0, at_most=1000, doc="Most features that the page can colour by.")
    random_seed: int = option(1, at_least=0, doc="Every random choice follows from this number.")

    @field_validator("groups", "clusterers", "outliers", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @model_validator(mode="after")
    def _chosen_is_tried(self) -> Self:
        if self.clusterer and self.clusterer not in self.clusterers:
            raise ValueError(f"clusterer is one of clusterers: {', '.join(self.clusterers) or 'none'}")
        return self


class HdbscanOptions(Options):
    """Groups as dense regions; what lies in none stays noise (Campello et al. 2013)."""

    smallest: int = option(
        0, at_least=0, doc="Fewest members of a group; 0: 2 percent of the sample, 5 at least."
    )
    samples: int = option(5, at_least=1, doc="Neighbours that say how dense it is around a source.")
    method: Literal["eom", "leaf"] = option("eom", doc="Groups by excess of mass, or the leaves of the tree.")


class KMeansOptions(Options):
    """Groups around means; every source is in one."""

    number: int = option(0, at_least=0, doc="Groups; 0: that with the largest silhouette, from 2 to most.")
    most: int = option(10, at_least=2, at_most=200, doc="Most groups that are tried.")


class MixtureOptions(Options):
    """Groups as Gaussians of a mixture; every source is in one."""

    number: int = option(0, at_least=0, doc="Groups; 0: that with the least Bayesian information criterion.")
    most: int = option(10, at_least=1, at_most=200, doc="Most groups that are tried.")
    covariance: Literal["full", "diag", "tied", "spherical"] = option(
        "diag", doc="Which covariances they may have."
    )


class ForestOptions(Options):
    """How quickly random cuts isolate a source (Liu et al. 2008)."""

    trees: int = option(300, at_least=1, doc="Trees of the forest.")
    sample: int = option(256, at_least=2, doc="Sources that a tree sees.")


class DensityOptions(Options):
    """How much thinner it is around a source than around its neighbours (Breunig et al. 2000)."""

    neighbours: int = option(20, at_least=1, doc="Neighbours that are looked at.")


class DistanceOptions(Options):
    """The mean distance to the nearest neighbours (Ramaswamy et al. 2000)."""

    neighbours: int = option(5, at_least=1, doc="Neighbours that are looked at.")


class ReconstructionOptions(Options):
    """How badly a small autoencoder gives a source back."""

    bottleneck: int = option(
        6, at_least=1, doc="Numbers in its narrowest layer; a third of the components at most."
    )
    width: int = option(64, at_least=1, doc="Numbers in the layers beside it.")
    steps: int = option(400, at_least=1, doc="Steps of its training.")
    batch: int = option(128, at_least=2, doc="Sources of a step.")


_OF_METHOD = {"neighbour": ("trust", "random_seed"), "gaussian": ("strangeness", "tradeoff")}
"""Options that only one way to use a person's scores looks at."""


class ActiveOptions(Options):
    """How a person's scores from 0 to 5 change the ranking."""

    method: Literal["neighbour", "gaussian"] = option(
        "gaussian",
        doc="A Gaussian process as in Protege (Lochner & Rudnick 2025), or the neighbour score of Astronomaly (Lochner & "
        "Bassett 2021).",
    )
    trust: float = option(
        1.0,
        above=0.0,
        doc="Neighbour score: how quickly trust in a person's scores falls off with the distance.",
    )
    strangeness: float = option(
        1.0,
        at_least=0.0,
        doc="Gaussian process: points that a source gains by being strange, for every factor of e by which fewer sources "
        "are stranger.",
    )
    tradeoff: float = option(
        0.5, at_least=0.0, doc="Gaussian process: how much better than the best so far a source must seem."
    )
    random_seed: int = option(
        1, at_least=0, doc="Neighbour score: every random choice follows from this number."
    )

    @model_validator(mode="after")
    def _nothing_idle(self) -> Self:
        for method, names in _OF_METHOD.items():
            given = [name for name in names if getattr(self, name) != type(self).model_fields[name].default]
            if given and method != self.method:
                raise ValueError(
                    f"{given[0]} does nothing with method={self.method}; give method={method}, or leave it out"
                )
        return self
