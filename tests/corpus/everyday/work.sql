-- What applications do all day: reading by key, paging, writing with RETURNING, upserts, transactions, savepoints, cursors.
--# extended ["7"]
SELECT id, name, email, city, joined FROM customers WHERE id = $1
--# extended ["c3@example.test"]
SELECT id, name FROM customers WHERE email = $1
--# extended ["{1,2,3}"]
SELECT id, name, city FROM customers WHERE id = ANY ($1) ORDER BY id
--# extended ["20", "5"]
SELECT id, placed, total FROM orders WHERE id > $1 ORDER BY id LIMIT $2
--# extended ["paid"]
SELECT count(*) FROM orders WHERE status = $1::order_status
--# extended ["new row", "3"]
INSERT INTO categories (name, parent) VALUES ($1, $2) RETURNING id, name
--# extended ["5", "new", "a note", "12.50"]
INSERT INTO orders (customer, status, placed, note, total) VALUES ($1, $2, '2025-01-01 00:00+00', $3, $4) RETURNING id
--# extended ["shipped", "101"]
UPDATE orders SET status = $1, note = DEFAULT WHERE id = $2 RETURNING id, status, note
--# extended ["101"]
DELETE FROM orders WHERE id = $1
--# extended ["home", "1"]
INSERT INTO counters (key, hits) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET hits = counters.hits + EXCLUDED.hits RETURNING hits
--# extended ["home"]
INSERT INTO counters (key) VALUES ($1) ON CONFLICT DO NOTHING
--# simple
INSERT INTO counters (key, hits) SELECT 'city ' || city, count(*) FROM customers GROUP BY city ORDER BY city
--# simple
UPDATE products p SET price = price * 1.1 FROM categories c WHERE c.id = p.category AND c.name = 'books'
--# simple
DELETE FROM counters USING categories c WHERE counters.key = c.name
--# simple
MERGE INTO counters t USING (VALUES ('home', 1), ('away', 2)) AS s(key, n) ON t.key = s.key WHEN MATCHED THEN UPDATE SET hits = t.hits + s.n WHEN NOT MATCHED THEN INSERT VALUES (s.key, s.n)
--# simple
WITH moved AS (DELETE FROM counters WHERE key = 'away' RETURNING *) INSERT INTO counters SELECT 'back', hits FROM moved RETURNING key, hits
--# simple
BEGIN
--# simple
SELECT id, status FROM orders WHERE id = 3 FOR UPDATE
--# simple
UPDATE orders SET total = total + 1 WHERE id = 3
--# simple
SAVEPOINT before_lines
--# simple
INSERT INTO order_items VALUES (3, 9, 1, 2)
--# simple
ROLLBACK TO SAVEPOINT before_lines
--# simple
RELEASE SAVEPOINT before_lines
--# simple
COMMIT
--# simple
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY
--# simple
SELECT sum(total) FROM orders
--# simple
ROLLBACK
--# simple
START TRANSACTION
--# simple
SET LOCAL statement_timeout = '10s'
--# simple
SELECT id FROM orders WHERE status = 'new' ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED
--# simple
DECLARE many SCROLL CURSOR FOR SELECT id, note FROM orders ORDER BY id
--# simple
FETCH FORWARD 5 FROM many
--# simple
MOVE ABSOLUTE 50 IN many
--# simple
FETCH BACKWARD 2 FROM many
--# simple
CLOSE many
--# simple
END
--# simple
PREPARE by_customer (int) AS SELECT id, total FROM orders WHERE customer = $1 ORDER BY id
--# simple
EXECUTE by_customer(4)
--# simple
DEALLOCATE by_customer
--# simple
CREATE TEMP TABLE scratch (id int PRIMARY KEY, note text) ON COMMIT PRESERVE ROWS
--# simple
INSERT INTO scratch SELECT id, name FROM products WHERE id < 5
--# simple
SELECT count(*) FROM scratch
--# simple
CREATE INDEX ON scratch (note)
--# simple
TRUNCATE scratch
--# simple
DROP TABLE scratch
--# simple
SELECT nextval('invoice_number'), currval('invoice_number')
--# simple
SELECT pg_advisory_lock(42), pg_advisory_unlock(42)
--# simple
SELECT order_count(4)
--# simple
LISTEN news
--# simple
UNLISTEN *
--# simple
SELECT 1
--# simple
;
--# simple
SELECT 1; SELECT 2
--# extended ["not a number"]
SELECT $1::int
--# simple
SELECT missing FROM orders
--# simple
INSERT INTO counters VALUES ('home', 1)
--# simple
INSERT INTO order_items VALUES (1, 99, 1, 0)
--# simple
ANALYZE counters
--# simple
REFRESH MATERIALIZED VIEW sales_by_month
--# simple
LOCK TABLE counters IN SHARE MODE
--# simple
DISCARD TEMP
--# simple
DO $$BEGIN PERFORM 1; END$$
--# simple
CREATE OR REPLACE FUNCTION pg_temp.testfunc(OUT response counters, OUT caught text) RETURNS record LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO counters VALUES ('found', 1) RETURNING * INTO response; EXCEPTION WHEN unique_violation THEN GET STACKED DIAGNOSTICS caught = MESSAGE_TEXT; END $f$; SELECT (testfunc.response).key, testfunc.caught FROM pg_temp.testfunc(); DROP FUNCTION IF EXISTS pg_temp.testfunc()
