"""The public API: the script of the README, the list of names, and what importing the package loads."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import matplotlib
import pandas as pd
import pytest

import keras_radtl as rtl

ROOT = Path(rtl.__file__).parent
README = ROOT.parent / "README.md"


@pytest.fixture
def plain_figures():
    """Draw without a display and close the figures."""
    import matplotlib.pyplot as plt

    backend = matplotlib.get_backend()
    matplotlib.use("agg")
    yield
    plt.close("all")
    matplotlib.use(backend)


def readme_script() -> str:
    """Return the Python block of the README that begins with the import of the package."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    return next(block for block in blocks if block.startswith("import keras_radtl as rtl"))


@pytest.mark.slow
def test_the_script_of_the_readme(tiny_backbone, pictures, tmp_path, monkeypatch, plain_figures):
    """It runs as it stands, on small pictures and a tiny backbone in place of BUSI and ResNet50."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "BUSI").symlink_to(pictures)
    (tmp_path / "new_images").symlink_to(pictures / "benign mass")
    preset = rtl.Config.preset

    def tiny_preset(name, /, **given):
        positive = next(p.name for p in pictures.iterdir() if p.name.startswith(given.pop("positive")))
        small = {"training.counting": "stages", "model.head.filters": 2, "model.scaling": "zero_one"}
        tiny = {"backbone": "tiny", "weights": "none", "image_size": 32, "epochs": 1, "unfreeze": "none"}
        return preset(name, **{**given, **tiny, **small, "positive": positive, "folds": 2})

    monkeypatch.setattr(rtl.Config, "preset", tiny_preset)
    linear = tiny_preset("breast", data="BUSI", positive="malignant", head="linear")
    rtl.train(linear, "runs/linear", figures=False)
    names: dict = {}
    exec(compile(readme_script(), str(README), "exec"), names)
    run, table = names["run"], names["table"]
    assert isinstance(run.metrics["test"], pd.DataFrame)
    assert list(run.metrics["test"].columns) == ["value", "ci_low", "ci_high", "n", "method"]
    assert list(table.columns[:1]) == ["path"] and {"predicted", f"prob_{run.classes[1]}"} <= set(table.columns)
    assert len(table) == 30 and len(names["models"]) == 2


def test_names_are_listed_on_one_screen_with_a_line_each():
    source = (ROOT / "__init__.py").read_text(encoding="utf-8")
    block = source[source.index("__all__ = [") : source.index("]", source.index("__all__ = ["))]
    lines = block.splitlines()[1:]
    assert len(lines) == len(rtl.__all__) <= 24
    assert all(re.fullmatch(r'    "\w+",  # \S.*', line) for line in lines)


def test_every_public_name_resolves_and_is_documented():
    for name in rtl.__all__:
        value = getattr(rtl, name)
        assert value.__doc__ and callable(value), name
    assert set(rtl.__all__) <= set(dir(rtl))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        rtl.nonsense  # noqa: B018


def test_no_public_name_is_that_of_a_submodule():
    """Importing keras_radtl.compare would replace a function `compare`."""
    modules = {path.stem for path in ROOT.glob("*.py")} | {path.name for path in ROOT.iterdir() if path.is_dir()}
    assert not set(rtl.__all__) & modules
    for module in ("compare", "analyze", "audit", "sweep", "tune"):
        import_module(f"keras_radtl.{module}")
    assert all(callable(getattr(rtl, name)) for name in rtl.__all__)


def test_the_import_is_light():
    code = (
        "import sys, keras_radtl as rtl; dir(rtl); "
        "print([m for m in ('tensorflow', 'keras', 'numpy', 'pandas', 'matplotlib', 'yaml') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_lists_are_tables():
    assert "resnet50" in rtl.list_backbones().index and "groups" in rtl.list_backbones().columns
    assert "lp_ft" in rtl.list_strategies().index and list(rtl.list_presets().columns) == ["title", "source"]


def test_a_preset_takes_short_names_dotted_keys_and_tables():
    config = rtl.Config.preset("breast", data="BUSI", positive="malignant", folds=5, epochs=3, image_size=64)
    assert (config.preset_name, config.data.path, config.split.folds) == ("breast", "BUSI", 5)
    assert (config.training.epochs, config.data.image_size, config.data.positive) == (3, 64, "malignant")
    config = rtl.Config.preset(training={"epochs": 2}, **{"augment.rotation": 0})
    assert (config.training.epochs, config.augment.rotation) == (2, 0.0)
    with pytest.raises(rtl.UserError, match="Unknown argument 'colour'. Known: data, label"):
        rtl.Config.preset("breast", colour="red")
