"""python -m bench.morphology: the tags of segments, fitted to made shapes and tried on others.

Writes bench/morphology.md, and with --fit the coefficients, src/skysift/measure/tag_weights.py. Shapes of nine kinds, of
3 to 100 beam areas and a mean brightness of 1 to 30 sigma in a beam, are seen with a round beam in noise that
is correlated like it; their pixels are those above 1.5 to 3.5 sigma of a map that is smoothed with 0.7 to 1.5
beams, grown by up to 3 pixels, as finders differ in this. The logistic
is fitted to shapes drawn here and to sketches of radio galaxies; it is tried on others of these, and on the drawings
of `skysift simulate extended`, which it has never seen.
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import fft, ndimage, optimize

from skysift.measure.form import measure_forms
from skysift.measure.tags import REACH, TAGS, tag_features, tags
from skysift.sim.extended.drawings import drawing
from skysift.sim.morphology import sketch

HERE = Path(__file__).resolve().parent
FWHM = 5.0
SIGMA = FWHM / np.sqrt(8.0 * np.log(2.0))
AREA = 2.0 * np.pi * SIGMA**2
THRESHOLDS = (1.5, 3.5)  # sigma of the smoothed map
RIDGE = 2.0  # of the coefficients, in units of the standard deviation of the features
SIZES, BRIGHTNESSES = (3.0, 100.0), (1.0, 30.0)  # beam areas; sigma in a beam


def wave(t: np.ndarray, rng: np.random.Generator, terms: int = 4) -> np.ndarray:
    """A smooth random line of unit rms along t in 0 to 1."""
    k = np.arange(1, terms + 1)
    a, phase = rng.normal(size=terms) / k, rng.uniform(0, 2 * np.pi, terms)
    line = (a * np.sin(np.pi * k * t[..., None] * 1.7 + phase)).sum(axis=-1)
    return line / np.sqrt(0.5 * (1.0 / k**2).sum())


def cloud(size: int, slope: float, rng: np.random.Generator) -> np.ndarray:
    """A random field of unit rms with a power law as spectrum."""
    k = np.hypot(fft.fftfreq(size)[:, None], fft.fftfreq(size))
    k[0, 0] = np.inf
    field = fft.ifft2(
        fft.fft2(rng.standard_normal((size, size))) * np.maximum(k, 1.5 / size) ** (-slope / 2)
    ).real
    return (field - field.mean()) / field.std()


def stroke(x: np.ndarray, y: np.ndarray, line: np.ndarray, half: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Light along a line (k, 2) with a Gaussian profile across."""
    out = np.zeros(x.shape)
    for (a, b), s, w in zip(line, half, light, strict=True):
        out += w * np.exp(-((x - a) ** 2 + (y - b) ** 2) / (2 * s * s))
    return out


def curve(rng: np.random.Generator, swing: float, n: int = 60) -> np.ndarray:
    """A line of unit length about the origin whose heading swings."""
    t = np.linspace(0, 1, n)
    heading = swing * wave(t, rng, 3)
    line = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) / n
    return line - line.mean(axis=0)


