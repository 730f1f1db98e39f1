#!/usr/bin/python3
"""Writes what a real kernel says, as seeds of the fuzz targets.

    unshare --net tests/fuzz/seeds.py DIRECTORY

netlink: links, addresses, routes, rules, settings, counters, connections, and
events of some of them, each datagram as it came. rule_blob: the tables that an
agent has filled in this namespace, or `iptables-legacy-restore` has.
"""
import os
import socket
import struct
import subprocess
import sys

NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
TABLES = {"4": ("iptables-legacy", socket.IPPROTO_IP, socket.AF_INET),
          "6": ("ip6tables-legacy", socket.IPPROTO_IPV6, socket.AF_INET6)}
INFO_SIZE = 84  # struct ipt_getinfo


def run(*lines):
    for line in lines:
        subprocess.run(line, shell=True, check=True)


def build_network():
    run("ip link set lo up",
        "ip link add wan1 type veth peer name far1",
        "ip link add wan2 type veth peer name far2",
        "ip link add lan0 type bridge",
        *(f"ip link set {link} up" for link in
          ("wan1", "far1", "wan2", "far2", "lan0")),
        "ip address add 198.51.100.2/24 dev wan1",
        "ip address add 203.0.113.2 peer 203.0.113.1 dev wan2",
        "ip address add 192.168.10.1/24 dev lan0",
        "ip -6 address add 2001:db8:a1::2/64 dev wan1 nodad",
        "ip route add default via 198.51.100.1",
        "ip -6 route add default via 2001:db8:a1::1 dev wan1",
        "ip route add unreachable default table 11 metric 4294967295 proto 117",
        "ip route add 198.51.100.0/24 dev wan1 src 198.51.100.2 table 11 proto 117",
        "ip route add default table 10 proto 117 nexthop via 198.51.100.1 "
        "dev wan1 weight 3 nexthop dev wan2 weight 1",
        "ip -6 route add unreachable default table 12 proto 117",
        "ip route add 10.0.0.0/8 via inet6 fe80::1 dev wan1 metric 7",
        "ip rule add priority 20000 table main suppress_prefixlength 0 "
        "protocol 117",
        "ip rule add priority 20101 fwmark 0x1/0xff table 11 protocol 117",
        "ip rule add priority 20401 from 198.51.100.2 table 11 protocol 117",
        "ip rule add priority 20700 iif lan0 table 10 protocol 117",
        "ip -6 rule add priority 20102 fwmark 0x2/0xff unreachable "
        "protocol 117",
        "ip rule add priority 30000 not from 10.0.0.0/8 tos 0x10 "
        "uidrange 1-2 ipproto tcp dport 80 goto 32766",
        "conntrack -I -s 192.0.2.1 -d 198.51.100.7 -p tcp --sport 1000 "
        "--dport 443 --state ESTABLISHED --timeout 100 --mark 1 >/dev/null",
        "conntrack -I -s 192.0.2.1 -d 198.51.100.7 -p udp --sport 1001 "
        "--dport 53 --timeout 30 --mark 2 >/dev/null",
        "conntrack -I -s 2001:db8::1 -d 2001:db8::2 -p udp --sport 1001 "
        "--dport 53 --timeout 30 >/dev/null")


class Seeds:
    def __init__(self, directory):
        self.directory = directory

    def write(self, target, name, data):
        folder = os.path.join(self.directory, target)
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)


def receive_all(sock):
    """Datagrams until the kernel has said all."""
    datagrams = []
    while True:
        data = sock.recv(65536)
        datagrams.append(data)
        for message in messages(data):
            kind, flags = struct.unpack_from("=HH", message, 4)
            if kind in (2, 3) or not flags & 2:  # ERROR, DONE, a lone one
                return datagrams


def ask(protocol, kind, flags, payload):
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        sock.setsockopt(270, 11, 1)  # NETLINK_EXT_ACK
        sock.settimeout(5)
        header = struct.pack("=IHHII", 16 + len(payload), kind,
                             NLM_F_REQUEST | flags, 1, 0)
        sock.send(header + payload)
        return receive_all(sock)


def messages(datagram):
    offset = 0
    while offset + 16 <= len(datagram):
        size = struct.unpack_from("=I", datagram, offset)[0]
        yield datagram[offset:offset + size]
        offset += (size + 3) & ~3


def seed_netlink(seeds):
    questions = {
        "link": (0, 18, NLM_F_DUMP, struct.pack("=BxHiII", 0, 0, 0, 0, 0)),
        "address": (0, 22, NLM_F_DUMP, bytes(8)),
        "route": (0, 26, NLM_F_DUMP, bytes(12)),
        "route6": (0, 26, NLM_F_DUMP, b"\x0a" + bytes(11)),
        "rule": (0, 34, NLM_F_DUMP, bytes(12)),
        "rule6": (0, 34, NLM_F_DUMP, b"\x0a" + bytes(11)),
        "netconf": (0, 82, NLM_F_DUMP, b"\x02"),
        "stats": (0, 94, NLM_F_DUMP, struct.pack("=BxHII", 0, 0, 0, 1)),
        "conntrack": (12, 0x101, NLM_F_DUMP, bytes(4)),
        "refusal": (0, 24, 4, struct.pack("=BBBBBBBBI", 2, 99, 0, 0, 254, 3, 0,
                                          1, 0)),
    }
    for name, (protocol, kind, flags, payload) in questions.items():
        for i, datagram in enumerate(ask(protocol, kind, flags, payload)):
            for j, message in enumerate(messages(datagram)):
                seeds.write("netlink", f"{name}-{i}-{j}", message)
            seeds.write("netlink", f"{name}-{i}", datagram[:4096])


