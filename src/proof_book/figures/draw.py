"""Draw one figure twice, for a light and for a dark page."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from pangeo_core.errors import BadInput
from proof_book.figures import style
from proof_book.figures.result_objects import Figure, csv, label, sentence

# Nothing about the machine or the moment goes into the file.
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def figure(
    draw: Callable[[Any], object],
    *,
    name: str,
    caption: str,
    alt: str,
    origin: str,
    sources: Sequence[str],
    data: pd.DataFrame | str,
    size: tuple[float, float] = (7.0, 4.0),
    panels: tuple[int, int] = (1, 1),
) -> Figure:
    """Return what `draw(axes)` draws, once in the light and once in the dark style.

    `draw` gets one matplotlib `Axes` (an array of them where `panels`, rows by columns, says so)
    and takes its colours from the cycle ("C0" ...), so that they suit both pages. `alt` says in
    words what the figure shows, `data` holds the numbers behind it, `size` is in inches.
    """
    head = label(name, origin, sources)
    sentence(caption, f"The caption of figure {name!r}")
    sentence(alt, f"The alt text of figure {name!r}")
    if alt.strip() == caption.strip():
        raise BadInput(
            f"Figure {name!r} has its caption as alt text.",
            fix="Let the alt text say what one sees: the shape, the largest and the smallest.",
        )
    light, dark = (_svg(draw, name, is_dark, size, panels) for is_dark in (False, True))
    return Figure(*head, caption=caption, alt=alt, data=csv(data), light=light, dark=dark)


def _svg(
    draw: Callable[[Any], object],
    name: str,
    dark: bool,
    size: tuple[float, float],
    panels: tuple[int, int],
) -> str:
    salt = f"{name}-{'dark' if dark else 'light'}"
    with mpl.rc_context(style.rc(dark, salt)):
        canvas = Canvas(figsize=size)
        FigureCanvasSVG(canvas)
        draw(canvas.subplots(*panels))
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", metadata=_NO_METADATA)
    return buffer.getvalue()
