"""Calls of functions, with all the keywords that the server's own functions have in their parentheses; windows."""

from __future__ import annotations

from abc import abstractmethod

from hostagent.sql.analysis import Name
from hostagent.sql.mysql.cursor import Cursor
from hostagent.sql.mysql.found import Role
from hostagent.sql.mysql.functions import GLUED, is_native
from hostagent.sql.mysql.tokens import Type, Unread
from hostagent.sql.mysql.words import UNITS

MAX_DEPTH = 150  # expressions and queries within one another


class Calls(Cursor):
    """The part of the parser that reads calls."""

    block = -1
    clause = ""
    depth = 0
    updating = False  # in ON DUPLICATE KEY UPDATE

    @abstractmethod
    def query(self) -> None:
        """Takes a query expression."""

    @abstractmethod
    def query_tail(self) -> None:
        """Takes what may follow a query in parentheses: UNION and the like, ORDER BY, LIMIT."""

    def starts_query(self, ahead: int = 0) -> bool:
        """Whether a query comes, without parentheses around it."""
        if self.is_word("values", ahead=ahead):
            return not self.updating  # else it is a function: what would have been inserted
        return self.is_word("select", "with", "table", ahead=ahead)

    def deeper(self) -> None:
        """One level more. Raises Unread beyond MAX_DEPTH."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Unread("the statement is nested too deeply")

    @abstractmethod
    def expression(self) -> None:
        """Takes an expression."""

    @abstractmethod
    def expressions(self) -> None:
        """Takes `expression, expression …`."""

    def call_named(self, word: str) -> None:
        """Takes a call of an unquoted name, in lower case, with its arguments and window."""
        self.at += 1
        if word in GLUED and not self.peek().glued and "IGNORE_SPACE" not in self.settings.sql_mode:
            raise Unread(f"with a space before its parenthesis, {word} is not the function that it seems")
        if word in ("nextval", "lastval", "setval") and self.mariadb:
            self._sequence_call(word)
            return
        if word == "default":
            self.found.called.add(self.at - 1)
        if is_native(word, self.settings):
            self.found.functions.add(Name("", word))
        else:
            self.stored(word)
        if word == "convert":
            self._convert()
        else:
            self.arguments(unit=word in ("extract", "timestampadd", "timestampdiff"))
        self._window()

    def stored(self, name: str, schema: str = "") -> None:
        """A stored function; without a schema it may be a loadable one, which are listed in `mysql`."""
        self.found.functions.add(Name(schema or self.settings.database, name.lower()))
        if not schema:
            self.found.functions.add(Name("mysql", name.lower()))

    def _sequence_call(self, word: str) -> None:
        self.need_sign("(")
        self.relation(Role.READ if word == "lastval" else Role.WRITE)
        while self.sign(","):
            self.expression()
        self.need_sign(")")

    def _convert(self) -> None:
        self.deeper()
        self.need_sign("(")
        self.expression()
        if self.sign(","):
            self.type()
        else:
            self.need("using")
            self.label()
        self.need_sign(")")
        self.depth -= 1

    def arguments(self, *, unit: bool = False) -> None:
        """Takes the parentheses of a call with whatever keywords the functions of the server have in them."""
        self.deeper()
        outer, self.clause = self.clause, "call"
        self.need_sign("(")
        if self.is_word("select", "with"):
            self.query()
        if unit and self.one_of(*UNITS):
            self.sign(",")
        while not self.is_sign(")"):
            self._argument()
            if not self.sign(","):
                break
        self.need_sign(")")
        self.clause = outer
        self.depth -= 1

    def _argument(self) -> None:
        while self.one_of("distinct", "all", "leading", "trailing", "both"):
            pass
        if not self.sign("*") and not self.is_word("from"):
            self.expression()
        while not self.is_sign(",") and not self.is_sign(")"):
            if self.word("as"):
                self.type()
            elif self.one_of("using"):
                self.label()
            elif self.one_of("from", "for", "in"):
                self.expression()
            elif self.one_of("separator"):
                self.take(Type.STRING)
            elif self.word("order", "by"):
                self.order_list()
            elif self.word("limit"):
                self.limit()
            elif not self.word("null", "on", "null") and not self.word("absent", "on", "null"):
                raise self.fail()

    def type(self) -> None:
        """Takes the name of a type with what belongs to it."""
        if self.peek().type is not Type.WORD:
            raise self.fail()
        while self.peek().type is Type.WORD and not self.is_word("order", "limit", "separator", "path", "default"):
            self.at += 1
            if self.is_sign("("):
                self.need_sign("(")
                while not self.sign(")"):
                    self.take(Type.NUMBER, Type.STRING)
                    self.sign(",")

    def order_list(self) -> None:
        """Takes `expression [ASC|DESC], …`."""
        while True:
            self.expression()
            self.one_of("asc", "desc")
            if not self.sign(","):
                return

    def limit(self) -> None:
        """Takes what follows LIMIT."""
        self.count()
        if self.sign(",") or self.word("offset"):
            self.count()
        if self.word("rows", "examined"):
            self.count()

    def count(self) -> None:
        """Takes a number of rows."""
        self.take(Type.NUMBER, Type.HOLE)

    def _window(self) -> None:
        if self.word("within", "group"):
            self.window_definition()
        if self.word("from") and not self.one_of("first", "last"):
            self.at -= 1
            return
        if self.one_of("respect", "ignore"):
            self.need("nulls")
        if not self.word("over"):
            return
        if self.is_sign("("):
            self.window_definition()
        else:
            self.name()

    def window_definition(self) -> None:
        """Takes `( [name] [PARTITION BY …] [ORDER BY …] [frame] )`."""
        self.need_sign("(")
        if self.is_name() and not self.is_word("partition", "order", "rows", "range", "groups"):
            self.name()
        if self.word("partition", "by"):
            self.expressions()
        if self.word("order", "by"):
            self.order_list()
        if self.one_of("rows", "range", "groups"):
            self._frame()
        self.need_sign(")")

    def _frame(self) -> None:
        between = self.word("between")
        for bound in range(2 if between else 1):
            if bound:
                self.need("and")
            if not self.word("current", "row") and not self.one_of("unbounded"):
                self._bound()
            self.one_of("preceding", "following")
        excluded = self.word("exclude")
        if excluded and not (self.word("current", "row") or self.word("no", "others") or self.one_of("group", "ties")):
            raise self.fail()

    def _bound(self) -> None:
        if self.word("interval"):
            self.take(Type.NUMBER, Type.STRING, Type.HOLE)
            self.one_of(*UNITS)
        else:
            self.take(Type.NUMBER, Type.HOLE)
