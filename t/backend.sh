#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What services depend on and what they count, as administrators see it: a
# real clamd that is not there, comes, goes and comes again, a list that
# cannot be read; on /readyz, in the metrics, in JSON, in icapctl, on the
# page, through the proxy, and by icapd -n -v.  A reload forgets nothing.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=view.sh
. "$(dirname "$0")/view.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"

icapc=${ICAPC:-${top_builddir:-.}/icapc}
need curl curl
need jq jq
setup
clamd_setup
"$ICAPD" -l | grep -q '^blocklist' || skip "icapd has no blocklist"
unix=unix:$tmp/clamd.sock

# conf [SECTION]: with one more section of clamav, or not
conf() {
	cat <<-END
	listen "127.0.0.1:0" { workers = 2 }
	run-dir = "$tmp/ctl"
	status { address = "127.0.0.1:0" }
	log "-" { form = text }
	clamav av { engines = {"$unix"} }
	clamav pair { engines = {"$unix", "127.0.0.1:1"} cache = no }
	clamav dark { engines = {"127.0.0.1:1"} }
	clamav idle { engines = {"127.0.0.1:1"} }
	blocklist ads {
		cache = "$tmp/cache"
		list "one" { path = {"$tmp/one"} }
		list "two" { path = {"$tmp/two"} }
	}
	service "/all" { run = {ads, av} }
	service "/pair" { run = {pair} }
	service "/dark" { run = {dark} shadow = yes }
	service "/info" { run = {info} }
	END
	[ $# -eq 0 ] || cat <<-END
	clamav "$1" { engines = {"$unix"} on-unscanned = pass }
	service "/$1" { run = {"$1"} }
	END
}

mkdir "$tmp/ctl" "$tmp/spool" "$tmp/run"
chmod 1777 "$tmp/spool"
# the process that compiles lists may be somebody else
printf 'one.example\nwhat is this\n' >"$tmp/one"
echo two.example >"$tmp/two"
"$origin" -g 5000 3 >"$tmp/clean"
conf lax >"$tmp/icapd.conf"

# status_starts N: the status process has started so often; with port 0 it
# listens elsewhere then.  Sets url.
status_starts() {
	wait_until status_has_started "$1" || fail "no status listener"
	! has "$tmp/icapd.err" 'without libmicrohttpd' ||
	    skip "built without libmicrohttpd"
	url=$(sed -n 's/.*status on \(127\.0\.0\.1:[0-9]*\).*/http:\/\/\1/p' \
	    "$tmp/icapd.err" | tail -n 1)
}

status_has_started() {
	[ "$(count "$tmp/icapd.err" 'status on 127')" -ge "$1" ] ||
	    has "$tmp/icapd.err" 'without libmicrohttpd'
}

# get PATH: into $tmp/got; sets code
get() {
	code=$(curl -s -o "$tmp/got" -w '%{http_code}' "$url$1") ||
	    fail "curl $1"
}

# shows PATTERN: a line of $tmp/got
shows() {
	has "$tmp/got" "$1" || {
		cat "$tmp/got" >&2
		fail "there is no $1"
	}
}

# is_ready CODE: that is what /readyz says
is_ready() {
	get /readyz
	[ "$code" -eq "$1" ]
}

# ctl STATUS ARGUMENT...: icapctl, its output in $tmp/ctl.out
ctl() {
	t_expect=$1
	shift
	start ctl "$ctl" -r "$tmp/ctl" "$@"
	reap "$started_pid"
	[ "$status" -eq "$t_expect" ] || {
		cat "$tmp/ctl.out" "$tmp/ctl.err" >&2
		fail "icapctl $*: status $status instead of $t_expect"
	}
}

# json FILTER: holds for /status.json
json() {
	get /status.json
	jq -e "$1" "$tmp/got" >"$tmp/jq.out" || {
		jq '.backends, .numbers' "$tmp/got" >&2
		fail "not so: $1"
	}
}

# scan STATUS SERVICE [OPTION...]
scan() {
	t_expect=$1 t_service=$2
	shift 2
	start scan "$icapc" respmod -f "$tmp/clean" "$@" \
	    "icap://127.0.0.1:$icapd_port/$t_service"
	reap "$started_pid"
	[ "$status" -eq "$t_expect" ] || {
		cat "$tmp/scan.out" "$tmp/scan.err" >&2
		fail "/$t_service: status $status instead of $t_expect"
	}
}

# metric NAME{LABELS}: its value
metric() {
	get /metrics
	awk -v name="$1" '$1 == name { print $2 }' "$tmp/got"
}

step "icapd -n -v asks, and what is down is no error"
start check "$ICAPD" -n -v -f "$tmp/icapd.conf"
reap "$started_pid"
[ "$status" -eq 0 ] || fail "status $status"
has "$tmp/check.out" '^configuration OK$' || fail "it is not OK"
for line in "clamav \"av\": $unix is down: connect: No such file" \
    'clamav "pair": 127.0.0.1:1 is down: connect: Connection refused$' \
    "clamav \"lax\": $unix is down: .* (not needed)$" \
    'clamav "dark": 127.0.0.1:1 is down: .* (not needed)$' \
    'blocklist "ads": one is up: 1 entries, 1 lines refused, loaded 2'; do
	has "$tmp/check.out" "^$line" || fail "it does not say: $line" \
	    "$(cat "$tmp/check.out")"
done
[ "$("$ICAPD" -n -f "$tmp/icapd.conf" 2>/dev/null)" = "configuration OK" ] ||
    fail "without -v it says more"
echo 'bogus = yes' | cat "$tmp/icapd.conf" - >"$tmp/bad.conf"
"$ICAPD" -n -v -f "$tmp/bad.conf" >"$tmp/check.out" 2>&1 &&
    fail "a bad configuration is taken"

step "without an engine it is not ready, and says why"
start icapd icapd_exec -d -f "$tmp/icapd.conf"
icapd_pid=$started_pid
status_starts 1
wait_until icapd_is_up || fail "icapd is not ready"
icapd_port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' \
    "$tmp/icapd.err" | head -n 1)
[ -n "$icapd_port" ] || fail "icapd ended instead of listening"
wait_until icapd_is_settled || fail "the workers do not start"
# of each of the six, one after the other
is_known() {
	get '/readyz?verbose'
	[ "$(count "$tmp/got" ': down since')" -eq 6 ]
}
wait_until is_known || fail "nobody has looked"
get /readyz
[ "$code" -eq 503 ] || fail "/readyz: $code"
[ "$(cat "$tmp/got")" = "not ready" ] || fail "/readyz says more"
get /healthz
[ "$code" -eq 200 ] || fail "/healthz: $code"
get '/readyz?verbose'
[ "$code" -eq 503 ] || fail "/readyz?verbose: $code"
shows '^\[+\] workers: 2'
shows '^\[-\] service av: 0 of 1 back-ends up$'
shows '^\[-\] service pair: 0 of 2 back-ends up$'
shows "^\[-\] service av: $unix: down since 20[0-9: -]*Z: connect: No such"
shows '^\[!\] service lax: 0 of 1 back-ends up, none is needed$'
shows '^\[!\] service dark: 0 of 1 back-ends up, none is needed$'
shows '^\[!\] service idle: 0 of 1 back-ends up, none is needed$'
shows '^\[+\] service ads: one: up since .*: 1 entries, 1 lines refused, '
ctl 0 status
has "$tmp/ctl.out" ', NOT READY$' || fail "icapctl says that it is ready"
has "$tmp/ctl.out" "^back-end  *av: $unix is down since 2.*: connect: No" ||
    fail "icapctl status does not say why"
! has "$tmp/ctl.out" '^back-end  *ads' || fail "what is well is shown"
[ "$(metric icapd_ready)" = 0 ] || fail "the metrics say that it is ready"
[ "$(metric "icapd_backend_up{service=\"av\",backend=\"$unix\"}")" = 0 ] ||
    fail "the metrics say that it is up"
[ "$(metric 'icapd_backend_up{service="ads",backend="one"}')" = 1 ] ||
    fail "the metrics say that the list is not there"
json '.ready == false and ([.backends[] | select(.service == "pair" and
    .state == "down" and .needed and .since > 1000000000)] | length) == 2'
