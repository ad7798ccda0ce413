"""The same service on PostgreSQL: people, uploads, jobs and the shelf."""

import pytest
from tests.postgres import database

from skysift.base.errors import UsageError
from skysift.cli.main import main
from skysift.io.sql import connect
from skysift.serve.belonging import bind_folder


@pytest.mark.full
def test_a_service_on_postgresql(service, postgres, tmp_path, capsys):
    postgres = database(postgres)
    client = service(database=postgres, sign_in="tokens")
    headers = {}
    for name in ("ana", "ben"):
        told = ["token", "add", name, "--data", str(tmp_path / "data"), "--database", postgres]
        assert main([*told, "--group", "radio"]) == 0
        headers[name] = {"Authorization": f"Bearer {capsys.readouterr().out.strip()}"}
    ana, ben = headers["ana"], headers["ben"]
    assert client.get("/api/v1/ready").json()["status"] == "ready"
    sent = client.post("/api/v1/uploads?name=a.csv", content=b"ra,dec\n1,2\n3,4\n", headers=ana).json()
    held = client.post("/api/v1/shelf", json={"source": sent["input"], "collection": "c"}, headers=ana)
    assert held.status_code == 201, held.text
    one = held.json()["items"][0]
    asked = {"LANG": "ADQL", "QUERY": "SELECT COUNT(*) FROM c.a", "RESPONSEFORMAT": "csv"}
    assert client.post("/tap/sync", data=asked, headers=ana).text.split()[1] == "2"
    assert client.post("/tap/sync", data=asked, headers=ben).status_code == 400
    sharing = {"visibility": "group", "group": "radio"}
    assert client.patch(f"/api/v1/shelf/{one['id']}", json=sharing, headers=ana).status_code == 200
    assert client.post("/tap/sync", data=asked, headers=ben).status_code == 200
    field = client.post("/api/v1/uploads?name=m.fits", content=b"SIMPLE", headers=ana).json()
    waiting = {"finder": "classic", "inputs": [field["input"]], "start": False}
    jobs = [client.post("/api/v1/jobs", json=waiting, headers=ana).json()["id"] for _ in range(3)]
    page = client.get("/api/v1/jobs?size=2", headers=ana).json()
    rest = client.get("/api/v1/jobs", params={"size": 2, "page": page["next"]}, headers=ana).json()
    assert [each["id"] for each in (*page["items"], *rest["items"])] == jobs[::-1]
    assert client.get(f"/api/v1/jobs/{jobs[0]}", headers=ben).status_code == 404
    assert client.post(f"/api/v1/jobs/{jobs[0]}/cancel", headers=ana).json()["phase"] == "ABORTED"
    again = client.post(f"/api/v1/jobs/{jobs[0]}/retry", headers=ana)
    assert again.status_code == 201
    client.post(f"/api/v1/jobs/{again.json()['id']}/cancel", headers=ana)
    assert client.get("/api/v1/usage", headers=ana).json()["ended"]["ABORTED"] >= 1


@pytest.mark.full
def test_two_folders_with_one_postgresql(postgres, tmp_path):
    url = database(postgres)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    engine = connect(url)
    bind_folder(engine, tmp_path / "a")
    with pytest.raises(UsageError, match="belongs to another folder"):
        bind_folder(engine, tmp_path / "b")
