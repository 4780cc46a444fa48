"""Our client: whom the server must prove to be, and what it is logged in to with.

Every host key is looked up in what the policy names; the supervisor signs, so no private key is here. A host key that
is taken at its first use is kept by the supervisor before anything secret is sent.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.public_key import SSHKeyPair, get_default_certificate_algs, get_default_public_key_algs

from hostagent.runtime.channel import ChannelError
from hostagent.runtime.ssh.identity import CIPHERS, VERSION

if TYPE_CHECKING:
    from hostagent.runtime.ssh.bridge import Bridge

LOGIN_SECONDS = 50.0  # a helper has 40 s at most, as for other protocols
KEEPALIVE_SECONDS, KEEPALIVES = 15.0, 3  # a server that says nothing is asked so often; the last one unanswered ends it
PORT = 22


class LoginFailed(Exception):
    """There is no connection to the server; `what` is written for the client."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(what)


class Login:
    """One login to the flow's target."""

    def __init__(self, bridge: Bridge) -> None:
        self._bridge = bridge
        self._answer: dict[str, Any] = {}
        self.refused = ""  # why it failed, as soon as that is known
        self.first_key = ""  # shown by a host of which none is known, where the policy takes it

    @property
    def user(self) -> str:
        """Who we log in as."""
        return str(self._answer.get("user", ""))

    @property
    def label(self) -> str:
        """The host as known_hosts writes it."""
        port = self._bridge.flow.facts.destination.port
        return self._bridge.host if port == PORT else f"[{self._bridge.host}]:{port}"

    async def options(self) -> asyncssh.SSHClientConnectionOptions:
        """What to connect with. Raises LoginFailed."""
        bridge = self._bridge
        asked = {"public_key": bridge.identity.user_public_key, "flow": bridge.flow.id}
        self._answer = await self.call("ssh.login", asked)
        try:
            trust = self._known_hosts()
            return asyncssh.SSHClientConnectionOptions(
                client_factory=lambda: Client(self), client_version=VERSION, config=None,
                host=self._certified_name(), port=bridge.flow.facts.destination.port, username=self.user,
                known_hosts=trust, server_host_key_algs=_algorithms(trust), client_keys=None, agent_path=None,
                gss_host=None, gss_kex=False, gss_auth=False, encryption_algs=CIPHERS,
                compression_algs=["none"], login_timeout=30,
                keepalive_interval=KEEPALIVE_SECONDS, keepalive_count_max=KEEPALIVES,
                agent_forwarding=False, request_pty=True, encoding=None, env=None, send_env=None,
                x509_trusted_certs=None, x509_trusted_cert_paths=[],
            )  # fmt: skip
        except (asyncssh.Error, ValueError) as error:
            raise LoginFailed(f"the login to target {bridge.target.name} cannot be set up: {error}") from None

    async def call(self, operation: str, more: dict[str, Any]) -> dict[str, Any]:
        """Ask the supervisor about this login. Raises LoginFailed."""
        bridge = self._bridge
        asked = {"target": bridge.target.name, "login": bridge.login, "host": self.label, **more}
        try:
            return await bridge.flow.worker.channel.call(operation, asked, timeout=LOGIN_SECONDS)
        except ChannelError as error:
            raise LoginFailed(f"target {bridge.target.name}: {error.what}") from None

    def why(self, error: Exception) -> str:
        """Why the login failed, for the client."""
        name = self._bridge.target.name
        if self.refused:
            return self.refused
        if isinstance(error, asyncssh.HostKeyNotVerifiable):
            return f"the host key of target {name} could not be verified: {error.reason}"
        if isinstance(error, asyncssh.PermissionDenied):
            return f"the server of target {name} refused the login as {self.user} that this host holds for it"
        return f"SSH with the server of target {name} failed: {error}"

    def ended(self, error: Exception | None) -> None:
        """The connection to the server is over."""
        if error is not None and not isinstance(error, asyncssh.ConnectionLost):
            self.refused = self.refused or self.why(error)
        self._bridge.upstream_ended(error)

    def accepts(self, key: asyncssh.SSHKey) -> bool:
        """Whether a plain host key that no known_hosts line vouches for is taken."""
        given = self._answer["host_keys"]
        shown = key.get_fingerprint()
        if shown in given["pinned"]:
            return True
        known = self._known()
        if given["first_use"] and not known:
            self.first_key = " ".join(key.export_public_key().decode().split()[:2])
            return True
        where = f"the host key of {self.label} (target {self._bridge.target.name})"
        shows = f"it shows {shown} ({key.get_algorithm()})"
        if known:
            self.refused = f"{where} has changed: {shows}, and known is {', '.join(sorted(known))}"
        else:
            self.refused = f"{where} is not known: {shows}"
        return False

    async def confirm_first_key(self) -> None:
        """Have a key kept that was taken at its first use. Raises LoginFailed when another was kept meanwhile."""
        if self.first_key:
            kept = await self.call("ssh.first_use", {"key": self.first_key})
            if kept["key"] != self.first_key:
                raise LoginFailed(f"the host key of {self.label} has changed since its first use")

    async def key_pair(self) -> SSHKeyPair | None:
        """What public-key authentication is done with."""
        await self._confirmed()
        if self._answer["kind"] == "certificate_authority":
            certificate = asyncssh.import_certificate(self._answer["certificate"])
            pairs = asyncssh.load_keypairs([(self._bridge.identity.user_key, certificate)])
            return next(pair for pair in pairs if pair.has_cert)
        if self._answer["kind"] == "key":
            return SupervisorsKey(self, self._answer["public_key"], self._answer["algorithms"])
        return None

    async def password(self) -> str | None:
        """What password authentication is done with."""
        await self._confirmed()
        return str(self._answer["password"]) if self._answer["kind"] == "password" else None

    async def _confirmed(self) -> None:
        try:
            await self.confirm_first_key()
        except LoginFailed as error:
            self.refused = error.what
            raise asyncssh.PermissionDenied(error.what) from None

    def _certified_name(self) -> str:
        return self._answer["host_keys"]["server_name"] or self._bridge.host

    def _known_hosts(self) -> tuple[list[str], list[str], list[str]]:
        """Trusted keys, CA keys and revoked keys, as OpenSSH writes them."""
        trusted, authorities, revoked = self._from_file()
        given = self._answer["host_keys"]
        trusted += [asyncssh.import_public_key(pin) for pin in given["pinned"] if not pin.startswith("SHA256:")]
        if given["first_used"]:
            trusted.append(asyncssh.import_public_key(given["first_used"]))
        authorities += [asyncssh.import_public_key(line) for line in given["ca"]]
        return trusted, authorities, revoked

    def _from_file(self) -> tuple[list[Any], list[Any], list[Any]]:
        given = self._answer["host_keys"]
        if not given["known_hosts"]:
            return [], [], []
        destination = self._bridge.flow.facts.destination
        hosts = asyncssh.import_known_hosts(given["known_hosts"])
        port = destination.port if destination.port != PORT else None
        found = hosts.match(self._bridge.host, destination.address, port)
        return list(found[0]), list(found[1]), list(found[2])

    def _known(self) -> set[str]:
        """The fingerprints of all plain keys that are known for the host, and where from."""
        given = self._answer["host_keys"]
        known = {f"{pin} (pinned)" for pin in given["pinned"] if pin.startswith("SHA256:")}
        pins = [asyncssh.import_public_key(pin) for pin in given["pinned"] if not pin.startswith("SHA256:")]
        known |= {f"{key.get_fingerprint()} (pinned)" for key in pins}
        if given["first_used"]:
            first = asyncssh.import_public_key(given["first_used"])
            known.add(f"{first.get_fingerprint()} (from its first use)")
        return known | {f"{key.get_fingerprint()} (from {given['file']})" for key in self._from_file()[0]}


