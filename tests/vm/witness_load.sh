#!/bin/bash
# Connects to the database host in short-lived processes of several names and prints their pids: witness_load.sh ROUNDS
set -u
tools=$(mktemp -d)
for name in one two three; do cp /bin/bash "$tools/wit-$name"; done
for _ in $(seq "$1"); do
    for name in one two three; do
        for to in 10.77.0.2/5432 10.77.0.2/3306 10.77.0.2/7777 10.77.0.2/9 fd77::2/5432; do
            # shellcheck disable=SC2016 # it expands there
            "$tools/wit-$name" -c 'echo $$; exec 3<>/dev/tcp/$0' "$to" 2>/dev/null &
        done
    done
    wait
done
rm -r "$tools"
