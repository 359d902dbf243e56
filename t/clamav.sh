#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The clamav service with a real clamd: its own socket, its own signatures
# (EICAR, and a hash), no download.  What is infected never comes through
# whole, however it is packed or cut; what is clean comes through unchanged;
# and with clamd dead, stopped, restarted or refusing each body is treated as
# the configuration says.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"
# shellcheck source=avlib.sh
. "$(dirname "$0")/avlib.sh"

BIG=100		# MiB
MANY=200	# clients at a time

need gzip gzip
[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"
setup
clamd_setup 'AlertEncrypted yes' 'AlertExceedsMax yes'

# What clamd has found so far.
found() {
	count "$tmp/clamd.out" FOUND
}

# ---- icapd ----------------------------------------------------------------

unix=unix:$tmp/clamd.sock
stream=stream:$tmp/clamd.sock
{
	cat <<-'END'
	listen "127.0.0.1:0" { workers = 210 defer-accept = off }
	log "-" { form = text }
	process { files = 32 }
	END
	for policy in block pass fail; do
		name=$policy
		[ $policy != block ] || name=av
		section $name $policy "$unix" "cache = no"
		section $name-stream $policy "$stream" "cache = no"
		section $name-small $policy "$unix" "max-size = 1000" |
		    sed '/max-size = 110M/d'
		section $name-hang $policy "$unix" "cache = no" |
		    sed 's/reply-timeout = .*/reply-timeout = 300ms/'
		section $name-hang-stream $policy "$stream" "cache = no" |
		    sed 's/reply-timeout = .*/reply-timeout = 300ms/'
	done
	section two block "unix:$tmp/none.sock\", \"$unix" "cache = no"
	section cached block "$unix"
	section slow block "$unix" "cache = no" |
	    sed 's/timeout = .*/timeout = 1m/'
	section types block "$unix" 'skip-types = {"image/*"}'
	section only block "$unix" 'only-types = {"text/*"}'
} >"$tmp/icapd.conf"
"$ICAPD" -l >/dev/null
types=yes
"$ICAPD" -n -f "$tmp/icapd.conf" >"$tmp/check.out" 2>&1 || {
	has "$tmp/check.out" 'libmagic was missing' ||
	    fail "the configuration:" "$(cat "$tmp/check.out")"
	say "skip-types are left out: no libmagic" >&2
	types=no
	sed -e 's/skip-types = .*//' -e 's/only-types = .*//' \
	    "$tmp/icapd.conf" >"$tmp/x"
	mv "$tmp/x" "$tmp/icapd.conf"
}

# ---- bodies ---------------------------------------------------------------

"$origin" -g 20000 3 >"$tmp/clean"
printf 'just a text\n' >"$tmp/text"
"$origin" -g 5000 4 >"$tmp/secret"
signature "$tmp/secret" Secret-Test >"$tmp/db/test.hdb"
"$origin" -g 5000 5 >"$tmp/later"
"$origin" -g 5000 6 >"$tmp/twin"
gzip -c "$tmp/eicar" >"$tmp/eicar.gz"
gzip -c "$tmp/clean" >"$tmp/clean.gz"

for file in eicar clean; do
	zipped "$tmp/$file" >"$tmp/$file.zip"
	zipped "$tmp/$file" 0100 >"$tmp/$file.locked.zip"
done
gzip -c "$tmp/eicar.zip" >"$tmp/eicar.zip.gz"

# form FILE: as a browser sends it
form() {
	printf '%s\r\n' --AaB03x 'Content-Disposition: form-data; name="a"' \
	    '' text --AaB03x \
	    'Content-Disposition: form-data; name="f"; filename="x"' \
	    'Content-Type: application/octet-stream' ''
	cat "$1"
	printf '\r\n--AaB03x--\r\n'
}
form "$tmp/secret" >"$tmp/secret.form"
form "$tmp/clean" >"$tmp/clean.form"
form "$tmp/eicar" >"$tmp/eicar.form"
form='Content-Type: multipart/form-data; boundary=AaB03x'

# ---- the tests ------------------------------------------------------------

step "without clamd nothing is clean"
icapd_serve
for kind in '' -stream; do
	unscanned down "$tmp/clean" "$kind"
	unscanned down "$tmp/eicar" "$kind"
done

step "the log says that clamd is not there"
wait_until has "$tmp/icapd.err" 'clamd unix:.*: does not answer' ||
    fail "it does not"

step "JSON for programs, a page for people"
c 3 av reqmod -v -f "$tmp/clean" -E 'Accept: application/json' -o "$tmp/body"
has "$tmp/body" '^{"title":"Not scanned".*"cause":"down"' || fail "no JSON"
c 3 av reqmod -f "$tmp/clean" -o "$tmp/body"
has "$tmp/body" '<h1>Not scanned</h1>' || fail "no page"

step "clamd starts, and icapd heals by itself"
clamd_start
for kind in av av-stream pass fail two cached; do
	clean $kind "$tmp/clean"
	clean $kind "$tmp/text"
	infected $kind "$tmp/eicar"
done
says 'Threat=Eicar-Test.UNOFFICIAL;'

wait_until has "$tmp/icapd.err" 'clamd unix:.*: answers again' ||
    fail "the log does not say that clamd is there"

step "packed"
for file in eicar.gz eicar.zip eicar.zip.gz secret; do
	infected av "$tmp/$file"
	infected av-stream "$tmp/$file"
done
for file in clean.gz clean.zip twin later; do
	clean av "$tmp/$file"
	clean av-stream "$tmp/$file"
done
infected av "$tmp/eicar.gz" -E 'Content-Encoding: gzip'

step "packed with a password"
for file in eicar clean; do
	unscanned encrypted "$tmp/$file.locked.zip"
	unscanned encrypted "$tmp/$file.locked.zip" -stream
done
c 3 av reqmod -f "$tmp/eicar.locked.zip"
says 'X-Response-Desc: .*Heuristics.Encrypted.Zip'
if command -v zip >/dev/null 2>&1; then
	(cd "$tmp" && zip -q -P secret real.zip eicar) || fail "zip"
	unscanned encrypted "$tmp/real.zip"
	# what else is in there is looked at all the same
	(cd "$tmp" && cp eicar.zip both.zip &&
	    zip -q -P secret both.zip clean) || fail "zip"
	c 3 pass respmod -f "$tmp/both.zip"
	says 'Threat=Eicar-Test'
else
	say "left out: no zip here (Debian: apt-get install zip)" >&2
fi

step "a coding that clamd does not know"
unscanned encoded "$tmp/clean" '' -E 'Content-Encoding: br'
unscanned encoded "$tmp/eicar" '' -E 'Content-Encoding: gzip, deflate'

step "cut in every way"
size=68
while [ $size -gt 0 ]; do
	c 3 av respmod -f "$tmp/eicar" --chunk $size
	c 3 av reqmod -f "$tmp/eicar" --preview $size --chunk 7
	size=$((size - 1))
done
c 3 av respmod -f "$tmp/eicar" --preview 0
clean av "$tmp/clean" --preview 1024 --chunk 100

step "forms: each part by itself"
for kind in av av-stream; do
	infected $kind "$tmp/secret.form" -E "$form"
	infected $kind "$tmp/eicar.form" -E "$form"
	clean $kind "$tmp/clean.form" -E "$form"
done
# the hash is of the part, so this shows that parts are what is scanned
clean av "$tmp/secret.form"
c 0 cached reqmod -f "$tmp/secret.form" --echo
c 3 cached reqmod -f "$tmp/secret.form" -E "$form"

step "$BIG MiB"
dd if=/dev/zero of="$tmp/big" bs=1048576 count=$BIG 2>/dev/null
cat "$tmp/eicar" >>"$tmp/big"
c 3 slow respmod -f "$tmp/big"
says 'Threat=Eicar-Test'
rm "$tmp/big"

step "too large, for us and for clamd"
head -c 1000 "$tmp/clean" >"$tmp/thousand"
head -c 1001 "$tmp/clean" >"$tmp/more"
clean av-small "$tmp/thousand"
unscanned too-large "$tmp/more" -small
# without Content-Length it is too large as soon as it is, with it at once
cat >"$tmp/size.it" <<'END'
set L "icap://$A/av-small"
set S "HTTP/1.1 200 OK^^"
each n 1 999 1000
	case "$n bytes"
	request RESPMOD uri "$L" res-hdr "$S" res-body size "$n" + "Allow: 204"
	E204
	case "$n bytes, and more to come"
	request RESPMOD uri "$L" res-hdr "$S" res-body size "$n" noend
	delay 30
	quiet
	send "0^^"
	E200 echo
end
each n 1001 1002 100K
	case "$n bytes"
	request RESPMOD uri "$L" res-hdr "$S" res-body size "$n" + "Allow: 204"
	E200
	http '^HTTP/1.1 403 '
	header X-Infection-Found 'Threat=Unscanned.too-large'
	case "$n bytes, and more to come"
	request RESPMOD uri "$L" res-hdr "$S" res-body size "$n" noend
	E200
	http '^HTTP/1.1 403 '
	case "$n bytes, 100 of them as a preview"
	request RESPMOD uri "$L" res-hdr "$S" res-body size "$n" preview 100 noend
	E100
	continue
	E200
	http '^HTTP/1.1 403 '
end
case "it says so before"
request RESPMOD uri "$L" res-hdr "HTTP/1.1 200 OK^Content-Length: 1001^^" \
    res-body raw ""
E200
http '^HTTP/1.1 403 '
case "it says that it is not, and is"
request RESPMOD uri "$L" res-hdr "HTTP/1.1 200 OK^Content-Length: 1000^^" \
    res-body size 1001 noend
E200
http '^HTTP/1.1 403 '
END
"$t_builddir/icapt" -t 60 -p "$icapd_port" -s av-small "$tmp/size.it" \
    >"$tmp/size.out" || fail "$(cat "$tmp/size.out")"
dd if=/dev/zero of="$tmp/2M" bs=1048576 count=2 2>/dev/null
unscanned too-large "$tmp/2M" -stream
clean av-stream "$tmp/clean"

step "the cache spares clamd"
"$origin" -g 3000 77 >"$tmp/body77"
cat "$tmp/eicar" >>"$tmp/body77"
before=$(found)
c 3 cached respmod -f "$tmp/body77"
c 3 cached respmod -f "$tmp/body77"
says 'Threat=Eicar-Test.UNOFFICIAL;'
c 3 cached reqmod -f "$tmp/body77"
[ "$(found)" -eq $((before + 1)) ] || fail "clamd was asked again"

if [ $types = yes ]; then
	step "types: what they claim and what they are"
	printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\6\0\0\0' >"$tmp/png"
	cat "$tmp/png" "$tmp/eicar" >"$tmp/eicar.png"
	before=$(found)
	c 0 types respmod -f "$tmp/eicar.png" -E 'Content-Type: image/png'
	[ "$(found)" -eq "$before" ] || fail "it was scanned"
	c 3 types respmod -f "$tmp/eicar.png" -E 'Content-Type: text/plain'
	c 3 types respmod -f "$tmp/eicar.png"
	c 3 types respmod -f "$tmp/eicar" -E 'Content-Type: image/png'
	c 0 only respmod -f "$tmp/eicar.png" -E 'Content-Type: image/png'
	c 3 only respmod -f "$tmp/eicar.png" -E 'Content-Type: text/html'
	c 3 only respmod -f "$tmp/eicar" -E 'Content-Type: image/png'
fi

step "clamd hangs"
kill -STOP "$clamd_pid"
for kind in -hang -hang-stream; do
	# one body finds out, and no other waits as long
	unscanned '\(timeout\|down\)' "$tmp/clean" "$kind"
	logged "av$kind .*unscanned=\".*-timeout\"" 1 ||
	    fail "the log does not say what was too long"
	unscanned '\(timeout\|down\)' "$tmp/eicar" "$kind"
done
kill -CONT "$clamd_pid"
# those who ask the process that watches believe it now, each section its own
for path in av av-stream slow; do
	wait_until is_up $path || fail "icapd does not heal"
done
clean av "$tmp/clean"
infected av "$tmp/eicar"

step "clamd is killed"
kill -KILL "$clamd_pid"
reap "$clamd_pid"
unscanned down "$tmp/eicar"

step "a restart is not noticed"
clamd_start
clean av "$tmp/clean"
before=$(count "$tmp/icapd.out" unscanned)
end "$clamd_pid"
forget "$clamd_pid"
clamd_start
for _ in 1 2 3 4 5; do
	clean av "$tmp/text"
	clean av-stream "$tmp/text"
	infected av "$tmp/eicar"
done
[ "$(count "$tmp/icapd.out" unscanned)" -eq "$before" ] ||
    fail "bodies were not scanned"

# has_connections N: to the socket of clamd, whether it has accepted them or not
has_connections() {
	[ "$(grep -c -F "$tmp/clamd.sock" /proc/net/unix)" -gt "$1" ]
}

# As many as `files' above: more are not taken while clamd does not read them.
step "more descriptors on their way than Linux lets a user have"
kill -STOP "$clamd_pid"
before=$(count "$tmp/icapd.out" unscanned)
many=
while [ "${#many}" -lt 50 ]; do
	many=x$many
	start "$many" "$icapc" respmod -f "$tmp/clean" --expect 204 \
	    "icap://127.0.0.1:$icapd_port/slow"
	eval "pid_$many=\$started_pid"
done
start found "$icapc" respmod -f "$tmp/eicar" \
    "icap://127.0.0.1:$icapd_port/slow"
found=$started_pid
wait_until has_connections 50 || fail "clamd is not asked"
kill -CONT "$clamd_pid"
while [ -n "$many" ]; do
	eval "reap \$pid_$many"
	[ "$status" -eq 0 ] || fail "not scanned: $(cat "$tmp/$many.out")"
	many=${many#x}
done
reap "$found"
[ "$status" -eq 3 ] || fail "EICAR: status $status instead of 3"
[ "$(count "$tmp/icapd.out" unscanned)" -eq "$before" ] ||
    fail "bodies were not scanned"

step "$MANY at a time, and a new database meanwhile"
start load "$icapc" respmod -c $MANY -n 2000 -f "$tmp/clean" --terse \
    "icap://127.0.0.1:$icapd_port/slow"
load=$started_pid
signature "$tmp/later" Later-Test >>"$tmp/db/test.hdb"
kill -USR2 "$clamd_pid"
is_known() {
	start c "$icapc" respmod -f "$tmp/later" \
	    "icap://127.0.0.1:$icapd_port/av"
	reap "$started_pid"
	[ "$status" -eq 3 ]
}
wait_until is_known || fail "the new signature has no effect"
says 'Threat=Later-Test'
reap "$load"
[ "$status" -eq 0 ] || fail "scans failed under load"
blocked=$(count "$tmp/icapd.out" ' slow .* replaced .*threat="Eicar')
# each page is another one, for its id: a load that only the log can judge
start load "$icapc" respmod -c $MANY -n 400 -f "$tmp/eicar" \
    -u http://eicar.example/ "icap://127.0.0.1:$icapd_port/slow"
reap "$started_pid"
wait_until logged ' slow .* replaced .*threat="Eicar' $((blocked + 400)) ||
    fail "not all were found"
[ "$(count "$tmp/icapd.out" ' slow .* unchanged .*eicar.example')" -eq 0 ] ||
    fail "some came through"
clean av "$tmp/clean"

step "the end"
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
