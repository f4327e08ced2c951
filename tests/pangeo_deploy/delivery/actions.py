"""The actions that the workflows use, played small: what they do here and on this GitHub."""

import fnmatch
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.pangeo_deploy.delivery.results import Assumed


class Refused(Exception):
    """The action fails, and with it its step."""


With = Mapping[str, Any]


def checkout(job: Any, given: With) -> None:
    assert given.get("persist-credentials") is False, "a checkout that keeps the token on disk"
    if job.runner.dry:
        return
    place = job.runner.workspace / given.get("path", "")
    commit = given.get("ref") or job.run.event.sha
    if (place / ".git").exists():
        assert given.get("clean") is False, "this would clean away what was installed"
        subprocess.run(["git", "-C", str(place), "checkout", "--quiet", commit], check=True)
        return
    words = ["clone", "--quiet", "--shared", "--no-checkout", str(job.runner.origin), str(place)]
    subprocess.run(["git", *words], check=True, capture_output=True)
    subprocess.run(["git", "-C", str(place), "checkout", "--quiet", "--detach", commit], check=True)


def setup_python(job: Any, given: With) -> None:
    assert given["python-version"] == "3.11", given


def upload(job: Any, given: With) -> dict[str, str]:
    source = job.runner.workspace / given["path"]
    target = artifact(job, job.run.id, given["name"])
    if not source.exists() or (source.is_dir() and not any(source.iterdir())):
        if given.get("if-no-files-found") == "error" and not job.runner.dry:
            raise Refused(f"No files were found at {given['path']}")
        return {}
    if target.exists():
        if not given.get("overwrite"):
            raise Refused(f"an artifact with this name already exists: {given['name']}")
        shutil.rmtree(target)
    if source.is_dir():  # hidden files are left out
        shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*"))
    else:
        target.mkdir(parents=True)
        shutil.copy(source, target)
    for file in target.rglob("*"):
        file.chmod(0o755 if file.is_dir() else 0o644)  # an artifact forgets modes
    return {"artifact-url": f"https://github.test/runs/{job.run.id}/artifacts/{given['name']}"}


def download(job: Any, given: With) -> None:
    run = int(given.get("run-id") or job.run.id)
    place = job.runner.workspace / given.get("path", "")
    if run != job.run.id and not job.runner.github.may(given["github-token"], "actions", "read"):
        raise Refused("Resource not accessible by integration")
    if name := given.get("name"):
        if not artifact(job, run, name).exists():
            if job.runner.dry:
                return
            raise Refused(f"Artifact not found for name: {name}")
        shutil.copytree(artifact(job, run, name), place, dirs_exist_ok=True)
        return
    folders = sorted(artifact(job, run, "").glob("*"))
    fitting = [each for each in folders if fnmatch.fnmatch(each.name, given["pattern"])]
    flat = given.get("merge-multiple") or len(fitting) == 1  # one alone goes straight into path
    for each in fitting:
        shutil.copytree(each, place if flat else place / each.name, dirs_exist_ok=True)


def artifact(job: Any, run: int, name: str) -> Path:
    return Path(job.runner.github.folder / "artifacts" / str(run) / name)


def restore(job: Any, given: With) -> None:
    """Take the newest that fits; a pull request sees its own caches and main's."""
    scopes = (job.run.event.ref, "refs/heads/main")
    wanted = str(given.get("restore-keys", "")).split()
    for key, scope, content in reversed(job.runner.github.caches):
        fits = key == given["key"] or any(key.startswith(one) for one in wanted)
        if fits and scope in scopes:
            place = expanded(job, given["path"])
            shutil.copytree(content, place, symlinks=True, dirs_exist_ok=True)
            return


def save(job: Any, given: With) -> None:
    github = job.runner.github
    source = expanded(job, given["path"])
    if any(key == given["key"] for key, _, _ in github.caches) or not source.exists():
        return
    content = github.folder / "caches" / str(len(github.caches))
    shutil.copytree(source, content, symlinks=True)
    github.caches.append((given["key"], job.run.event.ref, content))


def expanded(job: Any, path: str) -> Path:
    home = str(job.runner.home)
    return Path(path.replace("~", home, 1)) if path.startswith("~") else job.runner.workspace / path


