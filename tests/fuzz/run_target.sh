#!/bin/bash
# Runs one fuzz target for UPLINKD_FUZZ_SECONDS (60), and leaves its corpus as
# it is.
#
#   run_target.sh PROGRAM CORPUS [OPTION...]
#
# Always from the same seed: whether a change is good must not hang on luck;
# tests/fuzz.sh takes another one each time. What is found on the way is
# forgotten, but for an input that breaks a law: its bytes are printed.
set -euo pipefail
program=$1 corpus=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/found"
# As in tests/run.sh; and memory that was given back is soon used again.
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=quarantine_size_mb=16
options=(-seed=1 -max_total_time="${UPLINKD_FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048
  -max_len=16384 -entropic=0 -print_final_stats=1 -artifact_prefix="$work/")
dictionary=${corpus%/corpus/*}/$(basename "$corpus").dict
if [[ -f $dictionary ]]; then options+=(-dict="$dictionary"); fi
status=0
"$program" "${options[@]}" "$@" "$work/found" "$corpus" >"$work/log" 2>&1 ||
  status=$?
if ((status)); then
  grep -v '^#' "$work/log" || true
  for input in "$work"/{crash,timeout,oom,leak}-*; do
    if [[ -f $input ]]; then
      echo "$(basename "$input"), in base64:"
      base64 "$input"
    fi
  done
fi
grep -E '^#.*(DONE|pulse)|^stat::' "$work/log" | tail -n 12 || true
exit "$status"
