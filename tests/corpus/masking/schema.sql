-- The relations of the noninterference corpus. Both databases are copies of one with just these, so all numbers agree.
CREATE SCHEMA app;
CREATE TABLE app.departments (id int PRIMARY KEY, name text NOT NULL);
CREATE TABLE app.users (
  id int PRIMARY KEY,
  name text NOT NULL,
  city text,
  department int REFERENCES app.departments,
  ssn text,
  email varchar(80) UNIQUE,
  card text,
  phone text,
  salary numeric(12, 2),
  born date,
  pin int CHECK (pin > 0),
  token bytea,
  profile jsonb,
  tags text[],
  blocked boolean,
  badge text,
  ssn_end text GENERATED ALWAYS AS (right(ssn, 4)) STORED
);
CREATE INDEX users_ssn ON app.users (ssn);
CREATE INDEX users_pin ON app.users (pin);
CREATE TABLE app.orders (id int PRIMARY KEY, user_id int REFERENCES app.users, total numeric(10, 2), note text, paid_with text);
CREATE TABLE app.logins (id int PRIMARY KEY, user_email varchar(80) REFERENCES app.users (email));
CREATE TABLE app.payments (id int, day date NOT NULL, iban text, amount numeric(10, 2)) PARTITION BY RANGE (day);
CREATE TABLE app.payments_2024 PARTITION OF app.payments FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE app.payments_2025 PARTITION OF app.payments FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE app.people (id int, name text, ssn text);
CREATE TABLE app.employees (boss int) INHERITS (app.people);
CREATE TABLE app.memos (id int PRIMARY KEY, text text);
CREATE TABLE app.scratch (id int, note text);
ALTER TABLE app.memos ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_the_first ON app.memos USING (EXISTS (SELECT FROM app.users u WHERE u.id = memos.id AND u.ssn LIKE '900%'));
ALTER TABLE app.memos FORCE ROW LEVEL SECURITY;

CREATE VIEW app.v_users AS SELECT id, name, ssn AS s, salary FROM app.users;
CREATE VIEW app.v_safe AS SELECT id, name, city FROM app.users;
CREATE VIEW app.v_joined AS SELECT u.name || ': ' || u.ssn AS label, o.total FROM app.users u JOIN app.orders o ON o.user_id = u.id;
CREATE VIEW app.v_filtered AS SELECT id, name FROM app.users WHERE ssn LIKE '900%';
CREATE VIEW app.v_counted AS SELECT count(DISTINCT ssn) AS n, max(pin) AS highest FROM app.users;
CREATE VIEW app.v_nested AS SELECT id, s AS hidden FROM app.v_users;
CREATE VIEW app.v_whole AS SELECT id, u AS person FROM app.users u;
CREATE VIEW app.v_barrier WITH (security_barrier) AS SELECT id, ssn FROM app.users;
CREATE VIEW app.v_sorted AS SELECT id, name FROM app.users ORDER BY pin LIMIT 3;
CREATE MATERIALIZED VIEW app.mv_users AS SELECT id, ssn, city FROM app.users;
CREATE MATERIALIZED VIEW app.mv_counted AS SELECT ssn IS NULL AS missing, count(*) AS n FROM app.users GROUP BY 1;

CREATE FUNCTION app.ssn_of(int) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT ssn FROM app.users WHERE id = $1';
CREATE FUNCTION app.everyone() RETURNS SETOF app.users LANGUAGE sql STABLE AS 'SELECT * FROM app.users ORDER BY id';
CREATE FUNCTION app.hidden(app.users) RETURNS text LANGUAGE sql STABLE AS 'SELECT u.ssn FROM app.users u WHERE u.id = $1.id';
CREATE FUNCTION app.complains(int) RETURNS int LANGUAGE plpgsql AS
  $$BEGIN RAISE EXCEPTION 'pin %', (SELECT pin FROM app.users WHERE id = $1); END$$;
CREATE FUNCTION app.remarks(int) RETURNS int LANGUAGE plpgsql AS
  $$BEGIN RAISE NOTICE 'pin %', (SELECT pin FROM app.users WHERE id = $1); RETURN $1; END$$;
CREATE FUNCTION app.like_first(text, text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM app.users WHERE ssn = $2)';
CREATE OPERATOR app.=== (leftarg = text, rightarg = text, function = app.like_first);
CREATE FUNCTION app.to_secret(app.departments) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM app.users WHERE id = $1.id';
CREATE CAST (app.departments AS text) WITH FUNCTION app.to_secret(app.departments);
CREATE FUNCTION app.checked(text) RETURNS boolean LANGUAGE plpgsql STABLE AS
  $$BEGIN RETURN (SELECT count(*) FROM app.users WHERE ssn = $1) > 0; END$$;
CREATE DOMAIN app.an_ssn AS text CHECK (app.checked(VALUE));
CREATE FUNCTION app.joined(text, text) RETURNS text LANGUAGE sql STABLE AS 'SELECT $1 || (SELECT max(ssn) FROM app.users)';
CREATE AGGREGATE app.gather(text) (sfunc = app.joined, stype = text, initcond = '');
CREATE FUNCTION app.told() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN NEW.note := (SELECT ssn FROM app.users WHERE id = 1); RETURN NEW; END$$;
CREATE TABLE app.noted (id int, note text);
CREATE TRIGGER noted_told BEFORE INSERT ON app.noted FOR EACH ROW EXECUTE FUNCTION app.told();
CREATE TABLE app.ruled (id int, note text);
CREATE RULE ruled_tells AS ON INSERT TO app.ruled DO ALSO SELECT ssn FROM app.users;
CREATE TABLE app.defaulted (id int, note text DEFAULT app.ssn_of(1));
CREATE PROCEDURE app.does() LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE '%', (SELECT max(ssn) FROM app.users); END$$;
CREATE FUNCTION public.lower(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM app.users WHERE id = $1';
CREATE FUNCTION app.scratch_text(app.scratch) RETURNS text LANGUAGE sql STABLE AS 'SELECT ssn FROM app.users WHERE id = $1.id';
CREATE CAST (app.scratch AS text) WITH FUNCTION app.scratch_text(app.scratch) AS IMPLICIT;
CREATE TABLE app.validated (id int, note text CHECK (app.checked(note)));
CREATE TABLE app.guarded (id int, note text);
ALTER TABLE app.guarded ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.guarded FORCE ROW LEVEL SECURITY;
CREATE POLICY as_checked ON app.guarded USING (app.checked(note));
CREATE VIEW app.v_called AS SELECT id, app.ssn_of(id) AS label FROM app.departments;
CREATE VIEW app.v_cast AS SELECT d::text AS label FROM app.departments d;
CREATE VIEW app.v_operated AS SELECT id FROM app.departments WHERE name OPERATOR(app.===) '900-00-0001';
CREATE FUNCTION app.at_rest(int) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$BEGIN RETURN (SELECT ssn FROM app.users WHERE id = $1); END$$;
CREATE TABLE app.computed (id int, made text GENERATED ALWAYS AS (app.at_rest(id)) STORED);
CREATE TABLE app.indexed (id int);
CREATE UNIQUE INDEX ON app.indexed (app.at_rest(id));
CREATE FUNCTION app.same(text, text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT EXISTS (SELECT FROM app.users WHERE ssn OPERATOR(pg_catalog.=) $2)';
CREATE OPERATOR app.= (leftarg = text, rightarg = text, function = app.same);
CREATE TABLE app.with_domain (id int, note app.an_ssn);