def credentials(job: Any, given: With) -> None:
    """Trade GitHub's word on who the job is for a role, if the role's policy accepts it."""
    role = given["role-to-assume"].split(":role/")[1]
    claims = claims_of(job)
    ok = job.permissions.get("id-token") == "write" and bool(job.runner.trust(role, claims))
    job.runner.assumed.append(Assumed(job.run.name, job.done.id, role, claims["sub"], ok))
    if not ok:
        raise Refused("Not authorized to perform sts:AssumeRoleWithWebIdentity")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    regions = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), given["aws-region"])
    job.environment |= dict.fromkeys(names, "for-an-hour") | regions


def claims_of(job: Any) -> dict[str, str]:
    """Return what the token that GitHub gives a job says of it, as far as AWS compares it.

    https://docs.github.com/en/actions/reference/security/oidc
    """
    event, place, repository = job.run.event, job.done.environment, job.runner.github.repository
    if place:
        what = f"environment:{place}"
    elif event.name == "pull_request":
        what = "pull_request"
    else:
        what = f"ref:{event.ref}"
    claims = {
        "aud": "sts.amazonaws.com",
        "sub": f"repo:{repository}:{what}",
        "ref": event.ref,
        "repository": repository,
        "repository_id": "22",
        "job_workflow_ref": f"{repository}/.github/workflows/{job.run.name}@{event.ref}",
    }
    return claims | ({"environment": place} if place else {})


def upload_pages(job: Any, given: With) -> None:
    upload(job, {"name": "github-pages", "path": given["path"]})


def deploy_pages(job: Any, given: With) -> dict[str, str]:
    needed = {"pages": "write", "id-token": "write"}
    assert needed.items() <= job.permissions.items(), job.permissions
    assert job.done.environment == "github-pages"
    if not job.runner.dry:
        pages = job.runner.github.folder / "pages"
        shutil.rmtree(pages, ignore_errors=True)
        shutil.copytree(artifact(job, job.run.id, "github-pages"), pages)
    return {"page_url": "https://pages.test/"}


PLAYED: Mapping[str, Callable[[Any, With], Any]] = {
    "actions/checkout": checkout,
    "actions/setup-python": setup_python,
    "actions/upload-artifact": upload,
    "actions/download-artifact": download,
    "actions/cache/restore": restore,
    "actions/cache/save": save,
    "aws-actions/configure-aws-credentials": credentials,
    "actions/upload-pages-artifact": upload_pages,
    "actions/deploy-pages": deploy_pages,
}

# The inputs that each action has at the pinned commit, of those that a workflow may want: the names
# under `inputs` in its action.yml.
_CACHE = {"path", "key", "enableCrossOsArchive"}
INPUTS: Mapping[str, set[str]] = {
    "actions/checkout": {
        "repository", "ref", "token", "persist-credentials", "path", "clean", "filter",
        "sparse-checkout", "fetch-depth", "fetch-tags", "show-progress", "lfs", "submodules",
    },
    "actions/setup-python": {
        "python-version", "python-version-file", "cache", "architecture", "check-latest", "token",
        "cache-dependency-path", "update-environment", "allow-prereleases", "freethreaded",
    },
    "actions/upload-artifact": {
        "name", "path", "if-no-files-found", "retention-days", "compression-level", "overwrite",
        "include-hidden-files", "archive",
    },
    "actions/download-artifact": {
        "name", "artifact-ids", "path", "pattern", "merge-multiple", "github-token", "repository",
        "run-id",
    },
    "actions/cache/restore": {*_CACHE, "restore-keys", "fail-on-cache-miss", "lookup-only"},
    "actions/cache/save": {*_CACHE, "upload-chunk-size"},
    "aws-actions/configure-aws-credentials": {
        "aws-region", "role-to-assume", "role-duration-seconds", "role-session-name", "audience",
        "mask-aws-account-id", "allowed-account-ids", "output-credentials", "inline-session-policy",
    },
    "actions/upload-pages-artifact": {"name", "path", "retention-days", "include-hidden-files"},
    "actions/deploy-pages": {
        "token", "timeout", "error_count", "reporting_interval", "artifact_name", "preview",
    },
}  # fmt: skip
