#!/bin/sh
# What the agent of 2026-11-24 left in the kernel for a router of three uplinks,
# as ip and iptables-legacy-save had it, in commands that make it again.
set -e
ip route add default via 198.18.1.1 dev wan1 table 11 src 198.18.1.2 proto 117
ip route add unreachable default table 11 metric 4294967295 proto 117
ip route add 192.168.10.0/24 dev lan0 table 11 scope link proto 117
ip route add 198.18.1.0/24 dev wan1 table 11 scope link src 198.18.1.2 proto 117
ip route add default via 198.18.2.1 dev wan2 table 12 src 198.18.2.2 proto 117
ip route add unreachable default table 12 metric 4294967295 proto 117
ip route add 192.168.10.0/24 dev lan0 table 12 scope link proto 117
ip route add 198.18.2.0/24 dev wan2 table 12 scope link src 198.18.2.2 proto 117
ip route add default via 198.18.3.1 dev wan3 table 13 src 198.18.3.2 proto 117
ip route add unreachable default table 13 metric 4294967295 proto 117
ip route add 192.168.10.0/24 dev lan0 table 13 scope link proto 117
ip route add 198.18.3.0/24 dev wan3 table 13 scope link src 198.18.3.2 proto 117
ip rule add priority 20000 from all lookup main suppress_prefixlength 0 protocol 117
ip rule add priority 20101 from all fwmark 0x1/0xff lookup 11 protocol 117
ip rule add priority 20102 from all fwmark 0x2/0xff lookup 12 protocol 117
ip rule add priority 20103 from all fwmark 0x3/0xff lookup 13 protocol 117
ip rule add priority 20401 from 198.18.1.2 lookup 11 protocol 117
ip rule add priority 20402 from 198.18.2.2 lookup 12 protocol 117
ip rule add priority 20403 from 198.18.3.2 lookup 13 protocol 117
iptables-legacy-restore --noflush <<'EOF'
*mangle
:UPL-FATE - [0:0]
:UPL-FATE-2-3 - [0:0]
:UPL-MARK-1 - [0:0]
:UPL-MARK-2 - [0:0]
:UPL-MARK-3 - [0:0]
:UPL-NEW - [0:0]
:UPL-OUTPUT - [0:0]
:UPL-PREROUTING - [0:0]
-A PREROUTING -j UPL-PREROUTING
-A OUTPUT -j UPL-OUTPUT
-A UPL-FATE -m statistic --mode random --probability 0.33333333349 -g UPL-MARK-1
-A UPL-FATE -g UPL-FATE-2-3
-A UPL-FATE-2-3 -m statistic --mode random --probability 0.50000000000 -g UPL-MARK-2
-A UPL-FATE-2-3 -g UPL-MARK-3
-A UPL-MARK-1 -j MARK --set-xmark 0x1/0xff
-A UPL-MARK-1 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A UPL-MARK-2 -j MARK --set-xmark 0x2/0xff
-A UPL-MARK-2 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A UPL-MARK-3 -j MARK --set-xmark 0x3/0xff
-A UPL-MARK-3 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A UPL-NEW -i wan1 -g UPL-MARK-1
-A UPL-NEW -i wan2 -g UPL-MARK-2
-A UPL-NEW -i wan3 -g UPL-MARK-3
-A UPL-NEW -d 192.168.10.0/24 -j RETURN
-A UPL-NEW -d 198.18.1.0/24 -j RETURN
-A UPL-NEW -d 198.18.2.0/24 -j RETURN
-A UPL-NEW -d 198.18.3.0/24 -j RETURN
-A UPL-NEW -d 224.0.0.0/3 -j RETURN
-A UPL-NEW -s 192.168.10.0/24 -i lan0 -g UPL-FATE
-A UPL-OUTPUT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A UPL-PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A UPL-PREROUTING -m mark ! --mark 0x0/0xff -j RETURN
-A UPL-PREROUTING -m conntrack --ctstate NEW -g UPL-NEW
COMMIT
*nat
:UPL-POSTROUTING - [0:0]
:UPL-SNAT - [0:0]
-A POSTROUTING -j UPL-POSTROUTING
-A UPL-POSTROUTING -s 192.168.10.0/24 -g UPL-SNAT
-A UPL-POSTROUTING -s 198.18.1.2/32 -g UPL-SNAT
-A UPL-POSTROUTING -s 198.18.2.2/32 -g UPL-SNAT
-A UPL-POSTROUTING -s 198.18.3.2/32 -g UPL-SNAT
-A UPL-SNAT ! -s 198.18.1.2/32 -o wan1 -j SNAT --to-source 198.18.1.2
-A UPL-SNAT ! -s 198.18.2.2/32 -o wan2 -j SNAT --to-source 198.18.2.2
-A UPL-SNAT ! -s 198.18.3.2/32 -o wan3 -j SNAT --to-source 198.18.3.2
COMMIT
EOF
