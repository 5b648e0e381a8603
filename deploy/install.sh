#!/bin/sh
# install.sh [ROOT]: installs what `make build` made, below ROOT for packagers: the program, its configuration, the systemd units. Configuration
# that is there already stays. `deploy/install.sh && systemctl enable --now jangada jangada-shutdown` makes a node; again, it upgrades one.
# NODE=FILE brings this Node.js along instead of using the host's; UNITS is where units go, by default /etc/systemd/system.
set -eu
root=${1:-}
units=$root${UNITS:-/etc/systemd/system}
cd "$(dirname "$0")/.."
lib=$root/usr/lib/jangada

if [ ! -x build/native/jangada-pod ] || [ ! -e build/bin/jangada.js ]; then
  echo "not built: build/ has no program; run 'make build' first" >&2
  exit 1
fi
node=${NODE:-$(command -v node)} || { echo "no Node.js in PATH: install version 24" >&2; exit 1; }

# Beside the old one and renamed: a daemon that starts meanwhile finds one or the other whole. Running supervisors keep their program.
rm -rf "$lib.new" "$lib.old"
mkdir -p "$lib.new/build/bin" "$lib.new/build/native"
cp package.json "$lib.new/"
install -m 755 build/bin/jangada.js "$lib.new/build/bin/"
cp build/native/jangada-pod build/native/jangada-unpack build/native/jangada.node "$lib.new/build/native/"
if [ -n "${NODE:-}" ]; then
  cp "$NODE" "$lib.new/node"
  node=/usr/lib/jangada/node
fi
[ ! -e "$lib" ] || mv "$lib" "$lib.old"
mv "$lib.new" "$lib"
rm -rf "$lib.old"

mkdir -p "$root/usr/bin" "$root/usr/share/doc/jangada" "$root/usr/share/jangada/compat" "$units" "$root/etc/jangada/config.d" "$root/etc/jangada/certs.d"
printf '#!/bin/sh\nexec %s /usr/lib/jangada/build/bin/jangada.js "$@"\n' "$node" >"$root/usr/bin/jangada.new"
chmod 755 "$root/usr/bin/jangada.new"
mv "$root/usr/bin/jangada.new" "$root/usr/bin/jangada"
cp deploy/README.md "$root/usr/share/doc/jangada/"
install -m 755 deploy/compat/* "$root/usr/share/jangada/compat/"
cp deploy/jangada.service deploy/jangada-shutdown.service "$units/"
# Not where packages have their users' units: those are enabled for everybody.
cp deploy/jangada-user.service "$lib/"
[ -e "$root/etc/jangada/config.toml" ] || cp deploy/config.toml "$root/etc/jangada/"
[ -e "$root/etc/crictl.yaml" ] || cp deploy/crictl.yaml "$root/etc/"
