"""Figures, numbers and tables as results that a notebook displays and the book reads.

A cell ends with `figure(...)`, `number(...)` or `table(...)`, mostly those of `declared(file)`, for
which captions, origins and sources stand in a file beside the notebook. The object displays itself
under the mime type `RESULT`, which holds all the book needs: both variants of a figure, its alt
text and data, and where it comes from. Beside it stands an ordinary fallback for Jupyter.
"""

from pangeo_core.origin import RESULT
from proof_book.figures.declare import declared
from proof_book.figures.draw import figure
from proof_book.figures.result_objects import number, table

__all__ = ["RESULT", "declared", "figure", "number", "table"]
