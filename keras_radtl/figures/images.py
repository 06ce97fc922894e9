"""Grids of images."""

from __future__ import annotations

from keras_radtl.figures.labels import label_text


def plot_images(figure, images, titles, columns: int = 8):
    """Draw images in a grid, each with a title.

    Args:
        figure: Matplotlib figure; one axes is added for each image.
        images: Sequence of n uint8 arrays of shape (height, width), (height, width, 1) or (height, width, 3).
        titles: Sequence of n titles.
        columns: Images per row.

    Returns:
        List of n axes.
    """
    rows, drawn = -(-len(images) // columns), []
    for number, (image, title) in enumerate(zip(images, titles, strict=True)):
        axes = figure.add_subplot(rows, columns, number + 1)
        grey = image.ndim == 2 or image.shape[-1] == 1
        axes.imshow(image.reshape(image.shape[:2]) if grey else image, cmap="gray" if grey else None, vmin=0, vmax=255)
        axes.set_title(label_text(title), fontsize=7)
        axes.axis("off")
        drawn.append(axes)
    return drawn
