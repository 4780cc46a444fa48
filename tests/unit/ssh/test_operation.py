"""What humans call an operation."""

from __future__ import annotations

import pytest

from hostagent.ssh.operation import SshKind, noun


def test_every_kind_has_a_noun() -> None:
    assert "statement" not in {noun((kind.value,)) for kind in SshKind}


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (("exec",), "command"),
        (("shell_no_pty",), "shell"),
        (("sftp_extension",), "file operation"),
        (("rsync_write",), "transfer"),
        (("forward_stream_remote",), "forward"),
        (("select", "insert"), "statement"),
        ((), "statement"),
    ],
)
def test_nouns(kinds: tuple[str, ...], expected: str) -> None:
    assert noun(kinds) == expected
