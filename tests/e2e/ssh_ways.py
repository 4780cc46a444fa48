"""The ways around a policy that are tried: what is done, and by what one sees that it had its effect on the server."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECRET = "the secret of the server"
BAIT, LISTENED = 7001, 7002  # ports of the server's loopback: one that answers, one to be listened at


@dataclass(frozen=True)
class Way:
    """`verb`, `arguments`: of clients/ssh_evade.py. Its effect: a file made, a text answered, or a file gone."""

    name: str
    verb: str
    arguments: tuple[Any, ...]
    made: Path | None = None
    said: str = ""
    gone: Path | None = None

    def worked(self, answer: str) -> bool:
        """Whether it had its effect."""
        return bool(
            (self.made and os.path.lexists(self.made)) or (self.said and self.said in answer)
            or (self.gone and not os.path.lexists(self.gone))
        )  # fmt: skip


FORMS = {  # FILE: the file that it would make; CODED: `touch $0` in base64
    "a command": "touch FILE",
    "after ;": "true; touch FILE",
    "after a newline": "true\ntouch FILE",
    "after &&": "true && touch FILE",
    "beside &": "true & touch FILE",
    "sh -c": "sh -c 'touch FILE'",
    "by its path": "/usr/bin/touch FILE",
    "base64 into sh": 'sh -c "$(echo CODED | base64 -d)" FILE',
    "echo into sh": "echo 'touch FILE' | sh",
    "$(…)": "echo $(touch FILE)",
    '"$(…)"': 'echo "$(touch FILE)"',
    "`…`": "echo `touch FILE`",
    "<(…)": "cat <(touch FILE)",
    "${IFS}": "touch${IFS}FILE",
    "$'…'": "$'\\x74ouch' FILE",
    "quotes in a name": "t''ouch FILE",
    "a backslash in a name": "t\\ouch FILE",
    "braces": "{touch,FILE}",
    "a glob": "/usr/bin/touc? FILE",
    "a variable": "$SHELL -c 'touch FILE'",
    "an alias": "shopt -s expand_aliases\nalias echo='touch FILE'\necho",
    "a function": "echo() { touch FILE; }; echo",
    "eval": "eval 'touch FILE'",
    "exec": "exec touch FILE",
    "a trap": "trap 'touch FILE' EXIT; true",
    "a here-document": "sh <<EOF\ntouch FILE\nEOF",
    "a here-string": "sh <<< 'touch FILE'",
    "env X=": "env X=1 touch FILE",
    "LD_PRELOAD=": "LD_PRELOAD=/x.so touch FILE",
    "PATH=": "PATH=/usr/bin; touch FILE",
    "a redirection": "echo x > FILE",
    "a script": "echo 'touch FILE' > FILE.sh; sh FILE.sh",
    "xargs": "echo FILE | xargs touch",
    "find -exec": "find / -maxdepth 0 -exec touch FILE ';'",
    "perl": "perl -e 'open(F, q(>FILE))'",
    "python": 'python3 -c \'open("FILE", "w")\'',
    "a group": "{ touch FILE; }",
    "a subshell": "(touch FILE)",
    "a condition": "if true; then touch FILE; fi",
    "a comment": "true # \ntouch FILE",
    "nohup": "nohup touch FILE",
    "an option of git": "git -c alias.x='!touch FILE' x",
    "a log of rsync": "rsync --server --log-file=FILE -lr . FILE.d",
}


def commands(top: Path) -> list[Way]:
    """Command lines, each of which makes a file of its own."""
    coded = base64.b64encode(b"touch $0").decode()
    made = []
    for number, (name, form) in enumerate(FORMS.items()):
        file = top / "marks" / f"m{number}"
        command = form.replace("CODED", coded).replace("FILE", str(file))
        made.append(Way(f"exec: {name}", "exec", (command,), file))
    return made


def rest(top: Path) -> list[Way]:
    """Everything else that is no command line."""
    marks, secret = top / "marks", top / "closed" / "secret"
    lines = f"touch {marks}/{{}}\nexit\n"
    return [
        Way("exec: a file elsewhere by ..", "exec", (f"cat {top}/open/../closed/secret",), said=SECRET),
        Way("shell without a terminal (ssh host <<EOF)", "shell", (lines.format("s1"),), marks / "s1"),
        Way("shell with a terminal", "shell", (lines.format("s2"), "xterm"), marks / "s2"),
        Way("shell: a line after one that is allowed", "shell", ("echo ok\n" + lines.format("s3"),), marks / "s3"),
        Way("shell: a line that a quote continues", "shell", (f"echo 'a\n'; touch {marks}/s4\nexit\n",), marks / "s4"),
        Way("env LD_PRELOAD", "environment", ("LD_PRELOAD", "/x.so"), said="/x.so"),
        Way("env GIT_SSH_COMMAND", "environment", ("GIT_SSH_COMMAND", "sh"), said="sh"),
        Way("env BASH_ENV", "environment", ("BASH_ENV", "/tmp/x"), said="/tmp/x"),
        Way("subsystem of another name", "subsystem", ("other",), said="another subsystem"),
        Way("forward: direct-tcpip", "tcp", ("127.0.0.1", BAIT), said="bait"),
        Way("forward: direct-tcpip by name", "tcp", ("localhost", BAIT), said="bait"),
        Way("forward: direct-streamlocal", "unix", (f"{top}/bait",), said="bait"),
        Way("forward: tcpip-forward", "listen", ("127.0.0.1", LISTENED), said="listening"),
        Way("forward: streamlocal-forward", "listen_unix", (f"{marks}/socket",), marks / "socket"),
        Way("forward: tun", "tun", (7,), said="open"),
        Way("global: hostkeys-prove-00@openssh.com", "request", ("hostkeys-prove-00@openssh.com",), said="taken"),
        Way("sftp: read elsewhere", "read", (str(secret),), said=SECRET),
        Way("sftp: read by ..", "read", (f"{top}/open/../closed/secret",), said=SECRET),
        Way("sftp: read by // and /./", "read", (f"{top}//./closed//secret",), said=SECRET),
        Way("sftp: read relative to where it stands", "read", ("../closed/secret", f"{top}/open"), said=SECRET),
        Way("sftp: read through a link that is there", "read", (f"{top}/open/link",), said=SECRET),
        Way("sftp: read through a directory that is a link", "read", (f"{top}/open/dir/secret",), said=SECRET),
        Way("sftp: write through a directory that is a link", "write", (f"{top}/in/dir/w1",), top / "closed" / "w1"),
        Way("sftp: write where it may read", "write", (f"{top}/open/w2",), top / "open" / "w2"),
        Way("sftp: symlink to elsewhere", "sftp", ("symlink", str(secret), f"{top}/in/l1"), top / "in" / "l1"),
        Way("sftp: symlink to elsewhere, by ..", "sftp", ("symlink", "../closed", f"{top}/in/l2"), top / "in" / "l2"),
        Way("sftp: hardlink@", "sftp", ("link", str(secret), f"{top}/in/l3"), top / "in" / "l3"),
        Way("sftp: rename out of it", "sftp", ("rename", f"{top}/in/r1", f"{marks}/r1"), marks / "r1"),
        Way("sftp: posix-rename@ out of it", "sftp", ("posix_rename", f"{top}/in/r2", f"{marks}/r2"), marks / "r2"),
        Way("sftp: posix-rename@ into it", "sftp", ("posix_rename", f"{secret}2", f"{top}/in/r3"), top / "in" / "r3"),
        Way("sftp: copy-data@", "copied", (str(secret), f"{top}/in/c1"), said=SECRET),
        Way("sftp: setstat", "sftp", ("chmod", f"{top}/closed/mode", 0), said="None"),
        Way("sftp: truncate", "sftp", ("truncate", f"{top}/closed/mode", 0), said="None"),
        Way("sftp: remove", "sftp", ("remove", f"{top}/closed/d1"), gone=top / "closed" / "d1"),
        Way("sftp: rmdir", "sftp", ("rmdir", f"{top}/closed/d2"), gone=top / "closed" / "d2"),
        Way("sftp: mkdir", "sftp", ("mkdir", f"{marks}/dir"), marks / "dir"),
        Way("sftp: list elsewhere", "sftp", ("listdir", f"{top}/closed"), said="secret"),
        Way("sftp: where a link leads", "sftp", ("readlink", f"{top}/closed/link"), said="secret"),
        Way("sftp: statvfs@ elsewhere", "sftp", ("statvfs", f"{top}/closed"), said="bsize"),
    ]  # fmt: skip
