"""ctypes over libbpf.so.1: open, load, attach and pin objects; maps, link facts and ring buffers by file descriptor.

It knows no program and no map of ours. Rules: a failure is a `HostError` that carries what libbpf printed; a missing
map element is None, not an error; who opens an object closes it, pinned links and maps live on without it.
"""

from __future__ import annotations

import collections
import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from ctypes import POINTER, c_char_p, c_int, c_size_t, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from hostagent.errors import HostError

LINK_TYPE_CGROUP = 3  # enum bpf_link_type
_PRINT = ctypes.CFUNCTYPE(c_int, c_int, c_char_p, c_void_p)
_SAMPLE = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
_said: collections.deque[str] = collections.deque(maxlen=12)


class _OpenOptions(ctypes.Structure):
    """struct bpf_object_open_opts up to the last field that we set."""

    _fields_ = (
        ("size", c_size_t),
        ("object_name", c_char_p),
        ("relaxed_maps", ctypes.c_bool),
        ("pin_root_path", c_char_p),
    )


class _MapInfo(ctypes.Structure):
    """struct bpf_map_info up to the last field that we read."""

    _fields_ = tuple((name, c_uint32) for name in ("type", "id", "key_size", "value_size", "max_entries", "flags"))


class _LinkInfo(ctypes.Structure):
    """struct bpf_link_info; of its union only what a cgroup link has."""

    _fields_ = (
        ("type", c_uint32),
        ("id", c_uint32),
        ("program_id", c_uint32),
        ("_pad", c_uint32),
        ("cgroup_id", c_uint64),
        ("attach_type", c_uint32),
        ("_rest", ctypes.c_uint8 * 60),
    )


def _keep_warning(level: int, template: bytes, arguments: int) -> int:
    if level == 0:
        text = ctypes.create_string_buffer(4096)
        ctypes.CDLL(None).vsnprintf(text, c_size_t(4096), c_char_p(template), c_void_p(arguments))
        _said.append(text.value.decode(errors="replace").rstrip())
    return 0


_on_print = _PRINT(_keep_warning)

_POINTER_RESULTS: dict[str, tuple[object, ...]] = {
    "bpf_object__open_file": (c_char_p, c_void_p),
    "bpf_object__next_map": (c_void_p, c_void_p),
    "bpf_object__next_program": (c_void_p, c_void_p),
    "bpf_program__attach": (c_void_p,),
    "bpf_program__attach_cgroup": (c_void_p, c_int),
    "bpf_program__attach_iter": (c_void_p, c_void_p),
    "ring_buffer__new": (c_int, c_void_p, c_void_p, c_void_p),
}
_INT_RESULTS: dict[str, tuple[object, ...]] = {
    "bpf_object__load": (c_void_p,),
    "bpf_map__fd": (c_void_p,),
    "bpf_map__key_size": (c_void_p,),
    "bpf_map__value_size": (c_void_p,),
    "bpf_map__max_entries": (c_void_p,),
    "bpf_program__fd": (c_void_p,),
    "bpf_link__fd": (c_void_p,),
    "bpf_link__pin": (c_void_p, c_char_p),
    "bpf_link__destroy": (c_void_p,),
    "bpf_iter_create": (c_int,),
    "bpf_obj_get": (c_char_p,),
    "bpf_obj_get_info_by_fd": (c_int, c_void_p, POINTER(c_uint32)),
    "bpf_map_lookup_elem": (c_int, c_char_p, c_char_p),
    "bpf_map_update_elem": (c_int, c_char_p, c_char_p, c_uint64),
    "bpf_map_delete_elem": (c_int, c_char_p),
    "bpf_map_get_next_key": (c_int, c_char_p, c_char_p),
    "ring_buffer__consume": (c_void_p,),
    "ring_buffer__epoll_fd": (c_void_p,),
}


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libbpf.so.1", use_errno=True)
    except OSError as error:
        raise HostError(f"libbpf cannot be loaded: {error}", "install the package libbpf1") from error
    for name, arguments in _POINTER_RESULTS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = c_void_p, arguments
    for name, arguments in _INT_RESULTS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = c_int, arguments
    for name in ("bpf_map__name", "bpf_program__name"):
        function = getattr(library, name)
        function.restype, function.argtypes = c_char_p, (c_void_p,)
    for name in ("bpf_object__close", "ring_buffer__free"):
        function = getattr(library, name)
        function.restype, function.argtypes = None, (c_void_p,)
    library.libbpf_set_print(_on_print)
    return library


