#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What block lists cost: compiling, starting with what is compiled, memory of
# a worker, a look-up, and transactions beside one of echo in the same run: a
# URL that is not listed, one that is (noted, and blocked with a page), and one
# that EXPRESSIONS are tried on. Run by `make bench-lists`; ENTRIES may name
# other sizes.

set -u
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

ENTRIES=${ENTRIES:-1000000 5000000}
SECONDS_EACH=${SECONDS_EACH:-5}
ROUNDS=${ROUNDS:-3}
EXPRESSIONS=${EXPRESSIONS:-20}

setup
icapc=${ICAPC:-${top_builddir:-.}/icapc}
lookup=$t_builddir/bench/lookup
expressions=no
! ldd "$ICAPD" | grep -q libpcre2 || expressions=yes

ms() {
	echo $(($(date +%s%N) / 1000000))
}

# measure NAME SERVICE HOST [OPTION...]: transactions for it
measure() {
	me_name=$1 me_service=$2 me_host=$3
	shift 3
	say "$me_name: $("$icapc" reqmod -u "http://www.$me_host/index.html" \
	    -c 1 -d "$SECONDS_EACH" --terse "$@" \
	    "icap://127.0.0.1:$icapd_port/$me_service" | tr '\n' ' ')"
}

dirty() {
	awk '/^Private_Dirty:/ { n += $2 } END { print n }' \
	    "/proc/$1/smaps_rollup"
}

for n in $ENTRIES; do
	rm -rf "$tmp/cache"
	sh "$(dirname "$0")/mklist.sh" "$n" >"$tmp/list"
	# without the number of the transaction: the same each time
	echo '<p>%{url}: %{category}, %{reason}' >"$tmp/page.html"
	mkdir -p "$tmp/folder"
	awk -v n="$EXPRESSIONS" 'BEGIN {
		for (i = 0; i < n; i++)
			print "(^|[-?+=/_.])(casino|poker" i ")[0-9]*([-?+=/_.]|$)"
	}' >"$tmp/folder/expressions"
	chmod -R a+rX "$tmp/list" "$tmp/folder" "$tmp/page.html"
	cat >"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = 2 }
	blocklist large {
		cache = "$tmp/cache"
		template = "$tmp/page.html"
		list "large" { path = {"$tmp/list"} }
		rule "noted" {
			clients = {192.0.2.1}
			action = log
		}
		rule "rest" { }
	}
	service "/lists" { run = {large} }
	service "/echo" { run = {echo} preview = 0 }
	END
	[ "$expressions" = no ] || cat >>"$tmp/icapd.conf" <<-END
	blocklist expr {
		cache = "$tmp/cache"
		list "expr" { path = {"$tmp/folder"} }
	}
	service "/expressions" { run = {expr} }
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
		measure echo echo d7.small.example
		measure "not listed" lists d7.small.example
		measure "listed, noted" lists d7.large.example \
		    -H 'X-Client-IP: 192.0.2.1'
		measure "listed, a page" lists d7.large.example
		[ "$expressions" = no ] || measure \
		    "$EXPRESSIONS expressions" expressions d7.small.example
	done
	for pid in $(icapd_workers); do
		say "worker $pid after: $(dirty "$pid") KiB private dirty"
	done
	kill -TERM "$icapd_pid"
	reap "$icapd_pid"
done
