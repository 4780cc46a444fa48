#!/bin/sh
# install.sh TREE ARCHIVES MIRROR SUITE PACKAGE…: packages into a tree, in a mount namespace of its own.
set -eu
tree=$1 archives=$2 mirror=$3 suite=$4
shift 4
mount --make-rprivate /
mount -t proc proc "$tree/proc"
mount -t sysfs sys "$tree/sys"
mount --bind /dev "$tree/dev"
mount --bind "$archives" "$tree/var/cache/apt/archives"
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
cat >"$tree/etc/apt/sources.list" <<X
deb $mirror/debian $suite main
deb $mirror/debian $suite-updates main
deb $mirror/debian-security $suite-security main
X
# an initial RAM disk of a few modules boots several times as fast where the processor is emulated
printf 'MODULES=list\nCOMPRESS=lz4\nRESUME=none\n' >"$tree/etc/initramfs-tools/conf.d/vm"
printf 'virtio_pci\nvirtio_blk\nvirtio_console\next4\n' >>"$tree/etc/initramfs-tools/modules"
printf 'force-unsafe-io\npath-exclude=/usr/share/doc/*\npath-include=/usr/share/doc/hostagent/*\npath-exclude=/usr/share/locale/*\n' >"$tree/etc/dpkg/dpkg.cfg.d/vm"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C
chroot "$tree" apt-get update -q
chroot "$tree" apt-get install -qy --no-install-recommends "$@"
