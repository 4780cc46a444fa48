-- other masked values, nothing else: the partly shown card keeps its length and its end
UPDATE app.users SET
  ssn = lpad((900 - id * 3)::text, 3, '0') || '-99-' || lpad((id * 13)::text, 4, '7'),
  card = '5500 0000 9999 ' || right(card, 4),
  mail = 'zz' || (100 - id) || '@other.test',
  born = date '2001-05-05' - id,
  salary = 500000 - id,
  mood = CASE WHEN id % 2 = 0 THEN 'sad' ELSE 'happy' END::app.mood,
  tags = ARRAY['tagother', 'two'],
  profile = '{"other": 1}',
  photo = '\xdeadbeef';
UPDATE app.payments SET iban = 'FR76OTHER' || id * 17;
UPDATE app.people SET phone = '777-999-' || id;
UPDATE app."Odd ""Name" SET "The Secret" = 'another';
UPDATE app.watched SET pin = '9' WHERE id = 1;
REFRESH MATERIALIZED VIEW app.mv_users;
VACUUM FULL;
ANALYZE;
