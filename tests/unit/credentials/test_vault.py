"""The Vault source against a server that speaks Vault's API over TLS."""

from __future__ import annotations

import asyncio
import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from hostagent.credentials import vault as module
from hostagent.credentials.http import MAX_ANSWER, HttpError, Server
from hostagent.credentials.secret import Secret, Unavailable
from hostagent.credentials.vault import Vault
from hostagent.errors import FileError
from tests.lab import vault as lab


@dataclass(frozen=True)
class From:
    file: str | None = None
    systemd: str | None = None


@dataclass(frozen=True)
class AppRole:
    secret_id_from: From
    mount: str = "approle"
    role_id: str = "role-1"


@dataclass(frozen=True)
class Spec:
    address: str
    ca_file: str | None
    token_from: From | None
    engine: str = "kv2"
    mount: str = "secret"
    path: str = "team/orders"
    password_field: str = "password"
    user_field: str = "username"
    namespace: str | None = None
    approle: AppRole | None = None
    timeout: float = 5.0
    lifetime: float = 900.0


class Stage:
    """A Vault, and what the policy says of it."""

    def __init__(self, server: lab.Vault, spec: Spec, directory: Path) -> None:
        self.server = server
        self.spec = spec
        self.directory = directory

    def file(self, name: str, text: str) -> From:
        path = self.directory / name
        path.write_text(text + "\n")
        path.chmod(0o600)
        return From(str(path))

    def source(self, user: str | None = None, **changed: Any) -> Vault:
        return Vault("orders", user, replace(self.spec, **changed))

    def fetch(self, user: str | None = None, **changed: Any) -> Secret:
        return asyncio.run(self.source(user, **changed).fetch())

    def approle(self, secret_id: str = "sid") -> dict[str, Any]:
        self.server.approles["role-1"] = "sid"
        return {"token_from": None, "approle": AppRole(self.file("sid", secret_id))}

    def database(self) -> dict[str, Any]:
        numbers = itertools.count(1)
        self.server.roles["database/creds/app"] = lambda: (f"v-app-{next(numbers)}", "made-s3cret")
        return {"engine": "database", "mount": "database", "path": "app"}


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    ca = trustme.CA()
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    token = tmp_path / "token"
    token.write_text("hvs.root\n")
    token.chmod(0o600)
    server = lab.Vault(kv={"secret/data/team/orders": {"data": {"username": "app", "password": "kv-s3cret"}}})
    with lab.serve(server, ca) as address:
        yield Stage(server, Spec(address, str(tmp_path / "ca.pem"), From(str(token))), tmp_path)


def test_kv_version_2(stage: Stage) -> None:
    found = stage.fetch()
    assert found == Secret("app", "kv-s3cret", 900.0)
    assert stage.server.asked == ["GET secret/data/team/orders"]
    assert "kv-s3cret" not in repr(found)


def test_kv_version_1_other_fields_and_the_policys_user(stage: Stage) -> None:
    stage.server.kv["kv/orders"] = {"pw": "one", "login": "theirs"}
    spec = {"engine": "kv1", "mount": "kv", "path": "orders", "password_field": "pw", "lifetime": 60.0}
    assert stage.fetch(**spec, user_field="login") == Secret("theirs", "one", 60.0)
    assert stage.fetch("ours", **spec) == Secret("ours", "one", 60.0)


def test_the_database_engine_gives_a_login_and_a_lease(stage: Stage) -> None:
    found = stage.fetch(**stage.database())
    assert (found.user, found.secret, found.lifetime) == ("v-app-1", "made-s3cret", 60.0)
    assert found.lease is not None and found.lease.renewable and "made-s3cret" not in repr(found)


def test_a_lease_is_renewed_and_the_login_stays(stage: Stage) -> None:
    spec = stage.database()
    first = stage.fetch(**spec)
    again = asyncio.run(stage.source(**spec).renew(first))
    assert again is not None and (again.user, again.lifetime) == ("v-app-1", 60.0)
    assert stage.server.asked[-1] == "POST sys/leases/renew"


def test_a_lease_near_its_last_day_is_not_renewed(stage: Stage) -> None:
    stage.server.lease_latest = 20
    spec = stage.database()
    assert asyncio.run(stage.source(**spec).renew(stage.fetch(**spec))) is None


