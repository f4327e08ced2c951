"""The columns of the run table: name, type, unit and meaning. One row is one run.

A megabyte is 10^6 bytes, as in the published tables of pangeo-data/benchmarking. An unknown value
is null; a count of none is 0.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

VERSION = 1  # of the schema; raised when a column changes its meaning or is removed

Kind = Literal["text", "integer", "number", "yes-no", "time", "money", "json"]


class Column(NamedTuple):
    """One column; a `required` one is never null."""

    kind: Kind
    unit: str
    meaning: str
    required: bool = False


ROLES = (
    "warm-up",  # shown, never counted
    "run",
    "aa",  # the same configuration again in the same block: A against A
)

# The parameters that identify a configuration: runs that agree in them may be compared.
PARAMETERS: Mapping[str, Column] = {
    "operation": Column("text", "", "a row of the workload table, such as climatology-month", True),
    "variant": Column("text", "", "how it is formulated: naive, better, numpy, ...", True),
    "family": Column("text", "", "roofline, scheduler, compute, storage or life", True),
    "scheme": Column("text", "", "how the chunks lie: space, time, auto, box; none where no chunk"),
    "chunk_mb": Column("number", "MB", "size of a Dask chunk, uncompressed"),
    "chunks_per_worker": Column("number", "1", "NCAR's chunk_per_worker; null in our own runs"),
    "dataset_mb": Column("number", "MB", "size of the data worked on, uncompressed", True),
    "tier": Column("text", "", "xs, s, m or l; null for other people's runs"),
    "on": Column("text", "", "local, gateway, or what else the cluster is", True),
    "nodes": Column(
        "integer", "1", "workers; on a cloud each has a node of its own; 0: no cluster", True
    ),
    "workers_per_node": Column("integer", "1", "worker processes on each of them"),
    "threads": Column("integer", "1", "threads of each worker (or of the process)"),
    "processes": Column("yes-no", "", "are workers processes of their own?"),
    "memory_limit_mb": Column("number", "MB", "of each worker; null: no limit"),
    "spill": Column("yes-no", "", "may workers put data on disk?"),
    "store": Column("text", "", "zarr, netcdf, virtual, icechunk, raw, memory, null"),
    "place": Column("text", "", "where the store lies: disk, s3-emulated, s3, memory"),
    "client": Column("text", "", "what reads or writes it: local, s3fs, obstore, icechunk"),
    "codec": Column("text", "", "zstd, lz4, none, ..."),
    "shard_mb": Column("number", "MB", "size of a shard; null: no sharding"),
    "stored_chunk_mb": Column("number", "MB", "size of a stored chunk, uncompressed"),
    "concurrency": Column("integer", "1", "requests under way at once"),
    "calendar": Column("text", "", "of the data's time axis"),
    "grid": Column("text", "", "shape and type of the data, such as f4[365,360,480]"),
    "seed": Column("integer", "", "of the data's noise"),
    "saturation": Column("number", "1", "distributed.scheduler.worker-saturation; may be inf"),
    "dask_config": Column("json", "", "the Dask settings that matter for the time, as they were"),
}

# The machine and the software.
SOFTWARE: Mapping[str, Column] = {
    "origin": Column("text", "", "measured, published, modelled or sample", True),
    "source": Column("text", "", "who ran it: a citation, or the command", True),
    "versions": Column("json", "", "package -> version, Python's too"),
    "lock": Column("text", "", "sha256 of requirements.lock"),
    "commit": Column("text", "", "of this repository; ends in + where the tree was changed"),
}
MACHINE: Mapping[str, Column] = {
    "machine": Column("text", "", "name for people: processor, cores, memory", True),
    "fingerprint": Column("text", "", "digest that tells one machine from another", True),
    "node_cores": Column("integer", "1", "of one node"),
    "node_memory_mb": Column("number", "MB", "of one node"),
    "image": Column("text", "", "the container image"),
    # A pod cannot see its node's labels: who starts a campaign on a cloud sets these three in
    # the server's PANGEO_WORKER_INSTANCE_TYPE, _CAPACITY and _ZONE.
    "instance_type": Column("text", "", "such as r5.xlarge; null outside a cloud"),
    "capacity": Column("text", "", "on-demand or spot; null outside a cloud"),
    "zone": Column("text", "", "availability zone; null outside a cloud"),
    "load_before": Column("number", "1", "the machine's load average just before"),
}

# Time, and place in the campaign.
ORDER: Mapping[str, Column] = {
    "campaign": Column("text", "", "its name; unique among campaigns", True),
    "block": Column("integer", "", "from 0; each holds every configuration once", True),
    "order": Column("integer", "", "from 0, as the runs followed each other", True),
    "role": Column("text", "", f"one of {', '.join(ROLES)}", True),
    "arm": Column("text", "", "a or b, the two environments of bench ab; null: only one"),
    "started": Column("time", "UTC", "when the run began"),
}

# Where the time went. The parts of a distributed run add up to `seconds`.
TIMES: Mapping[str, Column] = {
    "seconds": Column("number", "s", "wall time of the measured section; null: it never ended"),
    "graph_seconds": Column("number", "s", "build the graph: opening and lazy operations"),
    "submit_seconds": Column("number", "s", "from the call until the scheduler has the graph"),
    "first_task_seconds": Column("number", "s", "from then until a worker begins a task"),
    "compute_seconds": Column("number", "s", "from then until the last task ends"),
    "gather_seconds": Column("number", "s", "from then until the answer is here"),
    "overhead_seconds": Column("number", "s", "the harness' own time around the measured section"),
    "check_seconds": Column("number", "s", "compare the answer with the known one, afterwards"),
    "busy_seconds": Column("number", "s", "workers' threads in tasks, summed"),
    "transfer_seconds": Column("number", "s", "waiting for other workers' data, summed"),
    "disk_seconds": Column("number", "s", "spilling and reading back, summed"),
    "deserialize_seconds": Column("number", "s", "unpacking tasks, summed"),
    "cpu_seconds": Column("number", "s", "processor time of all processes in the section"),
}
WORK: Mapping[str, Column] = {
    "tasks": Column("integer", "1", "tasks that ran"),
    "graph_mb": Column("number", "MB", "size of the graph as it was sent"),
    "bytes_read": Column("integer", "B", "stored bytes read (compressed)"),
    "bytes_written": Column("integer", "B", "stored bytes written (compressed)"),
    "requests_read": Column("integer", "1", "files opened or GETs"),
    "requests_written": Column("integer", "1", "files written or PUTs"),
    "memory_mean_mb": Column("number", "MB", "all workers together, mean over the run"),
    "memory_peak_mb": Column("number", "MB", "all workers together, at most"),
    "memory_added_mb": Column(
        "number", "MB", "peak above the start; a warm-up gives back before what was freed"
    ),
    "spill_mb": Column("number", "MB", "spilled to disk, at most"),
    "lost_workers": Column("integer", "1", "workers that went away during the run"),
    "nodes_asked": Column("integer", "1", "workers asked for, where fewer or more were there"),
    "retries": Column("integer", "1", "tasks that ran again"),
}
ANSWER: Mapping[str, Column] = {
    "result_ok": Column("yes-no", "", "the answer is the known one; null: there was none to check"),
    "expected": Column("number", "the answer's", "the known answer: the value that differed most"),
    "got": Column("number", "the answer's", "the run's value there"),
    "tolerance": Column("number", "the answer's", "how far they may be apart"),
    "checked_share": Column("number", "1", "of the answer's elements that the check depends on"),
    "failed": Column("yes-no", "", "the run did not end, or ended with a wrong answer", True),
    "reason": Column("text", "", "why it failed; null: it did not"),
}
# Added when runs are read (`dask_bench.run_cost`): run files contain no prices.
COST: Mapping[str, Column] = {
    "worker_seconds_billed": Column("number", "s", "node-seconds paid, start and idle tail too"),
    "worker_seconds_busy": Column("number", "s", "of these, in tasks"),
    "price_source": Column("text", "", "whose price of which machine"),
    "price_date": Column("text", "", "YYYY-MM-DD"),
    "usd_marginal": Column("money", "USD", "what the run adds to the bill"),
    "usd_full": Column("money", "USD", "with scheduler and its share of what always runs"),
}

GROUPS: Mapping[str, Mapping[str, Column]] = {
    "order": ORDER,
    "parameters": PARAMETERS,
    "times": TIMES,
    "work": WORK,
    "answer": ANSWER,
    "cost": COST,
    "machine": MACHINE,
    "software": SOFTWARE,
}
COLUMNS: Mapping[str, Column] = {
    name: column for group in GROUPS.values() for name, column in group.items()
}
