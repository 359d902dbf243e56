#!/bin/sh
# SPDX-License-Identifier: ISC
#
# c-icap-client, the client most administrators try a new server with, against
# icapd: OPTIONS, RESPMOD and REQMOD, files of sizes around the preview, with
# and without preview, 204 and 206.  The echo service has to say "no
# modification" wherever the client allows that; where it does not, the file
# that comes back is the file that was sent.  Services that change a head or
# the first bytes answer with 206, and the client puts the file together.
#
# The client ends with status 0 whatever happens, so its output is looked at.
# It cannot show one thing: it does not read the body of a 200 or 206 that
# comes straight after a preview.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

service="echo"
need c-icap-client c-icap
need timeout coreutils
setup

# run OPTION...: the client, what it says in client.out of the folder $work
run() {
	rm -f "$work/answer"
	timeout 600 c-icap-client -i 127.0.0.1 -p "$icapd_port" -s "$service" -v \
	    "$@" >"$work/client.out" 2>&1 ||
	    fail "c-icap-client $* ended with $?"
}

# icap_status: of the last run
icap_status() {
	sed -n 's,^[[:space:]]*ICAP/1\.0 \([0-9]*\).*,\1,p' "$work/client.out"
}

# unmodified FILE OPTION...: a 204, and no file
unmodified() {
	un_file=$1
	shift
	run -f "$un_file" -o "$work/answer" "$@"
	[ "$(icap_status)" = 204 ] ||
	    fail "$* of $un_file: status $(icap_status) instead of 204"
	has "$work/client.out" '^No modification needed' ||
	    fail "$* of $un_file: the client does not take the 204"
	[ ! -s "$work/answer" ] || fail "$* of $un_file: a 204 with a body"
}

# echoed FILE OPTION...: a 200, and the same file
echoed() {
	ec_file=$1
	shift
	run -f "$ec_file" -o "$work/answer" "$@"
	[ "$(icap_status)" = 200 ] ||
	    fail "$* of $ec_file: status $(icap_status) instead of 200"
	cmp "$ec_file" "$work/answer" || fail "$* of $ec_file came changed"
}

# both FILE OPTION...: every way to say what the client allows
both() {
	bo_file=$1
	shift
	unmodified "$bo_file" "$@"
	unmodified "$bo_file" "$@" -no204
	unmodified "$bo_file" "$@" -nopreview
	unmodified "$bo_file" "$@" -206
	unmodified "$bo_file" "$@" -206 -no204
	unmodified "$bo_file" "$@" -206 -nopreview
	echoed "$bo_file" "$@" -nopreview -no204
	echoed "$bo_file" "$@" -nopreview -no204 -206
}

# asked N LINE: icapd will have to print it so often.
asked() {
	as_left=$1
	while [ "$as_left" -gt 0 ]; do
		echo "$2" >>"$work/asked"
		as_left=$((as_left - 1))
	done
}

# every_way SIZE: RESPMOD without a request, with one, without any head; REQMOD.
every_way() {
	ew_file=$tmp/file.$1
	work=$tmp/$1
	mkdir "$work"
	both "$ew_file"
	both "$ew_file" -resp http://127.0.0.1/resp
	both "$ew_file" -noreshdr
	both "$ew_file" -req "http://127.0.0.1/req/$1"
	asked 8 "GET http://127.0.0.1/req/$1 HTTP/1.0"
}

icapd_start "$@"
work=$tmp

step "OPTIONS"
run
[ "$(icap_status)" = 200 ] || fail "status $(icap_status) instead of 200"
cp "$work/client.out" "$tmp/options"
has "$tmp/options" 'Allow 204: Yes' || fail "no Allow: 204"
has "$tmp/options" 'Methods: .*REQMOD' || fail "no REQMOD in Methods"
has "$tmp/options" 'Methods: .*RESPMOD' || fail "no RESPMOD in Methods"
has "$tmp/options" 'ISTag: "..*"' || fail "no quoted ISTag"
preview=$(sed -n 's/^[[:space:]]*Preview: \([0-9][0-9]*\)$/\1/p' \
    "$tmp/options" | head -n 1)
[ -n "$preview" ] || fail "no Preview"

step "files around the preview of $preview bytes"
pids=
for size in 1 500 $((preview - 1)) "$preview" $((preview + 1)) 100000 3000000
do
	"$origin" -g "$size" 21 >"$tmp/file.$size"
	# Side by side, as the client makes us wait: its writes are small, and
	# each is sent once the one before is acknowledged.
	every_way "$size" &
	pids="$pids $!"
done
started="$started$pids"
for pid in $pids; do
	reap "$pid"
	[ "$status" -eq 0 ] || fail "see above"
done

step "previews that the client cuts"
for cut in 0 1 10 $((preview - 1)); do
	for file in "$tmp/file.1" "$tmp/file.500" "$tmp/file.100000"; do
		unmodified "$file" -w "$cut"
		unmodified "$file" -w "$cut" -no204
		unmodified "$file" -w "$cut" -206 -no204
	done
done

step "other methods and headers"
both "$tmp/file.500" -req http://127.0.0.1/put -method PUT \
    -x 'X-Client-IP: 127.0.0.1' -hx 'X-Test: a' -rhx 'X-Test: b'
asked 8 "PUT http://127.0.0.1/put HTTP/1.0"

icapd_stop TERM
step "icapd printed the request lines, and nothing else"
cat "$tmp/asked" "$tmp"/*/asked | sort >"$tmp/asked.sorted"
sort "$tmp/icapd.out" | diff "$tmp/asked.sorted" - >&2 ||
    fail "requests sent (<) and printed by icapd (>) differ"
[ -z "$(complaints)" ] || {
	complaints >&2
	fail "icapd complains as above"
}

ICAPD=$t_builddir/testd
case $ICAPD in
/*) ;;
*) ICAPD=$PWD/$ICAPD ;;
esac
[ -x "$ICAPD" ] || fail "$ICAPD: no such program (make check builds it)"
work=$tmp

# answered STATUS FILE OPTION...: and what came is $tmp/wanted
answered() {
	an_status=$1 an_file=$2
	shift 2
	run -f "$an_file" -o "$work/answer" "$@"
	[ "$(icap_status)" = "$an_status" ] ||
	    fail "$* of $an_file: $(icap_status) instead of $an_status"
	cmp "$tmp/wanted" "$work/answer" || fail "$* of $an_file came wrong"
}

step "206: another head"
cat >"$tmp/testd.conf" <<-'EOT'
	listen "127.0.0.1:0" {
		workers = 4
	}
	service "/header" {
		run = {header}
	}
	service "/prefix" {
		run = {prefix}
	}
EOT
icapd_launch -d -f "$tmp/testd.conf"
service=header
for size in 1 500 100000 3000000; do
	cp "$tmp/file.$size" "$tmp/wanted"
	answered 206 "$tmp/file.$size" -206
	answered 206 "$tmp/file.$size" -206 -nopreview
	has "$tmp/client.out" 'X-Test: seen' || fail "the field did not come"
	answered 200 "$tmp/file.$size" -nopreview -no204
	has "$tmp/client.out" 'X-Test: seen' || fail "the field did not come"
done

step "206: another beginning"
service=prefix
for size in 500 100000 3000000; do
	{
		printf HEY
		tail -c +4 "$tmp/file.$size"
	} >"$tmp/wanted"
	answered 206 "$tmp/file.$size" -206 -nopreview
	answered 206 "$tmp/file.$size" -206 -w 1
	answered 200 "$tmp/file.$size" -206 -no204 -w 1
	answered 200 "$tmp/file.$size" -nopreview
done
icapd_stop TERM
