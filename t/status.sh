#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The status listener: metrics that promtool accepts, health, JSON, and the
# page, in a browser where there is one. Nothing but GET and HEAD.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=view.sh
. "$(dirname "$0")/view.sh"

SCRAPES=1000

# `connections` of the section `status`: the default
CONNECTIONS=16

need curl curl
need jq jq
view_setup
view_start "workers 3" "status 0" "log $tmp/log/access access ecs"
is_listening() {
	has "$tmp/icapd.err" 'status on 127.0.0.1:[1-9]\|without libmicrohttpd'
}
wait_until is_listening || fail "no status listener"
if has "$tmp/icapd.err" 'without libmicrohttpd'; then
	skip "built without libmicrohttpd"
fi
status_port=$(sed -n 's/.*status on 127\.0\.0\.1:\([0-9]*\).*/\1/p' \
    "$tmp/icapd.err" | head -n 1)
url=http://127.0.0.1:$status_port

# get PATH [OPTION...]: into $tmp/got; sets code.
get() {
	t_path=$1
	shift
	code=$(curl -s -o "$tmp/got" -w '%{http_code}' "$@" "$url$t_path") ||
	    fail "curl $t_path"
}

step "numbers that are right"
head_of 'GET http://example.com/<b>"x"</script> HTTP/1.1'
"$t_builddir/ping" -p "$icapd_port" -n 25 count || fail "no service"
request block
request fail
wait_until has_lines "$tmp/log/access" 27 || fail "no lines"
get /metrics
[ "$code" -eq 200 ] || fail "/metrics: $code"
has "$tmp/got" '^icapd_transactions_total{service="echo",method="RESPMOD",status="204",verdict="unchanged",unscanned="false",blocked="false",cut="false"} 25$' ||
    fail "25 transactions are not in the metrics"
has "$tmp/got" '^icapd_blocked_total 1$' || fail "nothing was blocked"
has "$tmp/got" '^icapd_unscanned_total 1$' || fail "all was examined"
has "$tmp/got" '^icapd_transaction_duration_seconds_count{service="echo"} 25$' ||
    fail "no histogram"
has "$tmp/got" "^icapd_log_lines_total{log=\"$tmp/log/access\"} 27$" ||
    fail "no lines in the metrics"
get /status.json
jq -e '.transactions == 27 and (.workers | length) == 3' "$tmp/got" \
    >"$tmp/jq.out" || fail "/status.json"
get /healthz
[ "$code" -eq 200 ] || fail "/healthz: $code"
get /readyz
[ "$code" -eq 200 ] || fail "/readyz: $code"
[ "$(cat "$tmp/got")" = ready ] || fail "/readyz says more"
get '/readyz?verbose'
has "$tmp/got" '^\[+\] workers: 3' || fail "/readyz?verbose"

step "promtool"
if command -v promtool >/dev/null 2>&1; then
	get /metrics
	promtool check metrics <"$tmp/got" >"$tmp/promtool" 2>&1 || {
		cat "$tmp/promtool" >&2
		fail "promtool finds the above"
	}
	[ ! -s "$tmp/promtool" ] || fail "promtool: $(cat "$tmp/promtool")"
else
	say "SKIP: no promtool here (Debian: apt-get install prometheus)"
fi

step "only GET and HEAD, only what there is"
for method in POST PUT DELETE OPTIONS PATCH BOGUS; do
	get / -X "$method" -d x
	[ "$code" -eq 405 ] || fail "$method: $code"
done
[ "$(curl -s -I -o "$tmp/got" -w '%{http_code}' "$url/")" -eq 200 ] ||
    fail "HEAD"
get /nope
[ "$code" -eq 404 ] || fail "/nope: $code"
get /../../etc/passwd --path-as-is
[ "$code" -eq 404 ] || fail "a path: $code"

