-- DBeaver and DataGrip over pgjdbc: what their users' logs in public issue trackers show, put in our words for our schema
--# extended
SET extra_float_digits = 3
--# extended
SET application_name = 'DBeaver 25.1.5 - Main <shop>'
--# extended
SELECT current_schema(),session_user
--# extended
SELECT n.oid,n.*,d.description FROM pg_catalog.pg_namespace n LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=n.oid AND d.objsubid=0 AND d.classoid='pg_namespace'::regclass ORDER BY nspname
--# extended ["1034"]
SELECT n.nspname = ANY(current_schemas(true)), n.nspname, t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE t.oid = $1
--# extended
SHOW search_path
--# extended ["postgres"]
SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE datname=$1
--# extended ["standard_conforming_strings"]
select * from pg_catalog.pg_settings where name=$1
--# extended
select string_agg(word, ',') from pg_catalog.pg_get_keywords() where word <> ALL ('{a,abs,add,all,alter,and,as,select,table,where}'::text[])
--# extended
SELECT version()
--# extended
SELECT db.oid,db.* FROM pg_catalog.pg_database db WHERE NOT datistemplate AND datallowconn ORDER BY db.datname
--# extended ["c"]
SELECT t.oid,t.*,c.relkind,format_type(nullif(t.typbasetype, 0), t.typtypmod) as base_type_name, d.description FROM pg_catalog.pg_type t LEFT OUTER JOIN pg_catalog.pg_type et ON et.oid=t.typelem LEFT OUTER JOIN pg_catalog.pg_class c ON c.oid=t.typrelid LEFT OUTER JOIN pg_catalog.pg_description d ON t.oid=d.objoid WHERE t.typname IS NOT NULL AND (c.relkind IS NULL OR c.relkind = $1) AND (et.typcategory IS NULL OR et.typcategory <> 'C') ORDER BY t.oid
--# extended ["2200"]
SELECT c.oid,c.*,d.description,pg_catalog.pg_get_expr(c.relpartbound, c.oid) as partition_expr, pg_catalog.pg_get_partkeydef(c.oid) as partition_key FROM pg_catalog.pg_class c LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_class'::regclass WHERE c.relnamespace=$1 AND c.relkind not in ('i','I','c') ORDER BY c.oid
--# extended ["{oid:public.orders}"]
SELECT c.relname,a.*,pg_catalog.pg_get_expr(ad.adbin, ad.adrelid, true) as def_value,dsc.description,dep.objid FROM pg_catalog.pg_attribute a INNER JOIN pg_catalog.pg_class c ON (a.attrelid=c.oid) LEFT OUTER JOIN pg_catalog.pg_attrdef ad ON (a.attrelid=ad.adrelid AND a.attnum = ad.adnum) LEFT OUTER JOIN pg_catalog.pg_description dsc ON (c.oid=dsc.objoid AND a.attnum = dsc.objsubid) LEFT OUTER JOIN pg_depend dep on dep.refobjid = a.attrelid AND dep.deptype = 'i' and dep.refobjsubid = a.attnum and dep.classid = dep.refclassid WHERE NOT a.attisdropped AND c.relkind not in ('i','I','c') AND c.oid=$1 ORDER BY a.attnum
--# extended ["{oid:public.order_items}"]
SELECT c.oid,c.*,t.relname as tabrelname,rt.relnamespace as refnamespace,d.description FROM pg_catalog.pg_constraint c INNER JOIN pg_catalog.pg_class t ON t.oid=c.conrelid LEFT OUTER JOIN pg_catalog.pg_class rt ON rt.oid=c.confrelid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=c.oid AND d.objsubid=0 AND d.classoid='pg_constraint'::regclass WHERE c.conrelid=$1 ORDER BY c.oid
--# extended ["{oid:public.categories}"]
SELECT i.*,i.indkey as keys,c.relname,c.relnamespace,c.relam,c.reltablespace,tc.relname as tabrelname,dsc.description,pg_catalog.pg_get_expr(i.indpred, i.indrelid) as pred_expr,pg_catalog.pg_get_expr(i.indexprs, i.indrelid, true) as expr,pg_catalog.pg_relation_size(i.indexrelid) as index_rel_size,pg_catalog.pg_stat_get_numscans(i.indexrelid) as index_num_scans FROM pg_catalog.pg_index i INNER JOIN pg_catalog.pg_class c ON c.oid=i.indexrelid INNER JOIN pg_catalog.pg_class tc ON tc.oid=i.indrelid LEFT OUTER JOIN pg_catalog.pg_description dsc ON i.indexrelid=dsc.objoid WHERE i.indrelid=$1 ORDER BY tabrelname, c.relname
--# extended ["{oid:public.orders}"]
SELECT x.oid,x.*,p.pronamespace as func_schema_id,d.description FROM pg_catalog.pg_trigger x LEFT OUTER JOIN pg_catalog.pg_proc p ON p.oid=x.tgfoid LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=x.oid AND d.objsubid=0 WHERE x.tgrelid=$1 AND NOT x.tgisinternal
--# extended ["2200"]
SELECT p.oid as poid,p.*,pg_catalog.pg_get_expr(p.proargdefaults, 0) as arg_defaults,d.description FROM pg_catalog.pg_proc p LEFT OUTER JOIN pg_catalog.pg_description d ON d.objoid=p.oid WHERE p.pronamespace=$1 ORDER BY p.proname
--# extended
SELECT a.oid,a.*,pd.description FROM pg_catalog.pg_roles a left join pg_catalog.pg_shdescription pd on a.oid = pd.objoid ORDER BY a.rolname
--# extended
select description from pg_shdescription join pg_database on objoid = pg_database.oid where datname = 'postgres'
--# extended ["{oid:public.measurements_2024}"]
SELECT i.*, c.relnamespace FROM pg_catalog.pg_inherits i, pg_catalog.pg_class c WHERE i.inhrelid=$1 AND c.oid=i.inhparent ORDER BY i.inhseqno
--# extended ["{oid:public.order_totals}"]
SELECT pg_catalog.pg_get_viewdef($1, true)
--# extended
SELECT x.* FROM public.categories x ORDER BY x.id
--# extended
SELECT * FROM public.orders LIMIT 200
--# extended
SELECT t.typname,t.oid FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON t.typnamespace = n.oid WHERE n.nspname <> 'pg_toast' AND (t.typrelid = 0 OR (SELECT c.relkind = 'c' FROM pg_catalog.pg_class c WHERE c.oid = t.typrelid)) ORDER BY t.oid
--# extended
select e.oid, cn.nspname as schema_name, e.* from pg_catalog.pg_extension e join pg_namespace cn on cn.oid = e.extnamespace order by 1
--# extended
SELECT t.oid,t.*,pg_tablespace_location(t.oid) loc FROM pg_catalog.pg_tablespace t ORDER BY t.oid
--# extended
SELECT am.oid, am.* FROM pg_catalog.pg_am am ORDER BY am.oid
--# extended
SELECT setting FROM pg_catalog.pg_settings WHERE name = 'search_path'
--# extended
select current_database() as a, current_schemas(false) as b
--# extended
SHOW TRANSACTION ISOLATION LEVEL
--# extended
select N.oid::bigint as id, datname as name, D.description, datistemplate as is_template, datallowconn as allow_connections, pg_catalog.pg_get_userbyid(N.datdba) as "owner" from pg_catalog.pg_database N left join pg_catalog.pg_shdescription D on N.oid = D.objoid order by 2
--# extended
select N.oid::bigint as id, N.xmin as state_number, nspname as name, D.description, pg_catalog.pg_get_userbyid(N.nspowner) as "owner" from pg_catalog.pg_namespace N left join pg_catalog.pg_description D on N.oid = D.objoid order by case when nspname = pg_catalog.current_schema() then -1::bigint else N.oid::bigint end
--# extended
select case when pg_catalog.pg_is_in_recovery() then null else (pg_catalog.txid_current() % 4294967296)::varchar::bigint end > 0 as current_txid
--# extended
select T.relkind as table_kind, T.relname as table_name, T.oid as table_id, pg_catalog.array_to_string(T.reloptions, ',') from pg_catalog.pg_class T where relnamespace = 2200::oid and relkind in ('r', 'm', 'v', 'f', 'p') order by table_kind, table_id
--# extended
select R.oid::bigint as role_id, rolname as role_name, rolsuper is_super, rolinherit is_inherit, rolcreaterole can_createrole, rolcreatedb can_createdb, rolcanlogin can_login, rolreplication is_replication, rolconnlimit conn_limit, rolvaliduntil valid_until, rolbypassrls bypass_rls, rolconfig config from pg_catalog.pg_roles R order by 1
--# extended
select T.oid object_id, T.typname object_name, T.typtype, pg_catalog.format_type(T.typbasetype, T.typtypmod) from pg_catalog.pg_type T where T.typnamespace = 2200::oid and T.typtype in ('d', 'e') order by 1
--# extended
SELECT name, setting, short_desc FROM pg_settings ORDER BY name
--# extended
SELECT pg_size_pretty(pg_database_size(current_database())) IS NOT NULL, pg_encoding_to_char(6)
--# extended
SELECT relname, n_live_tup >= 0 FROM pg_stat_user_tables ORDER BY relname
--# extended
SELECT count(*) > 0 FROM pg_stat_activity
--# extended
SELECT locktype, mode, granted FROM pg_locks WHERE pid = pg_backend_pid() ORDER BY 1, 2 LIMIT 1
