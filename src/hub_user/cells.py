"""The smoke test's cells, run in a user's kernel; each prints one line of JSON at its end."""

HELLO = """
import json, os, sys, platform
print(json.dumps({"python": platform.python_version(), "user": os.environ["JUPYTERHUB_USER"],
                  "memory_limit": int(os.environ.get("MEM_LIMIT", 0)), "sum": sum(range(101))}))
"""

# The region comes from the environment, credentials from the pod's identity.
SCRATCH = """
import json, os, boto3
from botocore.exceptions import ClientError
from urllib.parse import urlparse
mine = urlparse(os.environ["PANGEO_SCRATCH"])
bucket, prefix = mine.netloc, mine.path.strip("/")
s3 = boto3.client("s3")
key = f"{prefix}/smoke/hello"
s3.put_object(Bucket=bucket, Key=key, Body=b"hello")
back = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
refused = {}
attempts = {
    "read": lambda: s3.get_object(Bucket=bucket, Key=f"{other}/smoke/hello"),
    "write": lambda: s3.put_object(Bucket=bucket, Key=f"{other}/smoke/hello", Body=b"x"),
    "list": lambda: s3.list_objects_v2(Bucket=bucket, Prefix=f"{other}/"),
    "list all": lambda: s3.list_objects_v2(Bucket=bucket),
}
for what, attempt in attempts.items():
    try:
        attempt()
        refused[what] = "allowed"
    except ClientError as error:
        refused[what] = error.response["Error"]["Code"]
s3.delete_object(Bucket=bucket, Key=key)
print(json.dumps({"prefix": f"{bucket}/{prefix}", "back": back, "refused": refused}))
"""

NEW_CLUSTER = """
import json
from dask_gateway import Gateway
gateway = Gateway()
options = gateway.cluster_options()
for name, value in wanted.items():
    setattr(options, name, value)
cluster = gateway.new_cluster(options, shutdown_on_close=True)
print(json.dumps({"name": cluster.name, "options": dict(options)}, default=str))
"""

SCALE = """
import json
cluster.scale(workers)
client = cluster.get_client()
client.wait_for_workers(workers, timeout=timeout)
print(json.dumps({"workers": len(client.scheduler_info(n_workers=-1)["workers"])}))
"""

# The sum of the first n squares has a closed form: the answer is known without the cluster.
COMPUTE = """
import json
n = 200_000
parts = [range(start, min(start + 10_000, n + 1)) for start in range(0, n + 1, 10_000)]
found = sum(client.gather(client.map(lambda part: sum(i * i for i in part), parts)))
print(json.dumps({"found": found, "expected": n * (n + 1) * (2 * n + 1) // 6, "tasks": len(parts)}))
"""

VERSIONS = """
import json
told = client.get_versions()
names = ("python", "dask", "distributed", "msgpack")
def packages(one):
    return {name: one["packages"].get(name) for name in names}
print(json.dumps({"client": packages(told["client"]), "scheduler": packages(told["scheduler"]),
                  "workers": [packages(one) for one in told["workers"].values()]}))
"""

SHUT_DOWN = """
import json, time
client.close()
name = cluster.name
cluster.shutdown()
deadline = time.monotonic() + timeout
while (left := [one.name for one in gateway.list_clusters()]) and time.monotonic() < deadline:
    time.sleep(0.2)
gateway.close()
print(json.dumps({"name": name, "left": left}))
"""


# Anyone's code runs here: with the repository's files, and nothing of the user's.
LAUNCHED = """
import json, os, boto3
try:
    boto3.client("s3").list_buckets()
    credentials = "allowed"
except Exception as error:
    credentials = type(error).__name__
print(json.dumps({"user": os.environ["JUPYTERHUB_USER"], "files": sorted(os.listdir()),
                  "repository": os.environ.get("BINDER_REPO_URL", ""),
                  "scratch": os.environ.get("PANGEO_SCRATCH", ""), "credentials": credentials,
                  "sum": sum(range(101))}))
"""


def with_values(cell: str, **values: object) -> str:
    """Return the cell, preceded by assignments of these names."""
    return "\n".join([*(f"{name} = {value!r}" for name, value in values.items()), cell])
