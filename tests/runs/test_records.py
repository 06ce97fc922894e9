"""The JSON files of a run: right ones are read as they are, damaged ones are named with what still works."""

from __future__ import annotations

import json

import pytest

from keras_radtl.config import UserError
from keras_radtl.runs.records import read_environment, read_metrics, read_status, read_summary

METRIC = {"value": 0.5, "ci_low": None, "ci_high": None, "n": 8, "method": "none"}
SUMMARY = {"classes": ["a", "b"], "multilabel": False, "image_shape": [8, 8, 1]}
ONE = SUMMARY | {"epochs": 2, "best_epoch": 1, "monitor": "val_auc"}
FOLDS = SUMMARY | {"fold_auc": [0.5, None]}
THRESHOLD = {"value": 0.3, "rule": "youden", "sensitivity": 0.9, "specificity": 0.8}
CALIBRATION = {"temperature": 2.0, "offset": [0.5, -0.5]}
VALID = [
    (read_status, {"state": "running", "epoch": 3}),
    (read_status, {"state": "finished"}),
    (read_summary, ONE),
    (read_summary, FOLDS),
    (read_summary, ONE | {"multilabel": True, "classes": ["a"]}),
    (read_summary, ONE | {"threshold": THRESHOLD}),
    (read_summary, FOLDS | {"fold_threshold": [0.3, 0.4], "fold_calibration": [CALIBRATION, None]}),
    (read_summary, FOLDS | {"fold_calibration": [CALIBRATION | {"temperature": [2.0, 3.0]}] * 2}),
    (read_metrics, {"test": {"auc": METRIC}}),
    (read_environment, {}),
]
DAMAGED = [
    (read_status, {}, "state"),
    (read_status, {"state": []}, "state"),
    (read_status, {"state": "done"}, "state"),
    (read_summary, SUMMARY, "epochs"),
    (read_summary, ONE | {"multilabel": "x"}, "multilabel"),
    (read_summary, ONE | {"multilabel": 1}, "multilabel"),
    (read_summary, ONE | {"classes": ["a"]}, "classes"),
    (read_summary, ONE | {"classes": ["a", "a"]}, "classes"),
    (read_summary, ONE | {"classes": "ab"}, "classes"),
    (read_summary, ONE | {"image_shape": [8, 8]}, "image_shape"),
    (read_summary, ONE | {"image_shape": [8, 8, 2]}, "image_shape"),
    (read_summary, ONE | {"image_shape": [8, 1e9, 1]}, "image_shape"),
    (read_summary, ONE | {"monitor": []}, "monitor"),
    (read_summary, FOLDS | {"fold_auc": 3}, "fold_auc"),
    (read_summary, ONE | {"threshold": THRESHOLD | {"value": None}}, "threshold"),
    (read_summary, ONE | {"threshold": THRESHOLD | {"rule": 3}}, "threshold"),
    (read_summary, ONE | {"threshold": THRESHOLD, "classes": ["a", "b", "c"]}, "threshold"),
    (read_summary, FOLDS | {"fold_threshold": [0.3]}, "fold_threshold"),
    (read_summary, FOLDS | {"fold_calibration": [CALIBRATION]}, "fold_calibration"),
    (read_summary, FOLDS | {"fold_calibration": [None, CALIBRATION | {"temperature": 0}]}, "fold_calibration"),
    (read_summary, FOLDS | {"fold_calibration": [None, CALIBRATION | {"offset": [1.0]}]}, "fold_calibration"),
    (read_summary, FOLDS | {"fold_calibration": [None, CALIBRATION | {"temperature": [2.0]}]}, "fold_calibration"),
    (read_metrics, {}, "metrics"),
    (read_metrics, {"test": {}}, "test"),
    (read_metrics, {"test": {"auc": {}}}, "test"),
    (read_metrics, {"test": {"auc": METRIC | {"n": -1}}}, "test"),
    (read_metrics, {"test": {"auc": METRIC | {"value": "x"}}}, "test"),
]


@pytest.mark.parametrize(("read", "values"), VALID)
def test_right_files(tmp_path, read, values):
    (tmp_path / "file.json").write_text(json.dumps(values))
    assert read(tmp_path / "file.json") == values


@pytest.mark.parametrize(("read", "values", "key"), DAMAGED)
def test_damaged_values(tmp_path, read, values, key):
    (tmp_path / "file.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=f"file.json is damaged: .*{key}"):
        read(tmp_path / "file.json")


@pytest.mark.parametrize("read", [read_status, read_summary, read_metrics, read_environment])
@pytest.mark.parametrize(
    "content", [b"", b"[1]", b"{", b"\xff\xfe{", b"[" * 100_000, b'{"state": ' + b"9" * 5000 + b"}", None]
)
def test_damaged_content(tmp_path, read, content):
    if content is not None:
        (tmp_path / "file.json").write_bytes(content)
    with pytest.raises(UserError, match=r"file\.json is (damaged|missing)"):
        read(tmp_path / "file.json")
