"""What commands print: for people, for programs, and never what a client wants to do to a terminal."""

from __future__ import annotations

import json

import pytest

from hostagent.cli.output import print_error, print_json, print_panel, print_table, printable


def test_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("result", "check"), [("PASS", "kernel"), ("FAIL", "a much longer name " * 6)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["RESULT", "CHECK"]
    assert lines[1].split() == ["PASS", "kernel"]
    assert len(lines) == 3  # into a pipe nothing is folded at 80 columns
    assert "\x1b" not in "".join(lines)


def test_a_panel_keeps_its_column(capsys: pytest.CaptureFixture[str]) -> None:
    print_panel([("state", "ready"), ("governed", "/a\n/b")])
    state, first, second = capsys.readouterr().out.splitlines()
    assert state.index("ready") == first.index("/a") == second.index("/b")


def test_json_names_its_kind(capsys: pytest.CaptureFixture[str]) -> None:
    print_json("Status", {"state": "ready"})
    assert json.loads(capsys.readouterr().out) == {"apiVersion": "hostagent/v1", "kind": "Status", "state": "ready"}


@pytest.mark.parametrize("text", ["[bold]x[/bold]", "[link=http://x]y[/link]"])
def test_markup_of_others_is_text(capsys: pytest.CaptureFixture[str], text: str) -> None:
    print_table(("statement",), [(text,)])
    assert text in capsys.readouterr().out


def test_escape_sequences_of_others_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("statement",), [("SELECT '\x1b]0;owned\x07' \x9b2J \u202e",)])
    out = capsys.readouterr().out
    assert not set("\x1b\x07\x9b\u202e") & set(out)
    assert "\\x1b]0;owned\\x07" in out
    assert printable("größe\n\tok") == "größe\n\tok"


def test_errors_go_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    print_error("it broke", "mend it")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "error: it broke\nhint: mend it\n"