def _failure(what: str, code: int | None = None) -> HostError:
    number = abs(code) if code else ctypes.get_errno()
    said = "\n".join(_said)
    _said.clear()
    hint = "run as root with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN" if number == errno.EPERM else said
    return HostError(f"{what}: {os.strerror(number)}", hint)


class Map:
    """A BPF map by file descriptor; keys and values are bytes of exactly the map's sizes."""

    def __init__(self, fd: int, key_size: int, value_size: int) -> None:
        self.fd = fd
        self.key_size = key_size
        self.value_size = value_size

    def lookup(self, key: bytes, *, value_size: int | None = None) -> bytes | None:
        """The value, or None. `value_size` for a per-CPU map: 8-byte rounded size times possible CPUs."""
        value = ctypes.create_string_buffer(value_size or self.value_size)
        code = _library().bpf_map_lookup_elem(self.fd, key, value)
        if code == 0:
            return value.raw
        if code == -errno.ENOENT:
            return None
        raise _failure("a BPF map cannot be read", code)

    def update(self, key: bytes, value: bytes) -> None:
        """Put or replace an element."""
        if len(key) != self.key_size or len(value) != self.value_size:
            raise ValueError(f"key and value must have {self.key_size} and {self.value_size} bytes")
        code = _library().bpf_map_update_elem(self.fd, key, value, 0)
        if code:
            raise _failure("a BPF map cannot be written", code)

    def delete(self, key: bytes) -> None:
        """Remove an element; one that is not there is no error."""
        code = _library().bpf_map_delete_elem(self.fd, key)
        if code not in (0, -errno.ENOENT):
            raise _failure("a BPF map element cannot be deleted", code)

    def __iter__(self) -> Iterator[bytes]:
        """All keys; the map may change meanwhile, then some may be missed or come twice."""
        key: bytes | None = None
        following = ctypes.create_string_buffer(self.key_size)
        while _library().bpf_map_get_next_key(self.fd, key, following) == 0:
            key = following.raw
            yield key


@dataclass(frozen=True, slots=True)
class MapShape:
    """What an object file says about one of its maps."""

    key_size: int
    value_size: int
    max_entries: int


@dataclass(frozen=True, slots=True)
class LinkFacts:
    """What the kernel says about a pinned link. `cgroup_id` is 0 for a cgroup link that was detached."""

    type: int
    program_id: int
    cgroup_id: int


