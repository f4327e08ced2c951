"""Run code in a kernel over its websocket, as a browser does."""

import json
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import websocket

from hub_user.loopback import loopback
from pangeo_core.errors import PangeoDeployError


class CellFailed(PangeoDeployError):
    """Code failed in the kernel (`why` is the end of its traceback), or the kernel died."""


@dataclass(frozen=True)
class Kernel:
    """An open websocket to one kernel."""

    channel: websocket.WebSocket
    session: str

    @classmethod
    @contextmanager
    def connect(cls, address: str, token: str, seconds: float = 60.0) -> "Iterator[Kernel]":
        """Open the websocket at `address`; every message must arrive within `seconds`."""
        reached, host = loopback(address)
        try:
            channel = websocket.create_connection(
                reached,
                host=host,
                header={"Authorization": f"token {token}"},
                timeout=seconds,
                http_no_proxy=["*"],
            )
        except (OSError, websocket.WebSocketException) as error:
            raise CellFailed("The kernel's websocket cannot be opened.", why=str(error)) from error
        try:
            yield cls(channel, uuid.uuid4().hex)
        finally:
            channel.close()

    def run(self, code: str, seconds: float = 120.0) -> str:
        """Run `code` and return its output on stdout. Raises `CellFailed` if it raises."""
        asked = self._message(
            "execute_request", {"code": code, "silent": False, "store_history": False}
        )
        self.channel.settimeout(seconds)
        printed: list[str] = []
        try:
            self.channel.send(json.dumps(asked))
            while True:
                message = json.loads(self.channel.recv())
                if message["parent_header"].get("msg_id") != asked["header"]["msg_id"]:
                    continue
                kind, content = message["msg_type"], message["content"]
                if kind == "stream" and content["name"] == "stdout":
                    printed.append(content["text"])
                elif kind == "error":
                    raise CellFailed(
                        f"The cell raised {content['ename']}.", why=f"{content['evalue']}"
                    )
                elif kind == "status" and content["execution_state"] == "idle":
                    return "".join(printed)
        except (OSError, ValueError, websocket.WebSocketException) as error:
            raise CellFailed("The kernel does not answer.", why=str(error)) from error

    def result(self, code: str, seconds: float = 120.0) -> Any:
        """Run `code` whose last printed line is JSON, and return its value."""
        return json.loads(self.run(code, seconds).splitlines()[-1])

    def _message(self, kind: str, content: dict[str, Any]) -> dict[str, Any]:
        header = {
            "msg_id": uuid.uuid4().hex,
            "session": self.session,
            "username": "",
            "date": datetime.now(UTC).isoformat(),
            "msg_type": kind,
            "version": "5.3",
        }
        return {
            "header": header,
            "parent_header": {},
            "metadata": {},
            "content": content,
            "channel": "shell",
        }
