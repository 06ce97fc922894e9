"""A comparison of several models is its single tests put together."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.stats.delong import delong_interval
from keras_radtl.stats.delong_tests import delong_global_test, delong_test
from keras_radtl.stats.model_comparison import compare_models
from keras_radtl.stats.paired import adjust_p_values, cochran_q, mcnemar


def example(models=3, n=80):
    generator = np.random.default_rng(0)
    targets = np.arange(n) % 2
    return targets, {f"m{i}": targets * (0.5 + 0.5 * i) + generator.normal(size=n) for i in range(models)}


def test_every_model_and_pair_by_the_single_tests():
    targets, scores = example()
    found = compare_models(targets, scores, correction="benjamini-hochberg", confidence=0.9)
    assert [model.name for model in found.models] == ["m0", "m1", "m2"]
    assert (
        found.models[1][1:4]
        == delong_interval(targets, scores["m1"], 0.9)[0:1] + delong_interval(targets, scores["m1"], 0.9)[2:4]
    )
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


def test_curves_without_variance_leave_the_global_test_out():
    found = compare_models([0, 0, 1, 1], {"a": [1, 2, 3, 4], "b": [4, 3, 2, 1], "c": [1, 1, 1, 1]})
    assert found.global_test is None
    assert all(pair.p is None for pair in found.pairs)


@pytest.mark.parametrize(
    ("targets", "scores", "words"),
    [
        ([0, 1], {"a": [0, 1]}, "two models"),
        ([1, 1], {"a": [0, 1], "b": [1, 0]}, "both 0 and 1"),
        ([0, 1], {"a": [0, 1], "b": [1, 0, 2]}, "one entry per target"),
    ],
)
def test_wrong_input_is_refused(targets, scores, words):
    with pytest.raises(ValueError, match=words):
        compare_models(targets, scores)
