"""Where a result comes from: the label that travels with every figure, number and table."""

from enum import StrEnum

from pangeo_deploy.errors import BadInput


class Origin(StrEnum):
    """How a result came to be; shown beside it wherever it appears."""

    MEASURED = "measured"  # we ran it, here
    PUBLISHED = "published"  # someone else's, cited
    MODELLED = "modelled"  # computed from a price list or a simulation
    SAMPLE = "sample"  # made-up input

    @classmethod
    def of(cls, label: str) -> "Origin":
        """Return the origin named `label`, or say which ones there are."""
        try:
            return cls(label)
        except ValueError:
            raise BadInput(
                f"There is no origin {label!r}.", fix=f"Use one of: {', '.join(cls)}."
            ) from None
