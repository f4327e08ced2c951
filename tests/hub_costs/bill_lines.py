"""Lines of bills as text, one at a time: the smallest input that shows a finding."""

import csv
import gzip
import io
import json


def cur(**changes):
    """One CUR line with text amounts."""
    line = {
        "identity_line_item_id": "1",
        "bill_billing_period_start_date": "2024-07-01T00:00:00Z",
        "line_item_line_item_type": "Usage",
        "line_item_usage_start_date": "2024-07-01T00:00:00Z",
        "line_item_usage_end_date": "2024-07-01T01:00:00Z",
        "line_item_product_code": "AmazonEC2",
        "line_item_usage_type": "BoxUsage:r5.xlarge",
        "line_item_usage_amount": "1",
        "line_item_resource_id": "i-1",
        "line_item_unblended_cost": "1",
        "line_item_currency_code": "USD",
    }
    return line | changes


def focus(**changes):
    """One line of a FOCUS bill."""
    line = {
        "BillingAccountId": "1",
        "BillingPeriodStart": "2024-12-01T00:00:00Z",
        "ChargePeriodStart": "2024-12-03T00:00:00Z",
        "ChargePeriodEnd": "2024-12-04T00:00:00Z",
        "ChargeCategory": "Usage",
        "ServiceName": "Amazon EC2",
        "ResourceId": "i-1",
        "BilledCost": "1",
        "BillingCurrency": "USD",
        "ProviderName": "AWS",
        "Tags": "{}",
    }
    return line | changes


def written(path, *lines):
    """Write lines as csv, packed where the name says so, and return the path."""
    columns = dict.fromkeys(key for line in lines for key in line)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def explorer(path, *days, group_by=(), token=None):
    """Write an answer of Cost Explorer: `days` are (start, end, keys, amount)."""
    results = []
    for start, end, keys, amount in days:
        cost = {"UnblendedCost": {"Amount": amount, "Unit": "USD"}}
        period = {"TimePeriod": {"Start": start, "End": end}, "Estimated": False}
        groups = [{"Keys": list(keys), "Metrics": cost}] if keys else []
        results.append(period | {"Total": {} if keys else cost, "Groups": groups})
    answer = {"GroupDefinitions": list(group_by), "ResultsByTime": results}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(answer | ({"NextPageToken": token} if token else {})))
    return path