since=$(jq ".backends[] | select(.name == \"$unix\" and .service == \"av\") |
    .since" "$tmp/got")

step "clamd starts, and it heals"
clamd_start
wait_until is_ready 200 || fail "it does not"
get '/readyz?verbose'
shows '^\[+\] service av: 1 of 1 back-ends up$'
shows '^\[!\] service pair: 1 of 2 back-ends up$'
shows "^\[+\] service av: $unix: up since .*: ClamAV [0-9]"
shows '^\[!\] service pair: 127.0.0.1:1: down since .*: connect: Conn'
shows '^ready$'
json "[.backends[] | select(.name == \"$unix\" and .service == \"av\") |
    .state == \"up\" and .since >= $since] == [true]"
ctl 0 services
has "$tmp/ctl.out" "^av  *$unix *up  *20.*  ClamAV " || fail "icapctl services"

step "icapd -n -v asks where the workers will"
if [ "$(id -u)" -eq 0 ]; then
	{
		echo "chroot = \"$tmp\""
		echo 'spool { directory = "/spool" }'
		conf | sed "s|$unix|unix:/clamd.sock|"
	} >"$tmp/root.conf"
	"$ICAPD" -n -v -f "$tmp/root.conf" >"$tmp/check.out" 2>&1 ||
	    fail "$(cat "$tmp/check.out")"
	has "$tmp/check.out" \
	    '^clamav "av": unix:/clamd.sock is up: ClamAV [0-9]' ||
	    fail "it does not: $(cat "$tmp/check.out")"
else
	say "left out: not root, who alone can change the root directory"
fi

step "numbers"
scan 0 all
scan 0 all
[ "$(metric 'icapd_service_clamav_cache_misses_total{service="av"}')" = 1 ] ||
    fail "not one miss"
[ "$(metric 'icapd_service_clamav_cache_hits_total{service="av"}')" = 1 ] ||
    fail "not one hit"
[ "$(metric 'icapd_service_clamav_cache_hits_total{service="lax"}')" = 0 ] ||
    fail "a hit of another section"
ctl 0 update
[ "$(metric 'icapd_service_clamav_cache_entries{service="av"}')" = 1 ] ||
    fail "not one entry"
[ "$(metric 'icapd_service_blocklist_refused_lines{service="ads"}')" = 1 ] ||
    fail "not one line was refused"
ctl 0 services
has "$tmp/ctl.out" '^av  *cache_hits  *1$' || fail "icapctl services"
ctl 0 -j services
jq -e '.numbers[] | select(.service == "ads" and .name == "entries") |
    .type == "gauge" and .value == 2' "$tmp/ctl.out" >"$tmp/jq.out" ||
    fail "icapctl -j services"
get /
shows '<h2>Back-ends</h2>'
shows "<td class=\"l\">$unix</td><td class=\"ok\">up</td>"
shows '<td>av</td><td class="l">cache_hits</td><td>1</td>'
if command -v promtool >/dev/null 2>&1; then
	get /metrics
	promtool check metrics <"$tmp/got" >"$tmp/promtool" 2>&1 ||
	    fail "promtool: $(cat "$tmp/promtool")"
	[ ! -s "$tmp/promtool" ] || fail "promtool: $(cat "$tmp/promtool")"
fi

step "clamd stops: a worker knows first"
watch=$(helper watch)
kill -STOP "$watch" || fail "there is no process watch"
is_stopped() {
	case $(ps -o stat= -p "$1") in
	T*) ;;
	*) return 1 ;;
	esac
}
wait_until is_stopped "$watch" || fail "it does not stop"
end "$clamd_pid"
forget "$clamd_pid"
is_ready 200 || fail "nobody can know yet"
echo more >>"$tmp/clean"
scan 3 all
is_ready 503 || fail "it is still ready"
get '/readyz?verbose'
shows "^\[-\] service av: $unix: down since .*: connect: "
shows "^\[+\] service lax: $unix: up since .*: ClamAV [0-9]"
kill -CONT "$watch"
ctl 0 update
get '/readyz?verbose'
shows "^\[!\] service lax: $unix: down since"
json '.ready == false'
jq ".backends[] | select(.service == \"av\") | .since" "$tmp/got" >"$tmp/since"
ctl 0 update
json '.ready == false'
jq ".backends[] | select(.service == \"av\") | .since" "$tmp/got" |
    cmp -s - "$tmp/since" || fail "since when is another time each time"

