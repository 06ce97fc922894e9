"""New images: which files are predicted, and the statistics over the folds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keras_radtl.config import DataConfig, UserError
from keras_radtl.metrics.logit_calibration import Calibration
from keras_radtl.models.probabilities import to_probabilities
from keras_radtl.runs.new_images import list_images, predict_images
from keras_radtl.runs.trained_model import TrainedModel


class Folds(TrainedModel):
    """Three models whose logits are multiples of the mean pixel; keeps the pixels."""

    seen: list = []

    def fold_logits(self, pixels, advance=None):
        self.seen.append(pixels)
        mean = pixels.mean(axis=(1, 2, 3)) / 255
        return np.array([np.column_stack([-k * mean, k * mean]) for k in (1, 2, 3)], np.float32)


def trained(multilabel=False, folds=3) -> Folds:
    data = DataConfig(image_size=8, channels="grey")
    return Folds(data, ("no", "yes"), multilabel, (8, 8, 1), (None,) * folds, 4)


def test_folders_are_replaced_by_their_images_in_order(write_image, tmp_path):
    paths = [write_image(name) for name in ("b/z.png", "b/a/x.PNG", "c.png")]
    (tmp_path / "b" / "notes.txt").write_text("text")
    expected = [str(tmp_path / name) for name in ("c.png", "b/a/x.PNG", "b/z.png", "c.png")]
    assert list_images([paths[2], tmp_path / "b", paths[2]]) == expected
    assert list_images(paths[0]) == list_images(str(paths[0])) == [str(paths[0])]


def test_missing_path_and_folder_without_images_are_an_error(tmp_path):
    with pytest.raises(UserError, match="No such file or folder: .*absent"):
        list_images([tmp_path / "absent"])
    with pytest.raises(UserError, match="contains no image"):
        list_images(tmp_path)


def test_probabilities_are_of_the_mean_logits_and_spread_is_over_folds(write_image):
    files = [str(write_image(f"{i}.png", seed=i)) for i in range(3)]
    found = predict_images(trained(), files)
    logits = trained().fold_logits(Folds.seen[-1])
    each = [to_probabilities(one, False) for one in logits]
    np.testing.assert_allclose(found.probabilities, to_probabilities(logits.mean(axis=0), False), rtol=1e-6)
    np.testing.assert_allclose(found.spread, np.std(each, axis=0, ddof=1), rtol=1e-6)
    assert found.paths == tuple(files) and found.predicted == ("yes",) * 3


def test_multi_label_predictions_are_labels_above_one_half(write_image):
    found = predict_images(trained(multilabel=True), [str(write_image("a.png"))])
    assert found.predicted == ("yes",) and found.probabilities.sum() == pytest.approx(1)


def test_folds_are_calibrated_before_they_are_averaged(write_image):
    calibrations = tuple(
        Calibration(temperature, (-offset, offset)) for temperature, offset in [(1, 0), (2, 1), (3, 2)]
    )
    files = [str(write_image(f"{i}.png", seed=i)) for i in range(3)]
    found = predict_images(replace(trained(), calibrations=calibrations), files)
    raw = trained().fold_logits(Folds.seen[-1]).astype(float)
    each = np.array([raw[0], raw[1] / 2 + [-1, 1], raw[2] / 3 + [-2, 2]])
    np.testing.assert_allclose(found.logits, each.mean(axis=0), rtol=1e-6)
    spread = np.std([to_probabilities(one, False) for one in each], axis=0, ddof=1)
    np.testing.assert_allclose(found.spread, spread, rtol=1e-5)


def test_class_is_predicted_from_the_threshold_on(write_image):
    file = [str(write_image("a.png"))]
    probability = predict_images(trained(), file).probabilities[0, 1]
    for threshold, name in ((probability, "yes"), (np.nextafter(probability, 1), "no"), (None, "yes")):
        assert predict_images(replace(trained(), threshold=threshold), file).predicted == (name,)


def test_unreadable_file_is_named(tmp_path):
    (tmp_path / "bad.png").write_text("text")
    with pytest.raises(UserError, match="bad.png"):
        predict_images(trained(), [str(tmp_path / "bad.png")])


def test_bad_files_can_be_skipped(tmp_path, write_image, caplog):
    (tmp_path / "bad.png").write_text("text")
    good = str(write_image("good.png"))
    found = predict_images(trained(), [str(tmp_path / "bad.png"), good], "skip")
    assert found.paths == (good,) and [file.path for file in found.rejected] == [str(tmp_path / "bad.png")]
    assert "1 of 2 images skipped" in caplog.text
    with pytest.raises(UserError, match="No image can be used"):
        predict_images(trained(), [str(tmp_path / "bad.png")], "skip")
    with pytest.raises(UserError, match="on_bad_image"):
        predict_images(trained(), [good], "nope")


def test_hidden_files_are_skipped_and_other_things_are_named(tmp_path, write_image):
    good = str(write_image("good.png"))
    (tmp_path / "._good.png").write_text("metadata")
    assert list_images(tmp_path) == [good]
    (tmp_path / "folder.png").mkdir()
    assert list_images(tmp_path) == [str(tmp_path / "folder.png"), good]


def test_logits_that_are_not_finite_name_the_file(write_image):
    class Diverged(Folds):
        def fold_logits(self, pixels, advance=None):
            return super().fold_logits(pixels) * np.nan

    data = DataConfig(image_size=8, channels="grey")
    file = str(write_image("a.png"))
    with pytest.raises(UserError, match=r"logits of .*a\.png are not finite \(1 of 1 cases\)"):
        predict_images(Diverged(data, ("no", "yes"), False, (8, 8, 1), (None,), 4), [file])
