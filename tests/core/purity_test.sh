#!/bin/sh
# The core is pure: it uses no kernel, RPC or logging library, does no I/O and
# reads no clock. Proved on what was built and on what is written.
#
# usage: purity_test.sh TEST_BINARY CORE_ARCHIVE CORE_SOURCES
#   TEST_BINARY   a program that links the core and the test framework only
#   CORE_ARCHIVE  libuplinkd_core.a
#   CORE_SOURCES  the directory of the core's sources, reconciler/
set -eu
binary=$1
archive=$2
sources=$3
faults=0

fault() {
  echo "not pure: $1"
  echo "$2" | sed 's/^/    /'
  faults=1
}

# No library but the language's, the test framework's and the sanitizers'.
libraries=$(ldd "$binary" | awk '{ print $1 }' |
  grep -Ev '(^|/)(linux-vdso|ld-linux|lib(stdc\+\+|gcc_s|c|m|pthread|dl|rt|gtest|gmock|gtest_main|gmock_main|asan|ubsan|tsan))[.-]' || true)
[ -z "$libraries" ] || fault "$binary links" "$libraries"

# No undefined symbol of such a library, of a system call or of a clock.
undefined=$(nm -A --undefined-only "$archive" | awk '{ print $NF }' | sort -u)
[ -n "$undefined" ] || fault "$archive holds nothing to check" ""
forbidden=$(echo "$undefined" | grep -E \
  '^(nl_|nla_|nlmsg_|rtnl_|nfnl_|iptc_|ip6tc_|grpc|gpr_|_ZN4grpc|_ZN6google8protobuf|_ZN6spdlog|_ZN4YAML|_ZN10prometheus|sd_)|^(open|open64|openat|creat|read|write|close|ioctl|socket|socketpair|connect|bind|send|sendto|sendmsg|recv|recvfrom|recvmsg|setsockopt|getsockopt|poll|select|epoll_.*|fopen|fopen64|fread|fwrite|fputs|puts|printf|putchar|unlink|rename|mkdir|stat|fork|execve|system|popen|getenv|syslog|time|gettimeofday|clock_gettime|clock|sleep|usleep|nanosleep|rand|random|getrandom)(@.*)?$|_ZNSt6chrono3_V21[12](system|steady)_clock3nowEv|_ZSt4(cout|cerr|clog)|_ZNSt13random_device|basic_[io]?fstream|basic_filebuf' || true)
[ -z "$forbidden" ] || fault "$archive uses" "$forbidden"

# No header of them either; the linux/ folder below is the edge, not the core.
includes=$(grep -nE '^ *# *include *[<"](netlink|libiptc|libip(4|6)tc|linux|net|netinet|sys|grpc|grpcpp|google|spdlog|yaml-cpp|prometheus|unistd\.h|fcntl\.h|fstream|iostream|thread|mutex|reconciler/linux|agent|cli|proto|exporters)' \
  "$sources"/*.h "$sources"/*.cc || true)
[ -z "$includes" ] || fault "$sources includes" "$includes"

exit $faults
