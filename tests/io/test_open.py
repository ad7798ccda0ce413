"""Opening: HDUs and planes, beams, units and frequencies out of headers, and what can be said instead."""

from __future__ import annotations

import math
import zipfile

import numpy as np
import pytest
from astropy.io import fits
from tests.io.fits_maps import CARDS, NONE, image_hdu, noise, write_map

import skysift
from skysift.base.errors import HeaderError, OptionError, UsageError
from skysift.io.open import file_of, open_image
from skysift.sky.beam import Beam
from skysift.sky.box import Box

DEG = 1 / 3600


def told(image, words: str) -> bool:
    return any(words in note for note in image.notes)


def test_a_plain_map(tmp_path):
    path = write_map(tmp_path / "field.fits")
    image = skysift.open(path)
    assert image.name == "field"
    assert image.notes == ()
    assert (image.beam.major, image.beam.minor, image.beam.pa) == pytest.approx((25.0, 20.0, 10.0))
    assert image.frequency == 1.4e9
    assert image.origin.path == str(path)
    assert (image.origin.hdu, image.origin.plane) == (0, ())
    assert np.array_equal(image.read(), noise())
    assert np.array_equal(image.read(Box(2, 9, 30, 55)), noise()[2:9, 30:])
    assert image.frame.to_sky(19.0, 14.0) == pytest.approx((50.0, -36.0))
    assert image.input_record().name == "field.fits"


def test_only_headers_are_read(tmp_path):
    """A map far larger than the memory (a hole in the file system) opens and gives any box."""
    path = tmp_path / "huge.fits"
    top = image_hdu(np.zeros((1, 1), np.float32), CARDS)[:2880]
    top = top.replace(b"NAXIS1  =                    1", b"NAXIS1  =               200000")
    top = top.replace(b"NAXIS2  =                    1", b"NAXIS2  =               200000")
    with path.open("wb") as file:
        file.write(top)
        file.truncate(2880 + 4 * 200000**2 + 2880)
    image = open_image(path)
    assert image.shape == (200000, 200000)
    assert not image.read(Box(199990, 200000, 199990, 200000)).any()


def test_planes_of_a_cube(tmp_path):
    cube = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)  # (stokes, frequency, y, x)
    more = {"CTYPE3": "FREQ", "CRVAL3": 1e9, "CDELT3": 1e8, "CRPIX3": 1.0}
    more |= {"CTYPE4": "STOKES", "CRVAL4": 1.0, "CDELT4": 1.0, "CRPIX4": 1.0, "RESTFRQ": NONE}
    path = write_map(tmp_path / "cube.fits", cube, **more)
    first = open_image(path)
    assert told(first, "3 planes along FREQ: plane 0")
    assert told(first, "2 planes along STOKES: plane 0")
    assert np.array_equal(first.read(), cube[0, 0])
    assert first.frequency == 1e9
    chosen = open_image(path, plane=(1, 2))
    assert np.array_equal(chosen.read(), cube[1, 2])
    assert chosen.frequency == pytest.approx(1.2e9)
    assert chosen.origin.plane == (1, 2)
    assert told(chosen, "Stokes Q")
    assert not told(chosen, "planes along")
    for plane in (1, (0, 3), (-1, 0), (1, 2, 3), ()):
        with pytest.raises(OptionError, match="plane"):
            open_image(path, plane=plane)


def test_one_number_is_enough_where_one_axis_is_long(tmp_path):
    cube = np.arange(3 * 4 * 5, dtype=np.float32).reshape(1, 3, 1, 4, 5)
    path = write_map(tmp_path / "cube.fits", cube, CTYPE3="STOKES", CTYPE4="VRAD", CTYPE5="TABLE")
    assert np.array_equal(open_image(path, plane=2).read(), cube[0, 2, 0])
    assert open_image(path, plane=2).origin.plane == (0, 2, 0)
    flat = write_map(tmp_path / "flat.fits", cube[:, :1], CTYPE3="STOKES", CTYPE4="FREQ")
    assert open_image(flat, plane=0).notes == open_image(flat).notes
    with pytest.raises(OptionError, match="no such plane"):
        open_image(flat, plane=1)


