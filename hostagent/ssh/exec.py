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
    text = command.encode("utf-8", "backslashreplace").decode()
    try:
        line = parse(command)
    except NotKnown as why:
        return (Operation(SshKind.EXEC, login, text, unparsed=str(why)),)
    transfer = transfer_of(line.commands[0]) if len(line.commands) == 1 and not line.files else None
    if transfer is None:
        return (Operation(SshKind.EXEC, login, text, words=line.commands, paths=line.files),)
    return (_operation(transfer, login, text, line.commands),)


def _operation(transfer: Transfer, login: str, text: str, words: tuple[tuple[str, ...], ...]) -> Operation:
    if any(map(climbs, transfer.paths)):
        return Operation(transfer.kind, login, text, unparsed=CLIMBS)
    paths = tuple(map(canonical, transfer.paths))
    return Operation(transfer.kind, login, text, words=words, paths=paths, below=transfer.below)
