INSERT INTO users (id, name, email, ssn, salary, pay, born, secret, mood, dept, note) VALUES
 (1, 'Ann', 'ann@x.test', '12', 999999, 1.00, '2001-05-06', x'ffffffff', 'happy', 1, 'n1'),
 (2, 'Bob', 'bob@x.test', NULL, -5, 2.00, NULL, NULL, NULL, 1, 'n2'),
 (3, 'Cy', 'cy@x.test', '987-65-4321', NULL, 9999999.99, '1999-01-02', x'00', 'sad', 2, 'n3'),
 (4, 'Di', 'di@x.test', 'abc', 7, NULL, '2020-02-29', x'6162', 'ok', 3, NULL);
INSERT INTO people VALUES (1, 'a', '444'), (2, 'b', '222'), (3, 'c', NULL);
INSERT INTO refs VALUES (1, '222');
INSERT INTO checked VALUES (1, 1, 'xx'), (2, 1, 'yyyyyyyyyyyy');
INSERT INTO `odd ``name` VALUES (1, 'x'), (2, NULL);