class Object:
    """An object file; its maps that ask for it are pinned in, or taken from, the directory `pins`."""

    def __init__(self, path: Path, pins: Path) -> None:
        options = _OpenOptions(ctypes.sizeof(_OpenOptions), None, False, os.fsencode(pins))
        self._path = path
        self._handle = _library().bpf_object__open_file(os.fsencode(path), ctypes.byref(options))
        if not self._handle:
            raise _failure(f"{path} cannot be opened")

    def shapes(self) -> dict[str, MapShape]:
        """Map name → sizes as the object declares them; right before and after load."""
        lib = _library()
        return {
            name: MapShape(lib.bpf_map__key_size(m), lib.bpf_map__value_size(m), lib.bpf_map__max_entries(m))
            for name, m in self._each("map")
        }

    def load(self) -> None:
        """Relocate, verify and load all programs; HostError carries what libbpf and the verifier said."""
        code = _library().bpf_object__load(self._handle)
        if code:
            raise _failure(f"{self._path} cannot be loaded", code)

    def maps(self) -> dict[str, Map]:
        """Map name → map; after load. The descriptors belong to the object."""
        shapes = self.shapes()
        lib = _library()
        return {n: Map(lib.bpf_map__fd(m), shapes[n].key_size, shapes[n].value_size) for n, m in self._each("map")}

    def programs(self) -> tuple[str, ...]:
        """The names of the programs."""
        return tuple(name for name, _ in self._each("program"))

    def program_fd(self, program: str) -> int:
        """The descriptor of a loaded program; it belongs to the object."""
        fd: int = _library().bpf_program__fd(dict(self._each("program"))[program])
        return fd

    def attach(self, program: str, pin: Path, cgroup_fd: int | None = None) -> None:
        """Attach a program (to a cgroup, or where its section says) and pin the link, replacing what was pinned there.

        The new link is attached before the old one goes: there is no moment without one.
        """
        lib = _library()
        handle = dict(self._each("program"))[program]
        link = (
            lib.bpf_program__attach(handle) if cgroup_fd is None else lib.bpf_program__attach_cgroup(handle, cgroup_fd)
        )
        if not link:
            raise _failure(f"program {program} cannot be attached")
        fresh = pin.with_name(pin.name + "-new")
        fresh.unlink(missing_ok=True)
        code = lib.bpf_link__pin(link, os.fsencode(fresh))
        lib.bpf_link__destroy(link)  # the pin keeps it attached
        if code:
            raise _failure(f"the link of {program} cannot be pinned at {fresh}", code)
        fresh.rename(pin)

    def run_iterator(self, program: str) -> None:
        """Run an iterator program once over all that it iterates."""
        lib = _library()
        link = lib.bpf_program__attach_iter(dict(self._each("program"))[program], None)
        if not link:
            raise _failure(f"iterator {program} cannot be attached")
        fd = lib.bpf_iter_create(lib.bpf_link__fd(link))
        lib.bpf_link__destroy(link)
        if fd < 0:
            raise _failure(f"iterator {program} cannot be started", fd)
        with os.fdopen(fd, "rb") as stream:
            stream.read()

    def close(self) -> None:
        """Free the object; what is pinned stays."""
        _library().bpf_object__close(self._handle)

    def _each(self, kind: str) -> Iterator[tuple[str, int]]:
        lib = _library()
        following = getattr(lib, f"bpf_object__next_{kind}")
        name_of = getattr(lib, f"bpf_{kind}__name")
        item = following(self._handle, None)
        while item:
            yield name_of(item).decode(), item
            item = following(self._handle, item)


def map_shape(pin: Path) -> MapShape | None:
    """The sizes of the map that is pinned at `pin`, or None where nothing is."""
    info = _MapInfo()
    found = _inspect(pin, info)
    return MapShape(info.key_size, info.value_size, info.max_entries) if found else None


def link_facts(pin: Path) -> LinkFacts | None:
    """What is pinned at `pin`, or None where nothing is."""
    info = _LinkInfo()
    found = _inspect(pin, info)
    cgroup_id = info.cgroup_id if info.type == LINK_TYPE_CGROUP else 0
    return LinkFacts(info.type, info.program_id, cgroup_id) if found else None


def _inspect(pin: Path, info: ctypes.Structure) -> bool:
    fd = _library().bpf_obj_get(os.fsencode(pin))
    if fd == -errno.ENOENT:
        return False
    if fd < 0:
        raise _failure(f"{pin} cannot be opened", fd)
    try:
        length = c_uint32(ctypes.sizeof(info))
        code = _library().bpf_obj_get_info_by_fd(fd, ctypes.byref(info), ctypes.byref(length))
    finally:
        os.close(fd)
    if code:
        raise _failure(f"{pin} cannot be inspected", code)
    return True


class RingBuffer:
    """A BPF ring buffer's reader; `fd` becomes readable when there is something."""

    def __init__(self, map_: Map, taken: Callable[[bytes], None]) -> None:
        def sample(_context: int, data: int, size: int) -> int:
            taken(ctypes.string_at(data, size))
            return 0

        self._callback = _SAMPLE(sample)
        self._handle = _library().ring_buffer__new(map_.fd, self._callback, None, None)
        if not self._handle:
            raise _failure("the ring buffer cannot be opened")
        self.fd: int = _library().ring_buffer__epoll_fd(self._handle)

    def consume(self) -> None:
        """Hand everything that waits to `taken`; does not block."""
        code = _library().ring_buffer__consume(self._handle)
        if code < 0:
            raise _failure("the ring buffer cannot be read", code)

    def close(self) -> None:
        """Free the reader."""
        _library().ring_buffer__free(self._handle)
