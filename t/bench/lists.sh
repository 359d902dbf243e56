#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What block lists cost: compiling, starting with what is compiled, memory of
# a worker, a look-up, and transactions beside one of echo in the same run: a
# URL that is in no list, one that is (and gets a page), and one that a hundred
# expressions do not match.
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
	# The same page each time, which icapc can compare; and expressions that
	# do not match, of which a request has to try each.
	echo '%{host} is in %{list}' >"$tmp/page.txt"
	mkdir -p "$tmp/ut1"
	awk 'BEGIN {
		for (i = 0; i < 100; i++)
			print "(^|[./-])casino" i "(s|[0-9]+)?[.]com/"
	}' >"$tmp/ut1/expressions"
	chmod -R a+rX "$tmp/page.txt" "$tmp/ut1"
	cat >"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = 2 }
	blocklist large {
		cache = "$tmp/cache"
		template = "$tmp/page.txt"
		list "large" { path = {"$tmp/list"} }
	}
	blocklist hundred {
		cache = "$tmp/cache"
		list "ut1" { path = {"$tmp/ut1"} }
	}
	service "/lists" { run = {large} }
	service "/expressions" { run = {hundred} }
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
		for what in echo:small lists:small lists:large \
		    expressions:small; do
			say "$what: $("$icapc" reqmod -c 1 \
			    -u "http://www.d7.${what#*:}.example/index.html" \
			    -d "$SECONDS_EACH" --terse \
			    "icap://127.0.0.1:$icapd_port/${what%:*}" |
			    tr '\n' ' ')"
		done
	done
	for pid in $(icapd_workers); do
		say "worker $pid after: $(dirty "$pid") KiB private dirty"
	done
	kill -TERM "$icapd_pid"
	reap "$icapd_pid"
done
