import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skysift.base.errors import DataError, UnknownName, UsageError
from skysift.base.parallel import map_tasks, threads


def square(number):
    return number * number


@given(st.integers(0, 40), st.integers(1, 6), st.sampled_from([None, "serial", "threads"]))
def test_results_come_in_order_for_every_number_of_workers(n_tasks, workers, executor):
    tasks = range(n_tasks)
    assert list(map_tasks(square, tasks, workers=workers, executor=executor)) == [square(n) for n in tasks]


def test_order_is_kept_when_later_tasks_end_first():
    def slow_first(number):
        time.sleep(0.2 if number == 0 else 0)
        return number

    assert list(map_tasks(slow_first, range(8), workers=4)) == list(range(8))


@pytest.mark.parametrize("workers", [1, 3])
def test_progress_counts_each_task_in_the_calling_thread(workers):
    seen = []

    def progress(done, total):
        seen.append((done, total, threading.current_thread()))

    list(map_tasks(square, range(5), workers=workers, progress=progress))
    assert seen == [(done, 5, threading.current_thread()) for done in range(1, 6)]


def test_no_more_than_twice_the_workers_are_ahead():
    started = []
    lock = threading.Lock()

    def note(number):
        with lock:
            started.append(number)
        return number

    results = map_tasks(note, range(100), workers=3)
    next(results)
    time.sleep(0.2)
    assert len(started) <= 6
    results.close()
    time.sleep(0.2)
    assert len(started) <= 6


@pytest.mark.parametrize("workers", [1, 4])
def test_an_exception_comes_unchanged_at_its_turn_and_ends_the_rest(workers):
    error = DataError("broken", got=3)
    begun = []

    def fail_at_three(number):
        begun.append(number)
        if number == 3:
            raise error
        return number

    taken = []
    with pytest.raises(DataError) as caught:
        taken.extend(map_tasks(fail_at_three, range(1000), workers=workers))
    assert caught.value is error
    assert len(begun) < 20


def test_the_first_failure_in_task_order_is_the_one_raised():
    def fail(number):
        time.sleep(0.1 if number == 1 else 0)
        raise ValueError(number) if number else KeyError(number)

    def later_is_quicker(number):
        time.sleep(0.2 if number == 0 else 0)
        raise ValueError(number)

    with pytest.raises(KeyError):
        list(map_tasks(fail, range(4), workers=4))
    with pytest.raises(ValueError, match="0"):
        list(map_tasks(later_is_quicker, range(4), workers=4))


@pytest.mark.parametrize("workers", [1, 2])
def test_tasks_run_beside_the_caller_who_can_be_interrupted(workers):
    ran_in = list(map_tasks(lambda _: threading.current_thread(), range(3), workers=workers))
    assert threading.current_thread() not in ran_in
    assert list(map_tasks(lambda _: threading.current_thread(), [0], executor="serial")) == [
        threading.current_thread()
    ]


def test_threads_end_with_the_work():
    before = threading.active_count()
    list(map_tasks(square, range(10), workers=4))
    assert threading.active_count() == before


def test_tasks_see_the_numeric_error_state_of_the_caller():
    def divide(number):
        return np.float64(1) / np.float64(number)

    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        list(map_tasks(divide, [1, 0], workers=2))
    with np.errstate(divide="ignore"):
        assert list(map_tasks(divide, [1, 0], workers=2)) == [1, np.inf]


def test_an_executor_may_be_brought():
    def backwards_and_back(function, tasks, workers):
        return reversed([function(task) for task in reversed(tasks)])

    assert list(map_tasks(square, range(4), executor=backwards_and_back)) == [0, 1, 4, 9]


def test_what_cannot_be_is_refused_at_once():
    with pytest.raises(UsageError, match="workers is not allowed: got 0"):
        map_tasks(square, [1], workers=0)
    with pytest.raises(UnknownName, match="no such executor: got 'cluster'; allowed: serial, threads"):
        map_tasks(square, [1], executor="cluster")


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupt_ends_a_process_while_tasks_are_under_way(workers):
    program = textwrap.dedent(
        f"""
        import time
        from skysift.base.parallel import map_tasks

        def long(number):
            print("begun\\n", end="", flush=True)
            time.sleep(60)

        try:
            for result in map_tasks(long, range(50), workers={workers}):
                pass
        except KeyboardInterrupt:
            print("told", flush=True)
            raise SystemExit(130)
        """
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=os.environ
    )
    try:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)  # half of one task: waiting for a task would run into it
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    assert process.returncode == 130
    assert rest.endswith("told\n")


class Large:
    """Something that can be watched."""


def test_what_was_taken_is_kept_by_no_thread():
    stream = threads(lambda _: Large(), range(3), 2)
    watched = [weakref.ref(next(stream)) for _ in range(3)]
    end = time.monotonic() + 10.0
    while any(each() is not None for each in watched) and time.monotonic() < end:
        time.sleep(0.01)  # a thread tells of its work before it forgets it
    assert [each() for each in watched] == [None] * 3
    stream.close()
