"""Queries: SELECT, VALUES, TABLE, WITH, and what follows them."""

from __future__ import annotations

from hostagent.sql.analysis import Kind
from hostagent.sql.mysql.found import Block, Item
from hostagent.sql.mysql.sources import Sources
from hostagent.sql.mysql.tokens import Type, Unread

_OPTIONS = (
    "all", "distinct", "distinctrow", "high_priority", "straight_join", "sql_small_result", "sql_big_result",
    "sql_buffer_result", "sql_cache", "sql_no_cache", "sql_calc_found_rows",
)  # fmt: skip
_SET_OPERATORS = ("union", "except", "intersect", "minus")


class Queries(Sources):
    """The part of the parser that reads queries."""

    _outer: tuple[tuple[int, str], ...] = ()

    def query(self) -> None:
        """Takes a query expression, WITH and all."""
        self.deeper()
        first = self.at
        ctes, unborn = self.ctes, self.unborn
        foremost = not self.found.blocks
        if self.word("with"):
            self._with()
            self.found.ctes_end = len(self.found.blocks) if foremost else self.found.ctes_end
        self._primary()
        self.query_tail()
        self.ctes, self.unborn = ctes, unborn
        self.depth -= 1
        if self.block < 0 and not self._outer:
            self.found.rows.append((first, self.at))

    def query_tail(self) -> None:
        """Takes UNION and the like with their queries, ORDER BY, LIMIT, INTO, locks."""
        while self.one_of(*_SET_OPERATORS):
            self.one_of("all", "distinct")
            self._primary()
            self.note("set")
        self._trailing()

    def note(self, clause: str) -> None:
        """Notes that the block has a clause."""
        if self.found.blocks and self.block >= 0:
            self.found.blocks[self.block].clauses.add(clause)
        self.found.notes.add(clause)

    def _with(self) -> None:
        recursive = self.word("recursive")
        names = self._cte_names() if recursive else []
        outer = self.unborn
        while True:
            name = self.name()
            if self.is_sign("("):
                self.names()
            self.need("as")
            self.need_sign("(")
            if recursive:
                self.ctes = (*self.ctes, name)
                self.unborn = outer | frozenset(names[names.index(name) + 1 :])
            self.query_in_parentheses()
            self.unborn = outer
            if not recursive:
                self.ctes = (*self.ctes, name)
            if self.word("cycle"):
                self.name()
                while self.sign(","):
                    self.name()
                self.need("restrict")
            if not self.sign(","):
                return

    def _cte_names(self) -> list[str]:
        """The names of a WITH RECURSIVE list, which may speak of one another."""
        at, found = self.at, []
        while True:
            found.append(self.name())
            if self.is_sign("("):
                self.skip_parentheses()
            self.need("as")
            self.skip_parentheses()
            if self.is_word("cycle"):
                break
            if not self.sign(","):
                break
        self.at = at
        if len(set(found)) != len(found):
            raise self.fail()
        return found

    def _primary(self) -> None:
        if self.sign("("):
            self.query()
            self.need_sign(")")
        elif self.is_word("select"):
            self._select()
        elif self.word("values"):
            self._open()
            self.found.kinds.add(Kind.SELECT)
            self._rows()
            self._close()
        elif self.word("table"):
            self._open()
            self.found.kinds.add(Kind.SELECT)
            self.relation_in_from()
            self.found.blocks[self.block].clauses.add("table")
            self.found.notes.add("table")
            self._close()
        else:
            raise self.fail()

    def _rows(self) -> None:
        while True:
            self.word("row")
            self.need_sign("(")
            if not self.is_sign(")"):
                self.expressions()
            self.need_sign(")")
            if not self.sign(","):
                return

    def _open(self) -> Block:
        block = Block(self.block, self.at)
        self.found.blocks.append(block)
        self._outer = (*self._outer, (self.block, self.clause))
        self.block = len(self.found.blocks) - 1
        return block

    def _close(self) -> None:
        self.found.blocks[self.block].end = self.at
        *outer, (self.block, self.clause) = self._outer
        self._outer = tuple(outer)

    def _select(self) -> None:
        self.found.kinds.add(Kind.SELECT)
        block = self._open()
        self.at += 1
        while option := self.one_of(*_OPTIONS):
            block.clauses.add("distinct" if option == "distinctrow" else option)
            if option not in ("all", "distinct"):
                self.found.noise.add(self.at - 1)
        self.clause = "select"
        self.items()
        self._into()
        if self.word("from"):
            self.clause = "from"
            self.references()
        if self.word("where"):
            self.clause = "where"
            self.expression()
            self.note("where")
        self._grouping()
        self._trailing()
        self._close()

    def _grouping(self) -> None:
        if self.word("group", "by"):
            self.clause = "group"
            self.order_list()
            self.word("with", "rollup")
            self.note("group")
        if self.word("having"):
            self.clause = "having"
            self.expression()
            self.note("having")
        if self.word("window"):
            self.clause = "window"
            while True:
                self.name()
                self.need("as")
                self.window_definition()
                if not self.sign(","):
                    break

    def items(self) -> None:
        """Takes the output columns of SELECT or RETURNING."""
        while True:
            item = Item(self.at, self.at)
            if self.sign("*"):
                item.star = ""
            elif (stars := self._qualified_star()) is not None:
                item.star = stars
            else:
                self.expression()
                item.end = self.at
                item.alias = self._alias()
            item.end = max(item.end, self.at) if item.star is not None else item.end
            if self.block >= 0:
                self.found.blocks[self.block].items.append(item)
            if not self.sign(","):
                return

    def _qualified_star(self) -> str | None:
        """Takes `t.*` or `db.t.*` and says which; None where something else comes."""
        ahead = 1
        while self.is_sign(".", ahead=ahead) and ahead < 5:
            if self.is_sign("*", ahead=ahead + 1):
                parts = [self.name()]
                while not self.sign("*"):
                    self.need_sign(".")
                    if not self.is_sign("*"):
                        parts.append(self.label())
                return parts[-1]
            ahead += 2
        return None

    def _alias(self) -> str:
        if self.word("as"):
            return self.take(Type.STRING).value if self.peek().type is Type.STRING else self.name()
        if self.peek().type is Type.STRING:
            return self.take(Type.STRING).value
        return self.name() if self.is_name() else ""

    def _trailing(self) -> None:
        """Takes what may stand behind a query, in any order that a server has."""
        while True:
            if self.word("order", "by"):
                outer, self.clause = self.clause, "order"
                self.order_list()
                self.clause = outer
                self.note("order")
            elif self.word("limit"):
                self.limit()
                self.note("limit")
            elif self.word("offset"):
                self.count()
                self.one_of("row", "rows")
            elif self.word("fetch"):
                self._fetch()
            elif self.is_word("for", "lock"):
                if not self._lock():
                    return
            elif not self._into():
                if self.is_word("procedure"):
                    raise Unread("PROCEDURE in a query is refused")
                return

    def _fetch(self) -> None:
        if not self.one_of("first", "next"):
            raise self.fail()
        if not self.is_word("row", "rows"):
            self.count()
        self.one_of("row", "rows")
        if not self.word("only"):
            self.need("with", "ties")
        self.note("limit")

    def _lock(self) -> bool:
        if self.word("lock", "in", "share", "mode"):
            pass
        elif self.word("for", "update") or self.word("for", "share"):
            if self.word("of"):
                self.name()
                while self.sign(","):
                    self.name()
        else:
            return False
        if self.word("wait"):
            self.count()
        elif not self.word("skip", "locked"):
            self.word("nowait")
        self.found.kinds.add(Kind.LOCK)
        return True

    def _into(self) -> bool:
        if not self.word("into"):
            return False
        first = self.at - 1
        self._into_what()
        self.found.noise.update(range(first, self.at))
        return True

    def _into_what(self) -> None:
        if self.one_of("outfile", "dumpfile"):
            self.found.kinds.add(Kind.SERVER_FILE)
            self.take(Type.STRING)
            self.file_format()
            return
        while True:
            self.found.assigned.add(self.take(Type.VARIABLE).value)
            self.found.notes.add("into")
            if not self.sign(","):
                return

    def file_format(self) -> None:
        """Takes CHARACTER SET, FIELDS and LINES of a file."""
        if self.word("character", "set") or self.word("charset"):
            self.label()
        if self.one_of("fields", "columns"):
            while self.one_of("terminated", "optionally", "enclosed", "escaped"):
                self.one_of("enclosed")
                self.need("by")
                self._literal()
        if self.word("lines"):
            while self.one_of("terminated", "starting"):
                self.need("by")
                self._literal()

    def _literal(self) -> None:
        self.one_of("x", "b")
        self.take(Type.STRING, Type.NUMBER)
