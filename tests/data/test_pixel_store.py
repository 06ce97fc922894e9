"""Images in memory or in a file: equal pixels, and no temporary files remain."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.config import UserError
from keras_radtl.data import pixel_store
from keras_radtl.data.pixel_store import PixelStore, select_rows

GREY = np.random.default_rng(0).integers(0, 256, (5, 4, 4), np.uint8)
COLOUR = np.random.default_rng(1).integers(0, 256, (5, 4, 4, 3), np.uint8)


def fill(images, channels=None, limit=10**9, folder=None, count=10):
    store = PixelStore(count, 4, channels, limit, folder)
    for image in images:
        store.append(image)
    return store.finish()


@pytest.mark.parametrize("limit", [10**9, 0])
def test_grey_images_become_rgb_after_a_colour_image(tmp_path, limit):
    np.testing.assert_array_equal(fill(GREY, limit=limit, folder=tmp_path), GREY[..., None])
    mixed = fill([*GREY, *COLOUR], limit=limit, folder=tmp_path)
    np.testing.assert_array_equal(mixed, np.concatenate([np.repeat(GREY[..., None], 3, 3), COLOUR]))
    assert isinstance(mixed, np.memmap) == (limit == 0) and not mixed.flags.writeable
    assert [path.name for path in tmp_path.iterdir()] == (["pixels.u8"] if limit == 0 else [])


def test_a_colour_image_can_exceed_the_memory_limit(tmp_path):
    mixed = fill([*GREY, *COLOUR], limit=200, folder=tmp_path)
    assert isinstance(mixed, np.memmap) and mixed.shape == (10, 4, 4, 3)
    np.testing.assert_array_equal(mixed[:5, ..., 1], GREY)


def test_grey_images_are_repeated_in_three_channels():
    np.testing.assert_array_equal(fill(GREY, channels=3), np.repeat(GREY[..., None], 3, 3))


@pytest.mark.parametrize("limit", [10**9, 0])
def test_select_rows(tmp_path, limit):
    pixels = fill(GREY, limit=limit, folder=tmp_path)
    assert select_rows(pixels, np.arange(5)) is pixels
    chosen = select_rows(pixels, np.array([4, 1]))
    np.testing.assert_array_equal(chosen, GREY[[4, 1], ..., None])
    assert isinstance(chosen, np.memmap) == (limit == 0) and not chosen.flags.writeable
    assert len(list(tmp_path.iterdir())) == (limit == 0)


def test_more_than_the_memory_limit_without_a_folder_is_an_error():
    with pytest.raises(UserError, match="there is no cache folder"):
        fill(GREY, limit=0)


def test_full_disk_is_an_error_and_leaves_no_files(tmp_path, monkeypatch):
    class FullDisk:
        def __init__(self, file):
            self.file, self.name = file, file.name

        def write(self, data):
            raise OSError(28, "No space left on device")

        def __getattr__(self, name):
            return getattr(self.file, name)

    real = pixel_store._temporary
    monkeypatch.setattr(pixel_store, "_temporary", lambda folder: FullDisk(real(folder)))
    store = PixelStore(3, 4, None, 0, tmp_path)
    with pytest.raises(UserError, match="Cannot write the image cache .*: No space left on device"):
        store.append(GREY[0])
    store.discard()
    assert list(tmp_path.iterdir()) == []