@pytest.mark.parametrize("gone", ["lease", "token", "vault", "renewable"])
def test_what_cannot_be_renewed_is_fetched_anew(stage: Stage, gone: str) -> None:
    stage.server.renewable = gone != "renewable"
    spec = stage.database()
    first = stage.fetch(**spec)
    if gone == "lease":
        stage.server.leases.clear()
    if gone == "token":
        stage.server.tokens.clear()
    stage.server.sealed = gone == "vault"
    assert asyncio.run(stage.source(**spec).renew(first)) is None


def test_approle_logs_in_and_gives_the_token_back(stage: Stage) -> None:
    assert stage.fetch(**stage.approle()).secret == "kv-s3cret"
    want = ["POST auth/approle/login", "GET secret/data/team/orders", "POST auth/token/revoke-self"]
    assert stage.server.asked == want
    assert list(stage.server.tokens) == ["hvs.root"]


def test_a_lease_ends_with_the_token_that_it_was_made_with(stage: Stage) -> None:
    stage.server.approle_seconds = 30
    spec = {**stage.database(), **stage.approle()}
    first = stage.fetch(**spec)
    assert first.lifetime == 30.0
    again = asyncio.run(stage.source(**spec).renew(first))
    assert again is not None and again.lifetime == 30.0
    assert stage.server.asked[-2:] == ["POST auth/token/renew-self", "POST sys/leases/renew"]
    assert len(stage.server.tokens) == 2  # the same token served again: root's and one of our own


def test_the_namespace_header(stage: Stage) -> None:
    stage.server.namespace = "team-a"
    assert stage.fetch(namespace="team-a").secret == "kv-s3cret"
    with pytest.raises(Unavailable, match="403"):
        stage.fetch()


def test_an_agent_on_loopback_needs_no_tls(stage: Stage) -> None:
    with lab.serve(stage.server, None) as address:
        assert stage.fetch(address=address, ca_file=None).secret == "kv-s3cret"


def wrong_token(stage: Stage) -> dict[str, Any]:
    return {"token_from": stage.file("other", "hvs.wrong")}


def line_in_token(stage: Stage) -> dict[str, Any]:
    return {"token_from": stage.file("other", "hvs.a\r\nX-Evil: 1")}


def sealed(stage: Stage) -> dict[str, Any]:
    stage.server.sealed = True
    return {}


def slow(stage: Stage) -> dict[str, Any]:
    stage.server.delay = 1.0
    return {"timeout": 0.3}


def other_ca(stage: Stage) -> dict[str, Any]:
    trustme.CA().cert_pem.write_to_path(str(stage.directory / "other.pem"))
    return {"ca_file": str(stage.directory / "other.pem")}


def not_text(stage: Stage) -> dict[str, Any]:
    stage.server.kv["secret/data/team/orders"] = {"data": {"username": "app", "password": 7}}
    return {}


def no_data(stage: Stage) -> dict[str, Any]:
    stage.server.kv["secret/data/team/orders"] = {"password": "x"}
    return {}


def other_name(stage: Stage) -> dict[str, Any]:
    return {"address": stage.spec.address.replace("127.0.0.1", "localhost")}


FAILURES: list[tuple[Callable[[Stage], dict[str, Any]], str]] = [
    (wrong_token, "answered 403 to secret/data/team/orders: permission denied"),
    (line_in_token, "token that it is to be asked with is not one"),
    (sealed, "503 .*: Vault is sealed\n  hint: Vault is sealed or in maintenance"),
    (slow, "no answer within 0.3 s"),
    (other_ca, "certificate could not be verified"),
    (other_name, "could not be verified: Hostname mismatch"),
    (lambda s: {"ca_file": str(s.directory / "none")}, "ca_file .* cannot be used: No such file"),
    (lambda s: {"address": "https://127.0.0.1:1"}, "cannot be reached: Connect"),
    (lambda s: {"address": f"https://{'x' * 70}.example"}, "cannot be reached"),
    (lambda s: {"path": "nothing"}, "404 to secret/data/nothing\n  hint: check `engine`, `mount` and `path`"),
    (lambda s: {"engine": "kv1", "path": "data/team/orders"}, "no text field 'password'"),
    (no_data, "holds no secret"),
    (not_text, "no text field 'password'"),
    (lambda s: {"user_field": "who"}, "the policy names no `user`"),
    (lambda s: {"engine": "database", "mount": "secret/data", "path": "x"}, "404"),
    (lambda s: s.approle("wrong"), "400 to auth/approle/login: invalid role or secret ID"),
]