def light_of(kind: str, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The brightness of a shape within the unit circle or so."""
    u = rng.uniform
    ratio = u(0.5, 1.0)
    r, turn = np.hypot(x, y / ratio), np.arctan2(y, x)
    if kind == "disc":
        return (r < 1) * (1 + u(-0.3, 0.3) * x + u(-0.15, 0.15) * np.clip(cloud(x.shape[0], 3, rng), -2, 2))
    if kind == "blob":
        ratio = u(0.35, 1.0)
        r = np.hypot(x, y / ratio)
        return np.exp(-((r / 0.5) ** (1 / u(0.4, 1.2))))
    if kind == "core-halo":
        if u() < 0.4:
            return np.exp(-8 * r ** (1 / u(2.5, 5.0)))
        core = np.exp(-(x**2 + y**2) / (2 * 0.06**2)) / 0.06**2
        off = u(-0.2, 0.2, 2)
        halo = np.exp(-((x - off[0]) ** 2 + ((y - off[1]) / ratio) ** 2) / (2 * 0.4**2)) / 0.4**2
        return u(0.2, 0.6) * core + halo / ratio
    if kind == "ring":
        ratio, wall = u(0.65, 1.0), u(0.12, 0.4)
        r, turn = np.hypot(x, y / ratio), np.arctan2(y / ratio, x)
        shape = (r < 1) * np.where(r > 1 - wall, 1.0, u(0.0, 0.35))
        bright = 1 + u(0, 0.45) * np.cos(turn - u(0, 6.28)) + u(0, 0.25) * wave(turn / 6.28 + 0.5, rng, 6)
        gap = np.cos(turn - u(0, 6.28)) > np.cos(np.pi * u(0.0, 0.18))
        return shape * np.clip(bright, 0.1, None) * np.where(gap, 0.1, 1.0)
    if kind == "arc":
        half, wall = np.radians(u(35, 115)), u(0.1, 0.4)
        r = np.hypot(x, y)
        taper = 1 - u(0, 0.6) * (turn / half) ** 2 + u(0, 0.25) * wave(turn / 6.28 + 0.5, rng, 6)
        return (r < 1) * (r > 1 - wall) * (np.abs(turn) < half) * np.clip(taper, 0.1, None)
    if kind == "filament":
        line = 1.8 * curve(rng, u(0.0, 0.7))
        t = np.linspace(0, 1, len(line))
        return stroke(
            x,
            y,
            line,
            u(0.04, 0.12) * np.clip(1 + 0.3 * wave(t, rng), 0.4, 2),
            np.clip(1 + 0.3 * wave(t, rng), 0.2, 3),
        )
    if kind == "double":
        tilt, f = u(-0.2, 0.2, 2), 10 ** rng.normal(0, 0.15)
        lobes = np.zeros(x.shape)
        for side, flux in ((1, f), (-1, 1 / f)):
            s, q, cx, cy = u(0.1, 0.24), u(0.6, 1.3), side * u(0.6, 0.85), tilt[(side + 1) // 2]
            if u() < 0.5:
                lobes += flux * np.exp(-((x - cx) ** 2 + ((y - cy) / q) ** 2) / (2 * s * s))
            else:
                lobes += flux * (np.hypot(x - cx, (y - cy) / q) < 1.5 * s)
        bridge = np.exp(-(y**2) / (2 * 0.08**2)) * (np.abs(x) < 0.7)
        core = np.exp(-(x**2 + y**2) / (2 * 0.05**2))
        if u() < 0.35:  # jets as bright as the lobes
            bend = np.radians(u(-20, 20))
            thin = u(0.05, 0.12)
            for side in (1, -1):
                a, b = (
                    side * (x * np.cos(bend) + side * y * np.sin(bend)),
                    y * np.cos(bend) - side * x * np.sin(bend),
                )
                lobes = np.maximum(lobes, u(0.5, 1.2) * (np.abs(b) < thin) * (a > 0) * (a < 0.75))
        return lobes + u(0, 0.5) * bridge * (u() < 0.5) + u(0, 2) * core * (u() < 0.5)
    if kind == "jet":
        line = 1.8 * curve(rng, u(0.0, 0.6))
        t = np.linspace(0, 1, len(line))
        head = 0.0 if u() < 0.5 else u(0.35, 0.65)
        away = np.abs(t - head) / max(head, 1 - head)
        light = np.exp(-away * u(1.5, 4)) * np.clip(1 + 0.2 * wave(t, rng), 0.2, 3)
        return stroke(x, y, line, u(0.04, 0.06) + u(0.03, 0.14) * away, light)
    field = cloud(x.shape[0], u(2.5, 3.5), rng)
    if u() < 0.5:
        return np.exp(u(0.9, 1.4) * field) * np.exp(-((x**2 + (y / ratio) ** 2) / 0.55**2))
    out = np.zeros(x.shape)
    for _ in range(rng.integers(3, 8)):
        cx, cy, s = u(-0.75, 0.75), u(-0.75, 0.75), u(0.1, 0.3)
        out += u(0.4, 1.5) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s * s))
    return out


def own_model(kind: str, area: float, rng: np.random.Generator) -> np.ndarray:
    """A shape of about so many beam areas seen with the beam."""
    n = 64
    y, x = (np.mgrid[:n, :n] + 0.5 - n / 2) / (n / 2) * 1.25
    angle = rng.uniform(0, 2 * np.pi)
    turned = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    light = light_of(kind, *turned, rng)
    share = np.sort(light.ravel())[::-1]
    covered = (np.searchsorted(np.cumsum(share), 0.9 * share.sum()) + 1) / n**2  # of the square
    side = np.sqrt(area * AREA / covered)
    size = int(np.clip(np.ceil(side), 8, 400))
    wide = ndimage.zoom(light, size / n, order=1)
    return ndimage.gaussian_filter(np.pad(wide, int(5 * SIGMA)), SIGMA)


def gaussian_model(parts: tuple[np.ndarray, ...], unit: float) -> np.ndarray:
    """Gaussians (x, y, share, xx, xy, yy) with a pixel of so many of their lengths, seen with the beam."""
    x, y, share, xx, xy, yy = parts
    x, y, xx, xy, yy = x / unit, y / unit, xx / unit**2 + SIGMA**2, xy / unit**2, yy / unit**2 + SIGMA**2
    reach = 4 * np.sqrt(np.maximum(xx, yy))
    x0, y0 = np.floor((x - reach).min()), np.floor((y - reach).min())
    v, u = np.mgrid[: int(np.ceil((y + reach).max() - y0)) + 1, : int(np.ceil((x + reach).max() - x0)) + 1]
    out, det = np.zeros(v.shape), xx * yy - xy * xy
    for k in np.flatnonzero(share > 0):
        dx, dy = u + x0 - x[k], v + y0 - y[k]
        q = (yy[k] * dx * dx - 2 * xy[k] * dx * dy + xx[k] * dy * dy) / det[k]
        out += share[k] / np.sqrt(det[k]) * np.exp(-0.5 * q)
    return out


def sketch_model(kind: str, area: float, rng: np.random.Generator) -> np.ndarray:
    """A sketched radio galaxy of about so many beam areas."""
    drawn = sketch(kind, 1, rng)
    cov = [each[0] for each in drawn.covariance()]
    core = rng.uniform(0.0, 0.1)
    parts = (drawn.x[0], drawn.y[0], (1 - core) * drawn.flux[0], *cov)
    parts = tuple(np.append(each, value) for each, value in zip(parts, (0, 0, core, 0, 0, 0), strict=True))
    return gaussian_model(parts, 2.0 / np.sqrt(6.0 * area * AREA))


def drawn_model(kind: str, area: float, rng: np.random.Generator) -> np.ndarray:
    """One of the drawings of `skysift simulate extended`."""
    beam = FWHM
    shape = drawing(kind, area * AREA, float(np.sqrt(6.0 * area * AREA)), beam, rng).shape
    return gaussian_model((shape.east, shape.north, shape.share, shape.ee, shape.en, shape.nn), 1.0)


def observe(
    model: np.ndarray,
    brightness: float,
    rng: np.random.Generator,
    wide: float = 0.0,
    sigmas: float = 0.0,
    grown: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """The map of a model of that mean brightness within its isophote of 90 %, and the pixels found of it.

    They are those above so many sigma of a map smoothed with a Gaussian so wide (pixels), grown by some pixels; drawn at
    random where `wide` is 0.
    """
    sorted_ = np.sort(model.ravel())[::-1]
    n = int(np.searchsorted(np.cumsum(sorted_), 0.9 * sorted_.sum())) + 1
    model = np.pad(model * brightness / sorted_[:n].mean(), 6)
    level = sorted_[n - 1] * brightness / sorted_[:n].mean()
    noise = (
        ndimage.gaussian_filter(rng.standard_normal(model.shape), SIGMA, mode="wrap")
        * 2
        * np.sqrt(np.pi)
        * SIGMA
    )
    data = model + noise
    if not wide:
        wide, sigmas, grown = SIGMA * rng.uniform(0.7, 1.5), rng.uniform(*THRESHOLDS), int(rng.integers(0, 4))
    seen = ndimage.gaussian_filter(data, wide) > sigmas * SIGMA / np.hypot(SIGMA, wide)
    if grown:
        seen = ndimage.binary_dilation(seen, iterations=grown)
    labels, count = ndimage.label(seen, np.ones((3, 3)))
    inside = np.bincount(labels[model >= level], minlength=count + 1)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    mine = np.flatnonzero(inside > 0.3 * sizes)
    return data, np.isin(labels, mine[mine > 0])


def measured(maker, kind: str, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Rows of n found shapes of a kind, and their brightness."""
    rows, bright = [], []
    while len(rows) < n:
        area = SIZES[0] * (SIZES[1] / SIZES[0]) ** rng.uniform()
        brightness = BRIGHTNESSES[0] * (BRIGHTNESSES[1] / BRIGHTNESSES[0]) ** rng.uniform()
        data, mask = observe(maker(kind, area, rng), brightness, rng)
        if mask.sum() < AREA:
            continue
        data = data.astype(np.float32)
        found = measure_forms(
            data, np.zeros_like(data), np.ones_like(data), mask.astype(np.int32), 0, 0, np.array([1]),
            np.array([SIGMA**2, 0.0, SIGMA**2]),
        )  # fmt: skip
        rows.append(found.rows[0])
        bright.append(brightness)
    return np.array(rows), np.array(bright)


SKETCHES = {"FRII": "double", "FRI": "jet", "head-tail": "jet", "halo": "blob", "one-sided": "jet"}


def sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, numbers of tags and brightnesses of shapes of all kinds."""
    rng = np.random.default_rng(seed)
    parts = [(own_model, tag, tag, n) for tag in TAGS]
    parts += [(sketch_model, kind, tag, n // 3) for kind, tag in SKETCHES.items()]
    rows, truth, bright = [], [], []
    for maker, kind, tag, many in parts:
        found, brightness = measured(maker, kind, many, rng)
        rows.append(found)
        bright.append(brightness)
        truth.append(np.full(many, TAGS.index(tag)))
    return np.concatenate(rows), np.concatenate(truth), np.concatenate(bright)


def fit(rows: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and scale of the features, and the coefficients (tag, 1 + feature) of the logistic."""
    features = tag_features(rows)
    mean, scale = features.mean(axis=0), features.std(axis=0)
    z = np.column_stack([np.ones(len(rows)), np.clip((features - mean) / scale, -REACH, REACH)])
    hot = np.eye(len(TAGS))[truth]
    weight = 1.0 / np.bincount(truth, minlength=len(TAGS))[truth]
    weight *= len(rows) / weight.sum()

    def loss(flat):
        w = flat.reshape(len(TAGS), -1)
        a = z @ w.T
        a -= a.max(axis=1, keepdims=True)
        log = a - np.log(np.exp(a).sum(axis=1, keepdims=True))
        slope = (weight[:, None] * (np.exp(log) - hot)).T @ z
        return -(weight * (hot * log).sum(axis=1)).sum() + 0.5 * RIDGE * (w[:, 1:] ** 2).sum(), (
            slope + RIDGE * np.column_stack([np.zeros(len(TAGS)), w[:, 1:]])
        ).ravel()

    best = optimize.minimize(
        loss, np.zeros(len(TAGS) * z.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": 3000}
    )
    return mean, scale, best.x.reshape(len(TAGS), -1)


def write_weights(seed: int) -> None:
    """Fit, and write the coefficients into the package."""
    rows, truth, _ = sample(1200, seed)
    mean, scale, weights = fit(rows, truth)

    def lines(values: np.ndarray, indent: str) -> str:
        out, line = [], indent
        for value in values:
            text = f"{value:.4g}, "
            if len(line) + len(text) > 105:
                out.append(line.rstrip())
                line = indent
            line += text
        return "\n".join([*out, line.rstrip()])

    text = [
        '"""The logistic that `skysift.measure.tags` tells shapes by, as bench/morphology.py fits and writes it."""',
        "",
    ]
    text += ["import numpy as np", "", "# fmt: off", f"TAGS = {TAGS!r}".replace("'", '"')]
    text += [
        f"MEAN = np.array([\n{lines(mean, '    ')}\n])",
        f"SCALE = np.array([\n{lines(scale, '    ')}\n])",
    ]
    rows_text = "\n".join(
        f"    [  # {tag}\n{lines(row, '        ')}\n    ]," for tag, row in zip(TAGS, weights, strict=True)
    )
    text += [
        "# a constant, then one for each feature",
        f"WEIGHTS = np.array([\n{rows_text}\n])",
        "# fmt: on",
        "",
    ]
    (HERE.parent / "src" / "skysift" / "measure" / "tag_weights.py").write_text("\n".join(text))


def confusion(truth: list[str], said: list[str]) -> str:
    """A table: what each shape was taken for, in per cent."""
    names = list(dict.fromkeys(truth))
    lines = ["| made | " + " | ".join(TAGS) + " |", "|---" * (len(TAGS) + 1) + "|"]
    for name in names:
        mine = [each for made, each in zip(truth, said, strict=True) if made == name]
        shares = [100.0 * mine.count(tag) / len(mine) for tag in TAGS]
        lines.append(
            f"| {name} | " + " | ".join(f"{share:.0f}" if share >= 0.5 else "" for share in shares) + " |"
        )
    return "\n".join(lines)


def results(seed: int, n: int = 200) -> str:
    """Both tables."""
    rows, truth, bright = sample(n, seed)
    names, score = tags(rows)
    right = names == np.array(TAGS)[truth]
    made = [TAGS[each] for each in truth]
    clear = bright >= 5.0
    lines = [
        "## Tags of shapes",
        "",
        (__doc__ or "").split("tag_weights.py. ", 1)[1].replace("\n", " ").strip(),
        "",
    ]
    each, faint = 100 * right.mean(), 100 * right[~clear].mean()
    cuts = [(cut, score > cut) for cut in (0.5, 0.7, 0.9)]
    lines += [
        f"Of {len(right)} shapes of the kinds that the logistic was fitted to, {each:.0f} % get their own tag: "
        f"{100 * right[clear].mean():.0f} % of those of 5 sigma a beam or more, {faint:.0f} % of the fainter. "
        f"The mean score is {score.mean():.2f}. "
        + " ".join(
            f"Of scores above {cut} ({100 * high.mean():.0f} % of all) {100 * right[high].mean():.0f} % are right."
            for cut, high in cuts
        ),
        "",
        "In per cent of a row, all brightnesses:",
        "",
        confusion(made, names.tolist()),
        "",
        "Of 5 sigma a beam or more:",
        "",
        confusion([m for m, c in zip(made, clear, strict=True) if c], names[clear].tolist()),
        "",
        "Drawings of `skysift simulate extended`, which it was not fitted to, of 5 sigma a beam or more and below:",
        "",
    ]
    rng = np.random.default_rng(seed + 1)
    said: dict[bool, tuple[list[str], list[str]]] = {True: ([], []), False: ([], [])}
    for kind in ("disc", "ring", "arc", "ellipse", "sersic", "jet"):
        found, brightness = measured(drawn_model, kind, n, rng)
        for name, one in zip(tags(found)[0].tolist(), brightness, strict=True):
            said[bool(one >= 5.0)][0].append(kind)
            said[bool(one >= 5.0)][1].append(name)
    lines += [confusion(*said[True]), "", confusion(*said[False]), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fit", action="store_true", help="fit and write the coefficients first")
    parser.add_argument("--seed", type=int, default=20)
    given = parser.parse_args()
    if given.fit:
        write_weights(given.seed)
    else:
        (HERE / "morphology.md").write_text(results(given.seed + 1))
