"""What one more user or worker costs an hour, from the node pools in the Helm values."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from hub_costs.estimates.estimate import Hourly, Unpriced, per_hour
from hub_costs.estimates.prices import Prices
from pangeo_core.errors import BadInput

Values = Mapping[str, Any]


def hourly(
    support: Values, pangeo: Values, prices: Prices, *, region: str = "us-west-2"
) -> tuple[tuple[Hourly, ...], tuple[Unpriced, ...]]:
    """Price each profile on each pool for users, and a Dask worker on each pool for workers.

    `support` and `pangeo` are an environment's values of the two charts: pools are the first's,
    profiles and workers the second's. What cannot be priced comes back with the reason.
    """
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
