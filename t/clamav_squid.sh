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

icapc=${ICAPC:-${top_builddir:-.}/icapc}
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

# Debian's clamd.conf, with the manual's lines on top, but for where the test
# has its own: of a name the first line counts.
clamd_config() {
	[ -z "${clamd_max:-}" ] || echo "MaxFileSize $clamd_max"
	cat "$tmp/walk1"
	cat <<-END
	DatabaseDirectory $tmp/db
	LocalSocket $clamd_socket
	Foreground yes
	END
	[ "$(id -u)" -ne 0 ] || echo "User root"
	clamd_debian
}

squid_more() {
	sed "s/127\.0\.0\.1:1344/127.0.0.1:$icapd_port/" "$tmp/walk3"
	cat "$tmp/walk4"
	# Bad states are what this is about: Squid shall not turn away.
	echo icap_service_failure_limit -1
}

# configure [KEY...]: the manual's icapd.conf, with the test's socket
configure() {
	sed "s,/run/clamav/clamd.ctl\"},$tmp/clamd.sock\"} $*," \
	    "$tmp/walk2" >"$tmp/icapd.conf"
	has "$tmp/icapd.conf" "$tmp/clamd.sock" ||
	    fail "the manual names no clamav"
	cat >>"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = 16 }
	log "-" { form = text }
	service "/info" { run = {info} }
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

# Each body that was not scanned is one for the metrics.
page() {
	[ "$1" != 'Not scanned' ] || withheld=$((withheld + 1))
	has "$tmp/body" "<h1>$1</h1>" || fail "not our page"
}

# with_eicar FILE: its end is EICAR, so that it is known last
with_eicar() {
	cat "$tmp/eicar" >>"$1"
}

# What icapd counts: in all, and by reason.
counted() {
	rm -f "$tmp/metrics"
	"$icapc" reqmod -u http://icapd.info/metrics -o "$tmp/metrics" \
	    "icap://127.0.0.1:$icapd_port/info" >"$tmp/c.out" 2>&1
	awk -v name="$1" 'index($0, name) == 1 { sum += $NF }
	END { print sum + 0 }' "$tmp/metrics"
}

# reasons REASON...: how often it was one of them
reasons() {
	r_sum=0
	for reason; do
		r_one=$(counted "icapd_service_clamav_unscanned_${reason}_total")
		r_sum=$((r_sum + r_one))
	done
	echo $r_sum
}

# unscanned REASON...: nothing passes, infected or not, and it is counted.  No
# two bodies are the same, or the cache would know them.
unscanned() {
	u_all=$(counted icapd_unscanned_total) u_some=$(reasons "$@")
	withheld=0
	unscanned_bodies
	[ $(($(counted icapd_unscanned_total) - u_all)) -ge $withheld ] ||
	    fail "icapd_unscanned_total counts less than $withheld"
	[ $(($(reasons "$@") - u_some)) -ge $withheld ] ||
	    fail "unscanned for $* counts less than $withheld"
}

unscanned_bodies() {
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

# heals: one that was silent is not asked until it has answered the process that
# watches
heals() {
	wait_until is_ready || fail "icapd does not heal"
}

is_ready() {
	rm -f "$tmp/ready"
	"$icapc" reqmod -u http://icapd.info/readyz -o "$tmp/ready" \
	    "icap://127.0.0.1:$icapd_port/info" >"$tmp/c.out" 2>&1
	has "$tmp/ready" '^ready'
}

# clamd as it should be, and all is well again
recover() {
	clamd_start
	heals
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

# answered HEAD FILE STATUS OPTION...: a web server that says that head and
# that body to everything
answered() {
	a_status=$3
	{
		printf '%b' "$1"
		printf 'Content-Length: %d\r\n\r\n' "$(wc -c <"$2")"
		cat "$2"
	} >"$tmp/answer"
	shift 3
	start floor "$t_builddir/bench/floor" -r "$tmp/answer" reply
	floor_pid=$started_pid
	wait_until has "$tmp/floor.out" '^port [1-9]' ||
	    fail "the web server is not ready"
	via "$a_status" "$@" \
	    "http://127.0.0.1:$(sed -n 's/^port //p' "$tmp/floor.out")/"
	end "$floor_pid"
	forget "$floor_pid"
}

framings='size chunked close'
withheld=0
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
zipped "$tmp/small" >"$tmp/small.zip"
zipped "$tmp/eicar" >"$tmp/eicar.zip"
for file in small small.gz small.zip; do
	clean "$tmp/$file"
	via 200 -F "file=@$tmp/$file" "$url/upload"
done
for file in eicar eicar.gz eicar.zip; do
	withheld "$tmp/$file" 'Malware found'
	via 403 -F "file=@$tmp/$file" "$url/upload"
	page 'Malware found'
done

step "in a coding that nobody can scan, whichever field says so"
tail -c +11 "$tmp/eicar.gz" |
    head -c $(($(wc -c <"$tmp/eicar.gz") - 18)) >"$tmp/eicar.deflate"
ok='HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n'
deflate='Content-Encoding: deflate\r\n'
for fields in "$deflate" "Content-Encoding: identity\r\n$deflate" \
    "Content-Encoding:\r\n$deflate" 'Content-Encoding: identity, deflate\r\n'; do
	answered "$ok$fields" "$tmp/eicar.deflate" 403 --compressed
	page 'Not scanned'
done

step "in parts"
# with the manual's line no part is asked for
via 200 -r 0-10 "$url/head"
! has "$tmp/body" '^Range:' || fail "the web server is asked for a part"
ln -f "$tmp/eicar" "$tmp/served"
via 403 -r 0-33 "$url/file/size"
page 'Malware found'
# and what comes without being asked for
head -c 34 "$tmp/eicar" >"$tmp/half"
part='HTTP/1.1 206 Partial Content\r\nContent-Range: bytes'
answered "$part 0-33/68\r\n" "$tmp/half" 403 -r 0-33
page 'Not scanned'
answered "$part 0-33/34\r\n" "$tmp/half" 206 -r 0-33
cmp "$tmp/half" "$tmp/body" || fail "it was changed"

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
unscanned limit
end "$clamd_pid"
forget "$clamd_pid"
clamd_max=
recover

step "clamd hangs"
reload reply-timeout = 1s
kill -STOP "$clamd_pid"
# an engine that was silent is not asked for a while
unscanned timeout down
kill -CONT "$clamd_pid"
reload
heals

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
unscanned down
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
unscanned down
mv "$tmp/test.ndb" "$tmp/db/test.ndb"
recover

step "the end"
origin_stop
squid_stop
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
