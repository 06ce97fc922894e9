"""The figures of a run: complete PNGs with the right numbers."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from keras_radtl.data.table import CaseTable
from keras_radtl.reports import run_figures as draw
from keras_radtl.runs.directory import RunDirectory
from keras_radtl.runs.results import Predictions


def table(targets, classes, multilabel=False):
    names = tuple(f"case {i}" for i in range(len(targets)))
    return CaseTable(
        name="t",
        root=None,
        cases=names,
        paths=names,
        groups=names,
        classes=classes,
        targets=np.array(targets, np.float32 if multilabel else np.int32),
        multilabel=multilabel,
    )


def predictions(targets, classes):
    logits = np.random.default_rng(0).normal(size=(len(targets), len(classes))).astype(np.float32)
    return Predictions(np.arange(len(targets)), logits)


@pytest.fixture
def saved(monkeypatch):
    """Return a dict to which each figure goes by its file name, beside being written."""
    figures, real = {}, draw.save_figure

    def save(figure, path):
        figures[path.name] = figure
        real(figure, path)

    monkeypatch.setattr(draw, "save_figure", save)
    return figures


def test_binary_curves_are_about_the_positive_class(tmp_path, saved):
    targets, classes = [0, 1] * 6 + [-1], ("benign", "malignant")
    parts = {"val": predictions(targets, classes), "test": predictions(targets, classes)}
    draw.draw_predictions(RunDirectory(tmp_path), table(targets, classes), parts)
    labels = [text.get_text() for text in saved["roc.png"].axes[0].get_legend().get_texts()]
    assert [label.split()[0].strip(",:") for label in labels if label[:1] in "vt"] == ["val", "test"]
    assert saved["confusion.png"].axes[0].get_title() == "test, n=12"  # the unknown case counts nowhere
    for name in saved:
        with Image.open(tmp_path / "figures" / name) as picture:
            picture.verify()
    assert len(list((tmp_path / "figures").iterdir())) == 2


def test_more_classes_have_a_curve_each(tmp_path, saved):
    targets, classes = [0, 1, 2] * 5, ("a", "b", "c")
    parts = {name: predictions(targets, classes) for name in ("val", "test")}
    draw.draw_predictions(RunDirectory(tmp_path), table(targets, classes), parts)
    figure = saved["roc.png"]
    assert len(figure.axes) == 2
    for axes, split in zip(figure.axes, parts, strict=True):
        texts = [text.get_text() for text in axes.get_legend().get_texts()]
        assert [text.partition(":")[0] for text in texts] == [f"{split}, {name}" for name in classes]
        assert not axes.get_legend().get_window_extent().overlaps(axes.get_window_extent())  # no curve is hidden


def test_several_labels_have_no_confusion_matrix(tmp_path, saved):
    targets = [[0.0, 1.0], [1.0, np.nan], [0.0, 0.0], [1.0, 1.0]] * 3
    draw.draw_pooled(RunDirectory(tmp_path), table(targets, ("a", "b"), True), predictions(targets, ("a", "b")))
    assert list(saved) == ["roc.png"]


def test_samples_show_each_image_and_its_augmentation_in_the_first_epoch(tmp_path, saved, tiny_data, configure):
    from keras_radtl.data.augment import augment_image, sample_parameters

    config, split = configure(), tiny_data.splits[0]
    draw._draw_samples(RunDirectory(tmp_path), tiny_data, split, config.augment, config.seed, count=4)
    shown = [np.asarray(axes.images[0].get_array()) for axes in saved["images.png"].axes]
    assert len(shown) == 8
    case = split.train[0]
    assert np.array_equal(shown[0], tiny_data.pixels[case][..., 0])
    parameters = sample_parameters(config.augment, config.seed, 0, np.array([case]), tiny_data.pixels.shape[1:3])
    assert np.array_equal(shown[4], augment_image(np.array(tiny_data.pixels[case]), parameters.select(0))[..., 0])
    titles = [axes.get_title() for axes in saved["images.png"].axes]
    assert titles[0] == "benign mass" and set(titles[4:]) == {"augmented, epoch 1"}
