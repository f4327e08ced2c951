"""The stand-in for Terraform's AWS provider, served to Terraform as a plugin."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
from tf.gen import (
    grpc_controller_pb2,
    grpc_controller_pb2_grpc,
    grpc_stdio_pb2_grpc,
    tfplugin_pb2_grpc,
)

from emulated_aws.account import Account
from emulated_aws.provider import Provider

# The protocol names the methods.
# ruff: noqa: N802

ADDRESSES = ("registry.terraform.io/hashicorp/aws", "registry.opentofu.org/hashicorp/aws")
THREADS = 16


@contextmanager
def serve_provider(
    account: Account,
    project: Path | None = None,
) -> Iterator[dict[str, str]]:
    """Serve the stand-in on this machine; yield the environment that makes Terraform use it.

    It runs in threads of this process, so it ends with the process and not with Terraform, which
    may finish when the user interrupts. If the block raises, Terraform may not have recorded what
    it created: the account remembers that until a later run finds it in the state. `project` is the
    root module's folder: types that its files name are then in the schema even if they are not
    emulated, so that it may declare them with `count = 0`.
    """
    server = grpc.server(ThreadPoolExecutor(THREADS, "provider"))
    provider = Provider(account, project)
    tfplugin_pb2_grpc.add_ProviderServicer_to_server(provider, server)
    grpc_controller_pb2_grpc.add_GRPCControllerServicer_to_server(Controller(), server)
    grpc_stdio_pb2_grpc.add_GRPCStdioServicer_to_server(Stdio(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    where = {
        "Protocol": "grpc",
        "ProtocolVersion": 6,
        "Pid": os.getpid(),
        "Test": True,  # Terraform must not end the process it is attached to
        "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
    }
    ended_well = False
    try:
        yield {"TF_REATTACH_PROVIDERS": json.dumps(dict.fromkeys(ADDRESSES, where))}
        ended_well = True
    finally:
        server.stop(grace=1).wait()
        if provider.has_changed and ended_well:
            account.all_told()


class Controller(grpc_controller_pb2_grpc.GRPCControllerServicer):  # type: ignore[misc]
    """The plugin framework's own service, which Terraform calls when it is done."""

    def Shutdown(self, request: Any, context: Any) -> Any:
        """Do nothing: `serve_provider` decides when to stop."""
        return grpc_controller_pb2.Empty()


class Stdio(grpc_stdio_pb2_grpc.GRPCStdioServicer):  # type: ignore[misc]
    """The plugin framework's stream of a plugin's output, which is empty."""

    def StreamStdio(self, request: Any, context: Any) -> Any:
        """End at once."""
        return iter(())