def sky_on_axes(x_axis: int, y_axis: int) -> dict[str, object]:
    """The cards of the sky, on other axes than the first two."""
    keys = ("CTYPE", "CRVAL", "CRPIX", "CDELT")
    return {f"{key}{new}": CARDS[f"{key}{old}"] for key in keys for old, new in ((1, x_axis), (2, y_axis))}


def test_short_axes_before_the_sky(tmp_path):
    """A map stored as (y, x, frequency, stokes) with one frequency and one polarisation."""
    cards = {"CTYPE1": "STOKES", "CRVAL1": 1.0, "CDELT1": 1.0, "CRPIX1": 1.0, "RESTFRQ": NONE}
    cards |= {"CTYPE2": "FREQ", "CRVAL2": 2e9, "CDELT2": 1e6, "CRPIX2": 1.0, **sky_on_axes(3, 4)}
    image = open_image(write_map(tmp_path / "map.fits", noise().reshape(30, 40, 1, 1), **cards))
    assert np.array_equal(image.read(), noise())
    assert image.frame.to_sky(19.0, 14.0) == pytest.approx((50.0, -36.0))
    assert image.frequency == 2e9


def test_a_long_axis_before_the_sky_is_refused(tmp_path):
    data = noise(30, 80).reshape(30, 40, 2)
    path = write_map(tmp_path / "map.fits", data, **{**sky_on_axes(2, 3), "CTYPE1": "FREQ"})
    with pytest.raises(HeaderError, match="not stored first"):
        open_image(path)


@pytest.fixture
def many(tmp_path):
    path = tmp_path / "many.fits"
    with_names = [
        {**CARDS, "EXTNAME": name, "EXTVER": ver} for name, ver in (("SCI", 1), ("ERR", 1), ("SCI", 2))
    ]
    parts = [image_hdu(None, {"EXTEND": True})]
    parts += [image_hdu(noise(seed=i), cards, first=False) for i, cards in enumerate(with_names)]
    path.write_bytes(b"".join(parts))
    return path


@pytest.mark.parametrize(
    ("wish", "seed"),
    [("", 0), ("[1]", 0), ("[ERR]", 1), ("[err]", 1), ("[2]", 1), ("[SCI,2]", 2), ("[sci, 1]", 0)],
)
def test_hdus_by_number_and_name(many, wish, seed):
    image = open_image(f"{many}{wish}")
    assert np.array_equal(image.read(), noise(seed=seed))
    assert told(image, "holds 3 images") == (not wish)
    assert image.name == "many"
    assert file_of(f"{many}{wish}") == str(many)


def test_hdus_by_argument(many):
    assert np.array_equal(open_image(many, hdu=2).read(), noise(seed=1))
    assert np.array_equal(open_image(many, hdu="ERR").read(), noise(seed=1))
    for wish in ("[9]", "[VAR]", "[SCI,7]"):
        with pytest.raises(UsageError, match=r"no such HDU.*SCI image 30 x 40"):
            open_image(f"{many}{wish}")
    with pytest.raises(UsageError, match="holds no image"):
        open_image(many, hdu=0)
    with pytest.raises(UsageError, match="twice"):
        open_image(f"{many}[1]", hdu=1)


def test_brackets_in_a_file_name(tmp_path):
    path = write_map(tmp_path / "map[1].fits[SCI]")
    assert np.array_equal(open_image(path).read(), noise())


# -- beams


def test_a_beam_in_the_aips_history(tmp_path):
    lines = (
        "HISTORY AIPS   CLEAN BMAJ=  9.9999E-03 BMIN=  9.9999E-03 BPA=   0.00",
        "HISTORY AIPS   CLEAN BMAJ=  1.2500E-02 BMIN=  8.3333E-03 BPA=  12.50",
        "HISTORY AIPS   done",
    )
    image = open_image(write_map(tmp_path / "map.fits", lines=lines, BMAJ=NONE, BMIN=NONE, BPA=NONE))
    assert (image.beam.major, image.beam.minor, image.beam.pa) == pytest.approx((45.0, 30.0, 12.5), abs=1e-3)
    assert told(image, "AIPS history")
    image = open_image(write_map(tmp_path / "map.fits", lines=lines, BMAJ=0.0, BMIN=0.0))
    assert image.beam.major == pytest.approx(45.0)


