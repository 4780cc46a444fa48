"""Private files: read whole and only where nobody else can, made once and never over what is there."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from hostagent.private_file import Shared, make_private, read_private


def test_what_is_made_is_read_and_is_nobody_elses(tmp_path: Path) -> None:
    path = tmp_path / "key"
    make_private(path, b"k" * 32)
    assert read_private(path) == b"k" * 32
    assert path.stat().st_mode & 0o777 == 0o600
    make_private(tmp_path / "public", b"p", 0o644)
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    path, link = tmp_path / "key", tmp_path / "link"
    path.write_bytes(b"old")
    link.symlink_to(tmp_path / "elsewhere")
    for place in (path, link):
        with pytest.raises(FileExistsError):
            make_private(place, b"new")
    assert path.read_bytes() == b"old" and not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(("mode", "shared", "refused"), [
    (0o600, 0o077, False),
    (0o400, 0o077, False),
    (0o640, 0o077, True),
    (0o604, 0o077, True),
    (0o640, 0o007, False),
    (0o604, 0o007, True),
    (0o644, 0, False),
])  # fmt: skip
def test_who_else_may_read_it(tmp_path: Path, mode: int, shared: int, refused: bool) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"x")
    path.chmod(mode)
    if refused:
        with pytest.raises(Shared, match=f"mode {mode:o}"):
            read_private(path, shared=shared)
    else:
        assert read_private(path, shared=shared) == b"x"


def test_it_may_not_be_too_long(tmp_path: Path) -> None:
    path = tmp_path / "key"
    make_private(path, b"12345")
    assert read_private(path, 5) == b"12345"
    with pytest.raises(ValueError, match="longer than 4 bytes"):
        read_private(path, 4)


def test_it_may_not_be_another_users_unless_that_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "key"
    make_private(path, b"x")
    os.chown(path, 65534, 65534)
    with pytest.raises(ValueError, match="another user"):
        read_private(path)
    assert read_private(path, of_root=False) == b"x"


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    (tmp_path / "directory").mkdir(0o700)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
        for name in ("pipe", "directory", "socket", "none"):
            with pytest.raises((ValueError, OSError)):
                read_private(tmp_path / name)


def test_a_link_to_a_private_file_is_followed_one_to_a_shared_file_is_not_trusted(tmp_path: Path) -> None:
    make_private(tmp_path / "key", b"x")
    (tmp_path / "link").symlink_to("key")
    assert read_private(tmp_path / "link") == b"x"
    (tmp_path / "key").chmod(0o644)
    with pytest.raises(Shared):
        read_private(tmp_path / "link")
