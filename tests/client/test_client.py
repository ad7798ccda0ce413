"""The client against a service on a socket, from Python and from the command line."""

import subprocess
import sys

import httpx
import numpy as np
import pyarrow.parquet
import pytest
from astropy.io import fits
from astropy.table import Table
from tests.jobs.services import little_map

import skysift
from skysift.base.errors import BusyError, DataError, SignInError, TransientError, UnknownName, UsageError
from skysift.cli.main import main
from skysift.client.job import RemoteFile, RemoteJob


@pytest.fixture
def client(running):
    with skysift.Client(running()) as made:
        yield made


def test_it_imports_neither_server_nor_command_line():
    code = "import sys, skysift; skysift.Client('http://x'); print(*sorted(n for n in sys.modules if 'skysift' in n))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    rooms = {name.split(".")[1] for name in done.stdout.split() if "." in name}
    assert rooms == {"base", "client", "plugins"} or rooms == {"base", "client"}


def test_a_map_is_sent_searched_and_fetched(client, tmp_path):
    path = little_map(tmp_path / "little.fits")
    job = client.submit("classic", path, name="little", tags=["t"], maps=["rms"], report=False, seed=6)
    heard = []
    job.wait(500, tell=lambda now: heard.append(now.phase))
    assert job.phase == "COMPLETED", job.log()
    assert heard[-1] == "COMPLETED"
    saved = {each.name: each for each in job.fetch(tmp_path / "out")}
    assert {"sources.fits", "manifest.json", "rms.fits"} <= saved.keys()
    assert len(fits.getdata(saved["sources.fits"])) == 2
    before = saved["sources.fits"].stat().st_mtime_ns
    asked = []
    job.fetch(tmp_path / "out", tell=asked.append)
    assert not asked
    assert saved["sources.fits"].stat().st_mtime_ns == before
    assert job.result("rms.fits").read() == saved["rms.fits"].read_bytes()
    with pytest.raises(UnknownName, match=r"rms\.fits"):
        job.result("none")
    assert "COMPLETED" in repr(job)
    assert "<table>" in job._repr_html_()
    assert [each.id for each in client.jobs(tag="t")] == [job.id]
    placed = client.put(job, collection="mine")
    assert placed[0]["kind"] == "product"
    assert {"rms.fits"} <= set(client.images()["name"])
    assert set(client.catalogues("mine")["name"]) == {"islands.fits", "sources.fits", "components.fits"}
    assert client.put(job, collection="mine")[0]["id"] == placed[0]["id"]


def test_an_image_on_the_shelf_is_cut(client, tmp_path):
    path = little_map(tmp_path / "little.fits")
    image = client.put(path)[0]
    cut = client.cutout(image["id"], "CIRCLE 50 -30 0.005", tmp_path / "cut.fits")
    data = fits.getdata(cut)
    assert data.shape[0] < 30
    assert np.isin(data, fits.getdata(path)).all()
    with pytest.raises(UsageError, match="the image has nothing of this region: got 'CIRCLE 150 30 "):
        client.cutout(image["id"], "CIRCLE 150 30 0.005", tmp_path / "none.fits")
    assert not (tmp_path / "none.fits").exists()
    with pytest.raises(UsageError, match="radius"):
        client.cutout(image["id"], "CIRCLE 50 -30 -1", tmp_path / "none.fits")


def test_menus_are_tables(client):
    assert "classic" in client.finders()
    table = client.options("classic")
    assert "seed" in table["name"]
    assert "finder:classic" in client.apps()


def test_errors_are_those_of_the_service(client, tmp_path):
    with pytest.raises(UsageError, match="did you mean 'seed'"):
        client.submit("classic", sed=1)
    with pytest.raises(UsageError, match="no such file"):
        client.submit("classic", tmp_path / "none.fits")
    with pytest.raises(UnknownName, match="no such job"):
        client.job("none")
    with pytest.raises(UsageError, match="not the address"):
        skysift.Client("ftp://x")


