"""From the client's startup message to the first ReadyForQuery that it sees.

Where the target has a placeholder password, the client proves to know it first (`client_auth.py`): the server is not
logged in to for one that does not. Then our startup message goes out.
The server's messages are read whole and one by one: the login (`auth.py`), then its parameters and cancel key, then
the answer to our own question (`probe.py`). The client gets our cancel key in place of the server's.
"""

from __future__ import annotations

from hostagent.errors import PeerError
from hostagent.protocols.base import Describe, KeepCancelKey, Leg, Session
from hostagent.protocols.inbox import Inbox
from hostagent.protocols.postgres import messages
from hostagent.protocols.postgres.auth import MAX_ANSWER, Held, Login, Relayed
from hostagent.protocols.postgres.client_auth import ClientProof
from hostagent.protocols.postgres.config import PostgresConfig
from hostagent.protocols.postgres.probe import PROBE, Probe
from hostagent.protocols.postgres.settings import Settings
from hostagent.protocols.postgres.startup import MAX_KEY, MIN_KEY, Startup

_PASSED = frozenset({messages.PARAMETER_STATUS, messages.NOTICE, messages.NOTIFICATION})


class Opening:
    """One opening. `ready`: the client may speak. `failed`: the server has refused, and the client was told."""

    def __init__(
        self,
        session: Session,
        config: PostgresConfig,
        settings: Settings,
        startup: Startup,
        client_tls: bool,
        binding: bytes,
        client_binding: bytes = b"",
    ) -> None:
        """`binding` and `client_binding`: tls-server-end-point data of the server's certificate, and of our leaf."""
        self.ready = False
        self._session = session
        self._config = config
        self._settings = settings
        self._startup = startup
        self._accepted = False
        self.failed = False
        self._probe: Probe | None = None
        credential = config.credential
        self._upstream_user = startup.get("user") if credential is None else credential.user
        self._login: Login = (
            Relayed(config.target, client_tls) if credential is None else Held(config, credential, binding)
        )
        settings.started(
            startup.get("client_encoding"), startup.get("database") or startup.get("user"), self._upstream_user
        )
        self._proof: ClientProof | None = None
        if config.placeholder is None:
            self._start()
        else:
            self._proof = ClientProof(config, config.placeholder, client_binding)
            session.to_client.append(self._proof.demand())

    def message(self, whole: bytes) -> None:
        """Take one message of the server. Raises `Refused` or PeerError."""
        kind, body = whole[0], whole[messages.HEADER_SIZE :]
        if kind == messages.PARAMETER_STATUS:
            self._settings.status(*messages.parameter_status(body))
        if self.failed:
            raise PeerError("a message from the server after its refusal")
        if self._proof is not None and kind != messages.ERROR:
            raise PeerError("a message from the server before it was asked anything")
        if not self._accepted:
            self._before_login(kind, body, whole)
        elif kind in _PASSED:
            self._pass(whole)
        elif kind == messages.READY:
            self._at_ready(whole)
        elif self._probe is not None:
            if not self._probe.absorbs(kind, body):
                self._refused(whole)
        elif kind == messages.KEY_DATA:
            self._issue_key(body)
        elif kind == messages.ERROR:
            self._refused(whole)
        else:
            raise PeerError(f"an unexpected message {chr(kind)!r} from the server")

    def answered(self, inbox: Inbox) -> bool:
        """Take the client's password message, when one is demanded and there. True when the client gave up."""
        if self._proof is None and not self._login.awaiting:
            return False
        inbox.need = messages.HEADER_SIZE
        if not inbox.ready():
            return False
        kind, length = messages.HEADER.unpack_from(inbox.data, inbox.pos)
        if kind == messages.TERMINATE:
            return True
        if kind != messages.PASSWORD or not 4 <= length <= MAX_ANSWER:
            raise PeerError("no password message where one was demanded")
        inbox.need = length + 1
        if inbox.ready():
            whole = inbox.data[inbox.pos : inbox.pos + length + 1]
            inbox.pos += length + 1
            inbox.need = 1
            self._answer(whole)
        return False

    # --- login ------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        credential = self._config.credential
        sent = self._startup if credential is None else self._startup.with_user(credential.user)
        self._session.to_upstream.append(sent.encode())

    def _answer(self, whole: bytes) -> None:
        """A password message: of the client's proof to us, or, relayed, of its login to the server."""
        if self._proof is None:
            self._session.to_upstream.append(whole)
            self._login.awaiting = False
            return
        self._session.to_client.append(self._proof.answered(whole[messages.HEADER_SIZE :]))
        if self._proof.complete:
            self._proof = None
            self._start()

    def _before_login(self, kind: int, body: bytes, whole: bytes) -> None:
        if kind == messages.AUTHENTICATION:
            self._demanded(*messages.authentication_body(body))
        elif kind == messages.ERROR:
            self.failed = True
            self._session.to_client.append(self._login.failed(whole))
        elif kind in (messages.NEGOTIATE_VERSION, messages.NOTICE):
            self._session.to_client.append(whole)
        else:
            raise PeerError(f"an unexpected message {chr(kind)!r} from the server during the login")

    def _demanded(self, code: int, data: bytes) -> None:
        if code == messages.AUTH_OK:
            self._login.accepted()
            self._accepted = True
            self._session.to_client.append(messages.authentication(messages.AUTH_OK))
            return
        step = self._login.demanded(code, data)
        if step.to_client:
            self._session.to_client.append(step.to_client)
        if step.to_upstream:
            self._session.to_upstream.append(step.to_upstream)

    # --- after the login --------------------------------------------------------------------------------------

    def _refused(self, whole: bytes) -> None:
        self.failed = True
        self._pass(whole)

    def _issue_key(self, body: bytes) -> None:
        if not 4 + MIN_KEY <= len(body) <= 4 + MAX_KEY:
            raise PeerError("a cancel key of impossible length from the server")
        issued = body[:4] + self._config.random_bytes(len(body) - 4)  # programs compare the process id with others
        self._session.commands.append(KeepCancelKey(issued, body))
        self._pass(messages.message(messages.KEY_DATA, issued))

    def _at_ready(self, whole: bytes) -> None:
        if self._probe is None:
            self._probe = Probe(self._settings)
            self._session.to_upstream.append(PROBE)
            return
        self.ready = True
        self._session.commands.append(Describe(self._facts()))
        self._pass(whole)

    def _facts(self) -> tuple[tuple[str, str], ...]:
        startup = self._startup
        return (
            ("database", startup.get("database") or startup.get("user")),
            ("user", startup.get("user")),
            ("upstream_user", self._upstream_user),
            ("application_name", startup.get("application_name")),
            ("server_version", self._settings.server_version),
        )

    def _pass(self, data: bytes) -> None:
        self._session.to_client.append(data)
        self._session.captured.append((Leg.UPSTREAM, data))