step "the page as it comes, without scripting"
get /
[ "$code" -eq 200 ] || fail "/: $code"
cp "$tmp/got" "$tmp/page"
grep -q '<td>/echo</td><td>25</td>' "$tmp/page" || fail "no table of services"
grep -q '&lt;b&gt;' "$tmp/page" || fail "the block is not in the page"
if grep -q '<b>\\\?"x\|x\\"</script>' "$tmp/page"; then
	fail "bytes of a client are HTML"
fi
if grep -oE '(src|href|url)[=(]["'\'']?(https?:)?//[^"'\'' )]*' \
    "$tmp/page"; then
	fail "something of another place"
fi

step "scraped $SCRAPES times under load"
load_start -c 2 -i 1
i=0
while [ "$i" -lt "$SCRAPES" ]; do
	i=$((i + 50))
	curl -s -S -f -Z --parallel-max 10 --no-progress-meter -o "$tmp/got" "$url/metrics?n=[1-50]" || fail "curl"
done
has "$tmp/got" '^icapd_log_waits_total' || fail "cut short"
load_stop
get /metrics
total=$((25 + ok))
has "$tmp/got" "service=\"echo\".*} $total\$" || fail "not $total in the end"

step "more connections than it takes: closed, and nobody waits for ever"
mkfifo "$tmp/silent.in"
silent=
i=0
while [ "$i" -lt $((CONNECTIONS + 4)) ]; do
	i=$((i + 1))
	start silent curl -s --max-time 60 "telnet://127.0.0.1:$status_port"
	silent="$silent $started_pid"
done
exec 9>"$tmp/silent.in"
# surplus: some were closed, long before curl gives up
surplus() {
	t_n=0
	for t_pid in $silent; do
		is_running "$t_pid" || t_n=$((t_n + 1))
	done
	[ "$t_n" -ge 4 ]
}
wait_until surplus || fail "nobody was closed"
exec 9>&-
for pid in $silent; do
	kill -TERM "$pid" 2>/dev/null
	wait_until is_gone "$pid" || fail "curl does not end"
	wait "$pid" 2>/dev/null
	forget "$pid"
done
is_healthy() {
	[ "$(curl -s --max-time 10 "$url/healthz")" = ok ]
}
wait_until is_healthy || fail "not served when the others had left"

step "the status process is replaced"
old=$(helper status)
kill -KILL "$old"
is_new() {
	t_new=$(helper status)
	[ -n "$t_new" ] && [ "$t_new" != "$old" ]
}
wait_until is_new || fail "it is not replaced"

step "a browser"
if ! command -v chromium >/dev/null 2>&1; then
	say "SKIP: no chromium here (Debian: apt-get install chromium)"
	view_stop
	exit 0
fi
# With port 0 the new one listens elsewhere.
wait_until [ "$(count "$tmp/icapd.err" 'status on 127')" -ge 2 ] ||
    wait_until has_lines "$tmp/icapd.err" 2
url=$(sed -n 's/.*status on \(127\.0\.0\.1:[0-9]*\).*/http:\/\/\1/p' \
    "$tmp/icapd.err" | tail -n 1)
# browse FILE OPTION...: the page after its script has run for a while
browse() {
	t_out=$1
	shift
	HOME=$tmp timeout 60 chromium --headless --no-sandbox --disable-gpu \
	    --user-data-dir="$tmp/chromium" --disable-background-networking \
	    --no-first-run --virtual-time-budget=4000 "$@" "$url/" \
	    >"$t_out" 2>"$tmp/chromium.log"
}
load_start -c 2 -i 1
browse "$tmp/dom" --dump-dom || fail "chromium"
load_stop
[ -s "$tmp/dom" ] || fail "chromium shows nothing"
grep -q '<figcaption><b>/echo</b>' "$tmp/dom" || fail "no chart"
grep -qE 'class="r" d="M[0-9.]+ [0-9.]+L' "$tmp/dom" || fail "no line in it"
shown=$(sed -n 's/.*<td>\/echo<\/td><td>\([0-9]*\)<\/td>.*/\1/p' "$tmp/dom")
[ "${shown:-0}" -gt "$total" ] || fail "the numbers do not move: $shown"
view_stop
