"""Lists of runs: names, the order that shares work, batches per process, and loading a file."""

from __future__ import annotations

import pytest

from keras_radtl.config import Config, UserError, update
from keras_radtl.sweeps.run_list import (
    RunSpec,
    check_runs,
    cut_batches,
    data_key,
    from_json,
    load_list,
    name_of,
    order_runs,
    to_json,
)
from keras_radtl.training.plan import make_plan


@pytest.fixture
def tiny():
    return Config()


def run(tiny, name, **parts):
    return RunSpec(name, update(tiny, parts), {"clf": "Linear"})


def test_names_are_folder_names():
    assert (
        name_of("breast", "ImageNet", "EfficientNet-Lite0", None, 0.5, 16)
        == "breast-imagenet-efficientnet_lite0-0.5-16"
    )
    assert name_of("g_lf", 1e-5) == "g_lf-1e-05"


@pytest.mark.parametrize(
    "names, problem",
    [([], "no run"), (["a", "a"], "'a'"), (["../up"], "'../up'"), ([200 * "a"], "at most 120 letters")],
)
def test_lists_that_are_refused(tiny, names, problem):
    with pytest.raises(UserError, match=problem):
        check_runs([run(tiny, name) for name in names])


@pytest.mark.parametrize(
    "runs, received", [(None, "None"), ("a list", "'a list'"), ({"a": 1}, "{'a': 1}"), ([3], "an item 3")]
)
def test_a_wrong_return_value_names_the_file(runs, received):
    with pytest.raises(UserError, match=rf"^some.py: `runs` must return a list of RunSpec. Received:? {received}$"):
        check_runs(runs, "some.py")


@pytest.mark.parametrize(
    "values, name", [((3, None, {}), "name"), (("a", {}, {}), "config"), (("a", Config(), {"x": []}), "factors")]
)
def test_fields_of_a_run_are_checked(values, name):
    with pytest.raises(UserError, match=f"^`{name}` must be"):
        RunSpec(*values)


def test_one_key_of_a_dataset(tiny):
    own = update(tiny, {"data": {"image_size": 224}})
    assert data_key(own) == data_key(update(tiny, {"data": {"image_size": 224}, "model": {"backbone": "resnet50"}}))
    assert data_key(tiny) == make_plan(tiny).data_key != data_key(update(tiny, {"split": {"folds": 5}}))


def test_shared_work_is_next_to_each_other_and_else_the_order_is_kept(tiny):
    head = {"head": {"name": "nonlinear"}}
    runs = [
        run(tiny, "a1"),
        run(tiny, "b1", seed=1),
        run(tiny, "gpu", device="cpu"),
        run(tiny, "a2", model=head),
        run(tiny, "b2", seed=1, model=head),
        run(tiny, "a3", training={"unfreeze": "top1"}),
        run(tiny, "a4", training={"learning_rate": 0.1}),
    ]
    assert [r.name for r in order_runs(runs)] == ["a1", "a2", "a4", "a3", "b1", "b2", "gpu"]


def test_runs_with_one_split_seed_share_their_data(tiny):
    runs = [
        run(
            tiny,
            f"{backbone}{seed}",
            seed=seed,
            split={"seed": 0},
            data={"image_size": 32},
            model={"backbone": backbone},
        )
        for seed in (0, 1)
        for backbone in ("resnet50", "vgg19")
    ]
    assert [r.name for r in order_runs(runs)] == ["resnet500", "vgg190", "resnet501", "vgg191"]  # one data set


def test_batches_are_bounded_and_of_one_device(tiny):
    runs = [run(tiny, str(i)) for i in range(5)] + [run(tiny, "x", device="cpu")]
    assert cut_batches(runs, 2) == [(0, 2), (2, 2), (4, 1), (5, 1)]
    assert cut_batches(runs, 8) == [(0, 5), (5, 1)]


def test_runs_survive_json(tiny):
    runs = [run(tiny, "a", augment={"rotation": 3.0})]
    assert from_json(to_json(runs)) == runs


def test_a_list_is_a_python_file_that_defines_runs(tmp_path):
    file = tmp_path / "empty.py"
    file.write_text("def runs(choices):\n    return []\n")
    assert load_list(file).runs(None) == []
    file.write_text("")
    with pytest.raises(UserError, match=r"empty.py must define runs\(choices\)"):
        load_list(str(file))
    with pytest.raises(UserError, match="No such Python file: 'grid177'"):
        load_list("grid177")
    (tmp_path / "list.txt").write_text("")
    with pytest.raises(UserError, match="must be a Python file"):
        load_list(tmp_path / "list.txt")
