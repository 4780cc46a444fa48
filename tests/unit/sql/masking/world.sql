CREATE SCHEMA app;
CREATE SCHEMA other;
CREATE EXTENSION citext;
CREATE TYPE app.mood AS ENUM ('sad', 'ok', 'happy');
CREATE DOMAIN app.email AS text CHECK (VALUE LIKE '%@%');
CREATE TABLE app.users (
  id int PRIMARY KEY,
  name text NOT NULL,
  ssn varchar(11) UNIQUE CHECK (length(ssn) = 11),
  card text,
  mail app.email,
  born date,
  salary numeric(10, 2),
  mood app.mood,
  tags text[],
  profile jsonb,
  photo bytea,
  active bool NOT NULL DEFAULT true,
  ssn_end text GENERATED ALWAYS AS (right(ssn, 4)) STORED
);
CREATE TABLE app.orders (
  id serial PRIMARY KEY,
  user_id int REFERENCES app.users,
  amount numeric(10, 2) NOT NULL,
  note text,
  made timestamptz NOT NULL DEFAULT '2026-01-01 00:00:00+00'
);
CREATE TABLE app.ssn_notes (ssn varchar(11) REFERENCES app.users (ssn) ON UPDATE CASCADE, note text);
CREATE TABLE app.payments (id int, iban text, day date NOT NULL) PARTITION BY RANGE (day);
CREATE TABLE app.payments_2025 PARTITION OF app.payments FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE app.payments_2026 PARTITION OF app.payments FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE app.people (id int, phone text);
CREATE TABLE app.staff (room text) INHERITS (app.people);
CREATE TABLE other.users (id int PRIMARY KEY, ssn text);
CREATE TABLE app."Odd ""Name" ("The Secret" text, id int);
CREATE TABLE app.plain (id int PRIMARY KEY, a text, b int, made date, js jsonb, arr int[]);
CREATE TABLE app.guarded (id int, owner text);
ALTER TABLE app.guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON app.guarded USING (owner = CURRENT_USER);
CREATE TABLE app.watched (id int, pin text);
ALTER TABLE app.watched ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_pin ON app.watched USING (pin > '5');

CREATE VIEW app.v_users AS SELECT id, ssn AS s, name, upper(card) AS c FROM app.users WHERE active;
CREATE VIEW app.v_orders AS
  SELECT o.id, o.amount, u.name, (SELECT max(x.ssn) FROM app.users x) AS top FROM app.orders o JOIN app.users u ON u.id = o.user_id;
CREATE VIEW app.v_names AS SELECT id, name FROM app.users;
CREATE VIEW app.v_of_v AS SELECT v.s || '!' AS shout, v.id FROM app.v_users v;
CREATE VIEW app.v_filter AS SELECT id FROM app.users WHERE ssn LIKE '9%';
CREATE VIEW app.v_group AS SELECT ssn, count(*) AS n FROM app.users GROUP BY ssn;
CREATE VIEW app.v_sorted AS SELECT id, ssn FROM app.users ORDER BY ssn;
CREATE VIEW app.v_union AS SELECT id, ssn FROM app.users UNION ALL SELECT id, note FROM app.orders;
CREATE VIEW app.v_union_distinct AS SELECT ssn FROM app.users UNION SELECT note FROM app.orders;
CREATE VIEW app.v_cte AS WITH x AS (SELECT id, card AS k FROM app.users) SELECT x.k AS kk, x.id FROM x;
CREATE VIEW app.v_lateral AS
  SELECT u.id, l.hidden FROM app.users u CROSS JOIN LATERAL (SELECT u.ssn AS hidden) l;
CREATE VIEW app.v_row AS SELECT u.id, to_jsonb(u.*) AS j FROM app.users u;
CREATE VIEW app.v_unnest AS SELECT u.id, unnest(u.tags) AS tag FROM app.users u;
CREATE VIEW app.v_plain AS SELECT p.id, p.a, count(*) AS n FROM app.plain p GROUP BY p.id, p.a;
CREATE MATERIALIZED VIEW app.mv_users AS SELECT id, ssn, name FROM app.users;

