"""A runner host with the package on it, and a database host beside it: set up once, by the scripts that Vagrant runs.

The machine is shut down after its setup, and its disk kept by a hash of what went into it; tests lay their own writes
over it. So each test's first boot is that of a host whose daemon is enabled. Before the package is installed the state
of the host is written down (`STANDING`), for what a purge must bring back.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.vm.image import BUILD, Image, build, directory_disk
from tests.vm.machine import Machine

ROOT = Path(__file__).parent.parent.parent
DATABASE = "10.77.0.2"
DIRECT_PORT = 7777  # the server that answers from the first second of a boot
STANDING = "/root/standing-before.json"
SLOW = 900.0  # seconds that the start of the daemon may take where the processor is emulated
# what a governed process may meet there, which is no target: taken and closed, or never connected
REFUSED = {"silent", "econnrefused", "econnreset", "eperm", "other:0"}
# One worker: of two emulated processors. Two users' sessions: dev is governed, ops is not.
CONFIGURATION = """\
workers: 1
govern:
  cgroups:
    - /governed.slice
    - /system.slice/cron.service
    - /system.slice/early-governed.service
    - /user.slice/user-1000.slice/session-*.scope
    - /user.slice/user-*.slice/user@*.service/agents.slice
    - /machine.slice/libpod-*.scope
container_interfaces: [podman0]
"""
PROVISION = ("sh", "/srv/share/vagrant/provision.sh")
DROP_IN = "[Service]\nTimeoutStartSec=600\nWatchdogSec=300\n"


def package() -> Path:
    """The package under test: HOSTAGENT_DEB, or the newest of `make package`. RuntimeError where there is none."""
    if given := os.environ.get("HOSTAGENT_DEB"):
        return Path(given)
    made = sorted((ROOT / "dist").glob("hostagent_*_amd64.deb"), key=lambda path: path.stat().st_mtime)
    if not made:
        raise RuntimeError("there is no package to test: make package")
    return made[-1]


def lab(deb: Path) -> Image:
    """A host with that package: provisioned, its daemon enabled, shut down."""
    below = _database_host(build())
    key = _key(below.disk.name.encode(), deb.read_bytes(), CONFIGURATION.encode(), *_vagrant())
    made = Image(BUILD / f"lab-{key}.qcow2", below.boot)
    if not made.disk.exists():
        _set_up(below, made.disk, _install, deb)
    return made


def _database_host(plain: Image) -> Image:
    """A host without the package, the database host beside it set up, and its state written down."""
    made = Image(BUILD / f"database-{_key(plain.disk.name.encode(), DROP_IN.encode(), *_vagrant())}.qcow2", plain.boot)
    if not made.disk.exists():
        _set_up(plain, made.disk, _prepare)
    return made


def _set_up(below: Image, made: Path, steps: Callable[[Machine], None], *files: Path) -> None:
    """Take a machine through these steps and keep its disk; it finds the files, and vagrant/, at /srv/share."""
    shared = BUILD / "shared"
    shutil.rmtree(shared, ignore_errors=True)
    shutil.copytree(ROOT / "vagrant", shared / "vagrant")
    for file in files:
        shutil.copy(file, shared / "hostagent.deb")
    machine = Machine.boot(below, "setup", disks=[directory_disk(shared, BUILD / "shared.ext4")])
    try:
        steps(machine)
        machine.shut_down().rename(made)
    except BaseException:
        print(machine.run("journalctl", "--no-pager", "-o", "cat", "-n", "40", "-u", "hostagentd").out)
        machine.stop()
        raise


def _prepare(machine: Machine) -> None:
    machine.put(DROP_IN, "/etc/systemd/system/hostagentd.service.d/emulated.conf")
    machine.check(*PROVISION, "database", DATABASE, timeout=SLOW)
    machine.shell(f"systemctl daemon-reload; python3 -I /usr/local/lib/vm/standing.py >{STANDING}", timeout=SLOW)


def _install(machine: Machine) -> None:
    machine.check(*PROVISION, "runner", DATABASE, "/srv/share/hostagent.deb", timeout=SLOW)
    machine.put(CONFIGURATION, "/etc/hostagent/hostagent.yaml", mode="640")


def _vagrant() -> list[bytes]:
    return [(ROOT / "vagrant" / name).read_bytes() for name in ("provision.sh", "policy.yaml")]


def _key(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def up(machine: Machine) -> None:
    """Wait until the daemon of a machine that just booted is ready, and has analyzed a statement of each dialect: an
    analyzer's first one takes longest, and its processor time is limited."""
    machine.eventually("systemctl is-active --quiet hostagentd.service", within=SLOW)
    asked = f"mariadb --host={DATABASE} --connect-timeout=90 -uanybody -pno app -Ne 'select owner from accounts'"
    machine.eventually(f"hostagent run -- {asked} | grep -q ada", within=SLOW)


def require_qemu() -> None:
    """RuntimeError where machines cannot be made: these tests are asked for by name, so they do not skip."""
    missing = [
        name for name in ("qemu-system-x86_64", "qemu-img", "debootstrap", "mkfs.ext4") if not shutil.which(name)
    ]
    if missing or os.geteuid():
        raise RuntimeError(f"needs root and {', '.join(missing) or 'nothing else'}: tools/setup vm")
