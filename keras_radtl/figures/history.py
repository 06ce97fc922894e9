"""Training history by epoch."""

from __future__ import annotations

from keras_radtl.figures.labels import label_text


def plot_history(axes, history: list[dict], columns, ylabel: str):
    """Draw columns of a training history over the epochs.

    Vertical lines mark the start of each phase after the first and the epoch with the highest validation AUC.

    Args:
        axes: Matplotlib axes.
        history: One dict per epoch with the keys `epoch`, `phase`, `val_auc` and those in `columns`.
        columns: Names of the columns. Those that start with `val_` are drawn as solid lines, the others dashed.
        ylabel: What the columns measure.

    Returns:
        The axes.
    """
    epochs = [row["epoch"] for row in history]
    for name in columns:
        style = "-" if name.startswith("val_") else "--"
        axes.plot(epochs, [row[name] for row in history], style, marker=".", label=name)
    for before, after in zip(history, history[1:]):
        if before["phase"] != after["phase"]:
            axes.axvline(before["epoch"] + 0.5, color="grey", linewidth=0.8)
            axes.annotate(
                after["phase"],
                (before["epoch"] + 0.6, 0.02),
                xycoords=("data", "axes fraction"),
                fontsize=7,
                color="grey",
            )
    best = max(history, key=lambda row: (row["val_auc"], -row["epoch"]))
    axes.axvline(best["epoch"], color="tab:green", linewidth=0.8, linestyle=":", label=f"best epoch {best['epoch']}")
    axes.set(xlabel="epoch", ylabel=label_text(ylabel, 80))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=8)
    return axes
