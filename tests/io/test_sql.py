"""The door to databases: what it opens, and what it says where it cannot."""

import threading
from contextlib import ExitStack

import pytest
import sqlalchemy

from skysift.base.errors import BusyError, UsageError
from skysift.io.sql import connect, database_url, for_queries, told


def test_sqlite_writes_ahead_and_keeps_keys(tmp_path):
    engine = connect(database_url(tmp_path))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


def test_a_locked_database_is_told_as_busy(tmp_path):
    engine = connect(database_url(tmp_path))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE t (a INTEGER)")
    with engine.connect() as holder:
        holder.exec_driver_sql("BEGIN IMMEDIATE")
        caught = []

        def write():
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA busy_timeout = 10")
                try:
                    with told():
                        connection.exec_driver_sql("INSERT INTO t VALUES (1)")
                except BusyError as error:
                    caught.append(error)

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        holder.exec_driver_sql("ROLLBACK")
    engine.dispose()
    assert "held by somebody else" in str(caught[0])


@pytest.mark.parametrize("url", ["mysql://root@localhost/x", "nonsense"])
def test_other_databases_are_refused(url):
    with pytest.raises(UsageError, match="sqlite:///FILE or postgresql"):
        connect(url)


def test_the_engine_is_of_sqlalchemy(tmp_path):
    engine = connect(f"sqlite:///{tmp_path / 'a.db'}")
    assert isinstance(engine, sqlalchemy.Engine)
    engine.dispose()


def test_a_taken_pool_is_told_as_busy(tmp_path):
    engine = connect(database_url(tmp_path), most=1, patience=0.05)
    taken = pytest.raises(BusyError, match="all connections to the database are taken")
    with engine.connect(), taken, told(), engine.connect():
        pass
    engine.dispose()


def test_forty_threads_find_connections_and_queries_take_none_of_them(tmp_path):
    engine = connect(database_url(tmp_path), patience=0.05)
    with ExitStack() as held:
        for _ in range(24):
            held.enter_context(for_queries(engine).connect())
        for _ in range(41):
            held.enter_context(engine.connect())
    assert for_queries(engine) is for_queries(engine)
    beside = for_queries(engine)
    assert beside.pool.checkedin() > 0
    engine.dispose()
    assert beside.pool.checkedin() == 0


def test_a_database_in_memory_is_one(tmp_path):
    engine = connect("sqlite://")
    assert for_queries(engine) is engine
    engine.dispose()
