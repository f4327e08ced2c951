"""From a file's own columns to ours: the SQL of a format's expressions, and names made plain."""

import re
from collections.abc import Mapping

from hub_costs.bills.formats import OURS, Format
from hub_costs.bills.table import COLUMNS, name_of

# What the macros of times are where a column holds a time already.
_OF_TIMES = {
    "moment": "CAST({} AS TIMESTAMP)",
    "month_of": "CAST(date_trunc('month', CAST({} AS TIMESTAMP) + INTERVAL 14 HOUR) AS DATE)",
}


def plain(name: str) -> str:
    """Return a source's column name in lower case with underscores, as CUR 2.0 writes them.

    Legacy CUR writes `lineItem/UnblendedCost` and `resourceTags/user:Hub`.
    """
    if "/" in name:
        name = re.sub("ARN$", "A_R_N", name)
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def select(
    form: Format, columns: Mapping[str, str], types: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return, for each of our columns, SQL over the file's own.

    `columns` maps plain names to SQL for the file's columns, `types` to what they hold, as far as
    that is known. What the file does not have is NULL.
    """
    found = {}
    for target, kind in COLUMNS.items():
        if target in OURS:
            continue
        fits = (fill(option, columns, types or {}) for option in form.columns.get(target, ()))
        chosen = next((sql for sql in fits if sql is not None), "NULL")
        found[target] = f"CAST({chosen} AS {kind})"
    return found


def fill(expression: str, columns: Mapping[str, str], types: Mapping[str, str]) -> str | None:
    """Return `expression` with the file's columns in it, or None where a needed one is missing.

    A time that the file holds as a time is not read by way of text, which would take longer.
    """
    names = re.findall(r"\{(\w+)(\??)\}", expression)
    if any(name not in columns and not optional for name, optional in names):
        return None

    def call(match: re.Match[str]) -> str:
        macro, name = match[1], match[2]
        if name in columns and types.get(name, "").startswith(("TIMESTAMP", "DATE")):
            return _OF_TIMES[macro].format(columns[name])
        return match[0]

    expression = re.sub(r"(moment|month_of)\(\{(\w+)\??\}\)", call, expression)
    # NULL['key'] is an error: a map that is not there is an empty one.
    expression = re.sub(r"\{(\w+)\?\}\['", lambda m: f"{columns.get(m[1], 'MAP {}')}['", expression)
    return re.sub(r"\{(\w+)\??\}", lambda m: columns.get(m[1], "NULL"), expression)


def tag_columns(form: Format, columns: Mapping[str, str]) -> dict[str, list[str]]:
    """Return tag column -> the file's flat columns for it, however the tag's key is spelt."""
    found: dict[str, list[str]] = {}
    for name, sql in columns.items():
        prefix = next((p for p in form.flat if name.startswith(p)), None)
        if prefix and name != form.tags:
            key = name.removeprefix(prefix).split("__dup")[0]
            found.setdefault(tag_key(key), []).append(sql)
    return found


def tag_key(key: str) -> str:
    """Return the tag column for a key of a tag map: `user_hub`, `user:Hub` and `hub` are one.

    So are `aws:eks:cluster-name` and `eks_cluster_name`.
    """
    name = plain(key).removeprefix("user_").removeprefix("aws_")
    return "tag_" + (name or "empty")


def sql_columns(names: Mapping[str, str]) -> dict[str, str]:
    """Return plain name -> quoted name, from the file's own names and how SQL calls them.

    Further columns of one plain name get `__dupN`.
    """
    result: dict[str, str] = {}
    for raw, name in names.items():
        key, n = plain(raw), 2
        while key in result:
            key, n = f"{plain(raw)}__dup{n}", n + 1
        result[key] = name_of(name)
    return result
