"""What this host must have, checked one by one: by `doctor`, and by the daemon before it touches anything.

A check looks, and at most asks the kernel whether it would take something (`nft -c`): it changes nothing. FAIL means
that enforcement cannot start, WARN that a part of it (containers, another program's rules) needs attention.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pyroute2 import IPRoute

from hostagent.errors import HostError
from hostagent.kernel.cgroups import find_cgroup2_root
from hostagent.kernel.marks import BYSTANDER, GOVERNED, MASK, REDIRECT
from hostagent.kernel.redirect import table_text
from hostagent.kernel.routes import PROTOCOL

BTF = Path("/sys/kernel/btf/vmlinux")
BPFFS = Path("/sys/fs/bpf")
IPV4_SETTINGS = Path("/proc/sys/net/ipv4/conf")
IPV6 = Path("/proc/sys/net/ipv6/conf/lo/disable_ipv6")
IO_URING = Path("/proc/sys/kernel/io_uring_disabled")
STATUS = Path("/proc/self/status")
_TIMEX_BYTES = 512  # struct timex is 208; all zero it asks and changes nothing, adjtimex(2)
_TIME_ERROR = 5
_ASK_SECONDS = 5.0
NEEDED = {"CAP_NET_ADMIN": 12, "CAP_NET_RAW": 13, "CAP_PERFMON": 38, "CAP_BPF": 39}  # linux/capability.h


class Status(StrEnum):
    """How a check ended."""

    PASS = "PASS"  # noqa: S105 no password
    WARN = "WARN"
    FAIL = "FAIL"


@dataclass(frozen=True, slots=True)
class Check:
    """One check. `evidence` is what was seen; `fix` says what to do, empty where nothing is to be done.

    `number` and `id` are those of the check for ever: one that is no more leaves its number unused.
    """

    number: int
    id: str
    name: str
    status: Status
    evidence: str
    fix: str = ""


Finding = tuple[Status, str, str]


def probe() -> list[Check]:
    """All checks, in order."""
    return [Check(number, name_id, name, *look()) for number, name_id, name, look in CHECKS]


def missing() -> list[Check]:
    """The checks that fail: without what they ask for nothing can be enforced."""
    return [check for check in probe() if check.status is Status.FAIL]


def _passed(evidence: str) -> Finding:
    return Status.PASS, evidence, ""


def capabilities() -> Finding:
    """The capabilities in force for this process."""
    held = int(next(li for li in STATUS.read_text().splitlines() if li.startswith("CapEff:")).split()[1], 16)
    lacking = [name for name, bit in NEEDED.items() if not held >> bit & 1]
    if lacking:
        return Status.FAIL, f"lacking {', '.join(lacking)}", "run as root, or give the unit AmbientCapabilities="
    return _passed(f"uid {os.geteuid()} with {', '.join(NEEDED)}")


def kernel_types() -> Finding:
    """BTF, by which the programs find the fields of this kernel."""
    if BTF.exists():
        return _passed(f"{os.uname().release}, {BTF}")
    return Status.FAIL, f"{BTF} is not there", "boot a kernel with CONFIG_DEBUG_INFO_BTF=y (5.8 or later)"


def cgroup2() -> Finding:
    """A cgroup v2 hierarchy."""
    try:
        return _passed(f"mounted at {find_cgroup2_root()}")
    except HostError as error:
        return Status.FAIL, error.what, error.hint


def bpf_file_system() -> Finding:
    """Where pins live."""
    mounts = Path("/proc/self/mounts").read_text().splitlines()
    if any(line.split(" ")[2] == "bpf" and line.split(" ")[1] == str(BPFFS) for line in mounts):
        return _passed(f"mounted at {BPFFS}")
    if BPFFS.is_dir():
        return Status.WARN, f"not mounted at {BPFFS}; the daemon mounts it", f"mount -t bpf bpf {BPFFS}"
    return Status.FAIL, f"{BPFFS} is not there", "boot a kernel with CONFIG_BPF_SYSCALL=y, and mount /sys"


def libbpf() -> Finding:
    """The loader of BPF objects."""
    try:
        library = ctypes.CDLL("libbpf.so.1")
    except OSError as error:
        return Status.FAIL, str(error), "install the package libbpf1"
    library.libbpf_version_string.restype = ctypes.c_char_p
    return _passed(f"libbpf {library.libbpf_version_string().decode()}")


def nftables() -> Finding:
    """Whether the kernel would take our table, TPROXY in both families included."""
    if shutil.which("nft") is None:
        return Status.FAIL, "nft is not installed", "install the package nftables"
    text = table_text("hostagent_probe", 9, ("hostagent0",))
    done = subprocess.run(["nft", "-c", "-f", "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no reason given"]
        return Status.FAIL, said[0], "modprobe nft_tproxy nft_socket nft_reject_inet nft_ct; run as root"
    return _passed("the kernel takes tproxy, socket, ct and reject expressions")


def ipv6() -> Finding:
    """IPv6 on lo: without it governed IPv6 is refused, not intercepted."""
    off = IPV6.read_text().strip() if IPV6.exists() else "absent"
    if off == "0":
        return _passed("enabled on lo")
    return Status.WARN, f"IPv6 on lo: disable_ipv6 = {off}", "governed IPv6 is refused; net.ipv6.conf.lo.disable_ipv6=0"


def source_marks() -> Finding:
    """src_valid_mark: the reverse path check would look our mark up and drop what containers send."""
    on = [s.parent.name for s in sorted(IPV4_SETTINGS.glob("*/src_valid_mark")) if s.read_text().strip() != "0"]
    if on:
        fix = "set net.ipv4.conf.*.src_valid_mark=0 (wg-quick sets it), or rp_filter=0 for container interfaces"
        return Status.WARN, f"src_valid_mark is on for {', '.join(on)}: container flows may be dropped", fix
    return _passed("src_valid_mark is off; rp_filter does not concern packets that stay on lo")


def foreign_marks() -> Finding:
    """Rules of other programs that look at our byte of the mark."""
    found = []
    with IPRoute() as ip:
        for family in (socket.AF_INET, socket.AF_INET6):
            for rule in ip.get_rules(family=family):
                mark, mask = rule.get_attr("FRA_FWMARK"), rule.get_attr("FRA_FWMASK") or 0xFFFFFFFF
                if mark is None or rule.get_attr("FRA_PROTOCOL") == PROTOCOL:
                    continue
                if any(ours & mask == mark & mask for ours in (GOVERNED, REDIRECT, BYSTANDER)) or mask & MASK & mark:
                    found.append(f"fwmark {mark:#x}/{mask:#x} (priority {rule.get_attr('FRA_PRIORITY')})")
    if found:
        fix = f"move that program's marks out of the lowest byte ({MASK:#x}), or check that both can live together"
        return Status.WARN, f"other rules use our byte of the mark: {', '.join(found)}", fix
    return _passed("no other rule looks at the lowest byte of the mark")


def destroy_sockets() -> Finding:
    """Socket diagnostics, by which open connections are ended."""
    try:
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4).close()
    except OSError as error:
        return Status.FAIL, f"no socket diagnostics: {error.strerror}", "modprobe inet_diag tcp_diag"
    return _passed("sock_diag answers")


def io_uring() -> Finding:
    """io_uring: its connects are seen by the hooks; told because hosts that do not need it turn it off."""
    state = IO_URING.read_text().strip() if IO_URING.exists() else "not known to this kernel"
    return _passed(f"kernel.io_uring_disabled = {state}; its connects are governed like others")


def clock() -> Finding:
    """Whether a time service keeps the clock: windows of policies, approvals and the times of records lean on it."""
    state = ctypes.create_string_buffer(_TIMEX_BYTES)
    returned = ctypes.CDLL(None, use_errno=True).adjtimex(state)
    kept = _timedated() if returned == -1 else returned != _TIME_ERROR  # the unit's filter does not permit it
    if kept:
        return _passed("the clock is synchronized")
    evidence = "nobody says whether the clock is synchronized" if kept is None else "the clock is not synchronized"
    return Status.WARN, evidence, "run chrony or systemd-timesyncd (timedatectl set-ntp true)"


def _timedated() -> bool | None:
    command = ["timedatectl", "show", "--property=NTPSynchronized", "--value"]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return {"yes": True, "no": False}.get(done.stdout.strip())


CHECKS: tuple[tuple[int, str, str, Callable[[], Finding]], ...] = (
    (1, "host.capabilities", "capabilities", capabilities),
    (2, "host.btf", "kernel type information", kernel_types),
    (3, "host.cgroup2", "cgroup v2", cgroup2),
    (4, "host.bpffs", "BPF file system", bpf_file_system),
    (5, "host.libbpf", "libbpf", libbpf),
    (6, "host.nftables", "nftables with TPROXY", nftables),
    (7, "host.ipv6", "IPv6", ipv6),
    (8, "host.source-validation", "source validation", source_marks),
    (9, "host.foreign-marks", "marks of other programs", foreign_marks),
    (10, "host.destroy-sockets", "ending open connections", destroy_sockets),
    (11, "host.io-uring", "io_uring", io_uring),
    (12, "host.clock", "clock", clock),
)
