-- run: plain
SELECT ssn FROM users ORDER BY id
-- run: alias of the column
SELECT ssn AS x FROM users ORDER BY id
-- run: columns renamed by the table alias
SELECT x.c3 FROM users x(c1, c2, c3) ORDER BY c1
-- run: star
SELECT * FROM users ORDER BY id
-- run: star of an alias
SELECT u.* FROM users AS u ORDER BY u.id
-- run: TABLE
TABLE users ORDER BY id
-- run: TABLE in a set operation
TABLE users UNION ALL (TABLE ONLY users) ORDER BY id LIMIT 3
-- run: quoted name
SELECT "ssn" FROM "users" ORDER BY "id"
-- run: unicode name
SELECT U&"s\0073n" FROM U&"us\0065rs" ORDER BY id
-- run: unicode name with another escape
SELECT ssn FROM U&"us!0065rs" UESCAPE '!' ORDER BY id
-- run: ONLY
SELECT ssn FROM ONLY users ORDER BY id
-- run: ONLY with parentheses
SELECT u.ssn FROM ONLY (app.users) AS u ORDER BY id
-- run: descendants asked for
SELECT phone FROM people * ORDER BY id
-- run: schema
SELECT app.users.ssn FROM app.users ORDER BY app.users.id
-- run: star with schema
SELECT app.users.* FROM app.users ORDER BY id
-- run: schema, and comments between
SELECT /* a */ app /* b */ . users -- c
 . ssn FROM /* d */ app /* e */ . /* f */ users ORDER BY id
