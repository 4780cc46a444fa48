"""Runs a program with copies of the system's trust stores mounted over them, in a mount namespace of its own.

The machine's own store is never touched: what the program changes is gone with its namespace.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PLACES = ("/etc/ssl", "/etc/ssh", "/usr/local/share/ca-certificates", "/etc/pki")
_SCRIPT = """
set -e
for place in {places}; do
    [ -d $place ] || continue
    mkdir -p {copies}$place
    cp -a $place/. {copies}$place/
    mount --bind {copies}$place $place
done
exec "$@"
"""


def run(copies: Path, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Python text there; `copies` is an empty directory."""
    script = _SCRIPT.format(places=" ".join(PLACES), copies=copies)
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh"]
    command += [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, stdin=subprocess.DEVNULL)
