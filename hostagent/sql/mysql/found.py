"""What one statement was found to do: sources, columns, functions, settings. Filled by the parser, read by all others.

A *source* is a place where a relation stands; a *block* is one SELECT (or the body of a writing statement) with
the sources of its FROM list. Places are indexes of tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from hostagent.sql.analysis import Column, Kind, Name, Statement


class Role(Enum):
    """What is done with a relation where it stands."""

    READ = 1
    WRITE = 2  # its rows are changed
    DEFINE = 3  # it is made, altered or dropped


@dataclass(slots=True)
class Source:
    """A relation where it stands: its name from token `first` to before `after`, with its alias to before `end`.

    `alias` is what columns are qualified with. `plain`: neither partitions, history nor hints stand there.
    `qualified`: the text gives the schema.
    """

    name: Name
    first: int
    after: int
    role: Role
    block: int
    alias: str = ""
    end: int = 0
    plain: bool = True
    qualified: bool = False


@dataclass(slots=True)
class Item:
    """One output column of a block: tokens `first` to before `end`; `alias` as the text gives it, or empty."""

    first: int
    end: int
    alias: str = ""
    star: str | None = None  # `*` is "", `t.*` is "t"


@dataclass(slots=True)
class Block:
    """One query block. `derived` are aliases of what is no relation; `clauses` are words of clauses that it has."""

    parent: int
    first: int = 0
    end: int = 0
    sources: list[Source] = field(default_factory=list)
    derived: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    clauses: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Reference:
    """A column as the text names it: one to three parts, at token `first`, in a block and one of its clauses."""

    parts: tuple[str, ...]
    first: int
    block: int
    clause: str


@dataclass(slots=True)
class Found:
    """Everything that was found in one statement."""

    kinds: set[Kind] = field(default_factory=set)
    sources: list[Source] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    references: list[Reference] = field(default_factory=list)
    functions: set[Name] = field(default_factory=set)
    settings: set[str] = field(default_factory=set)
    assigned: set[str] = field(default_factory=set)  # user variables
    notes: set[str] = field(default_factory=set)  # words for what masking has to know
    also_reads: set[Name] = field(default_factory=set)
    also_writes: set[Name] = field(default_factory=set)
    secret: set[int] = field(default_factory=set)  # tokens that hold passwords
    span: tuple[int, int] = (0, 0)  # of its tokens
    ctes_end: int = 0  # blocks of the common table expressions that it begins with
    rows: list[tuple[int, int]] = field(default_factory=list)  # spans of what both parsers must read alike
    common: set[int] = field(default_factory=set)  # names of common table expressions where they are read
    deleted: set[int] = field(default_factory=set)  # names of relations, or aliases, that rows are deleted from
    called: set[int] = field(default_factory=set)  # names of functions that the second parser need not know
    noise: set[int] = field(default_factory=set)  # tokens that the second parser need not see

    def statement(self) -> Statement:
        """As policy sees it."""
        reads = {s.name for s in self.sources if s.role is Role.READ} | self.also_reads
        return Statement(
            kinds=frozenset(self.kinds),
            reads=frozenset(reads),
            writes=frozenset(s.name for s in self.sources if s.role is not Role.READ) | self.also_writes,
            columns=frozenset(self._columns()),
            functions=frozenset(self.functions),
            settings=frozenset(self.settings),
        )

    def _columns(self) -> set[Column]:
        found = {Column(self._relation(r), r.parts[-1]) for r in self.references}
        for block in self.blocks:
            for item in block.items:
                if item.star is not None:
                    found.update(Column(str(s.name), "*") for s in block.sources if item.star in ("", s.alias))
        return found

    def _relation(self, reference: Reference) -> str:
        block = reference.block
        while block >= 0:
            sources = self.blocks[block].sources
            if len(reference.parts) == 1:
                return str(sources[0].name) if len(sources) == 1 and not self.blocks[block].derived else ""
            for source in sources:
                if source.alias == reference.parts[-2]:
                    return str(source.name)
            block = self.blocks[block].parent
        return ".".join(reference.parts[:-1])
