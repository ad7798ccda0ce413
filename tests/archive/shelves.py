"""A small shelf for tests: two catalogues and a map, of two users."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table

from skysift.archive.adql.compile import compile_query
from skysift.archive.policy import ANONYMOUS, Access, User
from skysift.archive.query import run_query
from skysift.archive.shelf import Shelf

ADA, BOB = User("ada", frozenset({"survey"})), User("bob", frozenset({"survey"}))
EVE = User("eve")
LINKS = "http://localhost/datalink/links?ID="


def write_map(path: Path, ra: float = 10.0, dec: float = 20.0, *, size: int = 20, channels: int = 0) -> Path:
    """A map, or a cube of so many channels, about a place."""
    shape = (channels, size, size) if channels else (size, size)
    header = fits.Header()
    for axis, (kind, value) in enumerate((("RA---SIN", ra), ("DEC--SIN", dec)), start=1):
        header[f"CTYPE{axis}"], header[f"CRVAL{axis}"], header[f"CRPIX{axis}"] = kind, value, (size + 1) / 2
        header[f"CDELT{axis}"], header[f"CUNIT{axis}"] = (-0.01 if axis == 1 else 0.01), "deg"
    if channels:
        header["CTYPE3"], header["CRVAL3"], header["CRPIX3"], header["CDELT3"] = "FREQ", 1.4e9, 1.0, 1e6
    else:
        header["FREQ"] = 1.4e9
    header["BUNIT"], header["BMAJ"], header["BMIN"], header["BPA"] = "Jy/beam", 0.03, 0.02, 10.0
    header["OBJECT"], header["TELESCOP"], header["DATE-OBS"] = "field", "ATCA", "2011-01-28T06:12:30"
    fits.writeto(path, np.zeros(shape, dtype=np.float32), header, overwrite=True)
    return path


def write_catalogue(path: Path, rows: int = 400) -> Path:
    """A catalogue about (10, 20) with columns of every kind."""
    rng = np.random.default_rng(7)
    table = Table(
        {
            "id": np.arange(rows, dtype=np.int64),
            "ra": (10.0 + rng.normal(0, 1.0, rows)) % 360.0,
            "dec": 20.0 + rng.normal(0, 1.0, rows),
            "flux": np.round(rng.lognormal(0.0, 1.0, rows), 4),
            "noise": rng.uniform(0.01, 0.1, rows).astype(np.float32),
            "n_pix": rng.integers(1, 200, rows).astype(np.int16),
            "level": rng.integers(0, 4, rows).astype(np.int32),
            "good": rng.random(rows) > 0.3,
            "name": [f"J{k:04d}{'*' if k % 9 == 0 else ''}" for k in range(rows)],
            "Kind": rng.choice(["star", "Galaxy", "AGN"], rows),
        }
    )
    table["flux"][::17] = np.nan
    units = {"ra": "deg", "dec": "deg", "flux": "Jy", "noise": "mJy"}
    ucds = {
        "ra": "pos.eq.ra;meta.main",
        "dec": "pos.eq.dec;meta.main",
        "id": "meta.id;meta.main",
        "flux": "phot.flux",
    }
    for name, unit in units.items():
        table[name].unit = unit
    for name, ucd in ucds.items():
        table[name].meta["ucd"] = ucd
        table[name].description = f"the {name}"
    hdu = fits.table_to_hdu(table)
    for number, name in enumerate(table.colnames, start=1):
        if name in ucds:
            hdu.header[f"TUCD{number}"], hdu.header[f"TCOMM{number}"] = ucds[name], f"the {name}"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path, overwrite=True)
    return path


def stock(shelf: Shelf, folder: Path) -> None:
    """Put onto a shelf: the catalogue (public), a smaller one (of ada), one of her group, a map and a cube."""
    public = Access("ada", "public")
    shelf.ingest(write_catalogue(folder / "src.fits"), ADA, access=public, collection="radio")
    shelf.ingest(write_catalogue(folder / "mine.fits", 30), ADA, collection="radio")
    shelf.ingest(
        write_catalogue(folder / "ours.fits", 50),
        ADA,
        access=Access("ada", "group", "survey"),
        collection="radio",
    )
    shelf.ingest(write_map(folder / "map.fits"), ADA, access=public, collection="maps")
    shelf.ingest(write_map(folder / "cube.fits", 11.0, channels=4), ADA, collection="maps")


def asked(shelf: Shelf, text: str, user: User = ANONYMOUS, maxrec: int = 1000, **more):
    """The rows of a query, and the columns."""
    compiled = compile_query(text, shelf.tables(user), user, shelf.engine.dialect.name, maxrec, **more)
    rows = run_query(shelf.engine, compiled, seconds=20)
    return list(rows), rows.columns