def test_the_beam_of_wsrt_is_in_arcsec(tmp_path):
    image = open_image(
        write_map(tmp_path / "m.fits", BMAJ=NONE, BMIN=NONE, BPA=NONE, BMMAJ=57.4, BMMIN=48.3, BMPA=5.0)
    )
    assert image.beam == Beam(57.4, 48.3, 5.0)


@pytest.mark.parametrize(
    ("cards", "beam", "words"),
    [
        ({"BPA": NONE}, Beam(25, 20, 0), "angle is taken as 0"),
        ({"BPA": b"NaN"}, Beam(25, 20, 0), "angle is taken as 0"),
        ({"BMIN": NONE}, Beam(25, 25, 10), "taken as round"),
        ({"BPA": 101242.703125}, Beam(25, 20, 82.703125), "beyond a full turn"),
        ({"BPA": -134.5}, Beam(25, 20, 45.5), ""),
        ({"BMAJ": 20 * DEG, "BMIN": 25 * DEG}, Beam(25, 20, 100), ""),
        ({"BMAJ": "0.00694444444444"}, Beam(25, 20, 10), ""),
    ],
)
def test_beams_told_in_part(tmp_path, cards, beam, words):
    image = open_image(write_map(tmp_path / "map.fits", **cards))
    assert image.beam.major == pytest.approx(beam.major)
    assert (image.beam.minor, image.beam.pa) == pytest.approx((beam.minor, beam.pa))
    assert told(image, words) == bool(words)


def beams_file(path, unit="arcsec", channels=3, **changes):
    """A cube with a table of beams as CASA writes it."""
    header = fits.Header({key: value for key, value in CARDS.items() if key not in ("BMAJ", "BMIN", "BPA")})
    header.update({"CASAMBM": True, "CTYPE3": "STOKES", "CRVAL3": 1.0, "CDELT3": 1.0, "CTYPE4": "FREQ"})
    header.update({"CRVAL4": 1e9, "CDELT4": 1e6, "CRPIX4": 1.0})
    data = np.stack([noise(seed=i)[None] for i in range(channels)])
    scale = 1.0 if unit == "arcsec" else DEG
    values = {"BMAJ": 20.0 + np.arange(channels), "BMIN": 15.0 + np.arange(channels)}
    columns = [fits.Column(key, "E", unit, array=value * scale) for key, value in values.items()]
    columns.append(fits.Column("BPA", "E", "deg", array=10.0 * np.arange(channels)))
    columns.append(fits.Column("CHAN", "J", array=np.arange(channels)[::-1]))  # not in order
    columns.append(fits.Column("POL", "J", array=np.zeros(channels)))
    for column in columns:
        if column.name in changes:
            column.array[:] = changes[column.name]
    fits.HDUList(
        [fits.PrimaryHDU(data, header), fits.BinTableHDU.from_columns(columns, name="BEAMS")]
    ).writeto(path)
    return path


@pytest.mark.parametrize("unit", ["arcsec", "deg"])
def test_a_beam_for_every_plane(tmp_path, unit):
    path = beams_file(tmp_path / "cube.fits", unit)
    for plane in range(3):
        image = open_image(path, plane=plane)
        row = 2 - plane
        assert image.beam.major == pytest.approx(20.0 + row)
        assert (image.beam.minor, image.beam.pa) == pytest.approx((15.0 + row, 10.0 * row))
        assert told(image, "table BEAMS")
        assert np.array_equal(image.read(), noise(seed=plane))


