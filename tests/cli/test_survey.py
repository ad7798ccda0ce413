"""`skysift survey`: its lines, its exit codes, what it says of wrong configurations."""

import pytest
from tests.flow import survey_fields as made

from skysift.cli.main import main


@pytest.fixture(scope="module")
def maps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("maps")
    made.write(folder, "AB")
    (folder / "good.yaml").write_text(
        "name: two\noptions: {seed: 7}\nreport: false\nfields: [A.fits, B.fits]\n"
    )
    return folder


def run(*words):
    return main(["survey", *map(str, words)])


def test_a_survey_is_summed_up(maps, capsys):
    assert run(maps / "good.yaml", "--out", maps / "out", "--workers", "1", "--tile", "128") == 0
    told = capsys.readouterr()
    assert "two 1\n" in told.out
    assert "  fields      2\n" in told.out
    assert "A against B:" in told.out
    assert f"  look at     {maps / 'out' / 'survey.html'}" in told.out
    assert "two: A (1 of 2): islands" in told.err
    assert run(maps / "good.yaml", "--out", maps / "out") == 2
    assert "earlier run" in capsys.readouterr().err
    assert run(maps / "good.yaml", "--out", maps / "out", "--overwrite", "--quiet") == 0
    told = capsys.readouterr()
    assert told.out == told.err == ""


def test_a_field_that_fails_sets_the_exit_code(maps, tmp_path, capsys):
    (tmp_path / "bad.fits").write_text("no map")
    (tmp_path / "survey.yaml").write_text(f"report: false\nfields: [{maps}/A.fits, bad.fits]\n")
    assert run(tmp_path / "survey.yaml", "--out", tmp_path / "out", "--quiet") == 2
    told = capsys.readouterr().err
    assert "skysift: error: bad: " in told
    assert "skysift: 1 of 2 fields failed: bad" in told
    assert (tmp_path / "out" / "survey.html").is_file()


def test_every_fault_of_a_configuration_is_a_line(maps, tmp_path, capsys):
    (tmp_path / "survey.yaml").write_text("fields:\n  - gone.fits\n  - {map: lost.fits, epok: 5}\n")
    assert run(tmp_path / "survey.yaml", "--out", tmp_path / "out") == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "line 2, fields[0].map: there is no such map" in lines[0]
    assert "line 3, fields[1].epok: no such key" in lines[1]
    assert not (tmp_path / "out").exists()


def test_what_is_missing_is_told(maps, capsys):
    assert run() == 2
    assert "--example" in capsys.readouterr().err
    assert run(maps / "good.yaml") == 2
    assert "--out is missing" in capsys.readouterr().err
    assert run("--example") == 0
    assert "fields:" in capsys.readouterr().out
