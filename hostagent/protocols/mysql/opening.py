"""From the server's greeting to the OK that lets the client in.

    server's greeting ─▶ ours to the client ─▶ its answer (over TLS, if it asks) ─▶ TLS to the server ─▶ login
        ─▶ our own questions (`settings.py`) ─▶ OK to the client

The client gets the server's version, connection id and character set. Where we hold a credential it gets a scramble of
ours, and whatever it proves is taken (`client_auth.py`); else it gets the server's, and its answers are passed on.
Each leg counts its packets for itself: TLS adds one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from hostagent.errors import PeerError
from hostagent.protocols.base import Describe, KeepCancelKey, Leg, StartTls
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.mysql import capabilities as can
from hostagent.protocols.mysql.auth import sha2
from hostagent.protocols.mysql.change_user import Relogin
from hostagent.protocols.mysql.client_auth import offered_plugin, own_scramble, welcome
from hostagent.protocols.mysql.config import MysqlConfig
from hostagent.protocols.mysql.conversation import Conversation
from hostagent.protocols.mysql.denial import NETWORK, Refused
from hostagent.protocols.mysql.handshake import SCRAMBLE_SIZE, SSL_REQUEST_SIZE, Answer, Greeting
from hostagent.protocols.mysql.login import Held, Login, Relayed, Step
from hostagent.protocols.mysql.packets import EOF, ERR, MORE_DATA, OK, lenenc_bytes, nul_bytes, packet
from hostagent.protocols.mysql.results import read_err, read_ok
from hostagent.values.target import UpstreamTls

MAX_ROUNDS: Final = 16  # packets of the server in a login; plugins take five
STATUS_AUTOCOMMIT: Final = 0x0002


class Opening:
    """One opening. `ready`: the server is logged in to, and the settings are asked for. `failed`: it has refused, and
    the client was told. `greeted`: the client has its greeting, so an error has the form of later ones. `starting`: the
    leg on which TLS begins.
    """

    def __init__(self, conversation: Conversation, config: MysqlConfig) -> None:
        self.ready = False
        self.failed = False
        self.greeted = False
        self._conversation = conversation
        self._session = conversation.session
        self._config = config
        self._tls = config.upstream_tls is not UpstreamTls.OFF
        self._client_tls = False
        self.starting: Leg | None = None
        self._greeting: Greeting | None = None
        self._offer = 0
        self._plugin = ""
        self._scramble = b""
        self._answer: Answer | None = None
        self._login: Login | None = None
        self._switching = False  # the client was asked for another plugin, by us
        self._to_client = 0  # sequence numbers of what is sent next
        self._to_server = 0
        self._status = STATUS_AUTOCOMMIT
        self._rounds = 0

    def __repr__(self) -> str:
        if self._greeting is None:
            return "waits for the server's greeting"
        return "waits for the client's answer" if self._answer is None else "logs in to the server"

    @property
    def awaits_client(self) -> bool:
        """Whether a packet of the client is due."""
        if not self.greeted or self.failed or self.starting is not None:
            return False
        if self._answer is None or self._switching:
            return True
        return self._login is not None and self._login.awaiting

    # --- the server -------------------------------------------------------------------------------------------

    def from_server(self, sequence: int, payload: bytes) -> None:
        """Take one packet of the server. Raises `Refused` or PeerError."""
        self._to_server = sequence + 1
        self._rounds += 1
        if not payload or self._rounds > MAX_ROUNDS or self.failed:
            raise PeerError("a packet from the server that nothing asked for")
        if self._greeting is None:
            self._greet(payload)
        elif payload[0] == ERR:
            self._refused(payload)
        elif self._login is None:
            raise PeerError("a packet from the server that nothing asked for")
        elif payload[0] == OK:
            self._logged_in(payload)
        elif payload[0] == EOF:
            self._step(self._switched(self._login, payload))
        elif payload[0] == MORE_DATA:
            self._step(self._login.more(payload[1:]))
        else:
            raise PeerError("an unexpected packet from the server during the login")

    def _greet(self, payload: bytes) -> None:
        if payload[0] == ERR:
            self.failed = True
            self._session.to_client.append(packet(0, payload))
            return
        greeting = self._greeting = Greeting.read(payload)
        if greeting.flags & can.NEEDED_OF_SERVER != can.NEEDED_OF_SERVER:
            raise self._unfit("is too old: MySQL 5.7 or MariaDB 10.2 is needed")
        if self._tls and not greeting.flags & can.SSL:
            raise self._unfit("does not speak TLS, and the policy demands it: say `tls: off` for it, or turn TLS on")
        if self._config.credential is None:
            self._plugin, self._scramble = greeting.plugin, greeting.scramble
        else:
            self._plugin = offered_plugin(greeting.plugin)
            self._scramble = own_scramble(self._config.random_bytes(SCRAMBLE_SIZE))
        self._offer = can.offered(greeting.flags, self._config.client_tls)
        ours = replace(greeting, flags=self._offer, scramble=self._scramble, plugin=self._plugin)
        self._session.to_client.append(packet(0, ours.encode()))
        self.greeted = True

    def _unfit(self, why: str) -> Refused:
        return Refused(NETWORK, f"target {self._config.target} {why}")

    def _switched(self, login: Login, payload: bytes) -> Step:
        if len(payload) == 1:
            raise self._unfit("asks for the password's form of before 4.1, which is not known here")
        name, pos = nul_bytes(payload, 1)
        return login.switched(name.decode("ascii", "replace"), payload[pos:])

    def _step(self, step: Step) -> None:
        if step.to_client is not None:
            self._to_the_client(step.to_client)
        if step.to_upstream is not None:
            self._to_the_server(step.to_upstream)

    def _refused(self, payload: bytes) -> None:
        number, _ = read_err(payload)
        told = None if self._login is None else self._login.failed(number)
        if told is not None:
            raise told
        self.failed = True
        self._to_the_client(payload)

    def _logged_in(self, payload: bytes) -> None:
        ok = read_ok(payload)
        self._status = ok.status
        self.ready = True
        self._conversation.ask_settings()

    def let_in(self) -> None:
        """The settings are known: the client is let in."""
        status = self._status & 0x00FF  # of what can be so before a statement
        self._to_the_client(bytes((OK, 0, 0)) + status.to_bytes(2, "little") + bytes(2))
        greeting = self._greeting
        assert greeting is not None
        self._keep_login(greeting)
        own = self._conversation.cancel_key(greeting.connection_id)
        self._session.commands += [KeepCancelKey(own, own), Describe(self._facts())]

    def _keep_login(self, greeting: Greeting) -> None:
        answer, credential = self._answer, self._config.credential
        if credential is not None and answer is not None:
            held = Held(self._config.target, credential, self._tls)
            flags = self._response(b"", "", b"").flags
            self._conversation.relogin = Relogin(held, greeting, answer, flags)

    # --- the client -------------------------------------------------------------------------------------------

    def from_client(self, sequence: int, payload: bytes, inbox: Inbox) -> None:
        """Take one packet of the client; TLS may begin with what is in the inbox. Raises `Refused` or PeerError."""
        self._to_client = sequence + 1
        if self._answer is None and len(payload) == SSL_REQUEST_SIZE and not self._client_tls:
            if not int.from_bytes(payload[:4], "little") & self._offer & can.SSL:
                raise PeerError("a client of a protocol before 4.1")
            self._start_tls(Leg.CLIENT, inbox.take())
        elif self._answer is None:
            self._answered(Answer.read(payload, self._offer))
        elif self._switching:
            self._switching = False
            if self._plugin == sha2.CACHING and payload not in (b"", b"\0"):
                self._to_the_client(bytes((MORE_DATA,)) + sha2.FAST_OK)
            self._go_on()
        elif self._login is not None and self._login.awaiting:
            self._login.awaiting = False
            self._to_the_server(payload)
        else:
            raise PeerError("a packet from the client that nothing asked for")

    def _answered(self, answer: Answer) -> None:
        self._answer = answer
        if self._config.credential is None:
            self._login = Relayed(self._config.target, self._client_tls, self._tls)
            self._go_on()
            return
        payload, self._switching = welcome(answer.plugin, answer.proof, self._plugin, self._scramble)
        if payload is not None:
            self._to_the_client(payload)
        if not self._switching:
            self._go_on()

    def _go_on(self) -> None:
        """The client has shown what it shows: to the server, over TLS where it is so."""
        if not self._tls:
            self._log_in()
            return
        self._to_the_server(self._response(b"", "", b"").ssl_request())
        self._start_tls(Leg.UPSTREAM)

    def _start_tls(self, leg: Leg, early: bytes = b"") -> None:
        self.starting = leg
        self._session.commands.append(StartTls(leg, early=early))

    def tls_started(self, leg: Leg) -> None:
        """TLS is up on that leg. Raises `Refused`."""
        if leg is not self.starting:
            raise ValueError("TLS without having asked for it")
        self.starting = None
        if leg is Leg.CLIENT:
            self._client_tls = True
        else:
            self._log_in()

    def _log_in(self) -> None:
        greeting, answer, credential = self._greeting, self._answer, self._config.credential
        assert greeting is not None
        assert answer is not None
        if credential is not None:
            self._login = Held(self._config.target, credential, self._tls)
        assert self._login is not None
        user, plugin, proof = self._login.first(greeting.plugin, greeting.scramble, answer)
        response = self._response(user, plugin, proof)
        self._conversation.began(answer.flags, response.flags)
        self._conversation.settings.user = user.decode("utf-8", "replace")
        self._to_the_server(response.encode())

    def _response(self, user: bytes, plugin: str, proof: bytes) -> Answer:
        answer, greeting = self._answer, self._greeting
        assert answer is not None
        assert greeting is not None
        flags = can.asked_for(answer.flags, self._offer, greeting.flags, self._tls)
        return answer.as_user(flags, user, proof, plugin)

    # --- both -------------------------------------------------------------------------------------------------

    def error(self, refused: Refused) -> bytes:
        """The ERR packet for the client."""
        return refused.packet(self._to_client, greeted=self.greeted)

    def _to_the_client(self, payload: bytes) -> None:
        self._session.to_client.append(packet(self._to_client, payload))
        self._to_client += 1

    def _to_the_server(self, payload: bytes) -> None:
        self._session.to_upstream.append(packet(self._to_server, payload))
        self._to_server += 1

    def _facts(self) -> tuple[tuple[str, str], ...]:
        answer, settings = self._answer, self._conversation.settings
        assert answer is not None
        return (
            ("database", settings.mysql.database),
            ("user", answer.user.decode("utf-8", "replace")),
            ("upstream_user", settings.user),
            ("application_name", _attribute(answer.attributes, b"program_name")),
            ("server_version", settings.server_version),
            ("protocol", "mysql"),
        )


def _attribute(attributes: bytes, name: bytes) -> str:
    """One of the connection attributes, empty where it is not there or they are malformed."""
    pos = 0
    try:
        while pos < len(attributes):
            key, pos = lenenc_bytes(attributes, pos)
            value, pos = lenenc_bytes(attributes, pos)
            if key == name:
                return value.decode("utf-8", "replace")
    except PeerError:
        pass  # the server says what it thinks of them
    return ""
