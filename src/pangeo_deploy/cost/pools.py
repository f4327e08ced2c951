"""What one more user or worker costs an hour, from the node pools in the Helm values."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from pangeo_deploy.cost.estimate import Hourly, Unpriced, per_hour
from pangeo_deploy.cost.prices import Prices
from pangeo_deploy.errors import BadInput

Values = Mapping[str, Any]


def hourly(
    project: Path, environment: str, prices: Prices, *, region: str = "us-west-2"
) -> tuple[tuple[Hourly, ...], tuple[Unpriced, ...]]:
    """Price each profile on each pool for users, and a Dask worker on each pool for workers.

    Pools are those of `helm/support`, profiles and workers those of `helm/pangeo`, both with the
    environment's values over them. What cannot be priced comes back with the reason, the whole of
    it where the checkout has no such values. Raises `BadInput` where a file is not YAML.
    """
    support, pangeo = (_values(project, environment, chart) for chart in ("support", "pangeo"))
    if not support or not pangeo:
        return (), (Unpriced("helm", "node pools", f"helm/ has no values for {environment}"),)
    found: list[Hourly] = []
    unpriced: list[Unpriced] = []
    for name, pool in (support.get("pools") or {}).items():
        for what, cores, gib in _servers(pool.get("purpose"), pangeo.get("pangeo") or {}):
            try:
                size = {"cpu_cores": Decimal(str(cores)), "memory_gib": Decimal(str(gib))}
                found.append(_on(pool, prices, what, region, size))
            except (BadInput, InvalidOperation) as error:
                unpriced.append(Unpriced(f"helm: pools.{name}", what, str(error).split("\n")[0]))
    return tuple(found), tuple(unpriced)


def _servers(purpose: Any, pangeo: Values) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, cores and GiB of what runs on a pool of this purpose."""
    if purpose == "user":
        for profile in pangeo.get("profiles") or ():
            gib = Decimal(str(profile.get("memory_guarantee_mib"))) / 1024
            yield f"user: {profile.get('slug')}", profile.get("cpu_guarantee"), gib
    elif purpose == "worker":
        dask = pangeo.get("dask") or {}
        yield "worker", dask.get("worker_cores"), dask.get("worker_memory_gib")


def _on(
    pool: Values, prices: Prices, what: str, region: str, size: Mapping[str, Decimal]
) -> Hourly:
    """Return what a server costs on a pool.

    Karpenter takes the cheapest shape on demand (its provider's allocation strategy lowest-price);
    of spot shapes it may take any, so the dearest is told.
    """
    spot = "spot" in (pool.get("capacity") or ())
    shapes = pool.get("shapes") or ()
    if not shapes:
        raise BadInput("The pool names no shapes.")
    capacity = "spot" if spot else "on-demand"
    priced = [
        per_hour(prices, what, node_type=node, capacity=capacity, region=region, **size)
        for node in shapes
    ]
    return (max if spot else min)(priced, key=lambda one: one.usd_per_hour)


def _values(project: Path, environment: str, chart: str) -> dict[str, Any]:
    base = project / "helm" / chart / "values.yaml"
    over = project / "helm" / "environments" / f"{environment}.yaml"
    if not (base.is_file() and over.is_file()):
        return {}
    return _merged(_read(base), _read(over).get(chart) or {})


def _read(file: Path) -> dict[str, Any]:
    import yaml  # slow to import

    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} is not YAML.", why=str(error), fix="Correct it.") from None
    if not isinstance(content, dict):
        raise BadInput(f"{file} holds no values.", why="Its top level is not a mapping.")
    return content


def _merged(base: Values, over: Values) -> dict[str, Any]:
    """Return `base` with `over` laid on it, mapping by mapping, as Helm does."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(value, dict) and isinstance(below, dict)
        result[key] = _merged(below or {}, value) if both else value
    return result
