#!/bin/bash
# kernel.sh SUITE DIRECTORY: Debian's newest cloud kernel of this suite, unpacked and not installed: DIRECTORY/root with its modules,
# DIRECTORY/vmlinuz, and DIRECTORY/initrd, a small one of our own that mounts /dev/vda and hands over to its init.
set -eu -o pipefail
suite=$1
mkdir -p "$2"
out=$(realpath "$2")

# Where this machine gets Debian's packages from.
mirror_of_debian() { apt-get indextargets --format '$(REPO_URI)' 'Origin: Debian' 'Label: Debian' | awk 'NR == 1'; }
mirror=$(mirror_of_debian)
[ -n "$mirror" ] || { apt-get -qq update && mirror=$(mirror_of_debian); }
[ -n "$mirror" ] || { echo "no mirror of Debian among the sources of apt" >&2; exit 1; }

# An apt of our own: the machine's sources and lists are not touched.
mkdir -p "$out"/apt/lists/partial "$out"/apt/cache/archives/partial
cat >"$out/apt/apt.conf" <<END
Dir::State "$out/apt";
Dir::State::lists "$out/apt/lists";
Dir::State::status "$out/apt/status";
Dir::Cache "$out/apt/cache";
Dir::Etc::sourcelist "$out/apt/sources.list";
Dir::Etc::sourceparts "-";
Acquire::Languages "none";
APT::Sandbox::User "root";
END
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$out/apt/sources.list"
: >"$out/apt/status"
export APT_CONFIG=$out/apt/apt.conf
apt-get -qq update
depends() { apt-cache depends "$1" | sed -n "s/.*Depends: \\($2\\)\$/\\1/p" | head -n 1; }
image=$(depends linux-image-cloud-amd64 'linux-image-.*')
# In sid the kernel, its modules and their indexes are packages of their own.
for package in "$image" $(depends "$image" 'linux-binary-.*') $(depends "$image" 'linux-modules-.*') $(depends "$image" 'linux-base-.*'); do
  (cd "$out/apt" && apt-get -qq download "$package")
  dpkg-deb -x "$out/apt/$package"_*.deb "$out/root"
done
rm -rf "$out/apt"

cd "$out/root"
# Newer packages have the modules below /usr; bookworm's root merges the two.
[ -d lib ] && mkdir -p usr && cp -a lib usr/ && rm -rf lib
ln -s usr/lib lib
version=$(ls lib/modules)
mv "$(find . -name "vmlinuz*" -type f)" "$out/vmlinuz"
rm -rf boot usr/share
depmod -b "$out/root" "$version"

mkdir -p "$out"/initrd.d/{bin,dev,proc,sys,new,modules}
cp /bin/busybox "$out/initrd.d/bin/"
modprobe -d "$out/root" -S "$version" --show-depends -a virtio_pci virtio_blk ext4 virtio_net |
  sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' |
  while read -r module; do
    name=$(basename "$module")
    case $name in
      *.xz) xz -dc "$module" ;;
      *.zst) zstd -qdc "$module" ;;
      *) cat "$module" ;;
    esac >"$out/initrd.d/modules/${name%.ko*}.ko"
    echo "${name%.ko*}"
  done >"$out/initrd.d/modules/order"
cat >"$out/initrd.d/init" <<'END'
#!/bin/busybox sh
busybox mount -t devtmpfs dev /dev
while read -r module; do busybox insmod "/modules/$module.ko"; done </modules/order
until [ -b /dev/vda ]; do busybox usleep 10000; done
busybox mount -t ext4 -o rw /dev/vda /new
exec busybox switch_root /new /sbin/init
END
chmod 755 "$out/initrd.d/init"
(cd "$out/initrd.d" && find . -print0 | cpio --null --quiet -o -H newc) | gzip -1 >"$out/initrd"
rm -rf "$out/initrd.d"
