"""What a command costs: wall and CPU seconds and peak memory of its whole process tree."""

import json
import os
import subprocess
import threading
import time
from pathlib import Path

ONE_THREAD = {
    f"{k}_NUM_THREADS": "1" for k in ("OMP", "OPENBLAS", "MKL", "NUMBA", "VECLIB_MAXIMUM", "NUMEXPR")
}
SAMPLE = 0.05  # s between two looks at the memory, at first; then a hundredth of the time that has passed


def tree_pss(pid: int) -> float:
    """Proportional set size of a process and its descendants in MiB."""
    total, todo, seen = 0, [pid], set()
    while todo:
        p = todo.pop()
        if p in seen:
            continue
        seen.add(p)
        try:
            with Path(f"/proc/{p}/smaps_rollup").open() as lines:
                total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            for thread in Path(f"/proc/{p}/task").iterdir():
                todo += [int(c) for c in (thread / "children").read_text().split()]
        except (OSError, StopIteration):  # the process ended meanwhile
            continue
    return total / 1024


def measure(
    command: list[str], record: Path, *, env: dict[str, str] | None = None, timeout: float = 3600
) -> dict:
    """Run the command at low priority with one BLAS thread; the cost, also written to `record` (JSON).

    CPU seconds are those of the children's rusage, so the command must wait for its own children. Output goes
    to a .log beside the record.
    """
    before, start, peak = os.times(), time.time(), 0.0
    with record.with_suffix(".log").open("w") as log:
        process = subprocess.Popen(
            ["nice", "-n", "10", *command],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **ONE_THREAD, **(env or {})},
        )
        ended = threading.Event()
        waiter = threading.Thread(target=lambda: (process.wait(), ended.set()))
        waiter.start()
        while not ended.wait(max(SAMPLE, (time.time() - start) / 100)):
            peak = max(peak, tree_pss(process.pid))
            if time.time() - start > timeout:
                process.terminate()
        waiter.join()
    after = os.times()
    cost = {
        "command": command,
        "returncode": process.returncode,
        "wall_s": round(time.time() - start, 2),
        "cpu_s": round(
            after.children_user + after.children_system - before.children_user - before.children_system, 2
        ),
        "peak_mib": round(peak, 1),
        "load": round(os.getloadavg()[0], 2),
    }
    record.write_text(json.dumps(cost, indent=1))
    return cost
