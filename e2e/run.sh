#!/bin/bash
# run.sh [FILE…]: the end-to-end suite (or these compiled test files), as root, in mount, network and PID namespaces of its own. What a
# test leaves behind ends with the namespaces, and is reported before: the suite then fails although every test passed. With ROOTLESS=1 the
# daemons are an ordinary user's: what looks at cgroups fails then.
set -eu
cd "$(dirname "$0")/.."

if [ "$(id -u)" != 0 ]; then
  echo "not root: the end-to-end tests start real containers; run them as root" >&2
  exit 1
fi

if [ "${JANGADA_E2E_INSIDE:-}" = "" ]; then
  node build/e2e/harness/prepare.js
  # --kill-child: when this shell dies, everything inside dies with it.
  JANGADA_E2E_INSIDE=1 exec unshare --mount --net --pid --fork --kill-child --propagation private --mount-proc "$0" "$@"
fi

# From here on bash is pid 1 of the suite and reaps what daemons leave to it.
ip link set lo up
mkdir -p /run/netns
mount -t tmpfs -o mode=0755 tmpfs /run/netns

files=("$@")
if [ ${#files[@]} = 0 ]; then
  # Compiled tests of sources that exist: a leftover of a removed test must not run.
  mapfile -t files < <(find e2e -name '*.test.ts' -not -path 'e2e/vm/*' | sort | sed 's|^|build/|; s|ts$|js|')
fi

mounts() { sort /proc/self/mountinfo; }
cgroups() { find /sys/fs/cgroup -maxdepth 3 -type d -name "jangada-e2e-$JANGADA_SUITE-*" 2>/dev/null; }

export TMPDIR JANGADA_SUITE
TMPDIR=$(mktemp -d /tmp/jangada-suite-XXXXXX)
JANGADA_SUITE=${TMPDIR: -6}
trap 'rm -rf "$TMPDIR"' EXIT
before=$(mounts)
status=0
${ROOTLESS:+e2e/harness/ordinary-user.sh} node build/e2e/harness/run-tests.js e2e "${files[@]}" || status=$?

leak() { # what, list
  [ -z "$2" ] && return
  status=1
  printf 'left behind: %s\n%s\n' "$1" "$2" >&2
  echo '0 1' >build/results/e2e-leaks
}
processes() { ps -e -o pid=,args= | awk -v self=$$ '$1 != self && $2 != "ps" && $2 != "awk" && $0 !~ /e2e\/run.sh/'; }
# A daemon that was killed takes its spawner along, in its own time.
for _ in $(seq 50); do
  [ -z "$(processes)" ] && break
  sleep 0.1
done
leak processes "$(processes)"
leak mounts "$(diff <(echo "$before") <(mounts) | grep '^>' || true)"
leak 'network namespaces' "$(ls /run/netns)"
leak cgroups "$(cgroups)"
leak directories "$(find "$TMPDIR" -mindepth 1 -maxdepth 1; find /run -maxdepth 1 -name "jg-$JANGADA_SUITE-*")"
exit "$status"
