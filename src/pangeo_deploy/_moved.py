"""Tell whoever imports a module from where it was before 0.2 where it is now."""

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

MOVED = {
    "bench": "dask_bench",
    "cost": "hub_costs (bills, allocation, estimates, budgeting)",
    "errors": "pangeo_core.errors",
    "figures": "proof_book.figures",
    "files": "pangeo_core.files",
    "hub": "hub_user; how to open a deployment's hub is in pangeo_deploy.targets",
    "lifeline": "pangeo_core.lifeline",
    "machines": "hub_costs.machines",
    "origin": "pangeo_core.origin",
    "progress": "pangeo_core.progress",
    "publish": "proof_book",
    "rehearsal": "emulated_aws (the account) and local_hub (the hub)",
    "usage": "hub_costs.usage",
    "whatif": "hub_costs.whatif",
}


def explain(name: str) -> str:
    """Return where `pangeo_deploy.NAME` is now, nothing if it never was a module of ours."""
    place = MOVED.get(name)
    return f"pangeo_deploy.{name} moved in version 0.2: use {place}" if place else ""


class _Finder:  # importlib.abc, whose protocol it follows, takes a tenth of a command's start
    """Asked last, when no module of that name was found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, rest = fullname.partition(".")
        if package == "pangeo_deploy" and (why := explain(rest.split(".")[0])):
            raise ImportError(why, name=fullname)
        return None


sys.meta_path.append(_Finder())
