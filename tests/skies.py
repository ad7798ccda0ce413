"""Made skies with a known truth, for tests and benchmarks.

Sources are sampled at pixel centres, on correlated noise. Lengths are pixels, fluxes Jy (beam peak
Jy/beam), angles degrees from +y towards -x (east on a usual map).
"""

import numpy as np

FWHM = np.sqrt(8 * np.log(2))  # FWHM of a Gaussian over its sigma
SOURCE = np.dtype([(n, "f8") for n in ("x", "y", "total", "dmaj", "dmin", "dpa")]
                  + [("kind", "U8"), ("group", "i8")])  # fmt: skip
TRUTH = np.dtype([(n, "f8") for n in ("x", "y", "total", "peak", "maj", "min", "pa", "dmaj", "dmin", "dpa")]
                 + [("kind", "U8"), ("group", "i8"), ("snr", "f8")])  # fmt: skip


def generator(seed, name):
    """A random generator of its own for every name."""
    return np.random.default_rng([seed, *name.encode()])


def covariance(maj, min_, pa):
    """Covariance matrices of ellipses given by FWHM and angle, (..., 2, 2) in (x, y)."""
    t = np.deg2rad(pa)
    u, v = np.stack([-np.sin(t), np.cos(t)], -1), np.stack([np.cos(t), np.sin(t)], -1)
    a, b = (np.asarray(f, float)[..., None, None] ** 2 / FWHM**2 for f in (maj, min_))
    return a * u[..., :, None] * u[..., None, :] + b * v[..., :, None] * v[..., None, :]


def ellipse(cov):
    """FWHM major, minor and angle of covariance matrices."""
    w, v = np.linalg.eigh(cov)
    pa = np.rad2deg(np.arctan2(-v[..., 0, 1], v[..., 1, 1])) % 180
    return FWHM * np.sqrt(w[..., 1]), FWHM * np.sqrt(w[..., 0]), pa


def beam_area(beam_px):
    """Solid angle of the beam in pixels."""
    return np.pi / (4 * np.log(2)) * beam_px[0] * beam_px[1]


def correlated_noise(shape, beam_px, kind, rng):
    """Noise of unit expected variance: "convolved", "beam" or "white".

    "convolved" is white noise convolved with the beam (its autocorrelation is sqrt(2) wider than the beam);
    "beam" has the beam itself as autocorrelation.
    """
    white = rng.standard_normal(shape)
    if kind == "white":
        return white
    c = covariance(*beam_px) * {"convolved": 1.0, "beam": 0.5}[kind]
    ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.fftfreq(shape[1])[None, :]
    tf = np.exp(-2 * np.pi**2 * (c[0, 0] * kx**2 + 2 * c[0, 1] * kx * ky + c[1, 1] * ky**2))
    half = shape[1] // 2 + 1
    out = np.fft.irfft2(np.fft.rfft2(white) * tf[:, :half], s=shape)
    return out / np.sqrt(np.mean(tf**2))


def disc(dx, dy, radius, c):
    """A uniform disc of unit total convolved with a Gaussian of covariance c, at offsets from its centre."""
    from scipy.special import erf  # late: only discs need scipy

    value, s2 = 0.0, np.sqrt(2 * np.linalg.det(c) / c[1, 1])
    n = 64
    for t in (np.arange(n) + 0.5) * np.pi / n:  # strips at height r cos t: erf along x, midpoints along y
        y, w = radius * np.cos(t), radius * np.sin(t)
        m = dx - c[0, 1] / c[1, 1] * (dy - y)  # mean of x given y
        across = 0.5 * (erf((m + w) / s2) - erf((m - w) / s2))
        value = value + np.exp(-0.5 * (dy - y) ** 2 / c[1, 1]) * across * w * np.pi / n
    return value / np.sqrt(2 * np.pi * c[1, 1]) / (np.pi * radius**2)


def profile(source, beam_px):
    """The convolved brightness of one source in Jy/beam as a function of offsets (dx, dy)."""
    b, area = covariance(*beam_px), beam_area(beam_px)
    if source["kind"] == "disc":
        return lambda dx, dy: source["total"] * area * disc(dx, dy, source["dmaj"] / 2, b)
    c = b + covariance(source["dmaj"], source["dmin"], source["dpa"])
    p, peak = np.linalg.inv(c), source["total"] * area / (2 * np.pi * np.sqrt(np.linalg.det(c)))
    return lambda dx, dy: peak * np.exp(-0.5 * (p[0, 0] * dx**2 + 2 * p[0, 1] * dx * dy + p[1, 1] * dy**2))


