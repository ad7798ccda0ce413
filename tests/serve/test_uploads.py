"""Uploads stream to disk, belong to somebody, and are whole or not at all."""

import gzip
import hashlib
import io
import tarfile
import tracemalloc
import zipfile

import httpx
import pytest

from skysift.archive.policy import Access, User
from skysift.base.errors import OptionError, SizeError
from skysift.serve.uploads import plain_name

BYTES = b"SIMPLE  =                    T" + b" " * 5000
URL = "/api/v1/uploads"


def send(service, content=BYTES, name="map.fits", **more):
    return service.post(f"{URL}?name={name}", content=content, **more)


def test_the_body_is_the_file(local):
    answer = send(local)
    assert answer.status_code == 201
    told = answer.json()
    assert told["name"] == "map.fits"
    assert told["size"] == len(BYTES)
    assert told["checksum"] == "sha256:" + hashlib.sha256(BYTES).hexdigest()
    assert told["access"] == {"owner": "local", "visibility": "private", "group": ""}
    assert answer.headers["location"].endswith(f"/uploads/{told['id']}")
    assert local.get(f"{URL}/{told['id']}/content").content == BYTES


def test_a_form_is_taken_too(local):
    told = local.post(URL, files={"file": ("m a p.fits", BYTES), "other": ("x", b"ignored")}).json()
    assert (told["name"], told["size"]) == ("m a p.fits", len(BYTES))
    assert local.get(f"{URL}/{told['id']}/content").content == BYTES


def test_part_of_a_file_and_a_file_that_did_not_change(local):
    one = send(local).json()["id"]
    part = local.get(f"{URL}/{one}/content", headers={"Range": "bytes=0-5"})
    assert (part.status_code, part.content) == (206, b"SIMPLE")
    again = local.get(f"{URL}/{one}/content", headers={"If-None-Match": part.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_pages_of_uploads(local):
    ids = [send(local, BYTES + bytes([i])).json()["id"] for i in range(5)]
    seen, page = [], ""
    while True:
        answer = local.get(URL, params={"size": 2, "page": page}).json()
        seen += [each["id"] for each in answer["items"]]
        page = answer["next"]
        if not page:
            break
    assert sorted(seen) == sorted(ids)
    assert local.get(URL, params={"page": "x"}).status_code == 400


def test_it_is_removed_with_its_file(local, tmp_path):
    one = send(local).json()["id"]
    assert (tmp_path / "data" / "uploads" / one / "map.fits").is_file()
    assert local.delete(f"{URL}/{one}").status_code == 204
    assert not (tmp_path / "data" / "uploads" / one).exists()
    assert local.get(f"{URL}/{one}").status_code == 404


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/map.fits", "map.fits"),
        (".hidden", "hidden"),
        ("a;rm -rf $(x)`y`|z.fits", "a_rm -rf _(x)_y__z.fits"),
        ("a\0b\n.fits", "a_b_.fits"),
        ("x" * 400 + ".fits", "x" * 195 + ".fits"),
    ],
)
def test_names_are_plain(given, name):
    assert plain_name(given) == name


@pytest.mark.parametrize("name", ["", ".", "..", "/", "../..", "...", "_"])
def test_what_is_no_name(name):
    with pytest.raises(OptionError, match="not the name of a file"):
        plain_name(name)


def test_no_name_leads_out_of_the_folder(local, tmp_path):
    for name in ("../../../escaped", "%2e%2e%2fescaped", "/tmp/escaped"):
        assert send(local, name=name).status_code == 201
    assert {path.name for path in tmp_path.iterdir()} == {"data"}
    assert not list(tmp_path.glob("data/escaped*"))


def test_too_much_is_refused_before_and_while_it_comes(service, tmp_path):
    small = service(upload_limit=10_000)
    assert send(small, b"x" * 10_001).status_code == 413
    assert send(small, (b"x" * 1000 for _ in range(11))).status_code == 413  # no length told
    assert send(small, (b"x" * 1000 for _ in range(10))).status_code == 201
    assert len(list((tmp_path / "data" / "uploads").iterdir())) == 1


def test_other_bodies_are_small(service):
    answer = service(body_limit=2048).post("/api/v1/jobs", content=b"x" * 4096)
    assert answer.status_code == 413


def test_a_user_keeps_so_much(service):
    small = service(uploads_per_user=9000)
    assert send(small).status_code == 201
    assert send(small).status_code == 413
    assert small.get(URL).json()["items"][0]["size"] == len(BYTES)


