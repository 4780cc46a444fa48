"""A worker needs none of its own files once it has given up root: they may lie where only root can read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import hostagent

PACKAGE = Path(hostagent.__file__).parent
SCRIPT = """
import asyncio, os, ssl, subprocess, sys
import hostagent.runtime.worker as worker
from hostagent.pki.authority import Authority
from hostagent.runtime.tls import Tls
hide = lambda path: subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=700", "none", path], check=True)
leaf = Authority.load_or_create(*map(worker.Path, sys.argv[3:5])).leaf(("db.test",))
for path in sys.argv[1:3]:
    hide(path)
worker.give_up(54321, 54321)

import json
policy = worker.Policy.from_json(json.loads(sys.argv[5]))
from_gate = sys.modules["hostagent.runtime.gate"]
statement = from_gate.Statement(frozenset({from_gate.Kind.SELECT}), functions=frozenset({from_gate.Name("", "lower")}))
analysis = from_gate.Analysis.from_json(from_gate.Analysis((statement,)).to_json())
print(from_gate.decide(policy, frozenset(), "orders", analysis, ("public",), from_gate.is_harmless).verdict)
server = Tls(worker.server_context(leaf.chain_pem, leaf.key_pem), server_side=True)
client_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
client_context.load_verify_locations(cadata=leaf.chain_pem)
client = Tls(client_context, server_side=False, server_name="db.test")
while not (client.handshake() and server.established):
    server.feed(client.outgoing())
    server.established or server.handshake()
    client.feed(server.outgoing())
verify = sys.modules["hostagent.upstream.verify"]
print(len(verify.end_point_binding(client.peer_certificate())))
"""
POLICY = """
version: 1
targets: [{name: orders, protocol: postgres, match: {addresses: [10.0.0.5]}, tls: {upstream: "off"}}]
rules: [{name: read, actors: "*", targets: orders, allow: {kinds: read}}]
"""


def test_nothing_is_loaded_after_root_was_given_up(tmp_path: Path) -> None:
    from hostagent.policy.load import load_policy

    (tmp_path / "policy.yaml").write_text(POLICY)
    policy = json.dumps(load_policy(tmp_path).to_json())
    libraries = Path(json.__file__).parents[1]  # stays: an interpreter that nobody can read is nobody's
    site = next(Path(path) for path in sys.path if path.endswith("site-packages") and Path(path) != libraries)
    arguments = [str(PACKAGE), str(site), str(tmp_path / "ca.pem"), str(tmp_path / "ca.key"), policy]
    done = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", sys.executable, "-c", SCRIPT, *arguments],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert (done.stdout, done.returncode) == ("allow\n32\n", 0), done.stderr
