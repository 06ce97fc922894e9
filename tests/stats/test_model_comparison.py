"""A comparison of several models equals the individual tests."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.stats.accuracy_tests import cochran_q, mcnemar
from keras_radtl.stats.delong import delong_interval
from keras_radtl.stats.delong_tests import delong_global_test, delong_test
from keras_radtl.stats.model_comparison import compare_scores
from keras_radtl.stats.paired import adjust_p_values


def example(models=3, n=80):
    generator = np.random.default_rng(0)
    targets = np.arange(n) % 2
    return targets, {f"m{i}": targets * (0.5 + 0.5 * i) + generator.normal(size=n) for i in range(models)}


def test_models_and_pairs_equal_the_individual_tests():
    targets, scores = example()
    found = compare_scores(targets, scores, correction="benjamini-hochberg", confidence=0.9)
    assert [model.name for model in found.models] == ["m0", "m1", "m2"]
    area = delong_interval(targets, scores["m1"], 0.9)
    assert found.models[1][1:4] == (area.auc, area.ci_low, area.ci_high)
    assert [(pair.a, pair.b) for pair in found.pairs] == [("m0", "m1"), ("m0", "m2"), ("m1", "m2")]
    tests = [delong_test(targets, scores[pair.a], scores[pair.b], 0.9) for pair in found.pairs]
    errors = [mcnemar(targets, scores[pair.a] >= 0.5, scores[pair.b] >= 0.5) for pair in found.pairs]
    assert [pair.p for pair in found.pairs] == [test.p for test in tests]
    assert [pair.p_adjusted for pair in found.pairs] == adjust_p_values(
        [test.p for test in tests], "benjamini-hochberg"
    )
    assert [pair.mcnemar_p for pair in found.pairs] == [error.p for error in errors]
    assert found.global_test == delong_global_test(targets, list(scores.values()))
    assert found.cochran == cochran_q(np.stack([(values >= 0.5) == targets for values in scores.values()], axis=1))


def test_with_groups_every_interval_and_test_is_clustered():
    targets, scores = example()
    groups = np.arange(80) // 4
    found, plain = (compare_scores(targets, scores, given, mcnemar_method="chi2") for given in (groups, None))
    assert all("clustered" in model.method for model in found.models)
    for pair in found.pairs:
        right = [(scores[name] >= 0.5).astype(int) for name in (pair.a, pair.b)]
        assert pair.mcnemar_p == mcnemar(targets, *right, "chi2", groups).p
        assert pair.p == delong_test(targets, scores[pair.a], scores[pair.b], groups=groups).p
        assert (pair.mcnemar_clustered, pair.mcnemar_method, pair.df) == (True, "chi2, clustered", 19)
    assert found.global_test == delong_global_test(targets, list(scores.values()), groups)
    right = np.stack([(values >= 0.5) == targets for values in scores.values()], axis=1)
    assert found.cochran == cochran_q(right, groups)
    assert [(pair.mcnemar_clustered, pair.df) for pair in plain.pairs] == [(False, None)] * 3


def test_intervals_of_the_aucs_are_on_the_scale_asked_for():
    targets, scores = example(2)
    for scale in ("logit", "plain"):
        found = compare_scores(targets, scores, auc_scale=scale).models[0]
        assert (
            found[1:4]
            == delong_interval(targets, scores["m0"], scale=scale)[0:1]
            + delong_interval(targets, scores["m0"], scale=scale)[2:4]
        )
        assert found.method == f"DeLong, {scale}"


def test_curves_without_variance_have_no_tests():
    found = compare_scores([0, 0, 1, 1], {"a": [1, 2, 3, 4], "b": [4, 3, 2, 1], "c": [1, 1, 1, 1]})
    assert found.global_test is None
    assert [pair.p for pair in found.pairs] == [None, None, None]


@pytest.mark.parametrize(
    ("targets", "scores", "words"),
    [
        ([0, 1], {"a": [0, 1]}, "two models"),
        ([1, 1], {"a": [0, 1], "b": [1, 0]}, "contain both 0 and 1"),
        ([0, 1], {"a": [0, 1], "b": [1, 0, 2]}, "one entry per target"),
    ],
)
def test_invalid_input_raises(targets, scores, words):
    with pytest.raises(ValueError, match=words):
        compare_scores(targets, scores)
