"""A throw-away MariaDB server of the distribution, with TLS, in a network namespace of choice."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import trustme

SERVER_NAME = "shop.lab.test"
START_DEADLINE = 60.0
USER = "mysql"


@cache
def fresh_data() -> Path:
    """A data directory as a new server has it; made once a run, and copied by each server."""
    directory = Path(tempfile.mkdtemp(prefix="hostagent-mariadb-new-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    _give(directory)
    data = directory / "data"
    _as_server(
        "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal",
        "--skip-test-db", "--innodb-log-file-size=8M", f"--tmpdir={directory}",
    )  # fmt: skip
    return data


@dataclass
class MariaDB:
    """One server. `netns` is a named network namespace, or None for this one; `ca_file` verifies its certificate."""

    port: int = 3306
    netns: str | None = None
    tls: bool = True
    settings: tuple[str, ...] = ()

    def start(self) -> MariaDB:
        """Make its data and start it; returns when it answers."""
        self.directory = Path(tempfile.mkdtemp(prefix="hostagent-mariadb-"))
        _give(self.directory)
        self.socket = self.directory / "socket"
        self.ca_file = self.directory / "server-ca.pem"
        _as_server("cp", "-r", fresh_data(), self.directory / "data")
        if self.tls:
            self._make_certificate()
        self._log = (self.directory / "log").open("wb")
        self.launch()
        return self

    def launch(self) -> None:
        """Start it (again) on the data that is there."""
        options = [
            "--no-defaults", f"--datadir={self.directory / 'data'}", f"--socket={self.socket}", f"--port={self.port}",
            f"--pid-file={self.directory / 'pid'}", f"--tmpdir={self.directory}", "--bind-address=*",
            "--skip-log-bin", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0",
            "--innodb-buffer-pool-size=32M", "--innodb-log-file-size=8M",
            "--max-allowed-packet=64M", "--plugin-load-add=auth_ed25519", "--character-set-server=utf8mb4",
            "--performance-schema=off", "--innodb-stats-auto-recalc=0", *self.settings,
        ]  # fmt: skip
        if self.tls:
            options += [f"--ssl-{name}={self.directory}/server.{name}" for name in ("cert", "key")]
        enter = ["nsenter", f"--net=/run/netns/{self.netns}"] if self.netns else []
        self.process = subprocess.Popen(
            [*enter, *_SETPRIV, "mariadbd", *options], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            cwd="/",
        )  # fmt: skip
        deadline = time.monotonic() + START_DEADLINE
        while self.process.poll() is None and time.monotonic() < deadline:
            if self._root("SELECT 1").returncode == 0:
                return
            time.sleep(0.05)
        log = self.log()
        self.stop()
        raise RuntimeError(f"MariaDB did not start:\n{log}")

    def sql(self, text: str) -> str:
        """Run SQL as root over the server's own unix socket; rows as the client prints them in batch mode."""
        done = self._root(text)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.strip()

    def halt(self) -> None:
        """End the server; its data stays."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self) -> None:
        """End the server and remove its files."""
        self.halt()
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """What the server logged."""
        return (self.directory / "log").read_text(errors="replace")

    def _root(self, text: str) -> subprocess.CompletedProcess[str]:
        client = ["mariadb", "--no-defaults", "--batch", "--skip-column-names", f"--socket={self.socket}", "-u", "root"]
        return subprocess.run(client, input=text, capture_output=True, text=True, check=False)

    def _make_certificate(self) -> None:
        ca = trustme.CA()
        certificate = ca.issue_cert(SERVER_NAME)
        ca.cert_pem.write_to_path(str(self.ca_file))
        key, cert = self.directory / "server.key", self.directory / "server.cert"
        certificate.private_key_pem.write_to_path(str(key))
        cert.write_bytes(b"".join(blob.bytes() for blob in certificate.cert_chain_pems))
        key.chmod(0o600)
        for file in (key, cert):
            _give(file, 0o600)
        self.ca_file.chmod(0o644)


_SETPRIV = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")


def _as_server(*command: object) -> None:
    done = subprocess.run([*_SETPRIV, *map(str, command)], capture_output=True, text=True, cwd="/", check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout}{done.stderr}")


def _give(path: Path, mode: int = 0o755) -> None:
    owner = pwd.getpwnam(USER)
    os.chown(path, owner.pw_uid, owner.pw_gid)
    path.chmod(mode)
