"""Pictures side by side."""

from __future__ import annotations


def plot_images(figure, images, titles, columns: int = 8):
    """Draw uint8 images (h, w), (h, w, 1) or (h, w, 3) in a grid, each with its title.

    Args:
        figure: matplotlib figure.
        images: sequence of images.
        titles: as many texts.
        columns: images in a row.
    Returns:
        List of axes.
    """
    rows, drawn = -(-len(images) // columns), []
    for number, (image, title) in enumerate(zip(images, titles, strict=True)):
        axes = figure.add_subplot(rows, columns, number + 1)
        grey = image.ndim == 2 or image.shape[-1] == 1
        axes.imshow(image.reshape(image.shape[:2]) if grey else image, cmap="gray" if grey else None, vmin=0, vmax=255)
        axes.set_title(title, fontsize=7)
        axes.axis("off")
        drawn.append(axes)
    return drawn
