"""Logging in to the server: with the client's own answers (`Relayed`), or with a credential we hold (`Held`).

Both take what the server demands, one packet at a time, and say what goes to which leg. Two rules:

1. A held credential never goes towards the client, nor in clear over a connection without verified TLS.
2. A relayed client gets the server's own scramble, so its proof holds there. What may be the password itself is passed
   on over verified TLS only; a password that the client seals for the server is passed on where neither leg has TLS.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from hostagent.protocols.base import Credential
from hostagent.protocols.mysql.auth import clear, ed25519, native, sha2
from hostagent.protocols.mysql.denial import ACCESS_DENIED, Refused
from hostagent.protocols.mysql.handshake import SCRAMBLE_SIZE, Answer
from hostagent.protocols.mysql.packets import EOF, MORE_DATA

_SCRAMBLED = frozenset({native.NAME, sha2.CACHING, ed25519.NAME})  # their first answer does not hold the password

_REFUSED = frozenset({1045, 1698, 1862, 3118, 3955})  # access denied, for one reason or another; expired; locked


@dataclass(frozen=True, slots=True)
class Step:
    """What one demand of the server leads to: a payload for either leg."""

    to_client: bytes | None = None
    to_upstream: bytes | None = None


class Login(ABC):
    """One login. `awaiting`: the client owes an answer; nobody else's bytes are taken for one."""

    awaiting = False

    @abstractmethod
    def first(self, plugin: str, scramble: bytes, answer: Answer) -> tuple[bytes, str, bytes]:
        """The user, plugin and proof that go into our answer to the server's greeting. Raises Refused."""

    @abstractmethod
    def switched(self, plugin: str, scramble: bytes) -> Step:
        """The server wants another plugin. Raises Refused or PeerError."""

    @abstractmethod
    def more(self, data: bytes) -> Step:
        """The server's plugin sent more data. Raises Refused or PeerError."""

    @abstractmethod
    def failed(self, number: int) -> Refused | None:
        """What the client is told for an error of the server; None: the server's own words."""


class Held(Login):
    """We log in with the credential."""

    def __init__(self, target: str, credential: Credential, tls: bool) -> None:
        """`tls`: the upstream leg is encrypted, and the server verified."""
        self._target = target
        self._user = credential.user.encode()
        self._password = credential.secret.encode()
        self._tls = tls
        self._plugin = ""
        self._scramble = b""

    def first(self, plugin: str, scramble: bytes, answer: Answer) -> tuple[bytes, str, bytes]:
        """Begin with the server's plugin, where it is one whose first answer is a proof; it may switch."""
        del answer
        name = plugin if plugin in _SCRAMBLED else native.NAME
        return self._user, name, self._proof(name, scramble)

    def switched(self, plugin: str, scramble: bytes) -> Step:
        """Answer in the other plugin's way."""
        return Step(to_upstream=self._proof(plugin, scramble))

    def more(self, data: bytes) -> Step:
        """caching_sha2: whether the proof sufficed; a public key."""
        if self._plugin == sha2.CACHING and data == sha2.FAST_OK:
            return Step()
        if self._plugin == sha2.CACHING and data == sha2.FULL:
            return Step(to_upstream=self._in_full())
        if self._plugin in sha2.KEY_REQUEST and not self._tls:
            return Step(to_upstream=sha2.sealed(self._password, self._scramble, data))
        raise self._unknown(self._plugin)

    def failed(self, number: int) -> Refused | None:
        """An error about logging in is told in our words, which name the target and no secret; others pass."""
        if number not in _REFUSED:
            return None
        return Refused(ACCESS_DENIED, f"target {self._target} refused the credential that this host holds for it")

    def _proof(self, plugin: str, scramble: bytes) -> bytes:
        self._plugin = plugin
        self._scramble = scramble[:SCRAMBLE_SIZE]
        if plugin == native.NAME:
            return native.proof(self._password, self._scramble)
        if plugin == sha2.CACHING:
            return sha2.proof(self._password, self._scramble) or b"\0"
        if plugin == ed25519.NAME:
            return ed25519.proof(self._password, scramble[: ed25519.SCRAMBLE_SIZE])
        if plugin == sha2.PLAIN:
            return self._in_full() if self._password else b"\0"
        if plugin == clear.NAME and self._tls:
            return clear.proof(self._password)
        raise self._unknown(plugin)

    def _in_full(self) -> bytes:
        """The password over TLS, else the question for the key to seal it with."""
        return clear.proof(self._password) if self._tls else sha2.KEY_REQUEST[self._plugin]

    def _unknown(self, plugin: str) -> Refused:
        if plugin == clear.NAME:
            why = "demands a clear-text password over a connection without TLS"
        else:
            why = f"demands a login with {plugin[:64]}, which is not known here"
        return Refused(ACCESS_DENIED, f"target {self._target} {why}")


class Relayed(Login):
    """The client logs in itself; its answers pass through."""

    def __init__(self, target: str, client_tls: bool, tls: bool) -> None:
        self._target = target
        self._client_tls = client_tls
        self._tls = tls
        self._plugin = ""

    def first(self, plugin: str, scramble: bytes, answer: Answer) -> tuple[bytes, str, bytes]:
        """As the client has it: it was given the server's scramble."""
        del plugin, scramble
        self._began(answer.plugin)
        return answer.user, answer.plugin, answer.proof

    def switched(self, plugin: str, scramble: bytes) -> Step:
        """Pass the demand on."""
        self._began(plugin)
        self.awaiting = True
        return Step(to_client=bytes((EOF,)) + plugin.encode("ascii", "replace") + b"\0" + scramble)

    def more(self, data: bytes) -> Step:
        """Pass it on."""
        if self._plugin == sha2.CACHING and data == sha2.FULL and self._client_tls != self._tls:
            raise self._cannot("asks for the password itself")
        self.awaiting = data != sha2.FAST_OK
        return Step(to_client=bytes((MORE_DATA,)) + data)

    def failed(self, number: int) -> Refused | None:
        """The server's own words."""
        del number
        return None

    def _began(self, plugin: str) -> None:
        self._plugin = plugin
        sealed = plugin == sha2.PLAIN and not self._client_tls and not self._tls
        if plugin not in _SCRAMBLED and not self._tls and not sealed:
            raise self._cannot(f"logs in with {plugin[:64]}")

    def _cannot(self, what: str) -> Refused:
        where = "has no TLS to the server" if not self._tls else "has TLS to the server and none to the client"
        return Refused(
            ACCESS_DENIED,
            f"target {self._target} {what}, and {where}: the password is not passed on. "
            "Use TLS on both, or give the target a credential in the policy.",
        )
