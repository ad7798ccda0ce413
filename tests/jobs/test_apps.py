"""What jobs can do besides finding: matching, measuring, and programs of other environments."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from tests.jobs.services import ANNA, ended, finding, little_map

from skysift.base.errors import UsageError
from skysift.base.registry import Registry
from skysift.base.settings import Settings, settings
from skysift.flow.kept import KeptResults
from skysift.io.tables import read_catalogue
from skysift.jobs.apps.app import Errand
from skysift.jobs.apps.menu import app_names, app_options, beside_of, load_app, needs_of
from skysift.jobs.checks import checked
from skysift.jobs.executors.local import LocalExecutor
from skysift.jobs.job import Input, JobSpec, Phase
from skysift.jobs.options import LocalExecutorOptions, ResourceOptions

CHECKOUT = Path(__file__).resolve().parents[2]


def python_of(setting: str, venv: str) -> Path:
    """The Python of an environment with a peer, told by a setting, or made by bench/venvs.sh."""
    told = os.environ.get(setting)
    path = Path(told) if told else CHECKOUT / "bench" / ".venvs" / venv / "bin" / "python"
    if not path.exists():
        pytest.skip(f"no environment with {venv} ({setting} names its Python; bench/venvs.sh makes it)")
    return path


@pytest.fixture
def programs(monkeypatch):
    """Names the Python of a program for this process and for workers."""

    def name(setting: str, path: Path) -> None:
        monkeypatch.setenv(setting, str(path))
        settings.cache_clear()

    yield name
    monkeypatch.undo()
    settings.cache_clear()


@pytest.mark.parametrize("app", app_names())
def test_every_app_has_a_menu_and_is_born_with_it(app):
    menu = app_options(app)
    assert menu.__doc__
    schema = menu.schema()
    assert set(schema["properties"]) == set(menu.model_fields)
    if not app.startswith("finder:") or app == "finder:classic":
        assert load_app(app, menu()).options == menu()


def test_finders_are_told_what_is_written_and_their_own():
    names = app_options("finder:classic").model_fields
    assert {"seed", "grow", "formats", "region", "tile"} <= set(names)
    assert "maps" not in app_options("matcher:nearest").model_fields


def test_a_catalogue_is_measured_and_matched(manager, tmp_path):
    path = little_map(tmp_path / "a.fits")
    found = ended(manager, manager.submit(finding(path), ANNA).id)
    folder = manager.results(found.id)[0].path.parent
    catalogue = Input(
        str(folder / "components.fits"), role="catalogue", source=f"job:{found.id}/components.fits"
    )
    job = manager.submit(JobSpec("measure", (Input(str(path)), catalogue), {"report": False}), ANNA)
    job = ended(manager, job.id)
    assert job.phase is Phase.COMPLETED, manager.log(job.id)
    assert {"measurements.fits", "manifest.json"} <= {each.name for each in manager.results(job.id)}
    twice = tuple(Input(str(folder / "sources.fits"), name=name, role="catalogue") for name in ("one", "two"))
    job = manager.submit(JobSpec("matcher:one-to-one", twice, {"format": "csv", "radius": 3}), ANNA)
    job = ended(manager, job.id)
    assert job.phase is Phase.COMPLETED, manager.log(job.id)
    results = {each.name: each.path for each in manager.results(job.id)}
    assert {"matched.csv", "report.html"} <= results.keys()
    assert len(results["matched.csv"].read_text().splitlines()) >= 3


def test_stamps_are_made_and_stacked(manager, tmp_path):
    catalogue = tmp_path / "list.txt"
    catalogue.write_text("50.0145 -30.0128 a\n49.9892 -29.9856 b\n")
    inputs = (Input(str(little_map(tmp_path / "a.fits"))), Input(str(catalogue), role="catalogue"))
    options = {"radius": 20, "sheets": 1}
    job = ended(manager, manager.submit(JobSpec("stamps", inputs, options), ANNA).id)
    assert job.phase is Phase.COMPLETED, manager.log(job.id)
    assert {"stamps.tar", "coverage.fits", "manifest.json"} <= {each.name for each in manager.results(job.id)}
    options = {"radius": 20, "bootstrap": 5}
    job = ended(manager, manager.submit(JobSpec("stack", inputs, options), ANNA).id)
    assert job.phase is Phase.COMPLETED, manager.log(job.id)
    assert {"stack.fits", "bins.csv"} <= {each.name for each in manager.results(job.id)}


def test_sources_are_classified_by_an_uploaded_classifier(manager, tmp_path):
    from tests.classify.tables import labelled

    from skysift.io.features import write_features

    data = labelled(60)
    classifier = Registry("classifier").make("lightgbm", trees=10, calibration="none")
    classifier.fit(data)
    classifier.save(tmp_path / "mine.safetensors")
    write_features(data.features, tmp_path / "new.parquet")
    inputs = (
        Input(str(tmp_path / "new.parquet"), role="sources"),
        Input(str(tmp_path / "mine.safetensors"), role="model"),
    )
    job = ended(manager, manager.submit(JobSpec("classify", inputs), ANNA).id)
    assert job.phase is Phase.COMPLETED, manager.log(job.id)
    results = {each.name: each.path for each in manager.results(job.id)}
    assert results.keys() == {"classes.csv", "classes.csv.json"}
    lines = results["classes.csv"].read_text().splitlines()
    assert lines[0] == "name,label,probability,p_FRI,p_FRII,p_Compact,ood"
    assert len(lines) == 61
    job = ended(
        manager, manager.submit(JobSpec("classify", inputs[:1], {"model": str(tmp_path / "mine")}), ANNA).id
    )
    assert job.phase is Phase.ERROR
    assert "no classifier of this name ships" in job.reason


def test_a_sample_is_explored_with_pictures_and_ranked_by_scores(manager, tmp_path):
    from tests.explore.samples import blobs

    from skysift.io.features import read_features, write_features

    table = blobs(n=30, strange=3)
    write_features(table, tmp_path / "shape.parquet")
    write_features(table, tmp_path / "upload-2")  # uploads have names of their own
    images = np.random.default_rng(1).normal(size=(len(table), 16, 16)).astype(np.float32)
    np.savez(tmp_path / "pictures.npz", images=images, name=np.array(table.names))
    (tmp_path / "scores.csv").write_text(f"name,label,score\n{table.names[-1]},ring,5\n{table.names[0]},,0\n")
    inputs = (
        Input(str(tmp_path / "shape.parquet"), role="features"),
        Input(str(tmp_path / "upload-2"), name="seen.parquet", role="features"),
        Input(str(tmp_path / "pictures.npz"), role="pictures"),
        Input(str(tmp_path / "scores.csv"), role="labels"),
    )
    options = {
        "map": "pca", "bootstraps": 2, "clusterers": ["kmeans"], "methods": {"kmeans": {"number": 3}},
        "scores": {"strangeness": 2},
    }  # fmt: skip
    job = ended(manager, manager.submit(JobSpec("explore", inputs, options), ANNA).id)
    assert job.phase is Phase.COMPLETED, manager.log(job.id)
    results = {each.name: each.path for each in manager.results(job.id)}
    assert results.keys() == {
        "explored.parquet", "ranking.csv", "models.csv", "duplicates.csv", "reference.npz", "report.html",
        "manifest.json", "thumbs.npz", "labels.csv",
    }  # fmt: skip
    explored = read_features(results["explored.parquet"])
    assert {"q_shape_forest", "q_seen_density", "interest"} <= set(explored.titles)
    assert len(set(explored.facts["cluster"].tolist())) == 3
    told = explored.provenance
    assert told.options["active"]["strangeness"] == 2.0
    assert [each.name for each in told.inputs] == [
        "shape.parquet",
        "seen.parquet",
        "pictures.npz",
        "scores.csv",
    ]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"methods": {"kmeans": {"numbr": 3}}}, "no such option: got 'numbr'"),
        ({"methods": {"distance": {"neighbours": 3}}}, "options are given for a method that is not used"),
        ({"scores": {"trust": 3}}, "trust does nothing with method=gaussian"),
        ({"outliers": ["nobody"]}, "nobody"),
        ({"scores": {"strangeness": 2}}, "scores does nothing without an input of the role labels"),
        ({"thumb": 64}, "thumb does nothing without pictures"),
        ({"apart": False}, "apart does nothing with one table"),
        ({"map": "pca", "min_dist": 0.3}, "min_dist does nothing with map=pca"),
    ],
)
def test_options_of_exploring_are_checked_at_submission(manager, tmp_path, options, told):
    (tmp_path / "a.parquet").write_bytes(b"")
    given = (Input(str(tmp_path / "a.parquet"), role="features"),)
    with pytest.raises(UsageError, match=re.escape(told)):
        manager.submit(JobSpec("explore", given, options), ANNA)


@pytest.mark.parametrize("app", ["finder:classic", "stamps"])
def test_what_another_version_had_begun_is_done_again_and_told(app, tmp_path):
    out, told = tmp_path / "work", []
    out.mkdir()
    kept = KeptResults(out / ".partial", out, {"version": "0.0"}, every=0.0)
    kept.write("fits", "k", 1)
    catalogue = tmp_path / "list.txt"
    catalogue.write_text("50.0145 -30.0128 a\n")
    inputs = (Input(str(little_map(tmp_path / "a.fits"))), Input(str(catalogue), role="catalogue"))
    options = {"report": False} if app != "stamps" else {"radius": 20, "sheets": 1}
    load_app(app, app_options(app)(**options)).run(Errand(app, inputs, out, say=told.append))
    assert (out / "manifest.json").exists()
    assert not (out / ".partial").exists()
    assert any("version: 0.0 there" in each for each in told)


def scaled(path, factor, **cards):
    """A map, times a factor, with other cards."""
    other = path.with_name(f"{path.stem}-{factor}.fits")
    with fits.open(path) as hdus:
        hdus[0].data = hdus[0].data * np.float32(factor)
        hdus[0].header.update(cards)
        hdus.writeto(other)
    return other


def test_a_finder_measures_on_maps_beside_its_map(tmp_path):
    path = scaled(little_map(tmp_path / "a.fits"), 1.0, FREQ=1e9)
    taylor = (Input(str(scaled(path, -0.8))),)
    stokes = {"stokes-q": scaled(path, 0.2), "stokes-u": scaled(path, 0.1)}
    roles = [("map", path), ("taylor", taylor[0].path), *stokes.items()]
    options = {"report": False, "maps": ()}
    for name, given, chosen in (
        ("first", roles, {}),
        ("second", [("map", path), ("channels", path), ("channels", scaled(path, 0.5, FREQ=2e9))], {}),
        ("third", [("map", path), ("channels", path), ("channels", scaled(path, 0.25))], {
            "channel_frequencies": (0.0, 4e9),
        }),
    ):  # fmt: skip
        inputs = tuple(Input(str(place), role=role) for role, place in given)
        menu = app_options("finder:classic")(**options, **chosen)
        load_app("finder:classic", menu).run(Errand("finder:classic", inputs, tmp_path / name))
        found = read_catalogue(tmp_path / name).components
        wanted = -0.8 if name == "first" else -1.0
        np.testing.assert_allclose(found["spectral_index"], [wanted, wanted], atol=0.05)
    polarised = read_catalogue(tmp_path / "first").components
    np.testing.assert_allclose(polarised["fraction_p"], np.hypot(0.2, 0.1), rtol=0.1)


@pytest.mark.parametrize(
    ("roles", "options", "told"),
    [
        (("map", "map", "taylor"), {}, "inputs of the role 'taylor' lie beside one map: got '2 maps'"),
        (("map", "taylor", "channels"), {}, "from Taylor terms or from channels"),
        (("map", "stokes-q", "stokes-q"), {}, "inputs of the role 'stokes-q': got 2; allowed: 0 to 1"),
        (("map", "stokes"), {"stokes": "same"}, "are inputs, or planes"),
        (("map", "channels"), {"channel_frequencies": [1e9, 2e9]}, "got '2 frequencies'; allowed: 1"),
        (("map",), {"channel_frequencies": [1e9]}, "got '1 frequencies'; allowed: 0"),
    ],
)
def test_maps_beside_a_map_that_do_not_go_together_are_refused_at_submission(
    manager, tmp_path, roles, options, told
):
    path = str(little_map(tmp_path / "a.fits"))
    inputs = tuple(Input(path, name=f"{k}.fits", role=role) for k, role in enumerate(roles))
    with pytest.raises(UsageError, match=re.escape(told)):
        manager.submit(JobSpec("finder:classic", inputs, options), ANNA)


def test_adjacent_maps_are_merged(manager, tmp_path):
    maps = [little_map(tmp_path / "a.fits"), little_map(tmp_path / "b.fits", seed=2)]
    with fits.open(maps[1], mode="update") as file:
        file[0].header["CRPIX1"] -= 128.0  # the map beside
    job = manager.submit(JobSpec("merge", tuple(Input(str(each)) for each in maps)), ANNA)
    job = ended(manager, job.id)
    assert job.phase is Phase.COMPLETED, manager.log(job.id)
    (merged,) = manager.results(job.id)
    both = np.hstack([fits.getdata(each) for each in maps])
    np.testing.assert_array_equal(fits.getdata(merged.path).squeeze(), both)


def test_inputs_have_the_roles_that_an_app_wants(manager, tmp_path):
    path = Input(str(little_map(tmp_path / "a.fits")))
    with pytest.raises(UsageError, match="inputs of the role 'catalogue': got 0; allowed: 1"):
        manager.submit(JobSpec("measure", (path,)), ANNA)
    with pytest.raises(UsageError, match="inputs of the role 'map': got 0; allowed: 1 or more"):
        manager.submit(JobSpec("finder:classic"), ANNA)
    assert manager.list(ANNA).jobs == ()


@pytest.mark.parametrize("app", app_names())
def test_what_an_app_lacks_is_told_at_submission_in_its_own_words(app, tmp_path):
    needs = needs_of(app)
    options = app_options(app)()
    given = ()
    assert not set(needs) & set(beside_of(app))
    for role, (at_least, at_most) in needs.items():
        allowed = str(at_least) if at_least == at_most else f"{at_least} or more"
        told = re.escape(f"inputs of the role '{role}': got 0; allowed: {allowed}")
        with pytest.raises(UsageError, match=told):
            checked(JobSpec(app, given), lambda name: LocalExecutor(LocalExecutorOptions()))
        if app in (
            "finder:classic",
            "matcher:nearest",
            "measure",
            "classify",
            "explore",
            "stamps",
            "stack",
            "merge",
        ):
            with pytest.raises(UsageError, match=told):
                load_app(app, options).run(Errand(app, given, tmp_path))
        given += tuple(Input(f"{role}{k}", role=role) for k in range(at_least))
    assert bool(needs) == (app not in ("query", "cutout", "mcutout", "hips"))


def test_programs_that_are_not_named_are_not_offered(manager, programs, tmp_path, monkeypatch):
    monkeypatch.delenv("SKYSIFT_AEGEAN", raising=False)
    settings.cache_clear()
    assert "aegean" not in app_names()
    with pytest.raises(UsageError, match="the setting SKYSIFT_AEGEAN names its Python"):
        manager.submit(JobSpec("aegean", (Input(str(little_map(tmp_path / "a.fits"))),)), ANNA)
    programs("SKYSIFT_AEGEAN", tmp_path / "nowhere" / "python")
    assert "aegean" in app_names()
    job = ended(manager, manager.submit(JobSpec("aegean", (Input(str(tmp_path / "a.fits")),)), ANNA).id)
    assert (job.phase, job.error_kind) == (Phase.ERROR, "usage")
    assert "aegean cannot be run" in job.reason


def test_settings_name_programs():
    told = Settings.from_environment({"SKYSIFT_PYBDSF": "~/venv/bin/python"})
    assert told.programs == {"pybdsf": Path.home() / "venv/bin/python"}


@pytest.mark.full
@pytest.mark.parametrize(
    ("app", "setting", "venv", "native"),
    [
        ("aegean", "SKYSIFT_AEGEAN", "aegean", "aegean/table_comp.fits"),
        ("pybdsf", "SKYSIFT_PYBDSF", "bdsf", "pybdsf/gaul.fits"),
    ],
)
def test_peers_run_as_jobs_into_our_schema(manager, programs, tmp_path, app, setting, venv, native):
    programs(setting, python_of(setting, venv))
    path = tmp_path / "$(touch pwned); a.fits"  # no shell sees it
    little_map(path)
    options = {"frequency": 1.4e9} if app == "pybdsf" else {}
    spec = JobSpec(app, (Input(str(path)),), options, resources=ResourceOptions(seconds=300))
    job = ended(manager, manager.submit(spec, ANNA).id)
    assert job.phase is Phase.COMPLETED, manager.log(job.id)
    results = {each.name: each.path for each in manager.results(job.id)}
    assert {"components.fits", "sources.fits", "islands.fits", "regions.reg", native} <= results.keys()
    catalogue = read_catalogue(results["components.fits"].parent)
    assert len(catalogue.components) == 2
    assert sorted(round(float(flux), 3) for flux in catalogue.components["flux_peak"]) == [0.01, 0.01]
    assert catalogue.provenance.finder == app
    assert not list(tmp_path.rglob("pwned"))
