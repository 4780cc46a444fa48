"""Expressions: every name in them is told apart as column, function or keyword. No precedence: nobody asks for it.

The grammar is wider than the server's: what both accept has the same columns, functions and sub-queries in both.
"""

from __future__ import annotations

from hostagent.sql.analysis import Name
from hostagent.sql.mysql.calls import Calls
from hostagent.sql.mysql.found import Reference, Role
from hostagent.sql.mysql.tokens import Type
from hostagent.sql.mysql.words import UNITS

_SIGNS = "+ - * / % = <=> < > <= >= <> != << >> || && & | ^ := -> ->>"
_OPERATORS = frozenset(_SIGNS.split())
_WORDS = frozenset({"and", "or", "xor", "div", "mod", "rlike", "regexp", "like", "in", "between", "escape"})
_NEGATED = frozenset({"in", "like", "between", "rlike", "regexp"})
_CONSTANTS = frozenset({"null", "true", "false", "unknown", "maxvalue"})
# words that are a value of their own, with or without parentheses
_VALUES = frozenset(
    {
        "current_date", "current_role", "current_time", "current_timestamp", "current_user", "localtime",
        "localtimestamp", "utc_date", "utc_time", "utc_timestamp",
    }
)  # fmt: skip
# reserved words that are functions where a parenthesis follows
_RESERVED_FUNCTIONS = frozenset(
    {
        "char", "convert", "cume_dist", "current_date", "current_role", "current_time", "current_timestamp",
        "current_user", "database", "default", "dense_rank", "first_value", "grouping", "if", "insert", "interval",
        "lag", "last_value", "lead", "left", "localtime", "localtimestamp", "mod", "nth_value", "ntile", "offset",
        "percent_rank", "rank", "repeat", "replace", "right", "row", "row_number", "schema", "schemas", "utc_date",
        "utc_time", "utc_timestamp", "values", "value",
    }
)  # fmt: skip
_SET_OPERATORS = ("union", "except", "intersect", "minus")


