"""Asks the daemon over its control socket; the other end is `hostagent.daemon.control`."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

from hostagent.errors import HostError

DEFAULT_SOCKET = Path("/run/hostagent/control.sock")
ANSWER_SECONDS = 35.0  # the daemon's own deadline comes first
MAX_ANSWER = 16 << 20  # a policy with thousands of rules


class Unreachable(HostError):
    """No daemon answers at the control socket."""


def socket_path(given: Path | None) -> Path:
    """The control socket: as given, else HOSTAGENT_SOCKET, else the default."""
    return given or Path(os.environ.get("HOSTAGENT_SOCKET", DEFAULT_SOCKET))


def call(path: Path, op: str, **args: Any) -> dict[str, Any]:
    """The result of one operation. Raises Unreachable without a daemon, HostError when it refuses."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(ANSWER_SECONDS)
        try:
            sock.connect(str(path))
            sock.sendall(json.dumps({"op": op, "args": args}).encode() + b"\n")
            answer = json.loads(_read_line(sock))
        except PermissionError:
            raise HostError(f"{path}: permission denied", "use sudo, or join the group hostagent") from None
        except (FileNotFoundError, ConnectionError) as error:
            hint = "is hostagentd running? `systemctl status hostagentd`"
            raise Unreachable(f"no daemon answers at {path}: {error.strerror or error}", hint) from None
        except TimeoutError:
            raise HostError(f"the daemon did not answer {op} within {ANSWER_SECONDS:g} s", "see its log") from None
    if not answer["ok"]:
        raise HostError(answer["error"], answer.get("hint", ""))
    result: dict[str, Any] = answer["result"]
    return result


def _read_line(sock: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        chunk = sock.recv(65536)
        if not chunk:
            raise ConnectionResetError("the daemon closed the connection")
        data += chunk
        if len(data) > MAX_ANSWER:
            raise HostError("the daemon's answer is too large")
    return bytes(data)
