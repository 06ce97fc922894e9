"""New images: which files are predicted, and the statistics over the folds."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import DataConfig, UserError
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


def test_unreadable_file_is_named(tmp_path):
    (tmp_path / "bad.png").write_text("text")
    with pytest.raises(UserError, match="bad.png"):
        predict_images(trained(), [str(tmp_path / "bad.png")])
