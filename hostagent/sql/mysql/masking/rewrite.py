"""Text + catalog + masks → the text to send, or what more must be known, or why it cannot be made safe. Pure.

1. The text is understood as always: what two parsers do not read alike ends it here.
2. Statements that cannot be made safe are refused (`rules`, `writes`).
3. Every relation that is read and has masked columns becomes a sub-select; a view upon such relations becomes its
   definition, masked in the same way.
4. The text is cut into tokens again, and must be read as meant: masked relations stand in our sub-selects alone.
"""

from __future__ import annotations

from dataclasses import replace

from hostagent.sql.analysis import Kind, Name
from hostagent.sql.masking.refusal import Refused
from hostagent.sql.masking.values import Masks, Needs, NeedsMore, Result, Rewritten, Unsafe
from hostagent.sql.mysql.classify import understood
from hostagent.sql.mysql.found import Found, Role, Source
from hostagent.sql.mysql.lexer import lex
from hostagent.sql.mysql.masking import rules, system, writes
from hostagent.sql.mysql.masking.catalog import Catalog, Relation, decode
from hostagent.sql.mysql.masking.columns import Columns
from hostagent.sql.mysql.masking.edits import Edits
from hostagent.sql.mysql.masking.expression import quoted
from hostagent.sql.mysql.masking.promise import keep_names, promised
from hostagent.sql.mysql.modes import check_charset, reading
from hostagent.sql.mysql.statements import read
from hostagent.sql.mysql.template import filled, literal_spans, template
from hostagent.sql.mysql.tokens import Token, Type, Unread
from hostagent.values.mysql import MysqlSettings

MAX_TEXT = 256 << 10  # characters
MAX_SENT = 4 << 20  # characters; each reference to a wide relation adds all its columns
MAX_VIEWS = 32  # views within one another
MAX_PIECES = 64 << 10  # characters of what is remembered of one text
_ROWS = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE})


class _Lacking(Exception):
    """The catalog lacks these relations."""

    def __init__(self, names: set[Name]) -> None:
        self.names = names
        super().__init__()


def rewrite(text: str, settings: MysqlSettings, catalog: Catalog, masks: Masks) -> Result:
    """The statement text with every masked column masked at its source. Raises nothing for any text.

    Call it first with an empty `Catalog()`: it answers NeedsMore with the names to ask the server for (or Unsafe, or
    Rewritten where no name is used). `needs` always names everything, so the next catalog replaces the one before.
    """
    try:
        if len(text) > MAX_TEXT:
            raise Refused(f"with masks a statement has at most {MAX_TEXT} characters", "send it in parts")
        return _Rewrite(text, settings, catalog, masks).result()
    except _Lacking as lacking:
        return NeedsMore(Needs(frozenset(lacking.names | catalog.found.keys())))
    except Refused as refused:
        return Unsafe(refused.reason, refused.fix)
    except Unread as error:
        return Unsafe(f"the statement is not understood: {error}")
    except RecursionError:
        return Unsafe("the statement is nested too deeply")
    except (KeyError, IndexError, AttributeError):
        return Unsafe("the statement contains something that is not known")


def answer(text: str, settings: MysqlSettings, catalog: str, masks: Masks) -> Result:
    """The same, with the server's answer to the catalog query, or an empty one for none. Raises ValueError, KeyError or
    TypeError for what is no answer."""
    try:
        return rewrite(text, settings, decode(catalog) if catalog else Catalog(), masks)
    except Refused as refused:
        return Unsafe(refused.reason, refused.fix)


