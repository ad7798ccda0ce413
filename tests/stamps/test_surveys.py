"""Where surveys live: folders, lists, HiPS, services; what a configuration may not say."""

import warnings
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import yaml
from astropy.io import fits
from tests.commands import called
from tests.stamps.surveys import survey

from skysift.base.errors import FormatError, OptionError, TransientError, UsageError
from skysift.base.settings import settings
from skysift.stamps import patch, remote
from skysift.stamps.cutout import cut
from skysift.stamps.grid import north_up
from skysift.stamps.known import KNOWN
from skysift.stamps.making import Place, make_stamp
from skysift.stamps.options import StampsOptions
from skysift.stamps.quality import names_of
from skysift.stamps.surveys import EXAMPLE, of_maps, read_surveys

RA, DEC = 180.0, -30.0
HERE = Place("one", RA, DEC)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setattr(remote, "settings", lambda: type("S", (), {"cache": tmp_path / "cache"})())
    for each in (patch.open_stored, remote.sia_images, remote.soda_image):
        each.cache_clear()
    assert settings()


def config(folder, *surveys):
    path = folder / "surveys.yaml"
    path.write_text(yaml.safe_dump({"surveys": list(surveys)}))
    return path


def flux(layer):
    return float(np.nansum(layer.data, dtype=float)) * layer.frame.pixel_area / layer.beam.area


def test_folders_lists_and_files_are_found_beside_the_configuration(tmp_path):
    (tmp_path / "maps").mkdir()
    for name in ("a", "b"):
        survey(tmp_path / "maps" / f"{name}.fits", [(RA, DEC, 1.0)])
    (tmp_path / "maps" / "bad.fits").write_bytes(b"no map")
    (tmp_path / "list.txt").write_text("# names\nmaps/a.fits\n")
    path = config(
        tmp_path,
        {"name": "folder", "folder": "maps"},
        {"name": "list", "list": "list.txt"},
        {"name": "files", "files": ["maps/b.fits"]},
        {"name": "pattern", "files": "maps/[ab].fits"},
    )
    bands = read_surveys(path)
    assert [(band.name, len(band.surveys[0].images)) for band in bands] == [
        ("folder", 2), ("list", 1), ("files", 1), ("pattern", 2)
    ]  # fmt: skip
    assert "bad.fits is left out" in bands[0].notes[0]
    assert not bands[1].notes


def test_of_several_images_the_best_the_first_or_the_mean_is_taken(tmp_path):
    beside = float(RA + 230 * 1.8 / 3600 / np.cos(np.radians(DEC)))
    survey(tmp_path / "a.fits", [(RA, DEC, 2.0)], centre=(beside, DEC))  # the source is near its edge
    survey(tmp_path / "b.fits", [(RA, DEC, 1.0)], shape=(400, 400))
    survey(tmp_path / "c.fits", [(RA, DEC, 1.0)], centre=(10.0, 0.0))
    entry = {"name": "s", "files": ["a.fits", "b.fits", "c.fits"]}
    options = StampsOptions(radius=30.0, beam="native")
    fluxes = {}
    for several in ("best", "first", "mosaic"):
        (band,) = read_surveys(config(tmp_path, entry | {"several": several}))
        (layer,) = make_stamp(HERE, (band,), options, 1.8).layers
        fluxes[several] = (layer.image, names_of(layer.flags))
        if several == "mosaic":
            covered = np.isfinite(layer.data)
            assert covered.all()
    assert fluxes["best"] == ("b.fits", "")
    assert fluxes["first"][0] in ("a.fits", "b.fits")
    survey(tmp_path / "a.fits", [(RA, DEC, 2.0)], shape=(350, 350))
    patch.open_stored.cache_clear()
    (band,) = read_surveys(config(tmp_path, entry | {"several": "mosaic"}))
    (layer,) = make_stamp(HERE, (band,), options, 1.8).layers
    assert (set(layer.image.split("+")), names_of(layer.flags)) == ({"a.fits", "b.fits"}, "mosaic")
    assert flux(layer) == pytest.approx(1.5, abs=1e-3)


