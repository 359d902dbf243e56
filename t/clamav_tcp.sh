#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The clamav service with a clamd over TCP: by address, by name, refusing what
# is too large, restarted; one engine standing in for another, of either kind,
# when that one dies under load, hangs or comes back; and a new database under
# load, which no verdict suffers from and the ISTag and the cache follow.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"
# shellcheck source=avlib.sh
. "$(dirname "$0")/avlib.sh"

MANY=200	# clients at a time

need gzip gzip
need tar tar
need sha256sum coreutils
[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"
setup
clamd_setup

"$origin" -g 20000 3 >"$tmp/clean"
"$origin" -g 5000 5 >"$tmp/later"
gzip -c "$tmp/eicar" >"$tmp/eicar.gz"
head -c 1000000 /dev/zero >"$tmp/large"
head -c 1048577 /dev/zero >"$tmp/larger"

# database VERSION FILE...: the hashes of these files in a container that has a
# version, which clamd tells; it needs no signature of ClamAV's makers.
database() {
	d_version=$1
	shift
	rm -rf "$tmp/cud"
	mkdir "$tmp/cud"
	echo none >"$tmp/cud/COPYING"
	signature "$tmp/clean.gz" Never-Sent >"$tmp/cud/daily.hdb"
	for d_file in "$@"; do
		signature "$d_file" Later-Test >>"$tmp/cud/daily.hdb"
	done
	d_head="ClamAV-VDB:22 Nov 2026 10-00 +0000:$d_version:1:90"
	d_time=$(date +%s)
	(
		cd "$tmp/cud" || exit 1
		{
			echo "$d_head:X:X:test:$d_time"
			for d_file in COPYING daily.hdb; do
				d_sum=$(sha256sum <$d_file | cut -d ' ' -f 1)
				echo "$d_file:$(wc -c <$d_file):$d_sum"
			done
		} >daily.info
		printf '%-512s' "$d_head:$(printf %032d 0):x:test:$d_time"
		tar -c -f - --format=ustar COPYING daily.info daily.hdb
	) >"$tmp/daily.new" || fail "tar"
	mv "$tmp/daily.new" "$tmp/db/daily.cud"
}
gzip -c "$tmp/clean" >"$tmp/clean.gz"
database 27000

# The same for all, so that icapc can tell it from anything else.
echo 'This is infected.' >"$tmp/page.txt"

step "clamd, on TCP"
clamd_tcp_start
other=unix:$tmp/clamd2.sock
{
	cat <<-'END'
	listen "127.0.0.1:0" { workers = 210 defer-accept = off }
	log "-" { form = text }
	END
	for policy in block pass fail; do
		name=$policy
		[ $policy != block ] || name=av
		section $name $policy "127.0.0.1:$clamd_port" "cache = no"
	done
	section name block "localhost:$clamd_port" "cache = no"
	[ $has_ipv6 = no ] ||
	    section six block "[::1]:$clamd_port" "cache = no"
	section cached block "127.0.0.1:$clamd_port"
	# nobody listens on port 1
	section second block "127.0.0.1:1\", \"unix:$tmp/clamd.sock" \
	    "cache = no"
	section third block \
	    "unix:$tmp/none\", \"[::1]:1\", \"localhost:$clamd_port" \
	    "cache = no"
	for name in over back hang-over hang-back; do
		case $name in
		*over) pair="$other\", \"127.0.0.1:$clamd_port" ;;
		*back) pair="127.0.0.1:$clamd_port\", \"$other" ;;
		esac
		case $name in
		hang-*) timeout='reply-timeout = 5s' ;;
		*) timeout='reply-timeout = 1m' ;;
		esac
		section $name block "$pair" "cache = no" |
		    sed "s/reply-timeout = .*/$timeout/
		    s/scan-timeout = .*/scan-timeout = 1m/"
	done
	section slow block "127.0.0.1:$clamd_port" \
	    "cache = no template = \"$tmp/page.txt\"" |
	    sed 's/timeout = .*/timeout = 1m/'
} >"$tmp/icapd.conf"
icapd_serve
paths="av name cached second third over back"
[ $has_ipv6 = no ] || paths="$paths six"
[ $has_ipv6 = yes ] || say "no IPv6 here: left out" >&2
# a name has no address before somebody has looked it up
for path in name third; do
	wait_until is_up $path || fail "the name is not looked up"
done
for path in $paths; do
	clean "$path" "$tmp/clean"
	clean "$path" "$tmp/large"
	infected "$path" "$tmp/eicar"
	infected "$path" "$tmp/eicar.gz" --chunk 7
done
[ "$(grep -v ' name \| third ' "$tmp/icapd.out" |
    grep -c unscanned)" -eq 0 ] || fail "bodies were not scanned"

step "clamd refuses what is larger than its StreamMaxLength"
unscanned too-large "$tmp/larger"
cat "$tmp/eicar" >>"$tmp/larger"
unscanned too-large "$tmp/larger"
clean av "$tmp/large"

