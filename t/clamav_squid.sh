#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The way from nothing to Squid with virus scanning, as icapd.conf(5) tells it:
# the lines are taken from the manual, only ports and paths are ours.  EICAR
# does not come through, down or up, in small bodies or large ones, whatever
# becomes of clamd: stopped, killed while it scans, hanging, without its
# database, or of a mind that it is too much.  What is clean comes through as
# it was sent.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=squidlib.sh
. "$(dirname "$0")/squidlib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"

need curl curl
need gzip gzip
setup
clamd_setup
manual=${top_srcdir:-$(dirname "$0")/..}/man/icapd.conf.5
[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"

SMALL=30000		# bytes
MIDDLE=1000000
LARGE=100000000		# the manual's limits leave room for this
TOO_LARGE=104857601	# but not for this

# The texts of the walk: walk1 for clamd, walk2 for icapd, walk3 for Squid, and
# walk4 for a Squid that has the defect told there.
awk -v dir="$tmp" '
/^\.Sh / { walk = $0 == ".Sh VIRUS SCANNING" }
walk && /^\.Ed/ { copy = 0 }
copy { print >file }
walk && /^\.Bd / { copy = 1; file = dir "/walk" ++n }
' "$manual"
for n in 1 2 3 4; do
	[ -s "$tmp/walk$n" ] || fail "the manual has no text number $n"
done
# shellcheck disable=SC2034 # for clamd.sh
clamd_more=$tmp/walk1

squid_more() {
	sed "s/127\.0\.0\.1:1344/127.0.0.1:$icapd_port/" "$tmp/walk3"
	cat "$tmp/walk4"
	# Bad states are what this is about: Squid shall not turn away.
	echo icap_service_failure_limit -1
}

# configure [KEY...]: the manual's icapd.conf, with the test's socket
configure() {
	sed "s,clamav av { },clamav av { engines = {\"unix:$tmp/clamd.sock\"}\
 $* }," "$tmp/walk2" >"$tmp/icapd.conf"
	has "$tmp/icapd.conf" "$tmp/clamd.sock" ||
	    fail "the manual names no clamav"
	cat >>"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = 16 }
	log "-" { form = text }
	END
}

# reload [KEY...]: icapd, with the port that Squid knows
reload() {
	configure "$@"
	reloads=$((reloads + 1))
	old=$(icapd_workers)
	kill -HUP "$icapd_pid"
	wait_until has_reloaded || fail "icapd does not reload"
	# shellcheck disable=SC2086 # a list of pids
	wait_until is_gone $old || fail "old workers stay"
}

has_reloaded() {
	[ "$(count "$tmp/icapd.err" 'reloaded: generation')" -eq "$reloads" ]
}

# via STATUS OPTION... URL: curl through Squid gets that status; the body is
# in $tmp/body.
via() {
	via_status=$1
	shift
	rm -f "$tmp/body"
	got=$(squid_curl -o "$tmp/body" -w '%{http_code}' "$@")
	[ "$got" = "$via_status" ] ||
	    fail "curl $*: status $got instead of $via_status"
	! grep -q -e EICAR-STANDARD "$tmp/body" || fail "EICAR came through"
}

# clean FILE: comes down and goes up as it is, however it is framed
clean() {
	ln -f "$1" "$tmp/served"
	for framing in $framings; do
		via 200 "$url/file/$framing"
		cmp "$1" "$tmp/body" || fail "it was changed"
	done
	cksum <"$1" >"$tmp/sum"
	for framing in 'Expect:' 'Transfer-Encoding: chunked'; do
		via 200 -H "$framing" --data-binary "@$1" "$url/upload"
		cmp "$tmp/sum" "$tmp/body" || fail "it was changed"
	done
}

# withheld FILE TITLE: a page comes in its place
withheld() {
	ln -f "$1" "$tmp/served"
	for framing in $framings; do
		via 403 "$url/file/$framing"
		page "$2"
	done
	for framing in 'Expect:' 'Transfer-Encoding: chunked'; do
		via 403 -H "$framing" --data-binary "@$1" "$url/upload"
		page "$2"
	done
}

page() {
	has "$tmp/body" "<h1>$1</h1>" || fail "not our page"
}

# with_eicar FILE: its end is EICAR, so that it is known last
with_eicar() {
	cat "$tmp/eicar" >>"$1"
}

# unscanned: nothing passes, infected or not.  No two bodies are the same, or
# the cache would know them.
unscanned() {
	seed=$((seed + 1))
	"$origin" -g "$SMALL" "$seed" >"$tmp/new"
	withheld "$tmp/new" 'Not scanned'
	with_eicar "$tmp/new"
	withheld "$tmp/new" 'Not scanned'
	gzip -c <"$tmp/new" >"$tmp/new.gz"
	withheld "$tmp/new.gz" 'Not scanned'
	"$origin" -g "$MIDDLE" "$seed" >"$tmp/new"
	with_eicar "$tmp/new"
	withheld "$tmp/new" 'Not scanned'
}

# infected: a body that nobody has seen yet is found so
infected() {
	seed=$((seed + 1))
	"$origin" -g "$SMALL" "$seed" >"$tmp/new"
	with_eicar "$tmp/new"
	withheld "$tmp/new" 'Malware found'
}

# clamd as it should be, and all is well again
recover() {
	clamd_start
	seed=$((seed + 1))
	"$origin" -g "$SMALL" "$seed" >"$tmp/new"
	clean "$tmp/new"
	infected
}

# A scan, or what looks after clamd, has come while it stands still.
is_asked() {
	[ "$(clamd_connections)" -gt "$connections" ]
}

# A client that comes again and again, as there are on any proxy; the delay
# pool has Squid go on with others whenever something arrives for it.
visit() {
	while [ ! -e "$tmp/done" ]; do
		squid_curl -o /dev/null "$url/size/10" || :
		sleep "$PAUSE"
	done
}

framings='size chunked close'
reloads=0
seed=100

step "clamd, icapd and Squid start"
clamd_start
configure
icapd_serve
squid_start
origin_start -f "$tmp/served"
url=http://127.0.0.1:$origin_port

step "small bodies"
"$origin" -g "$SMALL" 3 >"$tmp/small"
gzip -c <"$tmp/small" >"$tmp/small.gz"
gzip -c <"$tmp/eicar" >"$tmp/eicar.gz"
for file in small small.gz; do
	clean "$tmp/$file"
	via 200 -F "file=@$tmp/$file" "$url/upload"
done
for file in eicar eicar.gz; do
	withheld "$tmp/$file" 'Malware found'
	via 403 -F "file=@$tmp/$file" "$url/upload"
	page 'Malware found'
done

step "$MIDDLE bytes"
"$origin" -g "$MIDDLE" 4 >"$tmp/middle"
clean "$tmp/middle"
with_eicar "$tmp/middle"
withheld "$tmp/middle" 'Malware found'

step "$LARGE bytes"
framings='size chunked'
start visit visit
visit=$started_pid
"$origin" -g "$LARGE" 5 >"$tmp/large"
clean "$tmp/large"
truncate -s $((LARGE - 68)) "$tmp/large"
with_eicar "$tmp/large"
withheld "$tmp/large" 'Malware found'
rm -f "$tmp/large" "$tmp/served" "$tmp/body"
: >"$tmp/done"
reap "$visit"

step "larger than icapd has scanned"
via 403 "$url/size/$TOO_LARGE"
page 'Not scanned'

step "clamd refuses for the size"
end "$clamd_pid"
forget "$clamd_pid"
clamd_max=10K
clamd_start
unscanned
end "$clamd_pid"
forget "$clamd_pid"
clamd_max=
recover

step "clamd hangs"
reload reply-timeout = 1s
kill -STOP "$clamd_pid"
unscanned
kill -CONT "$clamd_pid"
reload

step "clamd is killed while it scans"
for method in down up; do
	end "$clamd_pid"
	forget "$clamd_pid"
	clamd_start
	kill -STOP "$clamd_pid"
	connections=$(clamd_connections)
	seed=$((seed + 1))
	"$origin" -g "$SMALL" "$seed" >"$tmp/served"
	with_eicar "$tmp/served"
	if [ "$method" = down ]; then
		start mid via 403 "$url/file/size"
	else
		start mid via 403 --data-binary "@$tmp/served" "$url/upload"
	fi
	wait_until is_asked || fail "clamd is not asked"
	kill -KILL "$clamd_pid"
	reap "$clamd_pid"
	reap "$started_pid"
	[ "$status" -eq 0 ] || fail "$(cat "$tmp/mid.err")"
	page 'Not scanned'
done

step "clamd is not there"
unscanned
recover

step "clamd has lost its database"
mv "$tmp/db/test.ndb" "$tmp/test.ndb"
kill -USR2 "$clamd_pid"
wait_until has "$tmp/clamd.err" 'keeping the previous instance' ||
    fail "clamd does not notice"
infected
end "$clamd_pid"
forget "$clamd_pid"
rm -f "$tmp/clamd.sock"
clamd_config >"$tmp/clamd.conf"
start clamd "$clamd" -c "$tmp/clamd.conf"
reap "$started_pid"
[ "$status" -ne 0 ] || fail "clamd starts without one"
unscanned
mv "$tmp/test.ndb" "$tmp/db/test.ndb"
recover

step "the end"
origin_stop
squid_stop
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
