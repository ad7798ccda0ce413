"""`Pool`: prepared pictures without labels, of one or more sets, each part of the sky once and none that is excluded."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from skysift.base.errors import UsageError
from skysift.base.fingerprint import fingerprint
from skysift.base.random import generator
from skysift.learn.pictures import PictureSet, PictureSource
from skysift.learn.scale import Preparation, prepare, rms_of
from skysift.match.sky import unit_vectors

__all__ = ["Pool", "near_to", "pool_of", "positions"]

Pixels: TypeAlias = NDArray[np.float32]
Floats: TypeAlias = NDArray[np.float64]
Bools: TypeAlias = NDArray[np.bool_]
Progress: TypeAlias = Callable[[str, int, int], None]

_BATCH = 128


@dataclass(frozen=True, eq=False)
class Pool:
    """
    Prepared pictures.

    Attributes
    ----------
    pixels
        (row, channel, y, x).
    rms
        (row, channel): what noise of one sigma is in these units.
    names
        One each.
    ra, dec
        ICRS (deg); NaN where not known.
    bands
        Of the pictures.
    counts
        How many were read, could not be, lie near others or what is excluded.
    """

    pixels: Pixels
    rms: Pixels
    names: tuple[str, ...]
    ra: Floats
    dec: Floats
    bands: tuple[str, ...]
    counts: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.names)

    def select(self, chosen: Bools) -> Pool:
        """Some of them."""
        return replace(
            self,
            pixels=self.pixels[chosen],
            rms=self.rms[chosen],
            names=tuple(name for name, kept in zip(self.names, chosen, strict=True) if kept),
            ra=self.ra[chosen],
            dec=self.dec[chosen],
        )

    def without(self, ra: Floats, dec: Floats, apart: float) -> Pool:
        """What is left without pictures nearer than so many arcsec to some places; `unplaced` counts what has none."""
        near = near_to(self.ra, self.dec, ra, dec, apart)
        counts = {**self.counts, "excluded": self.counts.get("excluded", 0) + int(near.sum())}
        lost = int((~(np.isfinite(self.ra) & np.isfinite(self.dec))).sum())
        if lost and len(ra):
            counts["unplaced"] = lost
        return replace(self.select(~near), counts=counts)

    def pictures(self) -> PictureSet:
        """What a method learns from; where a picture has no noise, as one that was clipped, it is that of the others."""
        known = self.rms[self.rms > 0.0]
        usual = float(np.median(known)) if known.size else 0.0
        return PictureSet(self.pixels, {"rms": np.where(self.rms > 0.0, self.rms, usual).astype(np.float32)})

    def save(self, path: Path) -> None:
        """Keep it in a file, whole or not at all."""
        part = path.with_name(f"{path.name}.{os.getpid()}.part")  # others may prepare the same
        with part.open("wb") as file:
            np.savez(
                file,
                pixels=self.pixels,
                rms=self.rms,
                names=np.array(self.names),
                ra=self.ra,
                dec=self.dec,
                bands=np.array(self.bands),
                counts=np.array(json.dumps(dict(self.counts))),
            )
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> Pool:
        """What `save` kept."""
        with np.load(path, allow_pickle=False) as held:
            names, bands = (tuple(map(str, held[name])) for name in ("names", "bands"))
            counts = json.loads(str(held["counts"]))
            return cls(held["pixels"], held["rms"], names, held["ra"], held["dec"], bands, counts)

    @property
    def key(self) -> str:
        """The sha256 (hexadecimal) of what a method learns from."""
        return fingerprint((self.names, self.pixels, self.rms))


def pool_of(
    sources: Sequence[PictureSource],
    preparation: Preparation,
    *,
    same: float = 10.0,
    random_seed: int = 1,
    progress: Progress | None = None,
) -> Pool:
    """
    The pictures of some sets, prepared.

    Parameters
    ----------
    sources
        Sets of pictures with the same number of bands.
    preparation
        How pixels become what a network reads.
    same
        Of pictures that are nearer to each other (arcsec) the first is kept; 0 keeps all.
    random_seed
        What noise is drawn from, that its effect is measured with.
    progress
        Called as progress(stage, done, total).

    Raises
    ------
    UsageError
        Sets have other numbers of bands, or no picture can be read.
    """
    if len({len(each.bands) for each in sources}) > 1:
        raise UsageError(
            "sets of pictures have other numbers of bands",
            got=", ".join(str(len(each.bands)) for each in sources),
            todo="give sets with the same bands",
        )
    total, done = sum(map(len, sources)), 0
    pixels, rms, names, ra, dec = [], [], [], [], []
    bad = 0
    for number, source in enumerate(sources):
        good, start = source.good, 0
        place = positions(source.facts, len(source))
        for part in source.batches(_BATCH):
            rows = np.arange(start, start + len(part))
            seen = good[rows] & np.isfinite(part).any(axis=(1, 2, 3))
            if seen.any():
                chance = generator(random_seed, "rms", str(number), str(start))
                pixels.append(prepare(part[seen], preparation))
                rms.append(rms_of(part[seen], preparation, chance))
            bad += int((~seen).sum())
            names += [source.names[k] for k in rows[seen]]
            ra.append(place[0][rows[seen]])
            dec.append(place[1][rows[seen]])
            start += len(part)
            done += len(part)
            if progress is not None:
                progress("prepare", done, total)
    if not names:
        raise UsageError("no picture can be read", got=f"{total} pictures", allowed="one or more")
    pool = Pool(
        np.concatenate(pixels),
        np.concatenate(rms),
        tuple(names),
        np.concatenate(ra),
        np.concatenate(dec),
        tuple(sources[0].bands),
        {"read": total, "bad": bad},
    )
    if same <= 0.0:
        return pool
    double = _doubles(pool.ra, pool.dec, same)
    return replace(pool.select(~double), counts={**pool.counts, "double": int(double.sum())})


def positions(facts: Mapping[str, NDArray[Any]], n: int) -> tuple[Floats, Floats]:
    """Right ascensions and declinations among what is known of pictures; NaN where they are not."""
    try:
        ra, dec = (np.asarray(facts[name], np.float64) for name in ("ra", "dec"))
    except (KeyError, ValueError):
        return np.full(n, np.nan), np.full(n, np.nan)
    return ra, dec


def near_to(ra: Floats, dec: Floats, other_ra: Floats, other_dec: Floats, apart: float) -> Bools:
    """Which places are nearer than so many arcsec to one of others; those that are not known are not."""
    from scipy.spatial import KDTree  # late: heavy

    near = np.zeros(len(ra), np.bool_)
    known, there = np.isfinite(ra) & np.isfinite(dec), np.isfinite(other_ra) & np.isfinite(other_dec)
    if not known.any() or not there.any():
        return near
    tree = KDTree(unit_vectors(other_ra[there], other_dec[there]))
    found, _ = tree.query(unit_vectors(ra[known], dec[known]))
    near[known] = found < _chord(apart)
    return near


def _doubles(ra: Floats, dec: Floats, same: float) -> Bools:
    """Which places have an earlier one nearer than so many arcsec."""
    from scipy.spatial import KDTree  # late: heavy

    double = np.zeros(len(ra), np.bool_)
    rows = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    if len(rows) > 1:
        pairs = KDTree(unit_vectors(ra[rows], dec[rows])).query_pairs(_chord(same), output_type="ndarray")
        double[rows[pairs.max(axis=1)]] = True
    return double


def _chord(arcsec: float) -> float:
    return 2.0 * math.sin(math.radians(arcsec / 3600.0) / 2.0)
