"""A column that holds all tags of a line: a map, or JSON text of either form that bills have."""

import duckdb

from hub_costs.bills.table import quote


def values(
    connection: duckdb.DuckDBPyConnection, relation: str, column: str, *, is_map: bool
) -> list[tuple[str, str]]:
    """Return each tag's key and SQL for its value, from `column` (SQL) of `relation`.

    JSON text is an object (FOCUS) or a list of objects with `key` and `value`, as Google's own
    export has labels. What is neither has no tags.
    """
    document = f"CASE WHEN json_valid({column}) THEN {column} END"
    listed = f"starts_with({column}, '[')"
    keys, is_list = f"map_keys({column})", "false"
    if not is_map:
        keys = (
            f"CASE WHEN {listed} THEN json_extract_string({document}, '$[*].key')"
            f" ELSE json_keys({document}) END"
        )
        is_list = listed
    query = f"SELECT DISTINCT unnest({keys}), {is_list} FROM {relation} WHERE {column} IS NOT NULL"
    found = []
    for key, in_list in sorted(connection.execute(query).fetchall()):
        if is_map:
            value = f"{column}[{quote(key)}]"
        elif in_list:
            items = f"json_extract({document}, '$[*]')"
            value = f"list_filter({items}, lambda e: e->>'key' = {quote(key)})[1]->>'value'"
        else:
            escaped = str(key).replace('"', '\\"')
            path = quote(f'$."{escaped}"')
            value = f"json_extract_string({document}, {path})"
        found.append((str(key), value))
    return found
