-- {twin} is 1 or 2. What is masked differs in every way that its mask hides: values, order, equality, absence. `card`
-- keeps its shape and `phone` its end, which these masks show; `badge`, whose mask shows what is equal, is the same.
INSERT INTO app.departments SELECT n, 'department ' || n FROM generate_series(1, 4) n;
INSERT INTO app.users (id, name, city, department, ssn, email, card, phone, salary, born, pin, token, profile, tags, blocked, badge)
SELECT n, 'user ' || n, (ARRAY['Bern', 'Oslo', 'Porto'])[1 + n % 3], 1 + n % 4,
  CASE {twin} WHEN 1 THEN CASE WHEN n % 7 > 0 THEN '900-00-' || lpad(n::text, 4, '0') END ELSE (ARRAY['812-99-7777', '12'])[1 + n % 2] END,
  CASE {twin} WHEN 1 THEN 'a' || n || '@one.test' ELSE 'b' || 99 - n || '@two.example' END,
  CASE {twin} WHEN 1 THEN '4000-' || lpad(n::text, 4, '0') ELSE '5123-' || lpad((n * 37 % 9973)::text, 4, '0') END,
  CASE {twin} WHEN 1 THEN '+41 55 1' ELSE '+49 30 9' END || lpad((n % 10)::text, 2, '0'),
  CASE {twin} WHEN 1 THEN 1000 + n * 10 WHEN 2 THEN nullif(90000 - n % 2 * 90000, 0) END,
  CASE {twin} WHEN 1 THEN date '1970-01-01' + n ELSE date '1999-12-31' - n * 3 END,
  CASE {twin} WHEN 1 THEN 1000 + n ELSE 77 + n % 3 END,
  decode(CASE {twin} WHEN 1 THEN 'aa' ELSE 'bbbb' END, 'hex'),
  CASE {twin} WHEN 1 THEN jsonb_build_object('ssn', n, 'vip', true) ELSE '[1, 2, {"other": null}]' END,
  CASE {twin} WHEN 1 THEN ARRAY['red', 't' || n] WHEN 2 THEN '{}' END,
  {twin} = 1 AND n % 2 = 0,
  'B' || n % 5
FROM generate_series(1, 40) n;
INSERT INTO app.orders SELECT n, 1 + n % 40, n * 2.5, 'note ' || n, CASE {twin} WHEN 1 THEN 'visa ' ELSE 'cash-' END || n % 5 FROM generate_series(1, 60) n;
INSERT INTO app.payments SELECT n, date '2024-07-01' + n * 9, CASE {twin} WHEN 1 THEN 'CH' ELSE 'DE99' END || n, n FROM generate_series(1, 40) n;
INSERT INTO app.people SELECT n, 'person ' || n, CASE {twin} WHEN 1 THEN '700-' || n END FROM generate_series(1, 5) n;
INSERT INTO app.employees SELECT n, 'employee ' || n, CASE {twin} WHEN 1 THEN '800-' || n ELSE 'none' END, 1 FROM generate_series(6, 9) n;
INSERT INTO app.memos SELECT n, 'memo ' || n FROM generate_series(1, 10) n;
INSERT INTO app.guarded VALUES (1, '900-00-0001'), (2, 'x');
INSERT INTO app.scratch SELECT n, 'scratch ' || n FROM generate_series(1, 3) n;
REFRESH MATERIALIZED VIEW app.mv_users;
REFRESH MATERIALIZED VIEW app.mv_counted;
ANALYZE;
