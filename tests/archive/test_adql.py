"""Every query of the corpus gives what it says, on SQLite; queries that are none are refused with a reason."""

from tests.archive.corpus import answer, cases, corpus, refused, same


@cases("valid")
def test_a_valid_query_is_answered(shelf, case):
    rows, columns = answer(shelf, case)
    wanted = case.get("is")
    if wanted is not None:
        given = [tuple(row) for row in wanted]
        given = (
            given
            if case.get("ordered")
            else sorted(given, key=lambda row: [(v is None, str(type(v)), v or 0) for v in row])
        )
        assert same(rows, given, case.get("near", 1e-9)), rows
    if "rows" in case:
        assert len(rows) == case["rows"]
    elif wanted is None:
        assert len(rows) >= case.get("min", 1)
    if "types" in case:
        assert [each.datatype for each in columns] == case["types"]


@cases("invalid")
def test_an_invalid_query_is_refused(shelf, case):
    refused(shelf, case)


def test_the_corpus_is_large():
    assert sum(len(queries) for queries in corpus().values()) >= 300
