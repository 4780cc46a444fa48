"""Completions for bash, zsh and fish, from the parsers, by shtab."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shtab

from hostagent.cli.main import parser as cli_parser
from hostagent.daemon.app import parser as daemon_parser

if TYPE_CHECKING:
    from tools.package.tree import Tree

PLACES = {
    "bash": "usr/share/bash-completion/completions/{}",
    "zsh": "usr/share/zsh/vendor-completions/_{}",
    "fish": "usr/share/fish/vendor_completions.d/{}.fish",
}
PARSERS = {"hostagent": cli_parser, "hostagentd": daemon_parser}


def stage(tree: Tree) -> None:
    """Put them where each shell looks."""
    for shell, place in PLACES.items():
        for program, parser in PARSERS.items():
            tree.put(place.format(program), shtab.complete(parser(), shell=shell))
