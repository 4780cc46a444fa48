-- Node: pg 8, Sequelize 6, TypeORM 1, Knex, Drizzle, Prisma 7 (clients/with_node.mjs)
--# simple
SELECT c.oid, format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND n.nspname !~ '^pg_' UNION ALL
SELECT t.oid, 'type ' || format_type(t.oid, NULL) FROM pg_type t WHERE t.oid >= 16384 AND t.typrelid = 0
--# new session
--# simple
SELECT NOW()
--# extended ["1"]
SELECT id, name FROM categories WHERE id = $1
--# extended ["4"]
SELECT total FROM orders WHERE id = $1
--# simple
BEGIN
--# extended ["node", "1"]
INSERT INTO counters (key, hits) VALUES ($1, $2) RETURNING *
--# simple
COMMIT
--# extended ["{\"pages\": 10}"]
SELECT details FROM products WHERE details @> $1 ORDER BY id
--# new session
--# simple
SET client_min_messages TO warning;SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE;
--# simple
WITH ranges AS (  SELECT pg_range.rngtypid, pg_type.typname AS rngtypname,         pg_type.typarray AS rngtyparray, pg_range.rngsubtype    FROM pg_range LEFT OUTER JOIN pg_type ON pg_type.oid = pg_range.rngtypid)SELECT pg_type.typname, pg_type.typtype, pg_type.oid, pg_type.typarray,       ranges.rngtypname, ranges.rngtypid, ranges.rngtyparray  FROM pg_type LEFT OUTER JOIN ranges ON pg_type.oid = ranges.rngsubtype WHERE (pg_type.typtype IN('b', 'e'));
--# new session
--# simple
SET client_min_messages TO warning;SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE;
--# simple
SELECT 1+1 AS result
--# simple
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 'shelves'
--# simple
CREATE TABLE IF NOT EXISTS "shelves" ("id"   SERIAL , "label" VARCHAR(255) UNIQUE, "size" INTEGER, "kind" CHAR(1), "extra" JSONB, "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, PRIMARY KEY ("id"));
--# simple
SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS indkey, array_agg(a.attnum) as column_indexes, array_agg(a.attname) AS column_names, pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' and t.relname = 'shelves' GROUP BY i.relname, ix.indexrelid, ix.indisprimary, ix.indisunique, ix.indkey ORDER BY i.relname;
--# simple
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_name = 'books'
--# simple
CREATE TABLE IF NOT EXISTS "books" ("id"   SERIAL , "title" VARCHAR(255), "createdAt" TIMESTAMP WITH TIME ZONE NOT NULL, "updatedAt" TIMESTAMP WITH TIME ZONE NOT NULL, "shelfId" INTEGER REFERENCES "shelves" ("id") ON DELETE SET NULL ON UPDATE CASCADE, PRIMARY KEY ("id"));
--# simple
SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS indkey, array_agg(a.attnum) as column_indexes, array_agg(a.attname) AS column_names, pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' and t.relname = 'books' GROUP BY i.relname, ix.indexrelid, ix.indisprimary, ix.indisunique, ix.indkey ORDER BY i.relname;
--# simple
SELECT pk.constraint_type as "Constraint",c.column_name as "Field", c.column_default as "Default",c.is_nullable as "Null", (CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END) || (CASE WHEN c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) as "Type", (SELECT array_agg(e.enumlabel) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_enum e ON t.oid=e.enumtypid WHERE t.typname=c.udt_name) AS "special", (SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER JOIN pg_catalog.pg_description pgd on (pgd.objoid=st.relid) WHERE c.ordinal_position=pgd.objsubid AND c.table_name=st.relname) AS "Comment" FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, cu.column_name, tc.constraint_type FROM information_schema.TABLE_CONSTRAINTS tc JOIN information_schema.KEY_COLUMN_USAGE  cu ON tc.table_schema=cu.table_schema and tc.table_name=cu.table_name and tc.constraint_name=cu.constraint_name and tc.constraint_type='PRIMARY KEY') pk ON pk.table_schema=c.table_schema AND pk.table_name=c.table_name AND pk.column_name=c.column_name WHERE c.table_name = 'shelves' AND c.table_schema = 'public'
--# new session
--# simple
SET client_min_messages TO warning;SET TIME ZONE INTERVAL '+00:00' HOUR TO MINUTE;
--# simple
SELECT DISTINCT tc.constraint_name as constraint_name, tc.constraint_schema as constraint_schema, tc.constraint_catalog as constraint_catalog, tc.table_name as table_name,tc.table_schema as table_schema,tc.table_catalog as table_catalog,tc.initially_deferred as initially_deferred,tc.is_deferrable as is_deferrable,kcu.column_name as column_name,ccu.table_schema  AS referenced_table_schema,ccu.table_catalog  AS referenced_table_catalog,ccu.table_name  AS referenced_table_name,ccu.column_name AS referenced_column_name FROM information_schema.table_constraints AS tc JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage AS ccu ON ccu.constraint_name = tc.constraint_name WHERE constraint_type = 'FOREIGN KEY' AND tc.table_name = 'shelves' AND tc.table_catalog = 'shop'
--# new session
--# simple
ALTER TABLE "shelves" ALTER COLUMN "label" DROP NOT NULL;ALTER TABLE "shelves" ALTER COLUMN "label" DROP DEFAULT;ALTER TABLE "shelves"  ADD UNIQUE ("label");ALTER TABLE "shelves" ALTER COLUMN "label" TYPE VARCHAR(255) ;
--# simple
ALTER TABLE "shelves" ALTER COLUMN "size" DROP NOT NULL;ALTER TABLE "shelves" ALTER COLUMN "size" DROP DEFAULT;ALTER TABLE "shelves" ALTER COLUMN "size" TYPE INTEGER;
--# simple
ALTER TABLE "shelves" ALTER COLUMN "kind" DROP NOT NULL;ALTER TABLE "shelves" ALTER COLUMN "kind" DROP DEFAULT;ALTER TABLE "shelves" ALTER COLUMN "kind" TYPE CHAR(1);
--# simple
ALTER TABLE "shelves" ALTER COLUMN "extra" DROP NOT NULL;ALTER TABLE "shelves" ALTER COLUMN "extra" DROP DEFAULT;ALTER TABLE "shelves" ALTER COLUMN "extra" TYPE JSONB;
--# simple
ALTER TABLE "shelves" ALTER COLUMN "createdAt" SET NOT NULL;ALTER TABLE "shelves" ALTER COLUMN "createdAt" DROP DEFAULT;ALTER TABLE "shelves" ALTER COLUMN "createdAt" TYPE TIMESTAMP WITH TIME ZONE;
--# simple
ALTER TABLE "shelves" ALTER COLUMN "updatedAt" SET NOT NULL;ALTER TABLE "shelves" ALTER COLUMN "updatedAt" DROP DEFAULT;ALTER TABLE "shelves" ALTER COLUMN "updatedAt" TYPE TIMESTAMP WITH TIME ZONE;
--# simple
SELECT pk.constraint_type as "Constraint",c.column_name as "Field", c.column_default as "Default",c.is_nullable as "Null", (CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END) || (CASE WHEN c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) as "Type", (SELECT array_agg(e.enumlabel) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_enum e ON t.oid=e.enumtypid WHERE t.typname=c.udt_name) AS "special", (SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER JOIN pg_catalog.pg_description pgd on (pgd.objoid=st.relid) WHERE c.ordinal_position=pgd.objsubid AND c.table_name=st.relname) AS "Comment" FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, cu.column_name, tc.constraint_type FROM information_schema.TABLE_CONSTRAINTS tc JOIN information_schema.KEY_COLUMN_USAGE  cu ON tc.table_schema=cu.table_schema and tc.table_name=cu.table_name and tc.constraint_name=cu.constraint_name and tc.constraint_type='PRIMARY KEY') pk ON pk.table_schema=c.table_schema AND pk.table_name=c.table_name AND pk.column_name=c.column_name WHERE c.table_name = 'books' AND c.table_schema = 'public'
--# new session
--# simple
SELECT DISTINCT tc.constraint_name as constraint_name, tc.constraint_schema as constraint_schema, tc.constraint_catalog as constraint_catalog, tc.table_name as table_name,tc.table_schema as table_schema,tc.table_catalog as table_catalog,tc.initially_deferred as initially_deferred,tc.is_deferrable as is_deferrable,kcu.column_name as column_name,ccu.table_schema  AS referenced_table_schema,ccu.table_catalog  AS referenced_table_catalog,ccu.table_name  AS referenced_table_name,ccu.column_name AS referenced_column_name FROM information_schema.table_constraints AS tc JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage AS ccu ON ccu.constraint_name = tc.constraint_name WHERE constraint_type = 'FOREIGN KEY' AND tc.table_name = 'books' AND tc.table_catalog = 'shop'
--# simple
ALTER TABLE "books" ALTER COLUMN "title" DROP NOT NULL;ALTER TABLE "books" ALTER COLUMN "title" DROP DEFAULT;ALTER TABLE "books" ALTER COLUMN "title" TYPE VARCHAR(255);
--# simple
ALTER TABLE "books" ALTER COLUMN "createdAt" SET NOT NULL;ALTER TABLE "books" ALTER COLUMN "createdAt" DROP DEFAULT;ALTER TABLE "books" ALTER COLUMN "createdAt" TYPE TIMESTAMP WITH TIME ZONE;
--# simple
ALTER TABLE "books" ALTER COLUMN "updatedAt" SET NOT NULL;ALTER TABLE "books" ALTER COLUMN "updatedAt" DROP DEFAULT;ALTER TABLE "books" ALTER COLUMN "updatedAt" TYPE TIMESTAMP WITH TIME ZONE;
--# simple
ALTER TABLE "books" DROP CONSTRAINT "books_shelfId_fkey"
--# simple
ALTER TABLE "books"  ADD FOREIGN KEY ("shelfId") REFERENCES "shelves" ("id") ON DELETE SET NULL ON UPDATE CASCADE;
--# extended ["one", "3", "a", "{\"n\": 1}", "2026-11-21 17:20:51.78+00", "2026-11-21 17:20:51.78+00"]
INSERT INTO "shelves" ("id","label","size","kind","extra","createdAt","updatedAt") VALUES (DEFAULT,$1,$2,$3,$4,$5,$6) RETURNING "id","label","size","kind","extra","createdAt","updatedAt";
--# simple
INSERT INTO "shelves" ("id","label","createdAt","updatedAt") VALUES (DEFAULT,'two','2026-11-21 17:20:51.793 +00:00','2026-11-21 17:20:51.793 +00:00'),(DEFAULT,'three','2026-11-21 17:20:51.793 +00:00','2026-11-21 17:20:51.793 +00:00') RETURNING "id","label","size","kind","extra","createdAt","updatedAt";
--# extended ["t", "2026-11-21 17:20:51.796+00", "2026-11-21 17:20:51.796+00", "1"]
INSERT INTO "books" ("id","title","createdAt","updatedAt","shelfId") VALUES (DEFAULT,$1,$2,$3,$4) RETURNING "id","title","createdAt","updatedAt","shelfId";
--# extended ["one", "4", "2026-11-21 17:20:51.801+00", "2026-11-21 17:20:51.801+00"]
INSERT INTO "shelves" ("label","size","createdAt","updatedAt") VALUES ($1,$2,$3,$4) ON CONFLICT ("label") DO UPDATE SET "label"=EXCLUDED."label","size"=EXCLUDED."size","updatedAt"=EXCLUDED."updatedAt" RETURNING "id","label","size","kind","extra","createdAt","updatedAt";
--# simple
SELECT "shelf".*, "books"."id" AS "books.id", "books"."title" AS "books.title", "books"."createdAt" AS "books.createdAt", "books"."updatedAt" AS "books.updatedAt", "books"."shelfId" AS "books.shelfId" FROM (SELECT "shelf"."id", "shelf"."label", "shelf"."size", "shelf"."kind", "shelf"."extra", "shelf"."createdAt", "shelf"."updatedAt" FROM "shelves" AS "shelf" ORDER BY "shelf"."id" ASC LIMIT 5 OFFSET 0) AS "shelf" LEFT OUTER JOIN "books" AS "books" ON "shelf"."id" = "books"."shelfId" ORDER BY "shelf"."id" ASC;
--# simple
SELECT count(*) AS "count" FROM "shelves" AS "shelf" WHERE ("shelf"."kind" = 'a' OR CAST(("shelf"."extra"#>>'{n}') AS DOUBLE PRECISION) = 1) AND "shelf"."size" > 2;
--# new session
--# simple
SELECT "id", "label", "size", "kind", "extra", "createdAt", "updatedAt" FROM "shelves" AS "shelf" WHERE ("shelf"."kind" = 'a' OR CAST(("shelf"."extra"#>>'{n}') AS DOUBLE PRECISION) = 1) AND "shelf"."size" > 2 ORDER BY "shelf"."id";
--# simple
UPDATE "shelves" SET "size"="size"+ 1,"updatedAt"='2026-11-21 17:20:51.825 +00:00' WHERE "label" = 'one' RETURNING *
--# simple
SELECT "kind", COUNT("id") AS "n" FROM "shelves" AS "shelf" GROUP BY "kind" ORDER BY "shelf"."kind";
--# simple
START TRANSACTION;
--# extended ["1", "2026-11-21 17:20:51.828+00", "two"]
UPDATE "shelves" SET "size"=$1,"updatedAt"=$2 WHERE "label" = $3
--# simple
SELECT "id", "label", "size", "kind", "extra", "createdAt", "updatedAt" FROM "shelves" AS "shelf" WHERE "shelf"."label" = 'two' FOR UPDATE;
--# simple
COMMIT;
--# simple
SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type LIKE '%TABLE' AND table_name != 'spatial_ref_sys';
--# simple
SELECT schema_name FROM information_schema.schemata WHERE schema_name <> 'information_schema' AND schema_name != 'public' AND schema_name !~ E'^pg_';
--# simple
SELECT pk.constraint_type as "Constraint",c.column_name as "Field", c.column_default as "Default",c.is_nullable as "Null", (CASE WHEN c.udt_name = 'hstore' THEN c.udt_name ELSE c.data_type END) || (CASE WHEN c.character_maximum_length IS NOT NULL THEN '(' || c.character_maximum_length || ')' ELSE '' END) as "Type", (SELECT array_agg(e.enumlabel) FROM pg_catalog.pg_type t JOIN pg_catalog.pg_enum e ON t.oid=e.enumtypid WHERE t.typname=c.udt_name) AS "special", (SELECT pgd.description FROM pg_catalog.pg_statio_all_tables AS st INNER JOIN pg_catalog.pg_description pgd on (pgd.objoid=st.relid) WHERE c.ordinal_position=pgd.objsubid AND c.table_name=st.relname) AS "Comment" FROM information_schema.columns c LEFT JOIN (SELECT tc.table_schema, tc.table_name, cu.column_name, tc.constraint_type FROM information_schema.TABLE_CONSTRAINTS tc JOIN information_schema.KEY_COLUMN_USAGE  cu ON tc.table_schema=cu.table_schema and tc.table_name=cu.table_name and tc.constraint_name=cu.constraint_name and tc.constraint_type='PRIMARY KEY') pk ON pk.table_schema=c.table_schema AND pk.table_name=c.table_name AND pk.column_name=c.column_name WHERE c.table_name = 'orders' AND c.table_schema = 'public'
--# simple
SELECT i.relname AS name, ix.indisprimary AS primary, ix.indisunique AS unique, ix.indkey AS indkey, array_agg(a.attnum) as column_indexes, array_agg(a.attname) AS column_names, pg_get_indexdef(ix.indexrelid) AS definition FROM pg_class t, pg_class i, pg_index ix, pg_attribute a WHERE t.oid = ix.indrelid AND i.oid = ix.indexrelid AND a.attrelid = t.oid AND t.relkind = 'r' and t.relname = 'orders' GROUP BY i.relname, ix.indexrelid, ix.indisprimary, ix.indisunique, ix.indkey ORDER BY i.relname;
--# simple
SELECT DISTINCT tc.constraint_name as constraint_name, tc.constraint_schema as constraint_schema, tc.constraint_catalog as constraint_catalog, tc.table_name as table_name,tc.table_schema as table_schema,tc.table_catalog as table_catalog,tc.initially_deferred as initially_deferred,tc.is_deferrable as is_deferrable,kcu.column_name as column_name,ccu.table_schema  AS referenced_table_schema,ccu.table_catalog  AS referenced_table_catalog,ccu.table_name  AS referenced_table_name,ccu.column_name AS referenced_column_name FROM information_schema.table_constraints AS tc JOIN information_schema.key_column_usage AS kcu ON tc.constraint_name = kcu.constraint_name JOIN information_schema.constraint_column_usage AS ccu ON ccu.constraint_name = tc.constraint_name WHERE constraint_type = 'FOREIGN KEY' AND tc.table_name = 'orders' AND tc.table_catalog = 'shop'
--# simple
DELETE FROM "shelves" WHERE "label" = 'three'
--# simple
DROP TABLE IF EXISTS "books";
--# simple
DROP TABLE IF EXISTS "shelves";
--# new session
--# simple
SELECT version()
--# simple
SELECT * FROM current_schema()
--# simple
START TRANSACTION
--# simple
SELECT * FROM current_database()
--# simple
SELECT "table_schema", "table_name", obj_description((quote_ident("table_schema") || '.' || quote_ident("table_name"))::regclass, 'pg_class') AS table_comment FROM "information_schema"."tables" WHERE ("table_schema" = 'public' AND "table_name" = 'machine_parts')
--# extended ["public", "typeorm_metadata"]
SELECT * FROM "information_schema"."tables" WHERE "table_schema" = $1 AND "table_name" = $2
--# simple
CREATE TABLE "machine_parts" ("id" SERIAL NOT NULL, "label" character varying NOT NULL, "made" TIMESTAMP WITH TIME ZONE NOT NULL DEFAULT now(), "sizes" integer array NOT NULL DEFAULT '{}', CONSTRAINT "UQ_e5ad5f6839bf9ea0ac66188e127" UNIQUE ("label"), CONSTRAINT "PK_f9cf39664965fd82c829914bb00" PRIMARY KEY ("id"))
--# simple
COMMIT
--# simple
START TRANSACTION
--# simple
SELECT TRUE FROM information_schema.columns WHERE table_name = 'pg_class' and column_name = 'relispartition'
--# simple
SELECT columns.*, pg_catalog.col_description((quote_ident(table_catalog) || '.' || quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = ( SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema" ) WHERE ("table_schema" = 'public' AND "table_name" = 'machine_parts')
--# simple
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'machine_parts'))
--# simple
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "i"."relname" AS "constraint_name", "a"."attname" AS "column_name", CASE "ix"."indisunique" WHEN 't' THEN 'TRUE' ELSE'FALSE' END AS "is_unique", pg_get_expr("ix"."indpred", "ix"."indrelid") AS "condition", "types"."typname" AS "type_name", "am"."amname" AS "index_type" FROM "pg_class" "t" INNER JOIN "pg_index" "ix" ON "ix"."indrelid" = "t"."oid" INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "t"."oid"  AND "a"."attnum" = ANY ("ix"."indkey") INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "t"."relnamespace" INNER JOIN "pg_class" "i" ON "i"."oid" = "ix"."indexrelid" INNER JOIN "pg_type" "types" ON "types"."oid" = "a"."atttypid" INNER JOIN "pg_am" "am" ON "i"."relam" = "am"."oid" LEFT JOIN "pg_constraint" "cnst" ON "cnst"."conname" = "i"."relname" WHERE "t"."relkind" IN ('r', 'p') AND "cnst"."contype" IS NULL AND (("ns"."nspname" = 'public' AND "t"."relname" = 'machine_parts'))
--# simple
SELECT "con"."conname" AS "constraint_name", "con"."nspname" AS "table_schema", "con"."relname" AS "table_name", "att2"."attname" AS "column_name", "ns"."nspname" AS "referenced_table_schema", "cl"."relname" AS "referenced_table_name", "att"."attname" AS "referenced_column_name", "con"."confdeltype" AS "on_delete", "con"."confupdtype" AS "on_update", "con"."condeferrable" AS "deferrable", "con"."condeferred" AS "deferred" FROM ( SELECT UNNEST ("con1"."conkey") AS "parent", UNNEST ("con1"."confkey") AS "child", "con1"."confrelid", "con1"."conrelid", "con1"."conname", "con1"."contype", "ns"."nspname", "cl"."relname", "con1"."condeferrable", CASE WHEN "con1"."condeferred" THEN 'INITIALLY DEFERRED' ELSE 'INITIALLY IMMEDIATE' END as condeferred, CASE "con1"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confdeltype", CASE "con1"."confupdtype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confupdtype" FROM "pg_class" "cl" INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_constraint" "con1" ON "con1"."conrelid" = "cl"."oid" WHERE "con1"."contype" = 'f' AND (("ns"."nspname" = 'public' AND "cl"."relname" = 'machine_parts')) ) "con" INNER JOIN "pg_attribute" "att" ON "att"."attrelid" = "con"."confrelid" AND "att"."attnum" = "con"."child" INNER JOIN "pg_class" "cl" ON "cl"."oid" = "con"."confrelid"  AND "cl"."relispartition" = 'f'INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_attribute" "att2" ON "att2"."attrelid" = "con"."conrelid" AND "att2"."attnum" = "con"."parent"
--# simple
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'public' AND "table_name" = 'machine_parts' AND "column_name"='sizes'
--# simple
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'public' AND "t"."typname" = 'int4' ORDER BY "e"."enumsortorder"
--# simple
COMMIT
--# simple
START TRANSACTION
--# extended ["bolt", "2024-01-01 00:00:00+00", "nut", "2024-01-02 00:00:00+00", "{1,2}"]
INSERT INTO "machine_parts"("label", "made", "sizes") VALUES ($1, $2, DEFAULT), ($3, $4, $5) RETURNING "id", "made", "sizes"
--# simple
COMMIT
--# extended ["bolt"]
SELECT "Part"."id" AS "Part_id", "Part"."label" AS "Part_label" FROM "machine_parts" "Part" WHERE (("Part"."label" = $1)) ORDER BY "Part_id" ASC LIMIT 3 OFFSET 0
--# extended ["bolt", "2024-01-01 00:00:00+00", "{3}"]
INSERT INTO "machine_parts"("label", "made", "sizes") VALUES ($1, $2, $3) ON CONFLICT ( "label" ) DO UPDATE SET "label" = EXCLUDED."label", "made" = EXCLUDED."made", "sizes" = EXCLUDED."sizes" RETURNING "id", "made", "sizes"
--# extended ["{4}", "nut"]
UPDATE "machine_parts" SET "sizes" = $1 WHERE "label" = $2
--# extended ["{4}"]
SELECT "p"."label" AS "p_label", "p"."id" AS "p_id" FROM "machine_parts" "p" WHERE "p"."sizes" @> $1 ORDER BY "p"."id" ASC
--# simple
START TRANSACTION
--# extended ["nut"]
DELETE FROM "machine_parts" WHERE "label" = $1
--# simple
COMMIT
--# simple
SELECT "table_schema", "table_name", obj_description((quote_ident("table_schema") || '.' || quote_ident("table_name"))::regclass, 'pg_class') AS table_comment FROM "information_schema"."tables" WHERE ("table_schema" = 'public' AND "table_name" = 'orders')
--# simple
SELECT columns.*, pg_catalog.col_description((quote_ident(table_catalog) || '.' || quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = ( SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema" ) WHERE ("table_schema" = 'public' AND "table_name" = 'orders')
--# simple
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'orders'))
--# simple
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "i"."relname" AS "constraint_name", "a"."attname" AS "column_name", CASE "ix"."indisunique" WHEN 't' THEN 'TRUE' ELSE'FALSE' END AS "is_unique", pg_get_expr("ix"."indpred", "ix"."indrelid") AS "condition", "types"."typname" AS "type_name", "am"."amname" AS "index_type" FROM "pg_class" "t" INNER JOIN "pg_index" "ix" ON "ix"."indrelid" = "t"."oid" INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "t"."oid"  AND "a"."attnum" = ANY ("ix"."indkey") INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "t"."relnamespace" INNER JOIN "pg_class" "i" ON "i"."oid" = "ix"."indexrelid" INNER JOIN "pg_type" "types" ON "types"."oid" = "a"."atttypid" INNER JOIN "pg_am" "am" ON "i"."relam" = "am"."oid" LEFT JOIN "pg_constraint" "cnst" ON "cnst"."conname" = "i"."relname" WHERE "t"."relkind" IN ('r', 'p') AND "cnst"."contype" IS NULL AND (("ns"."nspname" = 'public' AND "t"."relname" = 'orders'))
--# simple
SELECT "con"."conname" AS "constraint_name", "con"."nspname" AS "table_schema", "con"."relname" AS "table_name", "att2"."attname" AS "column_name", "ns"."nspname" AS "referenced_table_schema", "cl"."relname" AS "referenced_table_name", "att"."attname" AS "referenced_column_name", "con"."confdeltype" AS "on_delete", "con"."confupdtype" AS "on_update", "con"."condeferrable" AS "deferrable", "con"."condeferred" AS "deferred" FROM ( SELECT UNNEST ("con1"."conkey") AS "parent", UNNEST ("con1"."confkey") AS "child", "con1"."confrelid", "con1"."conrelid", "con1"."conname", "con1"."contype", "ns"."nspname", "cl"."relname", "con1"."condeferrable", CASE WHEN "con1"."condeferred" THEN 'INITIALLY DEFERRED' ELSE 'INITIALLY IMMEDIATE' END as condeferred, CASE "con1"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confdeltype", CASE "con1"."confupdtype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confupdtype" FROM "pg_class" "cl" INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_constraint" "con1" ON "con1"."conrelid" = "cl"."oid" WHERE "con1"."contype" = 'f' AND (("ns"."nspname" = 'public' AND "cl"."relname" = 'orders')) ) "con" INNER JOIN "pg_attribute" "att" ON "att"."attrelid" = "con"."confrelid" AND "att"."attnum" = "con"."child" INNER JOIN "pg_class" "cl" ON "cl"."oid" = "con"."confrelid"  AND "cl"."relispartition" = 'f'INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_attribute" "att2" ON "att2"."attrelid" = "con"."conrelid" AND "att2"."attnum" = "con"."parent"
--# simple
SELECT "udt_schema", "udt_name" FROM "information_schema"."columns" WHERE "table_schema" = 'public' AND "table_name" = 'orders' AND "column_name"='status'
--# simple
SELECT "e"."enumlabel" AS "value" FROM "pg_enum" "e" INNER JOIN "pg_type" "t" ON "t"."oid" = "e"."enumtypid" INNER JOIN "pg_namespace" "n" ON "n"."oid" = "t"."typnamespace" WHERE "n"."nspname" = 'public' AND "t"."typname" = 'order_status' ORDER BY "e"."enumsortorder"
--# simple
SELECT "table_schema", "table_name", obj_description((quote_ident("table_schema") || '.' || quote_ident("table_name"))::regclass, 'pg_class') AS table_comment FROM "information_schema"."tables" WHERE ("table_schema" = 'public' AND "table_name" = 'categories')
--# simple
SELECT columns.*, pg_catalog.col_description((quote_ident(table_catalog) || '.' || quote_ident(table_schema) || '.' || quote_ident(table_name))::regclass::oid, ordinal_position) AS description, ('"' || "udt_schema" || '"."' || "udt_name" || '"')::"regtype"::text AS "regtype", pg_catalog.format_type("col_attr"."atttypid", "col_attr"."atttypmod") AS "format_type" FROM "information_schema"."columns" LEFT JOIN "pg_catalog"."pg_attribute" AS "col_attr" ON "col_attr"."attname" = "columns"."column_name" AND "col_attr"."attrelid" = ( SELECT "cls"."oid" FROM "pg_catalog"."pg_class" AS "cls" LEFT JOIN "pg_catalog"."pg_namespace" AS "ns" ON "ns"."oid" = "cls"."relnamespace" WHERE "cls"."relname" = "columns"."table_name" AND "ns"."nspname" = "columns"."table_schema" ) WHERE ("table_schema" = 'public' AND "table_name" = 'categories')
--# simple
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "cnst"."conname" AS "constraint_name", pg_get_constraintdef("cnst"."oid") AS "expression", CASE "cnst"."contype" WHEN 'p' THEN 'PRIMARY' WHEN 'u' THEN 'UNIQUE' WHEN 'c' THEN 'CHECK' WHEN 'x' THEN 'EXCLUDE' END AS "constraint_type", "a"."attname" AS "column_name" FROM "pg_constraint" "cnst" INNER JOIN "pg_class" "t" ON "t"."oid" = "cnst"."conrelid" INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "cnst"."connamespace" LEFT JOIN "pg_attribute" "a" ON "a"."attrelid" = "cnst"."conrelid" AND "a"."attnum" = ANY ("cnst"."conkey") WHERE "t"."relkind" IN ('r', 'p') AND (("ns"."nspname" = 'public' AND "t"."relname" = 'categories'))
--# simple
SELECT "ns"."nspname" AS "table_schema", "t"."relname" AS "table_name", "i"."relname" AS "constraint_name", "a"."attname" AS "column_name", CASE "ix"."indisunique" WHEN 't' THEN 'TRUE' ELSE'FALSE' END AS "is_unique", pg_get_expr("ix"."indpred", "ix"."indrelid") AS "condition", "types"."typname" AS "type_name", "am"."amname" AS "index_type" FROM "pg_class" "t" INNER JOIN "pg_index" "ix" ON "ix"."indrelid" = "t"."oid" INNER JOIN "pg_attribute" "a" ON "a"."attrelid" = "t"."oid"  AND "a"."attnum" = ANY ("ix"."indkey") INNER JOIN "pg_namespace" "ns" ON "ns"."oid" = "t"."relnamespace" INNER JOIN "pg_class" "i" ON "i"."oid" = "ix"."indexrelid" INNER JOIN "pg_type" "types" ON "types"."oid" = "a"."atttypid" INNER JOIN "pg_am" "am" ON "i"."relam" = "am"."oid" LEFT JOIN "pg_constraint" "cnst" ON "cnst"."conname" = "i"."relname" WHERE "t"."relkind" IN ('r', 'p') AND "cnst"."contype" IS NULL AND (("ns"."nspname" = 'public' AND "t"."relname" = 'categories'))
--# simple
SELECT "con"."conname" AS "constraint_name", "con"."nspname" AS "table_schema", "con"."relname" AS "table_name", "att2"."attname" AS "column_name", "ns"."nspname" AS "referenced_table_schema", "cl"."relname" AS "referenced_table_name", "att"."attname" AS "referenced_column_name", "con"."confdeltype" AS "on_delete", "con"."confupdtype" AS "on_update", "con"."condeferrable" AS "deferrable", "con"."condeferred" AS "deferred" FROM ( SELECT UNNEST ("con1"."conkey") AS "parent", UNNEST ("con1"."confkey") AS "child", "con1"."confrelid", "con1"."conrelid", "con1"."conname", "con1"."contype", "ns"."nspname", "cl"."relname", "con1"."condeferrable", CASE WHEN "con1"."condeferred" THEN 'INITIALLY DEFERRED' ELSE 'INITIALLY IMMEDIATE' END as condeferred, CASE "con1"."confdeltype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confdeltype", CASE "con1"."confupdtype" WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT' END as "confupdtype" FROM "pg_class" "cl" INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_constraint" "con1" ON "con1"."conrelid" = "cl"."oid" WHERE "con1"."contype" = 'f' AND (("ns"."nspname" = 'public' AND "cl"."relname" = 'categories')) ) "con" INNER JOIN "pg_attribute" "att" ON "att"."attrelid" = "con"."confrelid" AND "att"."attnum" = "con"."child" INNER JOIN "pg_class" "cl" ON "cl"."oid" = "con"."confrelid"  AND "cl"."relispartition" = 'f'INNER JOIN "pg_namespace" "ns" ON "cl"."relnamespace" = "ns"."oid" INNER JOIN "pg_attribute" "att2" ON "att2"."attrelid" = "con"."conrelid" AND "att2"."attnum" = "con"."parent"
--# extended ["public", "orders"]
SELECT * FROM "information_schema"."tables" WHERE "table_schema" = $1 AND "table_name" = $2
--# extended ["public", "orders", "id"]
SELECT * FROM "information_schema"."columns" WHERE "table_schema" = $1 AND "table_name" = $2 AND "column_name" = $3
--# simple
DROP TABLE "machine_parts"
--# new session
--# simple
select version();
--# simple
SELECT 1
--# extended ["orders"]
select * from information_schema.tables where table_name = $1 and table_schema = current_schema()
--# extended ["orders", "id"]
select * from information_schema.columns where table_name = $1 and column_name = $2 and table_schema = current_schema()
--# extended ["orders"]
select * from information_schema.columns where table_name = $1 and table_catalog = current_database() and table_schema = current_schema()
--# simple
create table "notes" ("id" serial primary key, "text" varchar(255) not null, "of" integer)
--# simple
create index "notes_text_index" on "notes" ("text")
--# simple
alter table "notes" add constraint "notes_of_foreign" foreign key ("of") references "categories" ("id")
--# extended ["1", "a", "b"]
insert into "notes" ("of", "text") values ($1, $2), (DEFAULT, $3) returning "id", "text"
--# extended ["1", "c"]
insert into "notes" ("id", "text") values ($1, $2) on conflict ("id") do update set "id" = excluded."id", "text" = excluded."text"
--# extended ["%c%", "2"]
select * from "notes" where "text" like $1 or "of" is null order by "id" asc limit $2
--# extended ["1"]
with "n" as (select "id" from "notes") select count(*) as "c" from "n" limit $1
--# simple
BEGIN;
--# extended ["1", "1"]
select * from "notes" where "id" = $1 limit $2 for update
--# extended ["d", "1"]
update "notes" set "text" = $1 where "id" = $2 returning "id"
--# simple
SAVEPOINT trx3;
--# simple
delete from "notes"
--# simple
RELEASE SAVEPOINT trx3;
--# simple
COMMIT;
--# simple
truncate "notes" restart identity
--# simple
alter table "notes" add column "done" boolean default '0'
--# simple
drop table "notes"
--# new session
--# extended ["books", "3"]
select "id", "name" from "categories" where "categories"."name" = $1 order by "categories"."id" desc limit $2
--# extended ["drizzled"]
insert into "categories" ("id", "name") values (default, $1) returning "id", "name"
--# extended ["1", "all"]
insert into "categories" ("id", "name") values ($1, $2) on conflict do nothing
--# simple
begin
--# extended ["drizzled"]
update "categories" set "name" = upper("categories"."name") where "categories"."name" = $1
--# extended ["DRIZZLED"]
delete from "categories" where "categories"."name" = $1 returning "id"
--# simple
commit
--# new session
--# extended ["public"]
SELECT EXISTS(SELECT 1 FROM pg_namespace WHERE nspname = $1), version(), current_setting('server_version_num')::integer as numeric_version;
--# extended ["{public}"]
SELECT namespace.nspname as namespace_name
FROM pg_namespace as namespace
WHERE namespace.nspname = ANY ( $1 )
ORDER BY namespace_name;
--# extended ["{public}"]
SELECT
  tbl.relname AS table_name,
  namespace.nspname as namespace,
  (tbl.relhassubclass and tbl.relkind = 'p') as is_partition,
  (tbl.relhassubclass and tbl.relkind = 'r') as has_subclass,
  tbl.relrowsecurity as has_row_level_security,
  reloptions,
  obj_description(tbl.oid, 'pg_class') as description
FROM pg_class AS tbl
INNER JOIN pg_namespace AS namespace ON namespace.oid = tbl.relnamespace
WHERE
  ( -- (relkind = 'r' and relispartition = 't') matches partition table "duplicates"
    (tbl.relkind = 'r' AND tbl.relispartition = 'f')
      OR -- when it's a partition
    tbl.relkind = 'p'
  )
  AND namespace.nspname = ANY ( $1 )
ORDER BY namespace, table_name;
--# extended ["{public}"]
SELECT
    schemainfo.nspname AS namespace,
    tableinfo.relname AS table_name,
	constr.conname AS constraint_name,
	constr.contype AS constraint_type,
	pg_get_constraintdef(constr.oid) AS constraint_definition,
	constr.condeferrable AS is_deferrable,
	constr.condeferred AS is_deferred
FROM pg_constraint constr
JOIN pg_class AS tableinfo
	ON tableinfo.oid = constr.conrelid
JOIN pg_namespace AS schemainfo
	ON schemainfo.oid = tableinfo.relnamespace
WHERE schemainfo.nspname = ANY ( $1 )
	AND contype NOT IN ('p', 'u', 'f')
ORDER BY namespace, table_name, constr.contype, constraint_name;
