"""The audit as a function: what it takes, and its findings as a table and as HTML."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from keras_radtl.config import Config, DataConfig, SplitConfig, UserError
from keras_radtl.data.audit import audit_images

RANDOM = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path):
    for name in ("benign", "malignant"):
        (tmp_path / name).mkdir()
        for i in range(12):
            Image.fromarray(RANDOM.integers(0, 256, (12, 12), np.uint8)).save(tmp_path / name / f"{i}.png")
    (tmp_path / "benign" / "1.png").write_bytes((tmp_path / "benign" / "0.png").read_bytes())
    (tmp_path / "malignant" / "2.png").write_bytes((tmp_path / "benign" / "2.png").read_bytes())
    (tmp_path / "malignant" / "3.png").write_bytes(b"")
    return tmp_path


def test_the_function_takes_a_path_and_gives_a_table(folder):
    found = audit_images(folder, split=SplitConfig(folds=3), limit=1)
    assert (found.images, found.classes) == (24, {"benign": 12, "malignant": 11})
    assert [item.paths for item in found.conflicts] == [("benign/2.png", "malignant/2.png")]
    assert len(found.splits) == 3 and found.split_error == ""
    table = found.findings
    assert list(table.columns) == ["kind", "paths", "labels", "detail"]
    assert table["kind"].tolist()[:4] == ["unusable file", "identical images", "identical images", "label conflict"]
    assert table["detail"][0] == "the file is empty" and table["labels"][3] == ("benign", "malignant")
    assert "1 label conflict" in repr(found)
    page = found._repr_html_()
    assert "benign/2.png = malignant/2.png" in page and "classes of the task: benign 12" in page


def test_the_function_takes_a_configuration(folder):
    config = Config(data=DataConfig(path=str(folder)), split=SplitConfig(folds=20))
    found = audit_images(config)
    assert found.splits == () and "Class `benign`" in found.split_error
    assert str(audit_images(config.data, config.split, config.split_seed)) == str(found)


@pytest.mark.parametrize("options", [{"limit": -1}, {"distance": 64}])
def test_wrong_arguments_are_named(folder, options):
    with pytest.raises(UserError, match=f"`{next(iter(options))}` must be"):
        audit_images(folder, **options)
