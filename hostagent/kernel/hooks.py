"""The BPF hooks of one instance: load, attach, configure, read, verify, remove.

Pins lie under /sys/fs/bpf/hostagent/INSTANCE/: `maps/` and `links/`. They outlive this process on purpose: a dead
daemon leaves governed processes refused, not free. Rules: nothing is detached on an error; an older pinned set of the
same instance is replaced link by link, the new one attached before the old one goes; maps are kept, so that sockets
and processes that are known stay known.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from hostagent.errors import HostError
from hostagent.kernel import cgroups, flows, layout, patterns
from hostagent.kernel.libbpf import LINK_TYPE_CGROUP, Map, Object, RingBuffer, link_facts, map_shape
from hostagent.values.flow import FlowKey, FlowRecord

BPFFS = Path("/sys/fs/bpf")
PINS = BPFFS / "hostagent"
SO_NETNS_COOKIE = 71  # Linux 5.14
TRACKERS = ("track", "sticky")  # keep the maps true; attached before the locks that read them
LOCKS = ("connect", "publish", "restrict", "egress")
OBJECTS = TRACKERS + LOCKS
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # bpffs allows no dot
SEED = "hostagent_seed"  # the iterator that finds what runs in governed cgroups already
_ZERO = struct.pack("=I", 0)


class Hooks:
    """All hooks of one instance. Made by `load`; nothing is in force before `attach`."""

    def __init__(self, instance: str, objects: dict[str, Object], proxy_port: int) -> None:
        self._directory = PINS / instance
        self._root = cgroups.find_cgroup2_root()
        self._objects = objects
        self._maps: dict[str, Map] = {name: m for obj in objects.values() for name, m in obj.maps().items()}
        self._govern: tuple[str, ...] = ()
        self._exempt: tuple[str, ...] = ()
        self._attached = False
        self._taken: list[flows.Refusal] = []
        self._ring = RingBuffer(self._maps["refusals"], lambda data: self._taken.append(flows.unpack_refusal(data)))
        settings = self._settings()
        settings.own_netns_cookie, settings.proxy_port = own_netns_cookie(), proxy_port
        self._maps["settings"].update(_ZERO, bytes(settings))
        self.cover_netns(settings.own_netns_cookie)

    @classmethod
    def load(cls, instance: str, objects: Path, *, proxy_port: int) -> Hooks:
        """Load the objects of that directory; their maps are pinned, or taken over from an older set of `instance`.

        HostError: not permitted, no BPF file system, a kernel without what the programs need, or objects whose
        structs differ from `layout` (built from another version). ValueError: an instance name that bpffs refuses.
        """
        if not NAME.fullmatch(instance):
            raise ValueError(f"instance name {instance!r} is not made of letters, digits, _ and - alone")
        maps = PINS / instance / "maps"
        _make_directory(maps)
        _make_directory(PINS / instance / "links")
        opened: dict[str, Object] = {}
        try:
            for name in OBJECTS:
                opened[name] = Object(objects / f"{name}.bpf.o", maps)
                check_layout(opened[name], name)
                _unpin_outgrown(opened[name], maps)
            for name in OBJECTS:
                opened[name].load()
            return cls(instance, opened, proxy_port)
        except HostError:
            for obj in opened.values():
                obj.close()
            raise

    def attach(self) -> None:
        """Put everything in force: patterns first, then the trackers, what exists already, then the locks."""
        self._write_patterns()
        for name in TRACKERS:
            self._attach_object(name)
        self._resolve_existing()
        for name in LOCKS:
            self._attach_object(name)
        self._attached = True
        for pin in (self._directory / "links").iterdir():
            if pin.name not in self._programs():
                pin.unlink()

    def govern(self, texts: Sequence[str]) -> None:
        """Replace the patterns of governed cgroups; in force at once, or from `attach` on. ValueError: bad pattern."""
        patterns.compile_all(texts, self._exempt)
        self._govern = tuple(texts)
        self._apply()

    def exempt(self, texts: Sequence[str]) -> None:
        """Replace the patterns of exempt cgroups; they win over `govern` on the same cgroup. ValueError: bad one."""
        patterns.compile_all(self._govern, texts)
        self._exempt = tuple(texts)
        self._apply()

    def cover_netns(self, cookie: int) -> None:
        """Governed processes of that network namespace have a way to the proxy: let them connect."""
        self._maps["netns_covered"].update(struct.pack("=Q", cookie), b"\1")

    def uncover_netns(self, cookie: int) -> None:
        """Governed connects of that network namespace are refused from now on."""
        self._maps["netns_covered"].delete(struct.pack("=Q", cookie))

    def set_resolvers(self, addresses: Iterable[str]) -> None:
        """Replace the addresses to which governed processes may send DNS over UDP."""
        wanted = {flows.pack_address(address) for address in addresses}
        resolvers = self._maps["resolvers"]
        for address in wanted:
            resolvers.update(address, b"\1")
        for address in set(resolvers) - wanted:
            resolvers.delete(address)

    def lookup(self, key: FlowKey) -> FlowRecord | None:
        """Who made that flow; None if nobody knows, or if two live flows share the 4-tuple."""
        data = self._maps["flows"].lookup(flows.pack_key(key))
        return None if data is None else flows.unpack_record(key, data)

    def forget(self, key: FlowKey) -> None:
        """The flow is over, or was refused: its 4-tuple may serve again, in whatever namespace."""
        self._maps["flows"].delete(flows.pack_key(key))

    def counters(self) -> dict[str, int]:
        """Each reason in lower case → how often, summed over the CPUs, since the maps were made."""
        return {reason.name.lower(): self._counter(reason) for reason in layout.Reason}

    def governed_cgroups(self) -> dict[int, str]:
        """Id → path of each live cgroup that is itself governed by a pattern (not of those below it)."""
        governed = self._maps["governed"]
        wanted = layout.Verdict.GOVERN.to_bytes(4, "little")
        found = {int.from_bytes(key, "little") for key in governed if governed.lookup(key) == wanted}
        return {number: path for path, number in cgroups.walk(self._root) if number in found}

    def governed_trees(self) -> dict[int, str]:
        """Id → path of each live cgroup whose processes are governed: the nearest entry from it upwards decides."""
        compiled = patterns.compile_all(self._govern, self._exempt)
        verdicts: dict[str, layout.Verdict | None] = {}
        trees = {}
        for path, number in cgroups.walk(self._root):
            above = verdicts.get(path.rpartition("/")[0] or "/")
            verdicts[path] = patterns.verdict_of(path, compiled) or above
            if verdicts[path] is layout.Verdict.GOVERN:
                trees[number] = path
        return trees

    def verify(self) -> list[str]:
        """The programs whose link is gone, detached or another's; empty = all is in force."""
        return [name for name in self._programs() if not self._in_force(name)]

    def reattach(self) -> list[str]:
        """Attach again what `verify` misses; returns what it was."""
        missing = self.verify()
        for name, obj in self._objects.items():
            self._attach_object(name, only=[program for program in obj.programs() if program in missing])
        if missing:
            self._resolve_existing()
        return missing

    @property
    def refusals_fd(self) -> int:
        """Readable when `refusals` has something."""
        return self._ring.fd

    def refusals(self) -> list[flows.Refusal]:
        """What was refused since the last call; does not block."""
        self._ring.consume()
        taken, self._taken[:] = self._taken[:], []
        return taken

    @property
    def map_pins(self) -> Path:
        """The directory of the pinned maps, for further objects that share them."""
        return self._directory / "maps"

    def close(self) -> None:
        """Let go of the handles; everything stays in force."""
        self._ring.close()
        for obj in self._objects.values():
            obj.close()

    def remove(self) -> None:
        """Detach and unpin everything of this instance."""
        self.close()
        self.remove_leftovers(self._directory.name)

    @staticmethod
    def remove_leftovers(instance: str) -> None:
        """Unpin, and so detach, everything of that instance, whoever made it; nothing there is no error."""
        directory = PINS / instance
        if not directory.is_dir():
            return
        for part in sorted(directory.iterdir()):
            for pin in part.iterdir():
                pin.unlink()
            part.rmdir()
        directory.rmdir()

    def _apply(self) -> None:
        if self._attached:
            self._write_patterns()
            self._resolve_existing()

    def _write_patterns(self) -> None:
        """Fill the half of the table that is not in force, then switch: no cgroup is made under a mixture."""
        compiled = patterns.compile_all(self._govern, self._exempt)
        settings = self._settings()
        first = layout.MAX_PATTERNS if settings.patterns_first == 0 else 0
        for index, pattern in enumerate(compiled, first):
            text = pattern.text.encode()
            entry = layout.PatternC(pattern.verdict, len(text), text)
            self._maps["patterns"].update(struct.pack("=I", index), bytes(entry))
        settings.patterns_first, settings.patterns_count = first, len(compiled)
        self._maps["settings"].update(_ZERO, bytes(settings))

    def _resolve_existing(self) -> None:
        compiled = patterns.compile_all(self._govern, self._exempt)
        for path, number in cgroups.walk(self._root):
            key = struct.pack("=Q", number)
            verdict = patterns.verdict_of(path, compiled)
            if verdict is None:
                self._maps["governed"].delete(key)
            else:
                self._maps["governed"].update(key, struct.pack("=I", verdict))
        self._objects["sticky"].run_iterator(SEED)

    def _attach_object(self, name: str, only: Sequence[str] | None = None) -> None:
        cgroup = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for program in self._objects[name].programs() if only is None else only:
                if program != SEED:
                    target = None if name in TRACKERS else cgroup
                    self._objects[name].attach(program, self._directory / "links" / program, target)
        finally:
            os.close(cgroup)

    def _programs(self) -> list[str]:
        return [program for obj in self._objects.values() for program in obj.programs() if program != SEED]

    def _in_force(self, program: str) -> bool:
        facts = link_facts(self._directory / "links" / program)
        return facts is not None and (facts.type != LINK_TYPE_CGROUP or facts.cgroup_id != 0)

    def _settings(self) -> layout.SettingsC:
        data = self._maps["settings"].lookup(_ZERO)
        return layout.SettingsC.from_buffer_copy(data) if data else layout.SettingsC()

    def _counter(self, reason: layout.Reason) -> int:
        size = 8 * _possible_cpus()
        data = self._maps["counters"].lookup(struct.pack("=I", reason), value_size=size)
        return 0 if data is None else sum(struct.unpack(f"={size // 8}Q", data))


