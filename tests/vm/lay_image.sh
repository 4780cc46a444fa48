#!/bin/sh
# lay_image.sh TREE GUEST WORK DISK: the tree, with the files of GUEST over it, as a file system in the file DISK.
set -eu
tree=$1 guest=$2 work=$3 disk=$4
mount --make-rprivate /
mkdir -p "$work/upper" "$work/work" "$work/merged"
mount -t overlay overlay -o "lowerdir=$tree,upperdir=$work/upper,workdir=$work/work" "$work/merged"
cp -rT --preserve=mode "$guest/root" "$work/merged"
find "$work/merged" -name __pycache__ -path '*/local/lib/vm/*' -prune -exec rm -r {} +
chroot "$work/merged" sh -s <"$guest/prepare.sh"
mkfs.ext4 -q -F -L root -m 0 -E lazy_itable_init=1 -d "$work/merged" "$disk"
