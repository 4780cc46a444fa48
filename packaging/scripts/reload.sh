# The units are gone.
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
