#!/bin/bash
# run.sh [FILE…]: the end-to-end suite (or these compiled test files) in a virtual machine: Debian with systemd, pure cgroup v2 and AppArmor.
# KERNEL=sid takes the newest kernel that Debian has. COMMAND=… runs a command in the guest, in /opt/jangada, instead of tests.
set -eu
cd "$(dirname "$0")/../.."

if [ "$(id -u)" != 0 ]; then
  echo "not root: the guest's disk is made of Debian packages with their owners; run this as root" >&2
  exit 1
fi

if [ "${JANGADA_VM_IMAGE:-}" = "" ]; then
  node build/e2e/harness/prepare.js
  if [ "$*" = "" ] || [[ $* == *vm/package* ]]; then make deb; fi
  image=$(e2e/vm/image.sh "${KERNEL:-bookworm}")
  export JANGADA_VM_IMAGE=$image
  # Nothing outside reaches the guest's ports, and when this shell dies the guest dies with it.
  exec unshare --mount --net --pid --fork --kill-child --propagation private --mount-proc "$0" "$@"
fi

ip link set lo up
export TMPDIR JANGADA_VM_CHECKOUT
TMPDIR=$(mktemp -d /var/tmp/jangada-vm-XXXXXX)
trap 'rm -rf "$TMPDIR"' EXIT
JANGADA_VM_CHECKOUT=$TMPDIR/checkout.img
e2e/vm/checkout.sh "$JANGADA_VM_CHECKOUT"

files=("$@")
if [ ${#files[@]} = 0 ]; then
  mapfile -t files < <(find e2e -name '*.test.ts' | sort | sed 's|^|build/|; s|ts$|js|')
fi
node build/e2e/vm/suite.js "${files[@]}"
