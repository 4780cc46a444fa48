#!/bin/sh
# Run once in the tree of a machine image (chroot), after its packages: users, units, host keys.
set -eu
echo runner >/etc/hostname
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 runner\n10.77.0.2 database\n' >/etc/hosts
printf '/dev/vda / ext4 rw,noatime 0 1\n' >/etc/fstab
mkdir -p /srv/share
: >/etc/machine-id
echo 'root:root' | chpasswd
mkdir -p -m 700 /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519
mkdir -p /var/lib/systemd/linger
# dev's sessions are governed by the tests, those of ops are not
for user in 1000:dev 1001:ops; do
  name=${user#*:}
  useradd --create-home --shell /bin/bash --uid "${user%:*}" "$name"
  echo "$name:$name" | chpasswd
  touch "/var/lib/systemd/linger/$name"
  mkdir -m 700 "/home/$name/.ssh"
  cp /root/.ssh/id_ed25519.pub "/home/$name/.ssh/authorized_keys"
  chown -R "$name:$name" "/home/$name/.ssh"
done
systemctl enable --quiet vm-agent db-namespace db-early login-ssh systemd-networkd postgresql mariadb ssh cron
systemctl disable --quiet systemd-networkd-wait-online 2>/dev/null || true
systemctl mask --quiet apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer e2scrub_reap.service man-db.timer \
  systemd-timesyncd.service podman-auto-update.timer podman-auto-update.service serial-getty@ttyS0.service getty@tty1.service
rm -f /usr/sbin/policy-rc.d
