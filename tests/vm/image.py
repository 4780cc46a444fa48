"""The disk image of a machine under test: Debian 12 with the distribution's own kernels, made once and kept.

Three steps, each kept under `build/vm` by a hash of what it is made from: the tree (debootstrap and apt), the tree as
a file system (`mkfs.ext4 -d`: no loop device, no mount of an image), and the kernels with their initial RAM disks
beside it. The packages come from the mirrors that this host's apt uses; a machine itself reaches no network.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
GUEST = HERE / "guest"
BUILD = HERE.parent.parent / "build" / "vm"
SUITE = "bookworm"
DISK_BYTES = 8 << 30  # sparse
# metapackage of a kernel → what the machines call it
KERNELS = {"6.1": "linux-image-cloud-amd64", "6.12": "linux-image-6.12-cloud-amd64"}
HEADERS = ("linux-headers-cloud-amd64", "linux-headers-6.12-cloud-amd64")  # for the BCC tools
PACKAGES = (
    "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "systemd-container", "udev", "kmod", "procps",
    "psmisc", "sudo", "rsync", "strace", "lz4", "zstd", "ca-certificates", "iproute2", "iputils-ping", "nftables",
    "python3", "libbpf1", "bpftool", "postgresql", "postgresql-client", "mariadb-server", "mariadb-client",
    "openssh-server", "openssh-client", "cron", "podman", "iptables", "netavark", "aardvark-dns",
    "crun", "uidmap", "slirp4netns",
    "fuse-overlayfs", "python3-bpfcc", "bpfcc-tools", *KERNELS.values(), *HEADERS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Image:
    """A root file system that machines lay their own writes over, and the kernels to boot it with."""

    disk: Path
    boot: Path

    @property
    def format(self) -> str:
        """What QEMU calls the format of the disk."""
        return "qcow2" if self.disk.suffix == ".qcow2" else "raw"

    def kernel(self, version: str) -> tuple[Path, Path]:
        """Kernel and initial RAM disk of "6.1" or "6.12"."""
        (kernel,) = self.boot.glob(f"vmlinuz-{version}.*")
        return kernel, self.boot / kernel.name.replace("vmlinuz", "initrd.img")


def build() -> Image:
    """The image; made if it is not there as it is described here. RuntimeError with what a tool said."""
    tree = _tree()
    key = _key(
        tree.name, *(f"{path.stat().st_mode} {path.relative_to(GUEST)}\n{path.read_text()}" for path in _files())
    )
    made = Image(BUILD / f"image-{key}.ext4", BUILD / f"boot-{key}")
    if not made.disk.exists():
        _file_system(tree, made)
    return made


def directory_disk(directory: Path, disk: Path, label: str = "share") -> Path:
    """A read-only disk with the files of a directory; machines find it by its label, at /srv/share."""
    used = sum(path.lstat().st_size for path in directory.rglob("*") if not path.is_symlink())
    disk.unlink(missing_ok=True)
    _truncate(disk, used * 5 // 4 + (64 << 20))
    _run("mkfs.ext4", "-q", "-F", "-L", label, "-m", "0", "-O", "^has_journal", "-d", str(directory), str(disk))
    return disk


def _tree() -> Path:
    script = GUEST / "install.sh"
    tree = BUILD / f"tree-{_key(SUITE, *PACKAGES, script.read_text())}"
    if not tree.exists():
        mirror = _mirror()
        unfinished, archives = BUILD / "tree.unfinished", BUILD / "debs"
        shutil.rmtree(unfinished, ignore_errors=True)
        archives.mkdir(parents=True, exist_ok=True)
        _run(
            "debootstrap", "--variant=minbase", f"--cache-dir={archives}",
            "--include=systemd,systemd-sysv,initramfs-tools",
            SUITE, str(unfinished), f"{mirror}/debian",
        )  # fmt: skip
        _run("unshare", "--mount", "sh", str(script), str(unfinished), str(archives), mirror, SUITE, *PACKAGES)
        unfinished.rename(tree)
    return tree


def _mirror() -> str:
    """Where this host's apt gets Debian from, without the archive's name."""
    asked = ["apt-get", "indextargets", "--format", "$(SITE)", "Created-By: Packages"]
    sites = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split()
    (mirror,) = {site.rstrip("/").removesuffix("/debian") for site in sites if site.rstrip("/").endswith("/debian")}
    return mirror


def _file_system(tree: Path, made: Image) -> None:
    """The tree with our own files over it, as a disk; the tree itself stays as the packages made it."""
    work = BUILD / "work"
    shutil.rmtree(work, ignore_errors=True)
    unfinished = BUILD / "image.unfinished"
    unfinished.unlink(missing_ok=True)
    _truncate(unfinished, DISK_BYTES)
    _run("unshare", "--mount", "sh", str(HERE / "lay_image.sh"), str(tree), str(GUEST), str(work), str(unfinished))
    made.boot.mkdir(exist_ok=True)
    for path in (tree / "boot").glob("[vi][mn]*"):
        shutil.copy(path, made.boot)
    unfinished.rename(made.disk)
    shutil.rmtree(work, ignore_errors=True)


def _files() -> list[Path]:
    return sorted(path for path in GUEST.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def _truncate(path: Path, size: int) -> None:
    with path.open("wb") as file:
        os.truncate(file.fileno(), size)


def _run(*argv: str) -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    log = BUILD / "image.log"
    with log.open("ab") as out:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
    if done.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise RuntimeError(f"{' '.join(argv[:6])}: status {done.returncode}\n{tail}")
