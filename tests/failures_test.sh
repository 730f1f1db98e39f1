#!/bin/sh
# Every test that docs/failures.md names is there.
#
# usage: failures_test.sh SOURCE_DIRECTORY
set -eu
cd "$1"
missing=0
# Suite and case may stand on lines of their own.
tests=$(cat tests/*/*_test.cc | tr -d ' \n' | grep -oE 'TEST[_FP]*\([A-Za-z0-9]*,[A-Za-z0-9]*\)')
# shellcheck disable=SC2013,SC2016  # names without blanks
for name in $(grep -o '`[A-Za-z0-9]*\.[A-Za-z0-9]*`' docs/failures.md | tr -d '`'); do
  suite=${name%.*} test=${name#*.}
  if ! echo "$tests" | grep -q "($suite,$test)"; then
    echo "docs/failures.md names $name, which is not there"
    missing=1
  fi
done
exit $missing
