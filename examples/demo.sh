#!/bin/bash
# uplinkd at work, on a bare Debian 12 machine:
#
#   sudo examples/demo.sh
#
# installs what is missing, builds, and shows in a lab of network namespaces:
# two providers of 40 and 10 Mbit/s balanced from one spec, real downloads over
# one uplink alone and over both, an ip rule, a route and a chain deleted by
# hand and repaired, then status and metrics. Nothing outside the namespaces is
# touched, and they are gone when it ends, also on Ctrl-C.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

spec=examples/two-uplinks.yaml
measure_seconds=6
# All names are this run's own, so that two runs do not meet.
lab=upl-demo-$$
work=
agent=

# ---- words for a person ----
bold='' dim='' green='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} ]]; then
  bold=$'\e[1m' dim=$'\e[2m' green=$'\e[32m' plain=$'\e[0m'
fi
say() { printf '\n%s== %s%s\n' "$bold" "$*" "$plain"; }
typed() { printf '%s   # %s%s\n' "$dim" "$*" "$plain"; }

abridge() {  # abridge FILE: some routes, rules and chains of a plan, and its end
  grep -m 2 'ip route.*default' "$1" | sed 's/^/   /; s/  #.*//'
  grep -m 2 'fwmark' "$1" | sed 's/^/   /; s/  #.*//'
  grep -m 2 'rateest1' "$1" | sed 's/^/   /; s/  #.*//'
  printf '%s   ... %d lines in all, each with its reason%s\n' "$dim" \
    "$(($(wc -l <"$1") - 1))" "$plain"
  tail -n 1 "$1" | sed 's/^/   /'
}

# ---- the lab: client - router - two providers - server ----
in_ns() {  # in_ns NAME COMMAND...
  local name=$1
  shift
  ip netns exec "$lab-$name" "$@"
}

clean_up() {
  local name pid
  trap - EXIT INT TERM
  if [[ -n $agent ]]; then kill "$agent" 2>/dev/null || true; fi
  for name in client router provider1 provider2 server; do
    # Only what was started in there: downloads and the web server.
    for pid in $(ip netns pids "$lab-$name" 2>/dev/null || true); do
      kill "$pid" 2>/dev/null || true
    done
    ip netns del "$lab-$name" 2>/dev/null || true
  done
  wait 2>/dev/null || true
  if [[ -n $work ]]; then rm -rf "$work"; fi
}

cable() {  # cable NAMESPACE LINK ADDRESS NAMESPACE LINK ADDRESS
  ip link add "$2" netns "$lab-$1" type veth peer name "$5" netns "$lab-$4"
  in_ns "$1" ip addr add "$3" dev "$2"
  in_ns "$4" ip addr add "$6" dev "$5"
  in_ns "$1" ip link set "$2" up
  in_ns "$4" ip link set "$5" up
}

shape() {  # shape NAMESPACE LINK MBIT
  in_ns "$1" tc qdisc add dev "$2" root tbf rate "$3mbit" burst 16k \
    latency 50ms
}

build_lab() {
  local name n
  for name in client router provider1 provider2 server; do
    ip netns add "$lab-$name"
    in_ns "$name" ip link set lo up
  done
  for name in router provider1 provider2; do
    in_ns "$name" sysctl -qw net.ipv4.ip_forward=1
  done
  in_ns router sysctl -qw net.ipv4.conf.all.rp_filter=2
  cable router lan0 192.168.10.1/24 client eth0 192.168.10.2/24
  in_ns client ip route add default via 192.168.10.1
  in_ns server ip addr add 203.0.113.10/32 dev lo
  for n in 1 2; do
    cable router "wan$n" "198.18.$n.2/24" "provider$n" cust0 "198.18.$n.1/24"
    cable "provider$n" net0 "198.19.$n.1/24" server "net$n" "198.19.$n.2/24"
    in_ns "provider$n" ip route add 203.0.113.10 via "198.19.$n.2"
    in_ns server ip route add "198.18.$n.0/24" via "198.19.$n.1"
    # As DHCP clients leave them: one default route per uplink.
    in_ns router ip route add default via "198.18.$n.1" dev "wan$n" \
      metric "${n}00"
  done
  shape provider1 cust0 40
  shape router wan1 10
  shape provider2 cust0 10
  shape router wan2 4
  # A web server with one endless file.
  cat >"$work/endless" <<'END'
#!/bin/sh
printf 'HTTP/1.0 200 OK\r\n\r\n'
exec cat /dev/zero
END
  chmod +x "$work/endless"
  in_ns server socat TCP-LISTEN:80,fork,reuseaddr,backlog=256 \
    "EXEC:$work/endless" 2>/dev/null &
}

# ---- traffic ----
received() {  # received LINK: bytes so far
  in_ns router cat "/sys/class/net/$1/statistics/rx_bytes"
}

# Downloads until told to stop, started one after the other as people do.
start_downloads() {  # start_downloads COUNT
  local i
  downloads=()
  for ((i = 0; i < $1; i++)); do
    in_ns client curl -s -o /dev/null http://203.0.113.10/ &
    downloads+=($!)
    sleep 0.25
  done
}

stop_downloads() {
  kill "${downloads[@]}" 2>/dev/null || true
  wait "${downloads[@]}" 2>/dev/null || true
}

measure() {  # measure: sets rate1 and rate2, in Mbit/s with one decimal
  local before1 before2 after1 after2
  before1=$(received wan1) before2=$(received wan2)
  sleep "$measure_seconds"
  after1=$(received wan1) after2=$(received wan2)
  rate1=$(awk "BEGIN {printf \"%.1f\", ($after1 - $before1) * 8e-6 / $measure_seconds}")
  rate2=$(awk "BEGIN {printf \"%.1f\", ($after2 - $before2) * 8e-6 / $measure_seconds}")
}

