"""A run that version 0.1 wrote: its configuration, metrics and model still load and predict the same.

`tests/reference/run_0_1` was written by 0.1.0 with the tiny backbone of `tiny_backbone.py`, a ConvSkip head and 60
phantoms of 32 pixels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import keras_radtl as rtl

RUN = Path(__file__).parent / "reference" / "run_0_1"


@pytest.fixture(scope="module")
def cases(tiny_backbone):
    """Return the stored test predictions and the pixels of their images."""
    from keras_radtl.data.sources import read_table

    run = rtl.load_run(RUN)
    stored = run.predictions("test").set_index("case")
    table = read_table(run.trained.data)
    rows = [table.cases.index(case) for case in stored.index]
    return stored[["logit_other", "logit_malignant"]].to_numpy(), run.trained.read(table)[rows]


def test_the_run_opens(tiny_backbone):
    run = rtl.load_run(RUN)
    assert run.config.preset_name == "quickstart" and run.config.model.head.name == "conv_skip"
    assert run.classes == ("other", "malignant") and list(run.metrics) == ["train", "val", "test"]
    assert list(run.history["epoch"]) == [1, 2]


def test_its_model_predicts_what_it_predicted(cases):
    logits, pixels = cases
    np.testing.assert_allclose(rtl.load_run(RUN).trained.logits(pixels), logits, atol=1e-5)


def test_its_model_file_loads_as_a_keras_model(cases):
    logits, pixels = cases
    model = rtl.load_model(RUN / "model.keras")
    np.testing.assert_allclose(np.asarray(model([pixels], training=False)), logits, atol=1e-5)
