"""The `vault` source: the HTTP API of HashiCorp Vault, which OpenBao speaks too.

    POST /v1/auth/APPROLE/login        role_id, secret_id → auth: client_token, lease_duration, renewable
    GET  /v1/MOUNT/data/PATH           KV version 2: data.data           (documentation: api-docs/secret/kv/kv-v2)
    GET  /v1/MOUNT/PATH                KV version 1: data                (api-docs/secret/kv/kv-v1)
    GET  /v1/MOUNT/creds/ROLE          database: data.username, data.password, lease_id, lease_duration, renewable
    POST /v1/sys/leases/renew          lease_id, increment → lease_duration, renewable   (api-docs/system/leases)
    POST /v1/auth/token/renew-self     → auth: lease_duration, renewable (api-docs/auth/token)
    POST /v1/auth/token/revoke-self    a token that has served

Rules: a token is read or made when it is needed and goes into one header; a lease ends with the token that it was made
with, so the shorter of the two counts; and nothing that Vault says but its `errors` stands in an error.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from hostagent.credentials.http import Answer, HttpError, Server
from hostagent.credentials.secret import Lease, Secret, Unavailable
from hostagent.credentials.sources import Source, read_secret
from hostagent.errors import FileError

MAX_COMPLAINT = 300  # characters of Vault's own errors that an operator sees


class AppRoleSpec(Protocol):
    """An AppRole login."""

    @property
    def mount(self) -> str: ...
    @property
    def role_id(self) -> str: ...
    @property
    def secret_id_from(self) -> Source: ...


class VaultSpec(Protocol):
    """Where the secret is, and how Vault is logged in to: exactly one of `token_from` and `approle` is given."""

    @property
    def address(self) -> str: ...
    @property
    def engine(self) -> str: ...
    @property
    def mount(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def password_field(self) -> str: ...
    @property
    def user_field(self) -> str: ...
    @property
    def namespace(self) -> str | None: ...
    @property
    def ca_file(self) -> str | None: ...
    @property
    def token_from(self) -> Source | None: ...
    @property
    def approle(self) -> AppRoleSpec | None: ...
    @property
    def timeout(self) -> float: ...
    @property
    def lifetime(self) -> float: ...


@dataclass(frozen=True, slots=True)
class _Token:
    """`seconds`: what is left of it, None where that is not ours to know; `own`: made by us, for this one use."""

    value: str = field(repr=False)
    seconds: float | None = None
    own: bool = False


class Vault:
    """One credential's source. `name` is the credential's, `user` the policy's word for whom to log in as."""

    def __init__(self, name: str, user: str | None, spec: VaultSpec) -> None:
        self._name = name
        self._user = user
        self._spec = spec
        self._server = Server(spec.address, spec.ca_file, spec.timeout)

    async def fetch(self) -> Secret:
        """A secret, new for the database engine. Raises Unavailable, FileError."""
        token = await self._log_in()
        spec = self._spec
        if spec.engine == "database":
            return self._leased(await self._ask("GET", f"{spec.mount}/creds/{spec.path}", token), token)
        path = f"{spec.mount}/data/{spec.path}" if spec.engine == "kv2" else f"{spec.mount}/{spec.path}"
        answer = await self._ask("GET", path, token)
        if token.own:
            with contextlib.suppress(Unavailable):  # it ends by itself otherwise
                await self._ask("POST", "auth/token/revoke-self", token)
        return self._stored(answer)

    async def renew(self, held: Secret) -> Secret | None:
        """The same secret for longer, or None when a new one is needed: its lease cannot go on for half as long."""
        lease = held.lease
        if lease is None or not lease.renewable:
            return None
        try:
            token = _Token(lease.token, own=True) if lease.token else await self._log_in()
            seconds = await self._renewed_token(token) if token.own else None
            wanted = {"lease_id": lease.id, "increment": int(lease.seconds)}
            answer = await self._ask("POST", "sys/leases/renew", token, wanted)
        except (Unavailable, FileError):
            return None  # the lease or its token is gone, or so is Vault: `fetch` finds out which
        left = _shorter(_number(answer.get("lease_duration")), seconds)
        if left < lease.seconds / 2:
            return None
        again = Lease(lease.id, answer.get("renewable") is True, lease.seconds, lease.token)
        return Secret(held.user, held.secret, left, again)

    async def _log_in(self) -> _Token:
        approle = self._spec.approle
        if approle is None:
            assert self._spec.token_from is not None
            return _Token(read_secret(self._spec.token_from, f"credential {self._name}: the Vault token"))
        secret_id = read_secret(approle.secret_id_from, f"credential {self._name}: the SecretID")
        given = {"role_id": approle.role_id, "secret_id": secret_id}
        auth = (await self._ask("POST", f"auth/{approle.mount}/login", None, given)).get("auth")
        if not isinstance(auth, dict) or not isinstance(value := auth.get("client_token"), str) or not value:
            raise self._unusable("its answer to the AppRole login has no token")
        return _Token(value, _number(auth.get("lease_duration")) or None, own=True)  # 0: a token without end

    async def _renewed_token(self, token: _Token) -> float | None:
        auth = (await self._ask("POST", "auth/token/renew-self", token)).get("auth")
        if not isinstance(auth, dict):
            raise self._unusable("its answer to renew-self is none")
        return _number(auth.get("lease_duration")) or None

    def _leased(self, answer: dict[str, Any], token: _Token) -> Secret:
        data, lease = answer.get("data"), answer.get("lease_id")
        seconds = _number(answer.get("lease_duration"))
        if not isinstance(data, dict) or not isinstance(lease, str) or not lease or seconds <= 0:
            raise self._unusable("its answer has no lease")
        user, secret = _text(data, "username"), _text(data, "password")
        if not user or not secret:
            raise self._unusable("its answer has no username and password")
        kept = Lease(lease, answer.get("renewable") is True, seconds, token.value if token.own else "")
        return Secret(user, secret, _shorter(seconds, token.seconds), kept)

    def _stored(self, answer: dict[str, Any]) -> Secret:
        spec, data = self._spec, answer.get("data")
        if spec.engine == "kv2":
            data = data.get("data") if isinstance(data, dict) else None
        if not isinstance(data, dict):
            raise self._unusable("its answer holds no secret: is the mount's engine the one that the policy says?")
        secret, user = _text(data, spec.password_field), self._user or _text(data, spec.user_field)
        if not secret:
            raise self._unusable(f"the secret has no text field {spec.password_field!r} (password_field)")
        if not user:
            raise self._unusable(f"the policy names no `user`, the secret has no text field {spec.user_field!r}")
        return Secret(user, secret, spec.lifetime)

    async def _ask(
        self, method: str, path: str, token: _Token | None, body: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        headers = [("X-Vault-Request", "true")]
        if token is not None:
            if not token.value.isascii() or not token.value.isprintable() or " " in token.value:
                raise self._unusable("the token that it is to be asked with is not one")
            headers.append(("X-Vault-Token", token.value))
        if self._spec.namespace is not None:
            headers.append(("X-Vault-Namespace", self._spec.namespace))
        sent = b"" if body is None else json.dumps(body).encode()
        try:
            answer = await self._server.ask(method, f"/v1/{quote(path)}", headers, sent)
        except HttpError as error:
            hint = "check `vault.address` and `vault.ca_file`, and that Vault is up"
            raise Unavailable(f"credential {self._name}: Vault at {self._spec.address}: {error}", hint) from None
        if answer.status not in (200, 204):
            raise self._refused(path, answer)
        return self._object(answer.body) if answer.status == 200 else {}

    def _object(self, body: bytes) -> dict[str, Any]:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, dict):
            raise self._unusable("its answer is not a JSON object")
        return value

    def _refused(self, path: str, answer: Answer) -> Unavailable:
        hint = _HINTS.get(answer.status, "see Vault's own log")
        what = f"Vault at {self._spec.address} answered {answer.status} to {path}{_errors(answer.body)}"
        return Unavailable(f"credential {self._name}: {what}", hint)

    def _unusable(self, why: str) -> Unavailable:
        hint = "check `engine`, `mount`, `path` and the fields of the credential in the policy"
        return Unavailable(f"credential {self._name}: Vault at {self._spec.address}: {why}", hint)


_HINTS = {
    301: "give the address of the server itself: redirects are not followed, so that the token goes nowhere else",
    307: "this node is a standby: give the active node's or the load balancer's address",
    400: "the token, SecretID or lease has ended, or the role is wrong",
    403: "the token must be valid, and its policy must allow `read` on this path",
    404: "check `engine`, `mount` and `path`: nothing is there",
    429: "Vault limits its rate, or this node is a standby",
    503: "Vault is sealed or in maintenance: unseal it",
}


def _errors(body: bytes) -> str:
    """`: permission denied`, from {"errors": ["permission denied"]}."""
    try:
        errors = json.loads(body)["errors"]
        text = "; ".join(error for error in errors if isinstance(error, str))
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    text = " ".join(text.split())
    return ": " + "".join(c if c.isprintable() else "?" for c in text[:MAX_COMPLAINT]) if text else ""


def _text(data: dict[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) and "\0" not in value else ""


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9 else 0.0


def _shorter(seconds: float, other: float | None) -> float:
    return seconds if other is None else min(seconds, other)
