"""Secrets are read from private files or from systemd, and from nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from hostagent.credentials.sources import MAX_SECRET, read_secret
from hostagent.errors import FileError


@dataclass(frozen=True)
class Source:
    file: str | None = None
    systemd: str | None = None


def private(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    path.chmod(0o600)
    return str(path)


@pytest.mark.parametrize(("content", "secret"), [(b"s3cret", "s3cret"), (b"s3cret\n", "s3cret"), (b" s \r\n", " s ")])
def test_a_private_file_gives_its_text(tmp_path: Path, content: bytes, secret: str) -> None:
    assert read_secret(Source(file=private(tmp_path / "p", content)), "credential orders") == secret


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path / "p", b"s3cret")
    Path(path).chmod(0o644)
    with pytest.raises(FileError, match=r"other users can read.*\n.*chmod") as caught:
        read_secret(Source(file=path), "credential orders")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "empty"), (b"\n", "empty"), (b"\xff", "UTF-8"), (b"x" * (MAX_SECRET + 1), "longer")]
)
def test_a_useless_secret_is_one_clear_error(tmp_path: Path, content: bytes, why: str) -> None:
    with pytest.raises(FileError, match=rf"credential orders: .*{why}"):
        read_secret(Source(file=private(tmp_path / "p", content)), "credential orders")


def test_a_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="No such file"):
        read_secret(Source(file=str(tmp_path / "nothing")), "credential orders")


def test_systemd_hands_it_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private(tmp_path / "orders-db", b"s3cret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(Source(systemd="orders-db"), "credential orders") == "s3cret"


def test_without_systemd_the_fix_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(FileError, match="LoadCredential="):
        read_secret(Source(systemd="orders-db"), "credential orders")


def test_a_pipe_in_the_place_of_a_file_does_not_stop_the_daemon(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p", 0o600)
    with pytest.raises(FileError, match="not a regular file"):
        read_secret(Source(file=str(tmp_path / "p")), "credential orders")


def test_a_nul_is_no_part_of_a_password(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="NUL"):
        read_secret(Source(file=private(tmp_path / "p", b"a\0b")), "credential orders")
