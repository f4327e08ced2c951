"""The replay's speed and memory, as ratios to the simpy model of the tests in the same run.

    python benchmarks/whatif.py [--users 2000]

Prints one JSON document. Each measurement is a process of its own, so that its peak memory is its
own. Seconds are CPU time, since the machine may be shared; the first replay of a process includes
loading the compiled loop, and compiling it where it is not cached yet.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

DAYS, PER_USER = 365, 750  # 2,000 users make 1.5 million sessions a year


def make_sessions(path: Path, users: int, days: int = DAYS) -> None:
    """Write a year of `users` people, each with about two sessions a day that do not overlap."""
    rng = np.random.default_rng(0)
    per_day = PER_USER / DAYS
    count = rng.binomial(3, per_day / 3, (days, users))
    day, who = np.nonzero(count)
    day, who = (np.repeat(part, count[day, who]) for part in (day, who))
    order = np.lexsort((who, day))
    day, who = day[order], who[order]
    same = np.r_[False, (day[1:] == day[:-1]) & (who[1:] == who[:-1])]
    nth = np.zeros(len(day), int)
    for _ in range(2):
        nth[1:] = np.where(same[1:], nth[:-1] + 1, 0)
    start = day * 24 + 8 + 4 * nth + rng.uniform(0, 1.5, len(day))
    hours = np.minimum(rng.lognormal(0.0, 0.8, len(day)), 2.4)
    zero = pd.Timestamp("2024-01-01", tz="UTC")
    frame = pd.DataFrame(
        {
            "user": pd.Categorical.from_codes(who, [f"user-{n:05d}" for n in range(users)]),
            "hub": "hub",
            "kind": "notebook",
            "start": zero + pd.to_timedelta(np.round(start * 3.6e6).astype("int64"), unit="ms"),
            "cpu_cores": 1.0,
            "memory_gib": 4.0,
            "node_type": "",
            "capacity": "on-demand",
        }
    )
    length = pd.to_timedelta(np.round(hours * 3.6e6).astype("int64"), unit="ms")
    frame.insert(4, "end", frame["start"] + length)
    frame.to_parquet(path, index=False)


def measure(path: Path) -> None:
    """Read and replay one file in this process and print what it took (twice: compiled by then)."""
    import resource

    from hub_costs.usage import read
    from hub_costs.whatif import Config
    from hub_costs.whatif.replay import replay
    from hub_costs.whatif.result import what_if

    began = time.process_time()
    sessions = read(path)
    times = {"read": time.process_time() - began}
    for name in ("first_whatif", "whatif", "replay"):
        began = time.process_time()
        if name == "replay":
            replay(sessions, Config())
        else:
            what_if(sessions).as_dict()
        times[name] = time.process_time() - began
        if name == "first_whatif":
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shown = {key: round(value, 3) for key, value in times.items()}
    print(json.dumps({"sessions": len(sessions.table), "peak_mb": round(peak), **shown}))


def measure_simpy(path: Path) -> None:
    """Replay one file with the tests' simpy model in this process and print what it took."""
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from tests.hub_costs.whatif.oracle import Oracle, Pod

    from hub_costs.usage import read
    from hub_costs.whatif import Config
    from hub_costs.whatif.replay import _settings, replay

    sessions, config = read(path), Config()
    mine = replay(sessions, config)[0]
    horizon = round((sessions.end - sessions.start).total_seconds() * 1000)
    chosen = _settings(config.pools[0], config, horizon)[0]
    settings = {name: int(chosen[name]) for name in chosen.dtype.names}
    pods = [
        Pod(n, int(a), int(left), int(p["cpu"]), int(p["mem"]), None)
        for n, (a, left, p) in enumerate(zip(mine.arrivals, mine.lengths, mine.pods, strict=True))
    ]
    began = time.process_time()
    oracle = Oracle(settings, [tuple(map(int, shape)) for shape in mine.shapes], pods).run()
    took = time.process_time() - began
    assert len(oracle.nodes) == len(mine.lives)
    print(json.dumps({"sessions": len(pods), "replay": round(took, 3)}))


def measure_sweep(workers: int) -> None:
    """Sweep 100 configurations over a year of 100 people and print what it took (wall clock)."""
    from hub_costs.usage import read
    from hub_costs.whatif import Config
    from hub_costs.whatif.configurations import grid, sweep

    with tempfile.TemporaryDirectory() as folder:
        make_sessions(Path(folder) / "year.parquet", 100)
        sessions = read(Path(folder) / "year.parquet")
    changes = {
        "pools.users.scale_down_delay_seconds": [
            0,
            60,
            300,
            600,
            900,
            1200,
            1800,
            2400,
            3000,
            3600,
        ],
        "pools.users.placeholders": list(range(10)),
    }
    began = time.perf_counter()
    rows = sweep(sessions, grid(Config(), changes), workers=workers)
    shown = {"sessions": len(sessions.table), "configurations": len(rows)}
    print(json.dumps({**shown, "sweep": round(time.perf_counter() - began, 3)}))


def run(what: Path | int, how: str) -> dict[str, float]:
    """Measure `what` in a process of its own; `how` is the option that chooses the measurement."""
    command = [sys.executable, __file__, how, str(what)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def main() -> None:
    """Print the measurements and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--sweep", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--simpy", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.sweep:
        measure_sweep(chosen.sweep)
        return
    if chosen.measure or chosen.simpy:
        measure(chosen.measure) if chosen.measure else measure_simpy(chosen.simpy)
        return
    with tempfile.TemporaryDirectory() as folder:
        results = {}
        for name, days, how in (
            ("simpy", 2, "--simpy"),
            ("quarter", DAYS // 4, "--measure"),
            ("half", DAYS // 2, "--measure"),
            ("year", DAYS, "--measure"),
        ):
            path = Path(folder) / f"{name}.parquet"
            make_sessions(path, chosen.users, days)
            results[name] = run(path, how)
        for workers, name in ((1, "one process"), (2, "two processes")):
            results[name] = run(workers, "--sweep")
        each = {n: r["replay"] / r["sessions"] for n, r in results.items() if "replay" in r}
        ratios = {
            "simpy_over_compiled_per_session": each["simpy"] / each["year"],
            "year_over_half_seconds": results["year"]["replay"] / results["half"]["replay"],
            "one_process_over_two_seconds": results["one process"]["sweep"]
            / results["two processes"]["sweep"],
            "half_over_quarter_seconds": results["half"]["replay"] / results["quarter"]["replay"],
        }
        ratios = {name: round(value, 2) for name, value in ratios.items()}
        print(json.dumps({"runs": results, "ratios": ratios}, indent=2))


if __name__ == "__main__":
    main()
