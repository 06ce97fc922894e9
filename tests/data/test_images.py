"""Loading the images of a table: hashes, sizes, channels, memory-mapped files and unusable images."""

from __future__ import annotations

import threading

import cv2
import numpy as np
import pytest
from PIL import Image

from keras_radtl.config import DataConfig, UserError
from keras_radtl.data import images as images_module
from keras_radtl.data.images import equalize, load_images, pixel_hash, resize_image
from keras_radtl.data.table import CaseTable

RANDOM = np.random.default_rng(0)


def table_of(pixels=None, root=None, paths=None):
    cases = paths or tuple(f"case {i}" for i in range(len(pixels)))
    targets = (np.arange(len(cases)) % 2).astype(np.int32)
    return CaseTable("made", root, cases, cases, cases, ("a", "b"), targets, pixels=pixels)


@pytest.fixture
def files(tmp_path):
    """Return a table of six grey files of different sizes."""
    names = tuple(f"{i}.png" for i in range(6))
    for i, name in enumerate(names):
        Image.fromarray(RANDOM.integers(0, 256, (20 + i, 30), np.uint8)).save(tmp_path / name)
    return table_of(root=tmp_path, paths=names)


def test_stretch_uses_area_or_linear_interpolation():
    image = RANDOM.integers(0, 256, (40, 60), np.uint8)
    np.testing.assert_array_equal(resize_image(image, 20), cv2.resize(image, (20, 20), interpolation=cv2.INTER_AREA))
    np.testing.assert_array_equal(resize_image(image, 80), cv2.resize(image, (80, 80), interpolation=cv2.INTER_LINEAR))
    blocks = image[:40, :40].reshape(20, 2, 20, 2).mean(axis=(1, 3))
    np.testing.assert_allclose(resize_image(image[:40, :40], 20), blocks, atol=0.51)


def test_crop_returns_the_centre():
    image = np.zeros((40, 80), np.uint8)
    image[10:30, 30:50] = 255
    np.testing.assert_array_equal(resize_image(image, 20, "crop", 40), np.full((20, 20), 255, np.uint8))
    assert resize_image(image, 224, "crop").shape == (224, 224)
    with pytest.raises(UserError, match=r"`resize_side` must be at least image_size \(20\)"):
        resize_image(image, 20, "crop", 10)


def test_pad_keeps_the_aspect_ratio():
    padded = resize_image(np.full((10, 20, 3), 9, np.uint8), 20, "pad")
    assert padded.shape == (20, 20, 3) and (padded[5:15] == 9).all() and padded.sum() == 9 * 10 * 20 * 3


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1, 3), (7, 3)])
@pytest.mark.parametrize("mode", ["stretch", "crop", "pad"])
def test_any_shape_becomes_a_square(shape, mode):
    assert resize_image(np.zeros(shape, np.uint8), 32, mode).shape == (32, 32, *shape[2:])


def test_hash_depends_on_pixels_and_shape():
    image = RANDOM.integers(0, 256, (4, 6), np.uint8)
    other = image.copy()
    other[0, 0] ^= 1
    assert len({pixel_hash(image), pixel_hash(other), pixel_hash(image.reshape(6, 4)), pixel_hash(image.T)}) == 4
    assert pixel_hash(image.T) == pixel_hash(image.T.copy())


def test_files_are_read_in_order(files):
    done = []
    images = load_images(files, DataConfig(), 16, progress=lambda *step: done.append(step))
    assert images.pixels.shape == (6, 16, 16, 1) and images.kept.tolist() == list(range(6)) and images.rejected == ()
    for i, path in enumerate(files.paths):
        image = np.array(Image.open(files.root / path))
        np.testing.assert_array_equal(images.pixels[i, ..., 0], resize_image(image, 16))
        assert images.hashes[i] == pixel_hash(image)
    assert done == [(i + 1, 6) for i in range(6)]


def test_decoding_uses_threads(files, monkeypatch):
    names, real = set(), images_module.decode
    barrier = threading.Barrier(2, timeout=10)  # passes only if two files are read at the same time

    def decode(path, *options):
        names.add(threading.current_thread().name)
        if path.name in ("0.png", "1.png"):
            barrier.wait()
        return real(path, *options)

    monkeypatch.setattr(images_module, "decode", decode)
    load_images(files, DataConfig(), 8)
    assert len(names) >= 2


