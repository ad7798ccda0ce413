"""Whose turn it is among jobs that wait."""

from tests.jobs.services import ANNA, BORIS, sleeping

from skysift.jobs.job import Phase
from skysift.jobs.turns import in_turn, waiting


def row(owner, created, id_):
    return {"owner": owner, "created": created, "id": id_}


def test_users_come_in_turn_and_each_with_the_oldest_first():
    waiting = [
        row("a", 1, "1"),
        row("a", 2, "2"),
        row("a", 3, "3"),
        row("b", 4, "4"),
        row("c", 5, "5"),
        row("b", 6, "6"),
    ]
    running = {"c": 1}
    taken = []
    for each in in_turn(waiting, running):
        taken.append(each["id"])
        running[each["owner"]] = running.get(each["owner"], 0) + 1
    assert taken == ["1", "4", "2", "5", "6", "3"]


def test_who_runs_nothing_goes_first_though_they_came_last():
    taken = [each["owner"] for each in in_turn([row("a", 1, "1"), row("b", 2, "2")], {"a": 2})]
    assert taken == ["b", "a"]


def test_many_jobs_of_one_user_hide_no_others(manager):
    many = [manager.submit(sleeping(0.0), ANNA) for _ in range(5)]
    late = manager.submit(sleeping(0.0), BORIS)
    seen = [each["id"] for each in waiting(manager.store.engine, at_once=2)]
    assert seen == [many[0].id, many[1].id, late.id]


def test_a_job_that_is_submitted_waits_for_its_turn_from_its_first_moment(manager, monkeypatch):
    monkeypatch.setattr(manager.store, "move", None)  # nothing comes after the one transaction
    job = manager.submit(sleeping(0.0), ANNA)
    assert job.phase is Phase.QUEUED
    assert job.queued == job.created
    told = [(event.facts["phase"], event.facts["reason"]) for event in manager.events(job.id)]
    assert told == [("PENDING", "told of"), ("QUEUED", "waits for its turn")]
