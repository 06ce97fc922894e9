"""`run_search`: it selects the configuration that the command `tune` selects, and refuses wrong arguments."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from keras_radtl.config import Config, UserError, load_values
from keras_radtl.search.settings import TunerSettings
from keras_radtl.studies.search import run_search, search_output

pytest.importorskip("keras_tuner")
TINY = Path(__file__).parents[1] / "search" / "tiny_tune.py"
SPACE = {"training.learning_rate": [1e-4, 1e-1], "training.unfreeze": ["none", "all"]}
OPTIONS = {
    "data.image_size": 32, "data.phantoms.count": 40, "data.phantoms.image_size": 32, "model.backbone": "tiny",
    "model.weights": "none", "model.head.name": "linear", "training.batch_size": 16,
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*imp.*:DeprecationWarning")
def test_python_and_the_command_find_the_same_configuration(tmp_path, tiny_backbone, monkeypatch):
    import yaml

    from keras_radtl.search import trial_process

    space = tmp_path / "space.yaml"
    space.write_text(yaml.safe_dump(SPACE))
    command = [sys.executable, str(TINY), "--space", str(space), "--output", str(tmp_path / "command")]
    command += ["--algorithm", "random", "--trials", "2", "--max-epochs", "1"]
    command += [part for key, value in OPTIONS.items() for part in ("--set", f"{key}={value}")]
    subprocess.run(command, check=True, capture_output=True)
    monkeypatch.setattr(trial_process, "WORKER", (str(TINY), "worker"))
    result = run_search(
        Config.preset(**OPTIONS), tmp_path / "python", space=SPACE, algorithm="random", trials=2, max_epochs=1
    )
    assert list(result.table["status"]) == ["finished"] * 2 or len(result.rows) == 2
    best = [load_values(tmp_path / name / "best_config.json") for name in ("command", "python")]
    assert best[0] == best[1]
    assert result.best_config.training.learning_rate in SPACE["training.learning_rate"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"algorithm": "grid"}, "`algorithm` must be"),
        ({"feature_cache_size": -1.0}, "`feature_cache_size` must be"),
        ({"space": {"training.colour": [1, 2]}}, "training.colour"),
        ({"space": "nowhere.yaml"}, "nowhere.yaml"),
    ],
)
def test_wrong_arguments_are_refused(tmp_path, arguments, message):
    with pytest.raises(UserError, match=message):
        run_search(Config(), tmp_path / "search", **arguments)
    assert not (tmp_path / "search").exists()


def test_the_default_folder_names_the_algorithm():
    assert search_output(Config(), TunerSettings(algorithm="random")).name.startswith("random-")