def test_uploads_that_come_at_once_count_together(service):
    small = service(uploads_per_user=9000)
    uploads, user = small.app.state.uploads, User("local")
    first = uploads.begin(user, "a.fits", limit=10_000, quota=9000)
    second = uploads.begin(user, "b.fits", limit=10_000, quota=9000)
    first.write(BYTES)
    with pytest.raises(SizeError, match="may keep in all: allowed: 9000 bytes"):
        second.write(BYTES)
    second.abandon()
    first.finish("", Access("local"))
    assert send(small).status_code == 413
    third = uploads.begin(user, "c.fits", limit=10_000, quota=9000)
    small.delete(f"{URL}/{small.get(URL).json()['items'][0]['id']}")
    third.write(b"x" * 3900)
    assert send(small).status_code == 201  # what was removed meanwhile counts no more
    assert send(small).status_code == 413  # what is on its way counts
    third.abandon()
    third.abandon()
    assert send(small, BYTES[:3900]).status_code == 201


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", "b")
    return file.getvalue()


def tarred(how):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=how) as archive:
        archive.addfile(tarfile.TarInfo("../../a"))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [zipped(), tarred("w"), tarred("w:gz"), tarred("w:bz2"), b"", b"\x1f\x8b" + b"broken"],
    ids=["zip", "tar", "tar.gz", "tar.bz2", "nothing", "broken"],  # the bytes hold the time
)
def test_archives_and_nothing_are_refused(local, content, tmp_path):
    answer = send(local, content)
    assert answer.status_code == 422
    assert answer.json()["kind"] == "data"
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_a_gzip_bomb_is_refused(local):
    bomb = gzip.compress(gzip.compress(bytes(2**28)) and bytes(2**28))
    assert len(bomb) < 300_000
    answer = send(local, bomb, "map.fits.gz")
    assert answer.status_code == 422
    assert "grows too much" in answer.json()["detail"]
    assert send(local, gzip.compress(BYTES), "map.fits.gz").status_code == 201


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/x", "http://169.254.169.254/meta", "file:///etc/passwd", "ftp://x/y"]
)
def test_nothing_is_fetched_from_within(local, url, tmp_path):
    answer = local.post(URL, json={"url": url})
    assert answer.status_code == 400
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_a_broken_form_leaves_nothing(local, tmp_path):
    start = b'--b\r\nContent-Disposition: form-data; name="file"; filename="m.fits"\r\n\r\nSIMPLE'
    for body in (start, b"--c\r\n", start.replace(b"file", b"other") + b"\r\n--b--\r\n"):
        answer = local.post(URL, content=body, headers={"Content-Type": "multipart/form-data; boundary=b"})
        assert answer.status_code == 400
    assert not list((tmp_path / "data" / "uploads").iterdir())


def test_uploads_belong_to_somebody(people):
    service = people["service"]
    assert send(service).status_code == 401
    one = send(service, headers=people["ana"]).json()["id"]
    for other in ("ben", "cleo", "nobody"):
        assert service.get(f"{URL}/{one}", headers=people[other]).status_code == 404
        assert service.get(f"{URL}/{one}/content", headers=people[other]).status_code == 404
        assert service.get(URL, headers=people[other]).json()["items"] == []
    assert service.delete(f"{URL}/{one}", headers=people["ben"]).status_code == 404
    assert service.get(f"{URL}/{one}", headers=people["root"]).status_code == 200
    shared = service.patch(
        f"{URL}/{one}", headers=people["ana"], json={"visibility": "group", "group": "radio"}
    )
    assert shared.status_code == 200
    assert service.get(f"{URL}/{one}", headers=people["ben"]).status_code == 200
    assert service.get(f"{URL}/{one}", headers=people["cleo"]).status_code == 404
    assert service.delete(f"{URL}/{one}", headers=people["ben"]).status_code == 403
    service.patch(f"{URL}/{one}", headers=people["ana"], json={"visibility": "public"})
    assert service.get(f"{URL}/{one}").status_code == 200
    assert service.delete(f"{URL}/{one}").status_code == 401


def test_a_page_that_was_sent_is_not_shown_as_one(local):
    one = send(local, b"<script>alert(1)</script>", "x.html").json()["id"]
    headers = local.get(f"{URL}/{one}/content").headers
    assert headers["content-disposition"].startswith("attachment")
    assert headers["content-security-policy"].startswith("sandbox")


def test_memory_stays_flat(running):
    address = running()
    piece = bytes(2**18)
    tracemalloc.start()
    try:
        answer = httpx.post(f"{address}{URL}?name=a.fits", content=(piece for _ in range(512)), timeout=60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert answer.json()["size"] == 2**27
    assert peak < 2**24
