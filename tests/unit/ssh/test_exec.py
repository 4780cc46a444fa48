from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.ssh.exec import CLIMBS, operations_of_exec
from hostagent.ssh.operation import Operation, SshKind
from hostagent.ssh.shell import NotKnown, parse

# Command line, kind, paths, whether all below: as the clients send them (OpenSSH 9.2, rsync 3.2.7, git 2.39).
TRANSFERS: list[tuple[str, str, tuple[str, ...], bool]] = [
    ("scp -t /srv/x", "scp_write", ("/srv/x",), True),
    ("scp -r -p -t up", "scp_write", ("up",), True),
    ("scp -t .", "scp_write", (".",), True),
    ("scp -d -t -- -x", "scp_write", ("-x",), True),
    ("scp -f /srv/x", "scp_read", ("/srv/x",), False),
    ("scp -v -r -f /srv/x y", "scp_read", ("/srv/x", "y"), True),
    ("scp -pf '/srv/a b'", "scp_read", ("/srv/a b",), False),
    ("scp -f /srv//./x/", "scp_read", ("/srv/x",), False),
    ("scp -f ../x", "scp_read", ("../x",), False),
    ("rsync --server -logDtpre.iLsfxCIvu . /srv/up/", "rsync_write", ("/srv/up",), True),
    ("rsync --server --sender -vlogDtprze.iLsfxCIvu . /srv/data/", "rsync_read", ("/srv/data",), True),
    ("rsync --server --sender -e.LsfxCIvu . /srv/f", "rsync_read", ("/srv/f",), False),
    ("rsync --server --sender -de.LsfxCIvu --list-only . /srv/", "rsync_read", ("/srv",), True),
    ("rsync --server --sender -logDtprRe.iLsfxCIvu . /srv/./a /b", "rsync_read", ("/srv/a", "/b"), True),
    ("rsync --server -e.LsfxCIvu . /srv/a\\ b", "rsync_write", ("/srv/a b",), True),
    ("rsync --server -lHogDtpAXrxe.iLsfxCIvu --stats --timeout=5 --delete . /b", "rsync_write", ("/b",), True),
    ("git-upload-pack '/srv/git/r.git'", "git_fetch", ("/srv/git/r.git",), False),
    ("git-upload-pack 'r.git'", "git_fetch", ("r.git",), False),
    ("git-upload-pack '~/r'\\''s.git'", "git_fetch", ("r's.git",), False),
    ("git-upload-pack '~ann/r.git'", "git_fetch", ("~ann/r.git",), False),
    ("git upload-pack '/r.git'", "git_fetch", ("/r.git",), False),
    ("git-upload-archive '/r.git'", "git_fetch", ("/r.git",), False),
    ("git-receive-pack '/r.git/'", "git_push", ("/r.git",), False),
    ("git receive-pack /r.git", "git_push", ("/r.git",), False),
    ("scp -f /srv/x 2>/dev/null", "scp_read", ("/srv/x",), False),
]


@pytest.mark.parametrize(("command", "kind", "paths", "below"), TRANSFERS, ids=[t[0] for t in TRANSFERS])
def test_transfers(command: str, kind: str, paths: tuple[str, ...], below: bool) -> None:
    words = parse(command).commands
    expected = Operation(SshKind(kind), "ann", command, words=words, paths=paths, below=below)
    assert operations_of_exec(command, "ann") == (expected,)


@pytest.mark.parametrize(
    "command",
    [
        "scp /a host:/b",
        "scp -t",
        "scp -t a b",
        "scp -t -f a",
        "scp -f ''",
        "scp -f a -x",
        "scp -f -S x a",
        "scp -t -oProxyCommand=x a",
        "/tmp/scp -t a",
        "scp -t a; ls",
        "scp -t a >b",
        "rsync -a /a /b",
        "rsync --server --sender -logDtpre.iLsfxCIvu . ",
        "rsync --server --sender -logDtpre.iLsfxCIvu /a /b",
        "rsync --server --sender -slogDtpre.iLsfxCIvu",
        "rsync --server -logDtpre.iLsfxCIvu . /a /b",
        "rsync --server --daemon . /a",
        "rsync --server --sender -lr --log-file=/x . /a",
        "rsync --server --sender -lr --remove-source-files . /a",
        "rsync --server -lr --partial-dir .p . /a",
        "rsync --server -lr --temp-dir=/x . /a",
        "rsync --server -lr --timeout . /a",
        "rsync --server -lr -e x . /a",
        "rsync --server -lrT . /a",
        "rsync --server -lr . /a --delete",
        "git-upload-pack",
        "git-upload-pack --strict /a",
        "git-upload-pack -x",
        "git-upload-pack ''",
        "git-upload-pack /a /b",
        "git-shell upload-pack",
        "git -C /x upload-pack /a",
        "git status x",
        "gitupload-pack /a",
        "upload-pack /a",
        "git-git upload-pack",
    ],
)
def test_what_is_no_transfer_is_a_command(command: str) -> None:
    (operation,) = operations_of_exec(command, "ann")
    line = parse(command)
    assert operation == Operation(SshKind.EXEC, "ann", command, words=line.commands, paths=line.files)


ANSIBLE = [  # of ansible-core 2.17
    "/bin/sh -c 'echo ~ && sleep 0'",
    '/bin/sh -c \'( umask 77 && mkdir -p "` echo /root/.ansible/tmp `"&& mkdir "` echo /root/x `" ) && sleep 0\'',
    "/bin/sh -c 'sudo -H -S -n  -u root /bin/sh -c '\"'\"'echo BECOME-SUCCESS-x ; /usr/bin/python3'\"'\"' && sleep 0'",
]


@pytest.mark.parametrize("command", ANSIBLE)
def test_a_shell_that_is_named_is_one_command(command: str) -> None:
    (operation,) = operations_of_exec(command, "ann")
    assert [words[:2] for words in operation.words] == [("/bin/sh", "-c")]
    assert len(operation.words[0]) == 3


@pytest.mark.parametrize("command", ["scp -f /a/../b", "git-upload-pack '/srv/git/../x'", "scp -t ../../a/.."])
def test_a_link_decides_where_dots_lead(command: str) -> None:
    (operation,) = operations_of_exec(command, "ann")
    assert operation.unparsed == CLIMBS
    assert operation.paths == operation.words == ()


def test_a_command_with_its_redirections() -> None:
    (operation,) = operations_of_exec("ls -l | grep x >>/tmp/./y", "ann")
    assert operation.kind is SshKind.EXEC
    assert operation.words == (("ls", "-l"), ("grep", "x"))
    assert operation.paths == ("/tmp/y",)


def test_what_is_not_known() -> None:
    (operation,) = operations_of_exec("ls $HOME \udcff", "ann")
    assert (operation.kind, operation.words, operation.text) == (SshKind.EXEC, (), "ls $HOME \\udcff")
    assert "`$` is replaced" in operation.unparsed


@given(st.text())
def test_every_text_is_an_operation(command: str) -> None:
    (operation,) = operations_of_exec(command, "ann")
    try:
        parse(command)
    except NotKnown:
        assert operation.unparsed and not operation.words
    operation.text.encode()