def paint(shape, beam_px, *, rms=1e-5, noise="convolved", sources=None, seed=0):
    """A float32 map (y, x) in Jy/beam and the truth table of its sources.

    maj, min, pa, peak: as convolved with the beam (a disc: from second moments); snr: peak over rms.
    """
    image = (
        np.zeros(shape)
        if noise is None
        else rms * correlated_noise(shape, beam_px, noise, generator(seed, "noise"))
    )
    sources = np.zeros(0, SOURCE) if sources is None else sources
    truth = np.zeros(len(sources), TRUTH)
    for name in SOURCE.names:
        truth[name] = sources[name]
    round_ = sources["kind"] == "disc"  # second moments of a disc: a quarter of its radius squared
    d = np.where(round_, sources["dmaj"] * FWHM / 4, sources["dmaj"])
    cov = covariance(*beam_px) + covariance(d, np.where(round_, d, sources["dmin"]), sources["dpa"])
    truth["maj"], truth["min"], truth["pa"] = ellipse(cov)
    for i, s in enumerate(sources):
        at = profile(s, beam_px)
        truth["peak"][i] = at(np.zeros(1), np.zeros(1))[0]
        h = 6 * np.sqrt(np.diag(cov[i])) + 1 + s["dmaj"] / 2 * (s["kind"] == "disc")
        (x0, y0), (x1, y1) = ((np.array([s["x"], s["y"]]) + k * h).round().astype(int) for k in (-1, 1))
        xs, ys = np.arange(max(0, x0), min(shape[1], x1 + 1)), np.arange(max(0, y0), min(shape[0], y1 + 1))
        if xs.size and ys.size:
            image[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1] += at(xs[None, :] - s["x"], ys[:, None] - s["y"])
    truth["snr"] = truth["peak"] / rms
    return image.astype(np.float32), truth


def population(shape, beam_px, *, n_points=0, n_extended=0, n_doubles=0, n_discs=0, rms=1e-5, snr=(3, 5000),
               slope=1.8, by_peak=False, lattice=0, margin=10, seed=0):  # fmt: skip
    """Sources as `paint` takes them, fluxes dN/dS ~ S^-slope between snr[0] and snr[1] times rms.

    Points: that flux; elliptical Gaussians (deconvolved 5-20 px, axis ratio 0.4-1) and discs (radius
    3-10 px): totals from ten times snr[0], or with `by_peak` convolved peaks from snr[0]; doubles: two
    points 1-3 beams apart, flux ratio 0.2-1, one `group`. `lattice` > 0 puts the sources one to a cell of
    that many pixels (jittered by half a pixel), so that all are isolated.
    """
    n, ids, parts = n_points + n_extended + n_doubles + n_discs, 0, []
    rng = generator(seed, "places")
    x, y = rng.uniform(margin, shape[1] - 1 - margin, n), rng.uniform(margin, shape[0] - 1 - margin, n)
    if lattice:
        cells = [(i, j) for j in range(shape[0] // lattice) for i in range(shape[1] // lattice)]
        chosen = np.array(cells)[
            rng.permutation(len(cells))[:n]
        ]  # raises below where there are too few cells
        x, y = ((chosen[:, k] + 0.5) * lattice + rng.uniform(-0.5, 0.5, n) for k in (0, 1))
    for kind, m in (("point", n_points), ("gaussian", n_extended), ("double", n_doubles), ("disc", n_discs)):
        rng = generator(seed, kind)
        low = snr[0] * (10 if kind in ("gaussian", "disc") and not by_peak else 1)
        a, u = 1 - slope, rng.random(m)
        s = np.zeros(m, SOURCE)
        s["kind"], s["group"], s["x"], s["y"] = (
            kind,
            np.arange(ids, ids + m),
            x[ids : ids + m],
            y[ids : ids + m],
        )
        s["total"] = rms * (low**a + u * (snr[1] ** a - low**a)) ** (1 / a)
        if kind == "gaussian":
            s["dmaj"], s["dpa"] = rng.uniform(5, 20, m), rng.uniform(0, 180, m)
            s["dmin"] = s["dmaj"] * rng.uniform(0.4, 1, m)
        elif kind == "disc":
            s["dmaj"] = s["dmin"] = rng.uniform(6, 20, m)
        elif kind == "double":
            other, t = s.copy(), rng.uniform(0, 2 * np.pi, m)
            r = rng.uniform(1, 3, m) * np.sqrt(beam_px[0] * beam_px[1])
            other["x"], other["y"] = s["x"] + r * np.cos(t), s["y"] + r * np.sin(t)
            other["total"] *= rng.uniform(0.2, 1, m)
            parts.append(other)
        if by_peak:
            at = np.zeros(1)
            s["total"] = [one["total"] ** 2 / profile(one, beam_px)(at, at)[0] for one in s]
        parts.append(s)
        ids += m
    return np.concatenate(parts)


def write(path, array, beam_px, *, pixel_arcsec=(2.0, 2.0), projection="SIN", centre=(180.0, -30.0), **cards):
    """Write the map as FITS with WCS and beam.

    pixel_arcsec is (y, x); `cards` add to the header or, where None, are taken away.
    """
    from astropy.io import fits  # late: painting needs only numpy

    sy, sx = pixel_arcsec
    d = np.diag([sx, sy])
    maj, min_, pa = ellipse(d @ covariance(*beam_px) @ d)
    header = fits.Header()
    header["BUNIT"], header["BMAJ"], header["BMIN"], header["BPA"] = "Jy/beam", maj / 3600, min_ / 3600, pa
    for k, axis in enumerate(("RA-", "DEC")):
        header[f"CTYPE{k + 1}"], header[f"CUNIT{k + 1}"] = f"{axis}--{projection}", "deg"
        header[f"CRVAL{k + 1}"], header[f"CRPIX{k + 1}"] = centre[k], array.shape[1 - k] / 2 + 0.5
        header[f"CDELT{k + 1}"] = (-sx, sy)[k] / 3600
    header["RADESYS"], header["RESTFRQ"] = "ICRS", 943.5e6
    for key, value in cards.items():
        if value is None:
            header.remove(key)
        else:
            header[key] = value
    fits.PrimaryHDU(np.asarray(array), header).writeto(path, overwrite=True)
