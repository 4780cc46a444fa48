"""Credentials from helpers and a Vault, client certificates, channel binding to the server, and clients that insist."""

from __future__ import annotations

import itertools
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.e2e.test_authentication import places
from tests.e2e.tls_proxy import TlsProxy, strip_plus
from tests.e2e.world import SECRETS, Done, World, target, world
from tests.lab import vault as lab
from tests.lab.agent import WORKER_USER
from tests.netns.topology import inside

PLACEHOLDER = "placeholder-s3cret-11"
MADE = "made-s3cret-42"
TOKEN, SECRET_ID = "hvs.t0ken-s3cret-77", "sid-s3cret-88"
WHO = "SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();"
RULES = [{"name": "all", "actors": "*", "targets": "*", "allow": {"kinds": "any", "functions": "*"}}]
PROXIES = {"bound-own": 7001, "bound-other": 7002, "bound-stripped": 7003}
CONNECT = """
import psycopg, sys
with psycopg.connect(sys.argv[1]) as connection:
    user = connection.execute("SELECT current_user").fetchone()[0]
    print(psycopg.pq.version(), user, connection.pgconn.used_password)
"""


@dataclass
class Here:
    """The world, its Vault, and the directory with the secrets."""

    world: World
    vault: lab.Vault
    directory: Path
    made: list[str] = field(default_factory=list)

    def log_in(self, number: int, options: str = "sslmode=disable", password: str = "", port: int = 5432) -> Done:
        """psql as somebody, who asks who it is."""
        dsn = f"host=10.77.0.{number} port={port} dbname=postgres user=somebody {options}"
        environment = {**os.environ, "PGPASSWORD": password}
        return self.world.governed("psql", "-X", "-A", "-t", "-w", dsn, "-c", WHO, env=environment)

    def psycopg(self, options: str, password: str) -> Done:
        """A client with the newest libpq, which knows require_auth."""
        dsn = f"host=orders.lab.test hostaddr=10.77.0.2 dbname=postgres user=somebody {options}"
        environment = {**os.environ, "PGPASSWORD": password}
        return self.world.governed(sys.executable, "-I", "-c", CONNECT, dsn, env=environment)


def patiently(look: Callable[[], bool]) -> None:
    """Wait for what takes the lifetime of a secret. Raises AssertionError when it does not come."""
    deadline = time.monotonic() + 30
    while not look():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.2)


