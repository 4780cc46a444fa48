"""One thing that an SSH peer asks for, as policy decides it and a recording shows it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class SshKind(StrEnum):
    """What an operation does. One word each; groups of them are the policy's affair."""

    EXEC = "exec"  # a command line that is none of the forms below
    SHELL = "shell"
    SHELL_NO_PTY = "shell_no_pty"
    SUBSYSTEM = "subsystem"
    ENV = "env"
    AGENT = "agent"
    X11 = "x11"
    TUN = "tun"
    FORWARD_LOCAL = "forward_local"  # direct-tcpip
    FORWARD_REMOTE = "forward_remote"  # tcpip-forward
    FORWARD_STREAM = "forward_stream"  # direct-streamlocal@openssh.com
    FORWARD_STREAM_REMOTE = "forward_stream_remote"  # streamlocal-forward@openssh.com
    SFTP_READ = "sftp_read"
    SFTP_WRITE = "sftp_write"
    SFTP_LIST = "sftp_list"
    SFTP_STAT = "sftp_stat"
    SFTP_DELETE = "sftp_delete"
    SFTP_RENAME = "sftp_rename"
    SFTP_LINK = "sftp_link"
    SFTP_ATTRS = "sftp_attrs"
    SFTP_MKDIR = "sftp_mkdir"
    SFTP_EXTENSION = "sftp_extension"
    SCP_READ = "scp_read"
    SCP_WRITE = "scp_write"
    RSYNC_READ = "rsync_read"
    RSYNC_WRITE = "rsync_write"
    GIT_FETCH = "git_fetch"
    GIT_PUSH = "git_push"


_NOUNS = {
    "exec": "command",
    "shell": "shell",
    "subsystem": "subsystem",
    "env": "variable",
    "sftp": "file operation",
    "scp": "transfer",
    "rsync": "transfer",
    "git": "transfer",
    **dict.fromkeys(("agent", "x11", "tun", "forward"), "forward"),
}  # by the first part of a kind
_VALUES = frozenset(kind.value for kind in SshKind)


def noun(kinds: tuple[str, ...]) -> str:
    """What humans call that which a ruling with these kinds is about; of SQL a statement."""
    known = next((kind for kind in kinds if kind in _VALUES), "")
    return _NOUNS[known.partition("_")[0]] if known else "statement"


@dataclass(frozen=True, slots=True)
class Operation:
    """What one channel request, channel or SFTP request asks for.

    `text` is what humans and recordings are shown. `words` are the simple commands of an exec, each its argv, in order.
    `paths` are canonical (hostagent.ssh.paths), absolute where known: of files, of repositories, of the sockets of
    stream forwards, and of the files that the redirections of an exec open; `below`: also of all that is below them.
    `unparsed` says why it could not be taken apart: then nothing but its kind and text is known.
    """

    kind: SshKind
    login: str
    text: str
    words: tuple[tuple[str, ...], ...] = ()
    paths: tuple[str, ...] = ()
    destination: str = ""  # host:port of a forward
    name: str = ""  # of an environment variable, subsystem or extension
    unparsed: str = ""
    below: bool = False