def test_the_first_survey_of_a_band_that_covers_a_source_is_taken(tmp_path):
    survey(tmp_path / "deep.fits", [(10.0, 0.0, 1.0)], centre=(10.0, 0.0))
    survey(tmp_path / "wide.fits", [(RA, DEC, 1.0)])
    path = config(
        tmp_path,
        {"name": "wide", "files": "wide.fits", "band": "radio", "priority": 2},
        {"name": "deep", "files": "deep.fits", "band": "radio", "priority": 1},
    )
    (band,) = read_surveys(path)
    assert [each.name for each in band.surveys] == ["deep", "wide"]
    options = StampsOptions(radius=30.0)
    assert make_stamp(HERE, (band,), options, 1.8).layers[0].image == "wide.fits"
    assert make_stamp(Place("x", 10.0, 0.0), (band,), options, 1.8).layers[0].image == "deep.fits"


def test_a_header_comes_before_the_configuration_but_for_the_unit(tmp_path):
    survey(tmp_path / "a.fits", [(RA, DEC, 1.0)], beam=(6.0, 6.0, 0.0))
    survey(tmp_path / "b.fits", [(RA, DEC, 1.0)], beam=(6.0, 6.0, 0.0), tell_beam=False)
    told = {"files": "a.fits", "beam": 9.0, "unit": "mJy/beam", "frequency": 1e9}
    path = config(
        tmp_path,
        {"name": "a"} | told,
        {"name": "b"} | told | {"files": "b.fits"},
        {"name": "bare", "files": "b.fits"},
    )
    first, second, bare = (band.surveys[0].images[0] for band in read_surveys(path))
    assert first.beam.major == pytest.approx(6.0)
    assert second.beam.major == 9.0
    assert (first.unit, first.frequency, bare.beam) == ("mJy/beam", 1e9, None)
    bands = read_surveys(path)
    made = make_stamp(HERE, bands, StampsOptions(radius=30.0, beam="native"), 1.8)
    assert "no_beam" in names_of(made.layers[2].flags)
    assert "unit" in names_of(made.layers[2].flags)


def test_beams_of_east_west_arrays_grow_towards_the_equator():
    assert KNOWN["mgps"].beam_at(-30.0).major == pytest.approx(86.0)
    assert KNOWN["mgps"].beam_at(-90.0).major == pytest.approx(43.0)
    assert KNOWN["wise_22"].scale == 5.2269e-5


def test_a_hips_is_sampled(tmp_path):
    from reproject import reproject_interp
    from reproject.hips import reproject_to_hips

    sources = [(RA, DEC, 1.0), (RA + 0.1, DEC + 0.05, 0.5)]
    survey(
        tmp_path / "m.fits", sources, beam=(120.0, 90.0, 20.0), scale=15.0, shape=(160, 160), projection="TAN"
    )
    with warnings.catch_warnings(), fits.open(tmp_path / "m.fits") as hdus:
        warnings.simplefilter("ignore")
        reproject_to_hips(
            (np.array(hdus[0].data), hdus[0].header), coord_system_out="galactic", level=5, tile_size=128,
            reproject_function=reproject_interp, output_directory=str(tmp_path / "hips"), threads=False,
        )  # fmt: skip
    path = config(tmp_path, {"name": "h", "hips": "hips", "beam": [120, 90, 20], "unit": "Jy/beam"})
    (band,) = read_surveys(path)
    assert band.surveys[0].pixel() == pytest.approx(51.5, abs=0.1)
    (layer,) = make_stamp(HERE, (band,), StampsOptions(radius=240.0, beam="native"), 15.0).layers
    assert (layer.image, names_of(layer.flags)) == ("h", "")
    y, x = np.unravel_index(np.argmax(layer.data), layer.data.shape)
    middle = (layer.data.shape[0] - 1) / 2
    assert abs(y - middle) <= 1.5
    assert abs(x - middle) <= 1.5
    assert flux(layer) == pytest.approx(1.0, abs=0.05)  # its pixels hardly sample the beam
    far = make_stamp(Place("far", 20.0, 60.0), (band,), StampsOptions(), 15.0)
    assert [names_of(each.flags) for each in far.layers] == ["none"]


