#!/bin/sh
# install-packages.sh [LIST]: installs the packages of a list, by default apt-packages.txt, that are missing; does nothing, and needs no
# network, when none is.
set -eu

list=${1:-$(dirname "$0")/apt-packages.txt}
missing=$(sed -e '/^#/d' -e '/^$/d' "$list" | while read -r package; do
  dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
done)

if [ -n "$missing" ]; then
  if [ "$(id -u)" != 0 ]; then
    echo "not root, and these packages are missing:" $missing >&2
    echo "run 'make deps' as root once" >&2
    exit 1
  fi
  # A package must not start its service here (docker-registry would): that is what this file is for, see invoke-rc.d(8).
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 755 /usr/sbin/policy-rc.d
  fi
  echo "installing:" $missing
  export DEBIAN_FRONTEND=noninteractive
  apt-get update --quiet=2 </dev/null
  apt-get install --yes --quiet=2 --no-install-recommends $missing </dev/null
fi

# Debian 12's own nodejs is 18, which has neither the APIs nor the support the daemon needs.
if ! node -e 'const [a, b, c] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a == 20 && (b > 20 || (b == 20 && c >= 2))) ? 0 : 1)' 2>/dev/null; then
  echo "Node.js 20.20.2 or newer is needed, best 24, found: $(node --version 2>/dev/null || echo none)" >&2
  echo "install it from https://nodejs.org/en/download or https://github.com/nodesource/distributions, then run this again" >&2
  exit 1
fi