def private(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hostagent-e2e-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def sources(directory: Path, address: str) -> list[dict[str, Any]]:
    """The policy's credentials."""
    common = {"address": address, "ca_file": f"{directory}/vault-ca.pem"}
    token = {"token_from": {"file": private(directory / "token", TOKEN)}}
    approle = {"approle": {"role_id": "role-1", "secret_id_from": {"file": private(directory / "sid", SECRET_ID)}}}
    stored = {**common, "engine": "kv2", "mount": "secret", "path": "orders", "lifetime": 6.0}
    helper = directory / "helper"
    helper.write_text(f'#!/bin/sh\necho \'{{"user": "plain", "secret": "{SECRETS["plain"]}"}}\'\n')
    helper.chmod(0o755)
    fails = {"command": ["/bin/sh", "-c", "echo why >&2; exit 4"], "user": "nobody"}
    return [
        {"name": "app", "user": "app", "file": private(directory / "app", SECRETS["app"])},
        {"name": "made", "vault": {**common, **approle, "engine": "database", "mount": "database", "path": "app"}},
        {"name": "stored", "vault": {**stored, **token}},
        {"name": "helper", "exec": {"command": [str(helper)], "user": "nobody"}},
        {"name": "broken", "user": "app", "exec": fails},
    ]  # fmt: skip


def targets(directory: Path) -> list[dict[str, Any]]:
    """The policy's targets: an address of the server, or a proxy before it, for each way to log in."""
    certificate = target("certificate", 6)
    certificate["tls"] |= {"cert_file": f"{directory}/client.pem", "key_file": f"{directory}/client.key"}
    proxies = [target(name, 2, port=port, credential="app") for name, port in PROXIES.items()]
    for entry in proxies:
        entry["tls"]["ca_file"] = f"{directory}/both-ca.pem"
    insists = {"client_auth": "scram", "placeholder_password": {"file": private(directory / "ph", PLACEHOLDER)}}
    return [
        target("insists", 2, credential="app", **insists),
        target("made", 3, credential="made"),
        target("stored", 4, credential="stored"),
        target("helper", 5, credential="helper"),
        certificate,
        target("broken", 7, credential="broken"),
        target("lets-in", 8, credential="app"),
        *proxies,
    ]


@pytest.fixture(scope="module")
def here(directory: Path) -> Iterator[Here]:
    vault = lab.Vault(tokens={TOKEN: lab.Token()}, approles={"role-1": SECRET_ID}, lease_seconds=6, lease_latest=9)
    vault.kv["secret/data/orders"] = {"data": {"username": "app", "password": SECRETS["app"]}}
    vault_ca, numbers = trustme.CA(), itertools.count(1)
    vault_ca.cert_pem.write_to_path(str(directory / "vault-ca.pem"))
    client_ca = trustme.CA()
    leaf = client_ca.issue_cert(common_name="somebody")
    (directory / "client.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    private(directory / "client.key", leaf.private_key_pem.bytes().decode())
    port = 18200
    policy = {
        "targets": targets(directory),
        "credentials": sources(directory, f"https://127.0.0.1:{port}"),
        "rules": RULES,
    }
    with world(policy) as made:
        made.postgres.sql("CREATE USER somebody SUPERUSER;")
        use_client_certificates(made, client_ca)
        result = Here(made, vault, directory)

        def make() -> tuple[str, str]:
            user = f"v-app-{next(numbers)}"
            made.postgres.sql(f"CREATE USER \"{user}\" SUPERUSER PASSWORD '{MADE}'")
            return user, MADE

        vault.roles["database/creds/app"] = make
        with inside(made.lab.host):
            serving = lab.serve(vault, vault_ca, port=port)
            serving.__enter__()
        try:
            yield result
        finally:
            serving.__exit__(None, None, None)


def use_client_certificates(here: World, ca: trustme.CA) -> None:
    """Let `somebody` in on 10.77.0.6 by certificate alone, by password on the others."""
    file = here.postgres.directory / "client-ca.pem"
    ca.cert_pem.write_to_path(str(file))
    file.chmod(0o644)
    hba = here.postgres.directory / "data" / "pg_hba.conf"
    hba.write_text("hostssl all somebody all cert\n" + hba.read_text())
    here.postgres.sql(f"ALTER SYSTEM SET ssl_ca_file = '{file}'")
    here.postgres.sql("SELECT pg_reload_conf()")
    time.sleep(0.5)


@pytest.fixture(scope="module")
def proxies(here: Here) -> Iterator[dict[str, TlsProxy]]:
    """Proxies with the server's own certificate; with another good one; and one that takes PLUS out of the offer."""
    own = here.world.postgres.directory
    other_ca = trustme.CA()
    other = other_ca.issue_cert("orders.lab.test")
    (here.directory / "other.pem").write_bytes(b"".join(blob.bytes() for blob in other.cert_chain_pems))
    other.private_key_pem.write_to_path(str(here.directory / "other.key"))
    both = here.world.postgres.ca_file.read_bytes() + other_ca.cert_pem.bytes()
    (here.directory / "both-ca.pem").write_bytes(both)
    certificate, key = here.directory / "other.pem", here.directory / "other.key"
    made = {
        "bound-own": TlsProxy(here.world.lab.db, 7001, own / "server.pem", own / "server.key"),
        "bound-other": TlsProxy(here.world.lab.db, 7002, certificate, key),
        "bound-stripped": TlsProxy(here.world.lab.db, 7003, own / "server.pem", own / "server.key", strip_plus),
    }
    yield made
    for proxy in made.values():
        proxy.close()


# --- sources --------------------------------------------------------------------------------------------------


def test_a_helper_says_user_and_secret(here: Here) -> None:
    assert here.log_in(5).stdout == "plain|t\n"


def test_a_helper_that_fails_denies_the_flow_and_tells_the_operator_where(here: Here) -> None:
    done = here.log_in(7)
    assert done.stdout == "" and "denied: the credential of this target cannot be read" in done.stderr
    assert "exit 4" not in done.stderr and "why" not in done.stderr
    status = here.world.agent.hostagent("status", check=False)
    assert "policy.yaml:1:" in status and "/bin/sh ended with status 4: why" in status


def test_vault_makes_a_login_and_its_lease_is_renewed(here: Here) -> None:
    first = here.log_in(3)
    assert first.stdout.startswith("v-app-"), first.stderr
    user = first.stdout.split("|")[0]
    patiently(lambda: "POST sys/leases/renew" in here.vault.asked)
    assert here.log_in(3).stdout.split("|")[0] == user


def test_a_lease_at_its_last_end_is_followed_by_a_new_login(here: Here) -> None:
    user = here.log_in(3).stdout

    patiently(lambda: here.log_in(3).stdout not in ("", user))


def test_a_stored_secret_that_was_changed_is_read_again(here: Here) -> None:
    assert here.log_in(4).stdout == "app|t\n"
    here.vault.kv["secret/data/orders"] = {"data": {"username": "plain", "password": SECRETS["plain"]}}
    patiently(lambda: here.log_in(4).stdout == "plain|t\n")


def test_without_vault_the_old_secret_serves_to_its_end_and_then_none(here: Here) -> None:
    assert here.log_in(4).stdout != ""
    reads = here.vault.asked.count("GET secret/data/orders")
    patiently(lambda: here.vault.asked.count("GET secret/data/orders") > reads)
    here.vault.sealed = True  # right after a refresh: what is held is good for five seconds
    try:
        assert here.log_in(4).stdout != ""
        patiently(lambda: "denied: the credential of this target cannot be read" in here.log_in(4).stderr)
        status = here.world.agent.hostagent("status", check=False)
        assert "Vault is sealed" in status and "policy.yaml:1:" in status
    finally:
        here.vault.sealed = False
    patiently(lambda: here.log_in(4).stdout != "")


# --- towards the server ---------------------------------------------------------------------------------------


def test_a_client_certificate_logs_in(here: Here) -> None:
    assert here.log_in(6).stdout == "somebody|t\n"
    assert here.log_in(6, "sslmode=require").stdout == "somebody|t\n"


def test_a_client_certificate_whose_key_others_can_read_is_not_used(here: Here) -> None:
    key = here.directory / "client.key"
    key.chmod(0o644)
    done = here.log_in(6)
    key.chmod(0o600)
    assert "denied: what this target is logged in to with cannot be read" in done.stderr
    assert "other users can read the file" in here.world.agent.hostagent("status", check=False)


def test_channel_binding_holds_where_the_certificate_is_the_servers(here: Here, proxies: dict[str, TlsProxy]) -> None:
    done = here.log_in(2, port=PROXIES["bound-own"])
    assert done.stdout == "app|t\n", done.stderr


def test_a_middle_with_another_good_certificate_is_found_by_the_server(
    here: Here, proxies: dict[str, TlsProxy]
) -> None:
    done = here.log_in(2, port=PROXIES["bound-other"])
    assert done.stdout == "" and "target bound-other refused the credential" in done.stderr
    assert "SCRAM channel binding check failed" in here.world.postgres.log()


def test_a_middle_that_strips_the_offer_is_found_by_the_server(here: Here, proxies: dict[str, TlsProxy]) -> None:
    done = here.log_in(2, port=PROXIES["bound-stripped"])
    assert proxies["bound-stripped"].changed == 1
    assert done.stdout == "" and "target bound-stripped refused the credential" in done.stderr
    assert "SCRAM channel binding negotiation error" in here.world.postgres.log()


# --- towards the client ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", ["sslmode=disable", "sslmode=require", "sslmode=require channel_binding=require",
                                     "sslmode=require channel_binding=disable"])  # fmt: skip
