"""asyncssh is loaded when an SSH flow comes, and not before."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import hostagent.runtime.flow, hostagent.runtime.opening, hostagent.runtime.worker
assert "asyncssh" not in sys.modules
import hostagent.runtime.ssh.opening
assert "asyncssh" in sys.modules
"""


def test_a_worker_without_ssh_flows_does_not_load_it() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, stdin=subprocess.DEVNULL, timeout=60)
