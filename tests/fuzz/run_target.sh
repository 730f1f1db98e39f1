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
source "$(dirname "$(readlink -f "$0")")/options.sh"
set_fuzz_options "$corpus"
status=0
"$program" "${fuzz_options[@]}" -seed=1 -print_final_stats=1 \
  -max_total_time="${UPLINKD_FUZZ_SECONDS:-60}" -artifact_prefix="$work/" \
  "$@" "$work/found" "$corpus" >"$work/log" 2>&1 || status=$?
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