def _algorithms(trust: tuple[list[Any], list[Any], list[Any]]) -> list[str]:
    """The host key algorithms, those known for the host first: of several keys a server shows the one of that kind."""
    known = [name for key in trust[0] for name in key.sig_algorithms]
    certified, plain = get_default_certificate_algs(), get_default_public_key_algs()
    order = [*certified, *known, *plain] if trust[1] else [*known, *plain, *certified]
    return [name.decode() for name in dict.fromkeys(order) if name in {*certified, *plain}]


class Client(asyncssh.SSHClient):
    """What asyncssh asks our client. Each way of logging in is tried once: what a server refused is not said again."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._tried: set[str] = set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._login.ended(exc)

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:  # noqa: ARG002
        return self._login.accepts(key)

    async def public_key_auth_requested(self) -> Any:
        return await self._login.key_pair() if self._first("publickey") else None

    async def password_auth_requested(self) -> str | None:
        return await self._login.password() if self._first("password") else None

    def kbdint_auth_requested(self) -> str | None:
        return "" if self._first("keyboard-interactive") else None

    def _first(self, method: str) -> bool:
        first = method not in self._tried
        self._tried.add(method)
        return first

    async def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: Any) -> Any:  # noqa: ARG002
        if not prompts:
            return []
        password = await self._login.password()
        hidden = len(prompts) == 1 and not prompts[0][1]
        return [password] if hidden and password is not None else None


class SupervisorsKey(SSHKeyPair):
    """A key pair whose private half the supervisor holds: it signs this connection's login and nothing else."""

    def __init__(self, login: Login, public_key: str, algorithms: list[str]) -> None:
        key = asyncssh.import_public_key(public_key)
        names = [name.encode() for name in algorithms]
        super().__init__(key.algorithm, names[0], names, names, base64.b64decode(public_key.split()[1]), None)
        self._login = login

    async def sign_async(self, data: bytes) -> bytes:
        """The signature of a login; `data` begins with the session id (RFC 4252 section 7)."""
        size = int.from_bytes(data[:4], "big")
        asked = {"session_id": data[4 : 4 + size].hex(), "algorithm": self.sig_algorithm.decode()}
        answer = await self._login.call("ssh.sign", asked)
        return bytes.fromhex(answer["signature"])
