"""The part of the verb `delivery` that speaks on a pull request, and hears what is said there."""

from pathlib import Path
from typing import Annotated

import typer

from pangeo_deploy.cli.console import show
from pangeo_deploy.cli.delivery.jobs import NeedsOption, RunOption, jobs
from pangeo_deploy.cli.delivery.reviews import ReviewsArgument, read_reviews
from pangeo_deploy.cli.options import within

PullRequestOption = Annotated[
    int, typer.Option(callback=within(1, 10**9), help="The pull request's number.")
]


def comment(
    reviews: ReviewsArgument,
    run: RunOption = "",
    preview: Annotated[str, typer.Option(help="The address of the book with the change.")] = "",
    needs: NeedsOption = "{}",
) -> None:
    """Print what plans do as Markdown: what is destroyed first, then cost and findings."""
    from pangeo_deploy.delivery.pull_request_comment import comment as write

    results = {name: str(each.get("result", "")) for name, each in jobs(needs).items()}
    typer.echo(write(read_reviews(reviews), run=run, preview=preview, results=results), nl=False)


def say(
    file: Annotated[Path, typer.Argument(help="The comment that `delivery comment` printed.")],
    pull_request: PullRequestOption,
) -> None:
    """Write the comment on the pull request, over the one from the last time."""
    from pangeo_deploy.delivery import github
    from pangeo_deploy.delivery.pull_request_comment import MARKER

    url = github.say(github.from_environment(), pull_request, MARKER, file.read_text())
    show({"url": url}, False, [url])


def command(
    comment: Annotated[str, typer.Argument(help="The comment; its first word is the command.")],
    pull_request: PullRequestOption,
    login: Annotated[str, typer.Option(help="Who wrote the comment.")],
) -> None:
    """Do what a comment on a pull request asks for (/plan, /apply), and answer there."""
    from pangeo_deploy.delivery import github, pull_request_commands

    repository = github.from_environment()
    answer = pull_request_commands.carry_out(repository, pull_request, login, comment)
    if answer:
        repository.ask("POST", f"issues/{pull_request}/comments", json={"body": answer})
    show({}, False, [answer or "No command."])
