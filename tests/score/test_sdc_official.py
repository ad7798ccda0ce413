"""Our scores of the challenges are those of the official package, whose answers `tests/reference` keeps."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tests.reference import sdc_cases

from skysift.score.sdc1 import score_sdc1
from skysift.score.sdc2 import score_sdc2

HERE = Path(sdc_cases.__file__).parent
PACKAGES = ["ska-sdc==2.0.0", "pandas<3", "numpy<2.3", "setuptools<81"]
CASES = {(str(case.challenge), case.name): case for case in sdc_cases.cases()}


def answers(path):
    """(challenge, case) -> what the package said of it."""
    with Path(path).open(newline="") as file:
        return {(row.pop("challenge"), row.pop("case")): row for row in csv.DictReader(file)}


OFFICIAL = answers(HERE / "sdc_scores.csv")


def scored(case):
    if case.challenge == 2:
        return score_sdc2(case.found, case.true)
    return score_sdc1(case.found, case.true, case.frequency, train=case.train, centroid=case.centroid)


def told(score):
    """The score in the words of the package."""
    return {
        "value": score.value,
        "n_det": score.n_det,
        "n_bad": score.n_bad,
        "n_match": score.n_match,
        "n_false": score.n_false,
        "score_det": np.sum(score.points),
        "acc_pc": 100 * np.mean(score.points) if score.n_match else 0.0,
        **{f"sum_{name}": np.nansum(values) for name, values in score.terms.items()},
    }


def test_every_case_has_an_answer():
    assert set(CASES) == set(OFFICIAL)


@pytest.mark.parametrize("key", CASES, ids="-".join)
def test_a_score_is_that_of_the_official_package(key):
    official, ours = OFFICIAL[key], told(scored(CASES[key]))
    if official["refused"]:  # it takes no truth without rows
        assert scored(CASES[key]).n_truth == 0
        assert ours["n_match"] == ours["value"] == 0
        return
    theirs = {name: float(text) for name, text in official.items() if name != "refused" and text}
    assert {name: ours[name] for name in theirs} == pytest.approx(theirs, rel=1e-6, abs=1e-6)


@pytest.mark.full
def test_the_package_still_says_what_is_kept(tmp_path):
    place = tmp_path / "official"
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    python = place / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
    done = subprocess.run(install, capture_output=True, text=True)
    if done.returncode:
        reason = f"{' '.join(PACKAGES)} cannot be installed: {done.stderr.strip().splitlines()[-1:]}"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(reason)
    subprocess.run(
        [python, HERE / "make_sdc_scores.py", tmp_path / "now.csv"], check=True, capture_output=True
    )
    now = answers(tmp_path / "now.csv")
    assert set(now) == set(OFFICIAL)
    for key, row in now.items():
        for name, text in row.items():
            if name == "refused":
                assert text == OFFICIAL[key][name], key
            elif text:
                assert float(text) == pytest.approx(float(OFFICIAL[key][name]), rel=1e-9, abs=1e-9), key
