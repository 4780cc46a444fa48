-- Statements that a policy without ddl, admin and settings must stop, one a line: how to ask, then the text.
query DROP TABLE accounts
query drop/**/table/**/accounts
query /*!50000 DROP TABLE accounts */
query /*! DROP TABLE accounts */
query /*M! DROP TABLE accounts */
query /*M!100000 DROP TABLE accounts */
query /*!50000 DROP */ /*!50000 TABLE */ accounts
query SELECT 1 /*!50000 ; DROP TABLE accounts */
query SELECT 1; DROP TABLE accounts
query SELECT 1 ;;; DROP TABLE accounts
query SELECT 1 -- x\n; DROP TABLE accounts
query SELECT 1 # x\n; DROP TABLE accounts
query SELECT '\\'; DROP TABLE accounts; -- '
query SELECT "\\"; DROP TABLE accounts; -- "
query SELECT 1 /* /* */; DROP TABLE accounts; -- */
query SELECT 1 --1; DROP TABLE accounts
query INSERT INTO scratch VALUES (99, 'x'); DROP TABLE accounts
query START TRANSACTION; DROP TABLE accounts; COMMIT
query (DROP TABLE accounts)
query DROP TABLE IF EXISTS accounts
query DROP TEMPORARY TABLE accounts
query DROP DATABASE shop
query DROP SCHEMA shop
query DROP USER app
query DROP PROCEDURE both
query CREATE TABLE new (id INT)
query CREATE TABLE new SELECT * FROM accounts
query CREATE OR REPLACE TABLE accounts (id INT)
query CREATE VIEW v AS SELECT 1
query CREATE USER evil
query CREATE DATABASE evil
query CREATE PROCEDURE p() DROP TABLE accounts
query CREATE FUNCTION f() RETURNS INT RETURN 1
query CREATE TRIGGER t AFTER INSERT ON scratch FOR EACH ROW DELETE FROM accounts
query CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO DROP TABLE accounts
query CREATE SERVER s FOREIGN DATA WRAPPER mysql OPTIONS (HOST '10.0.0.1')
query ALTER TABLE accounts ADD COLUMN x INT
query ALTER TABLE accounts DROP COLUMN owner
query ALTER USER app IDENTIFIED BY 'x'
query RENAME TABLE accounts TO gone
query RENAME USER app TO gone
query TRUNCATE accounts
query TRUNCATE TABLE accounts
query GRANT ALL ON *.* TO PUBLIC
query REVOKE ALL ON *.* FROM app
query SET PASSWORD FOR app = PASSWORD('x')
query SET GLOBAL max_connections = 7
query SET @@GLOBAL.max_connections = 7
query SET @x = 1, GLOBAL max_connections = 7
query SET GLOBAL general_log = 1, GLOBAL general_log_file = '/tmp/hostagent-blocked'
query SET ROLE NONE
query SET sql_mode = 'ANSI_QUOTES'
query SET NAMES gbk
query SET CHARACTER SET gbk
query SET character_set_client = gbk
query SET @@session.character_set_client = gbk
query SET SESSION foreign_key_checks = 0
query SET sql_log_bin = 0
query /*!40101 SET NAMES gbk */
query HANDLER accounts OPEN
query HANDLER accounts READ FIRST
query LOAD DATA INFILE '/etc/passwd' INTO TABLE scratch
query LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE scratch
query LOAD XML INFILE '/etc/passwd' INTO TABLE scratch
query SELECT * FROM accounts INTO OUTFILE '/tmp/hostagent-blocked'
query SELECT owner INTO DUMPFILE '/tmp/hostagent-blocked' FROM accounts LIMIT 1
query (SELECT owner FROM accounts LIMIT 1) UNION SELECT 'x' INTO OUTFILE '/tmp/hostagent-blocked'
query SELECT LOAD_FILE('/etc/passwd')
query CALL both()
query CALL shop.both
query PREPARE s FROM 'DROP TABLE accounts'
query PREPARE s FROM CONCAT('DROP TABLE ', 'accounts')
query SET @s = 'DROP TABLE accounts'; PREPARE s FROM @s; EXECUTE s
query EXECUTE IMMEDIATE 'DROP TABLE accounts'
query EXECUTE IMMEDIATE CONCAT('DROP TABLE ', 'accounts')
query BEGIN NOT ATOMIC DROP TABLE accounts; END
query IF 1 THEN DROP TABLE accounts; END IF
query EXPLAIN DELETE FROM mysql.user
query ANALYZE DELETE FROM mysql.global_priv
query DELETE FROM mysql.global_priv
query UPDATE mysql.global_priv SET priv = '{}'
query SELECT * FROM mysql.global_priv
query INSERT INTO mysql.db SELECT * FROM mysql.db
query KILL 1
query KILL QUERY 1
command 0c01000000
query SHUTDOWN
command 08
query FLUSH PRIVILEGES
query FLUSH TABLES WITH READ LOCK
query FLUSH LOGS
command 0704
command 0765
query RESET MASTER
query CHANGE MASTER TO MASTER_HOST = '10.0.0.1'
query START SLAVE
query PURGE BINARY LOGS TO 'x'
query INSTALL PLUGIN p SONAME 'x.so'
query INSTALL SONAME 'x'
query UNINSTALL PLUGIN ed25519
query OPTIMIZE TABLE accounts
query REPAIR TABLE accounts
query ANALYZE TABLE accounts
query LOCK TABLES accounts WRITE
query SHOW PROCESSLIST
query SHOW GRANTS FOR app
query SHOW MASTER STATUS
query SIGNAL SQLSTATE '45000'
query GET DIAGNOSTICS @n = NUMBER
query SELECT SLEEP(0) PROCEDURE ANALYSE()
query DO shop.f()
query SELECT shop.f()
command 0565
command 0665
command 0d
command 11616e79626f647900
command 12000000000000000000
command 15000000
command 1b0000
command 1e00
command fe00
command aa
prepared DROP TABLE accounts
prepared /*!50000 DROP TABLE accounts */
prepared CREATE TABLE new (id INT)
prepared SET GLOBAL max_connections = 7
prepared TRUNCATE accounts
prepared CALL both()
prepared SELECT owner FROM accounts INTO OUTFILE '/tmp/hostagent-blocked'
prepared SELECT 1; DROP TABLE accounts
prepared DELETE FROM mysql.global_priv
cursor DROP TABLE accounts
cursor SELECT * FROM mysql.global_priv
