"""Bytes behind URLs: real clients of http and s3 against servers on the loopback."""

import hashlib
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import fsspec
import numpy as np
import pytest
from tests.servers import serving

from skysift.base import store
from skysift.base.errors import FormatError, OptionError, StorageError, TransientError, UsageError
from skysift.base.settings import settings

CONTENT = np.random.default_rng(1).bytes(300_000)


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(store, "_PAUSES", (0.0, 0.0))
    (tmp_path / "bucket").mkdir()
    (tmp_path / "bucket" / "data.bin").write_bytes(CONTENT)
    with serving(tmp_path) as one:
        yield one
    store._system.cache_clear()
    fsspec.get_filesystem_class("http").clear_instance_cache()


@pytest.fixture
def url(server):
    return f"{server.url}/bucket/data.bin"


@pytest.mark.parametrize(
    ("path", "remote", "name"),
    [
        ("maps/a.fits", False, "a.fits"),
        ("https://example.org/maps/a.fits?key=1/2#x", True, "a.fits"),
        ("s3://bucket/deep/a?b.fits", True, "a?b.fits"),
        ("C:/a.fits", False, "a.fits"),
        ("https://example.org/", True, "example.org"),
    ],
)
def test_paths_and_urls_are_told_apart(path, remote, name):
    assert store.is_url(path) == remote
    assert store.name_of(path) == name
    assert (store.place_of(path) == path) == (remote or path.startswith("/"))


def test_the_same_bytes_as_from_disk(server, url, tmp_path):
    path = str(tmp_path / "bucket" / "data.bin")
    assert store.size_of(url) == store.size_of(path) == len(CONTENT)
    assert store.checksum(url) == store.checksum(path)
    assert store.checksum(url)[0] == "sha256:" + hashlib.sha256(CONTENT).hexdigest()
    with store.reading(path) as local, store.reading(url) as remote:
        assert local.size == remote.size
        for n, offset in ((512, 0), (2880, 100), (200_000, 5), (10, 299_995), (10, 400_000), (3, 7)):
            assert remote.read(n, offset) == local.read(n, offset) == CONTENT[offset : offset + n]


def test_ranges_come_in_the_order_asked_for_and_near_ones_by_one_request(server, url):
    server.asked.clear()
    ranges = [(250_000, 250_010), (10, 20), (30, 40), (15, 35)]
    assert store.read_ranges(url, ranges) == [CONTENT[a:b] for a, b in ranges]
    assert sorted(each[2] for each in server.asked) == ["bytes=10-39", "bytes=250000-250009"]
    assert server.sent < 100


def test_a_checksum_is_made_once(server, url):
    store.checksum(url)
    sent = server.sent
    store.checksum(url)
    assert server.sent == sent
    (server.folder / "bucket" / "data.bin").write_bytes(b"another")
    assert store.checksum(url) == ("sha256:" + hashlib.sha256(b"another").hexdigest(), 7)


def test_a_copy_is_fetched_once_for_each_state(server, url, tmp_path, monkeypatch):
    monkeypatch.setenv("SKYSIFT_CACHE", str(tmp_path / "cache"))
    settings.cache_clear()
    try:
        copy = store.local_copy(url)
        assert copy.endswith("-data.bin")
        assert copy.startswith(str(tmp_path / "cache"))
        assert Path(copy).read_bytes() == CONTENT
        sent = server.sent
        assert store.local_copy(url) == copy
        assert server.sent == sent
        (server.folder / "bucket" / "data.bin").write_bytes(b"another")
        assert store.local_copy(url) != copy
        assert store.local_copy(copy) == copy
    finally:
        monkeypatch.undo()
        settings.cache_clear()


