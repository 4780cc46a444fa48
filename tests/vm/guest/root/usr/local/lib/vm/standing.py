"""Everything of this host that a package can leave behind, as JSON: section → lines. Two of them are compared.

Left out is what changes by itself: logs, caches, package lists, the databases' own files, systemd's transient state.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

COMMANDS = {
    "nftables": "nft -s list ruleset",
    "rules": "ip -4 rule; ip -6 rule",
    "routes": "ip -4 route show table 177; ip -6 route show table 177",
    "pins": "find /sys/fs/bpf -mindepth 1",
    "tc": "for d in $(ls /sys/class/net); do tc filter show dev $d ingress; tc filter show dev $d egress; done",
    "cgroups": "find /sys/fs/cgroup -type d -path '*hostagent*'",
    "units": "systemctl list-unit-files --no-legend --plain | sort",
    "users": "cut -d: -f1,7 /etc/passwd; cut -d: -f1 /etc/group",
    "trust": "ls /etc/ssl/certs /usr/local/share/ca-certificates; sha256sum /etc/ssl/certs/ca-certificates.crt",
    "packages": "dpkg-query -W -f '${Package} ${db:Status-Status}\\n'",
}
TREES = ("/etc", "/usr", "/var", "/run", "/opt", "/root", "/srv")
VOLATILE = (
    "/etc/.pwd.lock", "/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-", "/etc/subuid-", "/etc/subgid-",
    "/etc/resolv.conf", "/etc/ld.so.cache", "/etc/machine-id", "/run/systemd", "/run/user", "/run/udev", "/run/netns",
    "/run/log", "/run/dbus", "/run/sshd", "/run/postgresql", "/run/mysqld", "/run/credentials", "/run/lock",
    "/run/utmp", "/run/initramfs", "/run/containers", "/run/crun", "/run/libpod", "/run/mount", "/run/blkid",
    "/run/cni",
    "/run/early-server.log", "/run/sudo", "/run/crond.pid", "/run/netavark", "/run/agetty.reload", "/run/rpc_pipefs",
    "/srv/share", "/var/backups", "/var/cache", "/var/lib/apt", "/var/lib/dpkg", "/var/lib/containers",
    "/var/lib/mysql", "/var/lib/postgresql", "/var/lib/systemd", "/var/log", "/var/tmp", "/var/lib/private",
    "/root", "/var/spool/cron", "/usr/local/lib/vm", "/var/lib/initramfs-tools", "/var/lib/cni", "/etc/cni",
    "/usr/share/applications/mimeinfo.cache",
)  # fmt: skip


def programs() -> list[str]:
    """Names of BPF programs and maps, without those that systemd loads for its units."""
    lines = []
    for kind in ("prog", "map", "link"):
        said = subprocess.run(["bpftool", "-j", kind, "show"], capture_output=True, text=True, check=False).stdout
        objects = json.loads(said or "[]")
        names = [str(each.get("name", each.get("type", ""))) for each in objects if isinstance(each, dict)]
        lines += [f"{kind} {name}" for name in names if kind != "link" and not name.startswith(("sd_", "pid_iter"))]
        lines += [f"link {each.get('type')} {each.get('attach_type', '')}" for each in objects if kind == "link"]
    return sorted(lines)


def files(top: str) -> list[str]:
    """`MODE OWNER PATH [HASH]` of everything below; the content counts in /etc."""
    found = []
    for directory, folders, names in os.walk(top):
        folders[:] = [f for f in folders if not f"{directory}/{f}".startswith(VOLATILE) and f != "__pycache__"]
        for name in [*folders, *names]:
            path = Path(directory, name)
            if str(path).startswith(VOLATILE):
                continue
            try:
                facts = path.lstat()
                content = path.is_file() and not path.is_symlink() and top == "/etc"
                digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12] if content else ""
            except OSError:
                continue
            found.append(f"{facts.st_mode:o} {facts.st_uid}:{facts.st_gid} {path} {digest}".rstrip())
    return sorted(found)


def main() -> None:
    """Print it."""
    standing = {}
    for name, command in COMMANDS.items():
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        standing[name] = sorted(done.stdout.splitlines())
    standing["programs"] = programs()
    standing |= {top: files(top) for top in TREES}
    print(json.dumps(standing))


if __name__ == "__main__":
    main()
