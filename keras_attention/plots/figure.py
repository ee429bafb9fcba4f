"""A picture to draw on, which no window and no global state knows of; and its file."""

import pathlib

from keras_attention.files.replaced_file import replaced_file


def new_figure(owner, width, height):
    """An empty figure of matplotlib, outside of pyplot.

    Args:
        owner: Who draws, for the error message.
        width, height: Inches.

    Returns:
        `matplotlib.figure.Figure`. A notebook shows it, `savefig` writes it, and it is
        forgotten with its last name: pyplot would keep it, and choose a backend.

    Raises:
        ImportError: If matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError(
            f"{owner}: got no matplotlib, but it draws the picture. "
            f"Run: pip install 'keras-attention-transformer[plot]'"
        ) from error
    return Figure(figsize=(width, height), layout="constrained")


def save_figure(figure, path):
    """Write a figure; what was there before is replaced when the new one is whole.

    Args:
        figure: `matplotlib.figure.Figure`.
        path: Where it is to be; its ending says as what: .png, .svg, .pdf and others.

    Raises:
        ValueError: If matplotlib does not know the ending.
    """
    require_known_ending(path, figure.canvas.get_supported_filetypes())
    with replaced_file(path) as aside:
        figure.savefig(aside, dpi=150)


def require_known_ending(path, known):
    """Raise ValueError unless matplotlib can write such a file."""
    if pathlib.Path(path).suffix.lstrip(".").lower() not in known:
        raise ValueError(
            f"save_figure: got {path}, but its ending says as what the picture is to "
            f"be written, and can be .{', .'.join(sorted(known))}. Give one of these."
        )
