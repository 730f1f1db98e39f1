#!/bin/bash
# Everything that has to hold, on a bare Debian 12 machine:
#
#   sudo tests/run.sh [--quick] [--tidy-all] [--no-install]
#
# installs what is missing, builds with the address and undefined-behaviour
# sanitizers, runs every test, gives what reads bytes any bytes (for a minute,
# or UPLINKD_FUZZ_SECONDS), runs the agent's tests once more under the thread
# sanitizer, asks gcc, which releases are made with, for its warnings, and
# checks format and lint. Traffic stays in network namespaces that are made for
# it and gone afterwards. Apart are the benchmark, tests/bench.sh; more than the
# minute of chaos that is among the lab's tests, tests/chaos.sh; and what takes
# minutes more, ctest --test-dir build/dev -L long
#
#   --quick       no thread sanitizer, no gcc, no lint, no lab, no fuzzing
#   --tidy-all    lint every file, not only those changed since origin/main
#   --no-install  fail later rather than install
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

quick=false
tidy_all=false
install=true
for argument in "$@"; do
  case $argument in
    --quick) quick=true ;;
    --tidy-all) tidy_all=true ;;
    --no-install) install=false ;;
    *)
      sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
      exit 2
      ;;
  esac
done

# The sanitizers of clang 14 do not bear the address layout randomization of
# newer kernels.
if [[ -z ${UPLINKD_NO_RANDOMIZE:-} ]] && setarch -R true 2>/dev/null; then
  UPLINKD_NO_RANDOMIZE=1 exec setarch -R "$BASH" "$0" "$@"
fi

failed=()
stage() { printf '\n==== %s (after %d s)\n' "$1" "$SECONDS"; }
check() {  # check NAME COMMAND...: remembers a failure and goes on
  local name=$1
  shift
  stage "$name"
  "$@" || failed+=("$name")
}

sources() {  # every C++ file of the project
  if git rev-parse --git-dir >/dev/null 2>&1; then
    git ls-files '*.h' '*.cc'
  else
    find . -path ./build -prune -o \( -name '*.h' -o -name '*.cc' \) -print
  fi
}

check_format() { sources | xargs -r clang-format-14 --dry-run -Werror; }

# What to lint: the .cc files that changed, and those of changed headers.
changed_sources() {
  local base
  if $tidy_all || ! git rev-parse HEAD~1 >/dev/null 2>&1; then
    sources | grep '\.cc$'
    return
  fi
  base=$(git merge-base HEAD origin/main 2>/dev/null || true)
  if [[ -z $base || $base == "$(git rev-parse HEAD)" ]]; then base=HEAD~1; fi
  git diff --name-only --diff-filter=d "$base" -- '*.h' '*.cc' |
    sed 's/\.h$/.cc/' | sort -u | while read -r file; do
    if [[ -f $file ]]; then echo "$file"; fi
  done
}

# Two at a time, and no longer than until the whole run took 25 minutes unless
# all were asked for: what was not reached is said.
check_tidy() {
  local files limit log status
  files=$(changed_sources)
  if [[ -z $files ]]; then
    echo "nothing changed"
    return 0
  fi
  limit=$((SECONDS < 1440 ? 1500 - SECONDS : 60))
  if $tidy_all; then limit=7200; fi
  log=$(mktemp)
  # shellcheck disable=SC2016  # expanded by the inner shell
  status=0
  printf '%s\n' "$files" |
    LINT_LOG=$log timeout "$limit" xargs -P "$(nproc)" -I{} "$BASH" -c '
      clang-tidy-14 --quiet -p build/dev "$1" 2>/dev/null
      status=$?
      echo "$1" >>"$LINT_LOG"
      exit $status' lint {} || status=$?
  echo "linted $(wc -l <"$log") of $(wc -l <<<"$files") files"
  rm -f "$log"
  [[ $status == 0 || $status == 124 ]]
}

# For what gcc alone warns of: the programs, without making code of them.
check_with_gcc() {
  cmake --preset gcc >/dev/null
  cmake --build --preset gcc --target gen/uplinkd/v1/agent.grpc.pb.h \
    reconciler/linux/CMakeFiles/uplinkd_linux.dir/cmake_pch.hxx.gch
  ninja -C build/gcc -t commands uplinkd uplinkctl |
    grep -E ' -c [^ ]*\.(cc|cxx)$' |
    grep -vE '/gen/|page_files|spec_comments|cmake_pch' |
    sed 's/ -o [^ ]*\.o / -fsyntax-only /' |
    xargs -d '\n' -P "$(nproc)" -I{} sh -c 'cd build/gcc && {}'
}

# What needs processors, and nothing else, goes on beside the tests of the lab
# that run alone for a minute each, and mostly wait for slow lines. The kernel
# gives it only what nobody else wants.
alone='^lab\.(LeastConnections$|Chaos\.)'
begin_meanwhile() {
  meanwhile_log=$(mktemp)
  {
    chrt --idle --pid 0 "$BASHPID" || echo "at the usual priority"
    cmake --preset tsan >/dev/null
    cmake --build --preset tsan --target agent_tests
    check_with_gcc
  } >"$meanwhile_log" 2>&1 &
  meanwhile=$!
}
end_meanwhile() {
  local status=0
  wait "$meanwhile" || status=$?
  cat "$meanwhile_log"
  rm -f "$meanwhile_log"
  return "$status"
}

passed=0
broken=0
skipped=0
run_ctest() {  # run_ctest BUILD-DIRECTORY CTEST-ARGUMENT...
  local directory=$1 report status=0 counts
  shift
  report=$PWD/$directory/report.xml
  rm -f "$report"
  ctest --test-dir "$directory" --output-on-failure --output-junit "$report" \
    --test-output-size-passed 1000000 -j "$(nproc)" --no-tests=error "$@" ||
    status=$?
  if [[ -f $report ]] && counts=$(tests/count_cases.py "$report"); then
    read -ra counts <<<"$counts"
    passed=$((passed + counts[0]))
    broken=$((broken + counts[1]))
    skipped=$((skipped + counts[2]))
  fi
  return "$status"
}

if $install; then
  stage "packages"
  tests/install-dependencies.sh
fi
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_SLOPPINESS=pch_defines,time_macros  # for precompiled headers
fi
export UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

stage "build: dev (address and undefined-behaviour sanitizers)"
cmake --preset dev >/dev/null
cmake --build --preset dev
check "tests, without the lab" run_ctest build/dev -LE 'lab|long|fuzz'
if ! $quick; then
  # Apart, since it measures times.
  check "lab" run_ctest build/dev -L lab -E "$alone"
  begin_meanwhile
  check "lab, one at a time" run_ctest build/dev -R "$alone"
  check "build: tsan (thread sanitizer); gcc" end_meanwhile
  check "agent under the thread sanitizer" run_ctest build/tsan -L '^agent$'
  check "fuzz" run_ctest build/dev -L '^fuzz$' -j 8  # all end by the clock
fi
check "format" check_format
if ! $quick; then check "lint" check_tidy; fi

printf '\n'
if ((${#failed[@]})); then printf 'FAILED: %s\n' "${failed[@]}"; fi
echo "took $SECONDS s"
if ((skipped)); then
  echo "$passed passed, $broken failed, $skipped skipped"
else
  echo "$passed passed, $broken failed"
fi
((${#failed[@]} == 0))
