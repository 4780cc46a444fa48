-- The index of the journals. Made from them alone: it can be deleted at any time and is built again.
CREATE TABLE source (
    file   TEXT PRIMARY KEY,      -- name of a journal file
    offset INTEGER NOT NULL       -- bytes of it that are indexed
) STRICT;

CREATE TABLE event (
    id          INTEGER PRIMARY KEY,
    file        TEXT NOT NULL,    -- where the line stands
    offset      INTEGER NOT NULL,
    length      INTEGER NOT NULL,
    time        INTEGER NOT NULL, -- milliseconds since the epoch
    kind        TEXT NOT NULL,    -- metadata.event_code
    flow        TEXT NOT NULL DEFAULT '',
    decision    TEXT NOT NULL DEFAULT '',
    verdict     TEXT NOT NULL DEFAULT '',
    pid         INTEGER,
    executable  TEXT NOT NULL DEFAULT '',
    unit        TEXT NOT NULL DEFAULT '',
    cgroup      TEXT NOT NULL DEFAULT '',
    actor       TEXT NOT NULL DEFAULT '', -- user, executable, command line, cgroup, attributes: what --actor looks at
    target      TEXT NOT NULL DEFAULT '',
    destination TEXT NOT NULL DEFAULT '',
    user        TEXT NOT NULL DEFAULT '', -- of the database session
    database    TEXT NOT NULL DEFAULT '',
    text        TEXT NOT NULL DEFAULT '', -- statement, or the message of a host event
    rule        TEXT NOT NULL DEFAULT '',
    reason      TEXT NOT NULL DEFAULT '',
    rows        INTEGER,
    bytes       INTEGER,
    duration_us INTEGER,
    error       TEXT NOT NULL DEFAULT '',
    bytes_client   INTEGER,
    bytes_upstream INTEGER,
    recording      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX event_time ON event (time);
CREATE INDEX event_decision ON event (decision);
CREATE INDEX event_flow ON event (flow, kind);
CREATE INDEX event_verdict ON event (verdict, time);
