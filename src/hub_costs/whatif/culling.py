"""What another idle limit or maximum age would have made of recorded sessions."""

import pandas as pd

from hub_costs.whatif.config import Culling
from pangeo_core.errors import BadInput


def culled_ends(table: pd.DataFrame, culling: Culling) -> pd.Series:
    """Return when each session of `table` ends under `culling`.

    Notebooks and Binders only. Nobody stops before the last activity. A shorter idle limit ends a
    session that much after its last activity, if it still ran. A longer one lets those run on that
    the recorded limit had stopped (idle for at least `recorded_idle_seconds` at their end), but not
    into the same person's next server. `max_age_seconds` ends whatever is older.
    Raises `BadInput` where `idle_seconds` is set and the table has no `last_activity`.
    """
    end = table["end"]
    servers = table["kind"].isin(["notebook", "binder"])
    if culling.idle_seconds is not None:
        if "last_activity" not in table:
            raise BadInput(
                "These sessions cannot tell what another idle limit would do.",
                why="The table has no column last_activity.",
                fix="Leave culling.idle_seconds out, or collect the column from JupyterHub's API.",
            )
        limit = pd.Timedelta(seconds=culling.idle_seconds)
        last = table["last_activity"].clip(lower=table["start"], upper=end)
        stopped = last + limit
        longer = pd.Series(False, index=table.index)
        if culling.recorded_idle_seconds is not None:
            recorded = pd.Timedelta(seconds=culling.recorded_idle_seconds)
            longer = (end - last >= recorded) & (limit > recorded)
        known = servers & last.notna()
        end = end.mask(known & (stopped < end), stopped)
        end = end.mask(known & longer, stopped.clip(upper=_next_start(table)))
    if culling.max_age_seconds is not None:
        oldest = table["start"] + pd.Timedelta(seconds=culling.max_age_seconds)
        end = end.mask(servers & (oldest < end), oldest)
    return end


def _next_start(table: pd.DataFrame) -> pd.Series:
    """Return when the same person's next server starts, or the end of time."""
    keys = [key for key in ("user", "hub", "kind", "server") if key in table]
    later = table.groupby(keys, observed=True, dropna=False)["start"].shift(-1)
    return later.fillna(pd.Timestamp("2200-01-01", tz="UTC").as_unit("ms")).clip(lower=table["end"])