def test_a_read_that_fails_for_the_moment_is_tried_again(server, url):
    server.failures = 2
    assert store.read_ranges(url, [(0, 5)]) == [CONTENT[:5]]
    server.failures = 3
    with pytest.raises(TransientError, match=r"the server failed \(503\): got 'http.*try again"):
        store.read_ranges(url, [(0, 5)])


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (403, UsageError, r"the file may not be read.*credentials"),
        (404, UsageError, "there is no such file"),
        (500, TransientError, r"the server failed \(500\)"),
        (418, StorageError, r"the server refuses \(418\)"),
    ],
)
def test_what_a_server_answers_is_told_in_one_line(server, url, status, error, words):
    server.status = status
    for ask in (store.size_of, lambda url: store.read_ranges(url, [(0, 5)])):
        with pytest.raises(error, match=words) as caught:
            ask(url)
        assert "\n" not in str(caught.value)
        assert url in str(caught.value)


def test_a_server_that_gives_no_parts_of_files(server, url):
    server.ranges = False
    with pytest.raises(
        UsageError, match=r"the server gives no parts of files.*fetch the file and give its path"
    ):
        store.size_of(url)
    with pytest.raises(UsageError, match="the server gives no parts of files"):
        store.read_ranges(url, [(3, 5)])


def test_nobody_at_the_address(server, url):
    server.shutdown()
    server.server_close()
    with pytest.raises(TransientError, match="the server does not answer: got 'http"):
        store.size_of(url)


def test_a_file_that_ends_too_early(server, url):
    with pytest.raises(FormatError, match="the file ends too early"):
        store.read_ranges(url, [(299_990, 300_010)])


def test_protocols(monkeypatch):
    with pytest.raises(OptionError, match="there is no such protocol: got 'nowhere://a'"):
        store.size_of("nowhere://a")

    def missing(url, **_):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    store._system.cache_clear()
    with pytest.raises(UsageError, match=r"is not installed.*make install EXTRAS=remote"):
        store.size_of("https://127.0.0.1/a.fits")


def test_any_file_system_of_fsspec():
    fsspec.filesystem("memory").pipe_file("/here/a.bin", b"0123456789")
    assert store.size_of("memory://here/a.bin") == 10
    assert store.read_ranges("memory://here/a.bin", [(2, 4), (8, 10)]) == [b"23", b"89"]
    with pytest.raises(UsageError, match=r"there is no such file: got 'memory://here/b.bin'"):
        store.size_of("memory://here/b.bin")


@pytest.fixture
def s3(server, monkeypatch):
    """The environment of a program that reads from an s3 on the loopback."""
    return {
        **os.environ,
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }


def program(text, environment):
    """A program of its own: what reads s3 keeps loops and sessions until the end."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(text)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


def test_s3(s3, server):
    done = program(
        """
        import hashlib
        from skysift.base import store
        from skysift.base.errors import SkysiftError

        url = "s3://bucket/data.bin"
        print(store.size_of(url), store.checksum(url)[0])
        print(hashlib.sha256(store.read_ranges(url, [(1000, 2000), (250_000, 250_100)])[1]).hexdigest())
        for wrong in ("s3://bucket/none.bin", "s3://nowhere/data.bin"):
            try:
                store.size_of(wrong)
            except SkysiftError as error:
                print(type(error).__name__, error)
        """,
        s3,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"300000 sha256:{hashlib.sha256(CONTENT).hexdigest()}",
        hashlib.sha256(CONTENT[250_000:250_100]).hexdigest(),
        "UsageError there is no such file: got 's3://bucket/none.bin'",
        "UsageError there is no such file: got 's3://nowhere/data.bin'",
    ]


def test_s3_without_credentials(s3):
    bare = {name: value for name, value in s3.items() if not name.startswith("AWS_ACCESS")}
    del bare["AWS_SECRET_ACCESS_KEY"]
    done = program(
        """
        from skysift.base import store
        store.size_of("s3://bucket/data.bin")
        """,
        {**bare, "HOME": "/nonexistent"},
    )
    assert done.stderr.splitlines()[-1].startswith(
        "skysift.base.errors.UsageError: the file may not be read: got 's3://bucket/data.bin'; give credentials"
    ), done.stderr
