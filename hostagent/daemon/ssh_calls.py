"""What a worker may ask the supervisor for SSH: a host certificate, how a target is logged in to, a signature.

A worker never gets a private key: it gets a password, where a target has one, a certificate for a key of its own, or
the signature of one authentication request that is put together here. Which user that is for, the policy says: the
credential's `user`, or the login name that the client asked for, which was decided before.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hostagent.credentials import ssh_agent
from hostagent.credentials.secret import Unavailable
from hostagent.credentials.ssh_key import SshKey, algorithms_of, blob_of, login_request
from hostagent.daemon.logins import Logins
from hostagent.daemon.policies import PolicyInForce
from hostagent.daemon.ssh_first_use import FirstUse
from hostagent.errors import HostError
from hostagent.pki.ssh_authority import SshAuthority
from hostagent.policy.login import CredentialEntry, SshLogin
from hostagent.policy.targets import TargetEntry
from hostagent.runtime.channel import Handler

CERTIFICATE_SECONDS = 60  # that a user certificate is good for, unless the policy says otherwise
MAX_LOGIN = 255  # characters
MAX_KNOWN_HOSTS = 4 << 20  # bytes; it goes over the channel, whose frames have 16 MiB

Arguments = dict[str, Any]


class SshCalls:
    """The operations of the channel; they are the same for all workers."""

    def __init__(self, authority: SshAuthority, policies: PolicyInForce, logins: Logins, first_use: FirstUse) -> None:
        self._authority = authority
        self._policies = policies
        self._logins = logins
        self._first_use = first_use

    def handlers(self) -> Mapping[str, Handler]:
        """By name."""
        return {
            "ssh.host_certificate": self._host_certificate,
            "ssh.login": self._login,
            "ssh.sign": self._sign,
            "ssh.first_use": self._keep_first_use,
        }

    async def _host_certificate(self, args: Arguments) -> Arguments:
        public, made = str(args["public_key"]), self._authority.host_certificate
        return {"none": made(public, pattern=False), "pattern": made(public, pattern=True)}

    async def _login(self, args: Arguments) -> Arguments:
        """`target`, the `login` name asked for, the worker's own `public_key` (for a certificate), `host`."""
        target, credential, how = self._asked(args)
        user = _user(credential, args)
        answer: Arguments = {"user": user, "kind": how.kind, "host_keys": self._host_keys(target, str(args["host"]))}
        if how.public_key is not None:  # an agent's
            return answer | {"kind": "key", "public_key": how.public_key, "algorithms": algorithms_of(how.public_key)}
        secret = (await self._logins.secret(credential.name)).secret
        if how.kind == "password":
            return answer | {"password": secret}
        key = self._key(secret, credential.name)
        if how.kind == "key":
            return answer | {"public_key": key.public_key, "algorithms": key.algorithms}
        certificate = key.user_certificate(
            str(args["public_key"]), how.principals or (user,), how.lifetime or CERTIFICATE_SECONDS,
            f"hostagent {args['flow']}", how.force_command,
        )  # fmt: skip
        return answer | {"certificate": certificate}

    async def _sign(self, args: Arguments) -> Arguments:
        """`target`, `login`, the connection's `session_id` (hex) and the signature's `algorithm`."""
        _, credential, how = self._asked(args)
        session_id, algorithm = bytes.fromhex(args["session_id"]), str(args["algorithm"])
        user = _user(credential, args)
        if how.socket is not None and how.public_key is not None:
            request = login_request(session_id, user, algorithm, how.public_key)
            try:
                signature = await ssh_agent.sign(how.socket, blob_of(how.public_key), request, algorithm)
            except Unavailable as error:
                raise self._logins.unusable(credential.name, error) from None
            return {"signature": signature.hex()}
        if how.kind != "key":
            raise HostError("this target has no key that signs logins")
        key = self._key((await self._logins.secret(credential.name)).secret, credential.name)
        return {"signature": key.sign_login(session_id, user, algorithm).hex()}

    async def _keep_first_use(self, args: Arguments) -> Arguments:
        target = self._policies.target(str(args["target"]))
        if target.host_keys is None or not target.host_keys.first_use:
            raise HostError("this target takes no host key at its first use")
        return {"key": self._first_use.keep(target.name, str(args["host"]), str(args["key"]))}

    def _key(self, secret: str, credential: str) -> SshKey:
        try:
            return SshKey(secret, credential)
        except Unavailable as error:
            raise self._logins.unusable(credential, error) from None

    def _asked(self, args: Arguments) -> tuple[TargetEntry, CredentialEntry, SshLogin]:
        target = self._policies.target(str(args["target"]))
        if target.protocol != "ssh" or target.credential is None:
            raise HostError("this target is not logged in to over SSH")
        credential = self._policies.credential(target.credential)
        if credential.ssh is None:
            raise HostError("the credential of this target is none for SSH")
        return target, credential, credential.ssh

    def _host_keys(self, target: TargetEntry, host: str) -> Arguments:
        given = target.host_keys
        if given is None:
            raise HostError("this target says no host keys")
        return {
            "known_hosts": "" if given.known_hosts is None else _known_hosts(given.known_hosts),
            "file": given.known_hosts or "",
            "ca": list(given.ca or ()),
            "pinned": list(given.pinned or ()),
            "server_name": given.server_name or "",
            "first_use": given.first_use,
            "first_used": self._first_use.known(target.name, host) if given.first_use else "",
        }


def _user(credential: CredentialEntry, args: Arguments) -> str:
    user = credential.user or str(args["login"])
    if not 0 < len(user) <= MAX_LOGIN or not user.isprintable() or set(user) & set(" ,*?"):
        raise HostError("no user can be logged in as by that name")
    return user


def _known_hosts(file: str) -> str:
    try:
        data = Path(file).read_bytes()
    except OSError:
        raise HostError("the known_hosts file of this target cannot be read") from None
    if len(data) > MAX_KNOWN_HOSTS:
        raise HostError(f"the known_hosts file of this target is longer than {MAX_KNOWN_HOSTS} bytes")
    return data.decode("utf-8", "replace")
