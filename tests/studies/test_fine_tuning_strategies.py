"""The comparison of fine-tuning strategies: one split, and the image side of each backbone."""

from __future__ import annotations


def test_strategies_are_compared_on_one_split(listed):
    runs = listed("fts", "--data", "a")
    assert len(runs) == 8 * 3 * 3 * 3
    assert {run.config.split_seed for run in runs} == {0} and {run.config.seed for run in runs} == {0, 1, 2}
    assert {(run.factors["backbone"], run.config.data.resize_side) for run in runs} == {
        ("ResNet50", 232),
        ("DenseNet121", None),
        ("VGG19", None),
    }
    assert {run.config.data.resize for run in runs} == {"crop"}
    assert {run.config.training.counting for run in runs} == {"fts"}
    assert not any((run.config.augment.rotation, run.config.augment.zoom) != (0, 0) for run in runs)


def test_backbones_that_the_study_did_not_use(listed):
    runs = listed("fts", "--data", "a", "--backbones", "EfficientNet-Lite0")
    assert {(run.config.training.counting, run.config.model.scaling) for run in runs} == {("stages", None)}


def test_the_shorter_side_belongs_to_the_image_size_unless_it_is_given(listed):
    def sides(*options):
        return {run.config.data.resize_side for run in listed("fts", "--data", "a", *options)}

    assert sides("--image-size", "160") == {None}
    assert sides("--set", "data.resize_side=240") == {240}
