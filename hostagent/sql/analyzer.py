"""The analyzer process: reads statement texts from a listening unix socket that it inherits, answers what they do.

It lives in a box: no capability, no network, no new file, process or privilege, bounded memory, and bounded CPU time a
request. A text that breaks the parser or exceeds a bound kills the process; the worker sees the end of the connection,
which is a deny, and the supervisor starts another. It holds no state between requests and writes no log.
Run as `python -m hostagent.sql.analyzer FD [UID GID]`.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import signal
import socket
import sys
import threading
from typing import Any

from hostagent.privilege import checked, give_up
from hostagent.seccomp import refuse
from hostagent.sql import framing, mysql
from hostagent.sql.analysis import Analysis
from hostagent.sql.masking.catalog import Catalog, decode
from hostagent.sql.masking.rewrite import rewrite
from hostagent.sql.masking.values import Masks, result_to_json
from hostagent.sql.mysql.masking import rewrite as mysql_masking
from hostagent.sql.postgres import analyze
from hostagent.values.mysql import MysqlSettings

CPU_SECONDS = 5.0  # a request; the longest text of the dearest kind takes about three
IDLE_SECONDS = 5.0  # for a worker to send its whole request, or to take the reply
MEMORY = 1536 << 20  # bytes of address space, a third of it the parser's stack
STACK = 512 << 20  # libpg_query recurses in C: what is nested too deeply is then refused, not a crash
DEPTH = 8_000  # levels of a parse tree
FILES = 16
MAX_REQUEST = framing.MAX_FRAME  # a text of MAX_TEXT, of which JSON can write one byte as six, and a catalog

CLONE_NEWNET = 0x40000000

LIMITS = (
    (resource.RLIMIT_AS, MEMORY),
    (resource.RLIMIT_CORE, 0),
    (resource.RLIMIT_FSIZE, 0),
    (resource.RLIMIT_NOFILE, FILES),
)


def main(arguments: list[str] | None = None) -> None:
    """Serves until it is killed. Raises HostError where the box cannot be closed."""
    fd, *owner = [int(a) for a in (sys.argv[1:] if arguments is None else arguments)]
    listener = socket.socket(fileno=fd)
    confine(*owner)
    sys.setrecursionlimit(DEPTH)
    gc.disable()  # a tree has no cycles, and looking for them takes most of the time of a large one
    gc.freeze()
    threading.stack_size(STACK)
    server = threading.Thread(target=serve, args=(listener,), daemon=True)
    server.start()
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    server.join()


def confine(uid: int = 0, gid: int = 0) -> None:
    """Closes the box, for good. As root it needs the uid and gid to become."""
    if os.geteuid() == 0:
        libc = ctypes.CDLL(None, use_errno=True)
        checked(libc.unshare(CLONE_NEWNET), "leave the network")
    give_up(uid, gid)
    refuse(("socket", "connect"))
    for limit, value in LIMITS:
        resource.setrlimit(limit, (value, value))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)


def serve(listener: socket.socket) -> None:
    """Answers one connection after the other; a worker that goes away in between is its own affair."""
    while True:
        connection, _ = listener.accept()
        with connection:
            try:
                connection.settimeout(IDLE_SECONDS)
                connection.sendall(answer(_receive(connection)))
            except (OSError, EOFError, ValueError, KeyError, TypeError):
                pass
        gc.collect(0)  # what exceptions left behind


def answer(body: bytes) -> bytes:
    """The reply frame to a request, within CPU_SECONDS of CPU time, or the end of the process by SIGPROF.

    Raises ValueError, KeyError or TypeError on what is no request.
    """
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    request = framing.decode(body)
    text = request["text"]
    if not isinstance(text, str):
        raise TypeError("text is not a string")
    reply = framing.encode(_masked(text, request) if "masks" in request else _analysis(text, request))
    signal.setitimer(signal.ITIMER_PROF, 0)
    return reply


def _analysis(text: str, request: dict[str, Any]) -> dict[str, Any]:
    if "mysql" in request:
        result = mysql.analyze(text, MysqlSettings.from_json(request["mysql"]))
    else:
        result = analyze(text, standard_conforming_strings=request.get("standard_conforming_strings") is not False)
    if isinstance(result, Analysis):
        return {"analysis": result.to_json()}
    return {"unanalyzed": [result.reason, result.syntax, result.position]}


def _masked(text: str, request: dict[str, Any]) -> dict[str, Any]:
    masks = Masks.from_json(request["masks"])
    if "mysql" in request:
        result = mysql_masking.answer(text, MysqlSettings.from_json(request["mysql"]), request["catalog"], masks)
        return {"result": result_to_json(result)}
    catalog = decode(request["catalog"]) if request["catalog"] else Catalog()
    return {"result": result_to_json(rewrite(text, catalog, masks))}


def _receive(connection: socket.socket) -> bytes:
    size = framing.length(_exactly(connection, framing.HEADER))
    if size > MAX_REQUEST:
        raise ValueError(f"a request of {size} bytes")
    return _exactly(connection, size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    buffer = bytearray()
    while len(buffer) < size:
        chunk = connection.recv(size - len(buffer))
        if not chunk:
            raise EOFError("the worker went away")
        buffer += chunk
    return bytes(buffer)


if __name__ == "__main__":
    main()
