#!/bin/sh
# Sets up one machine of the lab; may be run again. Packages of the distribution are fetched only where they are missing.
#
#   provision.sh database ADDRESS              PostgreSQL, MariaDB and sshd that listen on ADDRESS
#   provision.sh runner ADDRESS PACKAGE.deb    hostagent from its package, governing a runner's units; ADDRESS is the database's
set -eu
here=$(dirname "$(readlink -f "$0")")
export DEBIAN_FRONTEND=noninteractive

# The packages of the distribution that are not here yet.
need() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
    done
    [ -n "$missing" ] || return 0
    apt-get update -q
    # shellcheck disable=SC2086 # a list
    apt-get install -qy --no-install-recommends $missing
}

database() {
    need postgresql mariadb-server openssh-server
    conf=$(find /etc/postgresql -mindepth 2 -maxdepth 2 -name main | sort | tail -n 1)
    cat >"$conf/conf.d/lab.conf" <<CONF
listen_addresses = 'localhost, $1'
# every connection and statement, so that what the agent recorded can be held against it
log_connections = on
log_statement = all
log_line_prefix = '%m [%p] %r '
CONF
    grep -q 'the lab' "$conf/pg_hba.conf" || printf '# the lab\nhost all app samenet scram-sha-256\n' >>"$conf/pg_hba.conf"
    systemctl restart postgresql
    runuser -u postgres -- psql -q <<SQL
SELECT 'CREATE ROLE app LOGIN' WHERE to_regrole('app') IS NULL \gexec
ALTER ROLE app PASSWORD 'app';
SELECT 'CREATE DATABASE app OWNER app' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'app') \gexec
\connect app
SET ROLE app;
CREATE TABLE IF NOT EXISTS accounts (id int PRIMARY KEY, owner text);
INSERT INTO accounts VALUES (1, 'ada'), (2, 'grace') ON CONFLICT DO NOTHING;
SQL
    printf '[mysqld]\nbind-address = %s\nskip-name-resolve\n' "$1" >/etc/mysql/mariadb.conf.d/90-lab.cnf
    systemctl restart mariadb
    mariadb <<'SQL'
CREATE DATABASE IF NOT EXISTS app;
CREATE USER IF NOT EXISTS app IDENTIFIED BY 'app';
GRANT ALL ON app.* TO app;
CREATE TABLE IF NOT EXISTS app.accounts (id int PRIMARY KEY, owner text);
INSERT IGNORE INTO app.accounts VALUES (1, 'ada'), (2, 'grace');
SQL
    id deploy >/dev/null 2>&1 || useradd --create-home --shell /bin/bash deploy
    echo deploy:deploy | chpasswd
    printf 'Match User deploy\n    PasswordAuthentication yes\n' >/etc/ssh/sshd_config.d/lab.conf
    systemctl restart ssh
}

runner() {
    need postgresql-client mariadb-client openssh-client
    apt-get install -qy --no-install-recommends "$(readlink -f "$2")"
    install -m 0640 -g hostagent /usr/share/hostagent/runners/hostagent.yaml /etc/hostagent/hostagent.yaml
    sed "s/@DATABASE@/$1/" "$here/policy.yaml" >/etc/hostagent/policies.d/lab.yaml
    for secret in app deploy; do
        (umask 077 && printf %s "$secret" >"/etc/hostagent/lab-$secret.secret")
    done
    hostagent policy check /etc/hostagent/policies.d
    systemctl enable -q hostagentd.socket hostagentd.service
    systemctl restart hostagentd.socket hostagentd.service
}

case "$#-${1:-}" in
2-database) database "$2" ;;
3-runner) runner "$2" "$3" ;;
*)
    echo "usage: provision.sh database ADDRESS | provision.sh runner ADDRESS PACKAGE.deb" >&2
    exit 2
    ;;
esac