class Expressions(Calls):
    """The part of the parser that reads expressions."""

    def expression(self) -> None:
        """Takes an expression."""
        self.deeper()
        self._operand()
        while self._operator():
            self._operand()
        self.depth -= 1

    def expressions(self) -> None:
        """Takes `expression, expression …`."""
        self.expression()
        while self.sign(","):
            self.expression()

    def _operator(self) -> bool:
        """Takes an operator and says whether an operand follows."""
        while True:
            token = self.peek()
            if token.type is Type.SIGN:
                if token.value not in _OPERATORS:
                    return False
                self.at += 1
                self._all_or_any()
                return True
            if token.type is not Type.WORD:
                return False
            if token.value in _WORDS:
                if token.value == "in" and not self.is_sign("(", ahead=1) and self.clause != "call":
                    return False
                self.at += 1
                return True
            if token.value == "not" and self.is_word(*_NEGATED, ahead=1):
                self.at += 2
                return True
            if self.word("sounds", "like") or self.word("member", "of"):
                return True
            if self.word("collate"):
                self.label() if self.peek().type is not Type.STRING else self.take(Type.STRING)
            elif self.word("is"):
                self.word("not")
                if not self.one_of("null", "true", "false", "unknown"):
                    raise self.fail()
            else:
                return False

    def _all_or_any(self) -> None:
        if self.is_word("all", "any", "some") and self.is_sign("(", ahead=1):
            self.at += 1

    def _operand(self) -> None:
        while True:
            if self.peek().type is Type.SIGN and self.peek().value in ("-", "+", "!", "~"):
                self.at += 1
            elif not self.one_of("not", "binary"):
                break
        token = self.peek()
        if token.type is Type.STRING:
            while self.peek().type is Type.STRING:
                self.at += 1
        elif token.type in (Type.NUMBER, Type.HOLE):
            self.at += 1
        elif token.type is Type.VARIABLE:
            self.at += 1
            if self.is_sign(":="):
                self.found.assigned.add(token.value)
            self.found.notes.add("variable")
        elif token.type is Type.SYSTEM:
            self._system_variable()
        elif token.type is Type.SIGN:
            self._in_signs()
        elif token.type is Type.QUOTED:
            self._named()
        elif token.type is Type.WORD:
            self._word(token.value)
        else:
            raise self.fail()

    def _system_variable(self) -> None:
        name = self.take(Type.SYSTEM).value
        if self.is_sign("."):
            raise self.fail()
        self.found.notes.add(
            f"@@{name.split('.', 1)[1] if name.startswith(('global.', 'session.', 'local.')) else name}"
        )

    def _in_signs(self) -> None:
        if self.sign("{"):  # ODBC: {d '2024-01-01'}
            self.label()
            self.expression()
            self.need_sign("}")
            return
        self.need_sign("(")
        nested = self.is_sign("(")
        if self.starts_query():
            self.query()
        else:
            self.expression()
            while self.sign(","):
                self._listed()
            if nested:
                self.query_tail()
        self.need_sign(")")
        if self.is_word(*_SET_OPERATORS) and self._ended_query():
            self.query_tail()

    def _listed(self) -> None:
        """An item of a list, behind its comma. Of literals there can be thousands, and nothing to be read otherwise."""
        first = self.at
        self.expression()
        if self.at == first + 1 and self.tokens[first].type in (Type.STRING, Type.NUMBER):
            self.found.noise.update((first - 1, first))

    def _ended_query(self) -> bool:
        return self.is_word("select", "values", "table", ahead=1) or self.is_word("all", "distinct", ahead=1) or (
            self.is_sign("(", ahead=1)
        )  # fmt: skip

    def _word(self, word: str) -> None:
        if self._is_prefixed_literal(word):
            self.at += 1
            self._literal_after_prefix(word)
        elif word in _CONSTANTS and not self.is_sign("(", ahead=1) and not self.is_sign(".", ahead=1):
            self.at += 1
        elif word in ("date", "time", "timestamp") and self.peek(1).type is Type.STRING:
            self.at += 2
        elif word == "case":
            self._case()
        elif word == "exists":
            self.at += 1
            self.need_sign("(")
            self.query_in_parentheses()
        elif word == "interval" and not self._is_interval_function():
            self.at += 1
            self.expression()
            self.one_of(*UNITS)
        elif word == "match":
            self._match()
        elif word in ("next", "previous") and self.is_word("value", ahead=1) and self.is_word("for", ahead=2):
            self.found.noise.update(range(self.at, self.at + 3))
            self.at += 3
            self._sequence(word)
        elif word == "default" and not self.is_sign("(", ahead=1):
            self.at += 1
        elif word in _VALUES and not self.is_sign("(", ahead=1):
            self.at += 1
            self.found.functions.add(Name("", word))
        elif word in _RESERVED_FUNCTIONS and self.is_sign("(", ahead=1):
            self.call_named(word)
        else:
            self._named()

    def query_in_parentheses(self) -> None:
        """Takes a query and the closing parenthesis; further parentheses may be around it."""
        if self.sign("("):
            self.query_in_parentheses()
            self.query_tail()
        else:
            self.query()
        self.need_sign(")")

    def _is_prefixed_literal(self, word: str) -> bool:
        after = self.peek(1)
        if word in ("x", "b", "n"):
            return after.type is Type.STRING and after.glued and (word == "n" or after.text[0] == "'")
        if word[0] != "_" or len(word) < 4:
            return False
        if after.type is Type.STRING:
            return True
        return (after.type is Type.NUMBER and after.text[:2] in ("0x", "0b")) or (
            self.is_word("x", "b", ahead=1) and self.peek(2).type is Type.STRING and self.peek(2).glued
        )

    def _literal_after_prefix(self, word: str) -> None:
        self.found.noise.add(self.at - 1)
        if word[0] == "_" and self.one_of("x", "b"):
            self.found.noise.add(self.at - 1)
        self.at += 1
        while self.peek().type is Type.STRING:
            self.at += 1

    def _is_interval_function(self) -> bool:
        """INTERVAL(a, b): a comma stands in its parentheses, and no unit behind them."""
        if not self.is_sign("(", ahead=1):
            return False
        depth, ahead, comma = 1, 2, False
        while depth:
            token = self.peek(ahead)
            if token.type is Type.END:
                raise self.fail()
            if token.type is Type.SIGN:
                depth += (token.value == "(") - (token.value == ")")
                comma = comma or (token.value == "," and depth == 1)
            ahead += 1
        return comma

    def _case(self) -> None:
        self.at += 1
        if not self.is_word("when"):
            self.expression()
        while self.word("when"):
            self.expression()
            self.need("then")
            self.expression()
        if self.word("else"):
            self.expression()
        self.need("end")

    def _match(self) -> None:
        self.at += 1
        if self.sign("("):
            self.expressions()
            self.need_sign(")")
        else:
            self.expressions()
        self.need("against")
        self.need_sign("(")
        self.expression()
        while self.one_of("in", "boolean", "mode", "natural", "language", "with", "query", "expansion"):
            pass
        self.need_sign(")")

    def _sequence(self, word: str) -> None:
        self.relation(Role.WRITE if word == "next" else Role.READ)

    def _named(self) -> None:
        """A column, or a call of a function that is not a reserved word."""
        first = self.at
        quoted = self.peek().type is Type.QUOTED
        parts = [self.name()]
        if not quoted and self.is_sign("("):
            self.at = first
            self.call_named(parts[0].lower())
            return
        while self.is_sign(".") and len(parts) < 3:
            self.at += 1
            parts.append(self.label())
        if self.is_sign("(") and len(parts) < 3:
            self.found.called.add(self.at - 1)
            self.found.noise.update(range(first, self.at - 1))
            self.stored(parts[-1], parts[0] if len(parts) == 2 else "")
            self.arguments()
            return
        self.found.references.append(Reference(tuple(parts), first, self.block, self.clause))
