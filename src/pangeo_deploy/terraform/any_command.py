"""Any other Terraform command, in the deployment's own workspace."""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from pangeo_core.errors import BadInput
from pangeo_core.progress import Progress, silent
from pangeo_deploy.deployment import Deployment
from pangeo_deploy.terraform.engine import killed
from pangeo_deploy.terraform.workspace import open_workspace

# What has a verb of its own, which looks before it leaps.
OWN_VERBS = ("apply", "destroy")
WITH_VARIABLES = ("console", "import", "plan", "refresh")


@contextmanager
def command(
    deployment: Deployment, arguments: Sequence[str], progress: Progress = silent
) -> Iterator[Callable[[], int]]:
    """Open the workspace, and give what runs `arguments` there and returns Terraform's exit code.

    Terraform has this process' terminal, and the environment's variables where a command takes
    them. A copy of the state is kept before and after. Raises `BadInput` for `apply` and `destroy`.
    """
    name = next((word for word in arguments if not word.startswith("-")), "")
    if name in OWN_VERBS:
        raise BadInput(
            f"`terraform {name}` is the verb of its own: it would skip what is checked there.",
            fix=f"pangeo-deploy {name} {deployment.environment} --target {deployment.target}",
        )
    with open_workspace(deployment, progress) as workspace:
        file = shlex.quote(f"-var-file={workspace.variables}")
        variables = {f"TF_CLI_ARGS_{command}": file for command in WITH_VARIABLES}
        environment = {**workspace.terraform.environment, **variables}
        terraform = replace(workspace.terraform, environment=environment)

        def call() -> int:
            with workspace.changing():
                code = terraform.call(*arguments)
                if code < 0:
                    raise killed(name, code)
            return code

        yield call
