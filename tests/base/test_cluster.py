"""Tasks on the workers of a real cluster: order, errors, versions, workers that are lost."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import textwrap
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from distributed import Client
from tests import clusters

from skysift.base import cluster as module
from skysift.base.cluster import Cluster, cluster, dask, hands
from skysift.base.errors import DataError, OptionError, TransientError, UsageError
from skysift.base.parallel import map_tasks
from skysift.base.settings import settings


@pytest.fixture(scope="module")
def address():
    with clusters.running(3) as told:
        yield told


@pytest.fixture
def executor(address):
    return cluster(address)


@pytest.fixture
def client(address):
    with Client(address, set_as_default=False) as one:
        one.wait_for_workers(3, timeout=60)  # one that an earlier test killed is started again
        yield one


def pids(client):
    return client.run(os.getpid)


def square(number):
    return number * number


def slow_square(number):
    time.sleep(0.05)
    return number * number


def refuse_seven(number):
    if number == 7:
        raise DataError("no such number", got=number, todo="count on")
    if number == 9:
        raise ZeroDivisionError("nine")
    return number


def error_state(number):
    return np.geterr()["divide"]


def where(number):
    time.sleep(0.2)
    return os.getpid()


def end_the_process(number):
    os._exit(1)


def test_results_come_in_order_with_progress(executor):
    seen = []
    results = map_tasks(
        square, range(50), workers=3, executor=executor, progress=lambda *told: seen.append(told)
    )
    assert list(results) == [square(number) for number in range(50)]
    assert seen == [(done, 50) for done in range(1, 51)]


def test_no_task_needs_no_cluster():
    assert list(map_tasks(square, [], executor=cluster("tcp://127.0.0.1:1"))) == []


def test_all_workers_take_part(executor, client):
    assert executor.workers() == 3
    assert set(map_tasks(where, range(9), workers=3, executor=executor)) == set(pids(client).values())


def test_an_error_comes_out_unchanged_at_its_turn(executor):
    results = map_tasks(refuse_seven, range(20), workers=3, executor=executor)
    assert [next(results) for _ in range(7)] == list(range(7))
    with pytest.raises(DataError) as caught:
        next(results)
    assert str(caught.value) == "no such number: got 7; count on"
    with pytest.raises(ZeroDivisionError, match="nine"):
        list(map_tasks(refuse_seven, [8, 9], workers=3, executor=executor))


def test_what_counts_as_an_error_of_numbers_is_as_where_the_work_was_asked_for(executor):
    for state in ("raise", "ignore"):
        with np.errstate(divide=state):
            assert set(map_tasks(error_state, range(3), workers=3, executor=executor)) == {state}


def test_few_tasks_are_ahead_of_who_takes_the_results(executor):
    made = []

    class Tasks:
        def __len__(self):
            return 100

        def __getitem__(self, number):
            made.append(number)
            return number

    results = map_tasks(square, Tasks(), workers=2, executor=executor)
    assert next(results) == 0
    assert len(made) == 8
    results.close()


def test_tasks_of_a_lost_worker_run_again(executor, client):
    running = pids(client)
    results = map_tasks(slow_square, range(60), workers=3, executor=executor)
    taken = [next(results) for _ in range(5)]
    os.kill(next(iter(running.values())), signal.SIGKILL)
    assert [*taken, *results] == [square(number) for number in range(60)]


@pytest.mark.full
def test_a_task_that_ends_its_workers_is_told(executor):
    with pytest.raises(
        TransientError, match=r"a task ended every worker that ran it: got '4 workers were lost'"
    ):
        list(map_tasks(end_the_process, range(1), workers=3, executor=executor))


def test_work_that_is_broken_off_leaves_nothing_behind(executor, client):
    results = map_tasks(slow_square, range(1000), workers=3, executor=executor)
    next(results)
    results.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and client.run_on_scheduler(
        lambda dask_scheduler: len(dask_scheduler.tasks)
    ):
        time.sleep(0.1)
    assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 0


def test_an_interrupt_ends_the_program_and_its_tasks(address, client):
    program = textwrap.dedent(
        f"""
        import time
        from skysift.base.cluster import cluster
        from skysift.base.parallel import map_tasks
        from tests.base.test_cluster import slow_square

        try:
            for result in map_tasks(slow_square, range(100_000), workers=3, executor=cluster({address!r})):
                print("begun\\n" * (result == 0), end="", flush=True)
        except KeyboardInterrupt:
            print("told", flush=True)
            raise SystemExit(130)
        """
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(clusters.CHECKOUT), *sys.path])}
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment
    )
    try:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert rest == "told\n"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and client.run_on_scheduler(
        lambda dask_scheduler: len(dask_scheduler.tasks)
    ):
        time.sleep(0.1)
    assert client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)) == 0


# -- versions


def _become(version):
    import skysift
    from skysift.base import cluster as there

    skysift.__version__ = version
    there._check_here.cache_clear()


@pytest.fixture
def odd_one(client):
    """The address of a worker that claims another version."""
    import skysift

    worker = sorted(pids(client))[0]
    client.run(_become, "0.0.1", workers=[worker])
    yield worker
    client.run(_become, skysift.__version__, workers=[worker])


def test_a_worker_of_another_version_is_refused(executor, odd_one):
    import skysift

    for ask in (executor.workers, lambda: list(map_tasks(square, range(3), workers=3, executor=executor))):
        with pytest.raises(UsageError) as caught:
            ask()
        line = str(caught.value)
        assert (
            f"workers run other versions than this program: got 'skysift 0.0.1 on {odd_one}'; allowed" in line
        )
        assert f"skysift {skysift.__version__}, python 3." in line
        assert "start them from the same environment" in line
        assert "\n" not in line


def test_a_worker_that_joins_later_with_another_version_is_refused(executor, odd_one, monkeypatch):
    monkeypatch.setattr(module, "_check", lambda client: None)  # it was not there yet
    with pytest.raises(UsageError, match=rf"other versions.*skysift 0\.0\.1 on {odd_one}"):
        list(map_tasks(where, range(12), workers=3, executor=executor))


def _have(source):
    from skysift.base import fingerprint as there

    there.code_hash = (lambda: source) if source else there.code_hash
    if not source:
        import importlib

        importlib.reload(there)


def test_a_worker_with_other_code_of_the_same_version_is_refused(executor, client):
    worker = sorted(pids(client))[0]
    client.run(_have, "0123456789abcdef", workers=[worker])
    try:
        with pytest.raises(
            UsageError, match=rf"other versions.*'source 0123456789abcdef on {worker}'; allowed"
        ):
            executor.workers()
    finally:
        client.run(_have, "", workers=[worker])
    assert executor.workers() == 3


# -- schedulers that are not there


@pytest.mark.parametrize(
    "text",
    ["", "tcp://", "tcp://here", "here:8786", "http://here:8786", "tcp://here:many", "tcp://here:99999"],
)
def test_an_address_that_is_none(text):
    with pytest.raises(OptionError, match=r"the address of the scheduler is not allowed.*tcp://HOST:PORT"):
        cluster(text)


def test_a_scheduler_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(module, "_CONNECT", 0.5)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(TransientError, match=f"the scheduler does not answer: got '{place}'; start one by"):
        list(map_tasks(square, range(3), executor=cluster(place)))


def test_a_scheduler_without_workers(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.5)
    with clusters.running(0) as place, pytest.raises(TransientError, match=r"has no workers.*dask worker"):
        cluster(place).workers()


def test_a_scheduler_that_is_lost():
    with clusters.running(1) as place:
        results = map_tasks(slow_square, range(10_000), workers=1, executor=cluster(place))
        next(results)
        with ThreadPoolExecutor(1) as other, Client(place, set_as_default=False) as client:
            scheduler = client.run_on_scheduler(os.getpid)
            ended = other.submit(os.kill, scheduler, signal.SIGKILL)
            ended.result()
        with pytest.raises(TransientError, match=f"the scheduler was lost while it worked: got '{place}'"):
            list(results)


def test_the_executor_of_the_settings(address, monkeypatch):
    with pytest.raises(OptionError, match="no scheduler is named"):
        list(map_tasks(square, range(3), executor="dask"))
    assert hands(None, 5) == (None, 5)
    monkeypatch.setenv("SKYSIFT_SCHEDULER", address)
    settings.cache_clear()
    try:
        assert list(map_tasks(square, range(3), executor="dask")) == [0, 1, 4]
        assert hands(None, None) == (Cluster(address), 3)
        assert hands(None, 7) == (Cluster(address), 7)
        assert hands(None, 7, travels=False) == (None, 7)
    finally:
        monkeypatch.undo()
        settings.cache_clear()
    assert callable(dask)


def test_a_cluster_is_a_value():
    one = cluster(" tcp://127.0.0.1:8786 ")
    assert one == pickle.loads(pickle.dumps(one)) == Cluster("tcp://127.0.0.1:8786")
