"""A throw-away sshd of the distribution, in a network namespace of choice: own keys, own CA, own configuration.

It lets in the accounts `root` and `postgres`, which are there, by keys and by certificates of its user CA.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.netns.topology import inside

START_DEADLINE = 15.0
SFTP_SERVER = next(p for p in ("/usr/lib/openssh/sftp-server", "/usr/libexec/openssh/sftp-server") if Path(p).is_file())
USERS = ("root", "postgres")


def keygen(file: Path, kind: str = "ed25519", *more: str) -> str:
    """Make a key pair in `file` and `file`.pub; the public key's line."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "", "-f", file, *more], check=True)
    return Path(f"{file}.pub").read_text().strip()


def fingerprint(public_key: Path | str) -> str:
    """SHA256:… of a public key's file."""
    done = subprocess.run(["ssh-keygen", "-l", "-f", public_key], check=True, capture_output=True, text=True)
    return done.stdout.split()[1]


def free_port() -> int:
    """A port of loopback that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def ssh_agent(socket: Path) -> Iterator[str]:
    """An ssh-agent without keys that listens there; the variable that clients find it by."""
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", str(socket)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        while not socket.exists():
            if agent.poll() is not None:
                raise RuntimeError("ssh-agent did not start")
            time.sleep(0.02)
        yield f"SSH_AUTH_SOCK={socket}"
    finally:
        agent.terminate()
        agent.wait()


@dataclass
class Sshd:
    """One server. `netns` is a named network namespace, or None for this one."""

    ports: tuple[int, ...] = (22,)
    netns: str | None = None
    settings: tuple[str, ...] = ()
    listen: tuple[str, ...] = ("0.0.0.0", "::")  # in a namespace of its own
    running: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def prepare(self) -> Sshd:
        """Make its directory, keys and CAs: a policy can name them before it runs."""
        self.directory = Path(tempfile.mkdtemp(prefix="hostagent-sshd-"))
        self.directory.chmod(0o755)
        (self.directory / "home").mkdir()
        (self.directory / "home").chmod(0o1777)
        self.host_key = keygen(self.directory / "host_key")
        self.user_key_file = self.directory / "user_key"
        self.user_key = keygen(self.user_key_file)
        self.rsa_key_file = self.directory / "rsa_key"
        self.rsa_key = keygen(self.rsa_key_file, "rsa", "-b", "2048")
        self.user_ca_file = self.directory / "user_ca"
        self.user_ca = keygen(self.user_ca_file)
        self.host_ca_file = self.directory / "host_ca"
        self.host_ca = keygen(self.host_ca_file)
        self.fingerprint = fingerprint(self.directory / "host_key.pub")
        for user in USERS:
            (self.directory / f"authorized_{user}").write_text(f"{self.user_key}\n{self.rsa_key}\n")
        return self

    def certify(self, *names: str) -> None:
        """Have the host CA sign the host key for these names; without names for every one."""
        command = ["ssh-keygen", "-q", "-s", str(self.host_ca_file), "-h", "-I", "lab"]
        command += ["-n", ",".join(names)] if names else []
        subprocess.run([*command, self.directory / "host_key.pub"], check=True)

    def start(self) -> Sshd:
        """Start it; returns when it listens."""
        config = self.directory / "sshd_config"
        config.write_text("\n".join(self._config()) + "\n")
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # where sshd itself insists on separating its privileges
        enter = ["nsenter", f"--net=/run/netns/{self.netns}"] if self.netns else []
        with (self.directory / "log").open("ab") as log:
            command = [*enter, "/usr/sbin/sshd", "-D", "-e", "-f", str(config)]
            self.running.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        self._wait()
        return self

    def stop(self) -> None:
        """End the server and remove its files; does nothing the second time."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def of_connections(self) -> list[int]:
        """The processes that it has forked for connections, and theirs."""
        return [child for process in self.running for child in _children(process.pid)]

    def kill(self) -> None:
        """End the server and what it has forked for connections, at once."""
        for process in self.running:
            for pid in [*_children(process.pid), process.pid]:
                subprocess.run(["kill", f"-{signal.SIGKILL.value}", str(pid)], check=False, capture_output=True)
            process.wait()
        self.running.clear()

    def log(self) -> str:
        """What it logged."""
        return (self.directory / "log").read_text(errors="replace")

    def _config(self) -> Iterable[str]:
        for port in self.ports:
            yield f"Port {port}"
        for address in self.listen:
            yield f"ListenAddress {address}"
        yield f"HostKey {self.directory}/host_key"
        if (self.directory / "host_key-cert.pub").is_file():
            yield f"HostCertificate {self.directory}/host_key-cert.pub"
        yield f"AuthorizedKeysFile {self.directory}/authorized_%u"
        yield f"TrustedUserCAKeys {self.directory}/user_ca.pub"
        yield f"PidFile {self.directory}/pid"
        yield f"Subsystem sftp {SFTP_SERVER}"
        yield "StrictModes no"
        yield "UsePAM yes"  # else an account with a locked password is not let in by its key
        yield "PermitRootLogin yes"
        yield "PasswordAuthentication no"
        yield "KbdInteractiveAuthentication no"
        yield "LogLevel VERBOSE"
        yield "MaxStartups 1000"
        yield "MaxSessions 300"
        yield "AcceptEnv LANG LC_* ALLOWED_* HIDDEN_*"
        yield f"SetEnv HOME={self.directory}/home"  # bash reads a .bashrc there for each command: this one has none
        yield "AllowTcpForwarding yes"
        yield "AllowStreamLocalForwarding yes"
        yield from self.settings

    def _wait(self) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline:
            if self.running[-1].poll() is not None:
                break
            try:
                if self.netns is None:
                    socket.create_connection(("127.0.0.1", self.ports[0]), 1).close()
                else:
                    with inside(self.netns):
                        socket.create_connection(("127.0.0.1", self.ports[0]), 1).close()
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise RuntimeError(f"sshd did not start:\n{self.log()}")


def _children(pid: int) -> list[int]:
    try:
        found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [grandchild for child in found for grandchild in (*_children(child), child)]
