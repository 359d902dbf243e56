#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Damaged requests in a row, N of each of ten kinds, to services that do all
# that a service can do: no worker ends or is replaced, and none of them keeps
# a descriptor. N=10000 is the long run before a release.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

N=${N:-500}

icapt=${ICAPT:-$t_builddir/icapt}
scripts=$(dirname "$0")
ICAPD=$t_builddir/testd
case $ICAPD in
/*) ;;
*) ICAPD=$PWD/$ICAPD ;;
esac

setup
[ -x "$icapt" ] || fail "$icapt: no such program (make check builds it)"

# descriptors: how many each worker has
descriptors() {
	[ -d /proc/self/fd ] || return 0
	for fd_pid in $(icapd_workers); do
		echo "$fd_pid $(find "/proc/$fd_pid/fd" -type l | wc -l)"
	done
}

mkdir -p "$tmp/spool" "$tmp/run"
chmod 1777 "$tmp/spool"
{
	cat <<-'EOT'
		listen "127.0.0.1:0" {
			workers = 4
		}
	EOT
	for name in block echo header prefix upper; do
		echo "service \"/$name\" { run = {$name} }"
	done
} >"$tmp/mutate.conf"
icapd_launch -d -f "$tmp/mutate.conf"

# All workers are there, and each has served somebody.
step "before"
# all_idle: with no connection, whose descriptor would be counted
all_idle() {
	[ "$(ps -A -o ppid= -o args= | awk -v p="$icapd_pid" '
	    $1 == p && /: worker [0-9]+ \[idle]/ { n++ }
	    END { print n + 0 }')" -eq 4 ]
}
wait_until all_idle || fail "not all workers came up"
"$icapt" -t 60 -p "$icapd_port" -D mutate=20 "$scripts/mutate.it" ||
    fail "scripts failed"
wait_until all_idle || fail "somebody is still busy"
icapd_workers >"$tmp/before"
descriptors >"$tmp/before.fd"

step "$N damaged requests of each kind"
"$icapt" -t 60 -p "$icapd_port" -D mutate="$N" "$scripts/mutate.it" ||
    fail "scripts failed"

step "the workers are those they were"
icapd_workers >"$tmp/after"
diff "$tmp/before" "$tmp/after" >&2 || fail "before (<), after (>)"
same_descriptors() {
	descriptors >"$tmp/after.fd"
	cmp -s "$tmp/before.fd" "$tmp/after.fd"
}
wait_until same_descriptors || {
	diff "$tmp/before.fd" "$tmp/after.fd" >&2
	fail "descriptors before (<), after (>)"
}
if grep -e 'killed by' -e 'exited' "$tmp/icapd.err" >&2; then
	fail "a worker ended"
fi
icapd_stop TERM
