"""Three backbones of different pretraining sizes under one head: precision, export, training and old files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest

import keras_radtl as rtl
from keras_radtl.config import Config, HeadConfig, ModelConfig, UserError, from_dict
from keras_radtl.models.backbones.efficientnet_lite import VARIANTS
from keras_radtl.models.classifier import assemble_classifier, build_classifier
from keras_radtl.models.groups import group_table, set_trainable, trainable_layers
from keras_radtl.models.precision import dtype_policy
from keras_radtl.models.prefix import cut

pytestmark = pytest.mark.slow
THREE = "+".join(variant.name for variant in VARIANTS)
IMAGES = np.random.default_rng(0).integers(0, 256, (3, 52, 52, 3), np.uint8)
IN_A_NEW_PROCESS = """
import sys, numpy as np, tensorflow as tf, keras_radtl as rtl
images = np.load(sys.argv[1] + "/images.npy")
loaded = np.asarray(rtl.load_model(sys.argv[1] + "/model.keras")(images))
exported = tf.saved_model.load(sys.argv[1] + "/exported")
served = np.asarray(exported.serve(images))
np.savez(sys.argv[1] + "/logits.npz", loaded=loaded, served=served)
"""
CONFIG = {
    "data": {"positive": "malignant", "image_size": 52, "phantoms": {"count": 40, "image_size": 52}},
    "model": {"backbone": THREE, "weights": "none", "scaling": "lite", "head": {"name": "linear"}},
    "training": {"strategy": "lp", "epochs": 2, "batch_size": 8},
}


def make(precision="float32", pooling="average"):
    head = HeadConfig("linear", pooling=pooling)
    with dtype_policy(precision):
        return build_classifier(ModelConfig(THREE, weights="none", scaling="lite", head=head), 2, (52, 52, 3), 0)


@pytest.fixture(scope="module")
def model():
    return make(pooling="stages")


@pytest.mark.parametrize("unfreeze", ["none", "top1", "top2"])
def test_the_parts_below_and_above_the_cut_equal_the_whole(model, unfreeze):
    set_trainable(model, trainable_layers(model, unfreeze))
    parts = cut(model)
    np.testing.assert_array_equal(parts.upper(parts.lower(IMAGES)), model(IMAGES))


def test_the_last_groups_are_paired(model):
    assert [row.group for row in group_table(model)][-2:] == ["head_conv+head_conv+head_conv", "head"]


def test_scaling_and_logits_are_float32_in_mixed_precision():
    mixed = make("mixed_float16")
    assert {mixed.get_layer(f"backbone{i}_scaling").output.dtype for i in (1, 2, 3)} == {"float32"}
    assert mixed(IMAGES).dtype == "float32" and np.isfinite(mixed(IMAGES)).all()


def test_a_new_process_loads_the_model_and_its_export(model, tmp_path):
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "exported", verbose=False)
    np.save(tmp_path / "images.npy", IMAGES)
    command = [sys.executable, "-W", "ignore", "-c", IN_A_NEW_PROCESS, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]
    with np.load(tmp_path / "logits.npz") as logits:
        np.testing.assert_allclose(logits["loaded"], model(IMAGES), atol=1e-5)
        np.testing.assert_allclose(logits["served"], model(IMAGES), atol=1e-4)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return rtl.train(from_dict(Config, CONFIG), tmp_path_factory.mktemp("runs") / "run", figures=False)


def logits(run, part):
    table = run.predictions(part)
    return table[[name for name in table if name.startswith("logit")]].to_numpy()


def test_training_with_stored_activations_gives_the_same_bits(run, tmp_path):
    other = rtl.train(from_dict(Config, CONFIG), tmp_path / "run", figures=False, reuse=False)
    assert all(np.array_equal(logits(run, part), logits(other, part)) for part in ("val", "test"))


def test_a_run_whose_backbones_saw_images_of_one_size_is_refused(run, tmp_path):
    old = tmp_path / "old"
    shutil.copytree(run.path, old)
    with zipfile.ZipFile(run.path / "model.keras") as source, zipfile.ZipFile(old / "model.keras", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "config.json":
                config = json.loads(content)
                for layer in config["config"]["layers"]:
                    layer["config"].pop("size", None)
                content = json.dumps(config).encode()
            target.writestr(name, content)
    with pytest.raises(UserError, match="saved by version 0.1, whose backbones saw images of one size"):
        _ = rtl.load_run(old).trained


def test_the_branches_have_the_weights_of_their_packages(shared_data):
    built, reports = assemble_classifier(ModelConfig(THREE, head=HeadConfig("linear")), 2, (260, 260, 3), 0)
    assert [report.source for report in reports] == ["imagenet"] * 3
    golden = np.load(shared_data / "efficientnet_lite2_golden.npz")  # of the size of the images
    features = keras.Model(built.input, built.get_layer("backbone3_pooling").output)(golden["images"])
    np.testing.assert_allclose(features, golden["features"], atol=1e-3)
