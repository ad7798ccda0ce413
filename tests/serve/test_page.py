"""The page: plain, with nothing from elsewhere, and safe to open."""

import re
import signal
import subprocess
import sys
import time

import httpx
import pytest

from skysift.serve.guard import PAGE_POLICY

FILES = ("page.js", "api.js", "dom.js", "form.js", "page.css", "icon.svg")


def test_the_page_and_its_files(local):
    page = local.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"] == PAGE_POLICY
    named = set(re.findall(r'(?:src|href)="/page/([^"]+)"', page.text))
    assert named <= set(FILES)
    for name in FILES:
        answer = local.get(f"/page/{name}")
        assert answer.status_code == 200
        assert (
            local.get(f"/page/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
        )
    assert local.get("/favicon.ico").headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("path", ["/", "/api/docs", *(f"/page/{name}" for name in FILES)])
def test_nothing_comes_from_elsewhere(local, path):
    text = local.get(path).text
    assert not re.findall(r'(?:src|href|url\()\s*=?\s*["\']?(?:https?:)?//', text)
    assert not re.search(r"\son\w+=\"", text)
    assert ".innerHTML" not in text
    assert "eval(" not in text


@pytest.mark.parametrize("name", ["../app.py", "..%2fapp.py", "routes.py", "templates/index.html.jinja"])
def test_only_the_files_of_the_page(local, name):
    assert local.get(f"/page/{name}").status_code == 404


def test_the_api_is_told_without_scripts(local):
    text = local.get("/api/docs").text
    assert "<script" not in text
    for path in local.get("/api/v1/openapi.json").json()["paths"]:
        assert path.replace("'", "&#39;") in text


def test_every_app_has_what_its_form_needs(local):
    for app in local.get("/api/v1/apps").json():
        menu = local.get(f"/api/v1/apps/{app['name']}").json()
        assert menu["doc"]
        assert {each["name"] for each in menu["resources"]} >= {"executor", "cores", "memory"}
        for group in menu["groups"]:
            assert group["name"]
            for option in group["options"]:
                assert option["doc"]
                assert option["allowed"]
                assert set(option["form"]) & {"type", "anyOf", "enum", "const", "$ref", "items"}


def test_the_demonstration_is_on_the_shelf_and_the_service_ends_when_told(tmp_path):
    products = tmp_path / "data" / "demo" / "fornax_a"  # found already, as by an earlier start
    command = [sys.executable, "-m", "skysift"]
    from skysift.data import demo_map

    find = [*command, "find", str(demo_map()), "--out", str(products), "--region", "50.67,-37.2,12arcmin"]
    subprocess.run([*find, "--quiet", "--no-report"], check=True)
    serve = [*command, "serve", "--data", str(tmp_path / "data"), "--port", "0", "--demo", "--set", "room=0"]
    service = subprocess.Popen(serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        address = service.stdout.readline().split()[3]
        names = {each["name"] for each in httpx.get(f"{address}/api/v1/images").json()["items"]}
        assert {demo_map().name, "rms.fits"} <= names
        tables = httpx.get(f"{address}/api/v1/catalogues").json()["items"]
        assert {"demo.fornax_a_sources"} <= {each["tables"][0]["name"] for each in tables}
        image = next(
            each
            for each in httpx.get(f"{address}/api/v1/images").json()["items"]
            if each["name"] == demo_map().name
        )
        job = httpx.post(f"{address}/api/v1/jobs", json={"finder": "full", "inputs": [image["input"]]}).json()
        for _ in range(200):
            told = httpx.get(job["links"]["self"]).json()
            if told["phase"] == "EXECUTING":
                break
            time.sleep(0.05)
        assert told["phase"] == "EXECUTING"
        begun = time.monotonic()
        service.send_signal(signal.SIGTERM)
        assert service.wait(60) == 0
        assert time.monotonic() - begun < 40
        assert not workers_of(tmp_path)
    finally:
        service.kill()
        service.wait()
        service.stdout.close()


def workers_of(folder):
    """Processes that have to do with a folder."""
    told = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in told.splitlines() if str(folder) in line]
