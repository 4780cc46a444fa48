CREATE DATABASE app;
CREATE DATABASE other;
USE app;
CREATE TABLE users (
  id int PRIMARY KEY, name varchar(30) NOT NULL, email varchar(60), ssn varchar(20), salary int, pay decimal(10, 2),
  born date, secret blob, mood enum('sad', 'ok', 'happy'), dept int, note text,
  ssn_tail varchar(4) AS (right(ssn, 4)) STORED, KEY (dept), KEY (salary));
CREATE TABLE people (id int PRIMARY KEY, name varchar(30), ssn varchar(20) UNIQUE);
CREATE TABLE refs (id int PRIMARY KEY, ssn varchar(20), FOREIGN KEY (ssn) REFERENCES people (ssn));
CREATE TABLE checked (id int PRIMARY KEY, n int, ssn varchar(20), CHECK (n < char_length(ssn)));
CREATE TABLE watched (id int PRIMARY KEY, n int);
CREATE TABLE log (id int AUTO_INCREMENT PRIMARY KEY, what varchar(200));
CREATE TABLE dept (id int PRIMARY KEY, name varchar(30), a int, b varchar(30), made datetime, js text, KEY (name));
CREATE TABLE other.users (id int PRIMARY KEY, name varchar(30));
CREATE TABLE `odd ``name` (id int, `the "ssn` varchar(20));
CREATE VIEW v_users AS SELECT id, ssn AS s, upper(email) AS e, dept FROM users;
CREATE VIEW v_filter AS SELECT id FROM users WHERE ssn LIKE '9%';
CREATE ALGORITHM=TEMPTABLE VIEW v_temp AS SELECT id, ssn FROM users;
CREATE VIEW v_group AS SELECT ssn, count(*) AS n FROM users GROUP BY ssn;
CREATE VIEW v_of_v AS SELECT concat(s, '!') AS shout, id FROM v_users;
CREATE VIEW v_dept AS SELECT id, name FROM dept WHERE a > 0;
CREATE FUNCTION leak(n int) RETURNS varchar(20) READS SQL DATA RETURN (SELECT ssn FROM users WHERE id = n);
CREATE VIEW v_leak AS SELECT id, leak(id) AS x FROM dept;
CREATE PROCEDURE show_all() SELECT * FROM users;
CREATE TRIGGER watch AFTER UPDATE ON watched FOR EACH ROW INSERT INTO log (what) SELECT ssn FROM users WHERE id = NEW.n;
INSERT INTO dept VALUES (1, 'sales', 1, 'x', '2024-01-01', '{"a": 1}'), (2, 'ops', 2, 'y', '2024-02-01', '{"a": 2}'), (3, 'law', 0, NULL, NULL, NULL);
INSERT INTO watched VALUES (1, 1), (2, 2);
INSERT INTO other.users VALUES (1, 'o1'), (2, 'o2');
