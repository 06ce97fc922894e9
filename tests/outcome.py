"""What must be equal between two runs that must be equal: history, weights, predictions and metrics, bit for bit."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py


def weights(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every array in the run's model."""
    found = {}
    with (
        zipfile.ZipFile(folder / "model.keras") as archive,
        h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file,
    ):
        file.visititems(
            lambda name, item: found.update({name: item[()].tobytes()}) if isinstance(item, h5py.Dataset) else None
        )
    return found


def outcome(folder: Path) -> dict:
    """Return the text of all tables of a run and its folds, and the weights of its models."""
    tables = {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*.csv"))}
    tables |= {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("metrics.json"))}
    return tables | {
        str(file.parent.relative_to(folder)): weights(file.parent) for file in sorted(folder.rglob("model.keras"))
    }
