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
# all_counted N: transactions, and lines of the log; a client knows of the end,
# and the line is in the file, before they are counted
all_counted() {
	get /status.json
	jq -e ".transactions == $1 and .logs[0].lines == $1" "$tmp/got" \
	    >"$tmp/jq.out"
}
wait_until all_counted 27 || fail "not 27 are counted"
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
# five at a time: those of the last round may not be closed yet, and there is
# room for $CONNECTIONS
load_start -c 2 -i 1
i=0
while [ "$i" -lt "$SCRAPES" ]; do
	i=$((i + 50))
	curl -s -S -f -Z --parallel-max 5 --no-progress-meter -o "$tmp/got" "$url/metrics?n=[1-50]" || fail "curl"
done
has "$tmp/got" '^icapd_log_waits_total' || fail "cut short"
load_stop
wait_until all_counted $((27 + ok)) || fail "not $((27 + ok)) in the end"
get /metrics
total=$((25 + ok))
has "$tmp/got" "service=\"echo\".*} $total\$" || fail "not $total in the end"

step "more connections than it takes: closed, and nobody waits for ever"
mkfifo "$tmp/silent.in"
silent=
i=0
while [ "$i" -lt $((CONNECTIONS + 4)) ]; do
	i=$((i + 1))
	start silent curl -s --max-time 600 "telnet://127.0.0.1:$status_port"
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
get /healthz
[ "$code" -eq 200 ] || fail "its address is another one"

step "a browser"
if ! command -v chromium >/dev/null 2>&1; then
	say "SKIP: no chromium here (Debian: apt-get install chromium)"
	view_stop
	exit 0
fi
# browse FILE OPTION...: the page, or $page, after its script has run a while
browse() {
	t_out=$1
	shift
	HOME=$tmp timeout 300 chromium --headless --no-sandbox --disable-gpu \
	    --user-data-dir="$tmp/${profile:-chromium}" --hide-scrollbars \
	    --disable-background-networking --no-first-run \
	    --virtual-time-budget=4000 "$@" "${page:-$url/}" \
	    >"$t_out" 2>"$tmp/chromium.log"
}
load_start -c 2 -i 1
browse "$tmp/dom" --dump-dom || fail "chromium"
browse "$tmp/out" --screenshot="$tmp/light.png" --window-size=1100,1400 ||
    fail "no picture"
browse "$tmp/out" --screenshot="$tmp/dark.png" --window-size=1100,1400 \
    --blink-settings=preferredColorScheme=0 || fail "no picture in the dark"
browse "$tmp/out" --screenshot="$tmp/phone.png" --window-size=390,1800 ||
    fail "no picture on a phone"
load_stop
# Not --blink-settings: chromium needs scripts to take a picture.
mkdir -p "$tmp/plain/Default"
echo '{"profile":{"default_content_setting_values":{"javascript":2}}}' \
    >"$tmp/plain/Default/Preferences"
profile=plain
browse "$tmp/plain.dom" --dump-dom || fail "chromium without scripting"
browse "$tmp/out" --screenshot="$tmp/plain.png" --window-size=1100,1400 ||
    fail "no picture without scripting"
profile=
[ -s "$tmp/dom" ] || fail "chromium shows nothing"
grep -q '<figcaption><b>/echo</b>' "$tmp/dom" || fail "no chart"
grep -qE 'class="r" d="M[0-9.]+ [0-9.]+L' "$tmp/dom" || fail "no line in it"
shown=$(sed -n 's/.*<td>\/echo<\/td><td>\([0-9]*\)<\/td>.*/\1/p' "$tmp/dom")
[ "${shown:-0}" -gt "$total" ] || fail "the numbers do not move: $shown"
grep -q '<section id="charts" hidden' "$tmp/plain.dom" ||
    fail "charts without scripting, or it was not off"
grep -q '<td>/echo</td>' "$tmp/plain.dom" || fail "no table without scripting"
view_stop

step "its pictures: none is blank, one is dark"
# measure FILE: sets width, height, colours, and light (of 255)
measure() {
	{
		printf '<!DOCTYPE html><body><img src="data:image/png;base64,'
		base64 "$1" | tr -d '\n'
		cat <<-'EOT'
		"><script>
		window.onload = () => {
			const i = document.querySelector("img");
			const c = document.createElement("canvas");
			c.width = i.naturalWidth;
			c.height = i.naturalHeight;
			const g = c.getContext("2d");
			g.drawImage(i, 0, 0);
			const d = g.getImageData(0, 0, c.width, c.height).data;
			const seen = new Set();
			let sum = 0;
			for (let k = 0; k < d.length; k += 4) {
				seen.add(d[k] << 16 | d[k + 1] << 8 | d[k + 2]);
				sum += d[k] + d[k + 1] + d[k + 2];
			}
			document.body.textContent = ["is", c.width, c.height,
			    seen.size, Math.round(sum * 4 / 3 / d.length),
			    "end"].join(" ");
		};
		</script>
		EOT
	} >"$tmp/measure.html"
	page=file://$tmp/measure.html
	browse "$tmp/measured" --dump-dom || fail "chromium"
	page=
	# shellcheck disable=SC2046 # a list of numbers
	set -- "$1" $(grep -o 'is [0-9]* [0-9]* [0-9]* [0-9]* end' \
	    "$tmp/measured")
	[ "$#" -eq 7 ] || fail "$1 is no picture"
	width=$3 height=$4 colours=$5 light=$6
	say "${1##*/}: $width x $height, $colours colours, light $light"
}
# A page in one colour has one; letters alone have some dozens of greys.
for picture in light dark phone plain; do
	measure "$tmp/$picture.png"
	[ "$colours" -ge 200 ] || fail "$picture is blank"
	case $picture in
	phone) [ "$width $height" = "390 1800" ] || fail "its size" ;;
	*) [ "$width $height" = "1100 1400" ] || fail "its size" ;;
	esac
	case $picture in
	dark) [ "$light" -lt 80 ] || fail "not dark" ;;
	*) [ "$light" -gt 180 ] || fail "$picture is dark" ;;
	esac
done
