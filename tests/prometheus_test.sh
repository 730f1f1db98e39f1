#!/bin/bash
# examples/prometheus: valid for the real programs, and every alert says what to
# do and has a case among the unit tests.
#
# usage: prometheus_test.sh SOURCE_DIRECTORY
set -euo pipefail
cd "$1/examples/prometheus"

promtool check config prometheus.yml
amtool check-config alertmanager.yml
promtool test rules uplinkd-tests.yml

# One block per alert.
alerts=0
while read -r alert; do
  alerts=$((alerts + 1))
  block=$(sed -n "/- alert: $alert\$/,/- alert:/p" uplinkd-alerts.yml | sed '1d;/- alert:/d')
  for part in 'for: ' 'labels: {severity: \(critical\|warning\)}' 'summary: ' 'description: >-'; do
    grep -q "^ *$part" <<<"$block" || {
      echo "the alert $alert lacks $part"
      exit 1
    }
  done
  grep -q "name: $alert\$" uplinkd-tests.yml || {
    echo "the alert $alert has no case in uplinkd-tests.yml"
    exit 1
  }
done < <(sed -n 's/^ *- alert: //p' uplinkd-alerts.yml)
((alerts > 0))
echo "$alerts alerts"
