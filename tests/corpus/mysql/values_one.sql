INSERT INTO users (id, name, email, ssn, salary, pay, born, secret, mood, dept, note) VALUES
 (1, 'Ann', 'ann@x.test', '987-65-4321', 100, 1000.50, '1980-01-02', x'0102', 'sad', 1, 'n1'),
 (2, 'Bob', 'bob@x.test', '123-45-6789', 200, 2000.50, '1990-01-02', x'0304', 'ok', 1, 'n2'),
 (3, 'Cy', 'cy@x.test', NULL, 300, 3000.50, '1970-01-02', NULL, 'happy', 2, 'n3'),
 (4, 'Di', 'di@x.test', '987-00-0000', 300, 10.50, NULL, x'ff', NULL, 3, NULL);
INSERT INTO people VALUES (1, 'a', '111'), (2, 'b', '222'), (3, 'c', '333');
INSERT INTO refs VALUES (1, '111');
INSERT INTO checked VALUES (1, 1, 'xxxxxx'), (2, 1, 'yyy');
INSERT INTO `odd ``name` VALUES (1, 'deep secret'), (2, 'other');
