"""Run in the place of ssh by OpenSSH's sftp and scp: the server's program as a child, and a guard between the two.

Environment: BETWEEN_LOG (a file for what was asked and finished, as JSON), BETWEEN_ROOT (operations on paths below it
are allowed), BETWEEN_DENY (kinds that are denied all the same), BETWEEN_ANYWHERE (kinds that are allowed everywhere).
"""

from __future__ import annotations

import dataclasses
import json
import os
import selectors
import shlex
import subprocess
import sys
from pathlib import Path

from hostagent.protocols.ssh.scp import ScpGuard
from hostagent.protocols.ssh.sftp import SftpGuard
from hostagent.ssh.operation import Operation

SERVER = "/usr/lib/openssh/sftp-server"
CHUNK = int(os.environ.get("BETWEEN_CHUNK", "65536"))


def allowed(operation: Operation) -> bool:
    root = os.environ["BETWEEN_ROOT"]
    if operation.kind in os.environ.get("BETWEEN_DENY", "").split():
        return False
    if operation.kind in os.environ.get("BETWEEN_ANYWHERE", "").split():
        return True
    return all(path == root or path.startswith(root + "/") for path in operation.paths)


def main() -> int:
    arguments = sys.argv[1:]
    guard: SftpGuard | ScpGuard
    if "-s" in arguments:
        command, guard = [SERVER], SftpGuard("ci")
    else:
        command = shlex.split(arguments[-1])
        try:
            guard = ScpGuard("ci", tuple(command))
        except ValueError as error:
            print(f"denied: {error}", file=sys.stderr)
            return 1
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    asked: list[object] = []
    serve(guard, child, asked)
    ended = isinstance(guard, ScpGuard) and guard.ended
    guard.closed()
    finished = [dataclasses.asdict(transfer) for transfer in guard.finished]
    with Path(os.environ["BETWEEN_LOG"]).open("a") as log:
        log.write(json.dumps({"asked": asked, "finished": finished}) + "\n")
    status = child.wait()
    return 1 if ended else status


def serve(guard: SftpGuard | ScpGuard, child: subprocess.Popen[bytes], asked: list[object]) -> None:
    assert child.stdin is not None and child.stdout is not None
    ends = {0: guard.client_data, child.stdout.fileno(): guard.server_data}
    selector = selectors.DefaultSelector()
    for end in ends:
        selector.register(end, selectors.EVENT_READ)
    while len(selector.get_map()) == len(ends) or child.stdout.fileno() in selector.get_map():
        for key, _ in selector.select():
            data = os.read(key.fd, CHUNK)
            if data:
                ends[key.fd](data)
                pump(guard, child.stdin.fileno(), asked)
                continue
            selector.unregister(key.fd)
            if key.fd == 0:
                child.stdin.close()
        if isinstance(guard, ScpGuard) and guard.ended:
            child.kill()
            return


def pump(guard: SftpGuard | ScpGuard, server: int, asked: list[object]) -> None:
    while True:
        for target, pieces in ((server, guard.to_server), (1, guard.to_client)):
            data = b"".join(pieces)
            pieces.clear()
            while data:
                data = data[os.write(target, data) :]
        if not guard.asked:
            return
        questions, guard.asked = guard.asked, []
        for token, operation in questions:
            verdict = allowed(operation)
            asked.append([operation.kind, list(operation.paths), verdict])
            guard.decided(token, verdict, "denied by the test (decision f00-1.1)")


if __name__ == "__main__":
    sys.exit(main())
