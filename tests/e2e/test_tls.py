"""TLS on both legs: what clients ask for is given, and the upstream is who the policy says or hears nothing."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.e2e.impostor import Impostor, certificates
from tests.e2e.world import CLIENTS, Done, World, target, world

REFUSED = {
    "name": "impostor-name: the upstream's certificate could not be verified: Hostname mismatch",
    "address": "impostor-address: the upstream's certificate could not be verified: Hostname mismatch",
    "expired": "impostor-expired: the upstream's certificate could not be verified: certificate has expired",
    "issuer": "impostor-issuer: the upstream's certificate could not be verified: unable to get local issuer",
    "self-signed": "impostor-self-signed: the upstream's certificate could not be verified: self-signed certificate",
    "no-tls": "impostor-no-tls does not speak TLS, and the policy demands it",
}
PORTS = {name: port for port, name in enumerate(("good", *REFUSED), 6001)}
TARGETS = [
    target("orders", 2),
    target("plain", 3, "off"),
    target("by-address", 4, "verify-ca"),
    target("system", 5),
    *(target(f"impostor-{name}", 2, port=port) for name, port in PORTS.items()),
]
RULES = [{"name": "all", "actors": "*", "targets": "*", "allow": {"kinds": "any", "functions": "*"}}]
CLIENT_LEG = "SELECT 'up', ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid();"


@pytest.fixture(scope="module")
def files() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="hostagent-e2e-") as directory:
        Path(directory).chmod(0o755)  # workers read CA files
        yield Path(directory)


@pytest.fixture(scope="module")
def right() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def here(files: Path, right: trustme.CA) -> Iterator[World]:
    right.cert_pem.write_to_path(str(files / "right.pem"))
    for entry in TARGETS:
        if str(entry["name"]).startswith("impostor-"):
            entry["tls"]["ca_file"] = str(files / "right.pem")
        elif entry["name"] == "system":
            del entry["tls"]["ca_file"]  # the system's trust store, which does not know the server
    with world({"targets": TARGETS, "rules": RULES}) as made:
        (files / "host-ca.pem").write_text(made.agent.hostagent("ca"))
        yield made


@pytest.fixture(scope="module")
def impostors(here: World, right: trustme.CA) -> Iterator[dict[str, Impostor]]:
    made = {name: Impostor(here.lab.db, PORTS[name], own) for name, own in certificates(right).items()}
    yield made
    for impostor in made.values():
        impostor.close()


def connect(here: World, options: str) -> Done:
    return here.psql(f"hostaddr=10.77.0.2 dbname=postgres user=trusting {options}", CLIENT_LEG, "\\conninfo")


@pytest.mark.parametrize(
    ("mode", "encrypted"),
    [
        ("disable", False), ("allow", False), ("prefer", True),
        ("require", True), ("verify-ca", True), ("verify-full", True),
    ],
)  # fmt: skip
def test_a_client_gets_the_tls_that_it_asks_for(here: World, files: Path, mode: str, encrypted: bool) -> None:
    root = f"sslrootcert={files}/host-ca.pem" if mode.startswith("verify") else ""
    done = connect(here, f"host=orders.lab.test sslmode={mode} {root}")
    assert done.stdout.startswith("up|t\n"), done.stderr
    assert ("SSL connection" in done.stdout) is encrypted


@pytest.mark.parametrize("host", ["10.77.0.2", "fd77::2", "orders.lab.test", "any.other.name"])
def test_the_leaf_has_the_name_that_the_client_dials(here: World, files: Path, host: str) -> None:
    address = "" if host[0] in "1f" else "hostaddr=10.77.0.2 "
    dsn = f"{address}host={host} dbname=postgres user=trusting sslmode=verify-full sslrootcert={files}/host-ca.pem"
    assert here.psql(dsn, CLIENT_LEG).stdout == "up|t\n"


def test_a_client_that_does_not_trust_the_host_refuses(here: World) -> None:
    done = connect(here, f"host=orders.lab.test sslmode=verify-full sslrootcert={here.postgres.ca_file}")
    assert done.returncode == 2 and "certificate verify failed" in done.stderr


def test_direct_tls(here: World, files: Path) -> None:
    options = f"host=orders.lab.test sslmode=verify-full sslrootcert={files}/host-ca.pem sslnegotiation=direct"
    with here.steps(f"hostaddr=10.77.0.2 dbname=postgres user=trusting {options}") as session:
        assert session.do("SELECT 1")["rows"] == [[1]]


@pytest.mark.parametrize("then", ["ssl S", "startup R"])
def test_gss_encryption_is_declined_and_the_client_goes_on(here: World, then: str) -> None:
    how = "ssl" if then == "ssl S" else "plain"
    done = here.governed(sys.executable, "-I", CLIENTS / "negotiate.py", "10.77.0.2", how)
    assert done.stdout == f"gss N\n{then}\n", done.stderr


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("mode", ["disable", "require"])
def test_an_upstream_that_cannot_prove_itself_is_sent_nothing(
    here: World, impostors: dict[str, Impostor], name: str, mode: str
) -> None:
    impostor = impostors[name]
    asked = impostor.asked
    done = connect(here, f"port={PORTS[name]} sslmode={mode}")
    assert done.returncode == 2 and REFUSED[name] in done.stderr
    assert impostor.asked > asked and impostor.received == b""


def test_an_upstream_that_proves_itself_is_spoken_to(here: World, impostors: dict[str, Impostor]) -> None:
    connect(here, f"port={PORTS['good']} sslmode=disable connect_timeout=5")
    assert b"user\0trusting\0" in impostors["good"].received


def test_an_upstream_without_a_ca_file_is_verified_by_the_systems_store(here: World) -> None:
    done = here.psql("host=10.77.0.5 dbname=postgres user=trusting", CLIENT_LEG)
    assert done.returncode == 2 and "could not be verified" in done.stderr


@pytest.mark.parametrize(("number", "answer"), [(3, "up|f\n"), (4, "up|t\n")])
def test_other_ways_to_protect_the_upstream_leg(here: World, number: int, answer: str) -> None:
    for mode in ("disable", "require"):
        done = here.psql(f"host=10.77.0.{number} dbname=postgres user=trusting sslmode={mode}", CLIENT_LEG)
        assert done.stdout == answer, done.stderr
