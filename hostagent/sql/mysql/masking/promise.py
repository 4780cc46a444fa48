"""What a masked statement promises of its result: names of columns, and what masked ones show. And what keeps names.

The wire check (`protocols/mysql/sealed.py`) compares the server's answer with it. A name or a constant that is not
certain is None; a result of which not even the number of columns is certain has no promise.
"""

from __future__ import annotations

import re

from hostagent.sql.analysis import Kind
from hostagent.sql.masking.values import Masks
from hostagent.sql.mysql.found import Block, Found, Item, Reference, Source
from hostagent.sql.mysql.masking.columns import Columns
from hostagent.sql.mysql.masking.edits import Edits
from hostagent.sql.mysql.masking.expression import constant, quoted
from hostagent.sql.mysql.tokens import Token, Type

MAX_NAME = 64  # characters of a name that is compared
MAX_KEPT = 200  # characters of an expression that its column is named by; servers take 256 of an alias
_QUERY = frozenset({Kind.SELECT, Kind.LOCK})
_NO_NAME = re.compile("[\x00-\x1f\x7f\U00010000-\U0010ffff]")
_LITERALS = frozenset({Type.STRING, Type.NUMBER})

Shown = tuple[str | None, str | None]  # a column's name, and its constant


def keep_names(text: str, found: Found, tokens: list[Token], edits: Edits) -> bool:
    """Names columns after the client's words, where the server would name them after ours: these can hold a mask's key.

    Whether a literal is in such a name.
    """
    literal = False
    for block in found.blocks:
        for item in block.items:
            if item.star is None and not item.alias and edits.touch(item.first, item.end):
                if _reference(found, item) is not None:
                    continue
                words = text[tokens[item.first].start : tokens[item.end - 1].end]
                edits.append(item.end, f"AS {quoted(_NO_NAME.sub(' ', words)[:MAX_KEPT].strip())}")
                literal = literal or any(t.type in _LITERALS for t in tokens[item.first : item.end])
    return literal


def promised(statements: list[Found], replaced: list[Source], columns: Columns, masks: Masks) -> list[Shown] | None:
    """The columns of the one result of a text, or None. `replaced` are the sources that are sub-selects now."""
    if len(statements) != 1 or Kind.SELECT not in statements[0].kinds or not statements[0].kinds <= _QUERY:
        return None
    found = statements[0]
    if found.assigned or not found.blocks:
        return None
    block = found.blocks[found.ctes_end]
    if block.clauses & {"table"} or not block.items:
        return None
    shown: list[Shown] = []
    for item in block.items:
        here = _star(found, block, item, replaced, columns, masks) if item.star is not None else None
        if item.star is not None and here is None:
            return None
        shown += here or [_item(found, block, item, replaced, columns, masks)]
    return [(name, None) for name, _ in shown] if "set" in found.notes else shown


def _item(found: Found, block: Block, item: Item, replaced: list[Source], columns: Columns, masks: Masks) -> Shown:
    reference = _reference(found, item)
    name = item.alias or (reference.parts[-1] if reference is not None else "")
    return _comparable(name), None if reference is None else _constant(block, reference, replaced, columns, masks)


def _reference(found: Found, item: Item) -> Reference | None:
    """The column that an output column is, if it is nothing else."""
    size = item.end - item.first
    same = (r for r in found.references if r.first == item.first and 2 * len(r.parts) - 1 == size)
    return next(same, None)


def _comparable(name: str) -> str | None:
    fits = 0 < len(name) <= MAX_NAME and name.isascii() and name.isprintable() and name == name.strip()
    return name.lower() if fits else None


def _constant(block: Block, reference: Reference, replaced: list[Source], columns: Columns, masks: Masks) -> str | None:
    if len(reference.parts) == 1:
        sources = [] if len(block.sources) != 1 or block.derived else block.sources
    else:
        sources = [s for s in block.sources if s.alias == reference.parts[-2]]
    if len(sources) != 1 or not any(sources[0] is one for one in replaced):
        return None
    return _shown(sources[0], reference.parts[-1].lower(), columns, masks)


def _shown(source: Source, column: str, columns: Columns, masks: Masks) -> str | None:
    relation, mask = columns.relation(source.name), columns.masked(source.name).get(column)
    if relation is None or mask is None:
        return None
    return next((constant(c, mask, masks.key) for c in relation.columns if c.name.lower() == column), None)


def _star(
    found: Found, block: Block, item: Item, replaced: list[Source], columns: Columns, masks: Masks
) -> list[Shown] | None:
    """The columns that `*` stands for: only of what we have written out ourselves."""
    sources = block.sources if item.star == "" else [s for s in block.sources if s.alias == item.star]
    merged = "natural" in found.notes or any(r.clause == "using" for r in found.references)
    if not sources or merged or (block.derived and item.star == "") or (item.star != "" and len(sources) != 1):
        return None
    shown: list[Shown] = []
    for source in sources:
        relation = columns.relation(source.name)
        if relation is None or not any(source is one for one in replaced):
            return None
        for column in relation.columns:
            if not column.hidden:
                shown.append((_comparable(column.name), _shown(source, column.name.lower(), columns, masks)))
    return shown
