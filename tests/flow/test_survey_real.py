"""The SUMSS mosaics about Fornax A as a survey, against NVSS and SUMSS."""

import numpy as np
import pytest

import skysift

FIELDS = ("J0318M36", "J0336M36", "J0320M40")


@pytest.mark.full
def test_three_mosaics_are_one_survey(data_folder, tmp_path):
    maps = "\n".join(
        f"  - map: {data_folder}/continuum/SUMSS_{name}.fits\n    name: {name}" for name in FIELDS
    )
    reference = data_folder / "labelled" / "NVSS_SUMSS_components_70k.fits"
    (tmp_path / "survey.yaml").write_text(f"report: false\nfields:\n{maps}\nreferences:\n  - {reference}\n")
    done = skysift.survey(tmp_path / "survey.yaml", tmp_path / "out")
    assert not done.failed
    sources = done.catalogue.sources
    assert 1300 < sources["primary"].sum() < 1500
    assert done.coverage.area == pytest.approx(51.4, abs=0.3)
    assert set(sources["field"].tolist()) == set(FIELDS)
    shared = sources["primary"] & (sources["n_fields_covering"] > 1) & (np.abs(sources["snr"]) > 12)
    assert (sources["n_fields_detected"][shared] > 1).all()  # what is bright was seen by all who looked
    checks = {(each.field, each.against): each for each in done.checks}
    same = checks["J0318M36", "J0336M36"]
    assert same.sky.n >= 10
    assert abs(same.sky.east) < 0.5
    assert abs(same.scale.ratio - 1) < 0.02
    south = checks["J0320M40", reference.stem]  # which is SUMSS itself there
    assert abs(south.scale.ratio - 1) < 0.02
    assert abs(south.sky.east) < 0.3
    north = checks["J0318M36", reference.stem]  # NVSS, at 1.4 GHz
    index = -np.log(north.scale.ratio) / np.log(1400 / 843)
    assert index == pytest.approx(-0.8, abs=0.3)
