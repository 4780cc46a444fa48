"""The database host's listener from the first second of a boot: counts who reaches it, in the namespace it runs in.

Each connection gets the line DIRECT and is written down as `ADDRESS PORT`; a governed process must never read that line
before the proxy has recorded it.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path


def main(port: int, log: str) -> None:
    """Serve for ever."""
    with socket.create_server(("", port), backlog=1024) as server, Path(log).open("a", buffering=1) as written:
        if notify := os.environ.get("NOTIFY_SOCKET"):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
                told.sendto(b"READY=1", notify)
        while True:
            peer, address = server.accept()
            written.write(f"{address[0]} {address[1]}\n")
            with peer:
                try:
                    peer.sendall(b"DIRECT\n")
                except OSError:
                    continue


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
