"""COM_CHANGE_USER: the held credential logs in once more, in a database that is decided on."""

from __future__ import annotations

import pytest

from hostagent.errors import PeerError
from hostagent.protocols.base import Close, Decide, Finished
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.auth import ed25519, native, sha2
from hostagent.protocols.mysql.denial import err
from hostagent.protocols.mysql.packets import packet
from hostagent.protocols.mysql.session import MysqlSession
from hostagent.protocols.mysql.settings import PROBE, TRACK
from hostagent.values.decision import Decision, Outcome, Ruling, Verdict
from tests.unit.protocols.mysql.test_sealed import decided
from tests.unit.protocols.mysql.wire import (
    CLIENT,
    SCRAMBLE,
    answer,
    command,
    config,
    greeting,
    ok,
    probe_result,
    query,
    started,
)

PROOF = native.proof(b"secret", SCRAMBLE)
ALLOW = Ruling(Verdict.ALLOW, "r", "", ("set",), settings=("database",))


def change(database: bytes = b"other", plugin: bytes = native.NAME.encode(), proof: bytes = b"p" * 20) -> bytes:
    return command(0x11, b"somebody\0" + bytes((len(proof),)) + proof + database + b"\0" + b"\x2d\0" + plugin + b"\0")


def sent(database: bytes = b"other") -> bytes:
    """What the server gets: the credential's user and proof."""
    return command(0x11, b"app\0\x14" + PROOF + database + b"\0" + b"\x2d\0" + native.NAME.encode() + b"\0")


def session() -> MysqlSession:
    made = started()
    assert isinstance(made, MysqlSession)
    return made


def test_the_database_is_decided_and_the_credential_logs_in_again() -> None:
    here = session()
    here.client_data(command(0x16, b"SELECT 1"))
    decided(here, Ruling(Verdict.ALLOW, "r", "", ("select",)))
    here.upstream_data(packet(1, b"\0\5\0\0\0\0\0\0\0\0\0\0"))
    here.client_data(change())
    assert [c.request.text for c in here.commands if isinstance(c, Decide)] == ["USE `other`"]
    here.to_upstream.clear()
    decided(here, ALLOW)
    assert here.to_upstream == [sent()]
    here.upstream_data(ok(1))
    assert here.to_client == [ok(1)]
    assert here.commands == [Finished("d1", Outcome(0, 0))]
    assert here.to_upstream[1:] == [query(TRACK)], "what the new session is set to is asked for"
    here.client_data(query("SELECT 2"))
    here.upstream_data(ok(1))
    assert here.to_upstream[2:] == [query(PROBE)]
    here.upstream_data(probe_result(True, database=b"other"))
    (asked,) = (c.request for c in here.commands if isinstance(c, Decide))
    assert (asked.text, asked.schemas) == ("SELECT 2", ("other",))
    here.decided(asked, Decision("d2", ALLOW))
    here.upstream_data(ok(1))
    here.client_data(command(0x17, (5).to_bytes(4, "little") + b"\0\1\0\0\0"))
    assert b"Unknown prepared statement" in here.to_client[-1]


def test_a_denied_database_leaves_the_session_as_it_is() -> None:
    here = session()
    here.client_data(change())
    decided(here, Ruling(Verdict.DENY, "r", "no", ("set",)))
    assert not here.to_upstream
    here.client_data(command(0x0E))
    assert here.to_upstream == [command(0x0E)]


def test_without_a_database_it_is_a_reset() -> None:
    here = session()
    here.client_data(change(b""))
    assert here.to_upstream == [sent(b"")]
    assert not here.commands


def test_the_server_may_switch_the_plugin() -> None:
    nonce = bytes(range(32))
    here = session()
    here.client_data(change(b""))
    here.upstream_data(packet(1, b"\xfeclient_ed25519\0" + nonce))
    assert here.to_upstream[1:] == [packet(2, ed25519.proof(b"secret", nonce))]
    assert not here.to_client
    here.upstream_data(ok(3))
    assert here.to_client == [ok(1)]


def test_a_client_of_caching_sha2_is_told_that_its_proof_sufficed() -> None:
    here = session()
    here.client_data(change(b"", sha2.CACHING.encode(), b"p" * 32))
    here.upstream_data(ok(1))
    assert b"".join(here.to_client) == packet(1, b"\x01\x03") + ok(2)


def test_a_plugin_that_wants_another_proof_is_refused() -> None:
    here = session()
    here.client_data(change(b"", b"auth_gssapi_client"))
    assert not here.to_upstream
    assert here.to_client == [err(1, 1047, "08S01", REFUSED)]


REFUSED = "COM_CHANGE_USER is refused here: another user's session is a connection of its own: open one"


def test_without_a_credential_it_is_refused_and_the_session_goes_on() -> None:
    here = MysqlSession(config(credential=None))
    here.connected()
    here.upstream_data(greeting())
    here.client_data(packet(1, answer(CLIENT).encode()))
    here.upstream_data(ok(2) + ok(1) + probe_result(True))
    here.to_client, here.to_upstream, here.commands = [], [], []
    here.client_data(change())
    assert here.to_client == [err(1, 1047, "08S01", REFUSED)]
    here.client_data(command(0x0E))
    assert here.to_upstream == [command(0x0E)]


def test_a_credential_that_is_refused_ends_the_session_without_a_word_of_the_server() -> None:
    here = session()
    here.client_data(change(b""))
    here.upstream_data(err(1, 1045, "28000", "Access denied for user 'app'@'10.0.0.9' (using password: YES)"))
    told = b"".join(here.to_client)
    assert b"target shop refused the credential" in told and b"10.0.0.9" not in told
    assert isinstance(here.commands[-1], Close)


def test_another_error_is_the_servers_own() -> None:
    here = session()
    here.client_data(change())
    decided(here, ALLOW)
    unknown = err(1, 1049, "42000", "Unknown database 'other'")
    here.upstream_data(unknown)
    assert here.to_client == [unknown]
    assert Finished("d1", Outcome(0, 0, "42000")) in here.commands


@pytest.mark.parametrize("body", [b"", b"user", b"user\0", b"user\0\x14short", b"user\0\0db"])
def test_a_request_that_is_none(body: bytes) -> None:
    with pytest.raises(PeerError):
        session().client_data(command(0x11, body))


def test_a_login_that_does_not_end_is_an_error_of_the_server() -> None:
    here = session()
    here.client_data(change(b""))
    with pytest.raises(PeerError):
        for _ in range(20):
            here.upstream_data(packet(1, b"\xfemysql_native_password\0" + SCRAMBLE + b"\0"))


def test_no_proof_is_recorded() -> None:
    here = session()
    here.client_data(change(b""))
    here.upstream_data(ok(1))
    kept = b"".join(data for _, data in here.captured)
    assert PROOF not in kept and b"p" * 20 not in kept


def test_attributes_pass_on_where_they_were_agreed_on() -> None:
    made = MysqlSession(config())
    made.connected()
    made.upstream_data(greeting())
    made.client_data(packet(1, answer(CLIENT | can.CONNECT_ATTRS).encode()))
    made.upstream_data(ok(2) + ok(1) + probe_result(True))
    made.to_upstream.clear()
    made.client_data(packet(0, change(b"")[4:] + b"\x04\x01a\x01b"))
    assert made.to_upstream[0].endswith(native.NAME.encode() + b"\0\x04\x01a\x01b")
