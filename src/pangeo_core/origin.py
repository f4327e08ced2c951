"""How results travel from a notebook to a page: their mime type, and the label of their origin."""

from enum import StrEnum

from pangeo_core.errors import BadInput

RESULT = "application/vnd.pangeo-deploy.result+json"


class Origin(StrEnum):
    """How a result came to be; shown beside it wherever it appears."""

    MEASURED = "measured"  # we ran it, here
    PUBLISHED = "published"  # someone else's, cited
    DERIVED = "derived"  # computed by us from measured or published data
    MODELLED = "modelled"  # computed from a price list or a simulation
    SAMPLE = "sample"  # made-up input

    @property
    def meaning(self) -> str:
        """What the label says of a result, for readers."""
        return _MEANINGS[self]

    @classmethod
    def of(cls, label: str) -> "Origin":
        """Return the origin named `label`, or say which ones there are."""
        try:
            return cls(label)
        except ValueError:
            raise BadInput(
                f"There is no origin {label!r}.", fix=f"Use one of: {', '.join(cls)}."
            ) from None


_MEANINGS = {
    Origin.MEASURED: "We ran it, on the machine that the sources name.",
    Origin.PUBLISHED: "Someone else's figures, cited.",
    Origin.DERIVED: "Computed by us from what was measured or published.",
    Origin.MODELLED: "Computed from a price list or a simulation, not observed.",
    Origin.SAMPLE: "Made-up input, to show how it works.",
}
