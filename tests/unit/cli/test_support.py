"""`hostagent support` on a host where nothing is right: that is where it is needed."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

from hostagent.cli import support
from hostagent.cli.main import main


def run(tmp_path: Path, *arguments: str) -> int:
    file, config = tmp_path / "bundle.tar.gz", tmp_path / "hostagent.yaml"
    own = ["--file", str(file), "--config", str(config), "--lines", "1"]
    return main(["--socket", str(tmp_path / "none.sock"), "support", *own, *arguments])


def bundle(tmp_path: Path) -> dict[str, str]:
    with tarfile.open(tmp_path / "bundle.tar.gz") as tar:
        members = {member.name.partition("/")[2]: tar.extractfile(member) for member in tar.getmembers()}
        return {name: content.read().decode() for name, content in members.items() if content is not None}


@pytest.mark.parametrize(
    "config", [None, "govern: {cgroups: [/a]}\npassword: hunter2-of-old\n", "\t{not yaml hunter2-of-old"]
)
def test_without_a_daemon_or_a_good_file_what_is_left_is_gathered(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / "hostagent.yaml").write_text(config)
    assert run(tmp_path, "--yes") == 0
    found = bundle(tmp_path)
    assert "no daemon answers" in found["doctor.json"]
    assert "python" in found["versions.txt"]
    assert not any("hunter2-of-old" in text for text in found.values())
    assert "events.ndjson" not in found


@pytest.mark.parametrize(("said", "code"), [("y", 0), ("n", 1), ("", 1)])
def test_it_asks_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, code: int) -> None:
    monkeypatch.setattr(support.sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _: said)
    assert run(tmp_path) == code
    assert (tmp_path / "bundle.tar.gz").exists() is (code == 0)


def test_it_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "bundle.tar.gz").symlink_to(tmp_path / "elsewhere")
    assert run(tmp_path, "--yes") == 69
    assert not (tmp_path / "elsewhere").exists()