def test_nothing_is_sent_for_a_job_that_is_refused(client, tmp_path, capsys):
    path, table = str(little_map(tmp_path / "little.fits")), tmp_path / "t.csv"
    table.write_text("ra,dec\n1,2\n")
    for app, inputs, options, told in (
        ("clasic", path, {}, "no such app"),
        ("classic", path, {"sed": 4}, "did you mean 'seed'"),
        ("classic", path, {"seed": -4}, "'seed' is not allowed"),
        ("merge", path, {}, "inputs of the role 'map': got 1; allowed: 2 or more"),
        ("classic", [path, tmp_path / "none.fits"], {}, "no such file"),
        ("classic", path, {"rms_file": "input:rms.fits"}, "names a file by the inputs"),
    ):
        with pytest.raises(UsageError, match=told):
            client.submit(app, inputs, **options)
    for words in (["--finder", "clasic"], ["--set", "sed=4"], ["--set", "seed=-4"]):
        assert main(["remote", client.wire.url, "submit", path, *words]) == 2
    assert list(client.uploads()) == list(client.jobs()) == []
    with pytest.raises(UsageError, match="inputs of the role 'map': got 0; allowed: 1 or more"):
        client.submit("classic")
    job = client.submit("classic", path, start=False)
    assert (job.phase, len(list(client.uploads()))) == ("PENDING", 1)


def test_a_query_that_is_refused_tells_why(client, tmp_path, capsys):
    with pytest.raises(UsageError, match=r"\bt\b"):
        client.query("SELECT flx FROM t")
    with pytest.raises(UsageError, match=r"(?i)no_column"):
        client.query("SELECT no_column FROM ivoa.obscore")
    assert main(["remote", client.wire.url, "query", "SELECT flx FROM t"]) == 2
    told = capsys.readouterr().err
    assert "/tap/sync" not in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("ending", [".csv", ".ecsv", ".fits", ".parquet", ".vot", ".votable", ".xml"])
def test_a_query_is_written_as_its_ending_says(client, tmp_path, ending):
    client.put(little_map(tmp_path / "little.fits"))
    query = "SELECT obs_id, s_ra, t_min, target_name, s_region FROM ivoa.obscore"
    out = tmp_path / "new" / f"rows{ending}"
    assert main(["remote", client.wire.url, "query", query, "--out", str(out)]) == 0
    forms = {".vot": "votable", ".votable": "votable", ".xml": "votable"}
    if ending == ".parquet":
        table = Table(pyarrow.parquet.read_table(out).to_pydict())
    else:
        table = Table.read(out, format=forms.get(ending))
    assert {"obs_id", "s_ra", "t_min", "target_name", "s_region"} <= set(table.colnames)
    assert table["s_ra"][0] == pytest.approx(50.0, abs=0.1)


def test_an_unknown_ending_is_refused_before_the_query(capsys, tmp_path):
    words = ["query", "SELECT 1", "--out", str(tmp_path / "q.xyz")]
    assert main(["remote", "http://127.0.0.1:9", *words]) == 2
    told = capsys.readouterr().err
    assert "no table is written with this ending" in told
    assert all(each in told for each in (".csv", ".fits", ".parquet", ".vot"))


def test_a_broken_answer_of_a_query_is_told():
    head = '<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE type="results">'
    rows = '<TABLE><FIELD name="a" datatype="int"/><DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA></TABLE>'
    end = '<INFO name="QUERY_STATUS" value="ERROR">too long</INFO></RESOURCE></VOTABLE>'
    answers = iter([(200, head + rows + end), (401, head + end), (400, "<a"), (503, head + end)])

    def answer(request):
        status, text = next(answers)
        return httpx.Response(status, text=text, headers={"content-type": "application/x-votable+xml"})

    client = skysift.Client("http://x", transport=httpx.MockTransport(answer))
    for kind, told in (
        (TransientError, "broken off.*too long"),
        (SignInError, "^too long"),
        (UsageError, "answers 400"),
        (BusyError, "^too long"),
    ):
        with pytest.raises(kind, match=told):
            client.query("SELECT 1")


