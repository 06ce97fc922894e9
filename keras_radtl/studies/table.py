"""Studies by name: those of the package, those in the folder `tuners/`, and Python files anywhere."""

from __future__ import annotations

import re
from importlib import import_module
from os import PathLike
from pathlib import Path

from keras_radtl.config import Config, UserError
from keras_radtl.search.space import Space, make_space, read_space
from keras_radtl.sweeps.run_list import load_list
from keras_radtl.sweeps.study import Study, file_of, study_of

STUDIES = {  # by the name of the study, its module in this folder; both names are accepted
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
        name: path of a Python file, the name of a file in `tuners/`, or the name of a study of the package, in this
            order.
    Raises:
        UserError: when there is none, with the known names.
    """
    file = next((path for path in (Path(name), TUNERS / f"{name}.py") if path.suffix == ".py" and path.is_file()), None)
    if file is not None:
        module = load_list(file)
        return study_of(module, file.stem, file_of(module))
    short = {module: short for short, module in STUDIES.items()}.get(str(name), str(name))
    if short not in STUDIES:
        raise UserError(
            f"There is no list of runs `{name}`. Give a Python file, or one of: {', '.join(known_studies())}"
        )
    return study_of(import_module(f"keras_radtl.studies.{STUDIES[short]}"), short)


def known_studies() -> list[str]:
    """Return the names of the studies of the package and of the lists of runs in `tuners/`."""
    local = [path.stem for path in TUNERS.glob("*.py") if _DEFINES_RUNS.search(path.read_text(encoding="utf-8"))]
    return sorted({*STUDIES, *local})


def get_space(source: str | PathLike, config: Config) -> Space:
    """Return a search space.

    Args:
        source: name of a study in `SPACES`, a Python file that defines `SPACE`, or what `read_space` takes.
        config: what is not searched.
    Raises:
        UserError: when there is no such space, or it cannot be searched from `config`.
    """
    if str(source) in SPACES:
        return make_space(import_module(f"keras_radtl.studies.{source}").SPACE, config)
    if Path(source).suffix == ".py" and Path(source).is_file():
        return make_space(_space_of(Path(source)), config)
    return read_space(str(source), config)


def _space_of(path: Path) -> dict:
    import runpy

    names = runpy.run_path(str(path))
    if not isinstance(names.get("SPACE"), dict):
        raise UserError(f"{path} must define SPACE, a dict from configuration keys to values")
    return names["SPACE"]
