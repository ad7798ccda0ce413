"""One source finder on one map, run by the Python of that finder's own virtual environment.

    python finders.py FINDER MAP FOLDER THRESHOLD

Imports nothing of this project. Writes FOLDER/components.npz (and sources.npz where the finder has such a
list) with the common columns: x, y (0-based px), peak (Jy/beam), total (Jy), rms (Jy/beam), and where the
finder gives them maj, min (convolved FWHM, px), pa (deg) and the errors e_x, e_y, e_peak, e_total, e_maj,
e_min, e_pa. What sep measures of shapes comes as a, b (px), angle (deg).
"""

import subprocess
import sys
from pathlib import Path

import numpy as np


def load(path):
    """Pixels (y, x) as float32 and the header."""
    from astropy.io import fits

    return np.ascontiguousarray(fits.getdata(path).squeeze().astype("f4")), fits.getheader(path)


def beam_area(header):
    """Solid angle of the beam in pixels."""
    return np.pi / (4 * np.log(2)) * header["BMAJ"] * header["BMIN"] / header["CDELT2"] ** 2


FWHM = np.sqrt(8 * np.log(2))


def mesh_of(shape):
    """The mesh of sep and photutils."""
    return min(64, *shape)


def run_sep(path, folder, threshold):
    """Source Extractor as a library: segments, deblending, Kron fluxes."""
    import sep

    data, header = load(path)
    sep.set_extract_pixstack(5_000_000)
    mesh = mesh_of(data.shape)
    background = sep.Background(data, bw=mesh, bh=mesh, fw=3, fh=3)
    rms = background.rms()
    data = data - background.back()
    o = sep.extract(
        data,
        min(4.0, threshold),
        err=rms,
        minarea=5,
        filter_kernel=None,
        deblend_nthresh=32,
        deblend_cont=0.005,
    )
    local = rms[o["ypeak"], o["xpeak"]]
    keep = o["peak"] >= threshold * local
    o, local = o[keep], local[keep]
    theta = np.clip(o["theta"], -np.pi / 2, np.pi / 2)  # sum_ellipse refuses what rounding puts outside
    kron, _ = sep.kron_radius(data, o["x"], o["y"], o["a"], o["b"], theta, 6.0)
    kron = np.where(np.isfinite(kron) & (kron > 0), np.maximum(kron, 1.4), 1.4)
    flux, _, _ = sep.sum_ellipse(data, o["x"], o["y"], o["a"], o["b"], theta, 2.5 * kron, err=rms)
    axes = {
        "a": FWHM * o["a"],
        "b": FWHM * o["b"],
        "angle": np.rad2deg(theta) - 90.0,
    }  # of isophotes: too small
    total = flux / beam_area(header)
    save(folder, "components", x=o["x"], y=o["y"], peak=o["peak"], total=total, rms=local, **axes)


def run_photutils(path, folder, threshold):
    """Segmentation with deblending, Kron fluxes."""
    from photutils.background import Background2D, MedianBackground
    from photutils.segmentation import SourceCatalog, deblend_sources, detect_sources

    data, header = load(path)
    mesh = mesh_of(data.shape)
    b = Background2D(data, (mesh, mesh), filter_size=(3, 3), bkg_estimator=MedianBackground())
    rms = np.asarray(b.background_rms)
    data = data - np.asarray(b.background)
    segments = detect_sources(data, 4.0 * rms, n_pixels=5)
    segments = deblend_sources(
        data, segments, n_pixels=5, n_levels=32, contrast=0.005, n_processes=1, progress_bar=False
    )
    c = SourceCatalog(data, segments, error=rms)
    peak = np.asarray(c.max_value)
    iy, ix = np.asarray(c.max_value_index if hasattr(c, "max_value_index") else c.maxval_index).T
    local = rms[iy, ix]
    keep = peak >= threshold * local
    total = np.asarray(c.kron_flux) / beam_area(header)
    columns = {"x": np.asarray(c.x_centroid), "y": np.asarray(c.y_centroid), "peak": peak, "total": total}
    save(folder, "components", **{k: v[keep] for k, v in columns.items()}, rms=local[keep])


