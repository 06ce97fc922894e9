"""Write optimizers_torch.json: ten steps of PyTorch's optimizers in float64, generated with torch 2.13.0.

python -m venv TORCH && TORCH/bin/pip install torch==2.13.0 && TORCH/bin/python tests/reference/optimizers_torch.py
"""

import json
from pathlib import Path

import torch

CASES = {
    "adam": (torch.optim.Adam, {"eps": 1e-8}),
    "adam_coupled": (torch.optim.Adam, {"eps": 1e-8, "weight_decay": 0.3}),
    "adamw": (torch.optim.AdamW, {"eps": 1e-8, "weight_decay": 0.3}),
    "radam": (torch.optim.RAdam, {"eps": 1e-8}),
    "radam_coupled": (torch.optim.RAdam, {"eps": 1e-8, "weight_decay": 0.3}),
    "radam_decoupled": (torch.optim.RAdam, {"eps": 1e-8, "weight_decay": 0.3, "decoupled_weight_decay": True}),
    "sgd": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "sgd_coupled": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.3}),
    "sgd_plain": (torch.optim.SGD, {}),
}
RATE, STEPS = 0.05, 10

torch.manual_seed(0)
start = {"kernel": torch.randn(3, 2, dtype=torch.float64), "bias": torch.randn(2, dtype=torch.float64)}
gradients = [{name: torch.randn_like(value) * 0.7**step for name, value in start.items()} for step in range(STEPS)]


def run(kind, options):
    """Return the parameters after each step."""
    parameters = {name: torch.nn.Parameter(value.clone()) for name, value in start.items()}
    optimizer, path = kind(parameters.values(), lr=RATE, **options), []
    for gradient in gradients:
        for name, parameter in parameters.items():
            parameter.grad = gradient[name].clone()
        optimizer.step()
        path.append({name: parameter.detach().tolist() for name, parameter in parameters.items()})
    return path


found = {
    "torch": torch.__version__,
    "rate": RATE,
    "start": {name: value.tolist() for name, value in start.items()},
    "gradients": [{name: value.tolist() for name, value in gradient.items()} for gradient in gradients],
    "steps": {name: run(*case) for name, case in CASES.items()},
}
Path(__file__).with_suffix(".json").write_text(json.dumps(found) + "\n", encoding="utf-8")
