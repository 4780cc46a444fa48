# After the files are in place: users, directories, units. Nothing is enabled or started.
systemd-sysusers /usr/lib/sysusers.d/hostagent.conf
systemd-tmpfiles --create /usr/lib/tmpfiles.d/hostagent.conf || true # where an image is made without /proc: at its boot
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