def run_bdsf(path, folder, threshold):
    """PyBDSF: its Gaussian list and its source list."""
    import bdsf
    from astropy.table import Table
    from astropy.wcs import WCS

    result = bdsf.process_image(
        path,
        thresh_isl=min(3.0, threshold - 1.0),
        thresh_pix=threshold,
        thresh="hard",
        rms_box=(150, 30),
        ncores=1,
        quiet=True,
        frequency=943.5e6,
    )
    _, header = load(path)
    pixel = abs(header["CDELT2"])
    for kind, name in (("srl", "sources"), ("gaul", "components")):
        out = f"{folder}/bdsf.{kind}.fits"
        result.write_catalog(outfile=out, format="fits", catalog_type=kind, clobber=True)
        t = Table.read(out)
        x, y = WCS(header).celestial.all_world2pix(np.asarray(t["RA"]), np.asarray(t["DEC"]), 0)
        values = {"x": x, "y": y, "e_x": np.asarray(t["E_RA"]) / pixel, "e_y": np.asarray(t["E_DEC"]) / pixel}
        for k, v, scale in (
            ("peak", "Peak_flux", 1),
            ("total", "Total_flux", 1),
            ("maj", "Maj_img_plane", 1 / pixel),
            ("min", "Min_img_plane", 1 / pixel),
            ("pa", "PA_img_plane", 1),
        ):
            values[k], values["e_" + k] = np.asarray(t[v]) * scale, np.asarray(t["E_" + v]) * scale
        if kind == "gaul":
            for k in ("x", "y"):
                values[k], values["e_" + k] = t[f"{k.upper()}posn"], t[f"E_{k.upper()}posn"]
        save(folder, name, **values, rms=t["Isl_rms"])


def run_aegean(path, folder, threshold):
    """BANE, then Aegean; BANE's maps are used again where they lie in the folder beside."""
    from astropy.table import Table
    from astropy.wcs import WCS

    programs = Path(sys.executable).parent
    base = f"{folder}/aegean"
    maps = f"{Path(folder).parent}/aegean-5/aegean"
    if not Path(maps + "_rms.fits").exists() or folder.endswith("aegean-5"):
        maps = base
        subprocess.check_call([f"{programs}/BANE", path, "--out", base, "--cores", "1"])
    files = ["--background", maps + "_bkg.fits", "--noise", maps + "_rms.fits", "--table", base + ".fits"]
    clips = ["--seedclip", str(threshold), "--floodclip", str(min(4.0, threshold)), "--cores", "1"]
    subprocess.check_call([f"{programs}/aegean", path, *files, *clips])
    _, header = load(path)
    pixel = abs(header["CDELT2"])
    t = Table.read(base + "_comp.fits")
    x, y = WCS(header).celestial.all_world2pix(np.asarray(t["ra"]), np.asarray(t["dec"]), 0)

    def error(name, scale=1.0):
        value = np.asarray(t[name], float)
        return np.where(value > 0, value * scale, np.nan)

    save(
        folder,
        "components",
        x=x,
        y=y,
        peak=t["peak_flux"],
        total=t["int_flux"],
        rms=t["local_rms"],
        maj=np.asarray(t["a"]) / 3600 / pixel,
        min=np.asarray(t["b"]) / 3600 / pixel,
        pa=t["pa"],
        e_x=error("err_ra", 1 / pixel),
        e_y=error("err_dec", 1 / pixel),
        e_peak=error("err_peak_flux"),
        e_total=error("err_int_flux"),
        e_maj=error("err_a", 1 / 3600 / pixel),
        e_min=error("err_b", 1 / 3600 / pixel),
        e_pa=error("err_pa"),
    )


def save(folder, name, **columns):
    """Write the columns of entries that have a position."""
    values = {k: np.asarray(v, float) for k, v in columns.items()}
    keep = np.isfinite(values["x"]) & np.isfinite(values["y"])
    np.savez(f"{folder}/{name}.npz", **{k: v[keep] for k, v in values.items()})


FINDERS = {"sep": run_sep, "photutils": run_photutils, "bdsf": run_bdsf, "aegean": run_aegean}

if __name__ == "__main__":
    finder, path, folder, threshold = sys.argv[1:]
    FINDERS[finder](path, folder, float(threshold))
