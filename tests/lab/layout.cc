#include "tests/lab/layout.h"

namespace uplinkd::lab {

std::string LayoutScript() {
  return R"(
for i in 1 2; do
  ip route add 198.18.$i.0/24 dev wan$i scope link src 198.18.$i.2 \
    table 1$i proto 117
  ip route add 192.168.10.0/24 dev lan0 scope link table 1$i proto 117
  ip route add default via 198.18.$i.1 dev wan$i src 198.18.$i.2 \
    table 1$i proto 117
  ip route add unreachable default metric 4294967295 table 1$i proto 117
  ip rule add priority 2010$i fwmark 0x$i/0xff lookup 1$i protocol 117
  ip rule add priority 2040$i from 198.18.$i.2 lookup 1$i protocol 117
done
ip rule add priority 20000 lookup main suppress_prefixlength 0 protocol 117
iptables-legacy-restore -n <<END
*nat
:UPL-POSTROUTING -
:UPL-SNAT -
-I POSTROUTING -j UPL-POSTROUTING
-A UPL-POSTROUTING -s 192.168.10.0/24 -g UPL-SNAT
-A UPL-POSTROUTING -s 198.18.1.2 -g UPL-SNAT
-A UPL-POSTROUTING -s 198.18.2.2 -g UPL-SNAT
-A UPL-SNAT ! -s 198.18.1.2 -o wan1 -j SNAT --to-source 198.18.1.2
-A UPL-SNAT ! -s 198.18.2.2 -o wan2 -j SNAT --to-source 198.18.2.2
COMMIT
*mangle
:UPL-PREROUTING -
:UPL-NEW -
:UPL-TRAFFIC -
:UPL-FATE -
:UPL-MARK-1 -
:UPL-MARK-2 -
:UPL-OUTPUT -
-I PREROUTING -j UPL-PREROUTING
-I OUTPUT -j UPL-OUTPUT
-A UPL-PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A UPL-PREROUTING -m mark ! --mark 0x0/0xff -j RETURN
-A UPL-PREROUTING -m conntrack --ctstate NEW -g UPL-NEW
-A UPL-NEW -i lan0 -s 192.168.10.0/24 -g UPL-TRAFFIC
-A UPL-NEW -i wan1 -g UPL-MARK-1
-A UPL-NEW -i wan2 -g UPL-MARK-2
-A UPL-TRAFFIC -d 192.168.10.0/24 -j RETURN
-A UPL-TRAFFIC -d 198.18.1.0/24 -j RETURN
-A UPL-TRAFFIC -d 198.18.2.0/24 -j RETURN
-A UPL-TRAFFIC -d 224.0.0.0/3 -j RETURN
-A UPL-TRAFFIC -g UPL-FATE
-A UPL-FATE -m statistic --mode random --probability 0.5 -g UPL-MARK-1
-A UPL-FATE -g UPL-MARK-2
-A UPL-MARK-1 -j MARK --set-xmark 0x1/0xff
-A UPL-MARK-1 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A UPL-MARK-2 -j MARK --set-xmark 0x2/0xff
-A UPL-MARK-2 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A UPL-OUTPUT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
COMMIT
END
)";
}

std::string PlainNatScript() {
  return R"(
for i in 1 2; do
  iptables-legacy -t nat -A POSTROUTING -o wan$i -s 192.168.10.0/24 \
    -j SNAT --to-source 198.18.$i.2
done
)";
}

}  // namespace uplinkd::lab
