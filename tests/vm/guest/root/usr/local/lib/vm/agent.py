"""Runs in a machine under test: executes what the host asks for over a virtio port, one JSON object a line.

    {"id": 1, "argv": ["true"], "input": "", "timeout": 60}  →  {"id": 1, "status": 0, "out": "", "err": ""}

Requests run side by side. `status` is the exit status, -N for signal N, None after the timeout.
"""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

BOOT = Path("/proc/sys/kernel/random/boot_id")
PORT = "/dev/virtio-ports/agent"
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
}


def execute(request: dict[str, Any]) -> dict[str, Any]:
    """What became of one command."""
    try:
        done = subprocess.run(
            request["argv"], input=request["input"].encode(), capture_output=True, timeout=request["timeout"],
            env=ENVIRONMENT, cwd="/root", start_new_session=True, check=False,
        )  # fmt: skip
        status, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as expired:
        status, out, err = None, expired.stdout or b"", expired.stderr or b""
    except OSError as error:
        status, out, err = 127, b"", str(error).encode()
    return {
        "id": request["id"],
        "status": status,
        "out": out.decode(errors="replace"),
        "err": err.decode(errors="replace"),
    }


def main() -> None:
    """Serve until the port is gone."""
    port = os.open(PORT, os.O_RDWR)
    writing = threading.Lock()

    def say(answer: dict[str, Any]) -> None:
        data = json.dumps(answer).encode() + b"\n"
        with writing:
            while data:
                data = data[os.write(port, data) :]

    say({"id": 0, "boot": BOOT.read_text().strip()})
    waiting = b""
    while True:
        waiting += os.read(port, 65536)
        *lines, waiting = waiting.split(b"\n")
        for line in lines:
            request = json.loads(line)
            threading.Thread(target=lambda request=request: say(execute(request)), daemon=True).start()


if __name__ == "__main__":
    main()
