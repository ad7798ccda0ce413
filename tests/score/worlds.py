"""Small truths and catalogues that know of each other, for tests of scores."""

import numpy as np

from skysift.sky import schema
from skysift.sky.beam import Beam
from skysift.sky.catalogue import Catalogue
from skysift.sky.detections import Detections, Footprints
from skysift.sky.frame import Frame
from skysift.sky.schema import Column
from skysift.sky.table import Table
from skysift.sky.truth import Truth

BEAM = Beam(6.0, 6.0)
RMS = 1e-5
SCALE = 1.5  # arcsec a pixel


def frame(side=1000, ra=150.0, dec=-30.0):
    cards = {
        "CTYPE1": "RA---SIN",
        "CTYPE2": "DEC--SIN",
        "CRVAL1": ra,
        "CRVAL2": dec,
        "CRPIX1": side / 2,
        "CRPIX2": side / 2,
        "CDELT1": -SCALE / 3600,
        "CDELT2": SCALE / 3600,
    }
    return Frame.from_cards(cards, (side, side))


def table(kind="sources", extra=(), **columns):
    """A table of these columns; all others are NaN, 0, false or empty."""
    n = len(next(iter(columns.values())))
    blank = {"float64": np.nan, "int64": 0, "bool": False, "str": ""}
    filled = {each.name: np.full(n, blank[each.dtype]) for each in (*schema.columns(kind), *extra)}
    filled[{"sources": "source_id", "components": "component_id", "islands": "island_id"}[kind]] = np.arange(
        1, n + 1
    )
    return Table(kind, filled | {name: np.asarray(values) for name, values in columns.items()}, tuple(extra))


def catalogue(**tables):
    return Catalogue(
        *(tables.get(kind) or Table.empty(kind) for kind in ("islands", "sources", "components"))
    )


def sources(place, x, y, snr, *, size=0.0, classes=None, extra=(), **more):
    """A table of sources at pixels of a frame, as a truth or a perfect finder has them."""
    x, y, snr = (np.asarray(each, dtype=float) for each in (x, y, snr))
    size = np.broadcast_to(np.asarray(size, dtype=float), x.shape)
    ra, dec = place.to_sky(x, y)
    fwhm = np.hypot(size, BEAM.major)
    peak = snr * RMS
    flux = peak * (fwhm / BEAM.major) ** 2
    columns = {
        "x": x,
        "y": y,
        "ra": ra,
        "dec": dec,
        "flux_peak": peak,
        "flux_int": flux,
        "flux": flux,
        "major": fwhm,
        "minor": fwhm,
        "pa": np.zeros(x.size),
        "major_deconv": size,
        "minor_deconv": size,
        "pa_deconv": np.zeros(x.size),
        "rms": np.full(x.size, RMS),
        "snr": snr,
        "structure": np.full(x.size, "S"),
    }
    if classes is not None:
        columns["class"] = np.asarray(classes)
        extra = (*extra, *schema.further("sources", "class"))
    return table("sources", extra, **columns | more)


def truth_of(rows, place, *, masks=True):
    """The truth of a table of sources, with square masks of 5 pixels."""
    detections = squares(rows, 2) if masks else Detections.empty()
    return Truth(catalogue(sources=rows), detections, place, BEAM, 1.4e9)


def squares(rows, half):
    """Detections of squares of 2 half + 1 pixels around the rows."""
    x, y = np.rint(rows["x"]).astype(int), np.rint(rows["y"]).astype(int)
    n, side = len(rows), 2 * half + 1
    boxes = np.stack([y - half, y + half + 1, x - half, x + half + 1], axis=1).reshape(-1, 4)
    row = (y[:, None] + np.arange(-half, half + 1)).ravel()
    index = np.repeat(np.arange(n), side)
    prints = Footprints(row, x[index] - half, x[index] + half + 1, index)
    return Detections(boxes, np.ones(n), prints)


def sky(n=200, seed=1, *, side=1000, low=6.0, high=500.0, slope=1.8, apart=True, size=0.0, classes=None):
    """A frame and the truth of n sources on it; with `apart` on a lattice, so that none are near each other."""
    rng = np.random.default_rng(seed)
    place = frame(side)
    if apart:
        cells = int(np.ceil(np.sqrt(n)))
        at = rng.permutation(cells**2)[:n]
        x, y = ((part + 0.5 + rng.uniform(-0.2, 0.2, n)) * side / cells for part in np.divmod(at, cells))
    else:
        x, y = rng.uniform(0, side - 1, (2, n))
    a = 1.0 - slope
    snr = (low**a + rng.random(n) * (high**a - low**a)) ** (1 / a)
    names = None if classes is None else rng.choice(classes, n)
    return place, truth_of(sources(place, x, y, snr, size=size, classes=names), place)


def found_in(truth, place, seed=2, *, threshold=5.0, n_false=0, score=None, classes=None):
    """What a finder would find: peaks with noise above a threshold, positions and sizes with their errors."""
    rng = np.random.default_rng(seed)
    rows = truth.sources
    snr = rows["snr"] + rng.standard_normal(len(rows))
    kept = np.flatnonzero((snr > threshold) & truth.real)
    rows, snr = rows.select(kept), snr[kept]
    n = len(rows)
    at = rng.standard_normal((2, n)) * BEAM.major / (2.355 * snr)  # arcsec
    x, y = rows["x"] + at[0] / SCALE, rows["y"] + at[1] / SCALE
    fwhm = rows["major"] * (1 + rng.standard_normal((2, n)) / snr / 1.4)
    extra = ()
    more = {
        "ra_err": BEAM.major / (2.355 * snr),
        "dec_err": BEAM.major / (2.355 * snr),
        "flux_peak_err": np.full(n, RMS),
        "flux_int_err": rows["flux"] / rows["snr"],
        "flux_err": rows["flux"] / rows["snr"],
        "major": fwhm.max(axis=0),
        "minor": fwhm.min(axis=0),
        "major_err": fwhm.max(axis=0) / snr / 1.4,
        "minor_err": fwhm.min(axis=0) / snr / 1.4,
        "flux": rows["flux"] * snr / rows["snr"],
        "flux_int": rows["flux"] * snr / rows["snr"],
    }
    if n_false:
        side = place.shape[0]
        x, y = (np.append(each, rng.uniform(5, side - 6, n_false)) for each in (x, y))
        snr = np.append(snr, threshold + rng.exponential(0.3, n_false))
        spare = np.full(n_false, np.nan)
        spread = {
            "flux": snr[n:] * RMS,
            "flux_int": snr[n:] * RMS,
            "major": spare + BEAM.major,
            "minor": spare + BEAM.major,
        }
        spread |= {name: np.full(n_false, RMS) for name in ("flux_err", "flux_int_err", "flux_peak_err")}
        more = {name: np.append(values, spread.get(name, spare)) for name, values in more.items()}
        spread["major"] = spread["minor"] = BEAM.major
    if score is not None:
        extra = (Column(score, "float64", "", "stat.probability", "How sure.", ("sources",)),)
        more[score] = 1 / (1 + np.exp(-(snr - 6)))
    if classes is not None:
        right = np.append(truth.sources["class"][kept], np.full(n_false, classes[0]))
        wrong = rng.random(right.size) < 0.2
        classes = np.where(wrong, rng.choice(classes, right.size), right)
    size = np.append(truth.sources["major_deconv"][kept], np.zeros(n_false))
    return catalogue(sources=sources(place, x, y, snr, size=size, classes=classes, extra=extra, **more))
