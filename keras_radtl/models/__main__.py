"""List the backbones: sizes, parameters, weight sets with their scaling, and layer groups of every counting."""

from __future__ import annotations

import argparse
import os
import sys

from keras_radtl.config import HeadConfig, ModelConfig, UserError
from keras_radtl.models.backbones.table import BACKBONES, BackboneSpec, get_backbone

FACTS = ("backbone", "parameters", "features", "image size", "at least", "weights (scaling)", "Grad-CAM layers")
GROUPS = ("backbone", "counting", "group", "layers", "parameters")


def backbone_rows(spec: BackboneSpec) -> tuple[tuple, list[tuple]]:
    """Return the facts of one backbone and its layer groups.

    Builds the model with random weights at the smallest image size.

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


def main(argv=None) -> int:
    """Run the command; returns the exit code: 0, or 2 for an unknown backbone."""
    parser = argparse.ArgumentParser(prog="python -m keras_radtl.models", description=__doc__)
    parser.add_argument("backbones", nargs="*", help="names of backbones (default: all)")
    try:
        specs = [get_backbone(name) for name in parser.parse_args(argv).backbones] or list(BACKBONES.values())
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = [backbone_rows(spec) for spec in specs]
    print(_table(FACTS, [facts for facts, _ in found]), end="\n\n")
    print(_table(GROUPS, [row for _, groups in found for row in groups]))
    return 0


def _table(header: tuple[str, ...], rows: list[tuple]) -> str:
    """Return rows as a text table, numbers on the right."""
    from keras_radtl.reports.text_table import text_table

    numbers = [column for column, value in enumerate(rows[0]) if isinstance(value, int)]
    cells = [[f"{value:,}" if isinstance(value, int) else value for value in row] for row in rows]
    return text_table([header, *cells], right=numbers)


if __name__ == "__main__":
    raise SystemExit(main())
