"""Transfer learning on medical images: which backbone, weights, head, unfreezing and strategy work on your data.

Data flow one way, and the parts stand in that order:

    images -> case table -> split -> input pipeline -> classifier (preprocessing + backbone + head)
           -> layer groups -> strategy (phases) -> run directory -> predictions
           -> metrics, tests, comparison -> figures

`data` holds the first four, `models` and `strategies` the next, `runs` trains and keeps, `metrics` and `stats` judge,
`figures` draw. The modules beside this one are the commands; `python -m keras_radtl` lists them. Importing the
package loads nothing heavy. It only asks TensorFlow, unless TF_ENABLE_ONEDNN_OPTS says otherwise, for the kernels of
oneDNN, which train convolutions faster on the processors for which TensorFlow leaves them off.
"""

import os
import sys

if "tensorflow" not in sys.modules:  # which reads it once, when it is imported
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"
