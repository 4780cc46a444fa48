"""The manual and the completions name everything that the parsers and models know."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hostagent.cli.main import parser as cli_parser
from hostagent.daemon.app import parser as daemon_parser
from hostagent.daemon.config import Config
from hostagent.policy.schema import policy_schema
from tests.unit.package.conftest import Packages
from tools.package import manual


def plain(name: str) -> str:
    return re.sub(r"\\f[BIRP]|\\&", "", manual.page(name)).replace("\\-", "-").replace("\\e", "\\")


def parsers(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    yield " ".join(words), parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, child in action.choices.items():
                yield from parsers(child, (*words, name))


@pytest.mark.parametrize(("name", "parser"), [("hostagent.1", cli_parser()), ("hostagentd.8", daemon_parser())])
def test_every_command_and_option_is_in_its_page(name: str, parser: argparse.ArgumentParser) -> None:
    page = plain(name)
    for words, one in parsers(parser, ()):
        assert not words or f".SS {words}\n" in page
        part = page.partition(f".SS {words}\n")[2].partition("\n.SS ")[0] if words else page
        for action in one._actions:
            assert action.dest == "help" or all(option in part for option in action.option_strings)


def keys(schema: dict[str, Any]) -> Iterator[str]:
    for model in (schema, *schema["$defs"].values()):
        yield from model.get("properties", {})


@pytest.mark.parametrize(
    ("name", "schema"),
    [("hostagent-policy.5", policy_schema()), ("hostagentd.8", Config.model_json_schema(by_alias=True))],
)
def test_every_key_is_in_its_page(name: str, schema: dict[str, Any]) -> None:
    page = plain(name)
    assert [key for key in keys(schema) if not re.search(rf"(^|\.){re.escape(key)}( \(.*)?$", page, re.MULTILINE)] == []


@pytest.mark.parametrize("name", manual.PAGES)
def test_a_page_is_good_roff(name: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_text(manual.page(name))
    command = ["man", "--warnings", "--local-file", str(file)]
    utf8 = {"LC_ALL": "C.UTF-8", "PATH": os.environ["PATH"]}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=utf8)
    assert done.stderr == ""
    assert "SEE ALSO" in done.stdout


def test_completions_know_every_command(packages: Packages) -> None:
    bash = packages.tree / "usr/share/bash-completion/completions/hostagent"
    subprocess.run(["bash", "-n", str(bash)], check=True)
    texts = [
        path.read_text()
        for path in (
            bash,
            packages.tree / "usr/share/zsh/vendor-completions/_hostagent",
            packages.tree / "usr/share/fish/vendor_completions.d/hostagent.fish",
        )
    ]
    for words, _ in parsers(cli_parser(), ()):
        assert all(word in text for word in words.split() for text in texts)