def test_rgb_with_equal_channels_has_the_hash_of_the_grey_image():
    grey = RANDOM.integers(0, 256, (9, 9), np.uint8)
    images = load_images(table_of([grey, np.dstack([grey] * 3)]), DataConfig(), 9)
    assert images.pixels.shape == (2, 9, 9, 1) and images.hashes[0] == images.hashes[1]


def test_channels_follow_the_images_or_the_option():
    grey, colour = RANDOM.integers(0, 256, (9, 9), np.uint8), RANDOM.integers(0, 256, (9, 9, 3), np.uint8)
    table = table_of([grey, colour])
    auto = load_images(table, DataConfig(), 9).pixels
    np.testing.assert_array_equal(auto[0], np.dstack([grey] * 3))
    np.testing.assert_array_equal(auto[1], colour)
    single = load_images(table, DataConfig(channels="grey"), 9).pixels
    np.testing.assert_allclose(single[1, ..., 0], colour @ [0.299, 0.587, 0.114], atol=1)
    assert load_images(table_of([grey]), DataConfig(channels="rgb"), 9).pixels.shape == (1, 9, 9, 3)


def test_memory_mapped_pixels_equal_those_in_memory(files, tmp_path):
    memory = load_images(files, DataConfig(), 16)
    mapped = load_images(files, DataConfig(), 16, tmp_path / "cache", memory_limit=1000)
    assert isinstance(mapped.pixels, np.memmap) and not mapped.pixels.flags.writeable
    np.testing.assert_array_equal(memory.pixels, mapped.pixels)
    assert mapped.hashes == memory.hashes


def test_unusable_image_is_an_error_with_its_name(files, tmp_path):
    (tmp_path / "3.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"Cannot use image 3.png: the file is empty. `on_bad_image='skip'`"):
        load_images(files, DataConfig(), 16, tmp_path / "cache", memory_limit=0)
    assert list((tmp_path / "cache").iterdir()) == []


def test_unusable_images_can_be_excluded(files, tmp_path):
    (tmp_path / "3.png").write_bytes(b"")
    (tmp_path / "5.png").unlink()
    images = load_images(files, DataConfig(on_bad_image="skip"), 16)
    assert images.kept.tolist() == [0, 1, 2, 4] and len(images.pixels) == len(images.hashes) == 4
    assert [item.path for item in images.rejected] == ["3.png", "5.png"] and "No such file" in images.rejected[1].reason


def test_no_usable_image_is_an_error(tmp_path):
    (tmp_path / "a.png").write_bytes(b"x")
    table = table_of(root=tmp_path, paths=("a.png",))
    with pytest.raises(UserError, match="No image can be used. Images: 1. First: a.png: it is not a PNG"):
        load_images(table, DataConfig(on_bad_image="skip"), 16)


def test_constant_images_are_noted():
    images = load_images(table_of([np.zeros((5, 5), np.uint8), np.eye(5, dtype=np.uint8)]), DataConfig(), 8)
    assert images.notes == ("images with a single pixel value: 1 (first: case 0)",)


def test_equalization_increases_contrast():
    ramp = np.tile(np.linspace(100, 120, 64).astype(np.uint8), (64, 1))
    equalized = equalize(ramp, 2.0)
    assert np.ptp(equalized.astype(int)) > 1.4 * np.ptp(ramp.astype(int))
    flat = equalize(np.full((64, 64), 90, np.uint8), 2.0)
    assert len(np.unique(flat)) == 1


def test_equalization_keeps_hues_and_shapes():
    grey = RANDOM.integers(60, 120, (40, 40), np.uint8)
    colour = np.stack([grey, grey, grey // 2], axis=-1)
    equalized = equalize(colour, 2.0)
    a_b = [cv2.cvtColor(image, cv2.COLOR_RGB2LAB)[..., 1:].astype(int) for image in (colour, equalized)]
    assert np.abs(a_b[0] - a_b[1]).mean() < 2
    assert equalize(grey[:5, :7], 2.0).shape == (5, 7)


def test_equalization_is_applied_at_full_size_and_does_not_alter_hashes(files):
    plain, equalized = (load_images(files, DataConfig(clahe=clip), 16) for clip in (0.0, 2.0))
    assert plain.hashes == equalized.hashes
    assert not np.array_equal(plain.pixels, equalized.pixels)
    first = cv2.imread(str(files.root / files.paths[0]), cv2.IMREAD_GRAYSCALE)
    expected = resize_image(cv2.createCLAHE(2.0, (8, 8)).apply(first), 16)
    np.testing.assert_array_equal(equalized.pixels[0, ..., 0], expected)