class _Rewrite:
    def __init__(self, text: str, settings: MysqlSettings, catalog: Catalog, masks: Masks) -> None:
        self._text = text
        self._settings = settings
        self._catalog = catalog
        self._masks = masks
        self._columns = Columns(catalog, masks, fold=settings.lower_case_table_names != 0)
        self._masked: set[str] = set()
        self._replaced: list[Source] = []
        self._derived: set[str] = set()
        self._literal_named = False
        self._inlined: list[Name] = []

    def result(self) -> Rewritten:
        tokens, statements = understood(self._text, self._settings)
        rules.check_order(statements)
        for found in statements:
            rules.check(found, tokens, self._masks)
        self._need({s.name for found in statements for s in found.sources if s.name.schema not in system.SCHEMAS})
        self._need({n for found in statements for n in writes.needed(found, self._columns)})
        edits = Edits(tokens, self._settings)
        for found in statements:
            writes.check_targets(found, self._columns)
            self._substitute(found, tokens, edits, top=True)
            self._literal_named |= keep_names(self._text, found, tokens, edits)
        sent = edits.apply() if edits else self._text
        if len(sent) > MAX_SENT:
            raise Refused(f"the masked statement is longer than {MAX_SENT} characters", "name relations less often")
        if edits:
            check_charset(sent, self._settings.charset)
            self._verify(sent, statements)
        known = all(relation is not None for relation in self._catalog.found.values())
        shown = promised(statements, self._replaced, self._columns, self._masks)
        return Rewritten(
            sent, tuple(sorted(self._masked)), lasting=known,
            shape=None if shown is None else tuple(name for name, _ in shown),
            constants=tuple(constant for _, constant in shown or ()),
            derived=tuple(sorted(self._derived)),
            pieces=self._pieces(sent, statements, tokens, edits),
        )  # fmt: skip

    def _pieces(self, sent: str, statements: list[Found], tokens: list[Token], edits: Edits) -> tuple[str, ...]:
        """What is sent around the literals of the text, where no literal's value decides about it; else nothing.

        Two texts of one template have the same tokens but for their literals, which no parser of ours looks at; only
        where one names a column does it matter.
        """
        text = self._text
        if len(sent) > MAX_PIECES or self._literal_named or template(text, self._settings) is None:
            return ()
        aliased = [item.end for f in statements for block in f.blocks for item in block.items if item.alias]
        if any(Type.STRING in (tokens[end].type, tokens[end + 1].type) for end in aliased):
            return ()
        if any(not found.kinds <= _ROWS for found in statements):
            return ()
        spans = literal_spans(text)
        made = tuple(edits.around(spans) if edits else (text[a:b] for a, b in _between(spans, len(text))))
        try:
            return made if filled(made, text) == sent else ()
        except ValueError:
            return ()

    def _need(self, names: set[Name]) -> None:
        if lacking := names - self._catalog.found.keys():
            raise _Lacking(lacking)

    def _substitute(self, found: Found, tokens: list[Token], edits: Edits, *, top: bool) -> None:
        replaced: list[Source] = []
        for source in found.sources:
            if source.role is not Role.READ or source.block < 0:
                continue  # by name alone: `writes` has looked at it
            stands_for = self._stands_for(found, source, top=top)
            if stands_for is None:
                continue
            self._check_source(found, source, top=top)
            edits.replace(source.first, source.end, f"{stands_for} AS {quoted(source.alias)}")
            replaced.append(source)
            self._derived.add(source.alias.lower())
        self._derived.update(alias.lower() for block in found.blocks for alias in block.derived)
        if top:
            self._replaced += replaced
        self._unqualify(found, tokens, replaced, edits)

    def _check_source(self, found: Found, source: Source, *, top: bool) -> None:
        if "explain" in found.notes:
            raise Refused(f"a plan tells of the masked columns of {source.name}", "run the statement")
        if "view" in found.notes:
            raise Refused(f"a view on {source.name} would keep what masks it now", "let somebody without masks make it")
        if not source.plain or "table" in found.blocks[source.block].clauses:
            raise Refused(f"{source.name} has masked columns", "name it in FROM, without partitions, history and hints")
        if top and writes.writes_rows(found):
            relation = self._columns.relation(source.name)
            if relation is None or relation.view is not None:
                raise Refused(
                    f"what is read from {source.name} is written elsewhere", "let somebody without masks do it"
                )
            writes.check_read(found, source, self._columns.masked(source.name))

    def _stands_for(self, found: Found, source: Source, *, top: bool) -> str | None:
        """The sub-select that stands for a relation, or None where the relation itself may be read.

        Under a view (not `top`) the server looks at the rights of whoever made it: what this account cannot see there
        could be anything, and where a mask may hold for a column of it, it is read by this account's own rights.
        """
        name = source.name
        if name.schema in system.SCHEMAS:
            if not system.may_be_read(name):
                raise Refused(f"{name} tells of values or of other sessions", "read other relations")
            if not system.masked_columns(name):
                return None
            self._need({name})
        relation = self._columns.relation(name)
        if relation is None:
            if not top:
                raise Refused(f"{name}, which a view reads, is not shown to this account", "read the table itself")
            return None
        hidden = self._columns.masked(name)
        of = self._columns.rows(relation)
        if relation.view is not None and (inner := self._definition(relation)) is not None:
            of = f"({inner}) AS {quoted(name.name)}"
        elif not hidden and self._is_harmless(found, relation, top=top):
            return None
        self._masked.update(f"{name}.{column}" for column in hidden)
        return self._columns.select(relation, of)

    def _is_harmless(self, found: Found, relation: Relation, *, top: bool) -> bool:
        """Whether a relation without masked columns has none that this account does not see."""
        if relation.name.schema in system.SCHEMAS or not self._columns.may_be_masked(relation.name):
            return True
        return relation.whole or (not top and _sees_all(found, relation))

    def _definition(self, relation: Relation) -> str | None:
        """The definition of a view with what is masked under it, or None where nothing is."""
        text = relation.view or ""
        if not text:
            raise Refused(f"the definition of the view {relation.name} is not shown to this account", "GRANT SHOW VIEW")
        if "\\" in text and "NO_BACKSLASH_ESCAPES" in self._settings.sql_mode:
            raise Refused(f"the definition of the view {relation.name} cannot be read in this sql_mode")
        if relation.name in self._inlined or len(self._inlined) >= MAX_VIEWS:
            raise Refused("views are nested too deeply")
        self._inlined.append(relation.name)
        settings = replace(self._settings, database="")
        tokens, statements = understood(text, settings)
        if len(statements) != 1 or any(not s.name.schema for s in statements[0].sources):
            raise Refused(f"the definition of the view {relation.name} cannot be read")
        rules.check(statements[0], tokens, self._masks)
        self._need({s.name for s in statements[0].sources if s.name.schema not in system.SCHEMAS})
        edits = Edits(tokens, self._settings)
        self._substitute(statements[0], tokens, edits, top=False)
        self._inlined.pop()
        return edits.apply() if edits else None

    def _unqualify(self, found: Found, tokens: list[Token], replaced: list[Source], edits: Edits) -> None:
        """`schema.table.column` of a relation that is a sub-select now: it has no schema any more."""
        for reference in found.references:
            if len(reference.parts) == 3 and self._is_of(found, reference.parts, reference.block, replaced):
                edits.replace(reference.first, reference.first + 2, "")
        for number, block in enumerate(found.blocks):
            for item in block.items:
                if item.star and item.end - item.first == 5:
                    parts = tuple(t.value if t.text[0] in '`"' else t.text for t in tokens[item.first : item.end : 2])
                    if self._is_of(found, parts, number, replaced):
                        edits.replace(item.first, item.first + 2, "")

    def _is_of(self, found: Found, parts: tuple[str, ...], block: int, replaced: list[Source]) -> bool:
        schema, alias = parts[0], parts[1]
        if self._settings.lower_case_table_names:
            schema, alias = schema.lower(), alias.lower()
        while block >= 0:
            for source in found.blocks[block].sources:
                if source.alias == alias and source.name.schema == schema:
                    return any(source is one for one in replaced)
            block = found.blocks[block].parent
        return False

    def _verify(self, sent: str, before: list[Found]) -> None:
        """Raises Refused unless the text that is sent does what the client's did, and nothing else."""
        tokens, after = read(sent, self._settings)
        if len(after) != len(before) or any(
            a.kinds != b.kinds and a.kinds != b.kinds | {Kind.SELECT} for a, b in zip(after, before, strict=True)
        ):
            raise Refused("the masked statement would mean something else")
        for one, other in zip(after, before, strict=True):
            written = [sorted(s.name for s in f.sources if s.role is not Role.READ) for f in (one, other)]
            if written[0] != written[1] or one.settings != other.settings or one.assigned != other.assigned:
                raise Refused("the masked statement would mean something else")
            for source in one.sources:
                self._verify_source(one, source, tokens)

    def _verify_source(self, found: Found, source: Source, tokens: list[Token]) -> None:
        """A relation with masked columns stands nowhere but in the sub-select that masks it."""
        if source.role is not Role.READ or source.block < 0:
            return
        if not self._columns.masked(source.name):
            return
        relation = self._columns.relation(source.name)
        expected = "" if relation is None else self._columns.select(relation, self._columns.rows(relation))
        block = found.blocks[source.block]
        found_there = [t.text for t in tokens[block.first - 1 : block.end + 1]]
        if found_there != [t.text for t in lex(expected, reading(self._settings))[:-1]]:
            raise Refused("the masked statement would mean something else")


def _between(spans: list[tuple[int, int]], size: int) -> list[tuple[int, int]]:
    """What is left of that many characters without these places."""
    return list(zip([0, *(end for _, end in spans)], [*(start for start, _ in spans), size], strict=True))


def _sees_all(found: Found, relation: Relation) -> bool:
    """Whether every column that a view's definition names is one that this account sees of that relation."""
    seen = {c.name.lower() for c in relation.columns}
    aliases = {s.alias for s in found.sources if s.name == relation.name}
    return all(
        len(r.parts) > 1 and (r.parts[-2] not in aliases or r.parts[-1].lower() in seen) for r in found.references
    )
