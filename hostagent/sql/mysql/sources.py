"""Sources: the FROM lists that SELECT, UPDATE and DELETE share, and which names in them are relations."""

from __future__ import annotations

from abc import abstractmethod

from hostagent.sql.analysis import Name
from hostagent.sql.mysql.expressions import Expressions
from hostagent.sql.mysql.found import Reference, Role, Source
from hostagent.sql.mysql.tokens import Type, Unread

_JOINS = ("inner", "cross", "left", "right", "natural", "join", "straight_join")


class Sources(Expressions):
    """The part of the parser that reads FROM lists."""

    ctes: tuple[str, ...] = ()  # common table expressions that are visible here
    unborn: frozenset[str] = frozenset()  # of a WITH RECURSIVE list, not read yet

    @abstractmethod
    def note(self, clause: str) -> None:
        """Notes that the block has a clause."""

    def references(self) -> None:
        """Takes the list of a FROM or of an UPDATE, joins and all."""
        self.deeper()
        self._factor()
        while True:
            if self.sign(","):
                self._factor()
            elif self.is_word("on") and not self.is_word("duplicate", ahead=1):
                self.at += 1
                outer, self.clause = self.clause, "on"
                self.expression()
                self.clause = outer
                self.note("on")
            elif self.word("using"):
                at = self.at + 1
                for name in self.names():
                    self.found.references.append(Reference((name,), at, self.block, "using"))
                self.note("on")
            elif self.is_word(*_JOINS):
                self._join()
                self._factor()
            else:
                break
        self.depth -= 1

    def _join(self) -> None:
        if self.word("straight_join"):
            return
        if self.word("natural"):
            self.note("natural")
        if self.one_of("left", "right"):
            self.word("outer")
        else:
            self.one_of("inner", "cross")
        self.need("join")

    def _factor(self) -> None:
        if self.word("lateral"):
            self.need_sign("(")
            self.query_in_parentheses()
            self._derived()
        elif self.is_sign("("):
            self._in_parentheses()
        elif self.sign("{"):
            self.need("oj")
            self.references()
            self.need_sign("}")
        elif self.is_word("json_table") and self.is_sign("(", ahead=1):
            self._json_table()
        elif self.word("dual"):
            pass
        else:
            self.relation_in_from()

    def _in_parentheses(self) -> None:
        self.need_sign("(")
        if self.starts_query():
            self.query()
        else:
            self.references()
            self.query_tail()
        self.need_sign(")")
        self._derived()

    def _derived(self) -> None:
        alias = self._table_alias()
        if alias:
            if self.is_sign("("):
                self.names()
            self._add_derived(alias)

    def _add_derived(self, alias: str) -> None:
        if self.block >= 0:
            self.found.blocks[self.block].derived.append(alias)

    def _table_alias(self) -> str:
        if self.word("as"):
            return self.name()
        return self.name() if self.is_name() else ""

    def relation_in_from(self) -> None:
        if self.is_name() and not self.is_sign(".", ahead=1) and self._is_cte():
            return
        source = self.relation(Role.READ, self.block)
        if self.is_sign("("):
            raise Unread("functions that give tables are refused")
        self.decorations(source)
        if self.block >= 0:
            self.found.blocks[self.block].sources.append(source)

    def _is_cte(self) -> bool:
        """Takes the name of a common table expression with its alias. One that is only nearly such a name is refused:
        servers differ in whether its case counts."""
        token = self.peek()
        name = token.value if token.type is Type.QUOTED else token.text
        if name in self.ctes and name not in self.unborn:
            self.found.common.add(self.at)
            self.at += 1
            self._add_derived(self._table_alias() or name)
            return True
        if name.lower() in {cte.lower() for cte in (*self.ctes, *self.unborn)}:
            raise Unread("a name that is nearly that of a common table expression is refused")
        return False

    def decorations(self, source: Source) -> None:
        """Takes partitions, history, alias and hints of a relation."""
        if self.word("partition"):
            self.names()
            source.plain = False
        if self.is_word("for") and self.is_word("system_time", ahead=1):
            first = self.at
            self.at += 2
            source.plain = False
            self._history()
            self.found.noise.update(range(first, self.at))
        alias = self._table_alias()
        if alias:
            source.alias = alias.lower() if self.settings.lower_case_table_names else alias
        source.end = self.at
        while self.is_word("use", "force", "ignore") and self.is_word("index", "key", ahead=1):
            self.at += 2
            source.plain = False
            purpose = self.word("for")
            if purpose and not (self.word("join") or self.word("order", "by") or self.word("group", "by")):
                raise self.fail()
            self.names()

    def _history(self) -> None:
        if self.word("all"):
            return
        if self.word("as", "of"):
            self.one_of("transaction")
            self.expression()
        elif self.word("between"):
            self.expression()
        else:
            self.need("from")
            self.expression()
            self.need("to")
            self.expression()

    def _json_table(self) -> None:
        self.at += 1
        self.need_sign("(")
        self.expression()
        self.need_sign(",")
        self.take(Type.STRING)
        self._json_columns()
        self.need_sign(")")
        self._derived()
        self.found.functions.add(Name("", "json_table"))

    def _json_columns(self) -> None:
        self.need("columns")
        self.need_sign("(")
        while True:
            if self.word("nested"):
                self.word("path")
                self.take(Type.STRING)
                self._json_columns()
            else:
                self._json_column()
            if not self.sign(","):
                break
        self.need_sign(")")

    def _json_column(self) -> None:
        self.name()
        if self.word("for", "ordinality"):
            return
        self.type()
        self.word("exists")
        self.need("path")
        self.take(Type.STRING)
        while True:
            if self.word("default"):
                self.take(Type.STRING, Type.NUMBER)
            elif not self.one_of("null", "error"):
                return
            self.need("on")
            if not self.one_of("empty", "error"):
                raise self.fail()