def test_a_table_of_beams_without_one_for_the_plane(tmp_path):
    with pytest.raises(HeaderError, match=r"table BEAMS.*--beam"):
        open_image(beams_file(tmp_path / "a.fits", BMAJ=0.0))
    with pytest.raises(HeaderError, match=r"no row for plane.*--beam"):
        open_image(beams_file(tmp_path / "b.fits", CHAN=7))
    image = open_image(beams_file(tmp_path / "c.fits", CHAN=7), beam=(9.0, 8.0, 7.0))
    assert image.beam == Beam(9, 8, 7)
    assert told(image, "beam was given")
    assert skysift.open(tmp_path / "c.fits", beam=9).beam == Beam(9, 9)


def test_a_given_beam_far_from_that_of_the_header_is_told(tmp_path):
    path = write_map(tmp_path / "a.fits", BMAJ=25 * DEG, BMIN=25 * DEG, BPA=0.0)
    assert told(
        open_image(path, beam=250.0), 'beam of 25" x 25", pa 0 deg: the one that is used is 10 times as wide'
    )
    assert told(open_image(path, beam=5.0), "0.2 times as wide")
    assert not told(open_image(path, beam=26.0), "times as wide")


# -- frequency, unit, geometry


@pytest.mark.parametrize(
    ("cards", "frequency"),
    [
        ({"CTYPE3": "FREQ", "CRVAL3": 1.5e9}, 1.5e9),  # beyond NAXIS, as Miriad leaves it
        ({"CTYPE4": "FREQ-LSR", "CRVAL4": 1447.5, "CUNIT4": "MHz", "CRPIX4": 2.0, "CDELT4": 1.0}, 1.4465e9),
        ({"CTYPE3": "VRAD", "CRVAL3": 3e6, "CUNIT3": "m/s"}, 1.4e9 * (1 - 3e6 / 299792458)),
        ({"CTYPE3": "VELO-HEL", "CRVAL3": 3e3, "CUNIT3": "km/s"}, 1.4e9 * (1 - 3e6 / 299792458)),
        ({"CTYPE3": "VOPT", "CRVAL3": 3e6}, 1.4e9 / (1 + 3e6 / 299792458)),
        ({"CTYPE3": "WAVE", "CRVAL3": 0.21, "RESTFRQ": NONE}, 299792458 / 0.21),
        ({"RESTFRQ": NONE, "RESTFREQ": 1.42e9}, 1.42e9),
        ({"RESTFRQ": NONE, "FREQ": 3.3e8}, 3.3e8),
        ({"RESTFRQ": NONE, "TELESCOP": "MOST"}, 843e6),
        ({"RESTFRQ": NONE}, math.nan),
        ({"RESTFRQ": 23.5}, math.nan),
        ({"RESTFRQ": b"NaN"}, math.nan),
    ],
)
def test_frequencies(tmp_path, cards, frequency):
    path = write_map(tmp_path / "map.fits", **cards)
    image = open_image(path)
    assert image.frequency == pytest.approx(frequency, nan_ok=True)
    assert told(image, "frequency") == (math.isnan(frequency) or "TELESCOP" in cards)
    assert open_image(path, frequency=2e9).frequency == 2e9
    with pytest.raises(OptionError, match="hertz"):
        open_image(path, frequency=-1.0)
    with pytest.raises(
        OptionError, match=r"no radio frequency in hertz: got 1.4; allowed: 1e\+06 to 1e\+13 Hz"
    ):
        open_image(path, frequency=1.4)


def test_units_are_converted(tmp_path):
    path = write_map(tmp_path / "map.fits", BUNIT="mJy/beam")
    assert open_image(path).read() == pytest.approx(noise() * 1e-3, rel=1e-5)
    assert open_image(path, unit="Jy/beam").read() == pytest.approx(noise())
    per_pixel = open_image(path, unit="Jy/pixel")
    assert per_pixel.factor == pytest.approx(Beam(25, 20).area / 25)
    kelvin = open_image(write_map(tmp_path / "k.fits", BUNIT="K"))
    assert kelvin.factor == pytest.approx(
        2 * 1.380649e-23 * (1.4e9 / 299792458) ** 2 * 1e26 * Beam(25, 20).area * (DEG * math.pi / 180) ** 2
    )
    with pytest.raises(HeaderError, match="--frequency"):
        open_image(write_map(tmp_path / "k.fits", BUNIT="K", RESTFRQ=NONE))


