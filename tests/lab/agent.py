"""A real daemon for tests, demo and bench: its own instance, files in a temporary directory, a namespace of choice."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hostagent.recording.row import single

READY_DEADLINE = 60.0
WORKER_USER, ANALYZER_USER = 61290, 61291  # numbers without a passwd entry, from the range systemd gives to nobody else
BIN = Path(sys.executable).parent
_AS_NOBODY = """
import os, sys
import hostagent.cli.main, hostagent.daemon.app
os.setgroups([])
os.setresgid(65534, 65534, 65534)
os.setresuid(65534, 65534, 65534)
program = hostagent.daemon.app if sys.argv[1].endswith("hostagentd") else hostagent.cli.main
sys.exit(program.main(sys.argv[2:]))
"""
# put before BIN / "hostagent" or "hostagentd": run it as nobody, also where only root can read the checkout
AS_NOBODY = (sys.executable, "-c", _AS_NOBODY)


@dataclass
class Agent:
    """One `hostagentd`. `netns`: a named network namespace, or None for the one we are in.

    `within`: a command that runs its arguments, put before the daemon's own.
    """

    instance: str
    policy: str
    cgroups: tuple[str, ...]
    netns: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    within: tuple[str, ...] = ()

    def start(self) -> Agent:
        """Start it; returns when it says READY. Raises RuntimeError with its log when it does not."""
        self.directory = Path(tempfile.mkdtemp(prefix=f"{self.instance}-"))
        self.directory.chmod(0o755)
        self.state = self.directory / "state"
        self.control = self.directory / "run" / "control.sock"
        self.config = self.directory / "hostagent.yaml"
        self.policies = self.directory / "policies.d"
        self.policies.mkdir()
        (self.policies / "policy.yaml").write_text(self.policy)
        self.config.write_text(json.dumps(self._config()))  # JSON is YAML
        self._log = (self.directory / "log").open("wb")
        self.launch()
        return self

    def launch(self) -> None:
        """Start the daemon (again) on the files that are there, and wait for READY."""
        notify = self.directory / "notify.sock"
        notify.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(str(notify))
            told.settimeout(READY_DEADLINE)
            self.process = subprocess.Popen(
                [*self.enter(), *self.within, BIN / "hostagentd", "--config", self.config],
                stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
                env={**os.environ, "NOTIFY_SOCKET": str(notify)},
            )  # fmt: skip
            told.settimeout(0.2)
            for _ in range(int(READY_DEADLINE / 0.2)):
                with contextlib.suppress(TimeoutError):
                    if b"READY=1" in told.recv(4096):
                        return
                if self.process.poll() is not None:
                    break
        self.process.kill()
        raise RuntimeError(f"hostagentd was not ready (status {self.process.wait()}):\n{self.log()}")

    def command(self, *arguments: object) -> list[str]:
        """The argument vector of `hostagent ARGUMENTS…` for this instance."""
        return [*self.enter(), str(BIN / "hostagent"), "--socket", str(self.control), *map(str, arguments)]

    def hostagent(self, *arguments: object, check: bool = True) -> str:
        """What `hostagent ARGUMENTS…` prints."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=60)
        if check and done.returncode:
            command = " ".join(map(str, arguments))
            raise RuntimeError(f"hostagent {command}: {done.returncode}\n{done.stderr}{self.log()}")
        return done.stdout

    def run(self, *argv: object, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a command governed; never raises for its exit status."""
        options = {"capture_output": True, "text": True, "timeout": 60, **options}
        return subprocess.run(self.command("run", "--", *argv), check=False, **options)

    def events(self) -> list[dict[str, Any]]:
        """All events so far, oldest first; of outcomes that are told together, one each."""
        text = self.hostagent("events", "--state-dir", self.state, "-n", 10**9, "-o", "json")
        return [event for line in text.splitlines() for event in single(json.loads(line))]

    @property
    def records(self) -> Path:
        """Where the journal, index and recordings are."""
        return self.state / "records"

    def kill(self) -> None:
        """SIGKILL the supervisor, as a crash would."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End the daemon, and remove everything it set up."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(
            [*self.enter(), BIN / "hostagentd", "--config", self.config, "teardown"],
            check=True, stdout=self._log, stderr=self._log,
        )  # fmt: skip
        self._log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def log(self) -> str:
        """What the daemon logged."""
        return (self.directory / "log").read_text(errors="replace")

    def enter(self) -> list[str]:
        """The prefix that runs a command where the agent is. `ip netns exec` would hide the cgroup and bpf mounts."""
        return ["nsenter", f"--net=/run/netns/{self.netns}"] if self.netns else []

    def _config(self) -> dict[str, Any]:
        return {
            "instance": self.instance,
            "workers": 1,  # which one a test stops or kills is then no matter of chance
            "govern": {"cgroups": list(self.cgroups)},
            "users": {"worker": WORKER_USER, "analyzer": ANALYZER_USER},
            "state_directory": str(self.state),
            "runtime_directory": str(self.directory / "run"),
            "policy_directory": str(self.policies),
            **self.settings,
        }
