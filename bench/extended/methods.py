"""The finders that are compared, and what each of them found: masks, fluxes, errors, and what is extended."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from bench.extended.skies import Sky
from bench.peers import run
from bench.peers.cost import measure

HERE = Path(__file__).resolve().parent
LARGE = 3.0  # beam areas: smaller islands are not extended
TIMEOUT = 1800.0  # s, of one finder on one map


@dataclass(frozen=True)
class Method:
    """A finder with options, and which of its islands are taken for extended sources.

    Parameters
    ----------
    label
        What it is called in the tables.
    finder
        Name in the index of skysift, or ``bdsf``.
    settings
        What is set, ``name=value`` each.
    chosen
        Where it has no extended sources of its own: ``large``, islands above 3 beam areas; ``resolved``, those of
        them that are not one unresolved component.
    """

    label: str
    finder: str
    settings: tuple[str, ...] = ()
    chosen: str = "all"

    @property
    def name(self) -> str:
        """The folder of its products: methods that differ only in what they choose share it."""
        return "-".join([self.finder, *(each.replace("/", "_") for each in self.settings)]).replace(" ", "")

    def folder(self, sky: Sky) -> Path:
        """Where its products on a map lie."""
        return sky.folder / self.name

    def run(self, sky: Sky, again: bool = False) -> dict:
        """Its cost on a map; run unless it was before."""
        folder, record = self.folder(sky), self.folder(sky) / "cost.json"
        if record.exists() and not again:
            return json.loads(record.read_text())
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        if self.finder == "bdsf":
            python = run.VENVS / "bdsf" / "bin" / "python"
            command = [str(python), str(HERE / "pybdsf.py"), str(sky.path), str(folder), *self.settings]
        else:
            flags = [word for each in self.settings for word in ("--set", each)]
            command = run.command_of_ours(sky.path, folder / "products", "--finder", self.finder, *flags)
            command += ["--no-report", "--maps", "labels", "--format", "fits"]
        cost = measure(command, record, env=run.environment(), timeout=TIMEOUT)
        state = (
            f"failed, see {record.with_suffix('.log')}" if cost["returncode"] else f"{cost['cpu_s']} CPU s"
        )
        print(f"{sky.folder.name} {self.name}: {state}", flush=True)
        return cost

    def warm_up(self) -> None:
        """Fill the cache of compiled kernels, so that no measured run compiles."""
        if self.finder != "bdsf":
            small = Sky("extragalactic", 1, 300)
            small.make()
            self.run(small, again=True)

    def found(self, sky: Sky) -> "Found":
        """What it found on a map, extended sources only."""
        if self.finder == "bdsf":
            return found_by_bdsf(self.folder(sky), sky)
        return found_by_us(self.folder(sky) / "products", sky, self.chosen)


@dataclass(frozen=True)
class Found:
    """Extended sources that were found.

    Parameters
    ----------
    masks
        (source, pixel of the flattened map), true where a pixel belongs to the source.
    flux, error
        Jy.
    """

    masks: sparse.csr_matrix
    flux: np.ndarray
    error: np.ndarray


def rows_of_pixels(label: np.ndarray, pixel: np.ndarray, n: int, size: int) -> sparse.csr_matrix:
    """The matrix that is true where pixel `pixel[i]` belongs to row `label[i]`."""
    ones = np.ones(label.size, dtype=np.int64)
    matrix = sparse.csr_matrix((ones, (label, pixel)), shape=(n, size))
    matrix.data[:] = 1
    return matrix


def found_by_us(folder: Path, sky: Sky, chosen: str) -> Found:
    """What skysift found: its extended sources (structure E) where it has any, else its islands."""
    from astropy.io import fits
    from astropy.table import Table

    labels = fits.getdata(folder / "labels.fits").squeeze().ravel()
    names = [
        name for name in ("islands", "sources", "components", "joins") if (folder / f"{name}.fits").exists()
    ]
    tables = {name: Table.read(folder / f"{name}.fits") for name in names}
    n = int(max(labels.max(), np.max(tables["islands"]["island_id"], initial=0)))
    pixel = np.flatnonzero(labels)
    masks = rows_of_pixels(labels[pixel] - 1, pixel, n, labels.size)
    if "parent_id" in tables["sources"].colnames:
        return segments(tables, masks, sky)
    return islands(tables, masks, chosen)


def segments(tables: dict, masks: sparse.csr_matrix, sky: Sky) -> Found:
    """Extended sources and their pixels; a compact source on top of one that is no compact source of the sky is its own.

    The core of a jet or of a Sersic profile may be a source of its own: its flux is the extended source's, too, unless a
    true compact source lies within half a beam.
    """
    s = tables["sources"]
    kind, parent = np.asarray(s["structure"]).astype(str), np.asarray(s["parent_id"])
    rows = np.flatnonzero(np.char.strip(kind) == "E")
    at = np.stack([np.asarray(s["x"], float), np.asarray(s["y"], float)], axis=1)
    truth = sky.truth.sources
    other = truth["object_type"] != "extended"
    flux, variance = (np.nan_to_num(np.asarray(s[name], float)) for name in ("flux", "flux_err"))
    variance = variance**2
    beam = float(np.sqrt(np.prod(sky.truth.frame.beam_pixels(sky.truth.beam))))
    own = parent > 0
    if other.any():
        away = cKDTree(np.stack([truth["x"][other], truth["y"][other]], axis=1)).query(at)[0]
        own &= away > 0.5 * beam
    number = {int(k): i for i, k in enumerate(np.asarray(s["source_id"]))}
    whole = np.array([number.get(int(k), i) for i, k in enumerate(np.where(own, parent, 0))], dtype=np.int64)
    whole = np.where(own, whole, np.arange(len(s)))
    total, spread = (np.bincount(whole, values, len(s)) for values in (flux, variance))
    belongs = islands_of(tables, masks.shape[0])
    pixels = (belongs @ masks).tocsr()
    pixels.data[:] = 1
    return Found(pixels[rows], total[rows], np.sqrt(spread[rows]))


def islands_of(tables: dict, n: int) -> sparse.csr_matrix:
    """(row of the sources, island): the first island of each source, and those of the parts that were joined to it."""
    s = tables["sources"]
    number = {int(k): i for i, k in enumerate(np.asarray(s["source_id"]))}
    pairs = list(zip(np.asarray(s["source_id"]), np.asarray(s["island_id"]), strict=True))
    if "joins" in tables:
        t = tables["joins"][np.asarray(tables["joins"]["joined"], bool)]
        for side in "12":
            pairs += zip(np.asarray(t[f"source_id_{side}"]), np.asarray(t[f"island_id_{side}"]), strict=True)
    kept = sorted({(number[int(k)], int(i) - 1) for k, i in pairs if i > 0})
    row, island = np.array(kept, dtype=np.int64).reshape(-1, 2).T
    return sparse.csr_matrix((np.ones(row.size, dtype=np.int64), (row, island)), shape=(len(s), n))


def islands(tables: dict, masks: sparse.csr_matrix, chosen: str) -> Found:
    """Islands, those of one source together, with the sums of their pixels."""
    table, n = tables["islands"], masks.shape[0]
    if not n:
        return Found(masks, np.empty(0), np.empty(0))
    group = groups(tables, n)
    row = np.asarray(table["island_id"]) - 1
    merged = sparse.csr_matrix((np.ones(n, dtype=np.int64), (group, np.arange(n)))) @ masks
    merged.data[:] = 1
    many = merged.shape[0]
    beams, flux, variance = (
        np.bincount(group[row], np.nan_to_num(np.asarray(values, float)), many)
        for values in (table["n_beams"], table["flux_int"], np.asarray(table["flux_int_err"], float) ** 2)
    )
    c = tables["components"]
    at = group[np.asarray(c["island_id"]) - 1]
    plain = (np.bincount(at, minlength=many) == 1) & ~np.bincount(
        at, np.asarray(c["resolved"], bool), many
    ).astype(bool)
    keep = np.bincount(group[row], minlength=many) > 0
    if chosen in ("large", "resolved"):
        keep &= beams > LARGE
    if chosen == "resolved":
        keep &= ~plain
    return Found(merged[keep], flux[keep], np.sqrt(variance[keep]))


def groups(tables: dict, n: int) -> np.ndarray:
    """The object of each island: islands that one source has components in belong together."""
    source, island = (np.asarray(tables["components"][name]) for name in ("source_id", "island_id"))
    top = int(np.max(source, initial=0))
    links = sparse.csr_matrix((np.ones(source.size), (island - 1, source - 1 + n)), shape=(n + top, n + top))
    group = connected_components(links, directed=False)[1][:n]
    return np.unique(group, return_inverse=True)[1]


def found_by_bdsf(folder: Path, sky: Sky) -> Found:
    """Islands of PyBDSF: the Gaussians of each painted together and cut at 1 sigma, above 3 beam areas.

    What is one Gaussian whose own width is below half a beam is left out.
    """
    from skysift.measure.gaussian import paint_gaussians

    shape, beam = sky.truth.frame.shape, sky.truth.frame.beam_area_pixels(sky.truth.beam)
    t = np.load(folder / "gaussians.npz")
    masks, flux, error = [], [], []
    for island in np.unique(t["island"]):
        own = t["island"] == island
        g = np.ascontiguousarray(np.stack([t[k][own] for k in ("peak", "x", "y", "xx", "xy", "yy")], axis=1))
        if own.sum() == 1 and not t["wide"][own][0] > 0.5 * sky.truth.beam.minor:
            continue
        reach = 6.5 * np.sqrt(np.maximum(g[:, 3], g[:, 5]))
        y0, x0 = (max(int((g[:, k] - reach).min()), 0) for k in (2, 1))
        y1, x1 = (min(int((g[:, k] + reach).max()) + 1, shape[a]) for k, a in ((2, 0), (1, 1)))
        if y1 <= y0 or x1 <= x0:
            continue
        image = np.zeros((y1 - y0, x1 - x0))
        paint_gaussians(g, y0, x0, image)
        y, x = np.nonzero(image > t["rms"][own][0])
        if y.size <= LARGE * beam:
            continue
        masks.append((y + y0) * shape[1] + x + x0)
        flux.append(t["total"][own].sum())
        error.append(np.sqrt((t["e_total"][own] ** 2).sum()))
    label = np.repeat(np.arange(len(masks)), [each.size for each in masks])
    pixels = np.concatenate([np.empty(0, np.int64), *masks])
    matrix = rows_of_pixels(label.astype(np.int64), pixels, len(masks), shape[0] * shape[1])
    return Found(matrix, np.array(flux), np.array(error))


def methods(named: list[str] | None) -> list[Method]:
    """What is compared: the finders asked for, or all of ours, plain thresholding and PyBDSF.

    Parameters
    ----------
    named
        ``finder`` or ``finder:name=value,name=value`` each; of ours, all that they find counts as extended.
    """
    from skysift.base.registry import Registry

    simple = [
        Method("islands > 3 beams", "classic", ("seed=5", "grow=3"), "large"),
        Method("islands > 3 beams, resolved", "classic", ("seed=5", "grow=3"), "resolved"),
    ]
    peers = [Method("PyBDSF atrous", "bdsf", ("rms_map=auto",))]
    constant = [Method("PyBDSF atrous, one rms", "bdsf", ("rms_map=constant",))]
    if named:
        known = {"threshold": simple, "bdsf": peers, "bdsf-constant": constant}
        chosen = []
        for each in named:
            finder, _, settings = each.partition(":")
            own = Method(each, finder, tuple(filter(None, settings.split(","))))
            chosen += known.get(finder, [own])
        return chosen
    registry = Registry("finder")
    ours = [Method(name, name) for name in ("extended", "full") if name in registry.names()]
    if ours:
        default = registry.options("extended")().method
        alone = [name for name in Registry("segmenter").names() if name != default]
        ours += [Method(f"extended, {name} alone", "extended", (f"method={name}",)) for name in alone]
    return ours + simple + peers