CREATE FUNCTION app.peek(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn::text FROM app.users WHERE id = $1';
CREATE FUNCTION app.all_users() RETURNS SETOF app.users LANGUAGE sql STABLE AS 'SELECT * FROM app.users';
CREATE FUNCTION app.twice(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 * 2';
CREATE FUNCTION app.order_owner(app.orders) RETURNS text LANGUAGE sql STABLE AS
  'SELECT ssn::text FROM app.users WHERE id = $1.user_id';
CREATE FUNCTION app.steal(text, text) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM app.users WHERE ssn = $1)';
CREATE OPERATOR app.=~= (LEFTARG = text, RIGHTARG = text, FUNCTION = app.steal);
CREATE VIEW app.v_function AS SELECT id, app.peek(id) AS p FROM app.plain;
CREATE VIEW app.v_stats AS SELECT most_common_vals::text FROM pg_stats WHERE tablename = 'users';
CREATE VIEW app.v_sessions AS SELECT query FROM pg_stat_activity;
SET search_path = app, public;
CREATE VIEW app.v_operator AS SELECT id FROM app.plain WHERE a =~= 'x';
RESET search_path;
CREATE VIEW app.v_catalog AS SELECT c.relname, n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relname = 'plain';
CREATE DOMAIN app.known_ssn AS text CHECK (app.steal(VALUE, VALUE));
CREATE TABLE app.with_domain (id int, note app.known_ssn);
CREATE FUNCTION app.told() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN NEW.note := (SELECT ssn FROM app.users WHERE id = 1); RETURN NEW; END$$;
CREATE TABLE app.noted (id int, note text);
CREATE TRIGGER told BEFORE INSERT ON app.noted FOR EACH ROW EXECUTE FUNCTION app.told();
CREATE TABLE app.defaulted (id int, note text DEFAULT app.peek(1));
CREATE TABLE app.checked (id int, note text CHECK (app.steal(note, note)));
CREATE FUNCTION app.at_rest(int) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT ssn::text FROM app.users WHERE id = $1';
CREATE TABLE app.indexed (id int);
CREATE UNIQUE INDEX ON app.indexed ((app.at_rest(id)));
CREATE TABLE app.rows_by_function (id int);
ALTER TABLE app.rows_by_function ENABLE ROW LEVEL SECURITY;
CREATE POLICY by_function ON app.rows_by_function USING (app.peek(id) LIKE '0%');
CREATE TABLE app.castable (id int);
CREATE FUNCTION app.castable_text(app.castable) RETURNS text LANGUAGE sql STABLE AS
  'SELECT ssn::text FROM app.users WHERE id = $1.id';
CREATE CAST (app.castable AS text) WITH FUNCTION app.castable_text(app.castable) AS IMPLICIT;
CREATE VIEW app.v_cast AS SELECT c::text AS t FROM app.castable c;
CREATE ROLE narrow;
GRANT USAGE ON SCHEMA app TO narrow;
GRANT SELECT (id, name, ssn, card) ON app.users TO narrow;
CREATE PROCEDURE app.tell() LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE '%', (SELECT ssn FROM app.users LIMIT 1); END$$;

INSERT INTO app.users (id, name, ssn, card, mail, born, salary, mood, tags, profile, photo)
  SELECT n, 'name' || n, lpad((n * 7)::text, 3, '0') || '-65-4' || lpad(n::text, 3, '0'), '4111 1111 1111 ' || 1000 + n,
    'a' || n || '@secret.test', date '1980-01-01' + n, n * 1000, 'ok', ARRAY['tagsecret' || n], '{"k": "jsonsecret"}',
    '\xc0ffee'
  FROM generate_series(1, 20) AS n;
INSERT INTO app.orders (user_id, amount, note) SELECT 1 + n % 20, n * 1.5, 'note ' || n FROM generate_series(1, 40) AS n;
INSERT INTO app.payments SELECT n, 'DE00SECRET' || n, date '2025-12-20' + n FROM generate_series(1, 20) AS n;
INSERT INTO app.people SELECT n, '555-000-' || n FROM generate_series(1, 5) AS n;
INSERT INTO app.staff SELECT n, '555-111-' || n, 'room' || n FROM generate_series(6, 9) AS n;
INSERT INTO app."Odd ""Name" VALUES ('oddsecret', 1);
INSERT INTO other.users VALUES (1, 'public value');
INSERT INTO app.plain SELECT n, 'text ' || n, n % 5, date '2026-01-01' + n, jsonb_build_object('n', n, 'x', jsonb_build_array(n)), ARRAY[n, n + 1]
  FROM generate_series(1, 30) AS n;
INSERT INTO app.guarded VALUES (1, 'postgres'), (2, 'ann');
INSERT INTO app.watched VALUES (1, '1'), (2, '9');
REFRESH MATERIALIZED VIEW app.mv_users;
ANALYZE;
