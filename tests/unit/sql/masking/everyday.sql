-- run: plain
SELECT * FROM plain ORDER BY id
-- run: no relation
SELECT 1
-- run: literal types
SELECT 1, 1.5, 'a', NULL, true, DATE '2026-01-01', INTERVAL '1 day', B'101', E'a\nb', $$x$$, ARRAY[1, 2], ROW(1, 'a')
-- run: session facts
SELECT current_database(), current_user, session_user, current_schema, version() IS NOT NULL
-- run: arithmetic
SELECT id, b * 2 + 1, -b, b % 3, b ^ 2, |/ b FROM plain ORDER BY id
-- run: text functions
SELECT lower(a), upper(a), length(a), substr(a, 2, 3), substring(a from 1 for 2), position('x' in a), trim(both 't' from a), replace(a, 't', 's'), split_part(a, ' ', 2), left(a, 2), right(a, 1), repeat(a, 2), lpad(a, 10, '.'), concat_ws('-', a, b), format('%s:%s', a, b), initcap(a), md5(a) FROM plain ORDER BY id
-- run: dates
SELECT extract(year from made), date_trunc('month', made), made + interval '1 day', age(made, date '2025-01-01'), to_char(made, 'YYYY-MM'), made AT TIME ZONE 'UTC' FROM plain ORDER BY id
-- run: json
SELECT js -> 'n', js ->> 'n', js #> '{x,0}', js @> '{"n": 1}', jsonb_array_length(js -> 'x'), js ? 'n', jsonb_pretty(js) FROM plain ORDER BY id
-- run: jsonb each
SELECT p.id, e.key, e.value FROM plain p, jsonb_each(p.js) AS e ORDER BY 1, 2
-- run: arrays
SELECT arr[1], arr[1:2], array_length(arr, 1), 3 = ANY (arr), arr || 9, unnest(arr) FROM plain ORDER BY id
-- run: aggregates
SELECT b, count(*), count(DISTINCT a), sum(id), avg(id), min(a), max(made), string_agg(a, ',' ORDER BY id), array_agg(id ORDER BY id), bool_and(id > 0) FROM plain GROUP BY b ORDER BY b
-- run: filter and having
SELECT b, count(*) FILTER (WHERE id > 10) FROM plain GROUP BY b HAVING count(*) > 2 ORDER BY b
-- run: primary key shortcut
SELECT id, a, b FROM plain GROUP BY id ORDER BY id
-- run: grouping sets
SELECT b, made > '2026-01-15', count(*), grouping(b) FROM plain GROUP BY ROLLUP (b, made > '2026-01-15') ORDER BY 1, 2
-- run: windows
SELECT id, row_number() OVER w, rank() OVER w, lag(a) OVER w, sum(b) OVER (PARTITION BY b ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM plain WINDOW w AS (ORDER BY id) ORDER BY id
-- run: joins
SELECT p.a, o.amount FROM plain p JOIN orders o ON o.user_id = p.id ORDER BY o.id
-- run: left join using
SELECT id, p.a, o.note FROM plain p LEFT JOIN orders o USING (id) ORDER BY id
-- run: natural join
SELECT count(*) FROM plain NATURAL JOIN orders
-- run: full join
SELECT count(*) FROM plain p FULL JOIN orders o ON p.id = o.user_id
-- run: cross join lateral
SELECT p.id, x.n FROM plain p CROSS JOIN LATERAL (SELECT count(*) AS n FROM orders o WHERE o.user_id = p.id) x ORDER BY p.id
-- run: self join with aliases
SELECT a.id, b.id FROM plain a, plain b WHERE a.id = b.id + 1 ORDER BY 1
-- run: same table name in another schema
SELECT * FROM other.users
-- run: qualified columns
SELECT app.plain.a, plain.b FROM app.plain ORDER BY plain.id
-- run: quoted aliases
SELECT "p"."a" AS "The A" FROM "plain" AS "p" ORDER BY 1
-- run: columns renamed
SELECT x, y FROM plain AS t(x, y) ORDER BY x
-- run: whole row
SELECT p FROM plain p ORDER BY p.id
-- run: row to json
SELECT row_to_json(p), to_jsonb(p) FROM plain p ORDER BY p.id
-- run: composite field
SELECT (p).a FROM plain p ORDER BY (p).id
-- run: type of the table
SELECT (NULL::plain).a, pg_typeof(p) FROM plain p LIMIT 1
-- run: json populate
SELECT * FROM json_populate_record(NULL::plain, '{"id": 1, "a": "x"}')
-- run: sub-queries
SELECT id, (SELECT max(amount) FROM orders o WHERE o.user_id = p.id) FROM plain p WHERE EXISTS (SELECT 1 FROM orders WHERE user_id = p.id) AND id IN (SELECT user_id FROM orders) ORDER BY id
-- run: CTE
WITH q AS (SELECT * FROM plain WHERE b = 1), r AS (SELECT count(*) AS n FROM q) SELECT q.id, r.n FROM q, r ORDER BY 1
-- run: CTE named like a table
WITH plain AS (SELECT 1 AS one) SELECT * FROM plain
-- run: recursive CTE
WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 10) SELECT sum(n) FROM t
-- run: VALUES
VALUES (1, 'a'), (2, 'b')
-- run: set operations
SELECT b FROM plain UNION SELECT user_id FROM orders INTERSECT SELECT 1 ORDER BY 1
-- run: TABLE
TABLE plain ORDER BY id LIMIT 2
-- run: ONLY
SELECT count(*) FROM ONLY plain
-- run: sample
SELECT count(*) FROM plain TABLESAMPLE system (100)
-- run: distinct on
SELECT DISTINCT ON (b) b, id FROM plain ORDER BY b, id
-- run: limit and offset
SELECT id FROM plain ORDER BY id OFFSET 3 ROWS FETCH NEXT 2 ROWS ONLY
-- run: case and coalesce
SELECT CASE WHEN b > 2 THEN 'big' ELSE 'small' END, coalesce(a, 'x'), nullif(b, 1), greatest(b, 2) FROM plain ORDER BY id
-- run: patterns
SELECT id FROM plain WHERE a LIKE '%1%' AND a ~ '^text' AND a NOT ILIKE '%Z%' AND a SIMILAR TO 'text%' ORDER BY id
-- run: between, in, is distinct
SELECT id FROM plain WHERE id BETWEEN 3 AND 9 AND b IN (1, 2, 3) AND a IS DISTINCT FROM 'x' ORDER BY id
-- run: generate series
SELECT d::date FROM generate_series(date '2026-01-01', date '2026-01-05', interval '1 day') AS d
-- run: rows from with ordinality
SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) WITH ORDINALITY AS t(a, b, n)
-- run: function in FROM without alias
SELECT * FROM generate_series(1, 3)
-- run: system columns
SELECT ctid, tableoid::regclass FROM plain ORDER BY id LIMIT 2
-- run: lock
SELECT id FROM plain WHERE id = 1 FOR UPDATE OF plain
-- run: lock, skip
SELECT id FROM plain ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
-- run: explain
EXPLAIN (COSTS OFF) SELECT a FROM plain WHERE id = 1
-- run: view
SELECT * FROM v_plain ORDER BY id
-- run: row security
SELECT * FROM guarded ORDER BY id
-- run: insert
INSERT INTO plain (id, a) VALUES (1000, 'new'), (1001, DEFAULT) RETURNING *
-- run: insert select
INSERT INTO plain (id, a) SELECT id + 2000, a FROM plain WHERE id < 4 RETURNING id, a
-- run: insert with default sequence
INSERT INTO orders (user_id, amount) VALUES (1, 3) RETURNING amount, made
-- run: upsert
INSERT INTO plain AS p (id, a) VALUES (1, 'up') ON CONFLICT (id) DO UPDATE SET a = excluded.a || p.a RETURNING p.*
-- run: update
UPDATE plain SET a = a || '!', b = b + 1 WHERE id < 5 RETURNING id, a, b
-- run: update from
UPDATE plain p SET a = o.note FROM orders o WHERE o.id = p.id RETURNING p.id, p.a
-- run: update many
UPDATE plain SET (a, b) = ROW ('x', 2) WHERE id = 1 RETURNING a, b
-- run: update by a row of a query
UPDATE plain SET (a, b) = (SELECT lower(o.note), o.id FROM orders o WHERE o.id = plain.id) WHERE id < 3 RETURNING a, b
-- run: delete
DELETE FROM plain WHERE id = 3 RETURNING *
-- run: delete using
DELETE FROM plain USING orders o WHERE o.id = plain.id AND o.amount > 10
-- run: writing CTE
WITH gone AS (DELETE FROM plain WHERE id = 4 RETURNING *) INSERT INTO plain (id, a) SELECT id + 100, a FROM gone RETURNING *
-- run: copy out
COPY plain TO STDOUT
-- run: copy query
COPY (SELECT id, a FROM plain ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER, DELIMITER ';')
-- run: copy in
COPY plain (id, a) FROM STDIN
-- run: cursor
BEGIN; DECLARE c CURSOR FOR SELECT id FROM plain ORDER BY id; FETCH 2 FROM c; CLOSE c; COMMIT
-- run: prepare
PREPARE q (int) AS SELECT a FROM plain WHERE id = $1; EXECUTE q (1); DEALLOCATE q
-- run: transaction
BEGIN; SAVEPOINT s; SELECT count(*) FROM plain; ROLLBACK TO s; RELEASE s; COMMIT
-- run: settings
SET application_name = 'x'; SHOW application_name; RESET application_name
-- run: settings of a driver
SET client_encoding TO 'UTF8'; SET standard_conforming_strings = on; SET extra_float_digits = 3; SET statement_timeout = 0; SET DateStyle = 'ISO'
-- run: isolation
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED
-- run: show
SHOW transaction_isolation
-- run: setting read
SELECT current_setting('server_version_num')::int > 0, set_config('search_path', 'app, public', false)
-- run: settings listed
SELECT name FROM pg_settings WHERE name = 'max_connections'
-- run: create table
CREATE TABLE made_here (id serial PRIMARY KEY, a text DEFAULT lower('X') CHECK (length(a) > 0), b int REFERENCES plain); INSERT INTO made_here (a) VALUES ('y'); SELECT * FROM made_here
-- run: temporary table
CREATE TEMP TABLE t (x int); INSERT INTO t VALUES (1); SELECT * FROM t; DROP TABLE t
-- run: CTAS
CREATE TEMP TABLE t AS SELECT id, a FROM plain ORDER BY id LIMIT 2; TABLE t
-- run: select into
SELECT id INTO TEMP t2 FROM plain WHERE id = 1
-- run: view made
CREATE VIEW made_view AS SELECT a FROM plain; SELECT count(*) FROM made_view
-- run: index
CREATE INDEX made_index ON plain (lower(a))
-- run: alter
ALTER TABLE plain ADD COLUMN made_column int DEFAULT 5; SELECT made_column FROM plain LIMIT 1
-- run: rename
ALTER TABLE plain RENAME COLUMN a TO aa
-- run: comment
COMMENT ON TABLE plain IS 'x'
-- run: grant
GRANT SELECT ON plain TO PUBLIC
-- run: truncate
TRUNCATE plain
-- run: vacuum's other half
ANALYZE plain
-- run: drop
DROP TABLE IF EXISTS nothing_here
-- run: listen
LISTEN c; NOTIFY c, 'x'; UNLISTEN *
-- run: advisory lock
SELECT pg_try_advisory_lock(1), pg_advisory_unlock(1)
-- run: sequence
SELECT nextval('orders_id_seq') > 0, currval('orders_id_seq') > 0
-- fail: a relation that is not there
SELECT * FROM alembic_version
-- fail: a schema that is not there
SELECT * FROM nothing.here
-- fail: a column that is not there
SELECT nothing FROM plain
-- fail: a syntax that only the server refuses
SELECT count(*), a FROM plain
-- fail: a function that is not there with these types
SELECT lower(1, 2)
-- fail: division by zero
SELECT 1 / 0
-- run: citext
SELECT 'ABC'::citext = 'abc', 'ABC'::citext LIKE 'a%', replace('ABC'::citext, 'b', 'x'), lower('ABC'::citext)
-- run: psql \dt
SELECT n.nspname as "Schema", c.relname as "Name", CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' END as "Type", pg_catalog.pg_get_userbyid(c.relowner) as "Owner" FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_am am ON am.oid = c.relam WHERE c.relkind IN ('r','p','') AND n.nspname <> 'pg_catalog' AND n.nspname !~ '^pg_toast' AND n.nspname <> 'information_schema' AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1,2
-- run: psql \d table, columns
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid, true) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef), a.attnotnull, (SELECT c.collname FROM pg_catalog.pg_collation c, pg_catalog.pg_type t WHERE c.oid = a.attcollation AND t.oid = a.atttypid AND a.attcollation <> t.typcollation) AS attcollation, a.attidentity, a.attgenerated FROM pg_catalog.pg_attribute a WHERE a.attrelid = 'app.users'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
-- run: psql \d table, indexes
SELECT c2.relname, i.indisprimary, i.indisunique, pg_catalog.pg_get_indexdef(i.indexrelid, 0, true), pg_catalog.pg_get_constraintdef(con.oid, true) FROM pg_catalog.pg_class c, pg_catalog.pg_class c2, pg_catalog.pg_index i LEFT JOIN pg_catalog.pg_constraint con ON (conrelid = i.indrelid AND conindid = i.indexrelid AND contype IN ('p','u','x')) WHERE c.oid = 'app.users'::regclass AND c.oid = i.indrelid AND i.indexrelid = c2.oid ORDER BY i.indisprimary DESC, c2.relname
-- run: psql \df
SELECT n.nspname, p.proname, pg_catalog.pg_get_function_result(p.oid), pg_catalog.pg_get_function_arguments(p.oid) FROM pg_catalog.pg_proc p LEFT JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE p.prokind = 'f' AND n.nspname = 'app' ORDER BY 1, 2
-- run: psql \l
SELECT d.datname, pg_catalog.pg_get_userbyid(d.datdba), pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate FROM pg_catalog.pg_database d ORDER BY 1
-- run: psql \du
SELECT r.rolname, r.rolsuper, ARRAY(SELECT b.rolname FROM pg_catalog.pg_auth_members m JOIN pg_catalog.pg_roles b ON (m.roleid = b.oid) WHERE m.member = r.oid) as memberof FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' ORDER BY 1
-- run: information_schema columns
SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'app' ORDER BY 1, 2, 3
-- run: information_schema keys
SELECT tc.table_name, kcu.column_name, ccu.table_name FROM information_schema.table_constraints AS tc JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage AS ccu ON ccu.constraint_name = tc.constraint_name WHERE tc.constraint_type = 'FOREIGN KEY' ORDER BY 1, 2, 3
-- run: SQLAlchemy has_table
SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace WHERE pg_catalog.pg_class.relname = 'plain' AND pg_catalog.pg_class.relkind = ANY (ARRAY['r', 'p', 'f', 'v', 'm']) AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid) AND pg_catalog.pg_namespace.nspname != 'pg_catalog'
-- run: psycopg type lookup
SELECT typname AS name, oid, typarray AS array_oid, oid::regtype::text AS regtype, typdelim AS delimiter FROM pg_type t WHERE t.oid = to_regtype('app.mood') ORDER BY t.oid
-- run: asyncpg type introspection
SELECT t.oid, ns.nspname, t.typname, t.typtype, (CASE WHEN t.typtype = 'd' THEN (WITH RECURSIVE typebases(oid, depth) AS (SELECT t2.typbasetype, 0 FROM pg_type t2 WHERE t2.oid = t.oid UNION ALL SELECT t2.typbasetype, tb.depth + 1 FROM pg_type t2, typebases tb WHERE tb.oid = t2.oid AND t2.typbasetype != 0) SELECT oid FROM typebases ORDER BY depth DESC LIMIT 1) END) AS basetype FROM pg_catalog.pg_type AS t INNER JOIN pg_catalog.pg_namespace ns ON (ns.oid = t.typnamespace) WHERE t.typname = 'email'
-- run: Django table list
SELECT c.relname, CASE WHEN c.relispartition THEN 'p' WHEN c.relkind IN ('m', 'v') THEN 'v' ELSE 't' END, obj_description(c.oid, 'pg_class') FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('f', 'm', 'p', 'r', 'v') AND n.nspname NOT IN ('pg_catalog', 'pg_toast') AND pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1
-- run: sizes
SELECT pg_size_pretty(pg_relation_size('plain')), pg_total_relation_size('app.plain') > 0
-- run: view text
SELECT pg_get_viewdef('v_plain'::regclass), viewname FROM pg_views WHERE schemaname = 'app' ORDER BY 2
-- run: activity of tables
SELECT relname, n_live_tup >= 0 FROM pg_stat_user_tables WHERE relname = 'plain'
-- run: locks
SELECT count(*) > 0 FROM pg_locks WHERE pid = pg_backend_pid()
-- run: comments
SELECT /* a */ id -- b
FROM /* users */ plain -- c
ORDER BY id
-- run: statements in one text
SELECT 1; SELECT a FROM plain WHERE id = 1; SELECT 2
-- run: national and dollar
SELECT N'x', $tag$ users $tag$, 'SELECT * FROM users'
-- run: type casts
SELECT '1'::int, CAST('2' AS bigint), int4 '3', '{1,2}'::int[], 'a'::"char", '(1,a)'::text, 5::numeric(4, 2), 'x'::varchar(3)
-- run: operators with schema
SELECT a OPERATOR(pg_catalog.||) 'x' FROM plain ORDER BY id
-- run: xml
SELECT xmlelement(name a, xmlattributes(a AS b), a), xmlforest(id, a) FROM plain ORDER BY id LIMIT 1
-- run: text search
SELECT to_tsvector('english', a) @@ to_tsquery('english', 'text'), ts_rank(to_tsvector('english', a), to_tsquery('english', 'text')), ts_headline('english', a, to_tsquery('english', 'text')) FROM plain ORDER BY id LIMIT 2
-- run: percentiles
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id), mode() WITHIN GROUP (ORDER BY b), regr_slope(id, b) FROM plain
-- run: hypothetical
SELECT rank(3) WITHIN GROUP (ORDER BY id) FROM plain
-- run: merge
MERGE INTO plain p USING (VALUES (1, 'm')) AS v(id, a) ON p.id = v.id WHEN MATCHED THEN UPDATE SET a = v.a WHEN NOT MATCHED THEN INSERT (id, a) VALUES (v.id, v.a)
-- run: several arrays at once
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) AS t(n, x)
-- run: case of a value
SELECT CASE b WHEN 1 THEN 'one' WHEN 2 THEN 'two' END, id IN (SELECT id FROM orders) FROM plain ORDER BY id
-- run: substring, overlay, position as plain calls
SELECT substring(a, 1, 2), overlay(a PLACING 'x' FROM 2 FOR 1), trim(a), btrim(a) FROM plain ORDER BY id
-- run: json constructors
SELECT json_build_object('a', a), json_object('{a,b}'), json_agg(a ORDER BY id) FROM plain GROUP BY a ORDER BY a
-- run: settings read by name
SELECT s.name, pg_catalog.current_setting(s.name), current_setting(lower(s.name), true) FROM pg_catalog.pg_settings s WHERE s.name = 'max_connections'
-- run: arrays with numbers
SELECT (information_schema._pg_expandarray(ARRAY['a', 'b'])).n
-- run: view on the catalog
SELECT * FROM v_catalog
