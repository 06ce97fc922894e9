"""Print the backbones as tables: sizes, parameters, weight sets with their scaling, and layer groups by every counting."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable

from keras_radtl.config import HeadConfig, ModelConfig, UserError
from keras_radtl.models.backbones.table import BACKBONES, BackboneSpec, get_backbone

FACTS = ("backbone", "parameters", "features", "image size", "at least", "weights (scaling)", "Grad-CAM layers")
GROUPS = ("backbone", "counting", "group", "layers", "parameters")


def backbone_rows(spec: BackboneSpec) -> tuple[tuple, list[tuple]]:
    """Return the row of facts of one backbone and the rows of its layer groups.

    The graph is built for this, with random weights, at the smallest image size.

    Args:
        spec: BackboneSpec.
    Returns:
        (values under `FACTS`, values under `GROUPS` for each group of each counting).
    """
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.groups import layer_groups

    size = spec.minimum_size
    config = ModelConfig(backbone=spec.name, weights="none", head=HeadConfig("linear"))
    model = build_classifier(config, 2, (size, size, 3), seed=0)
    groups = [(counting, group) for counting in spec.countings for group in layer_groups(model, counting)]
    parameters = sum(group.parameters for counting, group in groups if counting == "stages")
    weights = ", ".join(["none", *(f"{weights} ({scaling})" for weights, scaling in spec.scalings.items())])
    checkpoints = ", torch file" if spec.torch_build else ""
    facts = (
        spec.display_name,
        parameters,
        spec.features,
        spec.image_size,
        spec.minimum_size,
        weights + checkpoints,
        ", ".join(spec.gradcam_layers),
    )
    return facts, [(spec.display_name, c, g.name, len(g.layers), g.parameters) for c, g in groups]


def format_table(header: tuple[str, ...], rows: Iterable[tuple]) -> str:
    """Return rows as text with aligned columns, numbers to the right."""
    cells = [header, *([f"{v:,}" if isinstance(v, int) else v for v in row] for row in rows)]
    numbers = [isinstance(v, int) for v in next(iter(rows))]
    widths = [max(len(line[i]) for line in cells) for i in range(len(header))]
    lines = [
        [v.rjust(w) if number else v.ljust(w) for v, w, number in zip(line, widths, numbers, strict=True)]
        for line in cells
    ]
    return "\n".join("  ".join(line).rstrip() for line in lines)


def main(argv=None) -> int:
    """Run the command; see `--help`. Returns 2 for an unknown backbone."""
    parser = argparse.ArgumentParser(prog="python -m keras_radtl.models", description=__doc__)
    parser.add_argument("backbones", nargs="*", help="names; without any, all backbones")
    try:
        specs = [get_backbone(name) for name in parser.parse_args(argv).backbones] or list(BACKBONES.values())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = [backbone_rows(spec) for spec in specs]
    print(format_table(FACTS, [facts for facts, _ in found]), end="\n\n")
    print(format_table(GROUPS, [row for _, groups in found for row in groups]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
