SELECT a, b FROM t1 WHERE c IN (SELECT b FROM t2 WHERE t2.id = t1.id) AND EXISTS (SELECT 1 FROM t3)
SELECT x.a, y.b FROM t1 x JOIN t2 y ON x.id = y.id LEFT JOIN t3 USING (id) WHERE x.a > 1 GROUP BY x.a HAVING count(*) > 1 ORDER BY 1 LIMIT 2
SELECT * FROM (SELECT a, ssn FROM users) z NATURAL JOIN t1
SELECT ssn FROM users UNION ALL SELECT b FROM t1 UNION SELECT 'x'
SELECT id FROM t1 EXCEPT SELECT id FROM t2 INTERSECT SELECT id FROM elsewhere.t5
WITH x AS (SELECT a FROM t1), y AS (SELECT a FROM x) SELECT * FROM y JOIN t2 USING (a)
WITH t1 AS (SELECT * FROM t2) SELECT * FROM t1, judged.t1 AS z
WITH RECURSIVE x AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM x WHERE n < 5) SELECT * FROM x, t3
INSERT INTO t1 (id, a) SELECT id, a FROM t2 ON DUPLICATE KEY UPDATE a = VALUES(a)
INSERT INTO t1 SET id = 1, a = (SELECT max(a) FROM t2)
INSERT INTO t1 (id) VALUES (1), ((SELECT max(id) FROM t2))
REPLACE INTO t1 (id) SELECT id FROM users
UPDATE t1, t2 SET t1.a = t2.a WHERE t1.id = t2.id
UPDATE t1 SET a = (SELECT a FROM t2 LIMIT 1) WHERE id IN (SELECT id FROM t3)
UPDATE t1 x JOIN (SELECT id FROM users) y ON x.id = y.id SET x.a = 1
DELETE t1 FROM t1 JOIN t2 ON t1.id = t2.id
DELETE FROM t1 USING t1, t2 WHERE t1.id = t2.id
DELETE FROM t1 WHERE id = (SELECT id FROM users LIMIT 1) RETURNING a
SELECT CASE WHEN a > 1 THEN (SELECT b FROM t2 LIMIT 1) ELSE c END, concat(a, b), mine(a), left(b, 2), if(a, b, c) FROM t1
SELECT a FROM t1 WHERE (a, b) IN (SELECT a, b FROM t2) OR a = ANY (SELECT a FROM t3) ORDER BY (SELECT 1 FROM users LIMIT 1)
SELECT 'a' 'b', _utf8'x', n'y', x'41', "q", a, `b`, @v := 1, interval(1,2), d + interval 1 day FROM t1
SELECT row_number() OVER (PARTITION BY a ORDER BY b), sum(a) OVER (ORDER BY (SELECT 1 FROM t2)) FROM t1
SELECT group_concat(DISTINCT a ORDER BY b SEPARATOR ','), trim(LEADING 'x' FROM b), extract(year FROM d), position('a' IN b), cast(a AS char(3)) FROM t1
TABLE t1
SELECT * FROM t1 STRAIGHT_JOIN t2 CROSS JOIN (t3 JOIN users ON 1)
SELECT /*!50000 a, */ /*M!100000 b, */ /*!99999 ssn, */ 1 FROM t1 /*!50000 , users */ /*!50701 , t2 */
SELECT a FROM t1 PARTITION (p0) USE INDEX (PRIMARY) FOR UPDATE
SELECT 1 -- x
SELECT a FROM t1 # comment
SET @a = (SELECT max(a) FROM t2)
DO (SELECT max(a) FROM t2)
EXPLAIN SELECT a FROM t1, t2
SELECT t1.*, judged.t2.* FROM t1 LEFT JOIN t2 ON t1.a = t2.a
SELECT * FROM t1 WHERE a BETWEEN 1 AND 2 OR b LIKE 'x' ESCAPE '!' OR c RLIKE 'y' OR a IS NOT NULL OR NOT a <=> NULL
SELECT * FROM t1, JSON_TABLE('[1]', '$[*]' COLUMNS (v int PATH '$')) AS j
