"""One style, light and dark.

The two palettes hold the same hues in the same order, after Okabe and Ito's colour-blind-safe set
(Color Universal Design, 2008), made darker for a white page and lighter for a dark one until each
colour reaches a contrast of 3:1 against its page (WCAG 2.1, 1.4.11); a test computes it.
"""

from typing import Any

import matplotlib
from cycler import cycler

LIGHT_PAGE, DARK_PAGE = "#ffffff", "#14181e"
LIGHT_INK, DARK_INK = "#24292f", "#ced6dd"
# blue, vermilion, green, purple, ochre, sky, brown-red, grey
LIGHT = ("#0072b2", "#d55e00", "#007a5a", "#a8457f", "#8a6d00", "#3c8dc4", "#8c2d19", "#6b6b6b")
DARK = ("#4fa8e0", "#f08a3c", "#2fc49a", "#e08cbc", "#e3c33a", "#9ad4f5", "#d97762", "#a8a8a8")


def rc(dark: bool, salt: str) -> Any:
    """Return matplotlib's settings for one variant; `salt` makes its SVG's ids repeatable."""
    page, ink, colours = (DARK_PAGE, DARK_INK, DARK) if dark else (LIGHT_PAGE, LIGHT_INK, LIGHT)
    defaults: Any = matplotlib.rcParamsDefault  # a reader's own settings must not leak in
    return {
        **defaults,
        "axes.axisbelow": True,
        "axes.edgecolor": ink,
        "axes.facecolor": page,
        "axes.grid": True,
        "axes.grid.axis": "y",
        "axes.labelcolor": ink,
        "axes.prop_cycle": cycler(color=colours),
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "figure.constrained_layout.use": True,
        "figure.facecolor": page,
        "font.family": "DejaVu Sans",  # the font that comes with matplotlib
        "font.size": 10,
        "grid.alpha": 0.25,
        "grid.color": ink,
        "legend.frameon": False,
        "patch.edgecolor": page,
        "savefig.facecolor": page,
        "svg.fonttype": "path",
        "svg.hashsalt": salt,
        "text.color": ink,
        "xtick.color": ink,
        "ytick.color": ink,
    }
