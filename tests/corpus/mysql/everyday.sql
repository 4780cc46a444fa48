SELECT 1
SELECT VERSION()
SELECT DATABASE()
SELECT @@version_comment LIMIT 1
select @@session.tx_isolation
SELECT CONNECTION_ID()
SET autocommit=1
SET NAMES utf8mb4
SET NAMES 'utf8mb4' COLLATE 'utf8mb4_unicode_ci'
SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED
SET SESSION TRANSACTION READ ONLY
SET time_zone = '+00:00'
SET @@session.time_zone = 'UTC'
SET SQL_AUTO_IS_NULL = 0
SET sql_mode='STRICT_TRANS_TABLES'
SET foreign_key_checks = 0
START TRANSACTION
START TRANSACTION READ ONLY
BEGIN
COMMIT
ROLLBACK
SAVEPOINT sa_savepoint_1
ROLLBACK TO SAVEPOINT sa_savepoint_1
RELEASE SAVEPOINT sa_savepoint_1
show databases
show tables
SHOW TABLES FROM `app`
SHOW FULL TABLES FROM `app`
SHOW FULL TABLES FROM `app` WHERE Table_type != 'VIEW'
SHOW FULL TABLES WHERE table_type = 'BASE TABLE'
SHOW CREATE TABLE `dept`
SHOW CREATE TABLE `users`
SHOW FULL COLUMNS FROM `dept`
SHOW FULL COLUMNS FROM `dept` FROM `app`
SHOW COLUMNS FROM dept
DESCRIBE dept
DESCRIBE `app`.`dept`
DESC users
SHOW INDEX FROM `dept`
SHOW KEYS FROM `app`.`dept`
SHOW VARIABLES
SHOW VARIABLES LIKE 'sql_mode'
SHOW VARIABLES LIKE 'lower_case_table_names'
SHOW SESSION VARIABLES LIKE 'character_set_client'
SHOW GLOBAL VARIABLES LIKE 'version%'
SHOW ENGINES
SHOW COLLATION
SHOW COLLATION LIKE 'utf8mb4%'
SHOW CHARACTER SET
SHOW CHARSET
SHOW PLUGINS
SHOW PRIVILEGES
SHOW GRANTS
SHOW TRIGGERS FROM `app`
SHOW EVENTS FROM `app`
SHOW PROCEDURE STATUS WHERE Db = 'app'
SHOW FUNCTION STATUS WHERE Db = 'app'
SHOW CREATE VIEW v_dept
SHOW CREATE DATABASE `app`
USE `app`
SELECT CAST('test plain returns' AS CHAR(60)) AS anon_1
SELECT CAST('test unicode returns' AS CHAR(60)) AS anon_1
SELECT CAST('test collated returns' AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin AS anon_1
SELECT dept.id, dept.name FROM dept
SELECT dept.id AS dept_id, dept.name AS dept_name FROM dept WHERE dept.id = 1 LIMIT 1
SELECT `dept`.`id`, `dept`.`name` FROM `dept` ORDER BY `dept`.`id` ASC LIMIT 21
SELECT COUNT(*) AS `__count` FROM `dept`
SELECT (1) AS `a` FROM `dept` WHERE `dept`.`id` = 1 LIMIT 1
SELECT `id`, `name` FROM `users` WHERE `id` = 1
SELECT `users`.`id`, `users`.`name`, `users`.`ssn` FROM `users` INNER JOIN `dept` ON (`users`.`dept` = `dept`.`id`) WHERE `dept`.`name` = 'sales' ORDER BY `users`.`id` DESC
SELECT u.name, d.name FROM users u LEFT JOIN dept d ON u.dept = d.id WHERE u.id IN (1, 2, 3)
SELECT d.name, COUNT(u.id) AS n FROM dept d LEFT OUTER JOIN users u ON u.dept = d.id GROUP BY d.name HAVING COUNT(u.id) > 0 ORDER BY n DESC, d.name
SELECT name, ROW_NUMBER() OVER (PARTITION BY dept ORDER BY id) AS r FROM users
WITH big AS (SELECT dept, COUNT(*) AS n FROM users GROUP BY dept) SELECT * FROM big WHERE n > 1
SELECT DATE_FORMAT(made, '%Y-%m') AS m, SUM(a) FROM dept GROUP BY m
SELECT * FROM dept WHERE made >= NOW() - INTERVAL 7 DAY
SELECT * FROM dept WHERE name LIKE '%a%' ESCAPE '!' AND b IS NOT NULL
SELECT * FROM dept WHERE JSON_EXTRACT(js, '$.a') = 1
SELECT JSON_UNQUOTE(JSON_EXTRACT(js, '$.a')) FROM dept
SELECT CASE WHEN a > 0 THEN 'yes' ELSE 'no' END AS has FROM dept
SELECT IFNULL(b, 'none'), COALESCE(b, name), CONCAT(name, '-', id) FROM dept
SELECT * FROM dept WHERE id = 1 FOR UPDATE
SELECT * FROM dept WHERE id = 1 LOCK IN SHARE MODE
SELECT name FROM dept UNION ALL SELECT name FROM other.users ORDER BY name LIMIT 5
SELECT * FROM (SELECT id, name FROM dept) AS x WHERE x.id > 1
SELECT EXISTS (SELECT 1 FROM dept WHERE id = 1) AS found
SELECT id FROM v_dept
INSERT INTO dept (id, name) VALUES (10, 'x')
INSERT INTO `dept` (`id`, `name`, `a`) VALUES (11, 'y', 1), (12, 'z', DEFAULT)
INSERT IGNORE INTO dept (id, name) VALUES (1, 'again')
INSERT INTO dept (id, name) VALUES (1, 'again') ON DUPLICATE KEY UPDATE name = VALUES(name), a = a + 1
INSERT INTO dept (id, name) VALUES (13, 'r') RETURNING id
INSERT INTO dept SET id = 14, name = 's'
REPLACE INTO dept (id, name) VALUES (1, 'x')
INSERT INTO log (what) SELECT name FROM dept
INSERT INTO log (what) SELECT name FROM users
INSERT INTO users (id, name, email, dept) VALUES (20, 'New', 'n@x.test', 1)
UPDATE dept SET name = 'x', a = a + 1 WHERE id = 1
UPDATE `users` SET `name` = 'x' WHERE `users`.`id` = 1
UPDATE dept SET b = NULL WHERE id IN (SELECT dept FROM users WHERE name = 'Ann')
UPDATE dept d JOIN other.users o ON o.id = d.id SET d.b = o.name
DELETE FROM dept WHERE id = 3
DELETE FROM `dept` WHERE `dept`.`id` IN (1, 2)
DELETE d FROM dept d LEFT JOIN users u ON u.dept = d.id WHERE u.id IS NULL
TRUNCATE TABLE log
CREATE TABLE fresh (id int NOT NULL AUTO_INCREMENT, name varchar(30) DEFAULT NULL, made timestamp NOT NULL DEFAULT current_timestamp(), PRIMARY KEY (id), KEY name (name)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
CREATE TABLE IF NOT EXISTS `fresh` (`id` bigint AUTO_INCREMENT NOT NULL PRIMARY KEY, `app` varchar(255) NOT NULL, `applied` datetime(6) NOT NULL)
CREATE TEMPORARY TABLE tmp_x (id int)
CREATE INDEX i ON dept (a)
ALTER TABLE dept ADD COLUMN extra int NULL
ALTER TABLE `dept` ADD CONSTRAINT `c` UNIQUE (`name`)
DROP TABLE IF EXISTS fresh
DROP INDEX i ON dept
CREATE VIEW v_more AS SELECT id, name FROM dept
DROP VIEW IF EXISTS v_more
LOCK TABLES `dept` WRITE
LOCK TABLES `dept` READ /*!32311 LOCAL */
UNLOCK TABLES
ANALYZE TABLE dept
EXPLAIN SELECT * FROM dept WHERE a = 1
/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */
/*!40101 SET NAMES utf8mb4 */
/*!40103 SET TIME_ZONE='+00:00' */
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */
/*!40100 SET @@SQL_MODE='' */
SET SQL_QUOTE_SHOW_CREATE=1/*!40102 ,SQL_MODE=concat(@@sql_mode, _utf8 ',NO_KEY_OPTIONS,NO_TABLE_OPTIONS,NO_FIELD_OPTIONS') */
SELECT /*!40001 SQL_NO_CACHE */ `id`, `name`, `a`, `b`, `made`, `js` FROM `dept`
SELECT /*!40001 SQL_NO_CACHE */ * FROM `dept`
/*!40000 ALTER TABLE `dept` DISABLE KEYS */
show fields from `dept`
select table_name, table_type from information_schema.tables where table_schema = database() order by table_name
SELECT table_name FROM information_schema.tables WHERE table_schema = 'app' AND table_type = 'BASE TABLE'
SELECT column_name, data_type, is_nullable, column_default, column_type, column_key, extra, column_comment FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = 'dept' ORDER BY ordinal_position
SELECT kc.`constraint_name`, kc.`column_name`, kc.`referenced_table_name`, kc.`referenced_column_name`, c.`constraint_type` FROM information_schema.key_column_usage AS kc, information_schema.table_constraints AS c WHERE kc.table_schema = DATABASE() AND c.table_schema = kc.table_schema AND c.constraint_name = kc.constraint_name AND kc.table_name = 'users'
SELECT index_name, column_name, non_unique, seq_in_index FROM information_schema.statistics WHERE table_schema = 'app' AND table_name = 'dept'
SELECT CONSTRAINT_NAME, COLUMN_NAME, REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE WHERE TABLE_NAME = 'users' AND CONSTRAINT_NAME != 'PRIMARY' AND CONSTRAINT_SCHEMA = 'app' AND REFERENCED_TABLE_NAME IS NOT NULL
SELECT SCHEMA_NAME FROM information_schema.SCHEMATA ORDER BY SCHEMA_NAME
SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'app'
SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'app'
SELECT TRIGGER_NAME, EVENT_MANIPULATION FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'app'
SELECT TABLE_NAME, VIEW_DEFINITION FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'app'
SELECT engine, table_rows FROM information_schema.tables WHERE table_schema = 'app' AND table_name = 'dept'
SELECT @@lower_case_table_names
SELECT @@character_set_database, @@collation_database
SELECT @@global.time_zone, @@session.time_zone
SELECT @@max_allowed_packet, @@wait_timeout
SELECT LAST_INSERT_ID()
SELECT FOUND_ROWS()
SELECT NOW(), CURDATE(), UTC_TIMESTAMP(), UNIX_TIMESTAMP()
SELECT UUID()
SELECT USER(), CURRENT_USER()
KILL QUERY 99999999
SELECT name FROM dept WHERE id = 1; SELECT name FROM dept WHERE id = 2
DO 1
SET lc_messages = 'en_US'
SHOW SESSION VARIABLES LIKE 'character_set_server'
SELECT `SCHEMA_NAME` FROM `INFORMATION_SCHEMA`.`SCHEMATA`, (SELECT DB_first_level FROM (SELECT DISTINCT SUBSTRING_INDEX(SCHEMA_NAME, '_', 1) DB_first_level FROM INFORMATION_SCHEMA.SCHEMATA WHERE TRUE) t ORDER BY DB_first_level ASC LIMIT 0, 100) t2 WHERE TRUE AND 1 = LOCATE(CONCAT(DB_first_level, '_'), CONCAT(SCHEMA_NAME, '_')) ORDER BY SCHEMA_NAME ASC
SELECT `TABLE_NAME` AS `Name`, `TABLE_TYPE` AS `TABLE_TYPE`, `ENGINE` AS `Engine`, `TABLE_COLLATION` AS `Collation`, `TABLE_COMMENT` AS `Comment` FROM `information_schema`.`TABLES` t WHERE `TABLE_SCHEMA` IN ('app') ORDER BY Name ASC
SELECT `COLUMN_NAME` AS `Field`, `COLUMN_TYPE` AS `Type`, `COLLATION_NAME` AS `Collation`, `IS_NULLABLE` AS `Null`, `COLUMN_KEY` AS `Key`, `COLUMN_DEFAULT` AS `Default`, `EXTRA` AS `Extra`, `PRIVILEGES` AS `Privileges`, `COLUMN_COMMENT` AS `Comment` FROM `information_schema`.`COLUMNS` WHERE `TABLE_SCHEMA` = 'app' AND `TABLE_NAME` = 'dept' ORDER BY `ORDINAL_POSITION`
SELECT COUNT(*) FROM `app`.`dept`
SELECT * FROM `app`.`dept` ORDER BY `dept`.`id` ASC LIMIT 0, 25
SELECT `PRIVILEGE_TYPE` FROM `INFORMATION_SCHEMA`.`USER_PRIVILEGES` WHERE GRANTEE='''root''@''localhost''' AND PRIVILEGE_TYPE='TRIGGER'
SELECT `TABLE_NAME`, `COLUMN_NAME`, `REFERENCED_TABLE_NAME`, `REFERENCED_COLUMN_NAME` FROM `information_schema`.`key_column_usage` WHERE `referenced_table_name` IS NOT NULL AND `TABLE_SCHEMA` = 'app' AND `TABLE_NAME` = 'refs'
SELECT VERSION() as `version`
SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_NAME = 'dept' AND TABLE_SCHEMA = 'app'
SELECT CONSTRAINT_NAME as constraint_name,CONSTRAINT_NAME as constraintName,CONSTRAINT_SCHEMA as constraintSchema,TABLE_NAME as tableName,COLUMN_NAME as columnName,REFERENCED_TABLE_NAME as referencedTableName,REFERENCED_COLUMN_NAME as referencedColumnName FROM INFORMATION_SCHEMA.KEY_COLUMN_USAGE where TABLE_NAME = 'refs' AND CONSTRAINT_NAME!='PRIMARY' AND CONSTRAINT_SCHEMA='app' AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY 1, 5
