"""Lesions: the signs of benign and malignant lesions, and how they depend on the difficulty."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from keras_radtl.config import PhantomConfig
from keras_radtl.data.phantoms.generate import make_phantoms
from keras_radtl.data.phantoms.lesions import draw_lesion, insert_lesion
from keras_radtl.data.phantoms.ultrasound import Tissue


@pytest.fixture(scope="module")
def clear():
    """Return 90 images of lesions with clear signs."""
    return make_phantoms(PhantomConfig(count=90, image_size=128, difficulty=0))


def rows(table, label):
    return np.flatnonzero(np.array(table.labels) == label)


def signs(table, label):
    """Yield for each image height / width, roughness of the outline, and relative brightness below in grey levels."""
    for row in rows(table, label):
        mask, image = table.masks[row], table.pixels[row].astype(float)
        ys, xs = np.nonzero(mask)
        contour = max(cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
        roughness = cv2.arcLength(contour, True) / cv2.arcLength(cv2.convexHull(contour), True)
        below = slice(min(ys.max() + 4, 100), min(ys.max() + 24, 124))
        middle = slice(int(xs.mean()) - 4, int(xs.mean()) + 5)
        yield ys.std() / xs.std(), roughness, image[below, middle].mean() - np.median(image[below])


def test_lesions_have_the_signs_of_their_class(clear):
    benign, malignant = (np.median(list(signs(clear, label)), axis=0) for label in ("benign", "malignant"))
    assert benign[0] < 0.8 and malignant[0] > 1.05  # wider than tall, taller than wide
    assert benign[1] < 1.06 and malignant[1] > 1.1  # smooth, spiculated
    assert benign[2] > 0 and malignant[2] < -20  # enhancement, shadow


def test_lesions_are_darker_than_their_surroundings(clear):
    for label in ("benign", "malignant"):
        darker = []
        for row in rows(clear, label):
            around = cv2.dilate(clear.masks[row], np.ones((9, 9), np.uint8)) - clear.masks[row]
            image = clear.pixels[row]
            darker.append(image[around > 0].mean() - image[clear.masks[row] > 0].mean())
        assert np.mean(np.array(darker) > 10) > 0.9


def test_classes_overlap_more_at_a_higher_difficulty():
    def separation(difficulty):
        random = np.random.default_rng(0)
        lesions = [[draw_lesion(m, difficulty, random) for _ in range(150)] for m in (False, True)]
        aspect = np.log([[lesion.aspect for lesion in row] for row in lesions])
        return (aspect[1].mean() - aspect[0].mean()) / aspect.std(axis=1).mean()

    clear, middle, hard = (separation(difficulty) for difficulty in (0.0, 0.5, 1.0))
    assert clear > 1.5 * middle > 0.5 and abs(hard) < 0.3


def test_lesion_is_inserted_at_its_position():
    healthy = Tissue(np.zeros((64, 64), np.float32), np.zeros((64, 64), np.float32))
    lesion = draw_lesion(True, 0.0, np.random.default_rng(0))._replace(x=0.25, y=0.5, radius=0.1, attenuation=50.0)
    tissue, inside = insert_lesion(lesion, healthy, np.random.default_rng(1))
    ys, xs = np.nonzero(inside > 0.5)
    assert (xs.mean() / 64, ys.mean() / 64) == pytest.approx((0.25, 0.5), abs=0.04)
    assert inside.min() == 0 and inside.max() == 1
    assert tissue.echo[inside == 1].mean() < -20 and tissue.attenuation[inside == 1].mean() == pytest.approx(50, abs=1)
    assert np.abs(healthy.echo).max() == 0  # the input is unchanged
