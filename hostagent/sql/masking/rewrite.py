"""Text + catalog + masks → the text to send, or what more must be known, or why it cannot be made safe. Pure.

1. The text is analyzed as always: a node that nobody knows ends it here.
2. Its sites are collected, and statements that cannot be made safe are refused (`sites`, `statements`).
3. What the catalog lacks is asked for; a view can need more, so this can take a second round.
4. The edits are made in text and tree (`replace`), and the text, parsed again, must be that tree (`verify`).
"""

from __future__ import annotations

from hostagent.sql.analysis import Unanalyzed
from hostagent.sql.masking.catalog import Catalog
from hostagent.sql.masking.columns import Columns
from hostagent.sql.masking.literals import is_free, pieces
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.replace import Replacement
from hostagent.sql.masking.shape import shape
from hostagent.sql.masking.sites import collect
from hostagent.sql.masking.statements import check_order, check_statement
from hostagent.sql.masking.text import Tokens
from hostagent.sql.masking.values import Masks, Needs, NeedsMore, Result, Rewritten, Unsafe
from hostagent.sql.masking.verify import check
from hostagent.sql.postgres import analyze
from hostagent.sql.postgres.tree import Unparsed, parse

MAX_TEXT = 256 << 10  # bytes; the dearest text of this length takes about three seconds
MAX_SENT = 4 << 20  # bytes; each reference to a wide relation adds all its columns


def rewrite(text: str, catalog: Catalog, masks: Masks) -> Result:
    """The statement text with every masked column masked at its source. Raises nothing for any text.

    Call it first with an empty `Catalog()`: it answers NeedsMore with the names to ask the server for (or Unsafe, or
    Rewritten where no name is used). `needs` always names everything, so the next catalog replaces the one before.
    """
    analysis = analyze(text)
    if isinstance(analysis, Unanalyzed):
        return Unsafe(analysis.reason)
    try:
        return _rewrite(text.encode(), catalog, masks)
    except Refused as refused:
        return Unsafe(refused.reason, refused.fix)
    except Unparsed as error:
        return Unsafe(f"the statement cannot be parsed: {error}")
    except RecursionError:
        return Unsafe("the statement is nested too deeply")
    except (KeyError, IndexError, TypeError, AttributeError):
        return Unsafe("the statement contains something that is not known")


def _rewrite(raw: bytes, catalog: Catalog, masks: Masks) -> Result:
    if len(raw) > MAX_TEXT:
        raise Refused(f"with masks a statement has at most {MAX_TEXT} bytes", "send it in parts, or COPY … FROM STDIN")
    nodes = parse(raw)
    statements = [collect(node) for node in nodes]
    needs = Needs()
    for statement in statements:
        check_statement(statement)
        needs |= statement.needs()
    check_order(statements)
    free = is_free(statements)
    if _lacks(catalog, needs):
        return NeedsMore(needs)
    columns = Columns(catalog, masks)
    replacement = Replacement(Tokens(raw), columns)
    try:
        for statement in statements:
            replacement.statement(statement)
    except Refused:
        if not _lacks(catalog, columns.needs):
            raise
    if _lacks(catalog, columns.needs):
        return NeedsMore(needs | columns.needs)
    text = replacement.edits.apply(raw)
    if len(text) > MAX_SENT:
        raise Refused(f"the masked statement is longer than {MAX_SENT} bytes", "name masked relations less often")
    check(text, nodes)
    return Rewritten(
        text.decode(),
        tuple(sorted(replacement.masked)),
        tuple(sorted(catalog.relations)),
        shape(statements[0].kind, statements[0].body) if len(statements) == 1 else None,
        columns.forbidden(),
        lasting=all(catalog.found[name] is not None for name in needs.relations),
        temporary=any(schema.startswith("pg_temp") for schema in catalog.schemas),
        pieces=pieces(raw.decode(), replacement.edits) if free else (),
    )


def _lacks(catalog: Catalog, needs: Needs) -> bool:
    return not (
        needs.relations <= catalog.found.keys()
        and needs.functions <= catalog.functions.keys()
        and needs.operators <= catalog.operators.keys()
        and (catalog.answered or not needs.types)
    )
