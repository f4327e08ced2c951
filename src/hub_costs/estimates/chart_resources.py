"""What the hub's charts make controllers order from AWS: no Terraform plan has it, the bill does.

Read from the values of a z2jh-based chart and of a chart with Prometheus: the load balancer of the
hub's proxy, and the volumes of database and monitoring, in Terraform's words so that the one table
of prices applies. Nodes for users come and go with them and are no floor (`marginal_cost`).
"""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from pangeo_core.errors import BadInput
from pangeo_core.terraform_json import Resource

Values = Mapping[str, Any]
_LOAD_BALANCER = "service.beta.kubernetes.io/aws-load-balancer-"
# Suffixes of Kubernetes' quantities that sizes of volumes have, in GiB.
_UNITS = {"Gi": Decimal(1), "Ti": Decimal(1024), "Mi": Decimal(1) / 1024}
# Where the charts hold a volume: its size, whether it is on, and the charts' own default of both.
_VOLUMES = (
    ("pangeo", "jupyterhub.hub.db.pvc", "storage", True, "1Gi"),
    ("support", "prometheus.server.persistentVolume", "size", True, "8Gi"),
    ("support", "prometheus.alertmanager.persistence", "size", True, "2Gi"),
    ("support", "grafana.persistence", "size", False, "10Gi"),
)


def made_by_charts(support: Values, pangeo: Values, zones: int) -> tuple[Resource, ...]:
    """Return the load balancers and volumes that an environment's values order.

    `support` and `pangeo` are the values of the two charts, `zones` how many a load balancer spans.
    Raises `BadInput` for a size that Kubernetes would not take.
    """
    charts = {"support": support, "pangeo": pangeo}
    volumes = [
        Resource(f"helm: {chart}.{path}", "aws_ebs_volume", {"type": "gp3", "size": size})
        for chart, path, key, default, least in _VOLUMES
        if (size := _size(charts[chart], path, key, default, least))
    ]
    return (*_balancers(pangeo, zones), *volumes)


def _balancers(pangeo: Values, zones: int) -> Iterator[Resource]:
    service = _at(pangeo, "jupyterhub.proxy.service")
    if service is None or (service.get("type") or "LoadBalancer") != "LoadBalancer":
        return
    notes = service.get("annotations") or {}
    internal = notes.get(f"{_LOAD_BALANCER}scheme", "internal") == "internal"
    kind = notes.get(f"{_LOAD_BALANCER}type")
    address, subnets = "helm: pangeo.jupyterhub.proxy.service", ["zone"] * zones
    if kind in ("external", "nlb", "nlb-ip"):
        # AWS' controller makes it internal by default, Kubernetes' own ("nlb") does not.
        inside = internal if kind == "external" else f"{_LOAD_BALANCER}internal" in notes
        values = {"load_balancer_type": "network", "internal": inside, "subnets": subnets}
        yield Resource(address, "aws_lb", values)
    else:
        inside = f"{_LOAD_BALANCER}internal" in notes
        yield Resource(address, "aws_elb", {"internal": inside, "subnets": subnets})


def _size(values: Values, path: str, key: str, default: bool, least: str) -> Decimal | None:
    chart = _at(values, path.split(".")[0])
    if chart is None:
        return None
    volume = _at(values, path) or {}
    if not volume.get("enabled", default):
        return None
    database = (_at(values, "jupyterhub.hub.db") or {}).get("type") or "sqlite-pvc"
    if path.endswith("db.pvc") and database != "sqlite-pvc":
        return None
    text = str(volume.get(key) or least)
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Z]i)", text)
    if not found or found[2] not in _UNITS:
        raise BadInput(
            f"{path}.{key} is not a size: {text!r}.",
            fix=f"Write a number and one of {', '.join(_UNITS)}.",
        )
    return Decimal(found[1]) * _UNITS[found[2]]


def _at(values: Values, path: str) -> Values | None:
    found: Any = values
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else None
