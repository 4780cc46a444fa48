"""Server messages, and a session that has just logged in, for the tests of this package."""

from __future__ import annotations

from hostagent.protocols.base import Connect, Credential, Describe, KeepCancelKey, Leg, StartTls
from hostagent.protocols.postgres import Limits, PostgresConfig, PostgresSession, SaltedPasswords
from hostagent.protocols.postgres import messages as m
from hostagent.protocols.postgres.denial import PILL_PARSE, PILL_QUERY
from hostagent.protocols.postgres.probe import PROBE
from hostagent.values.target import UpstreamTls
from tests.unit.protocols.playbook import Connected, FromClient, FromUpstream, Playbook, ToClient, ToUpstream

OFF, FULL = UpstreamTls.OFF, UpstreamTls.VERIFY_FULL
SECRET = Credential("svc", "pencil")


def message(kind: str, body: bytes = b"") -> bytes:
    return m.message(ord(kind), body)


def startup(version: int = 0x30000, **parameters: str) -> bytes:
    body = b"".join(f"{k}\0{v}\0".encode() for k, v in {"user": "me", **parameters}.items())
    return m.untyped(version, body + b"\0")


def status(name: str, value: str) -> bytes:
    return message("S", f"{name}\0{value}\0".encode())


def row(*values: bytes) -> bytes:
    return message("D", len(values).to_bytes(2, "big") + b"".join(len(v).to_bytes(4, "big") + v for v in values))


def tag(text: str) -> bytes:
    return message("C", text.encode() + b"\0")


def error(code: str, severity: str = "ERROR", text: str = "bad") -> bytes:
    return m.error_response(severity, code, text)


def bind(portal: str = "", name: str = "", rest: bytes = b"\0\0\0\0\0\0") -> bytes:
    return message("B", f"{portal}\0{name}\0".encode() + rest)


def execute(portal: str = "", rows: int = 0) -> bytes:
    return message("E", portal.encode() + b"\0" + rows.to_bytes(4, "big"))


def describe(what: str, name: str = "") -> bytes:
    return message("D", f"{what}{name}\0".encode())


def close(what: str, name: str = "") -> bytes:
    return message("C", f"{what}{name}\0".encode())


def parse(text: str, name: str = "") -> bytes:
    return m.parse(name.encode(), text.encode())


def query(text: str) -> bytes:
    return m.query(text.encode())


def denied(reason: str = "no", rule: str = "r", number: int = 1) -> bytes:
    return m.error_response(
        "ERROR",
        "42501",
        f"denied by policy: {reason} (rule {rule})",
        "The statement was stopped on this host and did not reach the server.",
        f"The operator of this host finds it as decision d{number}.",
    )


SYNC, FLUSH, TERMINATE = message("S"), message("H"), message("X")
READY, READY_TX, READY_FAILED = message("Z", b"I"), message("Z", b"T"), message("Z", b"E")
AUTH_OK = m.authentication(0)
COLUMNS = message("T", b"\0\x01a\0" + bytes(18))
PARSED, BOUND, CLOSED, NO_DATA, SUSPENDED, EMPTY = (message(c) for c in "123nsI")
PARAMETERS = message("t", b"\0\0")
KEY = b"\0\0\x01\x02" + b"abcd"
ISSUED = KEY[:4] + b"\x07" * 4
SYNTAX = error("42601", text="syntax error")
ANSWER = COLUMNS + row(b"1") + tag("SELECT 1") + READY
PROBED = COLUMNS + row(b"{public}") + tag("SELECT 1") + READY
PILL, PILL_P = PILL_QUERY, PILL_PARSE


def config(
    tls: UpstreamTls = OFF,
    credential: Credential | None = None,
    client_tls: bool = True,
    limits: Limits | None = None,
) -> PostgresConfig:
    return PostgresConfig(
        "shop", tls, credential, SaltedPasswords(), lambda n: b"\x07" * n, client_tls, limits or Limits()
    )


def facts(**changed: str) -> Describe:
    known = {"database": "me", "user": "me", "upstream_user": "me", "application_name": "", "server_version": "15.1"}
    return Describe(tuple({**known, **changed}.items()))


def begun(settings: PostgresConfig | None = None) -> Playbook:
    """A playbook before the first byte."""
    return Playbook(lambda: PostgresSession(settings or config()))


def logged_in(settings: PostgresConfig | None = None) -> Playbook:
    """A playbook whose session is ready for statements (trust, no TLS)."""
    first = AUTH_OK + status("server_version", "15.1") + message("K", KEY)
    return (
        begun(settings)
        >> FromClient(startup())
        << Connect()
        >> Connected()
        << ToUpstream(startup())
        >> FromUpstream(first + READY)
        << ToUpstream(PROBE)
        << ToClient(AUTH_OK + status("server_version", "15.1") + message("K", ISSUED))
        << KeepCancelKey(ISSUED, KEY)
        >> FromUpstream(PROBED)
        << ToClient(READY)
        << facts()
    )


def with_client_tls(play: Playbook) -> Playbook:
    """The client asks for TLS and gets it."""
    from tests.unit.protocols.playbook import TlsStarted

    return (
        play
        >> FromClient(m.untyped(80877103))
        << ToClient(b"S")
        << StartTls(Leg.CLIENT, ("postgresql",))
        >> TlsStarted(Leg.CLIENT)
    )
