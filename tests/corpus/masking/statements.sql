-- One statement after each line `--# CLASS: modes`. `read` is every mode, `plain` simple and extended, `simple` that alone.
-- What is left out and known: pg_class.reltuples of a materialized view that groups by a masked column.
-- Steps of one case are parted by `--then`; all but the last are sent as they are, in simple mode.
--# plain: read
SELECT ssn FROM app.users ORDER BY id
--# plain: read
SELECT ssn AS x, salary s FROM app.users ORDER BY id
--# plain: read
SELECT c5 FROM app.users AS t(c1, c2, c3, c4, c5) ORDER BY c1
--# plain: read
SELECT * FROM app.users ORDER BY id
--# plain: plain
TABLE app.users
--# plain: read
SELECT "ssn" FROM "app"."users" ORDER BY id
--# plain: read
SELECT U&"s\0073n" FROM app.users ORDER BY id
--# plain: read
SELECT U&"s!0073n" UESCAPE '!' FROM app.users ORDER BY id
--# plain: read
SELECT ssn FROM ONLY app.users ORDER BY id
--# plain: read
SELECT DISTINCT ssn FROM app.users
--# plain: read
SELECT count(DISTINCT ssn), count(ssn), count(DISTINCT (ssn, pin)) FROM app.users
--# plain: read
SELECT ssn, count(*) FROM app.users GROUP BY ssn
--# plain: read
SELECT ssn, count(*) FROM app.users GROUP BY 1 ORDER BY 1
--# plain: read
SELECT id FROM app.users ORDER BY ssn, id
--# plain: read
SELECT a.id, b.id FROM app.users a JOIN app.users b USING (ssn) ORDER BY 1, 2
--# plain: read
SELECT u.id, x.s FROM app.users u, LATERAL (SELECT u.ssn AS s) x ORDER BY 1
--# plain: read
SELECT (u).ssn FROM app.users u ORDER BY (u).id
--# plain: read
SELECT ssn(u) FROM app.users u
--# plain: read
SELECT ssn::text FROM app.users ORDER BY id
--# plain: read
SELECT app.users.ssn FROM app.users ORDER BY app.users.id
--# plain: read
SELECT users.* FROM app.users ORDER BY id
--# plain: read
SELECT card, phone, badge FROM app.users ORDER BY id
--# plain: read
SELECT ssn_end FROM app.users ORDER BY id
--# plain: read
SELECT token, profile, tags, blocked, born, pin, email FROM app.users ORDER BY id
--# plain: plain
SELECT ssn FROM app.users WHERE id = 1; SELECT pin FROM app.users WHERE id = 1
--# plain: plain
SET search_path TO app, public
--then
SELECT ssn FROM users ORDER BY id
--# sub-query: read
SELECT s FROM (SELECT id, ssn AS s FROM app.users) q ORDER BY id
--# sub-query: read
WITH q AS (SELECT id, ssn FROM app.users) SELECT ssn FROM q ORDER BY id
--# sub-query: read
WITH q AS MATERIALIZED (SELECT id, ssn FROM app.users) SELECT ssn FROM q ORDER BY id
--# sub-query: read
WITH users AS (SELECT * FROM app.users) SELECT ssn FROM users ORDER BY id
--# sub-query: plain
WITH q AS (UPDATE app.users SET city = 'Rome' WHERE id = 1 RETURNING ssn) SELECT * FROM q
--# sub-query: plain
WITH q AS (DELETE FROM app.users WHERE id = 40 RETURNING *) SELECT ssn, pin FROM q
--# sub-query: read
WITH RECURSIVE q(n, s) AS (SELECT 1, ssn FROM app.users WHERE id = 1 UNION ALL SELECT n + 1, (SELECT ssn FROM app.users WHERE id = n + 1) FROM q WHERE n < 5) SELECT * FROM q
--# sub-query: read
SELECT * FROM (TABLE app.users) q ORDER BY id
--# sub-query: read
SELECT * FROM (SELECT * FROM (SELECT * FROM app.users) a) b ORDER BY id
--# lost provenance: read
SELECT (SELECT ssn FROM app.users WHERE id = 1)
--# lost provenance: read
SELECT ssn FROM app.users WHERE id = 1 UNION ALL SELECT pin::text FROM app.users WHERE id = 2
--# lost provenance: read
SELECT ssn FROM app.users UNION SELECT 'x'
--# lost provenance: read
SELECT ssn FROM app.users INTERSECT SELECT '900-00-0001'
--# lost provenance: read
SELECT '900-00-0001' EXCEPT SELECT ssn FROM app.users
--# lost provenance: read
SELECT ssn FROM app.users NATURAL FULL JOIN (SELECT 1 AS id) x ORDER BY id
--# lost provenance: read
SELECT unnest(ARRAY(SELECT ssn FROM app.users ORDER BY id))
--# lost provenance: read
SELECT ssn::varchar, ssn::varchar(3), CAST(ssn AS char(5)) FROM app.users ORDER BY id
--# lost provenance: read
SELECT ssn COLLATE "C" FROM app.users ORDER BY id
--# lost provenance: read
SELECT 'x' || ssn, ssn || pin FROM app.users ORDER BY id
--# lost provenance: read
SELECT CASE WHEN id > 0 THEN ssn END FROM app.users ORDER BY id
--# lost provenance: read
SELECT coalesce(ssn, 'none'), nullif(ssn, 'x'), greatest(ssn, ''), least(ssn, 'zz') FROM app.users ORDER BY id
--# lost provenance: read
SELECT min(ssn), max(ssn), min(pin), max(born), sum(salary), avg(pin), bool_or(blocked), bit_or(pin) FROM app.users
--# lost provenance: read
SELECT id, first_value(ssn) OVER (ORDER BY id), lag(pin) OVER (ORDER BY id), rank() OVER (ORDER BY salary, id), ntile(3) OVER (ORDER BY pin) FROM app.users ORDER BY id
--# lost provenance: read
SELECT string_agg(ssn, ',' ORDER BY id), array_agg(pin ORDER BY id) FROM app.users
--# lost provenance: read
SELECT json_agg(ssn ORDER BY id), jsonb_object_agg(id, ssn) FROM app.users
--# lost provenance: read
SELECT row_to_json(u) FROM app.users u ORDER BY id
--# lost provenance: read
SELECT row(ssn, pin), (ssn, pin)::text FROM app.users ORDER BY id
--# lost provenance: read
SELECT to_jsonb(u) ->> 'ssn' FROM app.users u ORDER BY id
--# lost provenance: read
SELECT to_jsonb(u) FROM app.users u WHERE to_jsonb(u) @> '{"ssn": "900-00-0001"}'
--# lost provenance: read
SELECT j.key, j.value FROM app.users u, json_each_text(row_to_json(u)) j WHERE u.id < 3
--# lost provenance: read
SELECT jsonb_path_query(to_jsonb(u), '$.ssn') FROM app.users u ORDER BY id
--# lost provenance: read
SELECT x.s FROM app.users u, XMLTABLE('/r' PASSING xmlelement(name r, u.ssn) COLUMNS s text PATH '.') x WHERE u.id < 4 ORDER BY u.id
--# lost provenance: read
SELECT xmlforest(ssn, pin) FROM app.users ORDER BY id
--# lost provenance: read
SELECT encode(convert_to(ssn, 'UTF8'), 'base64'), encode(token, 'hex'), md5(ssn), reverse(ssn), length(ssn), octet_length(token) FROM app.users ORDER BY id
--# lost provenance: read
SELECT substr(ssn, 1, 1), left(ssn, 2), ascii(ssn), position('0' in ssn), overlay(ssn placing 'x' from 1), ssn ~ '^9', ssn LIKE '9%' FROM app.users ORDER BY id
--# lost provenance: read
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY pin), mode() WITHIN GROUP (ORDER BY ssn) FROM app.users
--# lost provenance: read
SELECT ssn, city, count(*) FROM app.users GROUP BY GROUPING SETS ((ssn), (city)) ORDER BY 2, 3
--# lost provenance: read
SELECT profile -> 'ssn', profile ->> 'vip', tags[1], array_length(tags, 1), cardinality(tags) FROM app.users ORDER BY id
--# lost provenance: read
SELECT u.id, t FROM app.users u, unnest(u.tags) t ORDER BY 1, 2
--# lost provenance: read
SELECT u.id, e.* FROM app.users u, jsonb_each(to_jsonb(u)) e WHERE u.id = 1
--# lost provenance: read
SELECT VARIADIC_TEST.v FROM (SELECT concat_ws('-', VARIADIC ARRAY[ssn, email]) AS v, id FROM app.users) VARIADIC_TEST ORDER BY id
--# lost provenance: read
SELECT extract(year FROM born), age(date '2020-01-01', born), born + 1, to_char(salary, '999999') FROM app.users ORDER BY id
--# lost provenance: read
SELECT array(SELECT ssn FROM app.users ORDER BY id) = array(SELECT '900'), exists(SELECT FROM app.users WHERE pin = 1001)
--# lost provenance: read
SELECT id IN (SELECT pin - 1000 FROM app.users) FROM app.departments ORDER BY id
--# whole row: read
SELECT u FROM app.users u ORDER BY id
--# whole row: read
SELECT users FROM app.users ORDER BY id
--# whole row: read
SELECT q FROM (SELECT id, u FROM app.users u) q ORDER BY id
--# whole row: read
SELECT (q.u).pin FROM (SELECT id, u FROM app.users u) q ORDER BY q.id
--# whole row: read
SELECT u::text FROM app.users u ORDER BY id
--# whole row: read
SELECT u::app.users FROM app.users u ORDER BY id
--# whole row: read
SELECT (u.*)::text, u.* IS NULL, u IS NOT NULL FROM app.users u ORDER BY id
--# whole row: read
SELECT a.id FROM app.users a, app.users b WHERE a = b ORDER BY 1
--# whole row: read
SELECT count(DISTINCT u) FROM app.users u
--# whole row: read
SELECT array_agg(u ORDER BY id) FROM app.users u
--# whole row: read
SELECT md5(u::text), hash_record(u), length(concat(u)) FROM app.users u ORDER BY id
--# whole row: plain
INSERT INTO app.orders (id, user_id) VALUES (900, 1) RETURNING orders
--# whole row: plain
UPDATE app.users u SET city = city WHERE id = 1 RETURNING u
--# whole row: read
SELECT (jsonb_populate_record(NULL::app.users, to_jsonb(u))).ssn FROM app.users u ORDER BY id
--# views: read
SELECT * FROM app.v_users ORDER BY id
--# views: read
SELECT s FROM app.v_users ORDER BY id
--# views: read
SELECT * FROM app.v_safe ORDER BY id
--# views: read
SELECT * FROM app.v_joined ORDER BY total
--# views: read
SELECT * FROM app.v_filtered ORDER BY id
--# views: read
SELECT * FROM app.v_counted
--# views: read
SELECT hidden FROM app.v_nested ORDER BY id
--# views: read
SELECT person FROM app.v_whole ORDER BY id
--# views: read
SELECT (person).ssn FROM app.v_whole ORDER BY id
--# views: read
SELECT * FROM app.v_barrier ORDER BY id
--# views: read
SELECT * FROM app.v_sorted
--# views: read
SELECT ssn FROM app.mv_users ORDER BY id
--# views: read
SELECT * FROM app.mv_counted ORDER BY 1
--# views: plain
UPDATE app.v_safe SET city = 'Kyiv' WHERE id = 3 RETURNING *
--# views: plain
UPDATE app.v_users SET name = s WHERE id = 3 RETURNING *
--# views: plain
REFRESH MATERIALIZED VIEW app.mv_users
--# views: plain
CREATE VIEW app.v_new AS SELECT ssn FROM app.users
--then
SELECT * FROM app.v_new
--# views: plain
CREATE TEMP VIEW mine AS SELECT id, ssn FROM app.users
--then
SELECT ssn FROM mine ORDER BY id
--# views: plain
CREATE OR REPLACE VIEW app.v_safe AS SELECT id, name, ssn AS city FROM app.users
--then
SELECT city FROM app.v_safe ORDER BY id
--# functions: read
SELECT app.ssn_of(1)
--# functions: read
SELECT * FROM app.everyone()
--# functions: read
SELECT (app.everyone()).ssn
--# functions: read
SELECT u.hidden FROM app.users u ORDER BY id
--# functions: read
SET search_path TO app, public
--then
SELECT u.hidden FROM users u ORDER BY id
--# functions: read
SELECT app.hidden(u) FROM app.users u ORDER BY id
--# functions: read
SELECT id FROM app.departments WHERE name OPERATOR(app.===) '900-00-0001'
--# functions: read
SET search_path TO app, public
--then
SELECT id FROM departments WHERE name === '900-00-0001'
--# functions: read
SELECT d::text FROM app.departments d ORDER BY id
--# functions: read
SELECT CAST(d AS text) FROM (SELECT d FROM app.departments d) q
--# functions: read
SELECT '900-00-0001'::app.an_ssn
--# functions: read
SELECT app.gather(name) FROM app.departments
--# functions: read
SELECT lower(1)
--# functions: read
SELECT d.to_secret FROM app.departments d
--# functions: read
SELECT upper(s) FROM app.scratch s ORDER BY id
--# functions: read
SELECT s || 'x' FROM app.scratch s ORDER BY id
--# functions: read
SELECT string_agg(s, ',' ORDER BY id) FROM app.scratch s
--# functions: read
SELECT text(s) FROM app.scratch s
--# functions: read
SELECT s.text FROM app.scratch s
--# functions: read
SELECT label FROM app.v_called ORDER BY id
--# functions: read
SELECT label FROM app.v_cast ORDER BY 1
--# functions: read
SELECT id FROM app.v_operated ORDER BY 1
--# functions: read
SELECT * FROM app.guarded
--# functions: plain
INSERT INTO app.validated VALUES (1, '900-00-0001')
--# functions: plain
UPDATE app.guarded SET id = id
--# functions: plain
INSERT INTO app.computed VALUES (1) RETURNING made
--# functions: plain
INSERT INTO app.indexed VALUES (1), (3)
--# functions: plain
INSERT INTO app.with_domain VALUES (1, '900-00-0001')
--# functions: plain
ALTER TABLE app.departments ADD COLUMN x text DEFAULT app.ssn_of(1)
--then
SELECT x FROM app.departments ORDER BY id
--# functions: plain
CREATE TEMP TABLE t (id int, x text DEFAULT app.ssn_of(1))
--then
INSERT INTO t (id) VALUES (1) RETURNING x
--# functions: plain
CREATE TEMP TABLE t (x app.an_ssn)
--then
INSERT INTO t VALUES ('900-00-0001')
--# functions: read
SELECT * FROM json_to_record('{"x": "900-00-0001"}') AS r(x app.an_ssn)
--# functions: read
SELECT x FROM json_populate_record(NULL::app.with_domain, '{"note": "900-00-0001"}') x
--# functions: plain
SET search_path TO app, pg_catalog
--then
SELECT id FROM departments WHERE name = '900-00-0001'
--# functions: plain
SET search_path TO app, pg_catalog
--then
SELECT id FROM departments WHERE name IN ('x', '900-00-0001')
--# functions: plain
SET search_path TO app, pg_catalog
--then
SELECT CASE name WHEN '900-00-0001' THEN 1 ELSE 2 END, nullif(name, '900-00-0001') FROM departments
--# functions: plain
SET search_path TO app, pg_catalog
--then
SELECT a.id FROM departments a JOIN departments b USING (name)
--# functions: plain
CALL app.does()
--# functions: plain
CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS 'SELECT max(ssn) FROM app.users'
--then
SELECT pg_temp.f()
--# functions: plain
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef ORDER BY 1
--# functions: plain
INSERT INTO app.defaulted (id) VALUES (1) RETURNING note
--# text to SQL: read
SELECT query_to_xml('SELECT ssn FROM app.users', true, false, '')
--# text to SQL: read
SELECT table_to_xml('app.users', true, false, '')
--# text to SQL: read
SELECT schema_to_xml('app', true, false, '')
--# text to SQL: read
SELECT database_to_xml(true, false, '')
--# text to SQL: read
SELECT * FROM ts_stat('SELECT to_tsvector(''simple'', ssn) FROM app.users')
--# text to SQL: read
SELECT ts_rewrite('a'::tsquery, 'SELECT ''a''::tsquery, to_tsquery(''simple'', city) FROM app.users LIMIT 1')
--# text to SQL: simple
BEGIN
--then
DECLARE c CURSOR FOR SELECT ssn FROM app.users
--then
SELECT cursor_to_xml('c', 3, true, false, '')
--# text to SQL: plain
SELECT pg_read_file('PG_VERSION')
--# text to SQL: plain
SELECT pg_ls_dir('.')
--# text to SQL: plain
SELECT lo_from_bytea(0, convert_to(max(ssn), 'UTF8')) > 0 FROM app.users
--# text to SQL: read
SELECT pg_relation_filepath('app.users') IS NULL, currtid2('app.users', '(0,1)') FROM app.users
--# laundering: plain
INSERT INTO app.scratch SELECT id, ssn FROM app.users
--then
SELECT * FROM app.scratch ORDER BY id, note
--# laundering: plain
INSERT INTO app.scratch VALUES (1, (SELECT ssn FROM app.users WHERE id = 1)) RETURNING note
--# laundering: plain
UPDATE app.scratch SET note = (SELECT ssn FROM app.users WHERE id = 1) WHERE id = 1
--then
SELECT note FROM app.scratch WHERE id = 1
--# laundering: plain
UPDATE app.users SET city = ssn WHERE id = 2
--then
SELECT city FROM app.users WHERE id = 2
--# laundering: plain
UPDATE app.users SET name = DEFAULT, city = left(card, 4) WHERE id = 2 RETURNING city
--# laundering: plain
UPDATE app.orders o SET note = u.ssn FROM app.users u WHERE u.id = o.user_id AND o.id = 1
--then
SELECT note FROM app.orders WHERE id = 1
--# laundering: plain
UPDATE app.scratch SET id = id WHERE EXISTS (SELECT FROM app.users WHERE ssn = '900-00-0001')
--# laundering: plain
DELETE FROM app.scratch WHERE id = (SELECT pin - 1000 FROM app.users WHERE id = 2)
--# laundering: plain
DELETE FROM app.users WHERE ssn = '900-00-0040' AND id = 40
--# laundering: plain
UPDATE app.users SET city = 'found' WHERE pin = 1003
--# laundering: plain
DELETE FROM app.scratch s USING app.users u WHERE u.ssn = '900-00-0001' AND s.id = 3
--# laundering: plain
MERGE INTO app.scratch s USING app.users u ON s.id = u.id WHEN MATCHED THEN UPDATE SET note = u.ssn WHEN NOT MATCHED THEN DO NOTHING
--then
SELECT * FROM app.scratch ORDER BY id, note
--# laundering: plain
MERGE INTO app.users u USING app.scratch s ON s.note = u.ssn WHEN MATCHED THEN UPDATE SET city = 'm' WHEN NOT MATCHED THEN DO NOTHING
--# laundering: plain
CREATE TABLE app.copy AS SELECT * FROM app.users
--then
SELECT ssn FROM app.copy ORDER BY id
--# laundering: plain
SELECT id, ssn INTO app.copied FROM app.users
--then
SELECT ssn FROM app.copied ORDER BY id
--# laundering: plain
CREATE TEMP TABLE t AS SELECT ssn FROM app.users ORDER BY id
--then
SELECT * FROM t
--# laundering: plain
CREATE TEMP TABLE t AS EXECUTE nothing
--# laundering: plain
CREATE TABLE app.heir () INHERITS (app.users)
--then
SELECT ssn FROM app.heir
--# laundering: plain
CREATE TABLE app.like_users (LIKE app.users INCLUDING ALL)
--then
INSERT INTO app.like_users (id, name, ssn) SELECT id, name, ssn FROM app.users
--then
SELECT ssn FROM app.like_users ORDER BY id
--# laundering: plain
ALTER TABLE app.users RENAME COLUMN ssn TO harmless
--then
SELECT harmless FROM app.users ORDER BY id
--# laundering: plain
ALTER TABLE app.users RENAME TO persons
--then
SELECT ssn FROM app.persons ORDER BY id
--# laundering: plain
ALTER TABLE app.users SET SCHEMA public
--then
SELECT ssn FROM public.users ORDER BY id
--# laundering: plain
ALTER TABLE app.users ADD COLUMN copied text GENERATED ALWAYS AS (ssn) STORED
--then
SELECT copied FROM app.users ORDER BY id
--# laundering: plain
ALTER TABLE app.users ALTER COLUMN city TYPE text USING ssn
--then
SELECT city FROM app.users ORDER BY id
--# laundering: plain
ALTER TABLE app.payments DETACH PARTITION app.payments_2024
--then
SELECT iban FROM app.payments_2024 ORDER BY id
--# laundering: plain
CREATE INDEX ON app.users ((1 / (pin - 1001)))
--# laundering: plain
ALTER TABLE app.users ADD CHECK (ssn <> '900-00-0001')
--# laundering: plain
ALTER TABLE app.users ADD UNIQUE (ssn)
--# laundering: plain
CREATE UNIQUE INDEX ON app.users (pin)
--# laundering: plain
ALTER TABLE app.users ALTER COLUMN ssn SET NOT NULL
--# laundering: plain
CREATE TRIGGER t AFTER UPDATE ON app.users FOR EACH ROW WHEN (OLD.ssn LIKE '900%') EXECUTE FUNCTION app.told()
--# laundering: plain
CREATE RULE tells AS ON UPDATE TO app.departments DO ALSO SELECT max(ssn) FROM app.users
--then
UPDATE app.departments SET name = name WHERE id = 1
--# laundering: plain
INSERT INTO app.noted (id) VALUES (1) RETURNING note
--# laundering: plain
INSERT INTO app.ruled (id) VALUES (1)
--# laundering: plain
INSERT INTO app.users (id, name) VALUES (901, 'new') RETURNING *
--# laundering: plain
INSERT INTO app.users (id, name, email) VALUES (902, 'guess', 'a1@one.test')
--# laundering: plain
INSERT INTO app.users (id, name, email) VALUES (903, 'guess', 'a2@one.test') ON CONFLICT DO NOTHING
--# laundering: plain
INSERT INTO app.users (id, name, email) VALUES (904, 'guess', 'a2@one.test') ON CONFLICT (email) DO UPDATE SET city = users.ssn RETURNING city
--# laundering: plain
INSERT INTO app.users (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET city = users.ssn RETURNING city
--# laundering: plain
INSERT INTO app.logins VALUES (1, 'a1@one.test')
--# laundering: plain
UPDATE app.users SET email = 'a2@one.test' WHERE id = 1
--# laundering: plain
UPDATE app.users SET pin = 5 WHERE id = 1 RETURNING ssn
--# laundering: plain
UPDATE app.users SET pin = pin - 1000 WHERE id = 5
--# cursors: simple
BEGIN
--then
DECLARE c CURSOR FOR SELECT ssn FROM app.users ORDER BY id
--then
FETCH 3 FROM c
--# cursors: simple
BEGIN
--then
DECLARE c BINARY SCROLL CURSOR FOR SELECT ssn || 'x', pin FROM app.users ORDER BY id
--then
FETCH LAST FROM c
--# cursors: simple
BEGIN
--then
DECLARE c CURSOR WITH HOLD FOR SELECT ssn FROM app.users ORDER BY id
--then
COMMIT
--then
FETCH ALL FROM c
--# cursors: simple
BEGIN
--then
DECLARE c CURSOR FOR SELECT * FROM app.users WHERE ssn LIKE '900%' FOR UPDATE
--then
MOVE ALL FROM c
--# cursors: simple
BEGIN
--then
DECLARE c SCROLL CURSOR FOR SELECT 1 FROM app.users WHERE ssn LIKE '900%'
--then
MOVE ALL FROM c
--# cursors: simple
BEGIN
--then
DECLARE c CURSOR FOR SELECT * FROM app.users ORDER BY id
--then
UPDATE app.users SET city = ssn WHERE CURRENT OF c
--# prepared in SQL: simple
PREPARE p AS SELECT ssn FROM app.users WHERE id = $1
--then
EXECUTE p(1)
--# prepared in SQL: simple
PREPARE p (text) AS SELECT id FROM app.users WHERE ssn = $1
--then
EXECUTE p('900-00-0001')
--# prepared in SQL: simple
PREPARE p AS SELECT ssn FROM app.users ORDER BY id
--then
CREATE TABLE app.kept AS EXECUTE p
--then
SELECT * FROM app.kept
--# prepared in SQL: simple
PREPARE p AS UPDATE app.users SET city = ssn WHERE id = 1 RETURNING city
--then
EXECUTE p
--# prepared in SQL: simple
PREPARE p AS SELECT ssn FROM app.users ORDER BY id
--then
EXPLAIN EXECUTE p
--# prepared in SQL: simple
PREPARE p AS SELECT 1
--then
SELECT statement FROM pg_prepared_statements
--# copy: simple
COPY app.users TO STDOUT
--# copy: simple
COPY app.users (id, ssn) TO STDOUT WITH (FORMAT csv, HEADER)
--# copy: simple
COPY app.users (id, ssn, pin) TO STDOUT WITH (FORMAT binary)
--# copy: simple
COPY (SELECT ssn FROM app.users ORDER BY id) TO STDOUT
--# copy: simple
COPY (SELECT * FROM app.users ORDER BY ssn) TO STDOUT CSV
--# copy: simple
COPY (UPDATE app.users SET city = city WHERE id = 1 RETURNING ssn) TO STDOUT
--# copy: simple
COPY app.users TO PROGRAM 'cat'
--# copy: simple
COPY app.users TO '/tmp/hostagent-noninterference'
--# copy: simple
COPY app.users (id, name, email) FROM STDIN
--# copy: simple
COPY app.payments_2024 TO STDOUT
--# copy: simple
COPY app.mv_users TO STDOUT
--# copy: simple
COPY app.users (ssn_end) TO STDOUT
--# copy: simple
COPY app.users TO STDOUT (FORMAT text, FORCE_QUOTE (ssn))
--# errors: read
SELECT ssn::int FROM app.users ORDER BY id
--# errors: read
SELECT email::numeric FROM app.users
--# errors: read
SELECT to_date(ssn, 'YYYY-MM-DD') FROM app.users WHERE id = 1
--# errors: read
SELECT 1 / (CASE WHEN ssn LIKE '900%' THEN 0 ELSE 1 END) FROM app.users
--# errors: read
SELECT 1 / (pin - 1001) FROM app.users
--# errors: read
SELECT (pin::bigint * 9000000000000000)::bigint FROM app.users
--# errors: read
SELECT ssn::date, ssn::inet, ssn::uuid FROM app.users
--# errors: read
SELECT ssn::json FROM app.users
--# errors: read
SELECT ('x' || ssn)::regclass FROM app.users
--# errors: read
SELECT sqrt(50 - pin), ln(pin - 1002) FROM app.users
--# errors: read
SELECT chr(pin * 100000) FROM app.users
--# errors: read
SELECT (SELECT u.ssn FROM app.users u) IS NULL
--# errors: read
SELECT (SELECT id FROM app.users WHERE ssn > '900-00-0039')
--# errors: read
SELECT jsonb_array_elements(profile) FROM app.users
--# errors: read
SELECT ssn FROM app.users WHERE ssn ~ '(' || ssn
--# errors: plain
INSERT INTO app.users (id, name, pin) VALUES (905, 'bad', -1)
--# errors: plain
UPDATE app.users SET pin = -pin WHERE id = 1
--# errors: plain
UPDATE app.users SET pin = -5 WHERE id = 1
--# errors: plain
UPDATE app.users SET id = 1 WHERE id = 2
--# errors: plain
INSERT INTO app.users (id, name, city) VALUES (906, NULL, 'x')
--# errors: plain
INSERT INTO app.scratch VALUES ((SELECT ssn::int FROM app.users WHERE id = 1), '')
--# errors: plain
DELETE FROM app.departments WHERE id = 1
--# errors: read
SELECT generate_series(1, pin, 0) FROM app.users
--# errors: read
SELECT set_byte(token, 1, 1) FROM app.users
--# notices: plain
DO $$BEGIN RAISE NOTICE '%', (SELECT max(ssn) FROM app.users); END$$
--# notices: read
SELECT app.remarks(1)
--# notices: read
SELECT app.complains(1)
--# notices: plain
SELECT pg_notify('channel', max(ssn)) FROM app.users
--# notices: plain
LISTEN channel
--then
SELECT pg_notify('channel', (SELECT ssn FROM app.users WHERE id = 1))
--# notices: plain
SELECT set_config('application_name', max(ssn), false) FROM app.users
--# notices: plain
SELECT set_config('application_name', (SELECT ssn FROM app.users WHERE id = 1), true)
--# notices: plain
SET application_name = 'known'
--# notices: plain
DO $$BEGIN EXECUTE 'SET application_name = ' || quote_literal((SELECT ssn FROM app.users WHERE id = 1)); END$$
--# column name: plain
DO $$BEGIN EXECUTE format('CREATE TEMP VIEW v AS SELECT 1 AS %I', (SELECT ssn FROM app.users WHERE id = 1)); END$$
--then
SELECT * FROM v
--# column name: read
SELECT * FROM xpath('/', query_to_xml('SELECT 1', true, true, ''))
--# column name: read
SELECT * FROM crosstab('SELECT 1, ssn, 2 FROM app.users')
--# column name: read
SELECT * FROM json_populate_recordset(NULL::app.users, (SELECT json_agg(u) FROM app.users u)) ORDER BY id
--# column name: read
SELECT * FROM json_to_record((SELECT row_to_json(u) FROM app.users u WHERE id = 1)) AS x(ssn text, pin int)
--# settings store: plain
SELECT set_config('a.b', max(ssn), false) FROM app.users
--then
SHOW a.b
--# settings store: plain
SELECT set_config('a.b', (SELECT ssn FROM app.users WHERE id = 1), false), current_setting('a.b')
--# settings store: plain
SET a.b = 'x'
--then
SELECT current_setting('a.b')
--# settings store: plain
UPDATE pg_settings SET setting = (SELECT ssn FROM app.users WHERE id = 1) WHERE name = 'application_name'
--then
SHOW application_name
--# statistics: read
SELECT attname, most_common_vals::text, histogram_bounds::text, n_distinct, null_frac, correlation FROM pg_stats WHERE schemaname = 'app' ORDER BY tablename, attname
--# statistics: read
SELECT * FROM pg_catalog.pg_stats WHERE tablename = 'users' AND attname = 'ssn'
--# statistics: plain
SELECT staattnum, stavalues1::text, stanullfrac FROM pg_statistic WHERE starelid = 'app.users'::regclass ORDER BY 1
--# statistics: read
SELECT * FROM pg_stats_ext
--# statistics: plain
SELECT stxdmcv FROM pg_statistic_ext_data
--# statistics: plain
CREATE STATISTICS app.s (mcv) ON ssn, pin FROM app.users
--then
ANALYZE app.users
--then
SELECT m.* FROM pg_statistic_ext_data, pg_mcv_list_items(stxdmcv) m
--# statistics: plain
SELECT query FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend' AND query <> ''
--# statistics: plain
SELECT pg_column_size(u) FROM app.users u ORDER BY id
--# statistics: plain
SELECT pg_relation_size('app.mv_counted'), pg_table_size('app.scratch') > 0
--# explain: plain
EXPLAIN SELECT * FROM app.users WHERE ssn = '900-00-0001'
--# explain: plain
EXPLAIN SELECT * FROM app.users WHERE pin = 77
--# explain: plain
EXPLAIN (ANALYZE, TIMING off, SUMMARY off) SELECT id FROM app.users WHERE ssn LIKE '900%'
--# explain: plain
EXPLAIN (FORMAT json) SELECT DISTINCT ssn FROM app.users
--# explain: plain
EXPLAIN SELECT * FROM app.v_users WHERE s = '900-00-0001'
--# explain: plain
EXPLAIN VERBOSE SELECT app.ssn_of(1)
--# explain: plain
EXPLAIN SELECT * FROM app.mv_users WHERE ssn = '900-00-0001'
--# explain: plain
EXPLAIN (COSTS off) SELECT count(*) FROM app.departments
--# explain: plain
EXPLAIN SELECT * FROM app.payments WHERE iban = 'CH3'
--# explain: plain
EXPLAIN UPDATE app.users SET city = 'x' WHERE ssn = '900-00-0001'
--# oracles: read
SELECT id FROM app.users WHERE ssn LIKE '900%' ORDER BY id
--# oracles: read
SELECT id FROM app.users WHERE ssn = '900-00-0001'
--# oracles: read
SELECT id FROM app.users WHERE ssn IS NULL ORDER BY id
--# oracles: read
SELECT id FROM app.users WHERE salary > 1200 ORDER BY id
--# oracles: read
SELECT id FROM app.users WHERE pin BETWEEN 1000 AND 1010 ORDER BY id
--# oracles: read
SELECT id FROM app.users WHERE blocked ORDER BY id
--# oracles: read
SELECT id FROM app.users WHERE tags @> '{red}' OR profile ? 'vip' ORDER BY id
--# oracles: read
SELECT id FROM app.users WHERE born > '1990-01-01' ORDER BY id
--# oracles: read
SELECT string_agg(id::text, ',' ORDER BY id) FROM app.users GROUP BY ssn ORDER BY 1
--# oracles: read
SELECT id FROM app.users ORDER BY salary NULLS FIRST, id LIMIT 3
--# oracles: read
SELECT DISTINCT ON (ssn) id FROM app.users ORDER BY ssn, id
--# oracles: read
SELECT city, count(*) FROM app.users GROUP BY city HAVING min(pin) > 500 ORDER BY 1
--# oracles: read
SELECT count(*) FILTER (WHERE ssn LIKE '9%') FROM app.users
--# oracles: read
SELECT o.id FROM app.orders o JOIN app.users u ON u.id = o.user_id AND u.ssn LIKE '900%' ORDER BY 1
--# oracles: read
SELECT d.id, u.id FROM app.departments d LEFT JOIN app.users u ON d.id = u.pin - 1000 ORDER BY 1, 2
--# oracles: read
SELECT id FROM app.users LIMIT (SELECT pin - 1000 FROM app.users WHERE id = 2)
--# oracles: read
SELECT id, sum(id) OVER (PARTITION BY ssn) FROM app.users ORDER BY id
--# oracles: read
SELECT id, row_number() OVER (ORDER BY pin DESC, id) FROM app.users ORDER BY id
--# oracles: read
SELECT generate_series(1, (SELECT pin - 1000 FROM app.users WHERE id = 3))
--# oracles: read
SELECT repeat('x', (SELECT length(ssn) FROM app.users WHERE id = 1))
--# oracles: plain
SELECT pg_sleep(0.0001) FROM app.users WHERE ssn = '900-00-0001'
--# oracles: plain
SELECT id FROM app.users WHERE ssn = '900-00-0001' FOR UPDATE
--# oracles: plain
SELECT id FROM app.users WHERE pin = 1001 FOR SHARE SKIP LOCKED
--# oracles: plain
SELECT nextval('s') FROM app.users WHERE ssn LIKE '900%'
--# oracles: plain
CREATE TEMP SEQUENCE s
--then
SELECT nextval('s') FROM app.users WHERE ssn LIKE '900%'
--then
SELECT currval('s')
--# oracles: plain
SELECT pg_try_advisory_lock(pin) FROM app.users WHERE id = 1
--then
SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
--# oracles: read
SELECT phone, right(phone, 2), left(phone, 5) FROM app.users WHERE phone LIKE '+41%' ORDER BY id
--# oracles: read
SELECT card FROM app.users WHERE card = '4000-0001'
--# row identity: plain
SELECT ctid, xmin, tableoid FROM app.users ORDER BY id
--# row identity: plain
SELECT id FROM app.users WHERE ctid = '(0,1)'
--# row identity: read
SELECT id FROM app.users TABLESAMPLE BERNOULLI (50) REPEATABLE (1)
--# row identity: read
SELECT id, ssn FROM app.users TABLESAMPLE SYSTEM (100) ORDER BY id
--# row identity: read
SELECT id, name, ssn FROM app.users GROUP BY id ORDER BY id
--# row identity: read
SELECT u.id, u.ssn, count(o.id) FROM app.users u JOIN app.orders o ON o.user_id = u.id GROUP BY u.id ORDER BY 1
--# row identity: plain
SELECT u.tableoid::regclass FROM app.payments u ORDER BY id
--# partitions: read
SELECT iban FROM app.payments ORDER BY id
--# partitions: read
SELECT iban FROM app.payments_2024 ORDER BY id
--# partitions: read
SELECT id FROM app.payments WHERE iban = 'CH3'
--# partitions: read
SELECT ssn FROM app.people ORDER BY id
--# partitions: read
SELECT ssn FROM ONLY app.people ORDER BY id
--# partitions: read
SELECT ssn FROM app.employees ORDER BY id
--# partitions: read
SELECT p FROM app.people p ORDER BY id
--# partitions: read
SELECT (p).ssn FROM app.employees p ORDER BY id
--# row security: read
SELECT * FROM app.memos ORDER BY id
--# row security: read
SELECT count(*) FROM app.memos
--# row security: plain
UPDATE app.memos SET text = text
--# name games: plain
SET search_path TO app
--then
SELECT ssn FROM users ORDER BY id
--# name games: plain
CREATE TEMP TABLE users (id int, ssn text)
--then
SELECT ssn FROM users
--then
SELECT ssn FROM app.users ORDER BY id
--# name games: plain
SET search_path TO app
--then
PREPARE p AS SELECT ssn FROM users ORDER BY 1
--then
CREATE TEMP TABLE users (ssn text)
--then
EXECUTE p
--# name games: read
WITH users AS (SELECT 1 AS ssn) SELECT * FROM users, app.users AS u ORDER BY u.id
--# name games: read
WITH app AS (SELECT 1) SELECT ssn FROM app.users ORDER BY id
--# name games: read
SELECT users.ssn FROM app.users AS users ORDER BY users.id
--# name games: read
SELECT app.ssn FROM app.users AS app ORDER BY app.id
--# name games: plain
CREATE SCHEMA mine
--then
CREATE VIEW mine.users AS SELECT * FROM app.users
--then
SET search_path TO mine, app
--then
SELECT ssn FROM users ORDER BY id
--# name games: plain
CREATE FUNCTION pg_temp.upper(text) RETURNS text LANGUAGE sql AS 'SELECT max(ssn) FROM app.users'
--then
SELECT upper(name) FROM app.departments
--# name games: plain
SELECT ssn FROM postgres.app.users
--# name games: read
SELECT "SSN" FROM app.users
--# name games: plain
SELECT ssn /* a comment */ FROM /* another */ app /* one more */ . users -- the end
--# encoding: plain
SET standard_conforming_strings = off
--then
SELECT '\' || ssn FROM app.users --'
--# encoding: plain
SET client_encoding = 'SJIS'
--# encoding: plain
SET NAMES 'GBK'
--# encoding: plain
SELECT set_config('standard_conforming_strings', 'off', false)
--then
SELECT '\' || ssn FROM app.users --'
--# encoding: plain
SELECT set_config('client_encoding', 'SJIS', false)
--then
SELECT ssn FROM app.users ORDER BY id
--# encoding: plain
ALTER ROLE trusting SET debug_print_parse = on
--# encoding: plain
SET backslash_quote = on
--# encoding: plain
SELECT E'\'', ssn FROM app.users ORDER BY id
--# encoding: plain
SELECT $x$'$x$, ssn, $$;$$ FROM app.users ORDER BY id
--# encoding: plain
SELECT $tag$ FROM app.scratch $tag$ || ssn FROM app.users ORDER BY id
--# several statements: plain
COMMIT; SELECT ssn FROM app.users WHERE id = 1
--# several statements: simple
SELECT 1; SELECT max(ssn) FROM app.users; SELECT 2
--# several statements: simple
BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM app.users; FETCH 2 FROM c; COMMIT
--# several statements: plain
SET ROLE postgres
--then
SELECT ssn FROM app.users WHERE id = 1
--# several statements: plain
RESET ALL
--then
SELECT ssn FROM app.users WHERE id = 1
--# several statements: plain
DISCARD ALL
--then
SELECT ssn FROM app.users WHERE id = 1
--# several statements: simple
CREATE TEMP TABLE t (x text); INSERT INTO t SELECT ssn FROM app.users; SELECT * FROM t
--# foreign: plain
CREATE EXTENSION dblink
--# foreign: plain
SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS t(x int)
--# foreign: plain
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw
--# foreign: plain
CREATE PUBLICATION p FOR TABLE app.users
--# foreign: plain
SELECT pg_create_logical_replication_slot('s', 'test_decoding')
--# foreign: plain
SELECT pg_export_snapshot() IS NULL
--# foreign: plain
SELECT pg_current_wal_lsn() IS NULL
--# key: plain
SELECT current_query(), badge FROM app.users WHERE id = 1
--# key: simple
BEGIN
--then
DECLARE c CURSOR FOR SELECT badge FROM app.users ORDER BY id
--then
SELECT statement FROM pg_cursors
--# key: simple
BEGIN
--then
DECLARE c CURSOR FOR SELECT badge FROM app.users ORDER BY id
--then
SELECT statement FROM pg_cursor()
--# key: simple
PREPARE p AS SELECT badge FROM app.users
--then
SELECT statement FROM pg_prepared_statement()
--# key: simple
SET client_min_messages TO log
--then
SET debug_print_parse TO on
--then
SELECT badge FROM app.users WHERE id = 1
--# key: simple
SET client_min_messages TO debug1
--then
SET debug_print_plan TO on
--then
SELECT badge FROM app.users WHERE id = 1
--# key: simple
SELECT set_config('client_min_messages', 'log', false), set_config('debug_print_rewritten', 'on', false)
--then
SELECT badge FROM app.users WHERE id = 1
--# key: simple
SET client_min_messages TO log
--then
SET log_statement TO 'all'
--then
SELECT badge FROM app.users WHERE id = 1
--# key: simple
SET client_min_messages TO debug5
--then
SELECT badge FROM app.users WHERE id = 1
--# key: plain
SELECT pg_stat_get_activity(pg_backend_pid()), badge FROM app.users WHERE id = 1
--# key: plain
SELECT pg_stat_get_backend_activity(n), badge FROM app.users, generate_series(1, 9) n WHERE id = 1
--# key: plain
EXPLAIN (VERBOSE, COSTS off) SELECT badge FROM app.users
--# key: plain
CREATE TEMP VIEW v AS SELECT badge FROM app.users
--then
SELECT pg_get_viewdef('v')
--# key: plain
SELECT badge::int FROM app.users
--# key: plain
SELECT badge FROM app.users WHERE badge = 'B1' OR badge LIKE '%0%'
--# key: plain
SELECT id FROM app.users WHERE badge = (SELECT badge FROM app.users WHERE id = 3) ORDER BY id
--# key: plain
SELECT a.id, b.id FROM app.users a JOIN app.users b ON a.badge = b.badge AND a.id < b.id ORDER BY 1, 2 LIMIT 5
--# statistics: plain
SELECT relname, reltuples, relpages FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relname <> 'mv_counted' ORDER BY 1
--# statistics: plain
SELECT relname, n_live_tup FROM pg_stat_user_tables ORDER BY 1
--# statistics: plain
SELECT pg_total_relation_size('app.users'), pg_indexes_size('app.users'), pg_relation_size('app.users_ssn')
--# statistics: plain
SELECT pg_relation_size('app.mv_users'), pg_table_size('app.orders')
--# sub-query: read
SELECT x.* FROM app.users AS x (a, b, c) ORDER BY a
--# sub-query: read
SELECT j.ssn FROM (app.users a JOIN app.departments b ON b.id = a.department) AS j (i, n, c, d, ssn) ORDER BY j.i
--# sub-query: read
SELECT j.id, ssn FROM app.users u JOIN (SELECT id FROM app.orders) o USING (id) AS j ORDER BY j.id
--# sub-query: read
SELECT (SELECT x FROM (SELECT u.ssn) AS t(x)) FROM app.users u ORDER BY id
--# sub-query: read
VALUES ((SELECT ssn FROM app.users WHERE id = 1), (SELECT max(pin) FROM app.users))
--# sub-query: read
WITH RECURSIVE q AS (SELECT id, ssn FROM app.users WHERE id < 3 UNION ALL SELECT u.id, u.ssn FROM app.users u JOIN q ON u.id = q.id + 10 WHERE q.id < 30) SEARCH DEPTH FIRST BY ssn SET o SELECT * FROM q ORDER BY o, id
--# sub-query: read
WITH RECURSIVE q AS (SELECT id, ssn FROM app.users WHERE id < 3 UNION ALL SELECT id + 1, ssn FROM q WHERE id < 6) CYCLE ssn SET again USING path SELECT id, again, path FROM q ORDER BY id, path
--# lost provenance: read
SELECT * FROM app.users u, ROWS FROM (unnest(u.tags), generate_series(1, 2)) AS r(t, n) ORDER BY u.id, r.n
--# lost provenance: read
SELECT id FROM app.users WINDOW w AS (ORDER BY ssn) ORDER BY ssn USING <, id
--# lost provenance: read
SELECT pg_typeof(ssn), pg_typeof(u), num_nulls(ssn, salary), ssn IS DISTINCT FROM 'x' FROM app.users u ORDER BY id
--# lost provenance: read
SELECT format('%s %I %L', ssn, email, card), quote_literal(ssn), to_tsvector('simple', ssn), ssn SIMILAR TO '9%' FROM app.users ORDER BY id
--# lost provenance: read
SELECT jsonb_build_object('a', ssn, 'b', array_to_json(tags)), jsonb_strip_nulls(to_jsonb(u)), profile #>> '{ssn}' FROM app.users u ORDER BY id
--# lost provenance: read
SELECT id FROM app.users WHERE (ssn, pin) IN (SELECT ssn, pin FROM app.users WHERE id < 5) OR pin = ALL (SELECT pin FROM app.users) ORDER BY id
--# laundering: plain
UPDATE app.scratch SET (id, note) = (SELECT id, ssn FROM app.users WHERE id = 1) RETURNING note
--# laundering: plain
INSERT INTO app.scratch SELECT id, x FROM (SELECT id, ssn AS x FROM app.users) q RETURNING *
--# laundering: plain
WITH q AS (SELECT id, ssn FROM app.users) INSERT INTO app.scratch SELECT * FROM q RETURNING *
--# laundering: plain
INSERT INTO app.scratch SELECT id, s FROM app.v_users RETURNING *
--# laundering: plain
INSERT INTO app.scratch SELECT id, row_to_json(u)::text FROM app.users u RETURNING *
--# laundering: plain
INSERT INTO app.scratch SELECT id, ssn FROM app.mv_users RETURNING *
--# laundering: plain
INSERT INTO app.scratch SELECT n, 'x' FROM generate_series(1, (SELECT pin FROM app.users WHERE id = 1)) n
--# laundering: plain
WITH q AS (INSERT INTO app.scratch SELECT count(*), 'n' FROM app.users WHERE ssn LIKE '900%' RETURNING id) SELECT * FROM q
--# laundering: plain
INSERT INTO app.scratch VALUES (1, 'x'), ((SELECT pin FROM app.users WHERE id = 2), 'y') RETURNING id
--# laundering: plain
CREATE TABLE app.taken AS TABLE app.users
--then
SELECT ssn FROM app.taken
--# laundering: plain
CREATE MATERIALIZED VIEW app.seen AS SELECT ssn FROM app.users
--then
SELECT * FROM app.seen
--# laundering: plain
CREATE TABLE app.part PARTITION OF app.payments FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')
--then
INSERT INTO app.payments VALUES (99, '2026-06-01', 'XX1', 1)
--then
SELECT iban FROM app.part
--# laundering: plain
TRUNCATE app.users CASCADE
--# laundering: plain
LOCK TABLE app.users
--# statistics: plain
VACUUM (VERBOSE, ANALYZE) app.users
--# statistics: plain
ANALYZE VERBOSE app.users (ssn, pin)
--# statistics: plain
CLUSTER VERBOSE app.users USING users_pin
--then
SELECT id FROM app.users
--# statistics: plain
CLUSTER app.users USING users_ssn
--then
SELECT id FROM app.users
--# statistics: plain
REINDEX (VERBOSE) TABLE app.users
--# oracles: plain
SET enable_seqscan = off
--then
SELECT id FROM app.users WHERE ssn > '' AND pin > 0
--# oracles: plain
SET enable_seqscan = off
--then
SELECT id, ssn FROM app.users WHERE id > 0
--# oracles: plain
SELECT id FROM app.users WHERE ssn = $$900-00-0001$$ OR (id = 1 AND 1 / length(ssn) > 5)
--# oracles: read
SELECT id FROM app.users WHERE id = 1 AND ssn ~ '^900' AND (SELECT count(*) FROM app.users x WHERE x.pin = users.pin) > 0
