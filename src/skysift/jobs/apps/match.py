"""`MatchApp`: who is who between catalogues, by any matcher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from skysift.base.options import Options
from skysift.base.registry import Registry
from skysift.flow.match_text import match_lines
from skysift.flow.steps.match import match_files
from skysift.jobs.apps.app import Errand
from skysift.jobs.apps.menu import family_part
from skysift.jobs.options import MatchedOptions
from skysift.match.matcher import Matcher

__all__ = ["MatchApp"]


class MatchApp:
    """One table of who is who: two inputs or more of the role ``catalogue``, the first is the reference.

    Parameters
    ----------
    options
        What is written, and the matcher's own.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def run(self, errand: Errand) -> None:
        """Match the catalogues.

        Raises
        ------
        SkysiftError
            A catalogue cannot be read.
        """
        _, plugin, values = family_part(errand.app, "matcher", self.options)
        matcher: Matcher[Any] = plugin
        told = MatchedOptions(**values)
        catalogues = [Path(each.path) for each in errand.needed("catalogue", at_least=2)]
        suffix = Registry[Any]("format").make(told.format).suffixes[0]
        made = match_files(
            catalogues,
            matcher,
            errand.out / f"matched{suffix}",
            table=told.table,
            correct=told.correct,
            labels=[Path(each.path) for each in errand.of_role("labels")],
            report=errand.out / "report.html" if told.report else None,
            overwrite=True,
        )
        for line in (*made.notes, *match_lines(made)):
            errand.say(line)
