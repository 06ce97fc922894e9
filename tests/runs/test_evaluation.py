"""Evaluation on other labelled images: classes are matched by name, metrics are those of the logits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data.table import CaseTable
from keras_radtl.runs.evaluation import align_classes, evaluate_models
from keras_radtl.runs.results import split_metrics
from keras_radtl.runs.trained_model import TrainedModel


class Brightness(TrainedModel):
    """Predicts the second class for bright images."""

    def logits(self, pixels, advance=None):
        mean = pixels.mean(axis=(1, 2, 3)).astype(np.float32)
        return np.column_stack([np.zeros_like(mean), (mean - 128) / 32])


@pytest.fixture
def folder(tmp_path):
    """Write five dark and five bright images, of which one has the wrong class."""
    random = np.random.default_rng(0)
    for number in range(10):
        name = "dark" if number in (0, 1, 2, 3, 9) else "bright"
        (tmp_path / name).mkdir(exist_ok=True)
        pixels = random.integers(0, 100, (16, 16), np.uint8) + (100 if number > 4 else 0)
        Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_metrics_are_those_of_the_logits(folder):
    data = DataConfig(path=str(folder), image_size=16, channels="grey")
    trained = Brightness(data, ("dark", "bright"), False, (16, 16, 1), (), 4)
    found = evaluate_models(trained, data, seed=0)
    assert found.cases.classes == ("dark", "bright") and found.predictions.logits.shape == (10, 2)
    assert found.metrics.loc["accuracy", "value"] == pytest.approx(0.8) and found.metrics.loc["auc", "n"] == 10
    assert found.values == split_metrics(found.cases, found.predictions, 0)


def test_threshold_of_the_run_is_used(folder):
    data = DataConfig(path=str(folder), image_size=16, channels="grey")
    trained = Brightness(data, ("dark", "bright"), False, (16, 16, 1), (), 4, threshold=0.9999)
    found = evaluate_models(trained, data, seed=0)
    assert found.metrics.loc["sensitivity", "value"] == 0 and found.metrics.loc["specificity", "value"] == 1
    assert (
        found.metrics.loc["auc", "value"]
        == evaluate_models(replace(trained, threshold=None), data, 0).values["auc"]["value"]
    )


def test_few_cases_are_a_warning(folder, caplog):
    data = DataConfig(path=str(folder), image_size=16, channels="grey")
    found = evaluate_models(Brightness(data, ("dark", "bright"), False, (16, 16, 1), (), 4), data, seed=0)
    few = "test: 10 cases, 5 of one class; intervals are wide or missing"
    assert caplog.messages[-1] == few and found.notes[0] == f"WARNING: {few}" and few in found._repr_html_()


def table(classes, targets, **options) -> CaseTable:
    names = tuple(map(str, range(len(targets))))
    kind = np.float32 if options else np.int32
    return CaseTable("new", None, names, names, names, classes, np.array(targets, kind), **options)


def test_labels_are_matched_by_name():
    aligned = align_classes(table(("c", "a"), [[1, 0], [np.nan, 1]], multilabel=True), ("a", "b", "c"))
    np.testing.assert_array_equal(aligned.targets, [[0, np.nan, 1], [1, np.nan, np.nan]])
    assert align_classes(table(("b", "c"), [0, 1, -1]), ("a", "b", "c")).targets.tolist() == [1, 2, -1]


def test_unknown_class_is_an_error():
    message = "The run has no class 'd'. Classes of the data: 'b', 'd'; of the run: 'a', 'b'"
    with pytest.raises(UserError, match=message):
        align_classes(table(("b", "d"), [0, 1]), ("a", "b"))
