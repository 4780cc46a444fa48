"""The cursor: where the parser stands in the tokens, and what it needs to step on. It knows no statement."""

from __future__ import annotations

from hostagent.sql.analysis import Name
from hostagent.sql.mysql.found import Found, Role, Source
from hostagent.sql.mysql.tokens import Token, Type, Unread
from hostagent.sql.mysql.words import RESERVED_MARIADB, RESERVED_MYSQL
from hostagent.values.mysql import Flavor, MysqlSettings

SYSTEM_SCHEMAS = frozenset({"information_schema", "performance_schema"})


class Cursor:
    """Steps over the tokens of one text. Every method that finds something else than it expects raises Unread."""

    def __init__(self, tokens: list[Token], settings: MysqlSettings) -> None:
        self.tokens = tokens
        self.at = 0
        self.settings = settings
        self.found = Found()
        self.mariadb = settings.flavor is Flavor.MARIADB
        self._reserved = RESERVED_MARIADB if self.mariadb else RESERVED_MYSQL
        self._fold = settings.lower_case_table_names != 0

    def peek(self, ahead: int = 0) -> Token:
        """The token that many steps on; the end where there is none."""
        return self.tokens[min(self.at + ahead, len(self.tokens) - 1)]

    def fail(self) -> Unread:
        """What to raise where the text is not what was expected."""
        token = self.peek()
        return Unread(
            "the statement ends early" if token.type is Type.END else f"not known at character {token.start + 1}"
        )

    def is_word(self, *words: str, ahead: int = 0) -> bool:
        """Whether one of these unquoted words comes."""
        token = self.peek(ahead)
        return token.type is Type.WORD and token.value in words

    def word(self, *words: str) -> bool:
        """Takes these words, one after the other, when all of them come."""
        for ahead, word in enumerate(words):
            if not self.is_word(word, ahead=ahead):
                return False
        self.at += len(words)
        return True

    def one_of(self, *words: str) -> str:
        """Takes one of these words and says which; empty when none comes."""
        token = self.peek()
        if token.type is Type.WORD and token.value in words:
            self.at += 1
            return token.value
        return ""

    def need(self, *words: str) -> None:
        """Takes these words."""
        if not self.word(*words):
            raise self.fail()

    def is_sign(self, sign: str, ahead: int = 0) -> bool:
        """Whether this sign comes."""
        token = self.peek(ahead)
        return token.type is Type.SIGN and token.value == sign

    def sign(self, sign: str) -> bool:
        """Takes this sign when it comes."""
        if self.is_sign(sign):
            self.at += 1
            return True
        return False

    def need_sign(self, sign: str) -> None:
        """Takes this sign."""
        if not self.sign(sign):
            raise self.fail()

    def take(self, *types: Type) -> Token:
        """Takes a token of one of these types."""
        token = self.peek()
        if token.type not in types:
            raise self.fail()
        self.at += 1
        return token

    def ends(self) -> bool:
        """Whether the statement ends here."""
        return self.peek().type is Type.END or self.is_sign(";")

    def is_name(self, ahead: int = 0) -> bool:
        """Whether a name comes that needs no context to be one."""
        token = self.peek(ahead)
        return token.type is Type.QUOTED or (token.type is Type.WORD and token.value not in self._reserved)

    def name(self) -> str:
        """Takes a name, as it is written."""
        if not self.is_name():
            raise self.fail()
        return self._written()

    def label(self) -> str:
        """Takes what may be any word, as after a dot."""
        if self.peek().type not in (Type.WORD, Type.QUOTED):
            raise self.fail()
        return self._written()

    def _written(self) -> str:
        token = self.peek()
        self.at += 1
        return token.value if token.type is Type.QUOTED else token.text

    def names(self) -> list[str]:
        """Takes `(name, name …)`; empty parentheses too."""
        self.need_sign("(")
        found: list[str] = []
        while not self.sign(")"):
            found.append(self.label())
            if not self.is_sign(")"):
                self.need_sign(",")
        return found

    def qualified(self) -> tuple[str, str]:
        """Takes `[schema.]name` of an object: (schema or empty, name)."""
        first = self.name()
        if not self.is_sign("."):
            return "", first
        self.at += 1
        return first, self.label()

    def relation_name(self, schema: str, name: str) -> Name:
        """The relation that is meant, in the default database where the text gives none."""
        schema = schema or self.settings.database
        if schema.lower() in SYSTEM_SCHEMAS:
            return Name(schema.lower(), name.lower())
        if self._fold:
            if not (schema + name).isascii():
                raise Unread("the server folds the case of names: only ASCII names are read")
            return Name(schema.lower(), name.lower())
        return Name(schema, name)

    def relation(self, role: Role, block: int = -1) -> Source:
        """Takes a relation's name and notes it."""
        first = self.at
        schema, name = self.qualified()
        source = Source(self.relation_name(schema, name), first, self.at, role, block, name, self.at)
        source.qualified = bool(schema)
        if self._fold:
            source.alias = name.lower()
        self.found.sources.append(source)
        return source

    def skip_parentheses(self) -> None:
        """Takes `( … )` whatever is in it, with equal numbers of both."""
        self.need_sign("(")
        depth = 1
        while depth:
            if self.peek().type is Type.END:
                raise self.fail()
            depth += self.is_sign("(") - self.is_sign(")")
            self.at += 1