step "what the info service answers is no block"
# info URL STATUS [OPTION...]
info() {
	t_url=$1 t_expect=$2
	shift 2
	rm -f "$tmp/info.out"
	"$icapc" reqmod -v -u "$t_url" -o "$tmp/info.out" "$@" \
	    "icap://127.0.0.1:$icapd_port/info" >"$tmp/info.said" 2>&1
	has "$tmp/info.said" "^< HTTP/1.1 $t_expect " || {
		cat "$tmp/info.said" >&2
		fail "not $t_expect: $t_url"
	}
}
before=$(metric icapd_blocked_total)
info http://icapd.info/readyz 503
[ "$(cat "$tmp/info.out")" = "not ready" ] || fail "/readyz says more"
info 'http://icapd.info/readyz?verbose' 503
has "$tmp/info.out" '^\[-\] service pair: 0 of 2' || fail "and verbose no more"
info http://icapd.info/healthz 200
info http://icapd.info/nope 404
info http://icapd.info/ 405 -m DELETE
all_counted() {
	get /status.json
	[ "$(jq '.services[] | select(.path == "info") | .transactions' \
	    "$tmp/got")" -eq 5 ]
}
wait_until all_counted || fail "not all of them are counted"
[ "$(metric icapd_blocked_total)" = "$before" ] || fail "some are blocks"

