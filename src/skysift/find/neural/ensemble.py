"""`EnsembleFinder`: several finders look at a map; what they found is joined, and their agreement is a probability."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import OptionError
from skysift.base.parallel import Crew
from skysift.base.provenance import InputRecord
from skysift.base.registry import Registry
from skysift.find.finder import IslandFinder
from skysift.find.neural.agreement import Agreement, read_agreement, usual_agreement
from skysift.find.neural.eye import eye_of
from skysift.find.neural.finder import Found, NeuralFinder
from skysift.find.neural.found import RAW, best_of_each
from skysift.find.neural.members import told_by_islands
from skysift.find.neural.options import EnsembleOptions, EyeOptions, MaskOptions, NeuralOptions
from skysift.find.neural.orientations import joined_found
from skysift.find.noise import Noise
from skysift.find.options import FinderOptions
from skysift.measure.options import BeamOptions, NoiseOptions
from skysift.sky.detections import Detections
from skysift.sky.image import SkyImage
from skysift.sky.schema import TableName

__all__ = ["EnsembleFinder"]

Floats = NDArray[np.float64]
Member = NeuralFinder[Any] | IslandFinder[Any]

_LEAST = 0.1  # probability that a member tells of at least
_MEASURED = {*NoiseOptions.model_fields, *BeamOptions.model_fields}
_COMMON = {*_MEASURED, "reliability"}  # the same for all
_SHARED = {*_MEASURED, *EyeOptions.model_fields}  # the ensemble's, where a member has none of its own
_OF_NETWORKS = {*EyeOptions.model_fields, "threshold", "setting"}  # of all their options, what decides finds
_OF_ISLANDS = {"grow", "prominence", "reseed", "window", "max_components"}  # likewise


class EnsembleFinder(NeuralFinder[EnsembleOptions]):
    """
    Several finders as one: learned ones with weights of their own, and finders of islands.

    Each member looks at the whole map. Its detections, without doubles, are joined with those of the others source by
    source; the score of a source is a logistic law of who found it and how sure each was; a member that takes it for an
    artefact speaks against it. Its parameters are those of the surest network that found it, else of the surest finder of
    islands; then everything is measured as with every learned finder. In which order members are named changes nothing.
    """

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """The finders, networks first; options that a member does not have of its own are the ensemble's."""
        return tuple(member for member, _ in self._named)

    def prepare(self) -> None:
        """Refuse members that cannot look, before the map is read."""
        for member in self.members:
            if isinstance(member, NeuralFinder):
                member.prepare()

    @cached_property
    def _named(self) -> tuple[tuple[Member, str], ...]:
        """The finders and what each is, in an order of their own."""
        given = [
            (member, _name(member, entry), repr(sorted(entry.items())))
            for member, entry in zip(self._made(), self.options.members, strict=True)
        ]
        given.sort(key=lambda each: (not isinstance(each[0], NeuralFinder), each[1], each[2]))
        return tuple((member, name) for member, name, _ in given)

    def _made(self) -> list[Member]:
        """The finders in the order in which they are given."""
        made: list[Member] = []
        registry = Registry[Any]("finder")
        for entry in self.options.members:
            own = {key: value for key, value in entry.items() if key != "finder"}
            name = str(entry["finder"])
            kind, menu = registry.load(name), registry.options(name)
            learned = issubclass(kind, NeuralFinder)
            if not _can_join(kind, menu):
                able = [
                    each
                    for each in registry.names()
                    if registry.has_options(each) and _can_join(registry.load(each), registry.options(each))
                ]
                raise OptionError("this finder cannot be a member of an ensemble", got=name, allowed=able)
            common = sorted(_COMMON & own.keys())
            if common:
                raise OptionError(
                    "noise, beam and reliability are the same for all members",
                    got=f"{common[0]} of {name}",
                    todo=f"set {common[0]} of the ensemble",
                )
            deciding = _deciding(menu, learned=learned)
            idle = sorted(set(menu.model_fields) & own.keys() - deciding)
            if idle:
                raise OptionError(
                    "this option does nothing in a member: sources are joined and measured by the ensemble",
                    got=f"{idle[0]} of {name}",
                    allowed=sorted(deciding),
                    todo=f"leave it out, or set {idle[0]} of the ensemble",
                )
            shared = {each: getattr(self.options, each) for each in _SHARED if each in menu.model_fields}
            if learned and "setting" not in own:
                shared["threshold"] = _LEAST
            made.append(kind(menu.parse({**shared, **own})))
        return made

    @property
    def networks(self) -> tuple[bool, ...]:
        """Which members are networks."""
        return tuple(isinstance(each, NeuralFinder) for each in self.members)

    def names(self) -> tuple[str, ...]:
        """What each member is: its finder, with the name and checksum of its weights or what decides its islands."""
        return tuple(name for _, name in self._named)

    def agreement(self) -> Agreement:
        """The law by which members agree: what was fitted to them, or the usual one."""
        if self.options.agreement:
            return read_agreement(Path(self.options.agreement).expanduser(), self.names())
        return usual_agreement(self.names(), self.networks)

    def found(self, image: SkyImage, noise: Noise, crew: Crew, *, turned: bool = False) -> Found:
        """What the members found, joined, with the probability that it is true; if asked that upside down, too."""
        law = self.agreement()
        least = law.threshold if self.options.threshold is None else self.options.threshold
        parts = self.looks(image, noise, crew, turned=turned)
        below = [part.turned for part in parts if part.turned is not None]
        records = {each.checksum: each for part in parts for each in part.inputs}
        if self.options.agreement:
            path = Path(self.options.agreement).expanduser()
            content = path.read_bytes()
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            records[digest] = InputRecord(path.name, digest, size=len(content))
        facts: dict[str, object] = {
            "members": list(law.members),
            "found_by_each": [len(part.detections) for part in parts],
            "threshold": least,
        }
        if law.facts:
            facts["calibrated_on"] = dict(law.facts)
        found, *others = [
            self._likely(each, law, least) for each in ([part.detections for part in parts], below) if each
        ]
        return Found(found, tuple(records.values()), facts, others[0] if others else None)

    def looks(self, image: SkyImage, noise: Noise, crew: Crew, *, turned: bool = False) -> list[Found]:
        """What each member finds alone; if asked in the map upside down, too."""
        return [self._seen(member, image, noise, crew, turned=turned) for member in self.members]

    def joined(self, parts: Sequence[Detections], law: Agreement) -> tuple[Detections, Floats]:
        """All sources that any member found, from what each did; and the score of each member ``(source, member)``."""
        raw = {name: np.concatenate([part[name] for part in parts]) for name in RAW}
        ways = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        scores = np.concatenate([part.scores for part in parts])
        sure = np.concatenate([
            network + table.scores(part.scores)
            for network, table, part in zip(self.networks, law.tables, parts, strict=True)
        ])  # fmt: skip
        joined, told = joined_found(raw, scores, ways, len(parts), law.scores, near=1.0, sure=sure)
        kept = best_of_each(joined)
        return joined.select(kept), told[kept]

    def _likely(self, parts: Sequence[Detections], law: Agreement, least: float) -> Detections:
        """The sources that are as probable, with the number of members that found each."""
        joined, told = self.joined(parts, law)
        kept = joined.scores >= least
        chosen = joined.select(kept)
        n_members = np.isfinite(told[kept]).sum(axis=1).astype(np.float64)
        return Detections(
            chosen.boxes, chosen.scores, chosen.footprints, {**chosen.raw, "members": n_members}
        )

    def columns(self) -> Mapping[TableName, Mapping[str, NDArray[Any]]]:
        """What the members say of no source."""
        return {"sources": {**super().columns()["sources"], "n_members": np.empty(0, np.int64)}}

    def _told(
        self, objects: Detections, image: SkyImage, noise: Noise
    ) -> Mapping[TableName, Mapping[str, NDArray[Any]]]:
        """What the members say of each source, in sky units, and how many found it."""
        told = super()._told(objects, image, noise)["sources"]
        count = objects["members"].astype(np.int64) if len(objects) else np.empty(0, np.int64)
        return {"sources": {**told, "n_members": count}}

    @staticmethod
    def _seen(member: Member, image: SkyImage, noise: Noise, crew: Crew, *, turned: bool) -> Found:
        """What one member found; if asked in the map upside down, too."""
        if isinstance(member, NeuralFinder):
            return member.found(image, noise, crew, turned=turned)
        found = told_by_islands(image, noise, member, crew)
        if not turned:
            return Found(found, (), {})
        within = replace(crew, within="upside down")
        return Found(found, (), {}, told_by_islands(image.upside_down(), noise.upside_down(), member, within))


