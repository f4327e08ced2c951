"""The one exception family: what happened, why, and what to do."""

from typing import Any

__all__ = ["BadInput", "CheckFailed", "PangeoDeployError"]


class PangeoDeployError(Exception):
    """Something the user can act on.

    `what` is one sentence on what went wrong and where, `why` the cause as far as it is known,
    `fix` the way out. `exit_code` is what the command line ends with.
    """

    exit_code = 2

    def __init__(self, what: str, *, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.why, self.fix = what, why, fix

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.why, self.fix) if part)

    def as_dict(self) -> dict[str, Any]:
        """Return the error as the JSON that `--json` prints."""
        return {"what": self.what, "why": self.why, "fix": self.fix}


class BadInput(PangeoDeployError):
    """A value, file or option is wrong."""


class MissingPrerequisite(PangeoDeployError):
    """A tool, file or credential that the command needs is not there."""


class Interrupted(PangeoDeployError):
    """The work was stopped half-way and can be resumed as `fix` says."""


class TerraformFailed(PangeoDeployError):
    """Terraform refused or failed; `why` holds its own diagnostics."""


class NotebookFailed(PangeoDeployError):
    """A notebook raised; `why` holds the failing cell and its traceback."""


class CheckFailed(PangeoDeployError):
    """A check said no: drift, leftovers, over budget. Nothing is broken but the answer is no."""

    exit_code = 3
