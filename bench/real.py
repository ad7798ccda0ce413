"""python -m bench.real: skysift on real maps, as Markdown.

Against the catalogues that other finders made of two maps; islands of nearly empty maps and of their
inverses; points injected into source-free places of real maps. The maps are found by SKYSIFT_DATA or in
../shared/data.
"""

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

import skysift
from bench.peers.score import one_to_one, pull
from bench.peers.tables import table
from skysift.base.registry import Registry
from skysift.find.run import search
from skysift.sky.image import ArraySource, SkyImage

ROOT = Path(__file__).resolve().parents[1]
SEED = 5
REFERENCES = (
    ("PyBDSF_ch0_I", "PyBDSF_ref.gaul.FITS", "components", "PyBDSF Gaussians"),
    ("PyBDSF_ch0_I", "PyBDSF_ref.srl.FITS", "sources", "PyBDSF sources"),
    ("Aegean_1904-66_SIN", "Aegean_1904_comp.fits", "components", "Aegean components"),
)
COLUMNS = {  # theirs: PyBDSF's name, Aegean's name
    "ra": ("RA", "ra"),
    "dec": ("DEC", "dec"),
    "peak": ("Peak_flux", "peak_flux"),
    "total": ("Total_flux", "int_flux"),
    "rms": ("Isl_rms", "local_rms"),
}
EMPTY = ("AMI-LA_GRB120422A", "AMI-LA_SWIFT554620_17GHz", "LOFAR_GRB201006A_144MHz")
INJECTED = {  # realisations, so that every bin holds 400
    "SUMSS_J0318M36": 4,
    "SUMSS_J0336M36": 4,
    "SUMSS_J0320M40": 4,
    "LOFAR_GRB201006A_144MHz": 80,
}
SNR_BINS = (7, 10, 20, 50, 100)


def continuum() -> Path:
    """The folder of real continuum maps."""
    folder = Path(os.environ.get("SKYSIFT_DATA", ROOT.parent / "shared" / "data")) / "continuum"
    if not folder.is_dir():
        raise SystemExit(f"no real maps in {folder}; set SKYSIFT_DATA to the folder that holds continuum/")
    return folder


def read_reference(path: Path) -> dict[str, np.ndarray]:
    """Another finder's catalogue in common columns."""
    from astropy.table import Table

    t = Table.read(path)
    pick = {k: next(n for n in names if n in t.colnames) for k, names in COLUMNS.items()}
    return {k: np.asarray(t[v], float) for k, v in pick.items()}


def pairs_within(ax, ay, bx, by, radius: float) -> np.ndarray:
    """Index pairs closer than the radius, nearest first."""
    near = cKDTree(np.c_[bx, by]).query_ball_point(np.c_[ax, ay], radius)
    pairs = [(np.hypot(ax[i] - bx[j], ay[i] - by[j]), i, j) for i, found in enumerate(near) for j in found]
    return np.array([(i, j) for _, i, j in sorted(pairs)], int).reshape(-1, 2)


def against(stem: str, reference: str, name: str, title: str) -> str:
    """Matches, misses and extras against one reference catalogue."""
    folder = continuum()
    image = skysift.open(folder / f"{stem}.fits")
    ours = getattr(skysift.find(image, "classic", seed=SEED), name)
    theirs = read_reference(folder / reference)
    x, y = image.frame.to_pixel(theirs["ra"], theirs["dec"])
    radius = 0.5 * np.sqrt(np.prod(image.frame.beam_pixels(image.beam)))
    if len(ours):
        pairs = pairs_within(x, y, ours["x"], ours["y"], radius)
    else:
        pairs = np.zeros((0, 2), int)
    match = one_to_one(pairs, len(x), np.ones(len(ours), bool))
    found, extra = match >= 0, np.setdiff1d(np.arange(len(ours)), match)
    counts = f"{int(found.sum())} matched within {radius:.1f} px (half a beam), {int((~found).sum())} missed"
    text = [f"#### {stem} against {len(x)} {title}\n", f"{len(ours)} {name}; {counts}, {len(extra)} extra.\n"]
    if found.any():
        for quantity, mine in (("peak", "flux_peak"), ("total", "flux"), ("rms", "rms")):
            ratio = ours[mine][match[found]] / theirs[quantity][found]
            low, mid, high = np.percentile(ratio, (16, 50, 84))
            text.append(f"- {quantity}, ours over theirs: median {mid:.3f}, 16-84 % {low:.3f}-{high:.3f}")
        text.append("")
    rows = []
    for i in np.flatnonzero(~found):
        distance = np.hypot(ours["x"] - x[i], ours["y"] - y[i]).min() if len(ours) else np.nan
        snr = theirs["peak"][i] / theirs["rms"][i]
        rows.append(
            ["missed", f"{x[i]:.1f}", f"{y[i]:.1f}", f"{snr:.1f}", f"nearest of ours {distance:.1f} px"]
        )
    for j in extra:
        distance = np.hypot(x - ours["x"][j], y - ours["y"][j]).min()
        note = f"nearest of theirs {distance:.1f} px, flags {int(ours['flags'][j])}"
        rows.append(["extra", f"{ours['x'][j]:.1f}", f"{ours['y'][j]:.1f}", f"{ours['snr'][j]:.1f}", note])
    return "\n".join([*text, table(["", "x", "y", "S/N", "note"], rows) if rows else ""])


def with_pixels(image: SkyImage, data: np.ndarray) -> SkyImage:
    """The same image with other pixels (Jy/beam)."""
    return replace(image, pixels=ArraySource(data.astype(np.float32)), factor=1.0, origin=None)


