"""Writes `sdc_scores.csv`: what the official package ska-sdc 2.0.0 says of the lists of `sdc_cases.py`.

Run it in an environment of its own, for the package needs old libraries:

    python -m venv there
    there/bin/python -m pip install ska-sdc==2.0.0 "pandas<3" "numpy<2.3" "setuptools<81"
    there/bin/python tests/reference/make_sdc_scores.py [OUT]

The package takes no rows that lack a value; it leaves them out where it reads text, and so does this.
"""

from __future__ import annotations

import csv
import logging
import sys
import warnings
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402
import sdc_cases  # noqa: E402
from ska_sdc import Sdc1Scorer, Sdc2Scorer  # noqa: E402

NUMBERS = ("value", "n_det", "n_bad", "n_match", "n_false", "score_det", "acc_pc")
TERMS = {
    1: {
        "position": "position",
        "flux": "flux",
        "b_maj": "b_maj",
        "b_min": "b_min",
        "pa": "pa",
        "core_frac": "core_fraction",
        "class": "class",
    },
    2: {name: name for name in ("position", "central_freq", "flux", "hi_size", "pa", "w20", "i")},
}


def answer(case: sdc_cases.Case) -> dict[str, object]:
    """What the package says: its numbers, and the sum of what the matches earned in each term."""
    names = sdc_cases.SDC1 if case.challenge == 1 else sdc_cases.SDC2
    found, true = (
        pd.DataFrame({name: each[name] for name in names}).dropna().reset_index(drop=True)
        for each in (case.found, case.true)
    )
    told: dict[str, object] = {"challenge": case.challenge, "case": case.name}
    try:
        if case.challenge == 1:
            scorer = Sdc1Scorer(found, true, case.frequency)
            score = scorer.run(mode=int(case.centroid), train=case.train, detail=True)
        else:
            score = Sdc2Scorer(found, true).run(detail=True)
    except Exception as error:  # noqa: BLE001 -- that it takes no such lists is an answer
        return told | {"refused": type(error).__name__}
    told |= {"refused": "", **{name: getattr(score, name) for name in NUMBERS}}
    for theirs, ours in TERMS[case.challenge].items():
        told[f"sum_{ours}"] = 0.0 if score.scores_df is None else score.scores_df[theirs].sum()
    return {name: float(value) if hasattr(value, "dtype") else value for name, value in told.items()}


def main(out: Path) -> None:
    logging.disable(logging.CRITICAL)
    answers = [answer(case) for case in sdc_cases.cases()]
    columns = list(dict.fromkeys(name for each in (*answers[-1:], *answers) for name in each))
    with out.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(answers)
    print(f"{out}: {len(answers)} answers")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "sdc_scores.csv")
