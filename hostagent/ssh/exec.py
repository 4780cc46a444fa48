"""An exec request → operations: a transfer by its kind and paths where the line is exactly that, else the commands."""

from __future__ import annotations

from hostagent.ssh.operation import Operation, SshKind
from hostagent.ssh.paths import canonical, climbs
from hostagent.ssh.shell import NotKnown, parse
from hostagent.ssh.transfer import Transfer, transfer_of

CLIMBS = "`..` after a name: a link decides where that leads; write the path without it"


def operations_of_exec(command: str, login: str) -> tuple[Operation, ...]:
    """What an exec request of that command line asks for; at least one.

    A byte that is no UTF-8 is expected as a lone surrogate (`surrogateescape`): such a line is not parsed.
    """
    operation = operation_of_line(command, login)
    single = len(operation.words) == 1 and not operation.paths
    transfer = transfer_of(operation.words[0]) if single else None
    return (operation if transfer is None else _operation(transfer, login, operation.text, operation.words),)


def operation_of_line(text: str, login: str) -> Operation:
    """What a line of a shell's input asks for: always a command, since nobody stands between it and a transfer."""
    shown = text.encode("utf-8", "backslashreplace").decode()
    try:
        line = parse(text)
    except NotKnown as why:
        return Operation(SshKind.EXEC, login, shown, unparsed=str(why))
    return Operation(SshKind.EXEC, login, shown, words=line.commands, paths=line.files)


def _operation(transfer: Transfer, login: str, text: str, words: tuple[tuple[str, ...], ...]) -> Operation:
    if any(map(climbs, transfer.paths)):
        return Operation(transfer.kind, login, text, unparsed=CLIMBS)
    paths = tuple(map(canonical, transfer.paths))
    return Operation(transfer.kind, login, text, words=words, paths=paths, below=transfer.below)
