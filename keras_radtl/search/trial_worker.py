"""Train the trials of a search in a process of its own: `python -m keras_radtl.search.trial_worker`.

Takes a line of JSON on stdin for each task and answers with one on stdout. Ends at once when its parent goes, whose end
of stdin then closes; a run directory is whole at every moment.
"""

from __future__ import annotations

import errno
import json
import logging
import math
import os
import queue
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path

from keras_radtl.config import Config, HeadConfig, UserError, from_dict
from keras_radtl.reproducibility import import_tensorflow
from keras_radtl.runs.interrupt import Stopped
from keras_radtl.training.run_options import RunOptions

logger = logging.getLogger(__name__)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class TrialWorker:
    """Executes tasks and keeps the last data set and backbone for the next one.

    Args:
        cache: folder for the pixels of large data sets.
    """

    def __init__(self, cache: Path):
        self.cache, self._key, self._dataset, self._backbone_cache = cache, None, None, None

    def answer(self, task: dict) -> dict:
        """Execute a task; returns its result, or why there is none: `mistake`, `stopped` or `failure`."""
        try:
            return self._train(task) if "output" in task else self._rehearse(task)
        except UserError as error:
            return {"mistake": str(error)}
        except Stopped as stop:
            return {"stopped": str(stop)}
        except Exception as error:  # a defect in one trial must not cost the others
            logger.exception("failed")
            if getattr(error, "errno", None) in _NO_ROOM:
                where = error.filename or task.get("output")
                return {"mistake": f"{error.strerror}: {where}. What was written before is intact"}
            return {"failure": f"{type(error).__name__}: {error}"}

    def _train(self, task: dict) -> dict:
        from keras_radtl.training.train import train

        config = from_dict(Config, task["config"])
        request = RunOptions(Path(task["output"]), resume=True, figures=False, test=False, **task["options"])
        logger.info("---- trial %s", request.output.name)
        dataset = self._load(config)
        from keras_radtl.models.backbone_cache import BackboneCache

        backbone_cache, self._backbone_cache = self._backbone_cache or BackboneCache(), None
        train(config, request, dataset, backbone_cache)
        self._backbone_cache = backbone_cache  # only now: a trial that failed leaves its layers in any state
        return {}

    def _rehearse(self, task: dict) -> dict:
        """Build each backbone of the given configurations, so that what cannot be trained is refused before the search.

        Heads and phases are checked on it by arithmetic, without a build of their own.
        """
        from keras_radtl.training.train import build, check_names

        configs = [from_dict(Config, values) for values in task["configs"]]
        for config in configs:
            check_names(config)
        groups: dict = {}
        for config in configs:
            groups.setdefault((replace(config.model, head=HeadConfig()), config.data.image_size), []).append(config)
        most = {"weights": 0, "trainable": 0}
        for group in groups.values():
            dataset = self._load(group[0])
            model = build(group[0], dataset, dataset.splits[0].fold)
            found = _check(model, group, len(dataset.table.classes))
            most = {name: max(most[name], found[name]) for name in most}
        return {"data_sha256": dataset.fingerprint, "cases": len(dataset.table), **most}

    def _load(self, config: Config):
        key = json.dumps([repr(config.data), repr(config.split), config.split_seed, _image_size(config)])
        if key != self._key:
            from keras_radtl.reproducibility import prepare
            from keras_radtl.training.train import load_data

            self._key, self._dataset = None, None
            prepare(config.seed, config.device, config.training.deterministic)
            self._dataset = load_data(config, Path(tempfile.mkdtemp(dir=self.cache)))
            self._key = key
        return self._dataset


def _image_size(config: Config):
    return config.data.image_size or config.model.backbone


def _check(model, configs: list[Config], num_classes: int) -> dict:
    """Check the heads and phases of configurations on a model of their backbone; returns the most weights they have.

    Raises:
        UserError: when a head does not fit the features, a strategy needs more epochs, or memory is short.
    """
    from keras_radtl.models.memory import require_head_memory
    from keras_radtl.training.train import describe

    features = int(model.get_layer("head").input.shape[-1])
    heads = [require_head_memory(config.model.head, features, num_classes) for config in configs]
    more = max(heads) - heads[0]  # the first one is built
    trainable, told = 0, set()
    for config in configs:
        if config.training not in told:
            told.add(config.training)
            describe(config, model)
            trainable = max(trainable, sum(math.prod(weight.shape) for weight in model.trainable_weights))
    return {"weights": int(model.count_params()) + more, "trainable": trainable + more}


def main(argv=None) -> None:
    """Answer tasks until stdin closes, which ends the process.

    Args:
        argv: the folder for the pixels of large data sets, which the parent makes and removes.
    """
    (cache,) = sys.argv[1:] if argv is None else argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    import_tensorflow()  # every task needs it
    worker = TrialWorker(Path(cache))
    while True:
        answer = worker.answer(json.loads(tasks.get()))
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _listen(tasks: queue.SimpleQueue) -> None:
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)  # the parent has gone, or needs no more


if __name__ == "__main__":
    main()