def own_netns_cookie() -> int:
    """The cookie of this process's network namespace, by which the hooks know it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        return int.from_bytes(probe.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), "little")


def check_layout(obj: Object, name: str) -> None:
    """HostError if a map of the object has other sizes than user land believes."""
    for map_name, shape in obj.shapes().items():
        wanted = layout.EXPECTED.get(map_name)
        if wanted is not None and wanted != (shape.key_size, shape.value_size):
            raise HostError(
                f"{name}.bpf.o: map {map_name} has key and value of {shape.key_size} and {shape.value_size} bytes, "
                f"expected {wanted[0]} and {wanted[1]}",
                "the object and the package are of different versions: rebuild with `make -C bpf`",
            )


def _unpin_outgrown(obj: Object, pins: Path) -> None:
    """Let go of maps that an older version pinned with other sizes; its programs keep them until they are replaced."""
    for name, shape in obj.shapes().items():
        if map_shape(pins / name) not in (None, shape):
            (pins / name).unlink()


def _make_directory(path: Path) -> None:
    if not os.path.ismount(BPFFS):
        done = subprocess.run(["mount", "-t", "bpf", "bpf", str(BPFFS)], capture_output=True, text=True, check=False)
        if done.returncode:
            raise HostError(f"no BPF file system at {BPFFS}: {done.stderr.strip()}", "mount -t bpf bpf /sys/fs/bpf")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"{path} cannot be made: {error.strerror}", "run as root") from error


def _possible_cpus() -> int:
    last = Path("/sys/devices/system/cpu/possible").read_text().strip().split(",")[-1]
    return int(last.split("-")[-1]) + 1
