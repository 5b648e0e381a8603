#!/bin/bash
# image.sh [SUITE]: makes the guest's disk (Debian bookworm) and unpacks the newest cloud kernel of Debian's SUITE (default: bookworm), unless
# both are cached; prints the directory with disk.img, vmlinuz and initrd. Needs a Debian mirror the first time, and root.
set -eu -o pipefail
here=$(dirname "$(realpath "$0")")
cache=$(realpath "$here/../..")/.cache/vm
suite=${1:-bookworm}
packages() { sed -e '/^#/d' -e '/^$/d' "$here/packages.txt" | paste -sd,; }

key=$({ echo "$suite"; node --version; cat "$0" "$here/kernel.sh" "$here/packages.txt"; find "$here/guest" -type f | sort | xargs cat; } | sha256sum | head -c 16)
image=$cache/$suite-$key
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ ! -e "$image/disk.img" ]; then
  rm -rf "$cache/$suite"-* "$cache"/.making-*
  work=$(mktemp -d "$cache/.making-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  chmod 755 "$work"
  {
    "$here/kernel.sh" "$suite" "$work/kernel" &
    mmdebstrap --quiet --variant=apt --include="$(packages)" bookworm "$work/root"
    wait $!
    cp -a "$work/kernel/root/usr/lib/modules" "$work/root/usr/lib/"
    cp -L "$(node -p process.execPath)" "$work/root/usr/bin/node"
    cp -a --no-preserve=ownership "$here/guest/." "$work/root/"
    mkdir -p "$work/root/opt/jangada"
    ln -sf /proc/self/mounts "$work/root/etc/mtab"
    # A machine ID of its own spares the first boot a pass over all units.
    head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$work/root/etc/machine-id"
    systemctl --quiet --root="$work/root" enable shell.socket cri.socket link.service
    systemctl --quiet --root="$work/root" disable getty@.service
    systemctl --quiet --root="$work/root" mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer serial-getty@ttyS0.service
    rm -rf "$work"/root/var/{cache,lib/apt/lists}/* "$work"/root/usr/share/{doc,man,locale}
    mkdir "$work/image"
    mv "$work"/kernel/{vmlinuz,initrd} "$work/image/"
    truncate -s 6G "$work/image/disk.img"
    mke2fs -q -t ext4 -d "$work/root" "$work/image/disk.img"
    mv -T "$work/image" "$image"
  } >&2
fi
realpath "$image"
