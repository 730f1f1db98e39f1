#!/bin/bash
# The Debian packages of a build: without a fault for lintian, and installed,
# removed and purged in a Debian of their own, which is left as it was.
#
# usage: package_test.sh BUILD_DIRECTORY lint|install
#
# Packs the programs of that build, so their dependencies and their size are
# its. Exits with 77, and says why, where there is no mirror of Debian.
set -euo pipefail
build=$1
part=$2
# The mounts of the chroot end with this process.
if [[ -z ${UPLINKD_OWN_MOUNTS:-} ]]; then
  if ((EUID != 0)); then
    echo "SKIPPED: needs root"
    exit 77
  fi
  UPLINKD_OWN_MOUNTS=1 exec unshare --mount "$BASH" "$0" "$@"
fi
work=$(mktemp -d /tmp/uplinkd-package-XXXXXX)
end() {
  umount -l "$work/debian/proc" 2>/dev/null || true
  rm -rf --one-file-system "$work"
}
trap end EXIT

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
quietly() { "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2; fail "$*"; }; }

# The programs of a build with sanitizers are large, and xz takes its time.
quietly cpack --config "$build/CPackConfig.cmake" -B "$work/packages" \
  -D CPACK_DEBIAN_COMPRESSION_TYPE=gzip
rm -rf "$work/packages/_CPack_Packages"

if [[ $part == lint ]]; then
  lintian --allow-root --fail-on error,warning "$work"/packages/*.deb
  for package in "$work"/packages/*.deb; do
    dpkg-deb -x "$package" "$work/root"
  done
  unit=$work/root/usr/lib/systemd/system/uplinkd.service
  # 0 to 100: up to 39 is "OK" or better.
  systemd-analyze security --offline=true --threshold=39 "$unit" |
    grep 'Overall exposure'
  # The programs that it names are looked for on this machine.
  verdict=$(systemd-analyze verify --man=no "$unit" 2>&1 |
    grep -v 'Command /usr/sbin/uplinkd is not executable' || true)
  [[ -z $verdict ]] || fail "$verdict"
  systemd-sysusers --root="$work/root" uplinkd.conf 2>&1 || fail "sysusers.d"
  grep -q '^uplinkd:' "$work/root/etc/passwd" || fail "no user"
  mkdir -p "$work/root/run"
  touch "$work/root/run/xtables.lock"
  chmod 600 "$work/root/run/xtables.lock"
  quietly systemd-tmpfiles --root="$work/root" --create uplinkd.conf
  gid=$(sed -n 's/^uplinkd:[^:]*:\([0-9]*\):.*/\1/p' "$work/root/etc/group")
  [[ $(stat -c '%a %u %g' "$work/root/run/xtables.lock") == "640 0 $gid" ]] ||
    fail "the lock is not the group's to read"
  for page in "$work"/root/usr/share/man/man?/*.gz; do
    warnings=$(MANROFFSEQ='' man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 \
      >/dev/null)
    [[ -z $warnings ]] || fail "$page: $warnings"
    # All but the date, which would be that of the build.
    warnings=$(zcat "$page" | mandoc -Tlint -Wwarning |
      grep -vE 'missing date|skipping paragraph macro' || true)
    [[ -z $warnings ]] || fail "$page: $warnings"
  done
  # Every flag of the agent is in its page, and no other.
  flags() { grep -oE -- '(^| )--[a-z0-9-]+' | tr -d ' ' | sort -u; }
  asked=$("$build/bin/uplinkd" --help | sed -n '/^Options:/,/^$/p' |
    sed 's/-h,--help/--help/' | grep -E '^  -' | flags)
  told=$(zcat "$work/root/usr/share/man/man8/uplinkd.8.gz" |
    sed -n '/^\.SH OPTIONS/,/^\.SH SIGNALS/p' | sed 's/\\-/-/g' |
    grep -E '^\.B' | flags)
  [[ -n $asked && $asked == "$told" ]] ||
    fail "uplinkd(8) and --help differ: $(diff <(echo "$told") <(echo "$asked"))"
  # Every flag of both programs is in the manual beside it.
  documents=$work/root/usr/share/doc/uplinkd
  asked=$({ "$build/bin/uplinkd" --help; "$build/bin/uplinkctl" --help-all; } |
    grep -E '^ +-' | grep -oE -- '--[a-z0-9-]+' | sort -u)
  told=$(grep -oE -- '--[a-z0-9-]+' "$documents/operations.md" | sort -u)
  missing=$(comm -23 <(echo "$asked") <(echo "$told"))
  [[ -n $asked && -z $missing ]] || fail "operations.md lacks $missing"
  # What the packages' own texts point to is in them.
  for path in $({ zcat "$work"/root/usr/share/man/man?/*.gz |
    sed 's/\\-/-/g'; "$build/bin/uplinkctl" --help-all
    cat "$documents"/*.md; } |
    grep -oE '/usr/share/(doc/uplinkd|uplinkctl)/[A-Za-z.-]*' | sort -u); do
    [[ -e $work/root$path ]] || fail "there is no $path"
  done
  # Every key of the spec is in its page.
  page=$(zcat "$work/root/usr/share/man/man5/uplinkd-spec.5.gz" |
    sed 's/\\f[A-Z]/ /g')
  keys=$("$build/bin/uplinkctl" schema | python3 -c '
import json, sys
for form in json.load(sys.stdin)["$defs"].values():
    for choice in form.get("anyOf", [form]):
        print(*choice.get("properties", {}), sep="\n")' | sort -u)
  for key in $keys; do
    case $key in bitsPerSecond | hundredths | members) continue ;; esac
    grep -qw -- "$key" <<<"$page" || fail "uplinkd-spec(5) does not name $key"
  done
  exit 0
fi

mirror=${UPLINKD_DEBIAN_MIRROR:-http://deb.debian.org/debian}
if ! curl -fsS --max-time 20 -o /dev/null "$mirror/dists/bookworm/Release"; then
  echo "SKIPPED: no mirror of Debian answers at $mirror"
  exit 77
fi
root=$work/debian
quietly debootstrap --variant=minbase --include=systemd,kmod bookworm "$root" \
  "$mirror"
mount -t proc proc "$root/proc"
printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
inside() { chroot "$root" env DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }
state() { (cd "$root" && find etc usr/lib/systemd var/lib run -xdev \
  -not -path 'var/lib/dpkg/*' -not -path 'var/lib/apt/*' \
  -not -path 'var/lib/systemd/*' | sort); }

# What they depend on stays installed, so it is there before.
depends=$(for package in "$work"/packages/*.deb; do
  dpkg-deb -f "$package" Depends
done | tr ',' '\n' | sed 's/(.*//; s/|.*//; s/ //g' | sort -u)
# shellcheck disable=SC2086  # one word each
quietly inside apt-get install -y -q --no-install-recommends $depends iproute2
state >"$work/before"
cp "$work"/packages/*.deb "$root/tmp"
quietly inside sh -c 'dpkg -i /tmp/*.deb'
inside getent passwd uplinkd | grep -q nologin || fail "no user uplinkd"
inside uplinkd --version
inside uplinkctl --version
inside sh -c 'for spec in /usr/share/doc/uplinkd/examples/*.yaml; do
  uplinkctl validate -f $spec || exit 1
done' >/dev/null || fail "the examples are not valid"
[[ -L $root/etc/systemd/system/multi-user.target.wants/uplinkd.service ]] ||
  fail "the unit is not enabled"
# An ordinary user reads names that are not there yet as none.
inside ip rule >/dev/null || fail "ip(8) stumbles over the links"
echo 'UPLINKD_OPTIONS="--log-level debug"' >"$root/etc/default/uplinkd"
mkdir -p "$root/var/lib/uplinkd"
echo '{}' >"$root/var/lib/uplinkd/spec.json"

quietly inside dpkg -i "/tmp/$(basename "$work"/packages/uplinkd_*.deb)"
grep -q debug "$root/etc/default/uplinkd" || fail "an upgrade lost the options"
quietly inside dpkg -r uplinkd uplinkctl
[[ -e $root/var/lib/uplinkd/spec.json && -e $root/etc/default/uplinkd ]] ||
  fail "a removal took more than the programs"
[[ ! -e $root/usr/sbin/uplinkd ]] || fail "the agent is still there"
quietly inside dpkg -P uplinkd uplinkctl
state >"$work/after"
# The user stays, so that its number is not given to another one.
left=$(diff "$work/before" "$work/after" | grep '^[<>]' |
  grep -vE ' etc/(passwd|group|shadow|gshadow)-?$|etc/\.pwd\.lock' || true)
[[ -z $left ]] || fail "purged, but: $left"
echo "installed, upgraded, removed, purged"
