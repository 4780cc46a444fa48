"""How a target is logged in to, and how its clients are: `credentials:`, and `tls:` and `placeholder_password:` of a
target. No secret ever stands here: a field names the place where one is.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from hostagent.policy.section import AbsolutePath, HostName, Name, Section, Strict
from hostagent.values.target import UpstreamTls

NO_SECRETS = "a secret never stands in a policy file or the environment: name the file or source that holds it"
_SECRET_KEYS = dict.fromkeys(("secret", "password", "value", "env", "token", "secret_id"), NO_SECRETS)
MAX_LIFETIME = 86_400.0  # seconds; a value that its source gives no end is asked for again within a day

_LOOPBACK_ONLY = "https is needed; http is for an agent on this host: http://127.0.0.1:PORT"


def _user_name(value: str) -> str:
    if value in ("root", "0"):
        raise ValueError("a helper never runs as root: name a user of its own")
    return value


def _argument(value: str) -> str:
    if "\0" in value:
        raise ValueError("an argument cannot hold a NUL")
    return value


def _address(value: str) -> str:
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018  raises ValueError for one that is no number
    except ValueError:
        raise ValueError("not a URL: write https://HOST[:PORT]") from None
    host = parts.hostname or ""
    if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc or not value.isascii():
        raise ValueError("not a URL: write https://HOST[:PORT]")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError("only https://HOST[:PORT] stands here: the rest goes into `mount` and `path`")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(_LOOPBACK_ONLY)
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _vault_path(value: str) -> str:
    segments = value.split("/")
    if not value.isascii() or not value.isprintable() or set(value) & set(" ?#%\\") or {"", ".", ".."} & set(segments):
        raise ValueError("a path such as team/orders is needed: no leading slash, no `..`, no `?`, `#` or `%`")
    return value


def _command(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value[0].startswith("/") or not value[0].isprintable():
        raise ValueError("the absolute path of a program comes first: there is no shell and no PATH")
    return value


Argument = Annotated[str, Field(strict=True, max_length=4096), AfterValidator(_argument)]
Command = Annotated[tuple[Argument, ...], Field(strict=False, min_length=1, max_length=64), AfterValidator(_command)]
HelperUser = Annotated[str, Field(strict=True, min_length=1, max_length=32), AfterValidator(_user_name)]
Address = Annotated[str, Strict, AfterValidator(_address)]
VaultPath = Annotated[str, Field(strict=True, min_length=1, max_length=512), AfterValidator(_vault_path)]
Principals = Annotated[
    tuple[Annotated[str, Field(strict=True, pattern=r"^[^\s,*?]{1,255}$")], ...],
    Field(strict=False, min_length=1, max_length=64),
]
PUBLIC_KEY = r"^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+={0,2}( .*)?$"
Seconds = Annotated[float, Field(gt=0, le=MAX_LIFETIME)]


class SecretFile(Section):
    """Where one secret is: exactly one of the two."""

    refused_keys: ClassVar[dict[str, str]] = _SECRET_KEYS

    file: AbsolutePath | None = Field(None, description="File that holds the secret; nobody else may read it.")
    systemd: Name | None = Field(None, description="Name of a LoadCredential= of hostagentd's unit.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.file is None) == (self.systemd is None):
            raise ValueError("exactly one of `file` and `systemd` is needed")
        return self


class Helper(Section):
    """A program that prints the secret. It runs without environment, shell and input, as a user without privilege."""

    refused_keys: ClassVar[dict[str, str]] = _SECRET_KEYS | {"env": NO_SECRETS, "shell": "there is no shell"}

    command: Command = Field(description="Absolute path of the program, and its arguments.")
    user: HelperUser = Field(description="User that it runs as: a name, or a number in quotes; never root.")
    timeout: Annotated[float, Field(gt=0, le=40)] = Field(10.0, description="Seconds until it is killed.")
    lifetime: Seconds = Field(900.0, description="Seconds that its secret is good for where it does not say so itself.")


class AppRole(Section):
    """Vault's AppRole login."""

    refused_keys: ClassVar[dict[str, str]] = _SECRET_KEYS

    mount: VaultPath = Field("approle", description="Where the auth method is mounted.")
    role_id: Annotated[str, Field(strict=True, min_length=1, max_length=128)] = Field(
        description="RoleID; not a secret."
    )
    secret_id_from: SecretFile = Field(description="Where the SecretID is.")


