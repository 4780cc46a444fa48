"""Who answers for humans, on a host as it is meant to be: members of the group, and a server that is told over https.

The daemon has a mount namespace of its own, in which /etc/group names the two groups; the system's file is not touched.
"""

from __future__ import annotations

import json
import secrets
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from hostagent.approvals.signature import NONCE, SIGNATURE, TIMESTAMP, signature, signed_headers
from tests.e2e.failure_lab import scratch
from tests.e2e.world import World, eventually, target, world
from tests.lab.dies import witness
from tests.netns.topology import inside

KEY = b"a key of the operator's, 32 long"
READERS, APPROVERS, OTHERS = 59_001, 59_002, 59_003  # gids that no host has
BOB = 4711
HOOK, CALLBACK = ("127.0.0.1", 8443), ("127.0.0.1", 8320)
POLICY = {
    "targets": [target("orders", 2)],
    "rules": [
        {
            "name": "work",
            "actors": "*",
            "targets": "orders",
            "allow": {"kinds": ["read", "session"], "functions": "*"},
        },
        {
            "name": "writes",
            "actors": "*",
            "targets": "orders",
            "approve": {
                "kinds": ["insert", "delete"],
                "approvers": {"groups": ["hostagent-approvers"], "webhook": ["ann"]},
            },
        },
    ],
}
DSN = "host=10.77.0.2 dbname=postgres user=trusting"
# what runs its arguments where /etc/group is another file
OWN_GROUPS = """mount --bind "$0" /etc/group && exec "$@" """
# SOCKET LOGIN_UID GIDS OP ARGS: asks the control socket as nobody with these groups
ASK = """
import json, os, socket, sys
with open("/proc/self/loginuid", "w") as file:
    file.write(sys.argv[2])
os.setgroups([int(gid) for gid in sys.argv[3].split(",") if gid])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
with socket.socket(socket.AF_UNIX) as sock:
    try:
        sock.connect(sys.argv[1])
    except PermissionError:
        print(json.dumps({"ok": False, "error": "not even connected"}))
        sys.exit()
    sock.sendall(json.dumps({"op": sys.argv[4], "args": json.loads(sys.argv[5])}).encode() + b"\\n")
    print(sock.makefile().readline())
"""


