"""A disk that is really full: a service, and its workers, that can write no file beyond a size."""

import re
import resource
import subprocess
import sys
import time

import httpx
import pytest

LIMIT = 16 << 20  # bytes: more than the database and its log of writes need
ROWS = 2000


def bounded():
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))


@pytest.fixture
def base(tmp_path):
    """The address of a service of another process that can write no large file."""
    told = [sys.executable, "-m", "skysift", "serve", "--data", str(tmp_path / "data"), "--port", "0"]
    with (tmp_path / "log.txt").open("wb") as log:
        service = subprocess.Popen(
            told, stdout=subprocess.PIPE, stderr=log, text=True, preexec_fn=bounded
        )  # fmt: skip
    try:
        line = service.stdout.readline()
        yield re.search(r"http://[\d.:]+", line)[0]
    finally:
        service.terminate()
        service.wait(60)
        service.stdout.close()


@pytest.mark.full
def test_a_full_disk_is_told_and_loses_nothing(base, tmp_path):
    with httpx.Client(base_url=base, timeout=120) as client:
        refused = client.post("/api/v1/uploads?name=large.bin", content=b"x" * (LIMIT + 1))
        assert (refused.status_code, refused.json()["title"]) == (507, "the disk is full")
        assert list((tmp_path / "data" / "uploads").iterdir()) == []
        rows = "".join(f"{k},{k / 100},-30,{'n' * 40}\n" for k in range(ROWS))
        sent = client.post("/api/v1/uploads?name=t.csv", content=f"id,ra,dec,name\n{rows}".encode())
        assert sent.status_code == 201
        held = client.post("/api/v1/shelf", json={"source": sent.json()["input"], "collection": "c"})
        assert held.status_code == 201, held.text
        few, many = "SELECT TOP 5 id FROM c.t", "SELECT a.name, b.ra FROM c.t AS a, c.t AS b"
        ended = []
        for query in (many, few):
            told = {"app": "query", "options": {"query": query, "form": "csv", "maxrec": "600000"}}
            job = client.post("/api/v1/jobs", json=told).json()
            for _ in range(60):
                job = client.get(f"/api/v1/jobs/{job['id']}", params={"wait": 5}).json()
                if job["phase"] in ("COMPLETED", "ERROR"):
                    break
                time.sleep(0.1)
            ended.append((job["phase"], job["error_kind"] or "", "the disk is full" in job["reason"]))
        assert ended == [("ERROR", "transient", True), ("COMPLETED", "", False)]
        assert client.get("/api/v1/ready").status_code == 200
        assert client.get("/api/v1/uploads").json()["items"][0]["name"] == "t.csv"