step "a restart is not noticed"
before=$(count "$tmp/icapd.out" unscanned)
end "$clamd_pid"
forget "$clamd_pid"
clamd_start
for path in $paths; do
	clean "$path" "$tmp/clean"
	infected "$path" "$tmp/eicar"
done
[ "$(count "$tmp/icapd.out" unscanned)" -eq "$before" ] ||
    fail "bodies were not scanned"

# ---- one for another ------------------------------------------------------

other_start() {
	rm -f "$tmp/clamd2.sock"
	sed -e "s,$tmp/clamd.sock,$tmp/clamd2.sock," -e '/^TCP/d' \
	    "$tmp/clamd.conf" >"$tmp/clamd2.conf"
	start clamd2 "$clamd" -c "$tmp/clamd2.conf"
	other_pid=$started_pid
	wait_until other_is_up || fail "the other clamd is not ready"
	is_running "$other_pid" || fail "the other clamd does not start"
}

other_is_up() {
	[ -S "$tmp/clamd2.sock" ] && has "$tmp/clamd2.out" 'Self checking' ||
	    ! is_running "$other_pid"
}

# none PATTERN: no line of the log has it
none() {
	[ "$(count "$tmp/icapd.out" "$1")" -eq 0 ] ||
	    fail "the log has: $(grep -e "$1" "$tmp/icapd.out" | head -n 3)"
}

step "one dies under load, and none of its scans is lost"
other_start
wait_until has "$tmp/icapd.err" "clamd $other: answers again" ||
    fail "the log does not say that the other is there"
start good "$icapc" respmod -c 50 -n 1000 --expect 204 -f "$tmp/clean" \
    -u http://over.example/ "icap://127.0.0.1:$icapd_port/over"
good=$started_pid
wait_until logged ' over .* unchanged .*' 200 || fail "there is no load"
kill -KILL "$other_pid"
reap "$other_pid"
reap "$good"
[ "$status" -eq 0 ] || fail "scans failed"
none ' over .*unscanned'
infected over "$tmp/eicar"
infected back "$tmp/eicar"

step "it comes back, and the other one goes"
other_start
end "$clamd_pid"
forget "$clamd_pid"
for path in over back; do
	clean "$path" "$tmp/clean"
	infected "$path" "$tmp/eicar"
done
unscanned down "$tmp/eicar"

step "one hangs"
clamd_start
kill -STOP "$other_pid"
infected hang-over "$tmp/eicar"
clean hang-over "$tmp/clean"
clean hang-back "$tmp/clean"
kill -CONT "$other_pid"

step "with both gone nothing is clean"
end "$clamd_pid"
forget "$clamd_pid"
end "$other_pid"
forget "$other_pid"
c 3 over respmod -f "$tmp/clean"
says 'Threat=Unscanned.down;'
c 3 back reqmod -f "$tmp/eicar"
says 'Threat=Unscanned.down;'
clamd_start
clean over "$tmp/clean"
clean back "$tmp/clean"

# ---- a new database -------------------------------------------------------

istag() {
	"$icapc" options "icap://127.0.0.1:$icapd_port/cached" |
	    sed -n 's/^ *ISTag: *//p'
}

has_changed() {
	after=$(istag)
	[ -n "$after" ] && [ "$after" != "$before" ]
}

step "a new database, with $MANY at a time"
clean cached "$tmp/later"
clean av "$tmp/later"
before=$(istag)
[ -n "$before" ] || fail "there is no ISTag"
start good "$icapc" respmod -c $((MANY / 2)) -d 600 --expect 204 \
    -f "$tmp/clean" -u http://good.example/ \
    "icap://127.0.0.1:$icapd_port/slow"
good=$started_pid
start bad "$icapc" respmod -c $((MANY / 2)) -d 600 -f "$tmp/eicar" \
    -u http://bad.example/ "icap://127.0.0.1:$icapd_port/slow"
bad=$started_pid
wait_until logged ' slow .* unchanged .*good.example' 300 || fail "no load"
wait_until logged ' slow .* replaced .*threat="Eicar' 300 || fail "no load"
database 27001 "$tmp/later"
kill -USR2 "$clamd_pid"
wait_until has_changed || fail "the ISTag does not follow"
infected cached "$tmp/later"
infected av "$tmp/later"
says 'Threat=Later-Test'
[ "$(istag)" = "$after" ] || fail "the ISTag changes and changes"
n=$(count "$tmp/icapd.out" ' slow ')
wait_until logged ' slow ' $((n + 300)) || fail "the load has stopped"
kill -INT "$good" "$bad"
reap "$good"
[ "$status" -eq 0 ] || fail "clean bodies failed under load: $status"
reap "$bad"
[ "$status" -eq 0 ] || fail "infected ones came through: $status"
none ' slow .*unscanned'
none ' slow .* unchanged .*bad.example'
none ' slow .* replaced .*good.example'
clean av "$tmp/clean"

step "the end"
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
