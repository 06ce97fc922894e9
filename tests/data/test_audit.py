"""The audit as a function: what it takes, and its findings as a table and as HTML."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, DataConfig, SplitConfig, UserError
from keras_radtl.data.audit import audit_images


def test_the_function_takes_a_path_and_gives_a_table(faulty_pictures):
    found = audit_images(faulty_pictures, split=SplitConfig(folds=3), limit=1)
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


def test_the_function_takes_a_configuration(faulty_pictures):
    config = Config(data=DataConfig(path=str(faulty_pictures)), split=SplitConfig(folds=20))
    found = audit_images(config)
    assert found.splits == () and "Class `benign`" in found.split_error
    assert str(audit_images(config.data, config.split, config.split_seed)) == str(found)


@pytest.mark.parametrize("options", [{"limit": -1}, {"distance": 64}])
def test_wrong_arguments_are_named(faulty_pictures, options):
    with pytest.raises(UserError, match=f"`{next(iter(options))}` must be"):
        audit_images(faulty_pictures, **options)
