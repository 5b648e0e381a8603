#!/bin/bash
# ordinary-user.sh COMMAND…: runs it, as root, on a host that knows an ordinary user "raft" with subordinate IDs and has a way out: in
# mount and network namespaces of its own, so that nothing of it is left. The outside is one address, JANGADA_OUTSIDE.
set -eu
if [ "${JANGADA_OUTSIDE:-}" = "" ]; then
  JANGADA_OUTSIDE=10.78.0.1 exec unshare --mount --net --propagation private "$0" "$@"
fi

files=$(mktemp -d)
mount -t tmpfs -o mode=0755 tmpfs "$files"
for name in passwd group; do cp /etc/$name "$files/$name"; done
echo 'raft:x:4242:4242::/nowhere:/bin/sh' >>"$files/passwd"
echo 'raft:x:4242:' >>"$files/group"
for name in subuid subgid; do
  echo 'raft:300000:65536' >"$files/$name"
  [ -e /etc/$name ] || touch /etc/$name
done
for name in passwd group subuid subgid; do mount --bind "$files/$name" /etc/$name; done
# udev gives it this mode; where there is no udev it is root's alone.
mknod -m 0666 "$files/tun" c 10 200
[ ! -e /dev/net/tun ] || mount --bind "$files/tun" /dev/net/tun
# Bound, they are there without their names; the directory goes now, its mount with the namespace.
umount --lazy "$files"
rmdir "$files"

ip link set lo up
# The template of what pasta makes inside, with a default route; and an address beyond it that is not taken along.
ip link add way0 type veth peer name way1
ip address add 10.77.0.2/24 dev way0
ip link set way0 up
ip link set way1 up
ip route add default via 10.77.0.1
ip link add outside0 type veth peer name outside1
ip address add "$JANGADA_OUTSIDE/32" dev outside0
ip link set outside0 up
ip link set outside1 up
# On the way to the directories of tests.
[ ! -O "${TMPDIR:-/tmp}" ] || [ "${TMPDIR:-/tmp}" = /tmp ] || chmod 0711 "$TMPDIR"
exec "$@"