def test_a_collection_has_a_name_that_addresses_hold(client, tmp_path):
    path = little_map(tmp_path / "little.fits")
    for name in ("", "my maps", "a/b"):
        with pytest.raises(UsageError, match="the name of a collection is not allowed"):
            client.put(path, collection=name)
    assert main(["ingest", str(path), "--data", str(tmp_path / "data"), "--collection", "a b"]) == 2


def test_a_new_shelf_is_told(tmp_path, capsys):
    words = ["ingest", str(little_map(tmp_path / "little.fits")), "--data", str(tmp_path / "fresh")]
    for told in (True, False):
        assert main(words) == 0
        assert ("a new one was made" in capsys.readouterr().err) == told


def test_a_service_that_is_not_there(monkeypatch):
    monkeypatch.setattr("skysift.client.wire.time.sleep", lambda seconds: None)
    with pytest.raises(TransientError, match="does not answer"):
        skysift.Client("http://127.0.0.1:9").me()


def test_a_token_opens(running, tmp_path, capsys):
    data = tmp_path / "data"
    address = running(sign_in="tokens")
    assert main(["token", "add", "ana", "--data", str(data)]) == 0
    token = capsys.readouterr().out.strip()
    with skysift.Client(address) as nobody, pytest.raises(SignInError):
        nobody.submit("classic")
    with skysift.Client(address, token) as ana:
        assert ana.me()["name"] == "ana"
        assert "ana" in ana._repr_html_()
        assert token not in repr(ana)
    (tmp_path / "t").write_text(token + "\n")
    assert main(["remote", address, "jobs", "--token-file", str(tmp_path / "t")]) == 0
    assert main(["remote", address, "jobs", "--token-file", str(tmp_path / "none")]) == 2


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "a/../../b", "..\\x", ""])
def test_no_result_is_written_elsewhere(client, tmp_path, name):
    job = RemoteJob(client.wire, {"id": "x"})
    job.results = lambda: [RemoteFile(client.wire, name, "text/plain", 1, "", "/x", "")]
    with pytest.raises(DataError, match="lie elsewhere"):
        job.fetch(tmp_path / "out")


def test_what_came_broken_is_not_kept(client, tmp_path):
    sent = tmp_path / "a.txt"
    sent.write_text("abc")
    id_ = client.upload(sent)["id"]
    told = RemoteFile(client.wire, "a.txt", "text/plain", 3, "sha256:0", f"/api/v1/uploads/{id_}/content", "")
    with pytest.raises(DataError, match="not what the service told of"):
        told.save(tmp_path / "out.txt")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a.txt", "data"]


def test_the_command_submits_watches_and_fetches(running, tmp_path, capsys):
    address, path = running(), little_map(tmp_path / "little.fits")
    chosen = ["--set", "report=false", "--set", "maps=rms"]
    assert main(["remote", address, "submit", str(path), *chosen, "--out", str(tmp_path / "field")]) == 0
    told = capsys.readouterr()
    job = told.out.strip()
    assert "COMPLETED" in told.err
    assert (tmp_path / "field" / "sources.fits").is_file()
    assert main(["remote", address, "watch", job, "--quiet"]) == 0
    assert main(["remote", address, "jobs"]) == 0
    assert job in capsys.readouterr().out
    assert main(["remote", address, "cancel", job]) == 0
    assert "COMPLETED  had ended already" in capsys.readouterr().out
    assert main(["remote", address, "submit", str(path), "--set", "sed=3"]) == 2
    assert "did you mean 'seed'" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["dance"], ["watch"], ["fetch", "x", "y"], ["cutout", "x"]])
def test_a_command_that_is_not_understood(words, capsys):
    assert main(["remote", "http://127.0.0.1:9", *words]) == 2
    assert "skysift: error:" in capsys.readouterr().err
