#!/bin/bash
# Runs the fuzz targets for longer than tests/run.sh does, and tells what each
# has done:
#
#   tests/fuzz.sh [--seconds N] [--keep] [--seeds] [--no-build] [TARGET...]
#
# A TARGET is a name such as spec_reader; without one, all of them run, as many
# at a time as there are processors. What breaks a law is left in
# build/fuzz-found, and said; give the file to the target's program
# (build/dev/bin/fuzz_TARGET FILE) to see it again.
#
#   --seconds N  each target runs for N seconds (300)
#   --keep       makes a new corpus of the old one and what was found: the few
#                small inputs that together reach the most
#   --seeds      takes new seeds with it: examples/, the agent's files, and (as
#                root) dumps of a kernel, from a network namespace of its own
#   --no-build   the programs are there
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

seconds=300
keep=false
seeds=false
build=true
targets=()
while (($#)); do
  case $1 in
    --seconds) seconds=$2 && shift ;;
    --keep) keep=true ;;
    --seeds) seeds=true ;;
    --no-build) build=false ;;
    -*)
      sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
    *) targets+=("$1") ;;
  esac
  shift
done
if ((${#targets[@]} == 0)); then
  for source in tests/fuzz/*_fuzz.cc; do
    targets+=("$(basename "$source" _fuzz.cc)")
  done
fi

# As in tests/run.sh.
if [[ -z ${UPLINKD_NO_RANDOMIZE:-} ]] && setarch -R true 2>/dev/null; then
  options=(--seconds "$seconds")
  if $keep; then options+=(--keep); fi
  if $seeds; then options+=(--seeds); fi
  if ! $build; then options+=(--no-build); fi
  UPLINKD_NO_RANDOMIZE=1 exec setarch -R "$BASH" "$0" "${options[@]}" "${targets[@]}"
fi
if $build; then
  cmake --preset dev >/dev/null
  cmake --build --preset dev --target fuzz_targets
fi

source tests/fuzz/options.sh
found=build/fuzz-found
corpus_size=28  # files per target
mkdir -p "$found"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if $seeds; then
  build/dev/bin/fuzz_pure_seeds examples "$work/seeds"
  if ((EUID == 0)); then unshare --net tests/fuzz/seeds.py "$work/seeds"; fi
fi

keep() {  # keep TARGET OPTION...: the best of all there is becomes its corpus
  local target=$1 corpus=tests/fuzz/corpus/$1 kept=$work/$1.kept name
  shift
  mkdir "$kept" "$kept.merged"
  "build/dev/bin/fuzz_$target" "$@" -merge=1 -use_counters=0 \
    -merge_control_file="$kept.control" "$kept.merged" "$corpus" \
    "$work/seeds/$target" "$work/$target.found" >"$work/$target.log" 2>&1
  tests/fuzz/choose.py "$kept.control" "$corpus_size" | while read -r file; do
    name=$(sha1sum <"$file")
    cp "$file" "$kept/${name:0:16}"
  done
  rm -rf "$corpus"
  mv "$kept" "$corpus"
}

one() {  # one TARGET: its table line in $work/TARGET
  local target=$1 program=build/dev/bin/fuzz_$1 corpus=tests/fuzz/corpus/$1
  local status=0 log=$work/$target.log
  local fresh=$work/$target.found seed=$work/seeds/$target
  mkdir -p "$fresh" "$corpus" "$seed"
  set_fuzz_options "$corpus"
  "$program" "${fuzz_options[@]}" -max_total_time="$seconds" -print_final_stats=1 \
    -artifact_prefix="$found/$target-" "$fresh" "$corpus" "$seed" \
    >"$log" 2>&1 || status=$?
  local word=ok last
  if ((status)); then word=BROKEN; fi
  last=$(grep -E '^#[0-9]+.* cov: ' "$log" | tail -n 1)
  number() { sed -n "s/.* $1: \([0-9]*\).*/\1/p" <<<"$last"; }
  local executions speed
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  printf '%-14s %10s %7s %6s %8s  %s\n' "$target" "${executions:-?}" \
    "${speed:-?}" "$(number cov)" "$(number ft)" "$word" >"$work/$target"
  if ((status)); then
    grep -E -A12 '^BROKEN|ERROR|runtime error|Test unit written' "$log" >&2 || true
    return 1
  fi
  if $keep; then
    keep "$target" "${fuzz_options[@]}"
  fi
}

broken=0
running=0
for target in "${targets[@]}"; do
  one "$target" &
  if ((++running >= $(nproc))); then
    wait -n || broken=1
    running=$((running - 1))
  fi
done
while ((running)); do
  wait -n || broken=1
  running=$((running - 1))
done
printf '%-14s %10s %7s %6s %8s\n' target executed per-s edges features
for target in "${targets[@]}"; do cat "$work/$target"; done
exit "$broken"