def test_psql_with_the_placeholder_is_let_in(here: Here, options: str) -> None:
    assert here.log_in(2, options, PLACEHOLDER).stdout == "app|t\n"


@pytest.mark.parametrize("options", ["sslmode=disable", "sslmode=require channel_binding=require"])
def test_psql_with_another_password_is_refused(here: Here, options: str) -> None:
    done = here.log_in(2, options, "guess-s3cret")
    assert done.stdout == "" and "target insists: password authentication failed" in done.stderr
    assert "no password supplied" in here.log_in(2, options).stderr


def test_psql_that_insists_is_not_let_in_where_nothing_is_asked(here: Here) -> None:
    done = here.log_in(8, "sslmode=require channel_binding=require", PLACEHOLDER)
    assert done.stdout == "" and "channel binding required" in done.stderr
    assert here.log_in(8, "sslmode=require", PLACEHOLDER).stdout == "app|t\n"


@pytest.mark.parametrize(
    "options",
    ["sslmode=require require_auth=scram-sha-256", "sslmode=disable require_auth=scram-sha-256",
     "sslmode=require require_auth=scram-sha-256 channel_binding=require",
     "sslmode=verify-full require_auth=scram-sha-256 channel_binding=require",
     "sslmode=require sslnegotiation=direct require_auth=scram-sha-256 channel_binding=require",
     "sslmode=require require_auth=scram-sha-256 channel_binding=require max_protocol_version=latest"],
)  # fmt: skip
def test_psycopg_that_insists_is_let_in(here: Here, options: str) -> None:
    root = here.directory / "host-ca.pem"
    root.write_text(here.world.agent.hostagent("ca"))
    options += f" sslrootcert={root}" if "verify" in options else ""
    done = here.psycopg(options, PLACEHOLDER)
    version, user, used = done.stdout.split() or [done.stderr] * 3
    assert int(version) >= 160000 and (user, used) == ("app", "True")


