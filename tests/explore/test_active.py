"""A person's scores turn the ranking; the Gaussian process is that of the textbook."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from tests.explore.samples import blobs

from skysift.base.errors import FormatError, UsageError
from skysift.explore.active import Process, expected_improvement, neighbour_score, reranked
from skysift.explore.options import ActiveOptions
from skysift.explore.scores import Said, merged, read_sayings, sayings_csv, score_column

METHODS = ["neighbour", "gaussian"]


def sample():
    """Two sorts of strange sources among plain ones; the person likes the second sort."""
    rng = np.random.default_rng(5)
    plain = rng.normal(size=(200, 4))
    dull = rng.normal(size=(15, 4)) * 0.5 + [12, 0, 0, 0]
    liked = rng.normal(size=(15, 4)) * 0.5 + [0, 12, 0, 0]
    strange = np.concatenate([rng.uniform(0, 0.9, 200), rng.uniform(0.9, 1.0, 30)])
    return np.concatenate([plain, dull, liked]), strange


@pytest.mark.parametrize("method", METHODS)
def test_what_a_person_likes_comes_first(method):
    coordinates, strange = sample()
    scores = np.full(230, np.nan)
    scores[[0, 1, 200, 201, 202]], scores[[215, 216]] = 0.0, 5.0
    interest, acquisition = reranked([coordinates], strange, scores, ActiveOptions(method=method))
    assert np.median(interest[215:]) > interest[200:215].max()
    if (
        method == "gaussian"
    ):  # learns from scores alone; the neighbour score leaves what is far from all of them as it is
        assert len(set(np.argsort(-interest)[:15]) & set(range(215, 230))) >= 13
    assert np.isneginf(acquisition[[0, 200, 215]]).all()


def test_views_are_heard_alike_and_those_without_a_score_not_at_all():
    coordinates, strange = sample()
    scores = np.full(230, np.nan)
    scores[[0, 1, 200, 201]], scores[[215, 216]] = 0.0, 5.0
    other = np.random.default_rng(2).normal(size=(230, 3))
    other[5], nothing = np.nan, np.where(np.isnan(scores)[:, None], 1.0, np.nan)
    one, two = (reranked([each], strange, scores, ActiveOptions())[0] for each in (coordinates, other))
    both, acquisition = reranked([coordinates, other, nothing], strange, scores, ActiveOptions())
    np.testing.assert_allclose(both, np.where(np.isnan(two), one, 0.5 * (one + two)))
    assert np.isneginf(acquisition[np.isfinite(scores)]).all()


def test_the_gaussian_process_begins_with_strangeness():
    coordinates, strange = sample()
    scores = np.full(230, np.nan)
    scores[[0, 1]] = 0.0, 1.0
    plain, with_it = (
        reranked([coordinates], strange, scores, ActiveOptions(strangeness=k))[0] for k in (0, 2)
    )
    np.testing.assert_allclose(with_it - plain, -2.0 * np.log(1.0 - strange))


def test_far_from_all_scores_the_strangeness_stays():
    coordinates = np.array([[0.0], [0.1], [50.0]])
    found = neighbour_score(coordinates, np.array([0.5, 0.5, 0.5]), np.array([0.0, np.nan, np.nan]), 1.0, 1)
    assert found[2] == pytest.approx(0.5, abs=1e-3)
    assert found[0] == pytest.approx(0.05)  # tanh(artanh(0.1)) of it
    assert found[0] < found[1] < found[2]


def test_the_process_is_the_one_of_the_textbook():
    coordinates = blobs(n=15, far=2.0).values
    scores = np.clip(2.5 + coordinates[:, 0], 0, 5)
    process = Process.fitted(coordinates, scores)
    kernel = ConstantKernel(process.amplitude**2) * Matern(process.length, nu=1.5) + WhiteKernel(
        process.noise**2
    )
    peer = GaussianProcessRegressor(kernel, optimizer=None).fit(coordinates, scores - scores.mean())
    new = coordinates + 0.5
    mean, spread = process.predict(new)
    want, _ = peer.predict(new, return_std=True)
    np.testing.assert_allclose(mean, want + scores.mean(), atol=1e-6)
    kernel.set_params(k2__noise_level=1e-12)
    assert np.corrcoef(process.predict(coordinates)[0], scores)[0, 1] > 0.9
    assert (spread > 0).all()
    far, wide = process.predict(coordinates + 1e4)
    assert far == pytest.approx(process.mean)
    assert wide == pytest.approx(process.amplitude)


def test_the_expected_improvement_is_its_integral():
    for mean, spread in ((1.0, 2.0), (4.0, 0.3)):
        want = quad(lambda x, m=mean, s=spread: (x - 3.5) * norm.pdf(x, m, s), 3.5, mean + 40)[0]
        got = expected_improvement(np.array([mean]), np.array([spread]), 3.0, 0.5)
        assert got == pytest.approx([want], rel=1e-6)


def test_scores_out_of_bounds_are_refused():
    coordinates, strange = sample()
    with pytest.raises(UsageError, match="no score to learn from"):
        reranked([coordinates], strange, np.full(230, np.nan), ActiveOptions())
    scores = np.full(230, np.nan)
    scores[3] = 6.0
    with pytest.raises(UsageError, match="out of bounds: got 6"):
        reranked([coordinates], strange, scores, ActiveOptions())


def test_labels_are_read_merged_and_written(tmp_path):
    path = tmp_path / "scores.csv"
    path.write_text('# mine\nname,label,score\na,"ring, odd",4\nb,,0\nc,,\n')
    first = read_sayings(path, ("a", "b", "c"))
    assert first == {"a": Said("ring, odd", 4.0), "b": Said("", 0.0)}
    path.write_text("name,label\nb,dull\nc,FRI\n")
    both = merged(first, read_sayings(path, ("a", "b", "c")))
    assert (both["b"], both["c"].label) == (Said("dull", 0.0), "FRI")
    assert score_column(both, ("c", "a"))[1] == 4.0
    path.write_text(sayings_csv(both))
    again = read_sayings(path, ("a", "b", "c"))
    assert sayings_csv(again) == sayings_csv(both)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("id,score\na,1\n", FormatError, "lacks columns"),
        ("name,score\nz,1\n", UsageError, "not in the sample: got 'z'"),
        ("name,score\na,1\na,2\n", UsageError, "stands twice"),
        ("name,score\na,seven\n", UsageError, "out of bounds: got 'seven'"),
        ("name,score\na,-1\n", UsageError, "out of bounds"),
        ("name,score\na,\n", UsageError, "says nothing"),
    ],
)
def test_broken_tables_of_labels_are_refused(text, error, told, tmp_path):
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(error, match=told):
        read_sayings(tmp_path / "scores.csv", ("a", "b"))
    with pytest.raises(UsageError, match="no such table"):
        read_sayings(tmp_path / "none.csv", ("a",))


def test_tables_of_labels_as_other_programs_write_them(tmp_path):
    (tmp_path / "a.csv").write_bytes("\ufeffname,score\r\na,3\r\n".encode())
    assert read_sayings(tmp_path / "a.csv", ["a"])["a"].score == 3.0
    (tmp_path / "a.csv").write_bytes("name,label\na,\xe9t\xe9\n".encode("latin-1"))
    with pytest.raises(FormatError, match="no CSV in UTF-8"):
        read_sayings(tmp_path / "a.csv", ["a"])


@pytest.mark.parametrize("method", ["gaussian", "neighbour"])
def test_options_can_be_given_back_as_they_were_told(method):
    options = ActiveOptions(method=method)
    assert ActiveOptions.parse(options.to_dict()) == options
