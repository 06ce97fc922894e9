"""Test-time views: which there are, that each is the transform it says, and how their logits are averaged."""

from __future__ import annotations

import numpy as np

from keras_radtl.config import NO_CHANGES, AugmentConfig
from keras_radtl.data.augment import augment_image, sample_parameters
from keras_radtl.data.pipeline import evaluation_batches
from keras_radtl.data.views import UNCHANGED, make_views, mean_of_views

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 12, 12, 3), np.uint8)
AUGMENT = AugmentConfig(brightness=0.2, blur=1.0)


def changed(tta, augment=AUGMENT, seed=3):
    """Return the images in each view."""
    return [view.change(IMAGES) for view in make_views(tta, augment, seed)]


def test_without_views_there_is_the_image_only():
    assert make_views("none", AUGMENT, 0) == make_views("none", NO_CHANGES, 0) == (UNCHANGED,)


def test_flips_are_horizontal_and_with_vertical_augmentation_also_vertical():
    image, mirrored = changed("flips", NO_CHANGES)
    assert np.array_equal(image, IMAGES) and np.array_equal(mirrored, IMAGES[:, :, ::-1])
    four = changed("flips", AugmentConfig(vertical_flip=True))
    expected = [IMAGES, IMAGES[:, :, ::-1], IMAGES[:, ::-1], IMAGES[:, ::-1, ::-1]]
    assert all(np.array_equal(a, b) for a, b in zip(four, expected, strict=True))


def test_rotations_are_the_four_quarter_turns():
    turned = changed("rotations")
    assert len(turned) == 4 and np.array_equal(turned[2], IMAGES[:, ::-1, ::-1])
    assert np.array_equal(turned[1][:, 0, 0], IMAGES[:, 0, -1]) and np.array_equal(
        turned[1][:, ::-1], turned[3][:, :, ::-1]
    )


def test_augmented_views_are_transforms_of_the_augmentation_and_the_same_for_all_images():
    views = changed("views:3")
    parameters = sample_parameters(AUGMENT, 3, 2**32, [0, 1, 2], 12)
    assert len(views) == 4 and np.array_equal(views[0], IMAGES)
    for number, view in enumerate(views[1:]):
        expected = [augment_image(image, parameters.select(number)) for image in IMAGES]
        assert np.array_equal(view, expected) and not np.array_equal(view, IMAGES)
    assert len({view.tobytes() for view in views}) == 4


def test_augmented_views_do_not_depend_on_the_other_images_or_on_their_number():
    few, many = make_views("views:2", AUGMENT, 3), make_views("views:5", AUGMENT, 3)
    assert few == many[:3] and np.array_equal(few[2].change(IMAGES[4:]), many[2].change(IMAGES)[4:])
    assert not np.array_equal(changed("views:1", seed=4)[1], changed("views:1")[1])


def test_names_tell_views_apart():
    vertical = AugmentConfig(vertical_flip=True)
    views = [*make_views("flips", vertical, 0), *make_views("rotations", AUGMENT, 0)[1:]]
    for augment, seed in ((AUGMENT, 0), (AUGMENT, 1), (vertical, 0)):
        views += make_views("views:2", augment, seed)[1:]
    assert len({view.name for view in views}) == len(views) == 13


def test_batches_of_a_view_are_the_changed_images_in_order():
    view = make_views("views:1", AUGMENT, 3)[1]
    batches = [batch.numpy() for batch in evaluation_batches(IMAGES, [4, 0, 2], 2, change=view.change)]
    assert [len(batch) for batch in batches] == [2, 1]
    assert np.array_equal(np.concatenate(batches), view.change(IMAGES)[[4, 0, 2]])


def test_logits_are_averaged_over_views():
    views = make_views("flips", AUGMENT, 0)
    logits = {view.name: np.float32([[1e8 * (not view.name), 3], [1, -1]]) for view in views}
    expected = np.float32([[5e7, 3], [1, -1]])
    assert np.array_equal(mean_of_views(lambda view: logits[view.name], views), expected)
    only = np.float32([[-0.0, 1]])
    assert mean_of_views(lambda view: only, views[:1]) is only