def _can_join(kind: type[Any], menu: type[Any]) -> bool:
    """Whether a finder with these options can be a member: it tells sources by place and shape, and is no ensemble."""
    alone = not issubclass(menu, EnsembleOptions | MaskOptions) and not kind.segments
    return alone and issubclass(kind, NeuralFinder | IslandFinder)


def _deciding(menu: type[Any], *, learned: bool) -> set[str]:
    """The options of a member that decide what it finds."""
    if learned:
        return set(menu.model_fields) - set(NeuralOptions.model_fields) | _OF_NETWORKS
    return set(menu.model_fields) - set(FinderOptions.model_fields) - {"negative"} | _OF_ISLANDS


def _name(member: Member, entry: Mapping[str, Any]) -> str:
    """What a member is: its finder, with the name and checksum of its weights or what decides its islands."""
    name = str(entry["finder"])
    if isinstance(member, NeuralFinder):
        weights = eye_of(member.options).weights
        ways = member.flips(weights)
        name += f" {weights.card.name} {weights.checksum.removeprefix('sha256:')[:12]}"
        name += "" if ways == 1 else f" flips={ways}"
        return name + "".join(f" {key}={entry[key]}" for key in ("setting", "threshold") if key in entry)
    told = {key: value for key, value in entry.items() if key != "finder"}
    return name + "".join(f" {key}={told[key]}" for key in sorted(told))
