"""A chart as a plain output: a picture with its description. It needs no kernel, script or network.

The last line of a cell may be the `Axes` that a `plot_*` function returns: axes of this module show themselves
as `<figure>` HTML. They are not registered with pyplot, so nothing is drawn twice or kept in memory.
"""

from __future__ import annotations

import io
import warnings
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ci_notebook.model.html import picture_html

DPI: Final = 144  # twice the displayed resolution, for dense screens


class ChartAxes(Axes):
    """Axes with a description in one sentence, which show themselves in a notebook."""

    description: str = ""

    def __repr__(self) -> str:
        return f"<Chart: {self.description}>"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        figure = self.get_figure(root=True)
        assert figure is not None  # noqa: S101 - `new_axes` made them with a figure
        return figure_html(figure, self.description)


def new_axes(*, width_in: float = 6.8, height_in: float = 4.2) -> ChartAxes:
    """Return empty axes on a new figure, sizes in inches."""
    figure = Figure(figsize=(width_in, height_in), layout="constrained")
    axes = figure.add_subplot(axes_class=ChartAxes)
    assert isinstance(axes, ChartAxes)  # noqa: S101 - by axes_class
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def figure_html(figure: Figure, description: str) -> str:
    """Return `<figure>` HTML with the picture in it and its description as caption and alternative text.

    The same drawing gives the same text: no date and no version is written into the picture.
    """
    return picture_html(png(figure), "png", description, width_px=round(figure.get_figwidth() * 96))


def png(figure: Figure) -> bytes:
    """Return a figure as PNG."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # No installed font has a character of a name: it is drawn as a box, and the description has the name.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        # With a colour bar the layout needs up to three drawings to become stable.
        for _ in range(3 if len(figure.axes) > 1 else 0):
            figure.draw_without_rendering()
        figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()
