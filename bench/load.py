"""What a service does under load: many who ask how their jobs stand, and many who submit more.

    python -m bench.load [--seconds 120] [--pollers 500] [--submitters 50] [--database URL]

Pollers ask for the status of a job again and again (every two seconds, without the ETag that would spare the
service its answer); submitters submit a small job every six seconds. Then every job that was told of must be known,
and every phase be one that a job may be in. The clients run on the same machine, in this process.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tests.jobs import guests

APART = 2.0  # seconds between two questions of a poller
PAUSE = 6.0  # seconds between two jobs of a submitter


class Asker:
    """One connection that is kept, and how long its answers took."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self.reader = self.writer = None

    async def ask(self, method, path, body=None):
        """(status, body, seconds); a connection that was closed while it rested is opened again."""
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\n\r\n"
        ).encode()
        start = time.perf_counter()
        for again in (True, False):
            try:
                if self.writer is None:
                    self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
                self.writer.write(head + data)
                answer = await self.reader.readuntil(b"\r\n\r\n")
                break
            except (OSError, asyncio.IncompleteReadError):
                self.writer = None
                if not again:
                    raise
        status = int(answer.split(b" ", 2)[1])
        length = 0
        for line in answer.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        body = await self.reader.readexactly(length)
        return status, body, time.perf_counter() - start


async def poll(asker, ids, end, seen, wrong, rng):
    await asyncio.sleep(rng.random() * APART)
    while time.monotonic() < end:
        try:
            status, body, seconds = await asker.ask("GET", f"/api/v1/jobs/{rng.choice(ids)}")
            seen.append(seconds)
            if status != 200:
                wrong.append(f"status {status}: {body[:200]!r}")
        except (OSError, asyncio.IncompleteReadError) as error:
            wrong.append(f"poller: {type(error).__name__}: {error}")
        await asyncio.sleep(APART * (0.75 + 0.5 * rng.random()))


async def submit(asker, ids, end, seen, wrong, rng):
    await asyncio.sleep(rng.random() * PAUSE)
    while time.monotonic() < end:
        try:
            status, body, seconds = await asker.ask(
                "POST", "/api/v1/jobs", {"app": "sleep", "tags": ["load"]}
            )
            seen.append(seconds)
            if status == 201:
                ids.append(json.loads(body)["id"])
            else:
                wrong.append(f"status {status}: {body[:200]!r}")
        except (OSError, asyncio.IncompleteReadError) as error:
            wrong.append(f"submitter: {type(error).__name__}: {error}")
        await asyncio.sleep(PAUSE * (0.75 + 0.5 * rng.random()))


async def load(host, port, seconds, pollers, submitters):
    first = Asker(host, port)
    status, body, _ = await first.ask("POST", "/api/v1/jobs", {"app": "sleep", "tags": ["load"]})
    assert status == 201, body
    ids, wrong, statuses, submits = [json.loads(body)["id"]], [], [], []
    end, rng = time.monotonic() + seconds, random.Random(1)
    await asyncio.gather(
        *(poll(Asker(host, port), ids, end, statuses, wrong, rng) for _ in range(pollers)),
        *(submit(Asker(host, port), ids, end, submits, wrong, rng) for _ in range(submitters)),
    )
    return ids, wrong, statuses, submits


def known_jobs(address):
    """id -> phase of every job that the service knows."""
    found, page = {}, ""
    while True:
        with urllib.request.urlopen(f"{address}/api/v1/jobs?tag=load&size=500&page={page}") as answer:
            told = json.load(answer)
        found |= {each["id"]: each["phase"] for each in told["items"]}
        page = told["next"]
        if not page:
            return found


def part(times, share):
    return sorted(times)[min(len(times) - 1, int(share * len(times)))] * 1000 if times else float("nan")


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--pollers", type=int, default=500)
    parser.add_argument("--submitters", type=int, default=50)
    parser.add_argument("--database", default="")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        guests.install(Path(folder))
        path = os.pathsep.join(filter(None, [folder, os.environ.get("PYTHONPATH", "")]))
        command = [sys.executable, "-m", "skysift", "serve", "--data", f"{folder}/data", "--port", "0"]
        command += ["--set", "waiting=100000", "--set", "cores=1", "--set", "room=0"]
        command += ["--database", told.database] if told.database else []
        with Path(folder, "log").open("w") as log:
            service = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env={**os.environ, "PYTHONPATH": path}
            )
            address = service.stdout.readline().split()[3]
            try:
                report(address, told)
            finally:
                service.terminate()
                service.wait(60)
                service.stdout.close()


def report(address, told):
    host, _, port = address.removeprefix("http://").partition(":")
    asked = load(host, int(port), told.seconds, told.pollers, told.submitters)
    ids, wrong, statuses, submits = asyncio.run(asked)
    known = known_jobs(address)
    phases = {phase: list(known.values()).count(phase) for phase in sorted(set(known.values()))}
    lost = [each for each in ids if each not in known]
    print(f"| {told.pollers} pollers, {told.submitters} submitters, {told.seconds:g} s | |")
    print("| --- | --- |")
    print(f"| questions a second | {len(statuses) / told.seconds:.0f} |")
    print(
        f"| status: median, p95, p99 (ms) | {', '.join(f'{part(statuses, q):.0f}' for q in (0.5, 0.95, 0.99))} |"
    )
    print(f"| jobs submitted | {len(ids)} |")
    print(f"| submit: median, p99 (ms) | {part(submits, 0.5):.0f}, {part(submits, 0.99):.0f} |")
    print(f"| load of the machine, 1 min | {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores |")
    print(f"| errors | {len(wrong)} |")
    print(f"| lost jobs | {len(lost)} |")
    print(f"| phases at the end | {', '.join(f'{name} {count}' for name, count in phases.items())} |")
    for each in wrong[:5]:
        print(each, file=sys.stderr)


if __name__ == "__main__":
    main()
