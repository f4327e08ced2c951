"""The sessions table: what comes in, what is kept apart, and why."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub_costs.usage import COLUMNS, Sessions, check, read, write
from pangeo_core.errors import BadInput

HEADER = ",".join(COLUMNS)
GOOD = "ada,hub,notebook,2024-07-01T09:00:00Z,2024-07-01T11:00:00Z,2,8,r5.xlarge,on-demand"


def utc(text):
    return pd.Timestamp(text, tz="UTC")


def csv(tmp_path, *lines, name="s.csv", header=HEADER):
    path = tmp_path / name
    path.write_text("\n".join([header, *lines]) + "\n")
    return path


def row(user="ada", start="2024-07-01T09:00", end="2024-07-01T11:00", **more):
    base = {"user": user, "hub": "hub", "kind": "notebook", "start": start, "end": end}
    base |= {"cpu_cores": 2, "memory_gib": 8, "node_type": "r5.xlarge", "capacity": "on-demand"}
    return base | more


def frame(*rows):
    return pd.DataFrame(list(rows))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"user": ""}, "no-user"),
        ({"user": "   "}, "no-user"),
        ({"user": None}, "no-user"),
        ({"start": "yesterday"}, "bad-time"),
        ({"start": None}, "bad-time"),
        ({"end": "soon"}, "bad-time"),
        ({"end": "2024-07-01T08:00"}, "negative"),
        ({"end": "2024-07-01T09:00"}, "negative"),
        ({"end": "2034-07-01T09:00"}, "too-long"),
        ({"kind": "terminal"}, "bad-value"),
        ({"capacity": "free"}, "bad-value"),
        ({"cpu_cores": -1}, "bad-value"),
        ({"memory_gib": float("nan")}, "bad-value"),
        ({"memory_gib": float("inf")}, "bad-value"),
        ({"cpu_cores": 0, "memory_gib": 0}, "bad-value"),
    ],
)
def test_a_wrong_row_is_kept_apart_with_its_reason(change, reason):
    result = check(frame(row("eve"), row(**change), row("bob")), source="f.csv")
    assert list(result.table.user) == ["eve", "bob"]
    assert list(result.rejected.reason) == [reason]
    assert list(result.rejected.row) == [2]
    (sentence,) = result.problems()
    assert sentence.startswith(f"f.csv, row 2: {reason}, dropped. ")
    assert len(sentence.split(". ", 1)[1]) > 20


def test_line_numbers_are_those_of_the_file_even_after_a_broken_line(tmp_path):
    late = GOOD.replace("T11", "T07").replace("ada", "eve")
    path = csv(tmp_path, GOOD, "too,few", late, GOOD.replace("ada", "bob"))
    result = read(path)
    assert len(result.table) == 2
    assert dict(zip(result.rejected.row, result.rejected.reason, strict=True)) == {
        3: "broken",
        4: "negative",
    }
    assert result.as_dict()["rejected_by_reason"] == {"broken": 1, "negative": 1}


def test_an_overlap_is_cut_so_that_no_second_counts_twice():
    result = check(
        frame(
            row(start="2024-07-01T09:00", end="2024-07-01T12:00"),
            row(start="2024-07-01T11:00", end="2024-07-01T13:00"),  # one hour more
            row(start="2024-07-01T10:00", end="2024-07-01T10:30"),  # wholly covered
            row("bob", start="2024-07-01T11:00", end="2024-07-01T13:00"),
            row(hub="other", start="2024-07-01T11:00", end="2024-07-01T13:00"),
        )
    )
    mine = result.table[(result.table.user == "ada") & (result.table.hub == "hub")]
    assert list(mine.start) == [utc("2024-07-01 09:00"), utc("2024-07-01 12:00")]
    assert list(result.changed.reason) == ["overlap"]
    assert list(result.rejected.reason) == ["overlap"]
    assert len(result.table) == 4


def test_named_servers_and_workers_of_one_person_may_overlap():
    worker = {"kind": "dask-worker"}
    named = check(frame(row(server="a"), row(server="b")))
    assert len(named.table) == 2
    assert len(check(frame(row(**worker), row(**worker))).table) == 2


def test_a_running_server_ends_with_the_data_and_a_window_cuts():
    rows = frame(row(end=None), row("bob", "2024-06-30T20:00", "2024-07-01T01:00"))
    result = check(rows, window=(utc("2024-07-01"), utc("2024-07-02")))
    assert list(result.table.end) == [utc("2024-07-01 01:00"), utc("2024-07-02")]
    assert result.table.start.min() == utc("2024-07-01")
    assert result.as_dict()["changed_by_reason"] == {"open": 1, "window": 1}
    outside = check(rows, window=(utc("2024-07-01T02:00"), utc("2024-07-02")))
    assert outside.as_dict()["rejected_by_reason"] == {"outside": 1}
    # Without a window the data ends with its last start or end: nothing says how long one ran that
    # started then.
    assert check(rows).as_dict()["rejected_by_reason"] == {"endless": 1}


def test_times_without_a_zone_are_utc_and_others_are_converted(tmp_path):
    path = csv(
        tmp_path,
        GOOD.replace("09:00:00Z", "09:00:00"),
        GOOD.replace("ada", "bob").replace("09:00:00Z", "11:30:00+02:30"),
    )
    assert list(read(path).table.start) == [utc("2024-07-01 09:00")] * 2


@pytest.mark.parametrize("name", ["s.csv", "s.parquet"])
def test_what_is_written_is_read_again(tmp_path, name):
    rows = frame(row(), row("bob", kind="binder", requested="2024-07-01T08:59:30.250"))
    before = check(rows)
    write(before, tmp_path / name)
    after = read(tmp_path / name)
    pd.testing.assert_frame_equal(
        before.table.astype(object), after.table.astype(object), check_dtype=False
    )


def test_several_files_are_one_table(tmp_path):
    one, two = csv(tmp_path, GOOD), csv(tmp_path, GOOD.replace("ada", "bob"), name="t.csv")
    assert len(read([one, two]).table) == 2
    # The same export twice: nobody's server counts twice.
    assert read([one, one]).as_dict()["rejected_by_reason"] == {"twice": 1}


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: p / "none.csv", "none.csv"),
        (lambda p: csv(p, GOOD, header=HEADER.replace("user", "who")), "no column user"),
        (lambda p: csv(p, GOOD, name="s.xlsx"), "s.xlsx"),
        (lambda p: csv(p, "x", name="s.parquet"), "s.parquet"),
        (lambda p: csv(p, GOOD.replace("ada", "")), "no session"),
        (lambda p: csv(p), "no session"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_a_way_out(tmp_path, make, says):
    with pytest.raises(BadInput) as caught:
        read(make(tmp_path))
    assert says in caught.value.what
    assert caught.value.fix


def test_an_empty_window_is_refused():
    with pytest.raises(BadInput, match="empty"):
        check(frame(row()), window=(utc("2024-07-02"), utc("2024-07-01")))


spans = st.tuples(st.integers(0, 300), st.integers(1, 200), st.sampled_from("ab"))


@settings(max_examples=60, deadline=None)
@given(st.lists(spans, min_size=1, max_size=12))
def test_overlaps_keep_exactly_the_union_of_a_persons_time(parts):
    zero = utc("2024-07-01")
    rows = [
        row(u, zero + pd.Timedelta(minutes=s), zero + pd.Timedelta(minutes=s + n))
        for s, n, u in parts
    ]
    result: Sessions = check(frame(*rows))
    for user in "ab":
        union = {m for s, n, u in parts if u == user for m in range(s, s + n)}
        mine = result.table[result.table.user == user]
        assert (mine.end - mine.start).sum() / pd.Timedelta(minutes=1) == len(union)
    assert len(result.table) + len(result.rejected) == len(parts)
