"""Studies by name: studies of the package, files in the folder `tuners/`, and other Python files."""

from __future__ import annotations

import re
from importlib import import_module
from os import PathLike
from pathlib import Path

from keras_radtl.config import Config, UserError
from keras_radtl.config.errors import listed, shown
from keras_radtl.search.space import Space, make_space, read_space
from keras_radtl.sweeps.run_list import load_list
from keras_radtl.sweeps.study import Study, file_of, study_of
from keras_radtl.sweeps.user_code import load_module

STUDIES = {  # module in this folder by the name of the study; both names are accepted
    "fts": "fine_tuning_strategies",
    "grid176": "bacon_grid",
    "unfreezing": "unfreezing",
    "radimagenet24": "radimagenet_grid",
}
SPACES = ("hyperband",)  # modules in this folder with the search space of a study
TUNERS = Path("tuners")
_DEFINES_RUNS = re.compile(r"^(def runs\(|runs\b.*=)", re.MULTILINE)


def get_study(name: str | PathLike) -> Study:
    """Return a study.

    Args:
        name: Path of a Python file, the name of a file in `tuners/`, or the name of a study of the package, in this
            order.
    Raises:
        UserError: If there is none; the message lists the known names.
    """
    file = next((path for path in (Path(name), TUNERS / f"{name}.py") if _is_python_file(path)), None)
    if file is not None:
        module = load_list(file)
        return study_of(module, file.stem, file_of(module))
    short = {module: short for short, module in STUDIES.items()}.get(str(name), str(name))
    if short not in STUDIES:
        raise UserError(f"No list of runs {shown(str(name))}. Known: {listed(known_studies())}, or a Python file")
    return study_of(import_module(f"keras_radtl.studies.{STUDIES[short]}"), short)


def _is_python_file(path: Path) -> bool:
    try:
        return path.suffix == ".py" and path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def known_studies() -> list[str]:
    """Return the names of the studies of the package and of the lists of runs in `tuners/`."""
    local = [path.stem for path in TUNERS.glob("*.py") if _DEFINES_RUNS.search(path.read_text(encoding="utf-8"))]
    return sorted({*STUDIES, *local})


def get_space(source: str | PathLike, config: Config) -> Space:
    """Return a search space.

    Args:
        source: Name of a study in `SPACES`, a Python file that defines `SPACE`, or an argument of `read_space`.
        config: Configuration of everything that is not searched.
    Raises:
        UserError: If there is no such space, or it cannot be searched from `config`.
    """
    if str(source) in SPACES:
        return make_space(import_module(f"keras_radtl.studies.{source}").SPACE, config)
    if Path(source).suffix == ".py" and Path(source).is_file():
        return make_space(_space_of(Path(source)), config)
    return read_space(str(source), config)


def _space_of(path: Path) -> dict:
    space = getattr(load_module(path), "SPACE", None)
    if not isinstance(space, dict):
        raise UserError(f"{path} must define SPACE, a dict from configuration keys to values")
    return space
