#!/bin/sh
# SPDX-License-Identifier: ISC
#
# Bodies that wait: a client that writes all before it reads, and what its
# worker's memory was at most; a folder for them that is full, or gone. What
# cannot be kept is the end of one transaction and of nothing else. SIZE is
# that of the large body.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

SIZE=${SIZE:-64M}
RESIDENT_MAX=8192	# KiB: of a worker, at any time
FULL=256k		# size of the folder that will be full

icapt=${ICAPT:-$t_builddir/icapt}
icapd_port=		# set by icapd_start
scripts=$(dirname "$0")

setup
[ -x "$icapt" ] || fail "$icapt: no such program (make check builds it)"

# wire OPTION... SCRIPT...: all pass
wire() {
	"$icapt" -t 120 -p "$icapd_port" "$@" || fail "scripts failed"
}

# peaks: the most that each worker ever had, in KiB
peaks() {
	for pk_pid in $(icapd_workers); do
		sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB$/\1/p' \
		    "/proc/$pk_pid/status"
	done
}

step "a body of $SIZE, written before anything is read"
icapd_start -w 2
wire -D duplex="$SIZE" "$scripts/duplex.it"
if nm "$ICAPD" 2>/dev/null | grep -q -w __asan_init; then
	say "left out: how much memory, as sanitizers need their own"
elif [ -r "/proc/$icapd_pid/status" ]; then
	peak=$(peaks | sort -n | tail -n 1)
	[ -n "$peak" ] || fail "nothing known of the workers' memory"
	say "the workers had $peak KiB at most"
	[ "$peak" -lt "$RESIDENT_MAX" ] || fail "that is too much"
else
	say "left out: how much memory, as there is no /proc here"
fi
icapd_stop TERM

# unmount: what cleanup has to undo
unmount() {
	! mountpoint -q "$tmp/full" || umount "$tmp/full"
}

# serve FOLDER: testd, which keeps bodies there
serve() {
	mkdir -p "$tmp/spool" "$tmp/run"
	cat >"$tmp/spool.conf" <<-END
	listen "127.0.0.1:0" {
		workers = 4
	}
	spool {
		directory = "$1"
		memory = 16k
	}
	service "/echo" { run = {echo} }
	service "/read" { run = {read} }
	END
	icapd_launch -d -f "$tmp/spool.conf"
}

ICAPD=$t_builddir/testd
case $ICAPD in
/*) ;;
*) ICAPD=$PWD/$ICAPD ;;
esac
[ -x "$ICAPD" ] || fail "$ICAPD: no such program (make check builds it)"

step "the folder has gone away"
mkdir "$tmp/gone"
chmod 1777 "$tmp/gone"
serve "$tmp/gone"
before=$(icapd_workers)
rmdir "$tmp/gone"
wire -D full=read "$scripts/spool-full.it"
[ "$(icapd_workers)" = "$before" ] || fail "workers died of it"
icapd_stop TERM

step "the folder is full"
mkdir "$tmp/full"
if [ "$(id -u)" -ne 0 ] || ! command -v mountpoint >/dev/null ||
    ! mount -t tmpfs -o "size=$FULL,mode=1777" tmpfs "$tmp/full" 2>/dev/null
then
	say "left out: no small file system can be mounted here (be root)"
	exit 0
fi
cleanup_hook=unmount
serve "$tmp/full"
before=$(icapd_workers)
wire -D full=read "$scripts/spool-full.it"
[ "$(icapd_workers)" = "$before" ] || fail "workers died of it"
icapd_stop TERM
umount "$tmp/full" || fail "something still uses it"
