#!/bin/bash
# How fast uplinkd is, as a table of figures beside floors measured in the same
# run:
#
#   sudo tests/bench.sh [passes|spec|health|repairs|forwarding|footprint|
#                        scrape|counting|requests]...
#
# installs what is missing, builds the release preset and measures in network
# namespaces of its own. Best on an idle machine: about seven minutes.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

if ((EUID != 0)); then
  echo "bench: needs root, for network namespaces" >&2
  exit 1
fi
tests/install-dependencies.sh
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
cmake --preset release >/dev/null
cmake --build --preset release --target uplinkd uplinkctl uplinkd_bench
printf '\n%s, Linux %s, %d processors\n\n' "$(date -u +%F)" "$(uname -r)" "$(nproc)"
exec build/release/bin/uplinkd_bench "$@"
