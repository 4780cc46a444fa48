"""What the figures were taken on: facts of the machine and versions, no names and no paths."""

from __future__ import annotations

import os
import platform
import re
import ssl
import subprocess
import time
from pathlib import Path

_VERSIONS = {
    "PostgreSQL": ["pgbench", "--version"],
    "pgbouncer": ["pgbouncer", "--version"],
    "haproxy": ["haproxy", "-v"],
    "OpenSSH": ["ssh", "-V"],
}


def facts() -> dict[str, object]:
    """For the head of a report."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count() or 0,
        "processor": _processor(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION.split()[1],
        **{name: _version(command) for name, command in _VERSIONS.items()},
    }


def _processor() -> str:
    found = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _version(command: list[str]) -> str:
    text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout
    found = re.search(r"\d+\.\d[\d.]*", text)
    return found[0] if found else "unknown"
