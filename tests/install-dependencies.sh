#!/bin/bash
# Installs every Debian 12 package that building and testing needs. Does
# nothing, and needs no network, when all of them are there.
#
#   sudo tests/install-dependencies.sh
set -euo pipefail

packages=(
  # build
  cmake ninja-build g++ pkg-config
  protobuf-compiler protobuf-compiler-grpc libprotobuf-dev libgrpc++-dev
  libnl-3-dev libnl-route-3-dev libnl-nf-3-dev libiptc-dev
  libspdlog-dev prometheus-cpp-dev libcpp-httplib-dev libexpected-dev
  libyaml-cpp-dev libcli11-dev libasio-dev libsystemd-dev libcap-dev
  lowdown
  libc-ares-dev libcurl4-openssl-dev libncurses-dev nlohmann-json3-dev
  libssl-dev
  # tests and benchmark
  libgtest-dev libgmock-dev libbenchmark-dev
  clang-14 libclang-rt-14-dev lld-14 llvm-14
  iproute2 iptables ipset conntrack procps util-linux libcap2-bin libseccomp-dev strace openssl
  tmux prometheus prometheus-alertmanager prometheus-node-exporter systemd
  chromium-headless-shell
  lintian debootstrap zsh fish man-db mandoc python3-jsonschema python3-yaml bsdextrautils
  # demo
  curl socat
  # style
  clang-format-14 clang-tidy-14
  # the scripts themselves
  git ca-certificates
)

# A Node.js that is not Debian's has npm in it, and stands in the way of
# Debian's npm.
if ! command -v npm >/dev/null; then
  packages+=(nodejs npm)
fi

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
  [[ $state == "install ok installed" ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  exit 0
fi

if ((EUID != 0)); then
  echo "install-dependencies: needs root to install: ${missing[*]}" >&2
  exit 1
fi
echo "Installing ${#missing[@]} Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# The tests run servers of their own: none that comes with a package is started,
# now or at the next boot.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
fi
apt-get update -q -o Acquire::Retries=3
apt-get install -y -q --no-install-recommends "${missing[@]}"
for service in prometheus prometheus-alertmanager prometheus-node-exporter; do
  if [[ " ${missing[*]} " == *" $service "* ]] && command -v systemctl >/dev/null; then
    systemctl --quiet disable "$service"
  fi
done
