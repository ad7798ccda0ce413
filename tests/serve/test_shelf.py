"""The shelf over HTTP: images, catalogues and products, each seen by those who may."""

import io
import shutil

import pytest
import sqlalchemy as sa
from astropy.io import fits
from tests.archive.shelves import write_catalogue
from tests.jobs.services import little_map
from tests.serve.vo.knowledge import found

from skysift.archive.policy import User
from skysift.archive.rows import entries
from skysift.jobs.folder import JobFolder
from skysift.jobs.job import Phase

API = "/api/v1"


def table(n=3):
    return b"ra,dec,flux\n" + b"".join(b"%d,-30,0.%d\n" % (50 + i, i) for i in range(n))


def put(service, content, name, headers=None, **more):
    sent = service.post(f"{API}/uploads?name={name}", content=content, headers=headers).json()
    answer = service.post(f"{API}/shelf", json={"source": sent["input"], **more}, headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.json()["items"][0]


@pytest.fixture
def image(tmp_path):
    return little_map(tmp_path / "little.fits").read_bytes()


def test_an_image_with_its_obscore(local, image):
    one = put(local, image, "little.fits", collection="fields", survey="S")
    shown = local.get(f"{API}/images/{one['id']}").json()
    assert (shown["kind"], shown["collection"], shown["survey"]) == ("image", "fields", "S")
    assert shown["ra"] == pytest.approx(50, abs=0.01)
    assert shown["obscore"]["s_xel1"] == 128
    assert local.get(f"{API}/shelf/{one['id']}/content").content == image
    assert [each["id"] for each in local.get(f"{API}/images").json()["items"]] == [one["id"]]
    assert local.get(f"{API}/images", params={"collection": "others"}).json()["items"] == []
    assert local.get(f"{API}/catalogues/{one['id']}").status_code == 404


def test_the_shelf_keeps_a_copy_and_the_same_only_once(local, image):
    one = put(local, image, "little.fits")
    again = put(local, image, "little.fits")
    assert again["id"] == one["id"]
    for each in local.get(f"{API}/uploads").json()["items"]:
        local.delete(f"{API}/uploads/{each['id']}")
    assert local.get(f"{API}/shelf/{one['id']}/content").content == image


def test_a_part_of_an_image(local, image):
    one = put(local, image, "little.fits")
    answer = local.get(f"{API}/images/{one['id']}/cutout", params={"region": "CIRCLE 50 -30 0.005"})
    part = fits.getdata(io.BytesIO(answer.content))
    assert part.shape[0] < 30
    assert int(answer.headers["content-length"]) == len(answer.content)
    elsewhere = {"region": "CIRCLE 10 60 0.1"}
    assert local.get(f"{API}/images/{one['id']}/cutout", params=elsewhere).status_code == 204
    for wrong in (
        {"region": "BLOB 1"},
        {"region": "CIRCLE 1 2"},
        {"region": "CIRCLE 50 -30 1", "band": "a b"},
    ):
        assert local.get(f"{API}/images/{one['id']}/cutout", params=wrong).status_code == 400


def test_a_catalogue_becomes_a_table(local):
    one = put(local, table(), "mine.csv", collection="mine")
    told = local.get(f"{API}/catalogues/{one['id']}").json()["tables"][0]
    assert (told["name"], told["rows"]) == ("mine.mine", 3)
    assert [each["name"] for each in told["columns"]] == ["ra", "dec", "flux"]
    asked = {"LANG": "ADQL", "QUERY": "SELECT COUNT(*) FROM mine.mine", "RESPONSEFORMAT": "csv"}
    assert local.post("/tap/sync", data=asked).text.split()[1] == "3"


def test_products_of_a_job_are_called_by_their_map(local, tmp_path):
    manager = local.app.state.manager
    path = little_map(tmp_path / "my.field.fits")
    folder = found(tmp_path / "found", path)
    whole = local.post(f"{API}/uploads?name=my.field.fits", content=path.read_bytes()).json()
    told = {"finder": "classic", "inputs": [whole["input"]], "start": False, "name": "night 3"}
    for number in ("", "_2"):
        job = local.post(f"{API}/jobs", json=told).json()["id"]
        shutil.copytree(folder, manager.folder / job / "work")
        write_catalogue(manager.folder / job / "work" / "sources.fits", 5 + len(number))
        offered = JobFolder(manager.folder / job).commit()
        for phase in (Phase.QUEUED, Phase.EXECUTING):
            manager.store.move(job, phase, "")
        manager.store.move(job, Phase.COMPLETED, "", artefacts=offered)
        for _ in range(2):  # the same has the same name
            answer = local.post(f"{API}/shelf", json={"source": f"job:{job}", "collection": "runs"})
            assert answer.json()["items"][0]["name"] == "my.field"
            names = [each["tables"][0]["name"] for each in local.get(f"{API}/catalogues").json()["items"]]
            assert f"runs.my_field_sources{number}" in names


def test_pages_of_the_shelf(local):
    ids = {put(local, table(i + 1), f"c{i}.csv")["id"] for i in range(5)}
    seen, page = [], ""
    while True:
        told = local.get(f"{API}/catalogues", params={"size": 2, "page": page}).json()
        seen += [each["id"] for each in told["items"]]
        page = told["next"]
        if not page:
            break
    assert sorted(seen) == sorted(ids)


def test_everything_has_an_owner(people):
    service, ana, ben = people["service"], people["ana"], people["ben"]
    one = put(service, table(), "mine.csv", ana, collection="mine")
    url, asked = f"{API}/shelf/{one['id']}", {"QUERY": "SELECT * FROM mine.mine", "LANG": "ADQL"}
    paths = ("", "/content", "/provenance")

    def seen_by(who):
        headers = people[who]
        codes = {service.get(url + path, headers=headers).status_code for path in paths}
        listed = [each["id"] for each in service.get(f"{API}/catalogues", headers=headers).json()["items"]]
        found = service.post("/tap/sync", data=asked, headers=headers).status_code == 200
        job = service.post(
            f"{API}/jobs",
            json={"finder": "classic", "inputs": [f"shelf:{one['id']}"], "start": False},
            headers=headers,
        )
        whole = (codes == {200}, listed == [one["id"]], found)
        assert len(set(whole)) == 1, (who, codes, listed, found)
        assert job.status_code == (401 if who == "nobody" else 201 if whole[0] else 400)
        return whole[0]

    everybody = ("ana", "ben", "cleo", "root", "nobody")
    assert [who for who in everybody if seen_by(who)] == ["ana", "root"]
    assert service.patch(url, headers=ben, json={"visibility": "public"}).status_code == 404
    service.patch(url, headers=ana, json={"visibility": "group", "group": "radio"})
    assert [who for who in everybody if seen_by(who)] == ["ana", "ben", "root"]
    assert service.delete(url, headers=ben).status_code == 403
    service.patch(url, headers=ana, json={"visibility": "public"})
    assert [who for who in everybody if seen_by(who)] == list(everybody)
    assert service.delete(url).status_code == 401
    assert service.delete(url, headers=ana).status_code == 204
    assert not any(seen_by(who) for who in everybody)


@pytest.mark.parametrize(
    "body",
    [
        {"source": "/etc/passwd"},
        {"source": "upload:../../x"},
        {"source": "job:none"},
        {"source": "shelf:x"},
        {"source": "http://127.0.0.1/x"},
    ],
)
def test_what_cannot_go_there(local, body):
    assert local.post(f"{API}/shelf", json=body).status_code == 400
    assert local.get(f"{API}/shelf").json()["items"] == []


def test_what_is_neither_map_nor_table(local):
    sent = local.post(f"{API}/uploads?name=x.bin", content=b"\x01\x02\x03" * 100).json()
    assert local.post(f"{API}/shelf", json={"source": sent["input"]}).status_code in (400, 422)


def test_a_link_opens_no_child_that_its_asker_may_not_see(people):
    service, ana = people["service"], people["ana"]
    shelf, user = service.app.state.shelf, User("ana")
    parent = put(service, table(3), "seen.csv", ana)["id"]
    child = put(service, table(4), "hidden.csv", ana)["id"]
    with shelf.engine.begin() as connection:
        rows = sa.update(entries).where(entries.c.id == child).values(parent=parent)
        connection.execute(rows)
        seen = sa.update(entries).where(entries.c.id == parent).values(visibility="public")
        connection.execute(seen)
    assert len(shelf.children(shelf.entry(parent, user), user)) == 1
    for who, status in (("nobody", 404), ("ben", 404), ("ana", 200)):
        link = service.post(f"{API}/shelf/{parent}/views", headers=people[who]).json()["url"]
        assert service.get(f"{link}hidden.csv").status_code == status
        assert service.get(f"{link}seen.csv").content == table(3)
        assert ("hidden" in service.get(link).text) is (status == 200)
    service.patch(f"{API}/shelf/{parent}", headers=ana, json={"visibility": "private"})
    assert service.get(f"{link}seen.csv").status_code == 200
    theirs = service.post(f"{API}/shelf/{parent}/views", headers=people["ben"])
    assert theirs.status_code == 404


def test_a_private_file_is_opened_by_a_link_of_its_own(people, image):
    service, ana = people["service"], people["ana"]
    one = put(service, image, "little.fits", ana)
    assert service.get(one["links"]["content"].removeprefix("http://127.0.0.1")).status_code == 404
    link = service.post(f"{API}/shelf/{one['id']}/views", headers=ana).json()["url"]
    assert service.get(f"{link}little.fits").content == image
    page = service.get("/page/page.js").text
    assert page.count("href: one.links.content") == 1  # in the function that asks for such a link


def test_cutouts_have_plain_names(local, image):
    one = put(local, image, "little.fits")
    shelf = local.app.state.shelf
    with shelf.engine.begin() as connection:
        connection.execute(sa.update(entries).where(entries.c.id == one["id"]).values(name='Ω"\r\nx: y.fits'))
    answer = local.get(f"{API}/images/{one['id']}/cutout", params={"region": "CIRCLE 50 -30 0.005"})
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == 'attachment; filename="x__y-cutout.fits"'


@pytest.mark.parametrize("body", [{"collection": "a\0b"}, {"survey": "a\nb"}, {"description": "a\0b"}])
def test_control_characters_are_in_no_text(local, body):
    sent = local.post(f"{API}/uploads?name=x.csv", content=table()).json()
    assert local.post(f"{API}/shelf", json={"source": sent["input"], **body}).status_code == 422