class Vault(Section):
    """A server that speaks HashiCorp Vault's HTTP API (OpenBao does). Its certificate is always verified."""

    refused_keys: ClassVar[dict[str, str]] = _SECRET_KEYS

    address: Address = Field(description="https://HOST[:PORT]; http only for a loopback address (Vault Agent).")
    engine: Literal["kv1", "kv2", "database"] = Field(
        description="kv1, kv2: a stored secret; database: a login made for us, with a lease that is renewed."
    )
    mount: VaultPath = Field(description="Where the secrets engine is mounted, such as secret or database.")
    path: VaultPath = Field(description="kv1, kv2: path of the secret within the mount; database: name of the role.")
    password_field: Annotated[str, Field(strict=True, min_length=1)] = Field(
        "password", description="kv1, kv2: the field that holds the secret."
    )
    user_field: Annotated[str, Field(strict=True, min_length=1)] = Field(
        "username", description="kv1, kv2: the field that holds the role, where the credential has no `user`."
    )
    namespace: VaultPath | None = Field(None, description="Namespace (X-Vault-Namespace).")
    ca_file: AbsolutePath | None = Field(None, description="CA certificates; default the system's trust store.")
    token_from: SecretFile | None = Field(None, description="Where the token is, such as the sink of Vault Agent.")
    approle: AppRole | None = Field(None, description="Log in with AppRole instead of a token.")
    timeout: Annotated[float, Field(gt=0, le=15)] = Field(5.0, description="Seconds for one question and its answer.")
    lifetime: Seconds = Field(
        900.0, description="kv1, kv2: seconds that a value is used for; it is read again after two thirds of them."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.token_from is None) == (self.approle is None):
            raise ValueError("exactly one of `token_from` and `approle` is needed")
        if self.engine == "database" and self.model_fields_set & {"password_field", "user_field", "lifetime"}:
            raise ValueError("`engine: database` makes user, password and lease: leave out the fields of kv1 and kv2")
        if self.ca_file and self.address.startswith("http:"):
            raise ValueError("`ca_file` verifies https: the address is http")
        return self


class SshLogin(Section):
    """What the secret of a credential is to an SSH server, and how it is used."""

    kind: Literal["key", "agent", "password", "certificate_authority"] = Field(
        description="key: a private key (OpenSSH or PEM, no passphrase); agent: a key that an ssh-agent holds; "
        "password; certificate_authority: the private key of a CA that signs a certificate for each connection."
    )
    socket: AbsolutePath | None = Field(None, description="agent: the socket that the ssh-agent listens at.")
    public_key: Annotated[str, Field(strict=True, pattern=PUBLIC_KEY)] | None = Field(
        None, description="agent: which of its keys, as `ssh-add -L` prints it."
    )
    lifetime: Annotated[int, Field(strict=True, ge=10, le=3600)] | None = Field(
        None, description="certificate_authority: seconds that a certificate is good for; default 60."
    )
    principals: Principals | None = Field(
        None, description="certificate_authority: whom certificates name; default the user that is logged in as."
    )
    force_command: Annotated[str, Field(strict=True, min_length=1, max_length=4096)] | None = Field(
        None, description="certificate_authority: the one command that servers run under these certificates."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.kind == "agent") != (self.socket is not None and self.public_key is not None):
            raise ValueError("`socket` and `public_key` are needed with `kind: agent`, and go with nothing else")
        own = self.model_fields_set & {"lifetime", "principals", "force_command"}
        if own and self.kind != "certificate_authority":
            raise ValueError(f"`{min(own)}` goes with `kind: certificate_authority`")
        return self


class CredentialEntry(Section):
    """What the upstream leg logs in with. The secret is where exactly one of file, systemd, exec and vault says."""

    refused_keys: ClassVar[dict[str, str]] = _SECRET_KEYS

    name: Name = Field(description="What targets call this credential.")
    user: Annotated[str, Field(strict=True, min_length=1, max_length=63)] | None = Field(
        None,
        description="Role to log in as; needed with file and systemd, else the source may say it. With `ssh`: the "
        "user, whatever login name a client asks for; without it, that name.",
    )
    file: AbsolutePath | None = Field(None, description="File that holds the secret; nobody else may read it.")
    systemd: Name | None = Field(None, description="Name of a LoadCredential= of hostagentd's unit.")
    exec: Helper | None = Field(None, description="A program that prints the secret.")
    vault: Vault | None = Field(None, description="A HashiCorp-Vault-compatible server.")
    ssh: SshLogin | None = Field(None, description="What the secret is to targets of `protocol: ssh`; only for these.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        sources = sum(source is not None for source in (self.file, self.systemd, self.exec, self.vault))
        if self.ssh is not None and self.ssh.kind == "agent":
            if sources:
                raise ValueError("the key of `kind: agent` stays in the agent: no file or other source goes with it")
            return self
        if sources != 1:
            raise ValueError("exactly one of `file`, `systemd`, `exec` and `vault` is needed")
        if self.ssh is not None:
            if self.vault is not None and self.vault.engine == "database":
                raise ValueError("`engine: database` makes logins of databases: `ssh` takes kv1 or kv2")
            return self
        if self.user is None and (self.file or self.systemd):
            raise ValueError("`user` is needed: a file holds the secret alone")
        if self.user is not None and self.vault is not None and self.vault.engine == "database":
            raise ValueError("`user` is made by the database engine: leave it out")
        return self


class Tls(Section):
    """How the upstream leg is protected."""

    upstream: UpstreamTls = Field(
        UpstreamTls.VERIFY_FULL, description="verify-full: chain and name; verify-ca: chain only; off: plaintext."
    )
    ca_file: AbsolutePath | None = Field(None, description="CA certificates; default the system's trust store.")
    server_name: HostName | None = Field(None, description="Name that the upstream certificate must carry.")
    cert_file: AbsolutePath | None = Field(
        None, description="Our client certificate with its chain (PEM), for servers that ask for one."
    )
    key_file: AbsolutePath | None = Field(None, description="Its key (PEM, no passphrase); nobody else may read it.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.upstream is UpstreamTls.OFF and (self.ca_file or self.server_name or self.cert_file or self.key_file):
            raise ValueError("`upstream: off` verifies nothing: leave out ca_file, server_name, cert_file and key_file")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("`cert_file` and `key_file` go together")
        return self
