#!/bin/sh
# SPDX-License-Identifier: ISC
#
# That the smaller benchmarks run, for a moment each, on what the tests share:
# their verdicts and replies are checked, no figure is looked at.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# bench NAME VARIABLE=VALUE...: it ends well, into $tmp/NAME.log
bench() {
	b_name=$1
	shift
	status=0
	env "$@" sh "$(dirname "$0")/bench/$b_name.sh" \
	    >"$tmp/$b_name.log" 2>&1 || status=$?
	[ "$status" -ne 77 ] || skip "$(tail -n 1 "$tmp/$b_name.log")"
	[ "$status" -eq 0 ] || {
		cat "$tmp/$b_name.log" >&2
		fail "bench/$b_name.sh: status $status"
	}
}

setup
step "block lists"
bench lists ENTRIES=1000 SECONDS_EACH=0.1 ROUNDS=1
for line in '1000 entries: compiled in' 'echo: ' 'listed, a page: '; do
	has "$tmp/lists.log" "$line" || fail "not there: $line"
done

step "scans"
bench scan BENCH_ROUNDS=1 BENCH_SECONDS=0.1 BENCH_SIZES=10240 BENCH_CLIENTS=1
for line in 'clamd fildes' 'icapd fildes' 'clamd stream' 'icapd stream'; do
	has "$tmp/scan.log" "^ *10240 *1  $line " || fail "not there: $line"
done
