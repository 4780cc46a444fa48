#!/bin/bash
# client.sh MARK: what a program on a runner host does at the database host; a line of `WHAT: what was said` each.
# Its login is good for nothing there: who gets in was logged in by the agent.
export PGPASSWORD=no PGCONNECT_TIMEOUT=90 LC_ALL=C.UTF-8
mark=$1
said() { printf '%s: %s\n' "$1" "$("${@:2}" 2>&1 </dev/null | tr '\n' ' ')"; }
postgres=(psql --no-psqlrc --host=10.77.0.2 -U anybody -d app -Atc)
maria=(mariadb --host=10.77.0.2 --connect-timeout=90 -uanybody -pno app -Ne)
said postgres-select "${postgres[@]}" "select owner, '$mark' from accounts where id = 1"
said postgres-drop "${postgres[@]}" "drop table accounts"
said mariadb-select "${maria[@]}" "select owner, '$mark' from app.accounts where id = 2"
said mariadb-drop "${maria[@]}" "drop table app.accounts"
said ssh-allowed ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null somebody@10.77.0.2 "id -un"
said ssh-denied ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/dev/null somebody@10.77.0.2 "cat /etc/hostname"
said direct python3 -I /usr/local/lib/vm/direct.py 10.77.0.2 7777
echo done: yes