row() {  # row WHAT RATE1 RATE2
  awk -v what="$1" -v a="$2" -v b="$3" 'BEGIN {
    sum = a + b
    printf "   %-22s %7.1f Mbit/s %3.0f %%  %7.1f Mbit/s %3.0f %%  %7.1f Mbit/s\n",
           what, a, sum ? 100 * a / sum : 0, b, sum ? 100 * b / sum : 0, sum
  }'
}

ctl() { in_ns router "$bin/uplinkctl" --address "unix://$work/uplinkd.sock" "$@"; }

# ---- repairs ----
# repair WHAT DELETE-COMMAND CHECK-COMMAND: both run in the router; the time
# counts from before the deleting program starts until the object is seen again.
repair() {
  local milliseconds
  typed "$2"
  milliseconds=$(in_ns router bash -c '
    start=${EPOCHREALTIME/[.,]/}
    eval "$1" >/dev/null
    until eval "$2" >/dev/null 2>&1; do
      if ((${EPOCHREALTIME/[.,]/} - start > 10000000)); then exit 1; fi
    done
    echo $(((${EPOCHREALTIME/[.,]/} - start) / 1000))' repair "$2" "$3") || {
    echo "   $1: not back after 10 s" >&2
    return 1
  }
  printf '   %-10s back after %s%s ms%s (with the time of the deleting program)\n' \
    "$1" "$green" "$milliseconds" "$plain"
}

# ---- the story ----
if ((EUID != 0)); then
  echo "demo: needs root, for network namespaces" >&2
  exit 1
fi
say "Preparing: packages, build"
tests/install-dependencies.sh
if command -v ccache >/dev/null; then
  export CMAKE_CXX_COMPILER_LAUNCHER=ccache
fi
if [[ -z ${UPLINKD_BIN:-} ]]; then
  cmake --preset demo >/dev/null
  cmake --build --preset demo --target uplinkd uplinkctl
fi
bin=${UPLINKD_BIN:-$PWD/build/demo/bin}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
work=$(mktemp -d /tmp/uplinkd-demo-XXXXXX)
export XTABLES_LOCKFILE=$work/xtables.lock

say "The lab: a client, a router, two providers (40/10 and 10/4 Mbit/s), a server"
build_lab

say "One uplink alone: a default route and NAT, 6 downloads"
in_ns router iptables-legacy -t nat -A POSTROUTING -o wan1 -j MASQUERADE
start_downloads 6
sleep 1
measure
alone1=$rate1 alone2=$rate2
stop_downloads
in_ns router iptables-legacy -t nat -D POSTROUTING -o wan1 -j MASQUERADE
printf '   %-22s %20s  %20s  %14s\n' "" "wan1" "wan2" "together"
row "one uplink alone" "$alone1" "$alone2"

say "uplinkd starts, and gets one spec"
in_ns router "$bin/uplinkd" --listen "unix://$work/uplinkd.sock" \
  --state-dir "$work/state" --iproute2-dir "$work/iproute2" \
  >"$work/uplinkd.log" 2>&1 &
agent=$!
for ((i = 0; i < 100; i++)); do
  if [[ -S $work/uplinkd.sock ]]; then break; fi
  sleep 0.05
done
sed -n '/^spec:/,$s/^/   /p' "$spec"
typed "uplinkctl apply -f $spec --wait 10s"
ctl apply -f "$spec" --wait 10s >"$work/plan"
abridge "$work/plan"

say "Both uplinks, 16 downloads: each connection gets its uplink once"
start_downloads 16
sleep 1
measure
printf '   %-22s %20s  %20s  %14s\n' "" "wan1" "wan2" "together"
row "one uplink alone" "$alone1" "$alone2"
row "both, by uplinkd" "$rate1" "$rate2"
printf '   %sthe lines:             40.0 Mbit/s  80 %%     10.0 Mbit/s  20 %%     50.0 Mbit/s (with headers)%s\n' \
  "$dim" "$plain"

say "Broken by hand, repaired by uplinkd"
repair "ip rule" \
  "ip rule del priority 20102" \
  "ip rule show priority 20102 | grep -q fwmark"
repair "route" \
  "ip route del default via 198.18.2.1 table 12" \
  "ip route show table 12 | grep -q ^default.via"
repair "chain" \
  "printf '*mangle\n-F UPL-NEW\n-F UPL-TRAFFIC\n-F UPL-FATE\n-X UPL-FATE\nCOMMIT\n' | iptables-legacy-restore -n" \
  "iptables-legacy-save -t mangle | grep -q -- '-A UPL-FATE '"
sleep 0.5

say "Status"
typed "uplinkctl status"
ctl status | sed 's/^/   /'

say "Metrics, for Prometheus"
typed "curl http://127.0.0.1:9871/metrics"
in_ns router curl -sS http://127.0.0.1:9871/metrics >"$work/metrics"
grep -E '^uplinkd_(uplink_(receive_bytes_per_second|connections|share_ratio|up)|in_sync|drift_corrections_total|passes_total)' \
  "$work/metrics" | sed 's/^/   /'
stop_downloads

say "Cleaning up: uplinkd removes what is its own, then the lab goes"
typed "uplinkctl cleanup"
ctl cleanup | tail -n 3 | sed 's/^/   /'
clean_up
printf '   done after %d s\n' "$SECONDS"
