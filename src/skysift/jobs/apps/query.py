"""`QueryApp`: a query of the knowledge base as a job: one table, in the form that was asked for."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from skysift.archive.tables import ShelfTables
from skysift.io.fetch import Fetcher
from skysift.jobs.apps.app import Errand
from skysift.jobs.apps.options import QueryOptions
from skysift.jobs.apps.shelf import shelf_of
from skysift.jobs.querying import answered, question_of, sent_tables

__all__ = ["QueryApp"]

RESULT = "result"


class QueryApp:
    """A query of the knowledge base.

    Parameters
    ----------
    options
        The query, as TAP has it.
    """

    def __init__(self, options: QueryOptions) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Ask, and write the table.

        Raises
        ------
        SkysiftError
            The query cannot be answered.
        """
        told = self.options
        question = question_of(
            lang=told.lang, query=told.query, maxrec=told.maxrec, form=told.form, uploads=told.upload
        )
        with ExitStack() as held:
            shelf, user = held.enter_context(shelf_of(errand))
            parts = {
                each.name: held.enter_context(Path(each.path).open("rb")) for each in errand.of_role("upload")
            }
            errand.progress("query", 0, 1)
            uploads = sent_tables(question, parts, Fetcher(allowed=tuple(errand.private["allowed"])))
            tables = ShelfTables(shelf.engine, user, errand.private["links"])
            reply = answered(shelf.engine, tables, question, uploads)
            with (errand.out / f"{RESULT}{question.form.suffix}").open("wb") as file:
                for piece in question.form.write(reply.columns, reply.rows, infos=[("query", question.text)]):
                    file.write(piece)
            if reply.rows.failure is not None:
                raise reply.rows.failure
        errand.progress("query", 1, 1)
        errand.say(f"{reply.rows.count} rows" + (", and there are more" if reply.rows.overflow else ""))
