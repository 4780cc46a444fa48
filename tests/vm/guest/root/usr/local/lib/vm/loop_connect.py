"""Connects again and again from its first instruction on, and writes down what came of it: `MONOTONIC VERDICT`.

VERDICT is `direct` when the server's own line was read, `refused` and the like for an errno, `silent` when the
connection was taken and nothing was said in a second, `other` for any other answer.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
import time
from pathlib import Path


def attempt(address: str, port: int) -> str:
    """What came of one connection."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        try:
            client.connect((address, port))
            answer = client.recv(64)
        except TimeoutError:
            return "silent"
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, "unknown").lower()
        return "direct" if answer == b"DIRECT\n" else f"other:{len(answer)}"


def main(address: str, port: int, log: str, times: int, pause: float) -> None:
    """`times` connections, or for ever with 0."""
    number = 0
    with Path(log).open("a", buffering=1) as written:
        written.write(f"{time.monotonic():.3f} begin {os.getpid()}\n")
        while times == 0 or number < times:
            number += 1
            written.write(f"{time.monotonic():.3f} {attempt(address, port)}\n")
            time.sleep(pause)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5]))
