#!/bin/sh
# Sets up one machine; may be run again. Usage: provision.sh runner|database DATABASE_ADDRESS
set -eu
role=$1
database=$2
export DEBIAN_FRONTEND=noninteractive

apt-get update -q
case $role in
database)
    apt-get install -qy --no-install-recommends postgresql
    version=$(ls /etc/postgresql | tail -n 1)
    conf=/etc/postgresql/$version/main
    echo "listen_addresses = '$database'" > "$conf/conf.d/hostagent.conf"
    grep -q hostagent "$conf/pg_hba.conf" || cat >> "$conf/pg_hba.conf" <<'HBA'
# hostagent: the runner host logs in by password
host all all 192.168.56.0/24 scram-sha-256
HBA
    systemctl restart postgresql
    runuser -u postgres -- psql -qc "CREATE ROLE app LOGIN PASSWORD 'app'" 2>/dev/null || true
    runuser -u postgres -- createdb -O app app 2>/dev/null || true
    ;;
runner)
    apt-get install -qy --no-install-recommends make python3 python3-venv postgresql-client
    make -C /hostagent setup
    echo "try: PGPASSWORD=app psql -h $database -U app app"
    ;;
*)
    echo "usage: provision.sh runner|database DATABASE_ADDRESS" >&2
    exit 2
    ;;
esac
