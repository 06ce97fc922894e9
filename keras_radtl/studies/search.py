"""Searches from Python: `run_search`, which is also called by the command `tune`."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from pathlib import Path

from keras_radtl.config import Config
from keras_radtl.runs.directory import default_output
from keras_radtl.search.search import SearchResult, tune
from keras_radtl.search.settings import TunerSettings
from keras_radtl.search.space import make_space
from keras_radtl.studies.table import get_space
from keras_radtl.training.run_options import RunOptions


def run_search(
    config: Config,
    output: str | PathLike | None = None,
    *,
    space: str | PathLike | Mapping = "default",
    overwrite: bool = False,
    reuse: bool = True,
    feature_cache_size: float = 8.0,
    **settings,
) -> SearchResult:
    """Search for the configuration with the best validation AUC; the test cases are not used.

    An interrupted search resumes when the function is called again with the same arguments.

    Args:
        config: Configuration of everything that is not searched; the search sets the number of epochs.
        output: Folder of the search; default: a folder in `saved_models/`.
        space: `default`, the name of a study, a YAML, JSON or Python file, or a dict from configuration keys to values.
        overwrite: Replace another search in `output`.
        reuse: Compute frozen layers once; the results are the same without.
        feature_cache_size: Disk space for the activations of frozen layers, in gigabytes.
        settings: Fields of `TunerSettings`: `algorithm` ("hyperband", "random" or "bayesian"), `max_epochs`, `trials`,
            `factor`, `min_epochs`, `iterations`, `keep`, `retries`.
    Returns:
        SearchResult with `table` and `best_config`.
    Raises:
        UserError: If a value is wrong for every trial; the message names the argument, the rule and the value.
        Stopped: After Ctrl-C or SIGTERM.
    """
    chosen = TunerSettings.of(**settings)
    found = make_space(space, config) if isinstance(space, Mapping) else get_space(space, config)
    folder = Path(output) if output is not None else search_output(config, chosen)
    RunOptions(folder, reuse=reuse, feature_cache_size=feature_cache_size)  # refuses wrong values
    options = {"reuse": reuse, "feature_cache_size": feature_cache_size}
    return tune(config, found, chosen, folder, overwrite, options)


def search_output(config: Config, settings: TunerSettings) -> Path:
    """Return the default folder of a search."""
    plain = default_output(config)
    return plain.with_name(f"{settings.algorithm}-{plain.name}")
