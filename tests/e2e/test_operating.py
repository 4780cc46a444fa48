"""What an operator works with, against a running daemon: doctor, metrics, support bundle, replay of a policy."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.world import DECISION, World, eventually, target, world
from tests.lab.openmetrics import Samples, read

PLANTED = {
    place: f"planted-in-{place}-7f3a91"
    for place in ("webhook-key", "webhook-url", "config-comment", "policy-comment", "helper", "credential",
                  "daemon-environment", "own-environment", "statement", "password", "log")
}  # fmt: skip
RULES = [
    {"name": "marker-of-a-rule", "actors": "*", "targets": "*", "allow": {"kinds": ["select"], "functions": "*"}},
    {"name": "no-drops", "actors": "*", "targets": "*", "deny": {"kinds": ["drop"]}, "reason": "not here"},
]
DSN = "host=10.77.0.2 user=trusting dbname=postgres"


@pytest.fixture(scope="module")
def secret_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("secrets")
    for name in ("webhook-key", "credential"):
        (directory / name).write_text(PLANTED[name] + "\n")
        (directory / name).chmod(0o600)
    return directory


@pytest.fixture(scope="module")
def here(secret_files: Path) -> Iterator[World]:
    policy = {
        "targets": [target("orders", 2), target("other", 3)],
        "credentials": [
            {"name": "app", "user": "app", "file": str(secret_files / "credential")},
            {"name": "helped", "exec": {"command": ["/bin/echo", PLANTED["helper"]], "user": "nobody"}},
        ],
        "rules": RULES,
    }
    webhook = {
        "url": f"https://127.0.0.1:9/hook?token={PLANTED['webhook-url']}",
        "key": {"file": str(secret_files / "webhook-key")},
    }
    settings: dict[str, Any] = {"approvals": {"webhook": webhook}, "metrics": {"listen": "127.0.0.1:9477"}}
    within = ("env", f"HOSTAGENT_PLANTED={PLANTED['daemon-environment']}")
    with world(policy, within=within, **settings) as made:
        for file, name in (
            (made.agent.config, "config-comment"),
            (made.agent.policies / "policy.yaml", "policy-comment"),
        ):
            file.write_text(f"{file.read_text()}\n# the old one was {PLANTED[name]}\n")
        made.psql(
            DSN,
            f"SELECT '{PLANTED['statement']}';",
            "SELECT id FROM accounts;",
            "SELECT id FROM accounts;",
            "DROP TABLE scratch;",
            f"ALTER ROLE app PASSWORD '{PLANTED['password']}';",
        )
        yield made


def scrape(here: World, accept: str = "") -> tuple[str, str]:
    """Content type and text, over the unix socket."""

    class Connection(http.client.HTTPConnection):
        def connect(self) -> None:
            self.sock = socket.socket(socket.AF_UNIX)
            self.sock.connect(str(here.agent.directory / "run" / "metrics.sock"))

    connection = Connection("localhost", timeout=20)
    connection.request("GET", "/metrics", headers={"Accept": accept} if accept else {})
    response = connection.getresponse()
    assert response.status == 200
    return response.headers["Content-Type"], response.read().decode()


def samples(here: World) -> Samples:
    return read(scrape(here, "application/openmetrics-text")[1], openmetrics=True)[1]


def test_doctor_finds_nothing_and_has_tried_every_way_out(here: World) -> None:
    found = json.loads(here.agent.hostagent("doctor", "-o", "json", check=False))
    checks = {check["id"]: check for check in found["checks"]}
    failed = {name: check["evidence"] for name, check in checks.items() if check["status"] == "FAIL"}
    assert not failed
    numbers = [check["number"] for check in found["checks"]]
    assert numbers == sorted(set(numbers))
    assert {"bypass.mark", "bypass.namespace", "bypass.cgroup", "canary.ipv6.raw", "records.chain"} <= set(checks)
    assert checks["bypass.cgroup"]["evidence"] == "answer hostagent: intercepted"
    assert all(check["fix"] for check in found["checks"] if check["status"] != "PASS")
    assert sum(found["results"].values()) == len(numbers)


def test_metrics_say_what_was_done(here: World) -> None:
    def counted() -> Samples | None:
        seen = samples(here)
        closed = seen["hostagent_sessions_open"].get((("target", "orders"), ("protocol", "postgres")), 0) == 0
        return seen if closed else None

    seen = eventually(counted)
    orders = (("target", "orders"), ("protocol", "postgres"))
    decisions = seen["hostagent_decisions_total"]
    assert decisions[(*orders, ("verdict", "allow"))] == 3
    assert decisions[(*orders, ("verdict", "deny"))] == 2
    denials = seen["hostagent_denials_total"]
    assert denials == {(*orders, ("reason", "rule")): 1, (*orders, ("reason", "no_rule")): 1}
    assert seen["hostagent_flows_total"][(*orders, ("outcome", "opened"))] == 1
    assert seen["hostagent_bytes_total"][(*orders, ("leg", "client"))] > 0
    assert seen["hostagent_lookups_total"][(("result", "hit"),)] == 1  # the second of the two that are the same
    assert (
        seen["hostagent_decision_analysis_seconds_count"][()] == seen["hostagent_lookups_total"][(("result", "miss"),)]
    )
    assert seen["hostagent_ready"][()] == 1
    assert seen["hostagent_records_bytes"][(("kind", "journal"),)] > 0
    assert not {PLANTED["statement"], "10.77.0.2"} & set(str(seen).split("'"))


def test_both_forms_and_both_sockets_say_the_same(here: World) -> None:
    kind, text = scrape(here)
    assert kind.startswith("text/plain; version=0.0.4")
    plain = read(text, openmetrics=False)[0]
    kind, text = scrape(here, "application/openmetrics-text;version=1.0.0,text/plain;q=0.5")
    assert kind.startswith("application/openmetrics-text; version=1.0.0")
    types = read(text, openmetrics=True)[0]
    assert {name.removesuffix("_total"): kind for name, kind in plain.items()} == types
    script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9477/metrics').status)"
    assert here.direct("python3", "-c", script).stdout == "200\n"
    assert here.direct("python3", "-c", script.replace("/metrics", "/other")).returncode != 0


def test_a_worker_that_dies_takes_no_counts_with_it(here: World) -> None:
    before = samples(here)
    status = json.loads(here.agent.hostagent("status", "-o", "json"))
    os.kill(status["workers"][0]["pid"], 9)

    def restarted() -> Samples | None:
        seen = samples(here)
        return seen if seen["hostagent_child_restarts_total"][(("child", "worker0"),)] == 1 else None

    after = eventually(restarted)
    for name in ("hostagent_decisions_total", "hostagent_flows_total"):
        assert all(after[name][labels] >= value for labels, value in before[name].items())


def support(here: World, tmp_path: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], Path]:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, says in (("journalctl", f"event=ready marker-of-the-log password={PLANTED['log']}"), ("systemctl", "ok")):
        (programs / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (programs / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PGPASSWORD": PLANTED["own-environment"],
    }
    file = tmp_path / "bundle.tar.gz"
    command = here.agent.command("support", "--config", here.agent.config, "--file", file, *arguments)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    return done, file


def unpacked(file: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(file) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member)
            assert content is not None
            found[member.name.partition("/")[2]] = content.read().decode()
    return found


def test_no_secret_is_in_a_support_bundle_and_what_helps_is(here: World, tmp_path: Path) -> None:
    done, file = support(here, tmp_path, "--yes")
    assert done.returncode == 0, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    found = unpacked(file)
    key = here.agent.state / "ca" / "ca.key"
    lines = [line for line in key.read_text().splitlines() if "-----" not in line]
    for name, text in found.items():
        held = [place for place, secret in PLANTED.items() if secret in text]
        assert not held, name
        assert not any(line in text for line in lines), name
        assert "PRIVATE KEY" not in text
    assert "marker-of-a-rule" in found["policies.json"]
    assert "marker-of-a-rule" in found["policy-in-force.json"]
    assert "marker-of-the-log" in found["log.txt"]
    assert "tproxy" in found["nftables.txt"]
    assert "fwmark" in found["routing.txt"]
    assert "hostagent_ready 1" in found["metrics.txt"]
    assert '"canary.ipv4.tcp"' in found["doctor.json"]
    assert json.loads(found["status.json"])["state"] == "ready"
    assert {entry["file"] for entry in json.loads(found["manifest.json"])["files"]} == set(found) - {"manifest.json"}
    assert all(name in done.stdout for name in found if name != "manifest.json")  # the list that comes first


def test_a_list_writes_nothing_and_nobody_to_ask_writes_nothing(here: World, tmp_path: Path) -> None:
    done, file = support(here, tmp_path, "--list")
    assert (done.returncode, file.exists()) == (0, False)
    assert "policies.json" in done.stdout
    (tmp_path / "second").mkdir()
    done, file = support(here, tmp_path / "second")
    assert (done.returncode, file.exists()) == (1, False)


def test_statements_come_only_when_they_are_asked_for(here: World, tmp_path: Path) -> None:
    done, file = support(here, tmp_path, "--yes", "--with-statements", "1000")
    assert done.returncode == 0, done.stderr
    found = unpacked(file)
    assert PLANTED["statement"] in found["events.ndjson"]
    held = {place for place, secret in PLANTED.items() for text in found.values() if secret in text}
    assert held == {"statement"}


def test_a_policy_is_replayed_against_what_was_decided(here: World, tmp_path: Path) -> None:
    same, other = tmp_path / "same.yaml", tmp_path / "other.yaml"
    targets = [target("orders", 2, tls="off"), target("other", 3, tls="off")]
    same.write_text(json.dumps({"version": 1, "targets": targets, "rules": RULES}))
    relations = {**RULES[0], "allow": {"kinds": ["select", "drop"], "relations": ["public.scratch"]}}
    other.write_text(json.dumps({"version": 1, "targets": targets, "rules": [relations]}))

    def replay(policy: Path) -> tuple[int, dict[str, Any]]:
        command = here.agent.command("policy", "replay", policy, "--state-dir", here.agent.state, "-o", "json")
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, json.loads(done.stdout)

    code, found = replay(same)
    assert (code, found["same"], found["changed"], found["unknown"]) == (0, 5, 0, {})
    code, found = replay(other)
    assert (code, found["same"], found["changed"]) == (1, 2, 3)
    changes = {(change["was"], change["would_be"]): change for change in found["changes"]}
    assert changes["deny", "allow"]["text"] == "DROP TABLE scratch;"
    assert changes["allow", "deny"]["count"] == 2
    assert changes["allow", "deny"]["text"] == "SELECT id FROM accounts;"
    done = here.psql(DSN, "DROP TABLE scratch;")
    assert DECISION.search(done.stderr) is not None  # nothing of it is in force
