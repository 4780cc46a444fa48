"""A real machine under QEMU: boots an image, runs commands in it, is cut off, reset and put to sleep.

It is a host with systemd and the distribution's kernel. Commands go over a virtio port to an agent in it
(`guest/root/usr/local/lib/vm/agent.py`), so they work whatever its network does; files go in over the same port, or as
a read-only disk made of a directory (/srv/share). Its network card leads nowhere. KVM is used where a kernel really
boots with it (`accelerator`), software emulation otherwise.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.vm.image import BUILD, Image

QEMU = "qemu-system-x86_64"
BOOT_DEADLINE = 400.0  # seconds; 30 is usual with emulation on an idle host
COMMAND_DEADLINE = 300.0
KVM_DEADLINE = 15.0
CHUNK = 512 << 10  # bytes of a file in one request
HYBRID = "systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=0"
COMMAND_LINE = "root=/dev/vda rw console=ttyS0 loglevel=4 panic=-1 mitigations=off nowatchdog net.ifnames=0"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended; `status` is None for one that outran its time."""

    argv: tuple[str, ...]
    status: int | None
    out: str
    err: str

    def __str__(self) -> str:
        return f"{' '.join(self.argv)}: status {self.status}\n{self.out}{self.err}"


class Machine:
    """One machine. Made by `boot`; `stop` ends it and its disk is gone."""

    def __init__(self, image: Image, name: str, kernel: str, hybrid: bool, disks: Sequence[Path], memory: int) -> None:
        self.directory = BUILD / "run" / name
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        self.console = self.directory / "console.log"
        self.kernel, self.hybrid = kernel, hybrid
        self.boots = 0
        self._numbers = itertools.count(1)
        self._answers: dict[int, queue.SimpleQueue[dict[str, Any]]] = {}
        self._ready = threading.Condition()
        self._sending = threading.Lock()
        overlay = self.directory / "disk.qcow2"
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", "qcow2", "-b", image.disk, "-F", image.format, overlay], check=True
        )
        command = self._command(image, overlay, disks, memory)
        with _listen(self.directory / "agent.sock") as agent, _listen(self.directory / "qmp.sock") as monitor:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=(self.directory / "qemu.log").open("wb"),
            )  # fmt: skip
            try:
                self._agent, _ = agent.accept()
                self._monitor, _ = monitor.accept()
            except TimeoutError:
                self._process.kill()
                raise RuntimeError((self.directory / "qemu.log").read_text()) from None
        self._monitored = self._monitor.makefile("r")
        self._monitored.readline()
        self.qmp("qmp_capabilities")
        threading.Thread(target=self._read, daemon=True).start()

    @classmethod
    def boot(
        cls, image: Image, name: str, *, kernel: str = "6.1", hybrid: bool = False, disks: Sequence[Path] = (),
        memory: int = 2048,
    ) -> Machine:  # fmt: skip
        """Boot it; returns when commands run in it. RuntimeError with its console when it does not.

        `disks`: read-only, beside its own; the first one is mounted at /srv/share, until it is rebooted.
        """
        machine = cls(image, name, kernel, hybrid, disks, memory)
        try:
            machine.await_boot(1)
            if disks:
                machine.check("mount", "-o", "ro", "/dev/vdb", "/srv/share")
        except BaseException:
            machine.stop()
            raise
        return machine

    def run(self, *argv: object, input: str = "", timeout: float = COMMAND_DEADLINE) -> Done:
        """Run a command as root in it; never raises for its status. RuntimeError when the machine does not answer."""
        words = tuple(map(str, argv))
        number = next(self._numbers)
        answers = self._answers[number] = queue.SimpleQueue()
        self._send({"id": number, "argv": words, "input": input, "timeout": timeout})
        try:
            answer = answers.get(timeout=timeout + 60)
        except queue.Empty:
            raise RuntimeError(f"no answer to {' '.join(words)}\n{self.tail()}") from None
        finally:
            del self._answers[number]
        if answer.get("lost"):
            raise RuntimeError(f"the machine went down during {' '.join(words)}")
        return Done(words, answer["status"], answer["out"], answer["err"])

    def check(self, *argv: object, input: str = "", timeout: float = COMMAND_DEADLINE) -> str:
        """The output of a command that must succeed. AssertionError with all it said when it does not."""
        done = self.run(*argv, input=input, timeout=timeout)
        assert done.status == 0, str(done)
        return done.out

    def shell(self, script: str, timeout: float = COMMAND_DEADLINE) -> str:
        """The output of a shell script that must succeed."""
        return self.check("bash", "-euc", script, timeout=timeout)

    def put(self, file: Path | str, where: str, mode: str = "644") -> None:
        """Write a file in it: a file of this host, or a text."""
        data = file.read_bytes() if isinstance(file, Path) else file.encode()
        self.check("sh", "-c", 'mkdir -p "$(dirname "$1")" && : >"$1" && chmod "$2" "$1"', "sh", where, mode)
        for start in range(0, len(data), CHUNK):
            chunk = base64.b64encode(data[start : start + CHUNK]).decode()
            self.check("sh", "-c", 'base64 -d >>"$1"', "sh", where, input=chunk)

    def eventually(self, script: str, within: float = 60.0) -> str:
        """The output of a shell script once it succeeds; tried until then. AssertionError with its last words."""
        deadline = time.monotonic() + within
        while True:
            done = self.run("bash", "-euc", script)
            if done.status == 0:
                return done.out
            assert time.monotonic() < deadline, f"not within {within:g} s: {done}\n{self.tail(15)}"
            time.sleep(0.5)

    def reboot(self) -> None:
        """Reboot it as an operator would; returns when commands run again."""
        booted = self.boots
        with contextlib.suppress(RuntimeError):  # it may be down before it has answered
            self.run("systemctl", "--no-block", "reboot")
        self.await_boot(booted + 1)

    def reset(self) -> None:
        """Cut its power and boot it again: nothing is synced, nothing is stopped."""
        booted = self.boots
        self.qmp("system_reset")
        self.await_boot(booted + 1)

    def await_boot(self, number: int, within: float = BOOT_DEADLINE) -> None:
        """Wait until the agent has come up that many times. RuntimeError with the console when it does not."""
        deadline = time.monotonic() + within
        with self._ready:
            while self.boots < number:
                self._ready.wait(1.0)
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the machine did not come up within {within:g} s\n{self.tail(60)}")

    def qmp(self, command: str, **arguments: object) -> Any:
        """A QEMU Machine Protocol command: `stop`, `cont`, `system_wakeup`, `query-status`; what it returns."""
        self._monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            answer = json.loads(self._monitored.readline())
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']}")
            if "return" in answer:
                return answer["return"]

    def tail(self, lines: int = 40) -> str:
        """The end of what its console said."""
        text = self.console.read_text(errors="replace") if self.console.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def shut_down(self) -> Path:
        """Shut it down as an operator would; the disk that it leaves, which is the caller's from now on."""
        with contextlib.suppress(RuntimeError):
            self.run("systemctl", "--no-block", "poweroff")
        self._process.wait(BOOT_DEADLINE)
        kept = (self.directory / "disk.qcow2").rename(self.directory / "kept.qcow2")
        self.stop()
        return kept

    def stop(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        for connection in (self._agent, self._monitor):
            connection.close()
        (self.directory / "disk.qcow2").unlink(missing_ok=True)

    def _command(self, image: Image, overlay: Path, disks: Sequence[Path], memory: int) -> list[str]:
        kernel, ram_disk = image.kernel(self.kernel)
        more = [f"file={disk},format=raw,if=virtio,readonly=on" for disk in disks]
        return [
            "setpriv", "--pdeathsig", "KILL", QEMU, *accelerator(image),
            "-M", "q35", "-smp", "2", "-m", str(memory), "-nodefaults", "-nographic",
            "-kernel", str(kernel), "-initrd", str(ram_disk),
            "-append", COMMAND_LINE + (f" {HYBRID}" if self.hybrid else ""),
            *_each("-drive", [f"file={overlay},format=qcow2,if=virtio,cache=unsafe", *more]),
            "-nic", "user,restrict=on,model=virtio-net-pci",
            "-device", "virtio-rng-pci", "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=agent,path={self.directory}/agent.sock",
            "-device", "virtserialport,chardev=agent,name=agent",
            "-chardev", f"file,id=console,path={self.console}", "-serial", "chardev:console",
            "-qmp", f"unix:{self.directory}/qmp.sock,server=off",
        ]  # fmt: skip

    def _send(self, request: dict[str, Any]) -> None:
        with self._sending:
            self._agent.sendall(json.dumps(request).encode() + b"\n")

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            for line in self._agent.makefile("rb"):
                try:
                    self._take(json.loads(line))
                except ValueError:  # the end of an answer that a reset cut
                    continue

    def _take(self, answer: dict[str, Any]) -> None:
        if answer["id"]:
            if answers := self._answers.get(answer["id"]):
                answers.put(answer)
            return
        for answers in list(self._answers.values()):
            answers.put({"lost": True})
        with self._ready:
            self.boots += 1
            self._ready.notify_all()


def accelerator(image: Image) -> tuple[str, ...]:
    """The options of QEMU's accelerator. KVM where this host's boots a kernel; asked once a boot of the host."""
    host = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    remembered = BUILD / "accelerator.json"
    if not remembered.exists() or json.loads(remembered.read_text())["host"] != host:
        remembered.write_text(json.dumps({"host": host, "kvm": _kvm_boots(image)}))
    if json.loads(remembered.read_text())["kvm"]:
        return ("-accel", "kvm", "-cpu", "host")
    return ("-accel", "tcg,thread=multi,tb-size=1024", "-cpu", "max")


def _kvm_boots(image: Image) -> bool:
    """Whether a kernel says something under KVM; a device that opens proves nothing."""
    kernel, _ = image.kernel("6.1")
    argv = [
        QEMU, "-accel", "kvm", "-cpu", "host", "-M", "q35", "-m", "512",
        "-nodefaults", "-nographic", "-serial", "stdio",
        "-no-reboot", "-kernel", str(kernel), "-append", "console=ttyS0 earlyprintk=serial panic=-1 edd=off",
    ]  # fmt: skip
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, timeout=KVM_DEADLINE, check=False)
        return b"Linux version" in done.stdout
    return False


def _listen(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen(1)
    listener.settimeout(30)
    return listener


def _each(option: str, values: Sequence[str]) -> Iterator[str]:
    return itertools.chain.from_iterable((option, value) for value in values)