def linked(rows):
    """An answer of DataLink with these rows of address, semantics and type."""
    return (
        b'<VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3" version="1.4">'
        b'<RESOURCE type="results"><TABLE>'
        b'<FIELD name="access_url" datatype="char" arraysize="*"/>'
        b'<FIELD name="semantics" datatype="char" arraysize="*"/>'
        b'<FIELD name="content_type" datatype="char" arraysize="*"/><DATA><TABLEDATA>'
        + rows
        + b"</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
    )


@contextmanager
def service(path, calls, *, fail=False, links=()):
    """A SIA and SODA service of one map; its many DataLinks lead to these content types, one after the other."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            place = urlsplit(self.path)
            asked = {key: values[0] for key, values in parse_qs(place.query).items()}
            calls.append((place.path, asked))
            status, body = 200, b""
            if fail:
                status = 503
            elif place.path == "/sia":
                body = (
                    b'<VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3" version="1.4">'
                    b'<RESOURCE type="results"><TABLE>'
                    b'<FIELD name="access_url" datatype="char" arraysize="*" utype="obscore:Access.Reference"/>'
                    b'<FIELD name="access_format" datatype="char" arraysize="*"/><DATA><TABLEDATA>'
                    b"<TR><TD>/map.fits</TD><TD>image/fits</TD></TR><TR><TD>/x.png</TD><TD>image/png</TD></TR>"
                    b"<TR><TD></TD><TD>image/fits</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
                )
            elif place.path == "/empty":  # a table of something else
                body = (
                    b'<VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3" version="1.4">'
                    b'<RESOURCE type="results"><TABLE><FIELD name="name" datatype="char" arraysize="*"/><DATA><TABLEDATA>'
                    b"<TR><TD>x</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
                )
            elif place.path == "/linked":  # what DataLink services answer to
                body = (
                    b'<VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3" version="1.4">'
                    b'<RESOURCE type="results"><TABLE>'
                    b'<FIELD name="access_url" datatype="char" arraysize="*"/>'
                    b'<FIELD name="access_format" datatype="char" arraysize="*"/><DATA><TABLEDATA>'
                    b"<TR><TD>/links</TD><TD>application/x-votable+xml;content=datalink</TD></TR>"
                    b"</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
                )
            elif place.path == "/many":
                body = (
                    b'<VOTABLE xmlns="http://www.ivoa.net/xml/VOTable/v1.3" version="1.4">'
                    b'<RESOURCE type="results"><TABLE>'
                    b'<FIELD name="access_url" datatype="char" arraysize="*"/>'
                    b'<FIELD name="access_format" datatype="char" arraysize="*"/><DATA><TABLEDATA>'
                    + b"".join(
                        b"<TR><TD>/link%d</TD><TD>application/x-votable+xml;content=datalink</TD></TR>" % k
                        for k in range(len(links))
                    )
                    + b"</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>"
                )
            elif place.path.startswith("/link") and place.path[5:].isdigit():
                kind = links[int(place.path[5:])].encode()
                body = linked(b"<TR><TD>/map.fits</TD><TD>#this</TD><TD>%b</TD></TR>" % kind)
            elif place.path == "/links":
                body = linked(
                    b"<TR><TD>/x.png</TD><TD>#preview</TD><TD>image/png</TD></TR>"
                    b"<TR><TD>/map.fits</TD><TD>#this</TD><TD>image/fits</TD></TR>"
                    b"<TR><TD></TD><TD>#cutout</TD><TD>image/fits</TD></TR>"
                )
            elif place.path == "/map.fits":
                body = path.read_bytes()
            elif place.path == "/soda":
                part = cut(path, "CIRCLE " + asked["CIRCLE"])
                status, body = (204, b"") if part.empty else (200, b"".join(part.blocks()))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_services_are_asked_once_for_what_they_have(tmp_path):
    survey(tmp_path / "m.fits", [(RA, DEC, 1.0)])
    calls = []
    with service(tmp_path / "m.fits", calls) as url:
        path = config(
            tmp_path,
            {"name": "sia", "sia": f"{url}/sia", "collection": "C"},
            {"name": "soda", "soda": f"{url}/soda", "id": "ivo://x?y"},
        )
        bands = read_surveys(path)
        made = make_stamp(HERE, bands, StampsOptions(radius=60.0, beam="native"), 1.8)
        again = make_stamp(HERE, bands, StampsOptions(radius=60.0, beam="native"), 1.8)
        far = make_stamp(Place("far", 20.0, 60.0), bands[1:], StampsOptions(), 1.8)
        closed = read_surveys(path, trusted=False)
        refused = make_stamp(Place("x", RA, DEC + 0.01), closed, StampsOptions(), 1.8)
    for layer in made.layers:
        assert flux(layer) == pytest.approx(1.0, abs=2e-4)
        assert names_of(layer.flags) == ""
    np.testing.assert_array_equal(made.layers[1].data, again.layers[1].data)
    assert [where for where, _ in calls[:3]] == ["/sia", "/map.fits", "/soda"]
    assert calls[0][1]["COLLECTION"] == "C"
    assert calls[2][1]["ID"] == "ivo://x?y"
    assert len(calls) == 4  # the far place was asked for
    assert names_of(far.layers[0].flags) == "none"
    assert all("private addresses" in error for error in refused.errors)


def test_images_behind_links_are_found(tmp_path):
    survey(tmp_path / "m.fits", [(RA, DEC, 1.0)])
    calls = []
    with service(tmp_path / "m.fits", calls) as url:
        bands = read_surveys(config(tmp_path, {"name": "sia", "sia": f"{url}/linked"}))
        (layer,) = make_stamp(HERE, bands, StampsOptions(radius=60.0), 1.8).layers
    assert flux(layer) == pytest.approx(1.0, abs=2e-4)
    assert [where for where, _ in calls] == ["/linked", "/links", "/map.fits"]


@pytest.mark.parametrize("some", [False, True])
def test_no_more_than_some_links_of_one_answer_are_followed(some, tmp_path, caplog):
    survey(tmp_path / "m.fits", [(RA, DEC, 1.0)])
    calls = []
    deeper = "application/x-votable+xml;content=datalink"  # not followed
    links = ["image/png", "image/fits" if some else deeper, *["text/html"] * 40]
    with service(tmp_path / "m.fits", calls, links=links) as url:
        if some:
            assert len(remote.sia_images(f"{url}/many", RA, DEC, 0.1)) == 1
            assert f"42 DataLinks around {RA:.5f}, {DEC:.5f}: the first 20 were followed" in caplog.text
        else:
            with pytest.raises(FormatError, match=r"42 rows around .* the first 20 lead to no FITS file"):
                remote.sia_images(f"{url}/many", RA, DEC, 0.1)
    followed = [place for place, _ in calls if place.startswith("/link")]
    assert followed == [f"/link{k}" for k in range(20)]


def test_an_answer_without_images_is_told_and_asked_for_again(tmp_path):
    calls = []
    with service(tmp_path / "m.fits", calls) as url:
        for _ in range(2):
            remote.sia_images.cache_clear()
            with pytest.raises(
                FormatError, match=r"no table of images.*check its URL .*no column access_url"
            ):
                remote.sia_images(f"{url}/empty", RA, DEC, 0.1)
    assert len(calls) == 2


def test_a_run_asks_services_and_reads_no_address_as_a_file(tmp_path):
    survey(tmp_path / "m.fits", [(RA, DEC, 1.0)])
    calls = []
    with service(tmp_path / "m.fits", calls) as url:
        path = config(
            tmp_path,
            {"name": "sia", "sia": f"{url}/sia"},
            {"name": "soda", "soda": f"{url}/soda", "id": "ivo://x?y"},
        )
        at = ("--at", f"{RA},{DEC},60arcsec", "--set", "scale=1.8", "--quiet")
        said = called("stamps", *at, "--surveys", path, "--out", tmp_path / "out")
    assert said.returncode == 0, said.stderr
    row = fits.getdata(tmp_path / "out" / "coverage.fits")[0]
    assert (row["sia_coverage"], row["soda_coverage"]) == (1.0, 1.0)
    assert {where for where, _ in calls} == {"/sia", "/map.fits", "/soda"}


def test_units_that_are_missing_or_wrong_are_told(tmp_path):
    for name, unit in (("none", ""), ("wrong", "erg/s"), ("good", "Jy/beam")):
        survey(tmp_path / f"{name}.fits", [(RA, DEC, 1.0)])
        fits.setval(tmp_path / f"{name}.fits", "BUNIT", value=unit)
    (band,) = read_surveys(config(tmp_path, {"name": "a", "files": ["*.fits"]}))
    assert [note.partition(";")[0] for note in band.notes] == [
        "survey a: none.fits has no unit: taken as Jy/beam",
        "survey a: wrong.fits has unit 'erg/s', which does not lead to Jy: its numbers stay as they are",
    ]
    (band,) = of_maps([str(tmp_path / "none.fits")])
    (layer,) = make_stamp(HERE, (band,), StampsOptions(radius=60.0), 1.8).layers
    assert "no unit is told" in layer.steps[0]
    (scaled,) = read_surveys(config(tmp_path, {"name": "a", "files": "good.fits", "scale": 2.0}))
    (layer,) = make_stamp(HERE, (scaled,), StampsOptions(radius=60.0), 1.8).layers
    assert layer.steps[0] == "multiplied by 2"


def test_a_service_that_fails_spoils_its_own_band(tmp_path):
    survey(tmp_path / "m.fits", [(RA, DEC, 1.0)])
    with service(tmp_path / "m.fits", [], fail=True) as url:
        path = config(tmp_path, {"name": "sia", "sia": f"{url}/sia"}, {"name": "map", "files": "m.fits"})
        made = make_stamp(HERE, read_surveys(path), StampsOptions(radius=60.0), 1.8)
    assert [names_of(layer.flags) for layer in made.layers] == ["failed", ""]
    assert "503" in made.errors[0]
    with pytest.raises(TransientError):
        remote.soda_image(f"{url}/soda", "x", RA, DEC, 0.1)


def test_the_example_is_a_configuration(tmp_path):
    (tmp_path / "maps" / "sumss").mkdir(parents=True)
    survey(tmp_path / "maps" / "sumss" / "a.fits", [(RA, DEC, 1.0)])
    (tmp_path / "s.yaml").write_text(EXAMPLE)
    assert [band.name for band in read_surveys(tmp_path / "s.yaml")] == [
        "sumss",
        "radio-high",
        "wise_22",
        "racs",
    ]


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("surveys: [", UsageError, "not YAML"),
        ("a: 1", UsageError, "no list of surveys"),
        ("surveys: [3]", OptionError, "no KEY: VALUE"),
        ("surveys: [{name: a}]", OptionError, "needs a place"),
        ("surveys: [{name: a, folder: x}]", UsageError, "survey a has no image"),
        ("surveys: [{name: a, files: no.fits}]", UsageError, "no such file"),
        ("surveys: [{name: a, files: x, beem: 3}]", OptionError, "survey a: .*'beem'"),
        ("surveys: [{name: a, files: x, beam: [1, 2]}]", OptionError, "survey a: "),
        ("surveys: [{name: a, soda: 'http://x'}]", OptionError, "needs the id"),
        ("surveys: [{name: a, hips: x, like: nosuch}]", OptionError, "no survey that is known"),
        ("surveys: [{name: a, list: no.txt}]", UsageError, "its list cannot be read"),
    ],
)
def test_what_is_wrong_in_a_configuration_is_told_in_one_line(text, error, told, tmp_path):
    (tmp_path / "s.yaml").write_text(text)
    with pytest.raises(error, match=told) as raised:
        read_surveys(tmp_path / "s.yaml")
    assert "\n" not in str(raised.value)


def test_grids_far_from_any_image_are_no_trouble(tmp_path):
    survey(tmp_path / "m.fits", [(RA, DEC, 1.0)])
    (band,) = read_surveys(config(tmp_path, {"name": "m", "files": "m.fits"}))
    assert band.surveys[0].covering(north_up(0.0, 90.0, 50, 2.0)) == []
