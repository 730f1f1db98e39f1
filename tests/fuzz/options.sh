# How every run of a fuzz target goes: set_fuzz_options CORPUS, for
# tests/fuzz.sh and run_target.sh. Sourced.

# As in tests/run.sh; and memory that was given back is soon used again.
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1
export ASAN_OPTIONS=quarantine_size_mb=16

set_fuzz_options() {
  fuzz_options=(-timeout=10 -rss_limit_mb=2048 -max_len=16384 -entropic=0)
  local dictionary=${1%/corpus/*}/$(basename "$1").dict
  if [[ -f $dictionary ]]; then fuzz_options+=(-dict="$dictionary"); fi
}