class Hook(ThreadingHTTPServer):
    """The operator's server, in the host's namespace; `failed` counts TLS handshakes that came to nothing."""

    daemon_threads = True

    def __init__(self, ca: trustme.CA) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.failed = 0
        super().__init__(HOOK, Handler)
        self.present(ca)

    def present(self, ca: trustme.CA) -> None:
        """Use a certificate of that CA from now on."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ca.issue_cert(HOOK[0]).configure_cert(self._context)

    def finish_request(self, request: Any, client_address: Any) -> None:
        try:
            encrypted = self._context.wrap_socket(request, server_side=True)
        except (ssl.SSLError, OSError):
            self.failed += 1
            return
        with encrypted:
            super().finish_request(encrypted, client_address)


class Handler(BaseHTTPRequestHandler):
    """One message."""

    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def here(ca: trustme.CA) -> Iterator[World]:
    with scratch() as directory:
        groups = directory / "group"
        own = f"hostagent:x:{READERS}:\nhostagent-approvers:x:{APPROVERS}:\n"
        groups.write_text(Path("/etc/group").read_text() + own)
        groups.chmod(0o644)
        key = directory / "key"
        key.write_bytes(KEY)
        key.chmod(0o600)
        ca.cert_pem.write_to_path(str(directory / "ca.pem"))
        webhook = {
            "url": f"https://{HOOK[0]}:{HOOK[1]}/hook?team=db",
            "ca_file": str(directory / "ca.pem"),
            "listen": f"{CALLBACK[0]}:{CALLBACK[1]}",
            "key": {"file": str(key)},
        }
        within = ("unshare", "--mount", "--propagation", "private", "sh", "-c", OWN_GROUPS, str(groups))
        with world(POLICY, within=within, approvals={"webhook": webhook}) as made:
            yield made


@pytest.fixture(scope="module", autouse=True)
def hook(here: World, ca: trustme.CA) -> Iterator[Hook]:
    with inside(here.lab.host):
        hook = Hook(ca)
    thread = threading.Thread(target=hook.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield hook
    finally:
        hook.shutdown()
        thread.join()
        hook.server_close()


def ask(here: World, gids: str, op: str, login: int = BOB, **args: object) -> dict[str, Any]:
    """What nobody, with these groups, is answered."""
    command = [sys.executable, "-I", "-c", ASK, str(here.agent.control), str(login), gids, op, json.dumps(args)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def inserting(here: World, number: int) -> subprocess.Popen[str]:
    command = here.agent.command("run", "--", "psql", "-X", DSN, "-c", f"INSERT INTO scratch VALUES ({number}, 'x')")
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def waiting(here: World) -> str:
    """The id of the one request that waits."""

    def look() -> str | None:
        answer = ask(here, f"{READERS},{APPROVERS}", "approvals.list")
        assert answer["ok"], answer
        found = answer["result"]["requests"]
        return found[0]["id"] if found else None

    return eventually(look)


def test_members_of_the_group_answer_and_nobody_else(here: World) -> None:
    process = inserting(here, 1)
    request = waiting(here)
    for gids in ("", f"{OTHERS}", f"{READERS}", f"{READERS},{OTHERS}"):
        refused = ask(here, gids, "approvals.approve", id=request)
        assert not refused["ok"], gids
        assert "not even connected" in refused["error"] or "hostagent-approvers" in refused["error"]
    changed = ask(here, f"{READERS},{APPROVERS}", "policy.reload")
    assert not changed["ok"], "approvers change nothing but requests"
    approved = ask(here, f"{READERS},{APPROVERS}", "approvals.approve", id=request, reason="ticket 7")
    assert approved["ok"], approved
    assert "INSERT 0 1" in process.communicate(timeout=20)[0]
    facts = [e["unmapped"]["facts"] for e in here.events() if e["metadata"]["event_code"] == "approval_given"]
    assert [(f["uid"], f["login_uid"]) for f in facts if f["request"] == request] == [(65534, BOB)]


def call_back(here: World, request: str, message: dict[str, str], key: bytes = KEY) -> int:
    """The status of a signed answer, sent on the host."""
    path, body = f"/v1/approvals/{request}", json.dumps(message).encode()
    headers = dict(signed_headers(key, "in", int(time.time()), secrets.token_hex(16), path, body))
    with inside(here.lab.host):
        connection = HTTPConnection(*CALLBACK, timeout=10)
        connection.connect()
    connection.request("POST", path, body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def told(hook: Hook, number: int) -> tuple[str, dict[str, str], bytes] | None:
    """What the server was told when that row was asked for."""
    for path, headers, body in hook.got:
        message = json.loads(body)
        if message["event"] == "asked" and message["request"]["text"] == f"INSERT INTO scratch VALUES ({number}, 'x')":
            return path, headers, body
    return None


def test_the_server_is_told_over_https_and_its_signed_answer_counts(here: World, hook: Hook) -> None:
    process = inserting(here, 2)
    path, headers, body = eventually(lambda: told(hook, 2))
    request = json.loads(body)["request"]["id"]
    assert path == "/hook?team=db"
    stamp, nonce = int(headers[TIMESTAMP.lower()]), headers[NONCE.lower()]
    assert headers[SIGNATURE.lower()] == signature(KEY, "out", stamp, nonce, path, body)
    answer = {"approver": "ann", "verdict": "approve", "reason": "ticket 8"}
    assert call_back(here, request, answer, key=b"another key of nobody's, 32 long") == 401
    assert call_back(here, request, {**answer, "approver": "eve"}) == 403
    assert process.poll() is None
    assert call_back(here, request, answer) == 200
    assert "INSERT 0 1" in process.communicate(timeout=20)[0]


def test_a_server_that_cannot_prove_its_name_is_told_nothing(here: World, hook: Hook, ca: trustme.CA) -> None:
    hook.present(trustme.CA())
    before = hook.failed
    process = inserting(here, 3)
    request = waiting(here)
    eventually(lambda: hook.failed > before)
    assert told(hook, 3) is None
    hook.present(ca)  # it is tried again
    assert json.loads(eventually(lambda: told(hook, 3))[2])["request"]["id"] == request
    then = "telling is tried again until it works"
    witness(70, "the channel to approvers (a webhook that cannot prove its name)", "what is held waits on", then)
    assert ask(here, f"{READERS},{APPROVERS}", "approvals.deny", id=request)["ok"]
    assert "denied by" in process.communicate(timeout=20)[0]