@pytest.mark.parametrize(
    "change",
    [
        {"RADESYS": NONE, "EPOCH": 2000.0},
        {"RADESYS": NONE, "EQUINOX": "J2000"},
        {"RADESYS": NONE, "RADECSYS": "FK5"},
        {"RADESYS": "J2000", "CUNIT1": "DEGREE", "CUNIT2": "degrees"},
        {"PC001001": 1.0, "PC001002": 0.0, "PC002001": 0.0, "PC002002": 1.0, "RADESYS": "FK5"},
        {
            "CDELT1": NONE,
            "CDELT2": NONE,
            "CD1_1": -5 * DEG,
            "CD1_2": 0.0,
            "CD2_1": 0.0,
            "CD2_2": 5 * DEG,
            "RADESYS": "FK5",
        },
        {"CROTA2": 0.0, "CROTA1": 0.0, "RADESYS": "FK5"},
        {"DATE-OBS": 1994.884, "RADESYS": "FK5", "CRPIX9": 3.0, "CUNIT3": "HZ"},
    ],
)
def test_old_spellings_of_the_sky(tmp_path, change):
    image = open_image(write_map(tmp_path / "map.fits", **change))
    assert image.frame.name == "FK5"
    assert image.notes == ()
    assert image.frame.scale == pytest.approx((5.0, 5.0))
    fk5 = open_image(write_map(tmp_path / "fk5.fits", RADESYS="FK5"))
    assert np.allclose(image.frame.to_sky(3.0, 4.0), fk5.frame.to_sky(3.0, 4.0), rtol=0, atol=1e-12)


def test_besselian_and_galactic_maps(tmp_path):
    assert open_image(write_map(tmp_path / "b.fits", RADESYS=NONE, EPOCH=1950.0)).frame.name == "FK4"
    galactic = open_image(write_map(tmp_path / "g.fits", RADESYS=NONE, CTYPE1="GLON-CAR", CTYPE2="GLAT-CAR"))
    assert galactic.frame.name == "Galactic"
    assert galactic.frame.beam_plane == "sky"
    assert open_image(tmp_path / "g.fits", beam_plane="image").frame.beam_plane == "image"


def test_rotation_by_crota(tmp_path):
    turned = open_image(write_map(tmp_path / "map.fits", CROTA2=30.0))
    c, s = math.cos(math.pi / 6), math.sin(math.pi / 6)
    same = open_image(write_map(tmp_path / "pc.fits", PC1_1=c, PC1_2=s, PC2_1=-s, PC2_2=c))
    assert np.allclose(turned.frame.to_sky(3.0, 4.0), same.frame.to_sky(3.0, 4.0))


def test_distortion_is_left_out_and_told(tmp_path):
    image = open_image(
        write_map(tmp_path / "map.fits", CTYPE1="RA---TAN-SIP", CTYPE2="DEC--TAN-SIP", A_ORDER=2, A_2_0=1e-5)
    )
    assert image.frame.projection == "TAN"
    assert told(image, "distortion")


def test_a_catalogue_is_told_by_content(tmp_path):
    from skysift.sky.catalogue import Catalogue

    path = tmp_path / "sources.fits"
    Catalogue.empty().write(path)
    assert isinstance(skysift.open(path), Catalogue)
    assert isinstance(skysift.open(write_map(tmp_path / "map.fits")), skysift.SkyImage)


def test_askap_subcubes(data_folder, tmp_path):
    with zipfile.ZipFile(data_folder / "cubes" / "ASKAP_EMU_1743-51_subcubes.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".fits")]
        archive.extractall(tmp_path, names)
    for name in names:
        image = open_image(tmp_path / name)
        assert image.beam.minor > 5.0
        assert image.frequency > 5e8
        assert np.isfinite(image.read()).any()
