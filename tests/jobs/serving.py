"""A service of jobs as a program that can be killed: ``python -m tests.jobs.serving FOLDER``; it submits and watches."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from tests.jobs.services import ANNA, sleeping

from skysift.io.sql import connect, database_url
from skysift.jobs.manager import Manager
from skysift.jobs.options import LimitOptions


def main(folder: Path, jobs: int) -> None:
    engine = connect(database_url(folder))
    manager = Manager(engine, folder / "jobs", limits=LimitOptions(room=0, cores=4), period=0.05)
    manager.run()
    for _ in range(jobs):
        job = manager.submit(sleeping(0.3), ANNA)
        print(job.id, flush=True)  # it was taken
        time.sleep(0.2)
    time.sleep(600.0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
