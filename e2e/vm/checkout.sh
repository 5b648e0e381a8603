#!/bin/bash
# checkout.sh FILE: makes a disk with what the guest needs of this checkout, as it was built here; the guest mounts it at /opt/jangada.
set -eu -o pipefail
file=$(realpath -m "$1")
cd "$(dirname "$(realpath "$0")")/../.."
work=$(mktemp -d build/checkout-XXXXXX)
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
# Compilers and linters stay at home.
unneeded='^node_modules/(@biomejs|@oxlint|@oxlint-tsgolint|oxlint|oxlint-tsgolint|typescript|knip|dependency-cruiser|@typescript|@oxc.*|oxc.*|@types|tsimp|typedoc|prettier)(/|$)'
find node_modules -mindepth 1 -maxdepth 1 -printf 'node_modules/%f\n' | grep -Ev "$unneeded" >"$work/.list"
printf '%s\n' build/bin build/src build/e2e build/native/jangada{-pod,-unpack,.node} e2e deploy proto package.json package-lock.json .cache/layers README.md >>"$work/.list"
mkdir "$work/root"
find build/package -maxdepth 1 -name '*.deb' >>"$work/.list" 2>/dev/null || true
xargs -a "$work/.list" cp -al --parents -t "$work/root"
truncate -s 1500M "$file.new"
mke2fs -q -t ext4 -d "$work/root" "$file.new"
mv "$file.new" "$file"
