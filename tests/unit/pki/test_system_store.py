"""The distribution's own commands, on copies of its store."""

from __future__ import annotations

from pathlib import Path

import pytest

from hostagent.pki.authority import Authority
from hostagent.pki.system_store import bundle, holds, system_store
from tests.unit.pki import private_store

PROGRAM = """
import subprocess, sys
from pathlib import Path
from hostagent.pki.system_store import bundle, holds, system_store

pem = Path(sys.argv[1]).read_text()
verify = lambda: subprocess.run(["openssl", "verify", sys.argv[1]], capture_output=True).returncode == 0
tree = lambda: sorted(str(p) for d in ("/etc/ssl", "/usr/local/share/ca-certificates") for p in Path(d).rglob("*"))
before, store = tree(), system_store()
print("before", verify(), holds(bundle(), pem))
print("install", store.install("hostagent-test", pem), verify(), holds(bundle(), pem))
print("again", store.install("hostagent-test", pem), store.file("hostagent-test").stat().st_mode & 0o777 == 0o644)
print("uninstall", store.uninstall("hostagent-test"), verify(), holds(bundle(), pem))
print("again", store.uninstall("hostagent-test"), tree() == before)
"""


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    Authority.load_or_create(tmp_path / "ca.pem", tmp_path / "ca.key")
    return tmp_path / "ca.pem"


def test_install_and_uninstall_leave_what_was_there(tmp_path: Path, ca: Path) -> None:
    done = private_store.run(tmp_path / "copies", PROGRAM, ca)
    assert done.stdout.splitlines() == [
        "before False False",
        "install True True True",
        "again False True",
        "uninstall True False False",
        "again False True",
    ], done.stderr


def test_the_machines_own_store_was_not_touched(ca: Path) -> None:
    assert not system_store().file("hostagent-test").exists() and not holds(bundle(), ca.read_text())


def test_a_certificate_is_found_whatever_the_width_of_its_lines(tmp_path: Path, ca: Path) -> None:
    lines = ca.read_text().splitlines()
    file = tmp_path / "bundle.pem"
    file.write_text("\n".join(["# a comment", lines[0], "".join(lines[1:-1]), lines[-1]]))
    assert holds(file, ca.read_text())
    Authority.load_or_create(tmp_path / "other.pem", tmp_path / "other.key")
    assert not holds(file, (tmp_path / "other.pem").read_text()) and not holds(None, ca.read_text())
