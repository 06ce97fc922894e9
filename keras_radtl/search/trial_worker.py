"""The worker of a search: trains trials and rehearses configurations.

`python -m keras_radtl.search.trial_worker FOLDER CACHE` answers tasks as `training.worker` describes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from keras_radtl.config import Config, HeadConfig, from_dict
from keras_radtl.training.plan import Plan, make_plan
from keras_radtl.training.worker import Worker, serve


class TrialWorker(Worker):
    """Executes the tasks of a search.

    Args:
        cache: Folder for the pixels of large datasets.
    """

    def tasks(self) -> dict[str, Callable[[dict], dict]]:
        """Return, by kind, the functions that execute a task and return its result."""
        return {**super().tasks(), "rehearse": self._rehearse}

    def _rehearse(self, task: dict) -> dict:
        """Build each backbone of some configurations, so that errors are found before the search.

        Heads and phases are checked on the model of their backbone by arithmetic; no model is built for them.
        """
        from keras_radtl.training.build import build
        from keras_radtl.training.session import training_session

        plans = [make_plan(from_dict(Config, values)) for values in task["configs"]]
        groups: dict[tuple, list[Plan]] = {}
        for plan in plans:
            groups.setdefault((replace(plan.model, head=HeadConfig()), plan.image_size), []).append(plan)
        most = {"weights": 0, "trainable": 0}
        first = plans[0]
        with training_session(first.seed, first.device, first.training.deterministic):
            for group in groups.values():
                dataset = self.load(group[0])
                found = _check(build(group[0], dataset, dataset.splits[0].fold), group, len(dataset.cases.classes))
                most = {name: max(most[name], found[name]) for name in most}
        return {"data_sha256": dataset.fingerprint, "cases": len(dataset.cases), **most}


def _check(model, plans: list[Plan], num_classes: int) -> dict:
    """Check the heads and phases of plans on a model of their backbone; returns the largest weight counts.

    Raises:
        UserError: If a head does not fit the features, memory is too small, or a precision has no benefit here.
    """
    from keras_radtl.models.memory import require_head_memory
    from keras_radtl.models.precision import require_speedup
    from keras_radtl.training.build import describe

    features = int(model.get_layer("head").input.shape[-1])
    heads = [require_head_memory(plan.model.head, features, num_classes) for plan in plans]
    more = max(heads) - heads[0]  # the model has the first head
    trainable, described = 0, set()
    for plan in plans:
        if plan.training not in described:
            described.add(plan.training)
            require_speedup(plan.training.precision, plan.device)
            describe(plan, model)
            trainable = max(trainable, sum(math.prod(weight.shape) for weight in model.trainable_weights))
    return {"weights": int(model.count_params()) + more, "trainable": trainable + more}


def main(argv=None) -> int:
    """Run the worker; returns the exit code."""
    folder, cache = sys.argv[1:] if argv is None else argv
    return serve(TrialWorker, Path(folder), Path(cache))


if __name__ == "__main__":
    sys.exit(main())
