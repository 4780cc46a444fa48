#!/bin/sh
# What must hold on a runner host of the lab, told in TAP; exit 1 where something does not. Run as root: check.sh ADDRESS
# Each denial stands beside its positive twin. The daemon is stopped and started again on the way.
# shellcheck disable=SC2317 # functions that `check` calls
set -u
database=$1
number=0
failed=0
# check WORDS STATUS TEXT COMMAND…: the command ends with 0, or with another status where STATUS is `no`, and says TEXT.
check() {
    words=$1 wanted=$2 text=$3
    shift 3
    number=$((number + 1))
    said=$("$@" 2>&1 </dev/null) && status=yes || status=no
    case $status-$said in
    "$wanted-"*"$text"*) echo "ok $number - $words" ;;
    *)
        failed=1
        echo "not ok $number - $words"
        printf '%s\n' "$said" | sed 's/^/# /'
        ;;
    esac
}

governed() {
    systemd-run --quiet --pipe --wait --collect --slice=governed.slice --setenv=PGPASSWORD=no --setenv=PGCONNECT_TIMEOUT=20 -- "$@"
}
direct() { PGPASSWORD=app psql --host="$database" --no-psqlrc -U app -d app -Atc "$1"; }
asked() { governed psql --host="$database" --no-psqlrc -U anybody -d app -Atc "$1"; }
mariadb_asked() { governed mariadb --host="$database" -uanybody -pno app -Ne "$1"; }
ssh_asked() { governed ssh -o BatchMode=yes -o StrictHostKeyChecking=yes "somebody@$database" "$1"; }
recorded() { hostagent events -o json -n 1000 | grep -F "$1"; }
mark=check-$$

check "the service is up" yes active systemctl is-active hostagentd.service
check "hostagent doctor finds nothing wrong" yes "" hostagent doctor
check "the host's CA is trusted" yes "" hostagent ca install --system
check "PostgreSQL, not governed: the server itself" no anybody env PGPASSWORD=no psql --host="$database" --no-psqlrc -U anybody -d app -c "select 1"
check "PostgreSQL, governed: logged in with the credential that the agent holds" yes app asked "select current_user"
check "PostgreSQL, governed: an allowed statement" yes ada asked "select owner, '$mark' from accounts where id = 1"
check "it is recorded, with the unit that asked" yes .service recorded "$mark"
check "PostgreSQL, governed: a denied one" no "denied by policy: the lab's tables stay as they are" asked "drop table accounts"
check "and its twin, not governed, is the server's to answer" yes 2 direct "select count(*) from accounts"
check "MariaDB, governed: an allowed statement" yes grace mariadb_asked "select owner from app.accounts where id = 2"
check "MariaDB, governed: a denied one" no "denied by policy" mariadb_asked "drop table app.accounts"
check "SSH, governed: an allowed command, as the login that the agent holds" yes deploy ssh_asked "id -un"
check "SSH, governed: a denied one" no "no rule allows exec" ssh_asked "cat /etc/hostname"
check "the record is whole" yes "" hostagent audit verify
systemctl stop hostagentd.socket hostagentd.service
check "without the daemon a governed process is refused" no refused asked "select 1"
check "and one that is not governed is not touched" yes 1 direct "select 1"
systemctl start hostagentd.socket hostagentd.service
check "with it again, it is served" yes 1 asked "select 1"
echo "1..$number"
exit "$failed"
