#!/bin/bash
# A router to which everything happens at once, for as long as one likes:
#
#   sudo tests/chaos.sh [--seconds N] [--seed S] [--rounds R] [--verbose]
#                       [--release]
#
# Random specs, damage to what is ours, foreign edits and restores, links that
# flap and vanish, kills, slow disks, held locks, floods of events; after each
# round all that docs/design.md promises has to be true. See
# docs/development.md. Without a seed it takes another one each time, and says
# which: the same seed is the same sequence. CI has a minute of it; nightly:
#
#   sudo tests/chaos.sh --seconds 600
#
#   --release  without sanitizers: more rounds, and how much memory it takes
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

preset=dev
seed=$((RANDOM * 32768 + RANDOM))
arguments=()
while (($#)); do
  case $1 in
    --release) preset=release ;;
    --seed)
      seed=${2:?--seed needs a number}
      shift
      ;;
    --seconds | --rounds)
      arguments+=("$1" "${2:?$1 needs a number}")
      shift
      ;;
    --verbose) arguments+=("$1") ;;
    *)
      sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
  shift
done
if ((EUID != 0)); then
  echo "chaos: needs root, for network namespaces" >&2
  exit 1
fi

# As in tests/run.sh.
if [[ -z ${UPLINKD_NO_RANDOMIZE:-} ]] && setarch -R true 2>/dev/null; then
  export UPLINKD_NO_RANDOMIZE=1
  randomize_not=(setarch -R)
else
  randomize_not=()
fi
tests/install-dependencies.sh
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_SLOPPINESS=pch_defines,time_macros
fi
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
"${randomize_not[@]}" cmake --preset "$preset" >/dev/null
"${randomize_not[@]}" cmake --build --preset "$preset" --target uplinkd_chaos
exec "${randomize_not[@]}" "build/$preset/bin/uplinkd_chaos" \
  --seed "$seed" "${arguments[@]}"
