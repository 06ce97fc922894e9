"""The default difficulty: a linear probe of a frozen backbone has an AUC between 0.80 and 0.95."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_radtl.config import HeadConfig, ModelConfig, PhantomConfig
from keras_radtl.data.phantoms.generate import make_phantoms


@pytest.mark.slow
def test_auc_of_a_linear_probe_at_the_default_difficulty():
    import keras

    from keras_radtl.models.classifier import build_classifier

    table = make_phantoms(PhantomConfig())
    images = table.pixels[..., None]
    model = build_classifier(ModelConfig(head=HeadConfig(name="linear")), 2, images.shape[1:], seed=0)
    features = keras.Model(model.input, model.get_layer("head").input)
    x = np.concatenate([features(images[start : start + 50]) for start in range(0, len(images), 50)])
    y = (table.targets == table.classes.index("malignant")).astype(int)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    scores = cross_val_predict(probe, x, y, groups=table.groups, cv=folds, method="decision_function")
    assert 0.80 < roc_auc_score(y, scores) < 0.95
