"""Queries to begin with, as the document of examples that DALI describes."""

from __future__ import annotations

from collections.abc import Sequence

from skysift.io.answers.votable import xml_text

__all__ = ["examples_document"]

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" lang="en">
<head><title>Examples of queries</title></head>
<body vocab="http://www.ivoa.net/rdf/examples#">
<h1>Examples of queries</h1>
"""
_OBSCORE = (
    (
        "maps",
        "Maps and cubes that cover a place",
        "What the shelf holds at a place on the sky, the smallest first.",
        (
            "SELECT obs_id, obs_collection, s_fov, em_min, em_max, access_url FROM ivoa.obscore\n"
            "WHERE CONTAINS(POINT('ICRS', 50.67, -37.21), s_region) = 1 ORDER BY s_fov"
        ),
        "ivoa.obscore",
    ),
    (
        "near",
        "Maps near a place",
        "Those whose middles lie within two degrees.",
        (
            "SELECT obs_id, DISTANCE(POINT('ICRS', s_ra, s_dec), POINT('ICRS', 50.67, -37.21)) AS away\n"
            "FROM ivoa.obscore\n"
            "WHERE CONTAINS(POINT('ICRS', s_ra, s_dec), CIRCLE('ICRS', 50.67, -37.21, 2)) = 1 ORDER BY away"
        ),
        "ivoa.obscore",
    ),
    (
        "tables",
        "Which tables there are",
        "All tables that can be queried, with what they hold.",
        "SELECT table_name, description FROM TAP_SCHEMA.tables ORDER BY table_name",
        "TAP_SCHEMA.tables",
    ),
)


def examples_document(tables: Sequence[str]) -> str:
    """The document: queries of ObsCore and TAP_SCHEMA, and one for each of some tables.

    Parameters
    ----------
    tables
        Names of tables as a query writes them.
    """
    more = [
        (
            f"table{number}",
            f"The first rows of {name}",
            "Ten rows, with all columns.",
            f"SELECT TOP 10 * FROM {name}",
            name,
        )
        for number, name in enumerate(dict.fromkeys(tables), 1)
        if name not in ("ivoa.obscore",)
    ]
    told = "".join(_example(*each) for each in (*_OBSCORE, *more))
    return f"{_HEAD}{told}</body>\n</html>\n"


def _example(name: str, title: str, text: str, query: str, table: str) -> str:
    return (
        f'<div id="{name}" resource="#{name}" typeof="example">\n<h2 property="name">{xml_text(title)}</h2>\n'
        f'<p>{xml_text(text)} It asks <em property="table">{xml_text(table)}</em>.</p>\n'
        f'<pre property="query">{xml_text(query)}</pre>\n</div>\n'
    )
