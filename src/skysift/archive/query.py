"""`run_query`: the rows of a compiled query, one after the other, within a time and a number of rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

from sqlalchemy.engine import Connection, CursorResult, Engine
from sqlalchemy.exc import DBAPIError

from skysift.archive.adql.compile import Compiled
from skysift.archive.fields import Field
from skysift.archive.sqlite import teach
from skysift.archive.storage import from_row
from skysift.archive.uploads import clear, fill
from skysift.base.errors import CancelledError, SkysiftError, TimeLimitError, TransientError, UsageError
from skysift.io.field import Cell
from skysift.io.sql import database_error, for_queries, told

__all__ = ["Rows", "run_query"]

_STEPS = 20_000  # of SQLite's machine between two looks at the clock
_BATCH = 1000


class Rows:
    """The rows of a query: an iterator that holds a connection until it ends, is closed, or left as a context.

    Attributes
    ----------
    columns
        What the rows hold.
    count
        How many rows were given until now.
    overflow
        Whether there are more rows than may be given; known when the iteration has ended.
    """

    def __init__(
        self,
        engine: Engine,
        compiled: Compiled,
        seconds: float | None,
        stopped: threading.Event | None = None,
    ) -> None:
        self.columns: tuple[Field, ...] = compiled.columns
        self.count = 0
        self.overflow = False
        self._compiled = compiled
        self._seconds = seconds
        self._left = seconds  # while the database works; not while the rows are sent
        self._deadline: float | None = None
        self._stopped = stopped or threading.Event()
        self._makers = [from_row(each) for each in compiled.columns]
        self._connection: Connection | None = None
        with told():
            self._connection = for_queries(engine).connect()
        self._lite = engine.dialect.name == "sqlite"
        try:
            with self._told():
                self._result = self._begin()
        except BaseException:
            self.close()
            raise
        self._rows = self._given()

    def cancel(self) -> None:
        """Stop the query, from any thread: the iteration then ends with `CancelledError`."""
        self._stopped.set()

    def close(self) -> None:
        """Let the connection go."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        result = getattr(self, "_result", None)
        try:
            if self._lite:
                driver: Any = connection.connection.driver_connection
                driver.set_progress_handler(None, 0)
            with suppress(DBAPIError):
                if result is not None:
                    result.close()
            connection.rollback()
            if self._lite:
                connection.exec_driver_sql("PRAGMA query_only = OFF")
                clear(connection, self._compiled.uploads)
                connection.commit()
        except DBAPIError:
            connection.invalidate()
        finally:
            connection.close()

    def __iter__(self) -> Iterator[tuple[Cell, ...]]:
        return self._rows

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _begin(self) -> CursorResult[Any]:
        connection, compiled = self._connection, self._compiled
        assert connection is not None
        driver: Any = connection.connection.driver_connection
        if self._lite:
            teach(driver)
            fill(connection, compiled.uploads)
            connection.exec_driver_sql("PRAGMA query_only = ON")
            driver.set_progress_handler(self._is_over, _STEPS)
            return connection.exec_driver_sql(compiled.sql, dict(compiled.parameters))
        fill(connection, compiled.uploads)
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
        connection.exec_driver_sql("SET LOCAL jit = off")  # it takes seconds for queries that take none
        if self._seconds is not None:
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(1000 * self._seconds))}")
        stream = connection.execution_options(stream_results=True, max_row_buffer=_BATCH)
        with self._watched(driver):
            return stream.exec_driver_sql(compiled.sql, dict(compiled.parameters))

    @contextmanager
    def _watched(self, driver: Any) -> Iterator[None]:
        """Inside, PostgreSQL is told to stop when the mark is set."""
        done = threading.Event()

        def watch() -> None:
            while not done.wait(0.05):
                if self._stopped.is_set():
                    with suppress(Exception):
                        driver.cancel_safe(timeout=5.0)
                    return

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()

    def _given(self) -> Iterator[tuple[Cell, ...]]:
        pairs = list(zip(self._makers, self._compiled.parts, strict=True))
        single = all(part.count == 1 for _, part in pairs)
        try:
            while True:
                with self._told():
                    if self._is_over():
                        raise self._why()
                    batch = self._fetched()
                if not batch:
                    return
                for row in batch:
                    if self.count >= self._compiled.maxrec:
                        self.overflow = True
                        return
                    self.count += 1
                    if single:
                        yield tuple(maker(cell) for (maker, _), cell in zip(pairs, row, strict=True))
                    else:
                        yield tuple(maker(_cell(row, part.start, part.count)) for maker, part in pairs)
        finally:
            self.close()

    def _fetched(self) -> Sequence[Any]:
        """The next rows of the database."""
        connection = self._connection
        if self._lite or connection is None:
            return self._result.fetchmany(_BATCH)
        with self._watched(connection.connection.driver_connection):
            return self._result.fetchmany(_BATCH)

    def _is_over(self) -> bool:
        """Whether the query must end now; SQLite asks this while it works."""
        return self._stopped.is_set() or (self._deadline is not None and time.monotonic() > self._deadline)

    def _why(self) -> SkysiftError:
        if self._stopped.is_set():
            return CancelledError("the query was cancelled")
        return TimeLimitError(
            "the query took too long", got=f"more than {self._seconds:g} s", todo="ask for less, or as a job"
        )

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the database says, as one of our errors; the time that it takes counts."""
        began = time.monotonic()
        self._deadline = None if self._left is None else began + self._left
        try:
            yield
        except SkysiftError:
            raise
        except DBAPIError as error:
            raise self._error(error) from error
        finally:
            if self._left is not None:
                self._left -= time.monotonic() - began

    def _error(self, error: DBAPIError) -> SkysiftError:
        text = " ".join(str(error.orig).split())
        if self._is_over() or "statement timeout" in text:
            return self._why()
        ours = database_error(error)
        if isinstance(ours, TransientError) and type(ours) is not TransientError:
            return ours  # locked, or the disk is full
        if _says(text):
            return ours
        return UsageError("the database cannot answer this query", got=text)


def run_query(
    engine: Engine,
    compiled: Compiled,
    *,
    seconds: float | None = None,
    stopped: threading.Event | None = None,
) -> Rows:
    """The rows of a query; nothing is held but a batch of them.

    Parameters
    ----------
    engine
        The database that the query was compiled for.
    compiled
        The query.
    seconds
        How long it may take; None for no limit.
    stopped
        A mark that ends the query when it is set from another thread, its first row not yet given either.

    Raises
    ------
    TimeLimitError
        It took longer.
    CancelledError
        `Rows.cancel` was called.
    UsageError
        The database cannot answer it.
    TransientError
        The database does not answer.
    """
    return Rows(engine, compiled, seconds, stopped)


def _cell(row: Any, start: int, count: int) -> Any:
    """What makes one column: a value, or numbers as one text; missing where one of them is."""
    if count == 1:
        return row[start]
    cells = list(row[start : start + count])
    return None if any(cell is None for cell in cells) else " ".join(repr(float(cell)) for cell in cells)


def _says(text: str) -> bool:
    """Whether the database complains of itself, not of the query."""
    return any(
        part in text for part in ("connection", "server closed", "unable to open", "shutting down", "disk")
    )
