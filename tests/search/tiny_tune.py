"""The command `tune` with the backbone `tiny`: `python tests/search/tiny_tune.py OPTIONS...`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tiny_backbone import register

from keras_radtl.search import trial_process

if __name__ == "__main__":
    register()
    if sys.argv[1] == "worker":
        from keras_radtl.search.trial_worker import main

        sys.exit(main(sys.argv[2:]))
    from keras_radtl.tune import main

    trial_process.WORKER = (__file__, "worker")
    sys.exit(main(sys.argv[1:]))