step "clamd starts again"
clamd_start
ctl 0 update
is_ready 200 || fail "it does not heal"
scan 0 all
[ "$(metric 'icapd_service_clamav_cache_misses_total{service="av"}')" -ge 2 ] ||
    fail "it is not counted any more"
info http://icapd.info/readyz 200

step "a reload forgets nothing but what has gone"
hits=$(metric 'icapd_service_clamav_cache_hits_total{service="av"}')
conf >"$tmp/icapd.conf"
ctl 0 reload
status_starts 2
get '/readyz?verbose'
[ "$code" -eq 200 ] || fail "not ready: $(cat "$tmp/got")"
! has "$tmp/got" 'service lax' || fail "what has gone is shown"
[ "$(metric 'icapd_service_clamav_cache_hits_total{service="av"}')" = \
    "$hits" ] || fail "counters were reset"
# an address that cannot be bound by a reload: opened, but never used
conf never | sed '1s/0:0/0:1/; 1s/127/128/' >"$tmp/icapd.conf"
ctl 1 reload
get '/readyz?verbose'
! has "$tmp/got" 'service never' || fail "what never came is shown"
shows "^\[+\] service av: $unix: up since"
conf lax >"$tmp/icapd.conf"
ctl 0 reload
status_starts 3
is_lax_up() {
	get '/readyz?verbose'
	has "$tmp/got" "^\[+\] service lax: $unix: up since"
}
wait_until is_lax_up || fail "what came back is not shown"
scan 0 all
scan 0 all
[ "$(metric 'icapd_service_clamav_cache_hits_total{service="av"}')" -gt \
    "$hits" ] || fail "the new workers do not count"

step "a list that cannot be read again is stale, and in use"
# the reload has started another process that looks after lists
can_update() {
	"$ctl" -r "$tmp/ctl" update >"$tmp/update.out" 2>&1
}
wait_until can_update || fail "$(cat "$tmp/update.out")"
mv "$tmp/one" "$tmp/one.away"
ctl 1 update
is_ready 200 || fail "it is not ready"
get '/readyz?verbose'
shows '^\[!\] service ads: one: stale since .*/one: No such file'
shows '^\[+\] service ads: two: up since'
[ "$(metric 'icapd_backend_stale{service="ads",backend="one"}')" = 1 ] ||
    fail "the metrics do not know"
[ "$(metric 'icapd_backend_up{service="ads",backend="one"}')" = 1 ] ||
    fail "it is not in use"
ctl 0 status
has "$tmp/ctl.out" '^back-end  *ads: one is stale since .*No such file' ||
    fail "icapctl does not know"
mv "$tmp/one.away" "$tmp/one"
ctl 0 update
get '/readyz?verbose'
shows '^\[+\] service ads: one: up since .*: 1 entries, '
printf 'no list\nof hosts\n' >"$tmp/two"
ctl 1 update
get '/readyz?verbose'
shows '^\[!\] service ads: two: stale since .*/two: none of its 2 lines'
printf 'two.example\nthree.example\n' >"$tmp/two"
ctl 0 update
get '/readyz?verbose'
shows '^\[+\] service ads: two: up since .*: 2 entries, 0 lines refused'
[ "$(metric 'icapd_service_blocklist_entries{service="ads"}')" = 3 ] ||
    fail "not three entries"

step "the end"
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
