"""Whose turn it is among jobs that wait."""

from skysift.jobs.monitor import _in_turn


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
    for each in _in_turn(waiting, running):
        taken.append(each["id"])
        running[each["owner"]] = running.get(each["owner"], 0) + 1
    assert taken == ["1", "4", "2", "5", "6", "3"]


def test_who_runs_nothing_goes_first_though_they_came_last():
    taken = [each["owner"] for each in _in_turn([row("a", 1, "1"), row("b", 2, "2")], {"a": 2})]
    assert taken == ["b", "a"]