def empty_fields() -> str:
    """Islands of nearly empty maps and of their inverses."""
    rows, listing = [], []
    for stem in EMPTY:
        image = skysift.open(continuum() / f"{stem}.fits")
        positive = skysift.find(image, "classic", seed=SEED).islands
        negative = skysift.find(with_pixels(image, -image.read()), "classic", seed=SEED).islands
        rows.append([stem, len(positive), len(negative)])
        for sign, islands in (("+", positive), ("-", negative)):
            for k in np.argsort(-islands["snr"]):
                numbers = [f"{islands[c][k]:.1f}" for c in ("x", "y", "snr", "n_beams")]
                listing.append([stem, sign, *numbers])
    text = table(["map", f"islands at seed {SEED}", "of the inverted map"], rows)
    return text + "\n" + table(["map", "sign", "x", "y", "S/N", "beams"], listing)


def free_places(image: SkyImage, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions (x, y) far from sources, blanks and each other, and the local rms there."""
    finding = search(image, Registry("finder").make("classic", seed=SEED), workers=1)
    box = image.box
    data = image.read()
    rms, background = finding.read("rms", box), finding.read("background", box)
    with np.errstate(invalid="ignore"):
        taken = ~np.isfinite(data) | ~(data - background < 4 * rms) | (finding.read("labels", box) > 0)
    taken[[0, -1], :] = True
    taken[:, [0, -1]] = True
    beam = float(np.sqrt(np.prod(image.frame.beam_pixels(image.beam))))
    free = distance_transform_edt(~taken) > 3 * beam
    y, x = np.nonzero(free)
    order = rng.permutation(len(x))
    chosen: list[int] = []
    used = np.zeros(image.shape, bool)
    apart = int(np.ceil(8 * beam))
    for k in order:
        if not used[y[k], x[k]]:
            chosen.append(k)
            used[max(0, y[k] - apart) : y[k] + apart + 1, max(0, x[k] - apart) : x[k] + apart + 1] = True
    x, y = x[chosen], y[chosen]
    return x + rng.uniform(-0.5, 0.5, len(x)), y + rng.uniform(-0.5, 0.5, len(y)), rms[y, x].astype(float)


def inject(image: SkyImage, x: np.ndarray, y: np.ndarray, peak: np.ndarray) -> SkyImage:
    """The image with beam-shaped sources added, sampled at pixel centres."""
    data = image.read().astype(float)
    cov = image.frame.beam_covariance(image.beam, x, y)
    for k, (xx, xy, yy) in enumerate(cov):
        h = int(np.ceil(6 * np.sqrt(max(xx, yy)))) + 1
        x0, y0 = round(x[k]), round(y[k])
        xs = np.arange(max(0, x0 - h), min(data.shape[1], x0 + h + 1))
        ys = np.arange(max(0, y0 - h), min(data.shape[0], y0 + h + 1))
        dx, dy = xs[None, :] - x[k], ys[:, None] - y[k]
        q = (yy * dx**2 - 2 * xy * dx * dy + xx * dy**2) / (xx * yy - xy**2)
        data[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1] += peak[k] * np.exp(-0.5 * q)
    return with_pixels(image, data)


def injections() -> str:
    """Pulls of points injected into real maps; aim: half of the 16-84 % width in 0.8-1.25."""
    rows = []
    for stem, realisations in INJECTED.items():
        image = skysift.open(continuum() / f"{stem}.fits")
        radius = 0.5 * np.sqrt(np.prod(image.frame.beam_pixels(image.beam)))
        snrs, missed = [], 0
        values: dict[str, list[np.ndarray]] = {"peak": [], "flux": [], "position": []}
        for k in range(realisations):
            rng = np.random.default_rng([k, *stem.encode()])
            x, y, rms = free_places(image, rng)
            low = rng.integers(len(SNR_BINS) - 1, size=len(x))  # as many in every bin
            snr = rng.uniform(np.take(SNR_BINS, low), np.take(SNR_BINS, low + 1))
            ours = skysift.find(inject(image, x, y, snr * rms), "classic", seed=SEED).components
            pairs = pairs_within(x, y, ours["x"], ours["y"], radius)
            match = one_to_one(pairs, len(x), np.ones(len(ours), bool))
            found = match >= 0
            missed += int((~found).sum())
            j, truth = match[found], (snr * rms)[found]
            snrs.append(snr[found])
            values["peak"].append((ours["flux_peak"][j] - truth) / ours["flux_peak_err"][j])
            values["flux"].append((ours["flux"][j] - truth) / ours["flux_err"][j])
            d = [(ours[c][j] - t[found]) / ours[f"{c}_err"][j] for c, t in (("x", x), ("y", y))]
            values["position"].append(np.stack(d, 1))
        s = np.concatenate(snrs)
        for quantity, parts in values.items():
            v = np.concatenate(parts)
            row = [stem, quantity]
            for lo, hi in pairwise(SNR_BINS):
                p = pull(v[(s >= lo) & (s < hi)].ravel())
                mark = "" if 0.8 <= p.width <= 1.25 else " *"
                row.append(f"{p.width:.2f}, {p.median:+.2f}, {p.beyond:.1%} ({p.n}){mark}")
            rows.append([*row, missed])
    names = [f"{lo}-{hi}" for lo, hi in pairwise(SNR_BINS)]
    return table(["map", "pull of", *names, "missed"], rows)


def report() -> str:
    """All tables on real maps."""
    parts = ["### Against the catalogues of other finders\n", *(against(*r) for r in REFERENCES)]
    parts += ["### Nearly empty maps\n", empty_fields()]
    note = "Half of the 16-84 % width, median, share beyond 5, (n); `*`: width outside 0.8-1.25.\n"
    return "\n".join([*parts, "### Points injected into source-free places\n", note, injections()])


if __name__ == "__main__":
    print(report())
