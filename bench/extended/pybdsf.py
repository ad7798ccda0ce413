"""PyBDSF with wavelets on one map, run by the Python of its own virtual environment.

    python pybdsf.py MAP FOLDER rms_map=auto|constant

Imports nothing of this project. Writes FOLDER/gaussians.npz: island, x, y (0-based px), peak, rms (Jy/beam), total,
e_total (Jy), covariance xx, xy, yy (px^2) with the beam, wide (FWHM of the major axis without the beam, arcsec).
"""

import sys

import bdsf
import numpy as np
from astropy.io import fits
from astropy.table import Table

FWHM = np.sqrt(8 * np.log(2))


def main(path: str, folder: str, setting: str) -> None:
    """Find, and write the Gaussians."""
    more = {"rms_map": False} if setting.endswith("constant") else {}
    result = bdsf.process_image(
        path,
        thresh_isl=3.0,
        thresh_pix=5.0,
        thresh="hard",
        mean_map="zero",
        atrous_do=True,
        ncores=1,
        quiet=True,
        frequency=1.4e9,
        **more,
    )
    out = f"{folder}/gaussians.fits"
    result.write_catalog(outfile=out, format="fits", catalog_type="gaul", clobber=True)
    t, header = Table.read(out), fits.getheader(path)
    pixel = abs(header["CDELT2"])
    major, minor = (np.asarray(t[name]) / pixel / FWHM for name in ("Maj_img_plane", "Min_img_plane"))
    # the position angle on the image, from +y towards -x
    angle = np.radians(np.asarray(t["PA_img_plane"]))
    s, c = np.sin(angle), np.cos(angle)
    np.savez(
        f"{folder}/gaussians.npz",
        island=np.asarray(t["Isl_id"]),
        x=np.asarray(t["Xposn"], float),
        y=np.asarray(t["Yposn"], float),
        peak=np.asarray(t["Peak_flux"], float),
        rms=np.asarray(t["Isl_rms"], float),
        total=np.asarray(t["Total_flux"], float),
        e_total=np.asarray(t["E_Total_flux"], float),
        xx=major**2 * s * s + minor**2 * c * c,
        xy=-(major**2 - minor**2) * s * c,
        yy=major**2 * c * c + minor**2 * s * s,
        wide=np.asarray(t["DC_Maj_img_plane"], float) * 3600.0,
    )


if __name__ == "__main__":
    main(*sys.argv[1:4])
