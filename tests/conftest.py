"""What several tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data, or skip: it is not part of the project."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("KERAS_RADTL_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set KERAS_RADTL_SHARED_DATA)")
    return folder


@pytest.fixture
def write_image(tmp_path):
    """Return a function that writes a small picture below the test's folder and returns its path."""
    from PIL import Image

    def write(name: str, seed: int | None = 0, shape: tuple[int, ...] = (12, 16)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write