def test_psycopg_that_insists_is_refused_with_another_password(here: Here) -> None:
    options = "sslmode=require require_auth=scram-sha-256 channel_binding=require"
    done = here.psycopg(options, "guess-s3cret")
    assert done.stdout == "" and "password authentication failed" in done.stderr


def test_the_newest_libpq_that_insists_is_not_let_in_where_nothing_is_asked(here: Here) -> None:
    dsn = "host=10.77.0.8 dbname=postgres user=somebody password=x sslmode=disable require_auth=scram-sha-256"
    done = here.world.governed(sys.executable, "-I", "-c", CONNECT, dsn)
    assert done.stdout == "" and "scram-sha-256" in done.stderr


# --- and no secret anywhere -----------------------------------------------------------------------------------


def test_no_secret_is_in_any_record_log_or_process(here: Here) -> None:
    for number in (2, 3, 4, 5, 6, 7):
        here.log_in(number)
    key = (here.directory / "client.key").read_text().splitlines()[1]
    secrets = [PLACEHOLDER, MADE, TOKEN, SECRET_ID, "hvs.own", SECRETS["plain"], SECRETS["app"], key]
    seen = list(places(here.world.agent.directory))
    assert [(name, secret) for name, data in seen for secret in secrets if secret.encode() in data] == []


def test_each_runtime_is_asked_with_a_leaf_of_the_real_daemon(here: Here) -> None:
    trust = here.directory / "trust"
    here.world.agent.hostagent("ca", "install", "--environment", trust)
    asked = json.loads(here.world.agent.hostagent("ca", "status", "--environment", trust, "-o", "json"))
    assert {row["trusts"] for row in asked["runtimes"]} <= {True, None}
    refused = json.loads(here.world.agent.hostagent("ca", "status", "-o", "json", check=False))
    assert True not in {row["trusts"] for row in refused["runtimes"]}
    here.world.agent.hostagent("ca", "uninstall", "--environment", trust)
    assert not trust.exists()


def test_the_ca_key_is_read_by_no_worker(here: Here) -> None:
    state = here.world.agent.state / "ca"
    assert (state / "ca.key").stat().st_mode & 0o777 == 0o600 and (state / "ca.key").stat().st_uid == 0
    script = f"import os; os.setuid({WORKER_USER}); print(len(open('{state}/ca.pem').read())); open('{state}/ca.key')"
    done = here.world.direct("/usr/bin/python3", "-I", "-c", script)
    assert int(done.stdout) > 500 and "PermissionError" in done.stderr
