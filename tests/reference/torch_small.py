"""Write small PyTorch checkpoints with all data types and memory layouts that the checkpoint reader supports.

Requires torch 2.13:

    python tests/reference/torch_small.py

The script writes `torch_small.pt` (ZIP archive), `torch_small_old.pt` (legacy format) and `torch_small.npz` (values).
"""

from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

HERE = Path(__file__).parent


def main():
    generator = torch.Generator().manual_seed(7)
    base = torch.randn(6, 5, generator=generator)
    state = OrderedDict(
        float64=base.double(),
        float32=base,
        float16=base.half(),
        bfloat16=base.bfloat16(),
        int64=torch.arange(-3, 4),
        int32=torch.arange(5, dtype=torch.int32),
        int16=torch.arange(5, dtype=torch.int16),
        int8=torch.arange(-2, 3, dtype=torch.int8),
        uint8=torch.arange(250, 256, dtype=torch.uint8),
        bool=base[0] > 0,
        transposed=base.t(),
        slice=base[2:5, 1::2],
        expanded=base[:1].expand(4, 5),
        scalar=torch.tensor(2.5),
        empty=torch.zeros(0, 3),
        parameter=torch.nn.Parameter(base * 2),
    )
    layer = torch.nn.BatchNorm2d(3).state_dict()  # a state_dict with `_metadata`
    state.update({f"layer.{name}": value for name, value in layer.items()})
    state._metadata = layer._metadata
    checkpoint = {"epoch": 5, "best": 0.75, "names": ["a", ("b", None, True)], "state_dict": state}
    torch.save(checkpoint, HERE / "torch_small.pt")
    torch.save(checkpoint, HERE / "torch_small_old.pt", _use_new_zipfile_serialization=False)
    np.savez_compressed(
        HERE / "torch_small.npz", **{name: value.detach().float().numpy() for name, value in state.items()}
    )


if __name__ == "__main__":
    main()
