import json

import pytest

from skysift.cli.columns import columns_text
from skysift.cli.main import main
from skysift.sky import schema
from skysift.sky.flags import FLAGS


def test_every_column_is_listed_with_its_meaning(capsys):
    assert main(["columns"]) == 0
    told = capsys.readouterr().out
    joined = " ".join(told.split())
    for each in (*schema.COLUMNS, *schema.FURTHER):
        assert f"\n{each.name} " in f"\n{told}"
        assert each.meaning in joined
        assert each.ucd in told
    for flag in FLAGS:
        assert flag.meaning in joined


@pytest.mark.parametrize("table", schema.TABLES)
def test_the_columns_of_one_table(capsys, table):
    assert main(["columns", table, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in told["columns"]] == [
        each.name for each in (*schema.columns(table), *schema.further(table))
    ]
    assert told["columns"][0].keys() == {"name", "dtype", "unit", "ucd", "meaning", "tables", "display"}
    assert {each["name"]: each["value"] for each in told["flags"]} == {
        each.name: each.value for each in FLAGS
    }


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_line_is_too_long(width):
    assert all(
        len(line) <= width for line in columns_text((*schema.COLUMNS, *schema.FURTHER), width).splitlines()
    )


def test_an_unknown_table_is_told(capsys):
    assert main(["columns", "stars"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "skysift: error: no such table: got 'stars'; allowed: islands, sources, components\n"
