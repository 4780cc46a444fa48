#!/bin/bash
# One governed program that asks again and again, until /run/load.stop is there: load.sh KIND NAME ADDRESS
#   short  a connection for each statement       long  one connection for as long as it holds, then another
# Each answer goes to /run/load.NAME as `MARK STATUS WORDS`. The login is good for nothing at the server itself.
set -u
kind=$1 name=$2
export PGPASSWORD=no PGCONNECT_TIMEOUT=120
psql=(psql --no-psqlrc -q -At -h "$3" -U anybody -d app)
number=0

# The next statement, which answers with its own mark.
statement() {
    number=$((number + 1))
    mark=load-$name-$number
    printf "select '%s'" "$mark"
}

short() {
    statement >/run/load.sql."$name"
    words=$("${psql[@]}" -f /run/load.sql."$name" 2>&1)
    echo "$mark $? ${words//$'\n'/ }" >>"/run/load.$name"
}

long() {
    coproc session { "${psql[@]}" 2>&1; }
    # shellcheck disable=SC2154 # coproc sets it
    local pid=$session_PID from=${session[0]} to=${session[1]}
    while [ ! -e /run/load.stop ]; do
        statement >"/run/load.sql.$name"
        echo ';' >>"/run/load.sql.$name"
        cat "/run/load.sql.$name" >&"$to" || break
        read -r -t 150 words <&"$from" || words="closed the connection"
        echo "$mark 0 $words" >>"/run/load.$name"
        [ "$words" = "$mark" ] || break
        sleep 0.5
    done
    kill "$pid" 2>/dev/null
    wait
}

trap '' PIPE
while [ ! -e /run/load.stop ]; do
    "$kind"
    sleep 0.2
done
