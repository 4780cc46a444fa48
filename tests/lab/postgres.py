"""A throw-away PostgreSQL server of the distribution, with TLS, in a network namespace of choice."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import trustme

SERVER_NAME = "orders.lab.test"
START_DEADLINE = 30.0


def binaries() -> Path:
    """Where the newest installed server's binaries are. Raises FileNotFoundError when there is none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: float(p.parts[4]))
    if not found:
        raise FileNotFoundError("no PostgreSQL server is installed (tools/setup installs it)")
    return found[-1].parent


@dataclass
class Postgres:
    """One server. `netns` is a named network namespace, or None for this one; `ca_file` verifies its certificate."""

    addresses: tuple[str, ...]
    port: int = 5432
    netns: str | None = None
    tls: bool = True
    settings: tuple[str, ...] = ()
    home: Path | None = None  # another server than the distribution's: the directory that holds its bin, lib and share

    def start(self) -> Postgres:
        """Make the cluster and start it; returns when it answers."""
        self.directory = Path(tempfile.mkdtemp(prefix="hostagent-pg-"))
        owner = pwd.getpwnam("postgres")
        os.chown(self.directory, owner.pw_uid, owner.pw_gid)
        self.directory.chmod(0o755)
        data = self.directory / "data"
        server = self._reachable()
        self._as_server(server / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "-N")
        self.ca_file = self.directory / "server-ca.pem"
        if self.tls:
            self._make_certificate(owner.pw_uid, owner.pw_gid)
        (data / "pg_hba.conf").write_text(_HBA)
        command = [*self._enter(), "setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        command += [str(server / "postgres"), "-D", str(data), "-k", str(self.directory), "-p", str(self.port)]
        for setting in (f"listen_addresses={','.join(self.addresses)}", f"ssl={'on' if self.tls else 'off'}",
                        f"ssl_cert_file={self.directory}/server.pem", f"ssl_key_file={self.directory}/server.key",
                        "fsync=off", "synchronous_commit=off", "max_connections=300", "shared_buffers=128MB",
                        "log_min_messages=warning", *self.settings):  # fmt: skip
            command += ["-c", setting]
        self._log = (self.directory / "log").open("wb")
        self._command = command
        self._launch()
        return self

    def restart(self, mode: str, patience: float = 20) -> None:
        """What `pg_ctl restart -m MODE` does: an orderly stop, then a start; returns when it answers.

        `smart` waits for sessions to end by themselves; those that have not after `patience` seconds are ended.
        """
        stop = (self._reachable() / "pg_ctl", "-D", self.directory / "data", "-t", f"{patience:g}", "-m")
        try:
            self._as_server(*stop, mode, "stop")
        except subprocess.CalledProcessError:
            self._as_server(*stop, "fast", "stop")
        self.process.wait(10)
        self._launch()

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL as superuser over the server's own unix socket; what psql prints, unaligned."""
        done = subprocess.run(
            [binaries() / "psql", "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.directory,
             "-p", str(self.port), "-U", "postgres", "-d", database, "-f", "-"],
            input=text, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def stop(self) -> None:
        """End the server and remove its files; does nothing the second time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """What the server logged."""
        return (self.directory / "log").read_text()

    def _launch(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=self._log, stderr=self._log, stdin=subprocess.DEVNULL)
        self._wait()

    def _reachable(self) -> Path:
        """The server's binaries, where the user that runs them gets to: a checkout may be open to root alone."""
        if self.home is None:
            return binaries()
        return Path(shutil.copytree(self.home, self.directory / "server", symlinks=True)) / "bin"

    def _make_certificate(self, uid: int, gid: int) -> None:
        ca = trustme.CA()
        certificate = ca.issue_cert(SERVER_NAME, *(a for a in self.addresses if a != "*"))
        ca.cert_pem.write_to_path(str(self.ca_file))
        key = self.directory / "server.key"
        certificate.private_key_pem.write_to_path(str(key))
        key.chmod(0o600)
        os.chown(key, uid, gid)
        pem = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
        (self.directory / "server.pem").write_bytes(pem)

    def _as_server(self, *command: object) -> None:
        setpriv = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        subprocess.run([*setpriv, *map(str, command)], check=True, capture_output=True, cwd="/")

    def _enter(self) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self.netns}"] if self.netns else []

    def _wait(self) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            ready = subprocess.run(
                [binaries() / "pg_isready", "-q", "-h", self.directory, "-p", str(self.port)], check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.05)
        raise RuntimeError(f"PostgreSQL did not start:\n{self.log()}")


# who may come how: each user name says how it logs in
_HBA = """\
local all all trust
host all trusting all trust
host all md5er all md5
host all plain all password
host all all all scram-sha-256
"""