@pytest.mark.parametrize(("change", "why"), FAILURES)
def test_each_failure_is_one_clear_error_without_a_secret(
    stage: Stage, change: Callable[[Stage], dict[str, Any]], why: str
) -> None:
    with pytest.raises(Unavailable, match=f"credential orders: Vault at https://.*{why}") as caught:
        stage.fetch(**change(stage))
    assert caught.value.hint
    assert not any(secret in str(caught.value) for secret in ("hvs.", "kv-s3cret", "sid"))


def test_a_token_file_that_others_can_read_is_refused(stage: Stage) -> None:
    Path(stage.spec.token_from.file or "").chmod(0o644)  # type: ignore[union-attr]
    with pytest.raises(FileError, match="the Vault token: other users can read"):
        stage.fetch()


# --- answers that no Vault gives ------------------------------------------------------------------------------


def answering(data: bytes, pause: float = 0.0) -> Answerer:
    return Answerer(data, pause)


class Answerer:
    """Sends the same bytes to whoever connects, one by one where there is a pause."""

    def __init__(self, data: bytes, pause: float) -> None:
        self._data, self._pause = data, pause
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        try:
            connection, _ = self._listener.accept()
            with connection:
                for byte in [self._data] if not self._pause else [bytes([b]) for b in self._data]:
                    connection.sendall(byte)
                    time.sleep(self._pause)
                connection.recv(65536)
        except OSError:
            return

    def close(self) -> None:
        self._listener.close()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "ended the connection|does not speak"),
        (b"SSH-2.0-x\r\n\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 90\r\n\r\n{}", "does not speak HTTP/1.1"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", "does not speak HTTP/1.1"),
        (b"HTTP/1.0 200 OK\r\n\r\n" + b"z" * (MAX_ANSWER + 1), "longer than"),
    ],
)
def test_an_answer_that_is_none(data: bytes, why: str) -> None:
    server = answering(data)
    with pytest.raises(HttpError, match=why):
        asyncio.run(Server(server.address, None, 2.0).ask("GET", "/v1/x", []))
    server.close()


def test_a_server_that_drips_its_answer_is_left_at_the_deadline() -> None:
    server = answering(b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000, pause=0.05)
    began = time.monotonic()
    with pytest.raises(HttpError, match=r"no answer within 0\.5 s"):
        asyncio.run(Server(server.address, None, 0.5).ask("GET", "/v1/x", []))
    assert time.monotonic() - began < 1.5
    server.close()


def test_a_redirect_is_not_followed() -> None:
    head = b"HTTP/1.1 307 Temporary Redirect\r\nlocation: https://evil.example/\r\ncontent-length: 0\r\n\r\n"
    server = answering(head)
    assert asyncio.run(Server(server.address, None, 2.0).ask("GET", "/v1/x", [])).status == 307
    server.close()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "username", "password", "errors"]), inner),
)
ANSWER = st.dictionaries(st.sampled_from(["data", "lease_id", "lease_duration", "renewable", "auth"]), JSON)


@given(ANSWER, st.sampled_from(["kv1", "kv2", "database"]))
def test_any_answer_is_a_secret_or_one_clear_error(answer: dict[str, Any], engine: str) -> None:
    source = Vault("orders", None, Spec("https://v", None, None, engine=engine))
    try:
        found = (
            source._leased(answer, module._Token("t", 9.0, own=True))
            if engine == "database"
            else source._stored(answer)
        )
    except Unavailable:
        return
    assert found.user and found.secret and found.lifetime


@given(st.binary())
def test_any_error_body_gives_one_printable_line(body: bytes) -> None:
    assert module._errors(body).isprintable()


def test_what_http_cannot_carry_is_refused_without_quoting_it() -> None:
    server = answering(b"")
    with pytest.raises(HttpError, match="cannot be put into HTTP") as caught:
        asyncio.run(Server(server.address, None, 2.0).ask("GET", "/v1/x", [("X-Vault-Token", "s3cret\r\nX: y")]))
    assert "s3cret" not in str(caught.value) and caught.value.__suppress_context__
    server.close()
