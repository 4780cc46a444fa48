"""What is right in a policy and still may not be meant: holes that its words do not show. Warnings; nothing is refused.

The lists here are of what is known to be a hole. What is not in them is not known to be none.
"""

from __future__ import annotations

from collections.abc import Iterator

from hostagent.policy import glob
from hostagent.policy.commands import CommandPattern
from hostagent.policy.fields import ANY
from hostagent.policy.groups import SSH_GROUPS
from hostagent.policy.model import Policy
from hostagent.policy.remote import covers_path
from hostagent.policy.rules import Rule
from hostagent.policy.ssh import own_login
from hostagent.ssh.operation import SshKind
from hostagent.ssh.shell import STAR

# Programs that run what they are told to, by an argument or by what they read.
_INTERPRETERS = """
ash awk bash bc busybox csh dash dc ed emacs ex expect fish gawk gdb irb julia ksh lua m4 mawk mksh mysql mariadb nawk
node perl php psql pwsh python python2 python3 rbash ruby scheme sed sh sqlite3 tclsh vi vim view nvim zsh
"""
_RUNNERS = """
ansible apt apt-get aptitude at batch capsh chroot chrt cpulimit cpio crontab curl dnf docker doas dpkg env entr find
flock ftp gem git go helm ionice ip kubectl less ltrace make man more mount nc ncat nerdctl nice nmap nohup npm npx
nsenter openssl parallel pip pip3 pipx pkexec podman rlwrap rpm rsync run-parts runuser scp screen script setarch
setpriv setsid sftp socat split ssh stdbuf start-stop-daemon strace su sudo sudoedit systemctl systemd-run tar taskset
tcpdump tee time timeout tmux unshare unzip watch wget xargs yum zip zypper
"""
INTERPRETERS, RUNNERS = frozenset(_INTERPRETERS.split()), frozenset(_RUNNERS.split())
_READS_INPUT = frozenset(("-", "-s", "-i", "/dev/stdin"))

_VARIABLES = """
PATH LD_PRELOAD LD_LIBRARY_PATH LD_AUDIT BASH_ENV ENV IFS SHELLOPTS BASHOPTS BASH_FUNC_ls%% PS4 PROMPT_COMMAND
PERL5LIB PERL5OPT PYTHONPATH PYTHONSTARTUP RUBYOPT NODE_OPTIONS GIT_SSH_COMMAND GIT_EXTERNAL_DIFF GIT_CONFIG_COUNT
EDITOR VISUAL PAGER LESSOPEN GCONV_PATH LOCPATH HOME
"""
_FOLLOW = frozenset({SshKind.RSYNC_READ, SshKind.RSYNC_WRITE, SshKind.SCP_READ, SshKind.SCP_WRITE})
_FORWARDED = {
    "x11": "who holds the server sees and types on the client's display",
    "tun": "a tunnel device joins two networks: no rule sees where its packets go",
}
_SOCKETS = ("/run/docker.sock", "/var/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock",
            "/run/dbus/system_bus_socket", "/run/systemd/private")  # fmt: skip
_HOMES = (".ssh/authorized_keys", ".bashrc", "/root/.ssh/authorized_keys", "/home/user/.ssh/authorized_keys")


def warnings(policy: Policy) -> tuple[tuple[str, str], ...]:
    """Names of rules, and what is to be said of each."""
    return tuple((rule.name, text) for rule in policy.rules for text in _of_rule(rule, policy))


def _of_rule(rule: Rule, policy: Policy) -> Iterator[str]:
    given = rule.conditions
    if "ssh" not in given.protocols:
        return
    if rule.effect == "deny":
        if given.commands:
            yield "a deny by command is no boundary: the same program has other names. Allow what may be run instead"
        return
    named = set(given.kinds or ())
    if rule.effect == "approve":
        return
    yield from (why for word, why in _FORWARDED.items() if word in named)
    if named & {"forward", "forward_stream"} and (socket := _reaches(given.paths)):
        yield f"who may speak to {socket} can do anything on the host"
    for command in given.commands or ():
        yield from _of_command(command)
    if given.unparsed:
        yield "`unparsed` lets through whatever the host's shell makes of a line: it is as good as a shell"
    if named & {"interactive", "shell", "shell_no_pty"}:
        yield "in a shell anything can be done that the login may do: no other rule says what"
    for variable in _VARIABLES.split():
        if any(glob.word(pattern)(variable) for pattern in given.environment or ()):
            yield f"the variable {variable} changes what is run: a program is then another one"
            break
    if given.ssh_kinds & SSH_GROUPS["file_write"] and not named & {"any"} and _writes_homes(given.paths):
        yield "who may write ~/.ssh/authorized_keys or ~/.bashrc can do anything that the login may do"
    if SshKind.RSYNC_WRITE in given.ssh_kinds and given.paths and given.ssh_kinds & _FOLLOW:
        yield "rsync can make links in these paths, and rsync and `scp -O` follow them: allow the sftp_ kinds instead"
    yield from _for_nobody(rule, policy)


def _of_command(command: str) -> Iterator[str]:
    pattern = CommandPattern.of(command)
    if not pattern.words:
        yield f"`{command}` lets through every command: it is as good as a shell"
        return
    program = pattern.words[0].rpartition("/")[2]
    fixed = not pattern.more and not any(STAR in word for word in pattern.words)
    if program in INTERPRETERS and not (fixed and len(pattern.words) > 1 and _READS_INPUT.isdisjoint(pattern.words)):
        yield f"`{command}`: {program} runs what it is told to, also by its input"
    elif program in RUNNERS and pattern.more:
        yield f"`{command}`: {program} can run other programs; write its arguments out, with `*` for one of them"


def _reaches(paths: tuple[str, ...] | None) -> str:
    found = (s for s in _SOCKETS if any(covers_path(pattern, s, below=False) for pattern in paths or ()))
    return next(found, "")


def _writes_homes(paths: tuple[str, ...] | None) -> bool:
    return paths is None or any(covers_path(pattern, home, below=False) for pattern in paths for home in _HOMES)


def _for_nobody(rule: Rule, policy: Policy) -> Iterator[str]:
    if rule.conditions.logins is not None or ANY in rule.targets or "ssh" not in rule.conditions.protocols:
        return
    over_ssh = {entry.name for entry in policy.targets if entry.protocol == "ssh"}
    for target in rule.targets:
        if target in over_ssh and not own_login(policy, target):
            yield f"the credential of `{target}` names no user and the rule no `logins`: it covers nobody there"
