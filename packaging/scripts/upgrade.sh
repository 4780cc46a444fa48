# A running daemon is replaced. Its sockets and rules stay: governed connections wait, none goes past it.
if [ -d /run/systemd/system ]; then
    systemctl try-restart hostagentd.service ||
        echo "hostagent: the daemon did not come up again: systemctl status hostagentd; governed processes are refused" >&2
fi
