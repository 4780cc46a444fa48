# psql's backslash commands, and what its tab completion asks (on a terminal, so through script(1)).
set -u
psql -X -q <<'END' >/dev/null
\d
\d+
\d orders
\d+ orders
\d+ products
\d+ customers
\d staff
\d+ documents
\d+ measurements
\d measurements_2024
\d+ order_totals
\d sales_by_month
\d orders_pkey
\d+ invoice_number
\d tpch.lineitem
\d address
\dt
\dt+
\dt tpch.*
\dtvmsE public.*
\di
\di+ orders*
\dv
\dv+
\dm
\dm+
\ds
\ds+
\df
\df+ order_count
\dfn lower
\dft
\da sum
\dn
\dn+
\du
\du+
\dg postgres
\drds
\l
\l+
\dp
\z orders
\ddp
\dx
\dx+
\dT
\dT+
\dD
\dD+
\dC
\do ||
\do+ public.*
\dF
\dF+ english
\dFd
\dFp
\dFt
\db
\db+
\dc
\dd
\des
\det
\dew
\deu
\dE
\dL
\dO
\dRp
\dRs
\dX
\dy
\dP
\dP+
\dA
\dA+
\dAc btree int4
\dAf btree int4
\dAo btree
\dAp btree
\dconfig work_mem
\sf order_count
\sv order_totals
\encoding
\conninfo
\gdesc
END
typescript=$(mktemp)
complete() { printf "%s\t\t\025" "$1"; sleep 0.3; }
{
  sleep 0.5
  for begun in 'SELECT * FROM or' 'SELECT * FROM tpch.' 'SELECT id FROM orders WHERE st' 'UPDATE ord' 'UPDATE orders SET ' \
    'INSERT INTO prod' 'INSERT INTO products (' 'DROP TABLE cou' 'DROP VIEW ord' 'DROP INDEX ' 'ALTER TABLE orders ' \
    'ALTER TABLE orders DROP COLUMN ' 'ALTER TABLE orders ALTER ' 'SET work_' 'SET search_path TO ' 'SHOW work' '\d ord' '\df ord' \
    '\dn ' '\dT ord' '\du ' '\l ' '\c ' 'GRANT SELECT ON ' 'GRANT SELECT ON orders TO ' 'COPY ord' 'VACUUM ord' 'ANALYZE ord' \
    'CREATE INDEX ON orders (' 'COMMENT ON COLUMN orders.' 'REFRESH MATERIALIZED VIEW ' 'TRUNCATE ' 'DELETE FROM ord' \
    'ALTER TYPE order_' 'CREATE TRIGGER x BEFORE UPDATE ON ' 'DROP TRIGGER ' 'EXECUTE ' 'LISTEN ' 'REINDEX TABLE ' \
    'ALTER SEQUENCE inv' 'DROP FUNCTION ord' 'SELECT order_c' 'ALTER ROLE ' 'SET ROLE '; do
    complete "$begun"
  done
  printf '\\q\n'
} | script -qec 'psql -X' "$typescript" >/dev/null
rm "$typescript"
