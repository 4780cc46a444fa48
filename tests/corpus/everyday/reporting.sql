-- Reporting SQL as analysts write it: the shapes of the 22 queries of TPC-H, then what these do not show.
--# simple
select l_returnflag, l_linestatus, sum(l_quantity) as sum_qty, sum(l_extendedprice) as sum_base_price, sum(l_extendedprice * (1 - l_discount)) as sum_disc_price, sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) as sum_charge, avg(l_quantity) as avg_qty, avg(l_extendedprice) as avg_price, avg(l_discount) as avg_disc, count(*) as count_order from tpch.lineitem where l_shipdate <= date '1998-12-01' - interval '90' day group by l_returnflag, l_linestatus order by l_returnflag, l_linestatus
--# simple
select s_acctbal, s_name, n_name, p_partkey, p_mfgr from tpch.part, tpch.supplier, tpch.partsupp, tpch.nation, tpch.region where p_partkey = ps_partkey and s_suppkey = ps_suppkey and p_type like '%STEEL' and s_nationkey = n_nationkey and n_regionkey = r_regionkey and r_name = 'EUROPE' and ps_supplycost = (select min(ps_supplycost) from tpch.partsupp, tpch.supplier, tpch.nation, tpch.region where p_partkey = ps_partkey and s_suppkey = ps_suppkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey and r_name = 'EUROPE') order by s_acctbal desc, n_name, s_name, p_partkey limit 100
--# simple
select l_orderkey, sum(l_extendedprice * (1 - l_discount)) as revenue, o_orderdate, o_shippriority from tpch.customer, tpch.orders, tpch.lineitem where c_mktsegment = 'BUILDING' and c_custkey = o_custkey and l_orderkey = o_orderkey and o_orderdate < date '1995-03-15' and l_shipdate > date '1995-03-15' group by l_orderkey, o_orderdate, o_shippriority order by revenue desc, o_orderdate limit 10
--# simple
select o_orderpriority, count(*) as order_count from tpch.orders where o_orderdate >= date '1993-07-01' and o_orderdate < date '1993-07-01' + interval '3' month and exists (select * from tpch.lineitem where l_orderkey = o_orderkey and l_commitdate < l_receiptdate) group by o_orderpriority order by o_orderpriority
--# simple
select n_name, sum(l_extendedprice * (1 - l_discount)) as revenue from tpch.customer, tpch.orders, tpch.lineitem, tpch.supplier, tpch.nation, tpch.region where c_custkey = o_custkey and l_orderkey = o_orderkey and l_suppkey = s_suppkey and c_nationkey = s_nationkey and s_nationkey = n_nationkey and n_regionkey = r_regionkey and r_name = 'ASIA' group by n_name order by revenue desc
--# simple
select sum(l_extendedprice * l_discount) as revenue from tpch.lineitem where l_shipdate >= date '1994-01-01' and l_shipdate < date '1994-01-01' + interval '1' year and l_discount between .06 - 0.01 and .06 + 0.01 and l_quantity < 24
--# simple
select supp_nation, cust_nation, l_year, sum(volume) as revenue from (select n1.n_name as supp_nation, n2.n_name as cust_nation, extract(year from l_shipdate) as l_year, l_extendedprice * (1 - l_discount) as volume from tpch.supplier, tpch.lineitem, tpch.orders, tpch.customer, tpch.nation n1, tpch.nation n2 where s_suppkey = l_suppkey and o_orderkey = l_orderkey and c_custkey = o_custkey and s_nationkey = n1.n_nationkey and c_nationkey = n2.n_nationkey and ((n1.n_name = 'FRANCE' and n2.n_name = 'GERMANY') or (n1.n_name = 'GERMANY' and n2.n_name = 'FRANCE'))) as shipping group by supp_nation, cust_nation, l_year order by supp_nation, cust_nation, l_year
--# simple
select o_year, sum(case when nation = 'BRAZIL' then volume else 0 end) / sum(volume) as mkt_share from (select extract(year from o_orderdate) as o_year, l_extendedprice * (1 - l_discount) as volume, n2.n_name as nation from tpch.part, tpch.supplier, tpch.lineitem, tpch.orders, tpch.customer, tpch.nation n1, tpch.nation n2, tpch.region where p_partkey = l_partkey and s_suppkey = l_suppkey and l_orderkey = o_orderkey and o_custkey = c_custkey and c_nationkey = n1.n_nationkey and n1.n_regionkey = r_regionkey and r_name = 'AMERICA' and s_nationkey = n2.n_nationkey and p_type = 'ECONOMY ANODIZED STEEL') as all_nations group by o_year order by o_year
--# simple
select nation, o_year, sum(amount) as sum_profit from (select n_name as nation, extract(year from o_orderdate) as o_year, l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity as amount from tpch.part, tpch.supplier, tpch.lineitem, tpch.partsupp, tpch.orders, tpch.nation where s_suppkey = l_suppkey and ps_suppkey = l_suppkey and ps_partkey = l_partkey and p_partkey = l_partkey and o_orderkey = l_orderkey and s_nationkey = n_nationkey and p_name like '%green%') as profit group by nation, o_year order by nation, o_year desc
--# simple
select c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) as revenue, c_acctbal, n_name, c_address, c_phone from tpch.customer, tpch.orders, tpch.lineitem, tpch.nation where c_custkey = o_custkey and l_orderkey = o_orderkey and l_returnflag = 'R' and c_nationkey = n_nationkey group by c_custkey, c_name, c_acctbal, c_phone, n_name, c_address order by revenue desc, c_custkey limit 20
--# simple
select ps_partkey, sum(ps_supplycost * ps_availqty) as value from tpch.partsupp, tpch.supplier, tpch.nation where ps_suppkey = s_suppkey and s_nationkey = n_nationkey and n_name = 'GERMANY' group by ps_partkey having sum(ps_supplycost * ps_availqty) > (select sum(ps_supplycost * ps_availqty) * 0.0001 from tpch.partsupp, tpch.supplier, tpch.nation where ps_suppkey = s_suppkey and s_nationkey = n_nationkey and n_name = 'GERMANY') order by value desc, ps_partkey
--# simple
select l_shipmode, sum(case when o_orderpriority = '1-URGENT' or o_orderpriority = '2-HIGH' then 1 else 0 end) as high_line_count, sum(case when o_orderpriority <> '1-URGENT' and o_orderpriority <> '2-HIGH' then 1 else 0 end) as low_line_count from tpch.orders, tpch.lineitem where o_orderkey = l_orderkey and l_shipmode in ('MAIL', 'SHIP') and l_commitdate < l_receiptdate group by l_shipmode order by l_shipmode
--# simple
select c_count, count(*) as custdist from (select c_custkey, count(o_orderkey) from tpch.customer left outer join tpch.orders on c_custkey = o_custkey and o_comment not like '%special%requests%' group by c_custkey) as c_orders (c_custkey, c_count) group by c_count order by custdist desc, c_count desc
--# simple
select 100.00 * sum(case when p_type like 'PROMO%' then l_extendedprice * (1 - l_discount) else 0 end) / sum(l_extendedprice * (1 - l_discount)) as promo_revenue from tpch.lineitem, tpch.part where l_partkey = p_partkey and l_shipdate >= date '1995-09-01'
--# simple
with revenue (supplier_no, total_revenue) as (select l_suppkey, sum(l_extendedprice * (1 - l_discount)) from tpch.lineitem where l_shipdate >= date '1996-01-01' group by l_suppkey) select s_suppkey, s_name, total_revenue from tpch.supplier, revenue where s_suppkey = supplier_no and total_revenue = (select max(total_revenue) from revenue) order by s_suppkey
--# simple
select p_brand, p_type, p_size, count(distinct ps_suppkey) as supplier_cnt from tpch.partsupp, tpch.part where p_partkey = ps_partkey and p_brand <> 'Brand#45' and p_type not like 'MEDIUM POLISHED%' and p_size in (49, 14, 23, 45, 19, 3, 36, 9) and ps_suppkey not in (select s_suppkey from tpch.supplier where s_comment like '%Customer%Complaints%') group by p_brand, p_type, p_size order by supplier_cnt desc, p_brand, p_type, p_size
--# simple
select sum(l_extendedprice) / 7.0 as avg_yearly from tpch.lineitem, tpch.part where p_partkey = l_partkey and p_brand = 'Brand#13' and p_container = 'MED BAG' and l_quantity < (select 0.2 * avg(l_quantity) from tpch.lineitem where l_partkey = p_partkey)
--# simple
select c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity) from tpch.customer, tpch.orders, tpch.lineitem where o_orderkey in (select l_orderkey from tpch.lineitem group by l_orderkey having sum(l_quantity) > 100) and c_custkey = o_custkey and o_orderkey = l_orderkey group by c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice order by o_totalprice desc, o_orderdate limit 100
--# simple
select sum(l_extendedprice * (1 - l_discount)) as revenue from tpch.lineitem, tpch.part where (p_partkey = l_partkey and p_brand = 'Brand#12' and p_container in ('SM CASE', 'SM BOX') and l_quantity >= 1 and l_quantity <= 11 and p_size between 1 and 5 and l_shipmode in ('AIR', 'AIR REG')) or (p_partkey = l_partkey and p_brand = 'Brand#13' and l_quantity >= 10 and l_shipinstruct = 'DELIVER IN PERSON')
--# simple
select s_name, s_address from tpch.supplier, tpch.nation where s_suppkey in (select ps_suppkey from tpch.partsupp where ps_partkey in (select p_partkey from tpch.part where p_name like 'forest%') and ps_availqty > (select 0.5 * sum(l_quantity) from tpch.lineitem where l_partkey = ps_partkey and l_suppkey = ps_suppkey)) and s_nationkey = n_nationkey and n_name = 'CANADA' order by s_name
--# simple
select s_name, count(*) as numwait from tpch.supplier, tpch.lineitem l1, tpch.orders, tpch.nation where s_suppkey = l1.l_suppkey and o_orderkey = l1.l_orderkey and o_orderstatus = 'F' and l1.l_receiptdate > l1.l_commitdate and exists (select * from tpch.lineitem l2 where l2.l_orderkey = l1.l_orderkey and l2.l_suppkey <> l1.l_suppkey) and not exists (select * from tpch.lineitem l3 where l3.l_orderkey = l1.l_orderkey and l3.l_suppkey <> l1.l_suppkey and l3.l_receiptdate > l3.l_commitdate) and s_nationkey = n_nationkey group by s_name order by numwait desc, s_name limit 100
--# simple
select cntrycode, count(*) as numcust, sum(c_acctbal) as totacctbal from (select substring(c_phone from 1 for 2) as cntrycode, c_acctbal from tpch.customer where substring(c_phone from 1 for 2) in ('13', '31', '23', '29', '30', '18', '17') and c_acctbal > (select avg(c_acctbal) from tpch.customer where c_acctbal > 0.00) and not exists (select * from tpch.orders where o_custkey = c_custkey)) as custsale group by cntrycode order by cntrycode
--# simple
SELECT status, count(*), grouping(status) FROM orders GROUP BY ROLLUP (status) ORDER BY status
--# simple
SELECT extract(year FROM placed AT TIME ZONE 'UTC') AS y, status, sum(total) FROM orders GROUP BY CUBE (1, 2) ORDER BY 1, 2
--# simple
SELECT customer, status, count(*) FROM orders GROUP BY GROUPING SETS ((customer), (status), ()) ORDER BY 1, 2
--# simple
SELECT id, total, sum(total) OVER w AS running, rank() OVER (PARTITION BY status ORDER BY total DESC), lag(total, 1, 0) OVER w, first_value(id) OVER (PARTITION BY customer ORDER BY placed ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM orders WINDOW w AS (ORDER BY id) ORDER BY id LIMIT 20
--# simple
SELECT ntile(4) OVER (ORDER BY total), percent_rank() OVER (ORDER BY total), row_number() OVER (ORDER BY id DESC) FROM orders ORDER BY id LIMIT 10
--# simple
WITH RECURSIVE tree AS (SELECT id, name, parent, 1 AS depth, ARRAY[id] AS path FROM categories WHERE parent IS NULL UNION ALL SELECT c.id, c.name, c.parent, depth + 1, path || c.id FROM categories c JOIN tree ON c.parent = tree.id) SELECT * FROM tree ORDER BY path
--# simple
WITH monthly AS MATERIALIZED (SELECT date_trunc('month', placed AT TIME ZONE 'UTC') AS m, sum(total) AS s FROM orders GROUP BY 1) SELECT m, s, s - lag(s) OVER (ORDER BY m) AS change FROM monthly ORDER BY m
--# simple
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY status), count(*) FILTER (WHERE status = 'paid') FROM orders
--# simple
SELECT c.name, c.city, count(o.id) AS orders, coalesce(sum(o.total), 0) AS total FROM customers c LEFT JOIN orders o ON o.customer = c.id GROUP BY c.id, c.name, c.city HAVING count(o.id) > 2 ORDER BY total DESC, c.name LIMIT 10
--# simple
SELECT city, count(*), min(joined) FROM customers GROUP BY city ORDER BY city
--# simple
SELECT c.id, c.name, last.id, last.total FROM customers c CROSS JOIN LATERAL (SELECT id, total FROM orders o WHERE o.customer = c.id ORDER BY placed DESC LIMIT 1) last ORDER BY c.id
--# simple
SELECT DISTINCT ON (customer) customer, id, placed FROM orders ORDER BY customer, placed DESC
--# simple
SELECT d::date AS day, count(o.id) FROM generate_series('2024-01-01'::date, '2024-01-31', '1 day') d LEFT JOIN orders o ON (o.placed AT TIME ZONE 'UTC')::date = d::date GROUP BY 1 ORDER BY 1
--# simple
SELECT name, details ->> 'pages' AS pages, details #>> '{in,0}', details @> '{"pages": 50}', jsonb_array_length(details -> 'in') FROM products ORDER BY id LIMIT 5
--# simple
SELECT p.id, e.value FROM products p, jsonb_array_elements(p.details -> 'in') AS e ORDER BY 1, 2 LIMIT 10
--# simple
SELECT jsonb_object_agg(id, name ORDER BY id) FROM categories
--# simple
SELECT json_agg(json_build_object('id', id, 'name', name) ORDER BY id) FROM categories
--# simple
SELECT jsonb_path_query_array(details, '$.in[*] ? (@ > 3)') FROM products ORDER BY id LIMIT 4
--# simple
SELECT name, ts_rank(search, query) FROM products, plainto_tsquery('english', 'product day') query WHERE search @@ query ORDER BY 2 DESC, 1 LIMIT 5
--# simple
SELECT ts_headline('english', body, to_tsquery('english', 'fox | dog')) FROM documents WHERE to_tsvector('english', body) @@ to_tsquery('english', 'fox | dog') ORDER BY id
--# simple
SELECT name, tags[1], array_length(tags, 1), 'all' = ANY (tags), array_to_string(tags, ','), tags || 'more' FROM products ORDER BY id LIMIT 5
--# simple
SELECT tag, count(*) FROM products, unnest(tags) AS tag GROUP BY tag ORDER BY 2 DESC, 1
--# simple
SELECT array_agg(id ORDER BY id) FILTER (WHERE price > 20), string_agg(name, '; ' ORDER BY id) FROM products
--# simple
SELECT to_char(placed AT TIME ZONE 'UTC', 'YYYY-MM'), extract(dow FROM placed), age(timestamptz '2024-12-31 00:00+00', placed), placed + interval '1 month 2 days' FROM orders ORDER BY id LIMIT 5
--# simple
SELECT CASE WHEN total < 10 THEN 'small' WHEN total < 50 THEN 'middle' ELSE 'large' END AS size, count(*), round(avg(total), 2), stddev_pop(total)::numeric(12, 4) FROM orders GROUP BY 1 ORDER BY 1
--# simple
SELECT id FROM orders WHERE status = 'new' UNION SELECT id FROM orders WHERE total > 95 EXCEPT SELECT 100 ORDER BY id LIMIT 20
--# simple
SELECT id FROM orders WHERE id < 9 INTERSECT ALL SELECT customer FROM orders ORDER BY 1
--# simple
SELECT width_bucket(total, 0, 100, 5) AS bucket, count(*) FROM orders GROUP BY bucket ORDER BY bucket
--# simple
SELECT sensor, avg(value), corr(value, sensor), regr_slope(value, sensor) FROM measurements WHERE taken >= '2024-07-01' GROUP BY sensor ORDER BY sensor
--# simple
SELECT m.month, m.orders FROM sales_by_month m ORDER BY 1
--# simple
SELECT * FROM order_totals WHERE total > 100 ORDER BY id
--# simple
SELECT tableoid::regclass::text AS part, count(*) FROM measurements GROUP BY 1 ORDER BY 1
--# simple
SELECT upper(name), length(name), substr(name, 1, 4), position('day' in name), replace(name, 'day', 'night'), regexp_replace(name, '\d+', '#'), split_part(name, ' ', 2), lpad(id::text, 5, '0'), md5(name), initcap(name) FROM products ORDER BY id LIMIT 3
--# simple
SELECT round(1.2345, 2), trunc(-1.5), mod(7, 3), power(2, 10), greatest(1, 2, 3), least('a', 'b'), nullif(1, 1), coalesce(NULL, 'x'), 5 BETWEEN 1 AND 9, 'abc' ILIKE 'A%', 'abc' ~ '^a', 'x' IS DISTINCT FROM NULL
--# simple
VALUES (1, 'one'), (2, 'two')
--# simple
TABLE counters
--# simple
SELECT o.*, c.name FROM orders o JOIN customers c ON c.id = o.customer WHERE o.id IN (SELECT order_id FROM order_items GROUP BY order_id HAVING sum(quantity) > 6) ORDER BY o.id LIMIT 7
--# simple
SELECT department, count(*), min(hired), max(hired) FROM staff GROUP BY department ORDER BY department
--# simple
SELECT s.name, b.name AS boss FROM staff s LEFT JOIN staff b ON b.id = s.boss ORDER BY s.id
--# simple
EXPLAIN (COSTS OFF) SELECT * FROM orders WHERE id = 1
--# simple
EXPLAIN (FORMAT json, COSTS OFF) SELECT count(*) FROM order_items
--# simple
COPY (SELECT id, name FROM categories ORDER BY id) TO STDOUT WITH (FORMAT csv, HEADER)
--# simple
COPY counters TO STDOUT
--# simple
SELECT customer, count(*) FROM orders o WHERE NOT EXISTS (SELECT FROM order_items i WHERE i.order_id = o.id AND quantity > 9) GROUP BY customer ORDER BY 2 DESC, 1 FETCH FIRST 5 ROWS ONLY
--# extended ["2024-01-10", "2024-02-10"]
SELECT count(*), sum(total) FROM orders WHERE placed BETWEEN $1 AND $2
--# extended ["%customer 1%", "10", "0"]
SELECT id, name FROM customers WHERE name ILIKE $1 ORDER BY id LIMIT $2 OFFSET $3
