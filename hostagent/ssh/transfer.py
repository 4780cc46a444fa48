"""The argv that scp, rsync and git clients make the host run, taken for what they do. An option that is not known makes
it a command like any other: allow-lists, read from scp.c (OpenSSH 10), options.c (rsync 3.4) and upload-pack (git 2).
"""

from __future__ import annotations

from dataclasses import dataclass

from hostagent.ssh.operation import SshKind

_SCP_FLAGS = frozenset("vrpdqtf")
_RSYNC_FLAGS = frozenset("vqlogDtprRnxzHAXESWbcduhOJIKLkUNymC")
_OPTIONS = """
--append --append-verify --existing --ignore-existing --ignore-errors --ignore-times --size-only --inplace --partial
--numeric-ids --delete --delete-before --delete-during --delete-delay --delete-after --delete-excluded --force
--safe-links --munge-links --fake-super --super --delay-updates --omit-dir-times --omit-link-times --no-implied-dirs
--no-relative --no-r --no-i-r --no-inc-recursive --inc-recursive --new-compress --old-compress --list-only --fsync
--preallocate --mkpath --open-noatime --use-qsort --stats
"""
_WITH_VALUES = """
--timeout --bwlimit --compress-level --compress-choice --checksum-choice --checksum-seed --max-size --min-size
--max-delete --modify-window --log-format --iconv --info --debug --max-alloc --stop-at
"""
_RSYNC_OPTIONS, _RSYNC_VALUES = frozenset(_OPTIONS.split()), frozenset(_WITH_VALUES.split())
_GIT = {"upload-pack": SshKind.GIT_FETCH, "upload-archive": SshKind.GIT_FETCH, "receive-pack": SshKind.GIT_PUSH}


@dataclass(frozen=True, slots=True)
class Transfer:
    """What is read or written, as the argv has it. `below`: also what is below these paths."""

    kind: SshKind
    paths: tuple[str, ...]
    below: bool


def transfer_of(argv: tuple[str, ...]) -> Transfer | None:
    """What the argv transfers, or None when it is not exactly such a form."""
    if argv[0] == "scp":
        return _scp(argv[1:])
    if argv[:2] == ("rsync", "--server"):
        return _rsync(argv[2:])
    words = argv[1:] if argv[0] == "git" else (argv[0].removeprefix("git-"), *argv[1:])
    if argv[0].startswith("git") and len(words) == 2 and words[0] in _GIT and words[1][:1] not in ("-", ""):
        return Transfer(_GIT[words[0]], (_of_home(words[1]),), below=False)
    return None


def _scp(arguments: tuple[str, ...]) -> Transfer | None:
    """`scp [-vrpdq] -t|-f [--] path`: what is written to a directory is written below it."""
    flags, paths = _split(arguments)
    letters = "".join(flag[1:] for flag in flags)
    if not paths or "" in paths or not set(letters) <= _SCP_FLAGS or letters.count("t") + letters.count("f") != 1:
        return None
    if "f" in letters:
        return Transfer(SshKind.SCP_READ, paths, below="r" in letters)
    return Transfer(SshKind.SCP_WRITE, paths, below=True) if len(paths) == 1 else None


def _rsync(arguments: tuple[str, ...]) -> Transfer | None:
    """`rsync --server [--sender] -flags[e.version] [--options] . path…`. With `-s` the paths come later: not so."""
    sends = arguments[:1] == ("--sender",)
    flags, paths = _split(arguments[1:] if sends else arguments)
    letters = ""
    for flag in flags:
        if flag.startswith("--"):
            name, has_value, _ = flag.partition("=")
            if name not in (_RSYNC_VALUES if has_value else _RSYNC_OPTIONS):
                return None
        else:
            letters += flag[1:].partition("e.")[0]
    if not set(letters) <= _RSYNC_FLAGS or len(paths) < 2 or paths[0] != "." or "" in paths:
        return None
    if sends:
        return Transfer(SshKind.RSYNC_READ, paths[1:], below=bool(set("rd") & set(letters)))
    return Transfer(SshKind.RSYNC_WRITE, paths[1:], below=True) if len(paths) == 2 else None


def _split(arguments: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Options, and what follows them. An option after that is an empty path: the form is not known."""
    count = next((i for i, word in enumerate(arguments) if word == "--" or not word.startswith("-")), len(arguments))
    options, rest = arguments[:count], arguments[count:]
    if rest[:1] == ("--",):
        return options, rest[1:]
    return options, tuple("" if word.startswith("-") else word for word in rest)


def _of_home(path: str) -> str:
    """git itself takes `~/` for the login's home."""
    return path.removeprefix("~/") if path.startswith("~/") and path != "~/" else path
