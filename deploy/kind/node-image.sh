#!/bin/bash
# node-image.sh PACKAGE: in the root file system of a node image of kind, jangada takes containerd's place. As root; nothing of it needs a
# running systemd. kind asks containerd's socket, unit and tool by name: all three are answered, so that no cluster configuration changes.
set -eu -o pipefail
package=$(realpath "$1")
IMAGES=/var/lib/jangada/images.d

# kind's node images hold Kubernetes' own images in containerd's store; nothing may be fetched when a cluster is made.
export_images() {
  local names store=/var/lib/containerd
  [ -d $store/io.containerd.content.v1.content ] || return 0
  containerd >/dev/null 2>&1 &
  local daemon=$!
  for _ in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
  mapfile -t names < <(ctr --namespace=k8s.io images list -q | grep -v '^sha256:' | grep -v '@sha256:')
  if [ ${#names[@]} -gt 0 ]; then
    mkdir -p $IMAGES
    ctr --namespace=k8s.io images export /var/lib/jangada/.node-images.tar "${names[@]}"
    mv /var/lib/jangada/.node-images.tar $IMAGES/node-images.tar
  fi
  kill $daemon && wait $daemon 2>/dev/null || true
  rm -rf "${store:?}"/*
}

install_package() {
  # Outside of a running systemd its scripts enable the units and start nothing.
  dpkg --force-confold --install "$package"
  cat >/etc/jangada/config.d/kind.toml <<'TOML'
# What kind and the kubelet look for on a node.
compat = "containerd"

[registry]
config_path = "/etc/containerd/certs.d"
TOML
  # RuntimeClass test-handler is what Kubernetes' own tests ask for.
  local runc
  if runc=$(command -v runc); then
    printf '\n[runtimes.runc]\npath = "%s"\n\n[runtimes.test-handler]\npath = "%s"\n' "$runc" "$runc" >>/etc/jangada/config.d/kind.toml
  fi
  mkdir -p /etc/containerd/certs.d
}

# The unit of that name is what kubelet.service waits for and what kind restarts.
replace_unit() {
  rm -f /etc/systemd/system/containerd.service /etc/systemd/system/multi-user.target.wants/containerd.service
  ln -s /lib/systemd/system/jangada.service /etc/systemd/system/containerd.service
  # kubelet.service of kind names containerd's cgroup in its arguments.
  mkdir -p /etc/systemd/system/kubelet.service.d
  printf '[Service]\nEnvironment="KUBELET_EXTRA_ARGS=--runtime-cgroups=/system.slice/jangada.service"\n' \
    >/etc/systemd/system/kubelet.service.d/20-jangada.conf
  [ ! -e /etc/default/kubelet ] || sed -i 's|/system.slice/containerd.service|/system.slice/jangada.service|' /etc/default/kubelet
}

# Before the others in PATH, which stay for whoever wants to compare.
install_wrappers() {
  install -m 755 /usr/share/jangada/compat/* /usr/local/sbin/
  printf 'runtime-endpoint: unix:///run/jangada/jangada.sock\nimage-endpoint: unix:///run/jangada/jangada.sock\n' >/etc/crictl.yaml
}

export_images
install_package
replace_unit
install_wrappers