-- run: upper case
SELECT SSN FROM Users ORDER BY ID
-- run: DISTINCT
SELECT DISTINCT ssn FROM users
-- run: DISTINCT ON
SELECT DISTINCT ON (ssn) ssn FROM users ORDER BY ssn
-- run: GROUP BY
SELECT ssn, count(*) FROM users GROUP BY ssn ORDER BY ssn
-- run: ORDER BY
SELECT ssn FROM users ORDER BY ssn
-- run: JOIN USING on the masked column
SELECT count(*) FROM users a JOIN users b USING (ssn)
-- run: JOIN USING with an alias
SELECT j.ssn FROM users a JOIN users b USING (id, ssn) AS j ORDER BY id
-- run: NATURAL JOIN
SELECT ssn FROM users a NATURAL FULL JOIN users b ORDER BY id
-- run: LATERAL
SELECT l.x FROM users u, LATERAL (SELECT u.ssn AS x) l ORDER BY u.id
-- run: composite field
SELECT (u).ssn FROM users u ORDER BY (u).id
-- run: composite star
SELECT (u).* FROM users u ORDER BY u.id
-- deny: functional notation
SELECT ssn(u) FROM users u
-- run: cast of the same type
SELECT ssn::varchar(11) FROM users ORDER BY id
-- run: sub-query
SELECT x FROM (SELECT ssn AS x, id FROM users) q ORDER BY id
-- run: CTE
WITH q AS (SELECT ssn, id FROM users) SELECT * FROM q ORDER BY id
-- run: CTE materialized
WITH q AS MATERIALIZED (SELECT ssn, id FROM users) SELECT * FROM q ORDER BY id
-- run: CTE named like the table, which reads the table
WITH users AS (SELECT ssn, id FROM users) SELECT * FROM users ORDER BY id
-- run: CTE named like the table in an inner query only
SELECT ssn FROM users WHERE id IN (WITH users AS (SELECT 1 AS id) SELECT id FROM users) ORDER BY id
-- run: CTE of a later name
WITH a AS (SELECT * FROM users), users AS (SELECT 1 AS one) SELECT a.ssn FROM a, users ORDER BY id
-- run: recursive CTE
WITH RECURSIVE r(id, s) AS (SELECT id, ssn::text FROM users WHERE id = 1 UNION ALL SELECT r.id + 1, u.ssn FROM r JOIN users u ON u.id = r.id + 1) SELECT * FROM r
-- run: scalar sub-query
SELECT (SELECT ssn FROM users WHERE id = 1)
-- run: EXISTS
SELECT EXISTS (SELECT FROM users WHERE ssn LIKE '007%')
-- run: IN
SELECT '007-65-4001' IN (SELECT ssn FROM users)
-- run: ANY
SELECT '007-65-4001' = ANY (SELECT ssn FROM users)
-- run: ARRAY of a sub-query
SELECT ARRAY(SELECT ssn FROM users ORDER BY id)
-- run: UNION
SELECT ssn FROM users UNION SELECT note FROM orders WHERE id = 1
-- run: UNION ALL, INTERSECT, EXCEPT
SELECT ssn FROM users INTERSECT SELECT ssn FROM users EXCEPT SELECT 'x'
-- run: unnest
SELECT unnest(array_agg(ssn)) FROM users
-- run: unnest of a masked array
SELECT unnest(tags) FROM users
-- run: varchar
SELECT ssn::varchar || '' FROM users ORDER BY id
-- run: COLLATE
SELECT ssn COLLATE "C" FROM users ORDER BY id
-- run: CASE
SELECT CASE WHEN true THEN ssn END FROM users ORDER BY id
-- run: coalesce and nullif
SELECT coalesce(ssn, 'x'), nullif(ssn, 'x'), greatest(ssn, '') FROM users ORDER BY id
-- run: min and max
SELECT min(ssn), max(ssn), min(born), max(salary) FROM users
-- run: window
SELECT lag(ssn) OVER (ORDER BY id), first_value(ssn) OVER () FROM users ORDER BY id
-- run: window ordered by the masked column
SELECT id, rank() OVER (ORDER BY ssn, id) FROM users ORDER BY id
-- run: string_agg
SELECT string_agg(ssn, ',' ORDER BY id) FROM users
-- run: string_agg of ids by group
SELECT string_agg(id::text, ',' ORDER BY id) FROM users GROUP BY ssn
-- run: array_agg, json_agg
SELECT array_agg(ssn ORDER BY id), json_agg(ssn ORDER BY id), jsonb_object_agg(id, ssn) FROM users
-- run: row_to_json
SELECT row_to_json(u) FROM users u ORDER BY id
-- run: row
SELECT row(ssn, id) FROM users ORDER BY id
-- run: row of star
SELECT row(u.*) FROM users u ORDER BY id
-- run: jsonb path
SELECT to_jsonb(u) ->> 'ssn', jsonb_path_query(to_jsonb(u), '$.ssn') FROM users u ORDER BY id
-- run: json_each_text
SELECT e.* FROM users u, json_each_text(row_to_json(u)) e ORDER BY u.id, e.key
-- run: xmltable
SELECT x.v FROM users u, xmltable('/r/v' PASSING xmlelement(name r, xmlelement(name v, u.ssn)) COLUMNS v text PATH '.') x
-- run: encode and reverse
SELECT encode(ssn::bytea, 'hex'), reverse(ssn), md5(ssn), overlay(ssn PLACING 'x' FROM 1), substring(ssn FROM 1 FOR 3) FROM users ORDER BY id
-- run: format with a secret
SELECT format('%s %I', ssn, ssn) FROM users ORDER BY id
-- run: length
SELECT length(ssn), octet_length(photo), pg_column_size(ssn) FROM users ORDER BY id
-- run: every masked type
SELECT born, salary, mood, tags, profile, photo, ssn_end, mail FROM users ORDER BY id
-- run: generated column
SELECT ssn_end FROM users WHERE ssn_end = '4001'
-- run: partial mask
SELECT card FROM users WHERE card LIKE '%1001' ORDER BY id
-- run: partial mask as an oracle on what is hidden
SELECT card FROM users WHERE card LIKE '4111%' ORDER BY id
-- run: whole row
SELECT u FROM users u ORDER BY u.id
-- run: whole row without an alias
SELECT users FROM users ORDER BY id
-- run: whole row in a derived table
SELECT q.u FROM (SELECT u, id FROM users u) q ORDER BY q.id
-- run: whole row cast to its type
SELECT (u::users).ssn FROM users u ORDER BY id
-- run: whole row compared
SELECT u.id FROM users u WHERE u IS NOT NULL ORDER BY u
-- run: whole row counted
SELECT count(DISTINCT u) FROM users u
-- run: view
SELECT s, c FROM v_users ORDER BY id
-- run: view star
SELECT * FROM v_users ORDER BY id
-- run: view with a predicate on the masked output
SELECT id FROM v_users WHERE s LIKE '9%' OR s LIKE '0%'
-- run: view with a scalar sub-query
SELECT * FROM v_orders ORDER BY id
-- run: view on a view
SELECT * FROM v_of_v ORDER BY id
-- deny: view that filters
SELECT * FROM v_filter
-- deny: view that groups
SELECT * FROM v_group
-- deny: view that sorts
SELECT * FROM v_sorted
-- run: view of a union
SELECT * FROM v_union ORDER BY id, 2
-- deny: view of a distinct union
SELECT * FROM v_union_distinct
-- run: view with a CTE
SELECT * FROM v_cte ORDER BY id
-- run: view with LATERAL
SELECT * FROM v_lateral ORDER BY id
-- run: view with a whole row
SELECT * FROM v_row ORDER BY id
-- deny: view that makes rows
SELECT * FROM v_unnest
-- deny: view that calls a function
SELECT * FROM v_function
-- run: materialized view
SELECT * FROM mv_users ORDER BY id
-- run: partition parent
SELECT iban FROM payments ORDER BY id
-- run: partition
SELECT iban FROM payments_2025 ORDER BY id
-- run: partition pruned by the masked column
SELECT count(*) FROM payments WHERE iban LIKE 'DE%'
-- run: inheritance child
SELECT phone FROM staff ORDER BY id
-- run: inheritance parent of a masked child
SELECT phone FROM people ORDER BY id
-- run: inheritance parent alone
SELECT phone FROM ONLY people ORDER BY id
-- run: a name with quotes and blanks
SELECT "The Secret" FROM "Odd ""Name"
-- run: a name with quotes, star
SELECT * FROM app."Odd ""Name" AS "a""b"
-- deny: row security by a masked column
SELECT id FROM watched
-- deny: scalar function
SELECT peek(1)
-- deny: set-returning function
SELECT * FROM all_users()
-- deny: function in the shape of a column
SELECT o.order_owner FROM orders o
-- deny: function in the shape of a field
SELECT (o).order_owner FROM orders o
-- deny: user-defined operator
SELECT '007-65-4001'::text =~= 'x'::text
-- deny: user-defined operator with its schema
SELECT '007-65-4001'::text OPERATOR(app.=~=) 'x'::text
-- deny: query_to_xml
SELECT query_to_xml('SELECT ssn FROM app.users', true, true, '')
-- deny: table_to_xml
SELECT table_to_xml('app.users', true, true, '')
-- deny: database_to_xml
SELECT database_to_xml(true, true, '')
-- deny: cursor_to_xml
SELECT cursor_to_xml('c', 1, true, true, '')
-- deny: ts_stat
SELECT * FROM ts_stat('SELECT to_tsvector(ssn) FROM app.users')
-- deny: ts_rewrite
SELECT ts_rewrite('a'::tsquery, 'SELECT ssn::tsquery, ssn::tsquery FROM app.users')
-- deny: pg_read_file
SELECT pg_read_file('base/1/1259')
-- deny: qualified pg_read_file
SELECT pg_catalog.pg_read_binary_file('base/1/1259')
-- deny: pg_ls_dir
SELECT pg_ls_dir('.')
-- deny: lo_import
SELECT lo_import('/etc/passwd')
-- deny: lo_get
SELECT lo_get(1)
-- deny: current_query
SELECT current_query(), ssn FROM users
-- deny: INSERT … SELECT
INSERT INTO plain (id, a) SELECT id + 100, ssn FROM users
-- deny: INSERT … SELECT *
INSERT INTO plain SELECT * FROM users
-- deny: UPDATE from a masked relation
UPDATE plain SET a = u.ssn FROM users u WHERE u.id = plain.id
-- deny: UPDATE another column of the same row
UPDATE users SET name = ssn
-- deny: UPDATE with a masked condition
UPDATE users SET name = 'x' WHERE ssn LIKE '0%'
-- deny: UPDATE with an alias and a masked condition
UPDATE users AS t SET name = 'x' WHERE t.ssn LIKE '0%'
-- deny: UPDATE with a whole row
UPDATE users SET name = row_to_json(users)::text
-- deny: UPDATE by a correlated sub-query
UPDATE users SET name = (SELECT users.ssn) WHERE id = 1
-- deny: DELETE with a masked condition
DELETE FROM users WHERE ssn LIKE '0%'
-- deny: DELETE USING
DELETE FROM plain USING users u WHERE u.ssn = plain.a
-- run: RETURNING the masked column
UPDATE users SET name = 'x' WHERE id = 1 RETURNING ssn
-- run: RETURNING star
UPDATE users SET name = 'x' WHERE id = 1 RETURNING *
-- deny: RETURNING the row
DELETE FROM users WHERE id = 1 RETURNING users
-- run: RETURNING in a CTE
WITH q AS (UPDATE users SET name = name RETURNING ssn) SELECT * FROM q
-- run: RETURNING of an alias
UPDATE users u SET name = name RETURNING u.*
-- deny: ON CONFLICT
INSERT INTO users (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = users.ssn
-- deny: ON CONFLICT by the masked column
INSERT INTO users (id, name) VALUES (1, 'x') ON CONFLICT (ssn) DO NOTHING
-- deny: a guess at a unique column
INSERT INTO users (id, name, ssn) VALUES (1000, 'x', '007-65-4001')
-- deny: a guess without column names
INSERT INTO users VALUES (1000, 'x', '007-65-4001')
-- deny: a guess by UPDATE
UPDATE users SET ssn = '007-65-4001' WHERE id = 2
-- deny: a guess by a foreign key
INSERT INTO ssn_notes VALUES ('007-65-4001', 'x')
-- deny: MERGE
MERGE INTO plain p USING users u ON u.id = p.id WHEN MATCHED THEN UPDATE SET a = u.ssn
-- deny: MERGE on the masked relation
MERGE INTO users u USING plain p ON u.id = p.id AND u.ssn LIKE '0%' WHEN MATCHED THEN DELETE
-- deny: CTAS
CREATE TABLE stolen AS SELECT ssn FROM users
-- deny: CTAS, row
CREATE TABLE stolen AS SELECT u FROM users u
-- deny: SELECT INTO
SELECT ssn INTO stolen FROM users
-- deny: temporary table
CREATE TEMP TABLE stolen AS TABLE users
-- deny: materialized view made
CREATE MATERIALIZED VIEW stolen AS SELECT ssn FROM users
-- deny: view made
CREATE VIEW stolen AS SELECT ssn FROM users
-- deny: view of what is not masked
CREATE VIEW stolen AS SELECT id FROM users
-- deny: rule
CREATE RULE r AS ON UPDATE TO plain DO ALSO SELECT ssn FROM users
-- deny: function
CREATE FUNCTION steal2() RETURNS text LANGUAGE sql AS 'SELECT ssn::text FROM app.users LIMIT 1'
-- deny: trigger
CREATE TRIGGER t BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()
-- deny: policy
CREATE POLICY p ON plain USING (EXISTS (SELECT FROM users WHERE ssn LIKE '0%'))
-- deny: index as an oracle
CREATE UNIQUE INDEX ON users ((left(ssn, 1)))
-- deny: check as an oracle
ALTER TABLE users ADD CHECK (ssn <> '007-65-4001')
-- deny: renamed column
ALTER TABLE users RENAME COLUMN ssn TO harmless
-- deny: renamed table
ALTER TABLE users RENAME TO harmless
-- deny: renamed schema
ALTER SCHEMA app RENAME TO harmless
-- deny: moved table
ALTER TABLE users SET SCHEMA other
-- deny: column type
ALTER TABLE users ALTER COLUMN ssn TYPE int USING ssn::int
-- deny: a child of a masked relation
CREATE TABLE child () INHERITS (users)
-- deny: a copy of its form
CREATE TABLE copied (LIKE users INCLUDING ALL)
-- run: DECLARE and FETCH
BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM users ORDER BY id; FETCH 3 FROM c; MOVE 2 FROM c; FETCH ALL FROM c; COMMIT
-- run: cursor over an expression
BEGIN
-- then
DECLARE c CURSOR WITH HOLD FOR SELECT ssn || 'x', u FROM users u ORDER BY id
-- then
FETCH ALL FROM c
-- then
COMMIT
-- deny: PREPARE and EXECUTE
PREPARE p AS SELECT ssn FROM users WHERE id = $1
-- then
EXECUTE p (1)
-- then
EXPLAIN EXECUTE p (1)
-- then
DEALLOCATE p
-- run: prepared with a parameter of the masked type
PREPARE p AS SELECT id FROM users WHERE ssn = $1 AND born < $2 AND salary > $3
-- then
EXECUTE p ('007-65-4001', now()::date, 1)
-- then
DEALLOCATE p
-- run: prepared statements shown
SELECT statement FROM pg_prepared_statements
-- run: cursors shown
SELECT statement FROM pg_cursors
-- run: COPY
COPY users TO STDOUT
-- run: COPY columns
COPY app.users (id, ssn) TO STDOUT WITH (FORMAT csv, HEADER)
-- run: COPY query
COPY (SELECT ssn, u FROM users u ORDER BY id) TO STDOUT (FORMAT csv)
-- run: COPY binary
COPY users (id, born, salary, tags) TO STDOUT (FORMAT binary)
-- deny: COPY, old form
COPY BINARY users TO STDOUT
-- deny: COPY view
COPY v_users TO STDOUT
-- deny: COPY partitioned
COPY payments TO STDOUT
-- run: COPY partition
COPY payments_2025 TO STDOUT
-- run: COPY TABLE
COPY (TABLE users) TO STDOUT
-- run: COPY of a writing query
COPY (UPDATE users SET name = name RETURNING ssn) TO STDOUT
-- deny: COPY to a program
COPY users TO PROGRAM 'cat > /tmp/x'
-- deny: COPY to a file
COPY (SELECT 1) TO '/tmp/x'
-- deny: COPY from a file
COPY plain FROM '/etc/passwd'
-- fail: a cast error
SELECT ssn::int FROM users
-- fail: to_date
SELECT to_date(ssn, 'YYYY') FROM users
-- fail: a check that shows the row
UPDATE users SET name = NULL WHERE id = 1
-- deny: DO
DO $$BEGIN RAISE NOTICE '%', (SELECT ssn FROM app.users LIMIT 1); END$$
-- deny: CALL
CALL tell()
-- run: set_config
SELECT set_config('application_name', ssn, false) FROM users WHERE id = 1
-- deny: set_config of one's own
SELECT set_config('a.b', ssn, false) FROM users WHERE id = 1
-- deny: set_config of a name that is not known
SELECT set_config(name, 'x', false) FROM users WHERE id = 1
-- deny: current_setting of one's own
SELECT current_setting('a.b', true)
-- deny: SET of one's own
SET a.b = 'x'
-- deny: SHOW of one's own
SHOW a.b
-- run: pg_notify
SELECT pg_notify('c', ssn) FROM users WHERE id = 1
-- deny: pg_stats
SELECT most_common_vals FROM pg_stats WHERE tablename = 'users'
-- deny: pg_statistic
SELECT * FROM pg_catalog.pg_statistic
-- deny: pg_statistic_ext_data
SELECT * FROM pg_statistic_ext_data
-- run: pg_stat_activity
SELECT query FROM pg_stat_activity WHERE query LIKE '%ssn%'
-- deny: pg_stat_get_activity
SELECT query FROM pg_stat_get_activity(NULL)
-- deny: EXPLAIN
EXPLAIN SELECT * FROM users WHERE ssn LIKE '0%'
-- deny: EXPLAIN ANALYZE of a view
EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM v_users
-- deny: EXPLAIN of a write
EXPLAIN UPDATE users SET name = 'x' WHERE ssn = '1'
-- run: LIKE oracle
SELECT id FROM users WHERE ssn LIKE '007%'
-- run: division oracle
SELECT 1 / (CASE WHEN ssn LIKE '007%' THEN 0 ELSE 1 END) FROM users
-- run: overflow oracle
SELECT (salary * 1e100)::int FROM users
-- run: sort oracle
SELECT id FROM users ORDER BY ssn, id
-- run: LIMIT oracle
SELECT id FROM users ORDER BY id LIMIT (SELECT count(*) FROM users WHERE ssn LIKE '0%')
-- run: lock oracle
SELECT id FROM users WHERE ssn LIKE '0%' FOR UPDATE
-- run: FOR SHARE
SELECT * FROM users ORDER BY id FOR SHARE
-- deny: ctid
SELECT ctid FROM users
-- deny: xmin
SELECT u.xmin FROM users u
-- deny: tableoid
SELECT tableoid::regclass, phone FROM people
-- deny: TABLESAMPLE
SELECT ssn FROM users TABLESAMPLE system (100)
-- deny: search_path in the same text
SET search_path = other; SELECT * FROM users
-- run: temporary table of the same name
CREATE TEMP TABLE users (id int)
-- then
SELECT * FROM users
-- then
SELECT ssn FROM app.users ORDER BY id
-- then
DROP TABLE pg_temp.users
-- deny: strings read otherwise
SET standard_conforming_strings = off
-- deny: another encoding
SET client_encoding = 'SJIS'
-- deny: plan trees sent
SET debug_print_plan = on
-- deny: toast
SELECT * FROM pg_toast.pg_toast_1255
-- deny: foreign server
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw
-- deny: extension
CREATE EXTENSION dblink
-- deny: LOAD
LOAD 'auto_explain'
-- deny: ALTER SYSTEM
ALTER SYSTEM SET log_statement = 'all'
-- fail: alias in a join
SELECT j.* FROM (users u JOIN orders o ON o.user_id = u.id) AS j ORDER BY 1, o_id LIMIT 1
-- run: renamed columns of a join
SELECT j.c FROM (users u JOIN orders o ON o.user_id = u.id) AS j(a, b, c) LIMIT 3
-- run: self join
SELECT a.ssn, b.ssn FROM users a, users b WHERE a.id = b.id ORDER BY a.id
-- run: VALUES with a sub-query
VALUES ((SELECT ssn FROM users WHERE id = 1), (SELECT max(card) FROM users))
-- run: GROUPING SETS
SELECT ssn, mood, count(*) FROM users GROUP BY GROUPING SETS ((ssn), (mood), ()) ORDER BY 1, 2
-- run: FILTER
SELECT count(*) FILTER (WHERE ssn LIKE '0%') FROM users
-- run: HAVING
SELECT count(*) FROM users HAVING max(ssn) > '5'
-- run: percentile
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY salary) FROM users
-- run: json constructors
SELECT json_build_object('s', ssn, 'u', u), jsonb_build_array(u) FROM users u ORDER BY id
-- run: record functions
SELECT concat(u), quote_literal(u), u = u FROM users u ORDER BY id
-- run: rows from
SELECT * FROM ROWS FROM (generate_series(1, 2), unnest(ARRAY(SELECT ssn FROM users ORDER BY id LIMIT 2))) AS t(a, b)
-- run: sub-query in a function of FROM
SELECT * FROM generate_series(1, (SELECT length(max(card)) FROM users))
-- deny: sub-query in DEFAULT position of INSERT
INSERT INTO plain (id, a) VALUES (999, (SELECT ssn FROM users WHERE id = 1))
-- deny: through an UPDATE of several columns
UPDATE plain SET (a, b) = (SELECT ssn, 1 FROM users WHERE id = 1)
-- deny: EXISTS in DELETE
DELETE FROM plain WHERE EXISTS (SELECT FROM users u WHERE u.ssn LIKE '0%' AND u.id = plain.id)
-- run: a write that reads what is not masked
UPDATE plain SET a = u.name FROM users u WHERE u.id = plain.id
-- run: a write to what is not masked, by key
UPDATE users SET name = 'changed' WHERE id = 3 RETURNING id, name
-- run: an INSERT of what is not masked
INSERT INTO users (id, name) VALUES (500, 'new') RETURNING id
-- run: a DELETE by key
DELETE FROM users WHERE id = 20 AND NOT EXISTS (SELECT FROM orders o WHERE o.user_id = users.id)
-- fail: TRUNCATE
TRUNCATE mv_users
-- run: statistics built
ANALYZE users
-- run: LOCK
BEGIN; LOCK TABLE users IN ACCESS SHARE MODE; COMMIT
-- run: empty text
;
-- deny: primary key shortcut
SELECT id, name FROM users GROUP BY id
-- deny: primary key shortcut of an alias
SELECT u.id, u.name, count(o.id) FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id
-- run: grouped in full
SELECT u.id, u.name AS n, count(o.id) FROM users u LEFT JOIN orders o ON o.user_id = u.id GROUP BY u.id, n ORDER BY 1
-- run: a setting whose name is made
SELECT current_setting(lower('Server_') || 'version_num')::int > 0
-- fail: a setting of one's own whose name is made
SELECT current_setting('a' || '.' || 'b')
-- run: sessions
SELECT DISTINCT usename, query FROM pg_stat_activity WHERE backend_type = 'client backend'
-- deny: a view on statistics
SELECT * FROM v_stats
-- deny: a view on sessions
SELECT * FROM v_sessions
-- deny: a view with an operator of one's own
SELECT * FROM v_operator
-- run: with rights on some columns
BEGIN; SET LOCAL ROLE narrow
-- then
SELECT id, ssn, card FROM users ORDER BY id
-- then
COMMIT
-- run: RETURNING under another name
INSERT INTO users (id, name) VALUES (900, 'x') RETURNING id, ssn AS s, users.card c, upper(name), users.*
-- deny: RETURNING an expression
UPDATE users SET name = 'x' WHERE id = 1 RETURNING ssn || ''
-- deny: RETURNING with other sources
UPDATE users SET name = o.note FROM orders o WHERE o.id = users.id RETURNING ssn
-- deny: RETURNING a sub-query
DELETE FROM ssn_notes RETURNING (SELECT max(ssn) FROM users)
-- deny: RETURNING star with other sources
UPDATE orders SET note = u.name FROM users u WHERE u.id = orders.user_id RETURNING *
-- deny: RETURNING into another write
WITH q AS (UPDATE users SET name = name RETURNING id, ssn) INSERT INTO plain (id, a) SELECT id + 100, ssn FROM q
-- run: a CTE of one side of a set operation
(WITH users AS (SELECT 'x'::varchar AS ssn) SELECT ssn FROM users) UNION ALL SELECT ssn FROM users
-- run: a CTE of a sub-query, then the table
SELECT q.ssn, u.ssn FROM (WITH users AS (SELECT 'x' AS ssn) SELECT ssn FROM users) q, users u ORDER BY u.id
-- run: a CTE that a later one hides
WITH users AS (SELECT ssn FROM users), q AS (WITH users AS (SELECT 'y' AS ssn) SELECT * FROM users) SELECT * FROM q, users
-- run: a recursive CTE that is named later
WITH RECURSIVE a AS (SELECT ssn FROM users), users AS (SELECT 'x' AS ssn) SELECT * FROM a
-- run: a CTE and the table with its schema
WITH users AS (SELECT 1 AS id) SELECT users.id, (SELECT max(u.ssn) FROM app.users u) FROM users
-- run: a write whose target is named like a CTE
WITH plain AS (SELECT 1 AS id) UPDATE plain SET a = 'x' FROM plain AS source WHERE source.id = plain.id
-- deny: a CTE named like the target of a write
WITH users AS (SELECT 1 AS id) DELETE FROM users WHERE ssn LIKE '0%'
-- deny: a CTE of a write that reads the table
WITH q AS (INSERT INTO plain (id, a) VALUES (900, 'x') RETURNING a) SELECT ssn FROM users, q
-- deny: a domain that calls a function
SELECT '007-65-4001'::known_ssn
-- deny: an array of such a domain
SELECT NULL::app.known_ssn[]
-- deny: a column of such a domain
INSERT INTO with_domain VALUES (1, 'x')
-- deny: a row with such a domain
SELECT json_populate_record(NULL::with_domain, '{"note": "x"}')
-- deny: a trigger
INSERT INTO noted (id) VALUES (1) RETURNING note
-- deny: a default
INSERT INTO defaulted (id) VALUES (1) RETURNING note
-- deny: a check
INSERT INTO checked VALUES (1, '007-65-4001')
-- deny: an index
INSERT INTO indexed VALUES (1)
-- deny: row security by a function
SELECT * FROM rows_by_function
-- deny: a cast of a row
SELECT c::text FROM castable c
-- deny: a cast that is not written
SELECT upper(c) FROM castable c
-- deny: a cast in a view
SELECT * FROM v_cast
-- deny: plan trees sent by a function
SELECT set_config('client_min_messages', 'log', false), set_config('Debug_print_plan', 'on', false)
-- deny: plan trees sent by a name that is made
SELECT set_config('debug_print_' || 'plan', 'on', false)
-- deny: statements sent as log messages
SET client_min_messages = log; SET log_statement = 'all'
