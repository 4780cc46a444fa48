-- Metabase, Superset, Tableau, dbt, Hibernate and the like: the standard's own catalogue, in our words
--# extended
SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema') ORDER BY 1, 2
--# extended
SELECT column_name, ordinal_position, column_default, is_nullable, data_type, character_maximum_length, numeric_precision, numeric_scale, udt_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = 'orders' ORDER BY ordinal_position
--# extended
SELECT tc.constraint_name, tc.table_name, kcu.column_name, ccu.table_name AS foreign_table, ccu.column_name AS foreign_column FROM information_schema.table_constraints tc JOIN information_schema.key_column_usage kcu ON tc.constraint_name = kcu.constraint_name AND tc.table_schema = kcu.table_schema JOIN information_schema.constraint_column_usage ccu ON ccu.constraint_name = tc.constraint_name WHERE tc.constraint_type = 'FOREIGN KEY' ORDER BY 1, 3
--# extended
SELECT schema_name FROM information_schema.schemata ORDER BY 1
--# extended
SELECT * FROM information_schema.sequences ORDER BY sequence_name
--# extended
SELECT routine_name, data_type FROM information_schema.routines WHERE routine_schema = 'public' ORDER BY 1
--# extended
SELECT table_name, view_definition FROM information_schema.views WHERE table_schema = 'public' ORDER BY 1
--# extended
SELECT trigger_name, event_manipulation, action_timing FROM information_schema.triggers ORDER BY 1, 2
--# extended
SELECT * FROM information_schema.referential_constraints ORDER BY constraint_name
--# extended
SELECT constraint_name, check_clause FROM information_schema.check_constraints WHERE constraint_schema = 'public' AND constraint_name !~ 'not_null' ORDER BY 1
--# extended
SELECT domain_name, data_type FROM information_schema.domains WHERE domain_schema = 'public'
--# extended
SELECT grantee, privilege_type FROM information_schema.role_table_grants WHERE table_name = 'orders' ORDER BY 1, 2
--# extended
SELECT DISTINCT udt_name FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1
--# extended
SELECT character_value FROM information_schema.sql_implementation_info WHERE implementation_info_name = 'DBMS NAME'
--# extended
SELECT to_regclass('public.orders')::text, to_regclass('missing'), 'orders'::regclass::text
--# extended
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2
--# extended
SELECT schemaname, tablename, hasindexes FROM pg_tables WHERE schemaname = 'public' ORDER BY 2
--# extended
SELECT viewname, definition FROM pg_views WHERE schemaname = 'public' ORDER BY 1
--# extended
SELECT matviewname FROM pg_matviews
--# extended
SELECT sequencename, start_value FROM pg_sequences ORDER BY 1
--# extended
SELECT extname, extversion FROM pg_extension
--# extended
SELECT rolname FROM pg_roles WHERE rolname = current_user
--# extended
SELECT oid, typname FROM pg_type WHERE typname IN ('hstore', 'citext', 'geometry')
--# extended
SELECT c.relname, c.reltuples::bigint >= -1 AS estimate FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY 1
--# extended
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'orders'::regclass ORDER BY conname
--# extended
SELECT e.enumlabel FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid WHERE t.typname = 'order_status' ORDER BY e.enumsortorder
--# extended
SELECT has_table_privilege('orders', 'SELECT'), has_schema_privilege('public', 'USAGE')
--# extended
SELECT obj_description('orders'::regclass), col_description('orders'::regclass, 5)
--# extended
SELECT current_setting('server_version_num')::int >= 130000
--# extended
SELECT current_setting('is_superuser'), current_setting('TimeZone')
--# extended
SELECT set_config('search_path', 'public', false)
--# extended
SELECT name, setting FROM pg_settings WHERE name IN ('max_connections', 'TimeZone') ORDER BY 1
--# extended
SHOW ALL
--# extended
SHOW server_version
--# extended
SHOW standard_conforming_strings
--# extended
SHOW default_transaction_isolation
--# extended
SHOW TimeZone
--# extended
SET statement_timeout = 30000
--# extended
SET TIME ZONE 'UTC'
--# extended
SET DateStyle TO 'ISO, MDY'
--# extended
SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE
--# extended
SET lock_timeout = '5s'
--# extended
SET idle_in_transaction_session_timeout = 0
--# extended
RESET statement_timeout
--# extended
SET client_min_messages TO warning