def seed_tables(seeds, rules):
    for digit, (program, level, family) in TABLES.items():
        for table, text in rules[digit].items():
            subprocess.run([program + "-restore"], check=True,
                           input=f"*{table}\n{text}COMMIT\n".encode())
        with socket.socket(family, socket.SOCK_RAW,
                           socket.IPPROTO_RAW) as sock:
            for table in ("mangle", "nat"):
                seeds.write("rule_blob", table + digit,
                            read_table(sock, level, digit, table))


def read_table(sock, level, digit, table):
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)

    def get(option, request):
        buffer = ctypes.create_string_buffer(request, len(request))
        size = ctypes.c_uint32(len(request))
        if libc.getsockopt(sock.fileno(), level, option, buffer,
                           ctypes.byref(size)) != 0:
            raise OSError(ctypes.get_errno(), "getsockopt")
        return buffer.raw

    name = table.encode().ljust(32, b"\0")
    info = get(64, name + bytes(INFO_SIZE - 32))
    size = struct.unpack_from("=I", info, INFO_SIZE - 4)[0]
    request = name + struct.pack("=I", size) + bytes(4) + bytes(size)
    entries = get(65, request)[40:]
    return digit.encode() + info + entries


def rules_of(digit):
    a, b, net = (("198.51.100.2", "203.0.113.2", "192.168.10.0/24")
                 if digit == "4" else
                 ("2001:db8:a1::2", "2001:db8:b2::2", "2001:db8:10::/64"))
    name = "e1"
    mangle = f""":UPL-ESTIMATE-IN - [0:0]
:UPL-FATE - [0:0]
:UPL-FATE.2 - [0:0]
:UPL-MARK-1 - [0:0]
:UPL-MARK-2 - [0:0]
:UPL-NEW - [0:0]
:UPL-OUTPUT - [0:0]
:UPL-PREROUTING - [0:0]
:OTHER - [0:0]
-A PREROUTING -j UPL-PREROUTING
-A PREROUTING -p tcp -m tcp --dport 80 -j OTHER
-A OUTPUT -j UPL-OUTPUT
-A UPL-ESTIMATE-IN -i wan1 -j RATEEST --rateest-name {name} --rateest-interval 250ms --rateest-ewmalog 500ms
-A UPL-ESTIMATE-IN -i wan2 -j RATEEST --rateest-name e2 --rateest-interval 250ms --rateest-ewmalog 500ms
-A UPL-FATE -m statistic --mode random --probability 0.50000000000 -g UPL-FATE.2
-A UPL-FATE -m cluster --cluster-total-nodes 2 --cluster-local-nodemask 1 --cluster-hash-seed 0x7 -g UPL-MARK-1
-A UPL-FATE -m rateest --rateest-delta --rateest1 {name} --rateest-bps1 1Mbit --rateest-gt --rateest2 e2 --rateest-bps2 1Mbit -g UPL-MARK-1
-A UPL-FATE -m recent --rcheck --hitcount 2 --name turns --rsource -g UPL-MARK-2
-A UPL-FATE.2 -s {net} -p tcp -m multiport --dports 80,443,1000:1010 -g UPL-MARK-2
-A UPL-FATE.2 -m dscp --dscp 0x2e -m mac --mac-source 02:00:00:00:00:01 -g UPL-MARK-2
-A UPL-FATE.2 -m hashlimit --hashlimit-upto 10/sec --hashlimit-burst 5 --hashlimit-mode srcip --hashlimit-name budget -g UPL-MARK-1
-A UPL-FATE.2 ! -s {net} -p udp -j RETURN
-A UPL-MARK-1 -j MARK --set-xmark 0x1/0xff
-A UPL-MARK-1 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A UPL-MARK-2 -j MARK --set-xmark 0x2/0xff
-A UPL-MARK-2 -j CONNMARK --save-mark --nfmask 0xff --ctmask 0xff
-A UPL-NEW -i lan0 -s {net} -g UPL-FATE
-A UPL-NEW -i wan1 -g UPL-MARK-1
-A UPL-OUTPUT -m mark --mark 0xff/0xff -j RETURN
-A UPL-OUTPUT -m owner --uid-owner 1000-1010 -g UPL-MARK-1
-A UPL-OUTPUT -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A UPL-PREROUTING -j UPL-ESTIMATE-IN
-A UPL-PREROUTING -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff
-A UPL-PREROUTING -m mark ! --mark 0x0/0xff -j RETURN
-A UPL-PREROUTING -m conntrack --ctstate NEW -g UPL-NEW
"""
    nat = f""":UPL-POSTROUTING - [0:0]
:UPL-SNAT - [0:0]
-A POSTROUTING -j UPL-POSTROUTING
-A UPL-POSTROUTING -s {net} -g UPL-SNAT
-A UPL-SNAT ! -s {a} -o wan1 -j SNAT --to-source {a}
-A UPL-SNAT ! -s {b} -o wan2 -m connmark --mark 0x2/0xff -j SNAT --to-source {b}
-A UPL-SNAT -o wan2 -j MASQUERADE
-A UPL-SNAT -o wan1 -j NETMAP --to {net}
-A UPL-SNAT -o wan1 -j ACCEPT
"""
    return {"mangle": mangle, "nat": nat}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    seeds = Seeds(sys.argv[1])
    build_network()
    seed_netlink(seeds)
    seed_tables(seeds, {digit: rules_of(digit) for digit in TABLES})


if __name__ == "__main__":
    main()
