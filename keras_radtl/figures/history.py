"""The course of a training over its epochs."""

from __future__ import annotations


def plot_history(axes, history: list[dict], columns, title: str):
    """Draw some columns of a history over the epochs, with phases divided and the best validation AUC marked.

    Args:
        axes: matplotlib axes.
        history: one dict an epoch with `epoch`, `phase` and numbers.
        columns: names to draw; those with `val_` are solid, the others dashed.
        title: of the axes.
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
    axes.set(title=title, xlabel="epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=8)
    return axes
