"""Prints hostagent/system_calls.txt: the system calls of systemd's groups, with their numbers on each machine.

    .venv/bin/python tools/list_system_calls.py >hostagent/system_calls.txt

A line is a group, a name, and the numbers on x86_64 and aarch64 (`-`: not there), as linux-libc-dev has them.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

GROUPS = (
    "clock", "cpu-emulation", "debug", "module", "mount", "obsolete", "privileged", "raw-io", "reboot", "resources",
    "swap", "chown", "keyring",
)  # fmt: skip
OTHERS = (
    "clone", "clone3", "connect", "execve", "execveat", "io_uring_setup", "process_vm_readv", "process_vm_writev",
    "setns", "socket", "unshare", "userfaultfd",
)  # fmt: skip
X86_64 = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
GENERIC = Path("/usr/include/asm-generic/unistd.h")  # aarch64


def main() -> None:
    """Print the table, and nothing that neither machine has."""
    x86_64 = dict(re.findall(r"#define __NR_(\w+)\s+(\d+)", X86_64.read_text()))
    generic = dict(re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", GENERIC.read_text()))
    named = [(group, name) for group in GROUPS for name in members(group)]
    for group, name in [*named, *(("-", name) for name in OTHERS)]:
        if name in x86_64 or name in generic:
            print(group, name, x86_64.get(name, "-"), generic.get(name, "-"))


def members(group: str) -> Iterator[str]:
    """The names of a group, those of the groups in it too."""
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", f"@{group}"], capture_output=True, text=True, check=True
    )
    for line in sorted(map(str.strip, said.stdout.splitlines()[1:])):
        if line.startswith("@"):
            yield from members(line[1:])
        elif not line.startswith("#"):
            yield line


if __name__ == "__main__":
    main()
