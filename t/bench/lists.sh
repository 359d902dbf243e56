#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What block lists cost: compiling, starting with what is compiled, memory of
# a worker, a look-up, and a transaction beside one of echo in the same run.
# Run by `make bench-lists`; ENTRIES may name other sizes.

set -u
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

ENTRIES=${ENTRIES:-1000000 5000000}
SECONDS_EACH=${SECONDS_EACH:-5}
ROUNDS=${ROUNDS:-3}

setup
icapc=${ICAPC:-${top_builddir:-.}/icapc}
lookup=$t_builddir/bench/lookup

ms() {
	echo $(($(date +%s%N) / 1000000))
}


dirty() {
	awk '/^Private_Dirty:/ { n += $2 } END { print n }' \
	    "/proc/$1/smaps_rollup"
}

for n in $ENTRIES; do
	rm -rf "$tmp/cache"
	sh "$(dirname "$0")/mklist.sh" "$n" >"$tmp/list"
	chmod 644 "$tmp/list"
	cat >"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = 2 }
	blocklist large {
		cache = "$tmp/cache"
		list "large" { path = {"$tmp/list"} }
	}
	service "/lists" { run = {large} }
	service "/echo" { run = {echo} preview = 0 }
	END
	sleep 1		# else the list is too young to be trusted
	t0=$(ms)
	"$ICAPD" -n -f "$tmp/icapd.conf" >/dev/null || fail "compiling"
	t1=$(ms)
	"$ICAPD" -n -f "$tmp/icapd.conf" >/dev/null || fail "opening"
	t2=$(ms)
	say "$n entries: compiled in $((t1 - t0)) ms, start when compiled" \
	    "$((t2 - t1)) ms," \
	    "$(stat -c %s "$tmp/cache/blocklist-large.cdb") bytes"
	say "$("$lookup" "$tmp/cache/blocklist-large.cdb" "$n")"

	mkdir -p "$tmp/spool" "$tmp/run"
	chmod 1777 "$tmp/spool"
	start icapd icapd_exec -d -f "$tmp/icapd.conf"
	icapd_pid=$started_pid
	wait_until icapd_is_up || fail "icapd is not ready"
	icapd_port=$(sed -n \
	    's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' \
	    "$tmp/icapd.err" | head -n 1)
	for pid in $(icapd_workers); do
		say "worker $pid before: $(dirty "$pid") KiB private dirty"
	done
	round=0
	while [ "$round" -lt "$ROUNDS" ]; do
		round=$((round + 1))
		for service in echo lists; do
			say "$service: $("$icapc" reqmod \
			    -u http://www.d7.small.example/index.html -c 1 \
			    -d "$SECONDS_EACH" --terse \
			    "icap://127.0.0.1:$icapd_port/$service" |
			    tr '\n' ' ')"
		done
	done
	for pid in $(icapd_workers); do
		say "worker $pid after: $(dirty "$pid") KiB private dirty"
	done
	kill -TERM "$icapd_pid"
	reap "$icapd_pid"
done
