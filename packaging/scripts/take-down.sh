# Before the files go: nothing that enforces may stand without the program that can remove it.
if [ -d /run/systemd/system ]; then
    systemctl --quiet disable --now hostagentd.service hostagentd.socket
    if ! hostagentd teardown && ! hostagentd --config /usr/share/hostagent/teardown.yaml teardown; then
        echo "hostagent: its rules could not be removed; mend /etc/hostagent/hostagent.yaml and try again" >&2
        exit 1
    fi
fi
hostagent ca uninstall --system >/dev/null ||
    echo "hostagent: its CA could not be taken out of the system's trust store" >&2
