"""List the backbones with their sizes, pretrained weights, pixel scaling and layer groups."""

from __future__ import annotations

from collections.abc import Sequence

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config import HeadConfig, ModelConfig
from keras_radtl.models.backbones.spec import BackboneSpec
from keras_radtl.models.backbones.table import BACKBONES, get_backbone

BACKBONE_COLUMNS = (
    "backbone", "parameters", "features", "image size", "minimum size", "weights (scaling)", "Grad-CAM layers",
)  # fmt: skip
GROUP_COLUMNS = ("backbone", "counting", "group", "layers", "parameters")


def backbone_rows(spec: BackboneSpec) -> tuple[tuple, list[tuple]]:
    """Return the table rows of one backbone, from a model with random weights at the minimum image size.

    Args:
        spec: The backbone.

    Returns:
        The row under `BACKBONE_COLUMNS`, and one row under `GROUP_COLUMNS` for each layer group of each counting.
    """
    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.models.groups import layer_groups

    size = spec.minimum_size
    config = ModelConfig(backbone=spec.name, weights="none", head=HeadConfig("linear"))
    model = build_classifier(config, 2, (size, size, 3), seed=0)
    groups = [(counting, group) for counting in spec.countings for group in layer_groups(model, counting)]
    parameters = sum(group.parameters for counting, group in groups if counting == "stages")
    weights = ", ".join(["none", *(f"{weights} ({scaling})" for weights, scaling in spec.scalings.items())])
    checkpoints = ", PyTorch checkpoint" if spec.torch_build else ""
    row = (
        spec.display_name,
        parameters,
        spec.features,
        spec.image_size,
        spec.minimum_size,
        weights + checkpoints,
        ", ".join(spec.gradcam_layers),
    )
    return row, [(spec.display_name, c, g.name, len(g.layers), g.parameters) for c, g in groups]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code: 0, or 2 for an unknown backbone."""
    return run_command(_run, argv)


def _run(argv: Sequence[str] | None) -> None:
    parser = make_parser("models", "List the backbones with their sizes, weights, pixel scaling and layer groups.")
    parser.add_argument("backbones", metavar="BACKBONE", nargs="*", help="backbones to list (default: all)")
    specs = [get_backbone(name) for name in parser.parse_args(argv).backbones] or list(BACKBONES.values())
    found = [backbone_rows(spec) for spec in specs]
    print(_table(BACKBONE_COLUMNS, [row for row, _ in found]), end="\n\n")
    print(_table(GROUP_COLUMNS, [row for _, groups in found for row in groups]))


def _table(header: tuple[str, ...], rows: list[tuple]) -> str:
    """Return a text table with right-aligned numbers."""
    from keras_radtl.reports.text_table import text_table

    numbers = [column for column, value in enumerate(rows[0]) if isinstance(value, int)]
    cells = [[f"{value:,}" if isinstance(value, int) else value for value in row] for row in rows]
    return text_table([header, *cells], right=numbers)


if __name__ == "__main__":
    raise SystemExit(main())
