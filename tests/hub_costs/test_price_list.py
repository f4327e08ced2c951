"""Refreshing prices, against answers in the shape that AWS documents for GetProducts.

No answer of the real list is at hand without an account: shapes are those of the AWS Billing user
guide ("Using the AWS Price List Query API"), usage types those of published bills.
"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from hub_costs.estimates import prices
from hub_costs.estimates.price_items import ITEMS
from hub_costs.estimates.price_queries import refresh
from pangeo_core.errors import MissingPrerequisite
from pangeo_deploy.targets import NotOnThisTarget

ROOT = Path(__file__).parents[2]
HEAD = "# a note\nservice,item,unit,usd,region,as_of,source\n"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def product(usage, *tiers, **attributes):
    """One entry of PriceList: a JSON text; `tiers` are (begin of the range, USD)."""
    dimensions = {
        f"SKU.TERM.{n}": {
            "unit": "Hrs",
            "beginRange": begin,
            "endRange": "Inf",
            "description": f"{usd} a unit",
            "appliesTo": [],
            "rateCode": f"SKU.TERM.{n}",
            "pricePerUnit": {"USD": usd},
        }
        for n, (begin, usd) in enumerate(tiers)
    }
    term = {"sku": "SKU", "effectiveDate": "2026-10-01T00:00:00Z", "termAttributes": {}}
    entry = {
        "product": {"sku": "SKU", "attributes": {"usagetype": usage} | attributes},
        "terms": {"OnDemand": {"SKU.TERM": term | {"priceDimensions": dimensions}}},
        "version": "20261001000000",
    }
    return json.dumps(entry)


class PriceList:
    """AWS' price list as boto3 gives it: pages of products for each service code."""

    def __init__(self, **pages):
        self.pages, self.asked = pages, []

    def get_paginator(self, name):
        assert name == "get_products"
        return self

    def paginate(self, ServiceCode, Filters):  # noqa: N803
        self.asked.append((ServiceCode, {f["Field"]: f["Value"] for f in Filters}))
        for page in self.pages.get(ServiceCode, []):
            yield {"FormatVersion": "aws_v1", "PriceList": page}


def listed(path, *rows):
    path.write_text(HEAD + "".join(f"{row},2024-04-01,old\n" for row in rows))
    return path


def test_refreshed_prices_are_dated_and_the_rest_is_kept(tmp_path):
    file = listed(
        tmp_path / "p.csv",
        "eks,cluster-hour,hour,0.10,us-west-2",
        'odd,"thing",hour,1,us-west-2',
        "s3,standard,GB-month,0.023,us-west-2",
        "ec2,r5.xlarge,hour,0.252,us-west-2",
    )
    client = PriceList(
        AmazonEKS=[
            [product("USW2-AmazonEKS-Hours:perCluster", ("0", "0.1200000000"))],
            [product("USW2-AmazonEKS-Hours:extendedSupport", ("0", "0.6000000000"))],
        ],
        AmazonS3=[
            [product("USW2-TimedStorage-ByteHrs", ("0", "0.0230000000"), ("51200", "0.022"))],
            [product("USW2-TimedStorage-SIA-ByteHrs", ("0", "0.0125000000"))],
        ],
        AmazonEC2=[
            [product("USW2-BoxUsage:r5.xlarge", ("0", "0.2520000000"))],
            [product("USW2-Reservation:r5.xlarge", ("0", "0.2520000001"))],
        ],
    )
    told = refresh(file, client, now=NOW)
    assert told.asked == 3
    assert told.kept == ("odd thing us-west-2",)
    assert told.changed == (("eks cluster-hour us-west-2", Decimal("0.10"), Decimal("0.12")),)
    found = prices.read(file)
    price = found.find("eks", "cluster-hour", "us-west-2")
    assert (price.usd, price.as_of, price.source) == (
        Decimal("0.12"),
        "2026-11-01",
        "AWS price list",
    )
    assert found.find("odd", "thing", "us-west-2").as_of == "2024-04-01"
    assert file.read_text().startswith("# a note\n")
    assert {filters["regionCode"] for _, filters in client.asked} == {"us-west-2"}


@pytest.mark.parametrize("answers", [(), ("0.1", "0.2")])
def test_no_answer_and_two_answers_keep_the_old_price(tmp_path, answers):
    file = listed(tmp_path / "p.csv", "ec2,r5.xlarge,hour,0.252,us-west-2")
    page = [product("USW2-BoxUsage:r5.xlarge", ("0", usd)) for usd in answers]
    told = refresh(file, PriceList(AmazonEC2=[page]), now=NOW)
    assert (told.asked, told.kept) == (0, ("ec2 r5.xlarge us-west-2",))
    assert prices.read(file).find("ec2", "r5.xlarge", "us-west-2").usd == Decimal("0.252")


def test_a_list_that_refuses_changes_nothing(tmp_path):
    class Closed(PriceList):
        def paginate(self, **_):
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetProducts")

    file = listed(tmp_path / "p.csv", "eks,cluster-hour,hour,0.10,us-west-2")
    before = file.read_bytes()
    with pytest.raises(MissingPrerequisite, match="pricing:GetProducts"):
        refresh(file, Closed(), now=NOW)
    assert file.read_bytes() == before


# Asked for by instance type; not on the list (spot); not AWS'.
WITHOUT_QUERY = {"ec2", "ec2-spot", "ec2-windows", "github-actions"}


def test_every_price_that_we_list_can_be_asked_for_but_spot_and_githubs():
    listed = {(p.service, p.item) for p in prices.read(ROOT / "data" / "prices.csv").rows.values()}
    others = {key for key in listed if key[0] not in WITHOUT_QUERY}
    assert others <= set(ITEMS)


def test_the_command_says_that_the_rehearsal_has_no_price_list(tmp_path):
    from pangeo_deploy.cli.app import app

    file = listed(tmp_path / "p.csv", "eks,cluster-hour,hour,0.10,us-west-2")
    command = ["cost", "prices", "--prices", str(file), "--target", "rehearsal"]
    done = CliRunner().invoke(app, command)
    assert isinstance(done.exception, NotOnThisTarget)
    assert "--target aws" in done.exception.fix
