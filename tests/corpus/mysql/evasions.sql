SELECT ssn FROM users ORDER BY id
SELECT ssn AS x FROM app.users
SELECT * FROM users
SELECT u.* FROM users u
SELECT app.users.ssn FROM app.users
SELECT `ssn` FROM `users`
SELECT SSN FROM users
SELECT ssn_tail FROM users
SELECT b FROM (SELECT ssn b FROM users) t
SELECT b FROM (SELECT DISTINCT ssn b FROM users) t
SELECT s FROM v_users
SELECT * FROM v_temp
SELECT * FROM v_group
SELECT * FROM v_of_v
SELECT * FROM v_filter
SELECT * FROM v_leak
SELECT (SELECT ssn FROM users WHERE id = 1)
SELECT (SELECT MAX(ssn) FROM users u2 WHERE u2.id = u.id) FROM users u
SELECT name FROM users UNION SELECT ssn FROM users
SELECT concat(ssn, '') FROM users
SELECT concat_ws('-', name, ssn) FROM users
SELECT CAST(ssn AS BINARY) FROM users
SELECT CONVERT(ssn USING latin1) FROM users
SELECT MIN(ssn), MAX(ssn), COUNT(ssn), COUNT(DISTINCT ssn) FROM users
SELECT GROUP_CONCAT(ssn ORDER BY id SEPARATOR '|') FROM users
SELECT GROUP_CONCAT(id ORDER BY ssn, id) FROM users
SELECT IF(ssn LIKE '9%', 1, 0) FROM users
SELECT JSON_OBJECT('a', ssn) FROM users
SELECT JSON_ARRAYAGG(ssn) FROM users
SELECT FIRST_VALUE(ssn) OVER (ORDER BY id) FROM users
SELECT ROW_NUMBER() OVER (ORDER BY ssn, id), id FROM users ORDER BY id
SELECT SUM(salary), AVG(salary), STD(salary), BIT_XOR(salary) FROM users
SELECT RANK() OVER (ORDER BY salary), id FROM users ORDER BY id
VALUES ((SELECT ssn FROM users LIMIT 1))
SELECT leak(1)
SELECT app.leak(id) FROM users
SELECT @a := ssn FROM users
SET @a = (SELECT ssn FROM users WHERE id = 1)
SELECT ssn INTO @a FROM users WHERE id = 1
SELECT id, name, ssn FROM users WHERE id = 1 INTO @a, @b, @c
SELECT ssn FROM users PROCEDURE ANALYSE()
SELECT /*!50000 concat(ssn) */ FROM users
SELECT 1 /*!50000 , ssn */ FROM users
SELECT 1 /*M!100000 , ssn */ FROM users
SELECT 1 /*! , ssn */ FROM users
SELECT * /*!50000 FROM users */
SELECT 1 -- x\n , ssn FROM users
SELECT 1 # x\n , ssn FROM users
SELECT 1 --\t, ssn FROM users
SELECT name FROM users WHERE ssn = '987-65-4321'
SELECT name FROM users WHERE ssn LIKE '987%'
SELECT name FROM users WHERE ssn IS NULL
SELECT name FROM users WHERE salary > 150
SELECT name FROM users WHERE born < '1985-01-01'
SELECT name FROM users ORDER BY ssn, id
SELECT name FROM users ORDER BY salary DESC, id LIMIT 1
SELECT COUNT(*) FROM users GROUP BY ssn
SELECT name FROM users GROUP BY name HAVING MAX(ssn) > '5'
SELECT a.id, b.id FROM users a JOIN users b ON a.ssn = b.ssn AND a.id < b.id
SELECT COUNT(*) FROM users a JOIN users b USING (ssn)
SELECT COUNT(*) FROM users NATURAL JOIN v_users
SELECT name FROM users WHERE ssn IN (SELECT ssn FROM users WHERE id = 1)
SELECT d.name FROM dept d WHERE EXISTS (SELECT 1 FROM users u WHERE u.dept = d.id AND u.ssn LIKE '9%')
SELECT name FROM users WHERE (id, ssn) = (1, '987-65-4321')
SELECT 1 FROM dept WHERE 'x' < ALL (SELECT ssn FROM users WHERE ssn IS NOT NULL)
SELECT 1/(CASE WHEN ssn LIKE '9%' THEN 0 ELSE 1 END) FROM users
SELECT EXTRACTVALUE(1, CONCAT(0x7e, ssn)) FROM users
SELECT UPDATEXML(1, CONCAT(0x7e, (SELECT ssn FROM users LIMIT 1)), 1)
SELECT CAST(ssn AS SIGNED) FROM users
SELECT ssn + 0 FROM users
SELECT DATE_ADD(born, INTERVAL 1 DAY) FROM users
SELECT EXP(salary) FROM users
SELECT salary * 99999999999999999999 FROM users
SELECT HEX(secret), LENGTH(secret) FROM users
SELECT CHAR_LENGTH(ssn) FROM users
SELECT ASCII(SUBSTRING(ssn, 1, 1)) FROM users
SELECT mood + 0, mood FROM users
SELECT SLEEP(IF(ssn LIKE '9%', 0.01, 0)) FROM users
SELECT BENCHMARK(10, ssn) FROM users
SELECT GET_LOCK(ssn, 0) FROM users
SELECT COLUMN_JSON(COLUMN_CREATE('a', ssn)) FROM users
SELECT JSON_TABLE.a FROM users, JSON_TABLE(JSON_ARRAY(ssn), '$[*]' COLUMNS (a varchar(20) PATH '$')) AS JSON_TABLE
SELECT jt.a FROM users u, JSON_TABLE(JSON_ARRAY(u.ssn), '$[*]' COLUMNS (a varchar(20) PATH '$')) AS jt
WITH c AS (SELECT ssn FROM users) SELECT * FROM c
WITH users AS (SELECT * FROM users) SELECT ssn FROM users
WITH RECURSIVE c (n, v) AS (SELECT 1, (SELECT ssn FROM users WHERE id = 1) UNION ALL SELECT n + 1, v FROM c WHERE n < 3) SELECT * FROM c
WITH RECURSIVE a AS (SELECT * FROM users), users AS (SELECT 1 AS ssn) SELECT * FROM a
TABLE users
SELECT * FROM users PARTITION (p0)
SELECT * FROM users FORCE INDEX (dept) WHERE dept = 1
SELECT * FROM users FOR SYSTEM_TIME ALL
SELECT ssn FROM users FOR UPDATE
SELECT ssn FROM users LOCK IN SHARE MODE
SELECT * FROM (users)
SELECT * FROM (users JOIN dept ON users.dept = dept.id)
SELECT ssn FROM dept STRAIGHT_JOIN users
SELECT * FROM { OJ users LEFT JOIN dept ON users.dept = dept.id }
SELECT (SELECT ssn FROM users WHERE id = d.id) FROM dept d
SELECT `the "ssn` FROM `odd ``name`
SELECT * FROM `odd ``name`
DO (SELECT ssn FROM users WHERE id = 1)
HANDLER users OPEN
CALL show_all()
EXECUTE IMMEDIATE 'SELECT ssn FROM users'
PREPARE s FROM 'SELECT ssn FROM users'
PREPARE s FROM @a
BEGIN NOT ATOMIC SELECT ssn FROM users; END
EXPLAIN SELECT * FROM users WHERE salary > 150
EXPLAIN EXTENDED SELECT * FROM users WHERE ssn = 'x'
EXPLAIN FORMAT=JSON SELECT * FROM users WHERE salary < 250
ANALYZE FORMAT=JSON SELECT * FROM users WHERE ssn LIKE '9%'
EXPLAIN SELECT * FROM v_users WHERE s = 'x'
EXPLAIN UPDATE users SET name = 'x' WHERE salary > 150
SHOW WARNINGS
SHOW ERRORS
SHOW INDEX FROM users
SHOW TABLE STATUS LIKE 'users'
SHOW STATUS LIKE 'Handler%'
SHOW PROCESSLIST
SHOW BINLOG EVENTS
SHOW PROFILES
SELECT * FROM information_schema.processlist
SELECT * FROM information_schema.statistics WHERE table_schema = 'app' AND table_name = 'users' ORDER BY index_name, seq_in_index
SELECT cardinality FROM information_schema.statistics WHERE table_schema = 'app' AND table_name = 'users'
SELECT checksum FROM information_schema.tables WHERE table_schema = 'app' AND table_name = 'users'
SELECT * FROM information_schema.innodb_buffer_page LIMIT 1
SELECT * FROM information_schema.optimizer_trace
SELECT * FROM mysql.column_stats
SELECT * FROM mysql.innodb_index_stats
SELECT * FROM performance_schema.events_statements_history
CHECKSUM TABLE users
ANALYZE TABLE users PERSISTENT FOR ALL
CHECK TABLE users
SELECT ssn FROM users INTO OUTFILE '/tmp/hostagent-mysql-x'
SELECT ssn FROM users INTO DUMPFILE '/tmp/hostagent-mysql-x'
SELECT LOAD_FILE('/etc/passwd')
LOAD DATA INFILE '/etc/passwd' INTO TABLE log (what)
INSERT INTO log (what) SELECT ssn FROM users
INSERT INTO log SELECT id, ssn FROM users
INSERT INTO log (what) SELECT x FROM (SELECT ssn AS x FROM users) t
INSERT INTO log (what) SELECT s FROM v_users
INSERT INTO log (what) VALUES ((SELECT ssn FROM users WHERE id = 1))
INSERT INTO log SET what = (SELECT ssn FROM users WHERE id = 1)
REPLACE INTO log (what) SELECT ssn FROM users
CREATE TABLE copy AS SELECT * FROM users
CREATE TABLE copy SELECT ssn FROM users
CREATE TEMPORARY TABLE copy AS SELECT ssn FROM users
CREATE TABLE copy LIKE users
CREATE VIEW v_new AS SELECT ssn FROM users
CREATE VIEW v_new AS SELECT id FROM users
CREATE OR REPLACE VIEW v_dept AS SELECT s FROM v_users
ALTER TABLE users ADD COLUMN copy varchar(20) AS (ssn)
ALTER TABLE users RENAME TO plain
ALTER TABLE users CHANGE ssn plain varchar(20)
RENAME TABLE users TO plain
CREATE INDEX i ON users (ssn)
CREATE TABLE probe (s varchar(20), FOREIGN KEY (s) REFERENCES people (ssn))
CREATE TRIGGER t AFTER INSERT ON dept FOR EACH ROW INSERT INTO log (what) SELECT ssn FROM users
CREATE PROCEDURE p() SELECT ssn FROM users
CREATE FUNCTION f() RETURNS varchar(20) RETURN (SELECT ssn FROM users LIMIT 1)
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO INSERT INTO log (what) SELECT ssn FROM users
UPDATE users SET note = ssn
UPDATE users SET name = 'x' WHERE ssn LIKE '9%'
UPDATE users SET name = 'x' WHERE salary > 150
UPDATE users SET name = 'x' ORDER BY ssn LIMIT 1
UPDATE users SET name = DEFAULT(ssn)
UPDATE users SET salary = 1 WHERE id = 1
UPDATE dept d JOIN users u ON u.dept = d.id SET d.b = u.ssn
UPDATE dept d JOIN users u ON u.dept = d.id AND u.ssn LIKE '9%' SET d.b = 'x'
UPDATE dept d SET b = (SELECT ssn FROM users WHERE id = 1)
UPDATE users u JOIN dept d ON u.dept = d.id SET u.note = u.ssn
UPDATE watched SET id = 5 WHERE id = 1
UPDATE people SET name = 'x' WHERE id = 1
UPDATE checked SET n = 5 WHERE id = 1
UPDATE v_users SET e = 'x' WHERE s LIKE '9%'
DELETE FROM users WHERE ssn LIKE '9%'
DELETE FROM users WHERE dept = 1 RETURNING ssn
DELETE FROM users WHERE dept = 1 RETURNING *
DELETE FROM users ORDER BY salary LIMIT 1
DELETE users FROM users JOIN dept ON users.dept = dept.id WHERE users.ssn LIKE '9%'
DELETE FROM people WHERE id = 1
DELETE d FROM dept d JOIN users u ON u.dept = d.id WHERE u.salary > 150
INSERT INTO users (id, name, ssn) VALUES (9, 'x', '987-65-4321')
INSERT INTO users VALUES (9, 'x', 'e', 's', 1, 1, NULL, NULL, NULL, 1, NULL, DEFAULT)
INSERT INTO users (id, name) VALUES (1, 'x') ON DUPLICATE KEY UPDATE note = ssn
INSERT INTO users (id, name) VALUES (1, 'x') ON DUPLICATE KEY UPDATE name = IF(salary > 150, 'a', 'b')
INSERT INTO users (id, name) VALUES (9, 'x') RETURNING *
INSERT INTO people (id, name, ssn) VALUES (9, 'x', '111')
INSERT IGNORE INTO people (id, ssn) VALUES (9, '222')
INSERT INTO refs VALUES (9, '444')
INSERT INTO people (id, ssn) SELECT 9, ssn FROM users WHERE id = 1
SET NAMES gbk
SET character_set_client = gbk
SET CHARACTER SET sjis
SET GLOBAL general_log = 1
SET PASSWORD = PASSWORD('x')
GRANT SELECT ON app.users TO CURRENT_USER
SELECT _utf8'x' AS ssn, ssn FROM users
SELECT N'x', ssn FROM users
SELECT ssn COLLATE utf8mb4_bin FROM users
SELECT ssn RLIKE '^9' FROM users
SELECT ssn SOUNDS LIKE 'x' FROM users
SELECT ssn <=> NULL FROM users
SELECT COALESCE(ssn, name), NULLIF(ssn, 'x'), IFNULL(ssn, 'y') FROM users
SELECT FIELD(ssn, '987-65-4321'), ELT(1, ssn), GREATEST(ssn, name), STRCMP(ssn, 'x') FROM users
SELECT COLLATION(ssn), CHARSET(ssn), COERCIBILITY(ssn) FROM users
SELECT MD5(ssn), SHA1(ssn), CRC32(ssn), TO_BASE64(ssn), AES_ENCRYPT(ssn, 'k') FROM users
SELECT LAST_INSERT_ID(salary) FROM users
SELECT UNIX_TIMESTAMP(born), YEAR(born), DATEDIFF(born, '2000-01-01') FROM users
SELECT pay, pay * 2, TRUNCATE(pay, 0) FROM users
SELECT DISTINCT ssn IS NULL FROM users
SELECT COUNT(*) FROM users WHERE ssn IN ('987-65-4321', '12')
SELECT name FROM users LIMIT 1 OFFSET 2
SELECT SQL_CALC_FOUND_ROWS name FROM users WHERE ssn LIKE '9%' LIMIT 1
SELECT name FROM users WHERE MATCH (note) AGAINST ('n1')
SELECT CASE ssn WHEN '987-65-4321' THEN 1 ELSE 2 END FROM users
SELECT id FROM users WHERE ssn BETWEEN '1' AND '5'
SELECT u.id FROM users u LEFT JOIN people p ON u.ssn = p.ssn
SELECT p.ssn FROM people p
SELECT r.id FROM refs r JOIN people p ON r.ssn = p.ssn
SELECT * FROM refs
SELECT * FROM users u, LATERAL (SELECT u.ssn) x
SELECT x.* FROM (SELECT * FROM users) x
SELECT 1 FROM users GROUP BY ssn WITH ROLLUP
SELECT ssn FROM users INTERSECT SELECT ssn FROM people
SELECT ssn FROM users EXCEPT SELECT '987-65-4321'
(SELECT ssn FROM users ORDER BY id LIMIT 1) UNION ALL (SELECT name FROM dept)
SELECT name FROM users; SELECT ssn FROM users
SELECT ssn FROM users UNION ALL SELECT ssn FROM people ORDER BY ssn
SELECT id FROM users
SELECT id FROM users LIMIT 1
SELECT id, dept FROM users LIMIT 2
SELECT COUNT(*), MAX(id) FROM users
SELECT id FROM people
SELECT id FROM people LIMIT 1
SELECT u.id FROM dept d JOIN users u ON u.dept >= d.id
INSERT INTO log (what) SELECT id FROM users
