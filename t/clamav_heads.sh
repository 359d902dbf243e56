#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What a message says of its body, and what clamav believes of it: codings,
# types, forms and ranges, in fields that are there twice or oddly written, as
# somebody would write them to get past a scan.  With a real clamd: whatever
# the head says, EICAR does not pass.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"
# shellcheck source=avlib.sh
. "$(dirname "$0")/avlib.sh"

icapt=${ICAPT:-$t_builddir/icapt}
here=$(dirname "$0")
need gzip gzip
[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"
setup
clamd_setup 'AlertEncrypted yes'

unix=unix:$tmp/clamd.sock
{
	cat <<-'END'
	listen "127.0.0.1:0" { workers = 20 defer-accept = off }
	log "-" { form = text }
	END
	for policy in block pass fail; do
		name=$policy
		[ $policy != block ] || name=av
		section $name $policy "$unix" "cache = no"
		section $name-form $policy "$unix"
	done
	section cached block "$unix"
	section slow block "$unix" "cache = no" |
	    sed 's/timeout = .*/timeout = 1m/'
	section whole block "$unix" "cache = no multipart = no"
	section parts block "$unix" "cache = no max-parts = 3"
	section largepass block "$unix" \
	    'cache = no on-reason = {"too-large=pass"}'
	section codedpass block "$unix" \
	    'cache = no on-reason = {"encoded=pass"}'
	section lockedpass block "$unix" \
	    'cache = no on-reason = {"encrypted=pass"}'
	section limitpass block "$unix" \
	    'cache = no max-parts = 1 on-reason = {"limit=pass"}'
	section downpass block "$unix" 'cache = no on-reason = {"down=pass"}'
} >"$tmp/icapd.conf"
{
	section only block "$unix" 'cache = no only-types = {"text/*"}'
	section onlyelse block "$unix" 'cache = no only-types = {"video/*"}'
	section skip block "$unix" \
	    'cache = no skip-types = {"application/*", "text/*"}'
	section skippdf block "$unix" \
	    'cache = no skip-types = {"application/*"}'
} >"$tmp/types.conf"
types=yes
cat "$tmp/icapd.conf" "$tmp/types.conf" >"$tmp/both.conf"
if "$ICAPD" -n -f "$tmp/both.conf" >"$tmp/check.out" 2>&1; then
	mv "$tmp/both.conf" "$tmp/icapd.conf"
else
	has "$tmp/check.out" 'libmagic was missing' ||
	    fail "the configuration:" "$(cat "$tmp/check.out")"
	say "types are left out: no libmagic" >&2
	types=no
fi

# The deflated bytes of what gzip makes of a file.
deflated() {
	gzip -c <"$1" >"$tmp/x.gz"
	tail -c +11 "$tmp/x.gz" | head -c $(($(wc -c <"$tmp/x.gz") - 18))
}

"$origin" -g 5000 3 >"$tmp/clean"
"$origin" -g 5000 4 >"$tmp/secret"
signature "$tmp/secret" Secret-Test >"$tmp/db/test.hdb"
deflated "$tmp/eicar" >"$tmp/eicar.deflate"
gzip -c "$tmp/eicar" >"$tmp/eicar.gz"

# form BOUNDARY END FILE...: its lines end so
form() {
	f_boundary=$1 f_end=$2
	shift 2
	for f_file; do
		printf -- '--%s%bContent-Disposition: %s%b%b' "$f_boundary" \
		    "$f_end" 'form-data; name="f"; filename="x"' \
		    "$f_end" "$f_end"
		cat "$f_file"
		printf %b "$f_end"
	done
	printf -- '--%s--%b' "$f_boundary" "$f_end"
}
crlf='\r\n'
T='Content-Type: multipart/form-data'
form BB "$crlf" "$tmp/secret" >"$tmp/secret.form"
form BB "$crlf" "$tmp/clean" >"$tmp/clean.form"

clamd_start
icapd_serve

# withheld REASON SERVICE FILE OPTION...: both ways
withheld() {
	w_reason=$1 w_path=$2 w_file=$3
	shift 3
	for method in respmod reqmod; do
		rm -f "$tmp/body"
		c 3 "$w_path" $method -f "$w_file" -o "$tmp/body" "$@"
		! grep -q EICAR-STANDARD "$tmp/body" || fail "it came through"
		c 3 "$w_path" $method -f "$w_file" "$@"
		says "Threat=$w_reason;"
	done
}

# known FILE OPTION...: reason `form` under each policy
known() {
	unscanned form "$@"
}

step "codings: every field counts, however it is written"
withheld Unscanned.encoded av "$tmp/eicar.deflate" \
    -E 'Content-Encoding: identity' -E 'Content-Encoding: deflate'
withheld Unscanned.encoded av "$tmp/eicar.deflate" \
    -E 'Content-Encoding:' -E 'Content-Encoding: deflate'
withheld Unscanned.encoded av "$tmp/eicar.deflate" \
    -E 'Content-Encoding: gzip' -E 'content-encoding: x, DEFLATE'
withheld Unscanned.encoded av "$tmp/eicar.deflate" \
    -E 'Content-Encoding: gzip,' -E 'Content-Encoding:  ,deflate '
unscanned encoded "$tmp/eicar.deflate" '' \
    -E 'Content-Encoding: identity' -E 'Content-Encoding: deflate'
withheld Eicar-Test.UNOFFICIAL av "$tmp/eicar.gz" \
    -E 'Content-Encoding: identity' -E 'Content-Encoding: gzip'
clean av "$tmp/clean" -E 'Content-Encoding: identity' -E 'Content-Encoding:'
# what cannot be scanned is known by the preview; without one it waits
c 0 codedpass respmod -f "$tmp/clean" -E 'Content-Encoding: br, gzip' \
    --preview 0 --echo
c 0 codedpass respmod -f "$tmp/clean" -E 'Content-Encoding: br' --preview 100 \
    --expect 204

step "gzip: what the engine does not understand, and others do"
# flags that are reserved, a checksum of the header that is wrong, what looks
# like something else (clamd calls all of them clean), no gzip at all, and one in another, whose header nobody sees
{
	head -c 3 "$tmp/eicar.gz"
	printf '\040'
	tail -c +5 "$tmp/eicar.gz"
} >"$tmp/flags.gz"
{
	head -c 3 "$tmp/eicar.gz"
	printf '\002'
	tail -c +5 "$tmp/eicar.gz" | head -c 6
	printf '\001\002'
	tail -c +11 "$tmp/eicar.gz"
} >"$tmp/sum.gz"
# extra AT TEXT: eicar.gz with an extra field that has the text at that place of
# the file; for clamd it is a tar or a disk then, and no gzip
gzip -cn "$tmp/eicar" >"$tmp/anon.gz"
extra() {
	head -c 3 "$tmp/anon.gz"
	printf '\004'
	tail -c +5 "$tmp/anon.gz" | head -c 6
	printf '\130\002'	# 600
	head -c $(($1 - 12)) /dev/zero
	printf %s "$2"
	head -c $((612 - $1 - ${#2})) /dev/zero
	tail -c +11 "$tmp/anon.gz"
}
extra 257 ustar >"$tmp/tar.gz"
extra 512 'EFI PART' >"$tmp/disk.gz"
{
	head -c 3 "$tmp/anon.gz"
	printf '\004\320\317\021\340\241\261\032\341'	# 57626 follow
	head -c 57626 /dev/zero
	tail -c +11 "$tmp/anon.gz"
} >"$tmp/office.gz"
# a second member that others find
gzip -cn "$tmp/clean" >"$tmp/plain.gz"
cat "$tmp/plain.gz" "$tmp/flags.gz" >"$tmp/second.gz"
{
	cat "$tmp/plain.gz"
	head -c 16 /dev/zero
	cat "$tmp/anon.gz"
} >"$tmp/padded.gz"
{
	head -c -8 "$tmp/plain.gz"
	printf 'checksum'
	cat "$tmp/anon.gz"
} >"$tmp/wrong.gz"
G='Content-Encoding: gzip'
for file in flags.gz sum.gz tar.gz disk.gz office.gz second.gz \
    padded.gz wrong.gz clean; do
	unscanned encoded "$tmp/$file" '' -E "$G"
	withheld Unscanned.encoded cached "$tmp/$file" -E "$G"
	withheld Unscanned.encoded av "$tmp/$file" -E "$G" --chunk 1
done
for file in flags sum; do
	gzip -c "$tmp/$file.gz" >"$tmp/$file.gz.gz"
	withheld Unscanned.encoded av "$tmp/$file.gz.gz" -E "$G, x-gzip"
	withheld Unscanned.encoded av "$tmp/$file.gz.gz" -E "$G" -E "$G"
done
clean av "$tmp/clean"
gzip -c "$tmp/clean" >"$tmp/clean.gz"
gzip -cn "$tmp/clean" >"$tmp/anon.gz"
for file in clean anon; do
	clean av "$tmp/$file.gz" -E "$G"
	clean cached "$tmp/$file.gz" -E 'content-encoding: , X-GZip ,'
	clean av "$tmp/$file.gz" -E "$G" --chunk 1
done
# members one after the other are gzip, and so is what ends too early
cat "$tmp/plain.gz" "$tmp/clean.gz" "$tmp/plain.gz" >"$tmp/three.gz"
head -c -20 "$tmp/clean.gz" >"$tmp/short.gz"
for file in three short; do
	clean av "$tmp/$file.gz" -E "$G"
	clean av "$tmp/$file.gz" -E "$G" --chunk 1
done
{
	head -c 30 "$tmp/eicar" | gzip -c
	tail -c +31 "$tmp/eicar" | gzip -c
} >"$tmp/two.gz"
withheld Eicar-Test.UNOFFICIAL av "$tmp/two.gz" -E "$G"
# a bomb: 64 MiB seventeen times
head -c 67108864 /dev/zero | gzip -cn >"$tmp/bomb"
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do
	cat "$tmp/bomb"
done >"$tmp/bomb.gz"
unscanned encoded "$tmp/bomb.gz" '' -E "$G"
# what is found all the same counts
withheld Eicar-Test.UNOFFICIAL codedpass "$tmp/eicar" -E "$G"
withheld Eicar-Test.UNOFFICIAL pass "$tmp/eicar.gz" -E "$G, gzip"
for coding in zstd br deflate compress 'gzip;q=1' '"gzip"' 'gzip deflate' \
    'deflate;q=0, gzip' exi; do
	unscanned encoded "$tmp/eicar.deflate" '' -E "Content-Encoding: $coding"
done

if [ $types = yes ]; then
	step "types: nothing is skipped for what hides it"
	png='Content-Type: image/png'
	pdf='Content-Type: application/pdf'
	for preview in 0 1 67 68 1024; do
		withheld Eicar-Test.UNOFFICIAL only "$tmp/eicar" -E "$png" \
		    --preview $preview
		withheld Eicar-Test.UNOFFICIAL skippdf "$tmp/eicar" \
		    -E "$pdf" --preview $preview
		c 0 skip respmod -f "$tmp/eicar" -E "$pdf" --echo \
		    --preview $preview
		c 0 onlyelse reqmod -f "$tmp/eicar" -E "$png" --echo \
		    --preview $preview
	done
	# the first kilobyte decides, wherever it is cut
	{
		printf '%%PDF-1.4\n'
		cat "$tmp/clean" "$tmp/eicar"
	} >"$tmp/x.pdf"
	for preview in 0 8 1023 1024 1025; do
		c 0 skippdf respmod -f "$tmp/x.pdf" -E "$pdf" --echo \
		    --preview $preview
	done
	withheld Eicar-Test.UNOFFICIAL only "$tmp/eicar.gz" -E "$png" \
	    -E 'Content-Encoding: gzip'
	withheld Unscanned.encoded only "$tmp/eicar.deflate" -E "$png" \
	    -E 'Content-Encoding: deflate'
	withheld Eicar-Test.UNOFFICIAL skip "$tmp/eicar.gz" -E "$pdf" \
	    -E 'Content-Encoding: gzip'
	# parts of a file: their first bytes are not its own
	R='Content-Range: bytes'
	{
		printf '%%PDF-1.4\n'
		cat "$tmp/clean"
	} >"$tmp/clean.pdf"
	c 0 skip respmod -f "$tmp/clean.pdf" -E "$pdf" --echo
	for path in skip onlyelse; do
		withheld Unscanned.partial $path "$tmp/clean.pdf" -E "$pdf" \
		    -E "$R 0-99/9999"
		withheld Unscanned.partial $path "$tmp/clean.pdf" -E "$pdf" \
		    -E 'Content-Range: lines 1-2/3'
		withheld Eicar-Test.UNOFFICIAL $path "$tmp/eicar" -E "$pdf" \
		    -E "$R 0-67/68"
	done
	cat >"$tmp/part.it" <<-'END'
	case "206 of a type that is skipped"
	request RESPMOD uri "icap://$A/onlyelse" res-hdr "HTTP/1.1 206 Partial Content^Content-Type: image/png^^" \
	    res-body data "hello" + "Allow: 204"
	E200
	header X-Infection-Found 'Threat=Unscanned.partial;'
	END
	"$icapt" -t 60 -p "$icapd_port" -s av "$tmp/part.it" \
	    >"$tmp/part.out" || fail "$(cat "$tmp/part.out")"
	# types that are several
	withheld Eicar-Test.UNOFFICIAL skip "$tmp/eicar" -E "$pdf" -E "$png"
	withheld Eicar-Test.UNOFFICIAL skip "$tmp/eicar" \
	    -E 'Content-Type: text/plain, image/png'
	withheld Secret-Test.UNOFFICIAL onlyelse "$tmp/secret.form" \
	    -E "$T; boundary=BB"
	withheld Secret-Test.UNOFFICIAL skip "$tmp/secret.form" \
	    -E "$T; boundary=BB"
	clean onlyelse "$tmp/clean.form" -E "$T; boundary=BB"
fi

step "forms: a boundary that is one for all"
for type in 'form-data; boundary=BB' 'form-data; boundary="BB"' \
    'form-data ;charset=x;Boundary=BB;' 'mixed; boundary=BB' \
    'related; type="a/b"; boundary=BB' 'x-any; boundary=BB'; do
	withheld Secret-Test.UNOFFICIAL av "$tmp/secret.form" \
	    -E "Content-Type: multipart/$type"
	clean av "$tmp/clean.form" -E "Content-Type: multipart/$type"
done
clean whole "$tmp/secret.form" -E "$T; boundary=BB"
clean whole "$tmp/secret.form" -E "$T"

step "forms: one in a coding"
# the engine has seen the whole, nobody the parts
form BB "$crlf" "$0" >"$tmp/text.form"
for file in text clean; do
	gzip -c "$tmp/$file.form" >"$tmp/$file.form.gz"
	unscanned encoded "$tmp/$file.form.gz" -form -E "$T; boundary=BB" \
	    -E "$G"
	c 0 codedpass reqmod -f "$tmp/$file.form.gz" --echo \
	    -E "$T; boundary=BB" -E "$G"
	clean whole "$tmp/$file.form.gz" -E "$T; boundary=BB" -E "$G"
done
withheld Unscanned.form codedpass "$tmp/clean.form.gz" -E "$T" -E "$G"
# what is found counts: in the whole, and in parts that are in no coding
form BB "$crlf" "$tmp/eicar" | gzip -c >"$tmp/eicar.form.gz"
withheld Eicar-Test.UNOFFICIAL pass "$tmp/eicar.form.gz" \
    -E "$T; boundary=BB" -E "$G"
withheld Secret-Test.UNOFFICIAL pass "$tmp/secret.form" \
    -E "$T; boundary=BB" -E "$G"

step "forms: one that is not"
for type in "$T" "$T; boundary=" "$T; xboundary=CC; boundary=BB" \
    "$T; boundary = BB" "$T; boundary=\"B\\B\"" "$T; boundary=ZZ" \
    "$T; boundary=BB; boundary=CC" "$T, boundary=BB" \
    'Content-Type: text/plain, multipart/form-data; boundary=BB'; do
	withheld Unscanned.form av "$tmp/secret.form" -E "$type"
done
known "$tmp/secret.form" '' -E "$T; boundary=ZZ"
withheld Unscanned.form av "$tmp/secret.form" \
    -E 'Content-Type: text/plain' -E "$T; boundary=BB"
withheld Unscanned.form av "$tmp/secret.form" \
    -E "$T; boundary=BB" -E 'Content-Type: text/plain'
# what is found in the whole counts whatever the type says
form BB "$crlf" "$tmp/eicar" >"$tmp/eicar.form"
withheld Eicar-Test.UNOFFICIAL pass "$tmp/eicar.form" -E "$T"
# with several types that are none of forms all is well
clean av "$tmp/clean" -E 'Content-Type: text/plain' -E 'Content-Type: a/b'
# the cache knows bodies, but nothing of forms
clean cached "$tmp/secret.form"
withheld Secret-Test.UNOFFICIAL cached "$tmp/secret.form" -E "$T; boundary=BB"
withheld Unscanned.form cached "$tmp/secret.form" -E "$T"

step "forms: what is a delimiter for some"
# a file that holds what looks like one: whole, and in pieces
{
	cat "$tmp/clean"
	printf '\r\n--BBxyz\r\n'
	cat "$tmp/clean"
} >"$tmp/looks"
signature "$tmp/looks" Looks-Test >>"$tmp/db/test.hdb"
form BB "$crlf" "$tmp/looks" >"$tmp/looks.form"
{
	printf -- '--BB\r\n\r\n'
	cat "$tmp/secret"
	printf '\r\n--BBxyz\r\n\r\nmore\r\n--BB--\r\n'
} >"$tmp/pieces.form"
form BB '\n' "$tmp/secret" >"$tmp/lf.form"
form BB "$crlf" "$tmp/clean" "$tmp/looks" >"$tmp/two.form"
reload_db() {
	kill -USR2 "$clamd_pid"
}
is_known() {
	status=0
	"$icapc" respmod -f "$tmp/looks" \
	    "icap://127.0.0.1:$icapd_port/av" >"$tmp/c.out" 2>&1 || status=$?
	[ "$status" -eq 3 ]
}
reload_db
wait_until is_known || fail "the new signature has no effect"
for file in looks two; do
	withheld Looks-Test.UNOFFICIAL av "$tmp/$file.form" -E "$T; boundary=BB"
done
for file in pieces lf; do
	withheld Secret-Test.UNOFFICIAL av "$tmp/$file.form" \
	    -E "$T; boundary=BB"
done
form BB '\n' "$tmp/clean" >"$tmp/lfclean.form"
clean av "$tmp/lfclean.form" -E "$T; boundary=BB"

step "forms: parts in a coding, and parts that have parts"
# coded FIELD FILE: a part with that field
coded() {
	printf -- '--BB\r\n%b\r\n\r\n' "$1"
	cat "$2"
	printf '\r\n--BB--\r\n'
}
E=Content-Transfer-Encoding
for field in "$E: base64" "$E: quoted-printable" "$E:x-uue" \
    "content-transfer-encoding :\r\n\tBASE64" "$E: 8bit\r\n$E: base64" \
    "A: b\n$E: base64\n\nc\r\nD: e"; do
	coded "$field" "$tmp/clean" >"$tmp/coded.form"
	withheld Unscanned.encoded av "$tmp/coded.form" -E "$T; boundary=BB"
	c 0 codedpass reqmod -f "$tmp/coded.form" --echo -E "$T; boundary=BB"
done
unscanned encoded "$tmp/coded.form" -form -E "$T; boundary=BB"
for field in "$E: binary" "$E:8BIT " "$E:\r\n 7bit" "$E:"; do
	coded "$field" "$tmp/clean" >"$tmp/coded.form"
	clean av "$tmp/coded.form" -E "$T; boundary=BB"
done
coded 'Content-Type: multipart/mixed; boundary=CC' "$tmp/clean" >"$tmp/in.form"
unscanned form "$tmp/in.form" -form -E "$T; boundary=BB"
coded "$E: base64" "$tmp/secret" >"$tmp/coded.form"
withheld Secret-Test.UNOFFICIAL pass "$tmp/coded.form" -E "$T; boundary=BB"
clean whole "$tmp/coded.form" -E "$T; boundary=BB"

step "forms: what may pass is no excuse for what may not"
zipped "$tmp/clean" 0100 >"$tmp/locked.zip"
form BB "$crlf" "$tmp/locked.zip" "$tmp/secret" >"$tmp/locked1.form"
form BB "$crlf" "$tmp/secret" "$tmp/locked.zip" >"$tmp/locked2.form"
form BB "$crlf" "$tmp/locked.zip" >"$tmp/locked3.form"
for file in 1 2; do
	withheld Secret-Test.UNOFFICIAL lockedpass "$tmp/locked$file.form" \
	    -E "$T; boundary=BB"
	withheld Secret-Test.UNOFFICIAL pass "$tmp/locked$file.form" \
	    -E "$T; boundary=BB"
done
c 0 lockedpass reqmod -f "$tmp/locked3.form" --echo -E "$T; boundary=BB"
withheld Unscanned.encrypted limitpass "$tmp/locked1.form" \
    -E "$T; boundary=BB"
form BB "$crlf" "$tmp/clean" "$tmp/clean" >"$tmp/two.form"
c 0 limitpass reqmod -f "$tmp/two.form" --echo -E "$T; boundary=BB"
withheld Unscanned.form lockedpass "$tmp/locked3.form" -E "$T; boundary=ZZ"
withheld Unscanned.partial lockedpass "$tmp/locked.zip" \
    -E 'Content-Range: bytes 0-1/9999'
withheld Unscanned.form codedpass "$tmp/clean" -E "$T" \
    -E 'Content-Encoding: br'
withheld Unscanned.partial codedpass "$tmp/clean" \
    -E 'Content-Range: bytes 0-1/9999' -E 'Content-Encoding: br'

step "forms: so many parts, and no more"
: >"$tmp/empty"
for n in 2 3 4; do
	set --
	while [ $# -lt $n ]; do
		set -- "$@" "$tmp/clean"
	done
	form BB "$crlf" "$@" >"$tmp/n.form"
	shift
	form BB "$crlf" "$@" "$tmp/empty" >"$tmp/e.form"
	for file in n e; do
		if [ $n -le 3 ]; then
			clean parts "$tmp/$file.form" -E "$T; boundary=BB"
		else
			withheld Unscanned.limit parts "$tmp/$file.form" \
			    -E "$T; boundary=BB"
		fi
	done
done

step "ranges: clean is only the whole"
head -c 34 "$tmp/eicar" >"$tmp/half1"
tail -c 34 "$tmp/eicar" >"$tmp/half2"
R='Content-Range: bytes'
unscanned partial "$tmp/half1" '' -E "$R 0-33/68"
unscanned partial "$tmp/half2" '' -E "$R 34-67/68"
for range in '0-33/*' '0-32/33' '0-34/35' '1-34/34' '0-33 /34' '34-67/68' \
    '*/34'; do
	withheld Unscanned.partial av "$tmp/half1" -E "$R $range"
done
withheld Unscanned.partial av "$tmp/half1" -E 'Content-Range: lines 0-33/34'
withheld Unscanned.partial av "$tmp/half1" -E "$R 0-33/34" -E "$R 0-33/68"
# all there is; and what is found in a part
clean av "$tmp/half1" -E "$R 0-33/34"
withheld Eicar-Test.UNOFFICIAL pass "$tmp/eicar" -E "$R 0-67/100"
# the cache does not know ranges
clean cached "$tmp/half1"
withheld Unscanned.partial cached "$tmp/half1" -E "$R 0-33/68"
cat >"$tmp/range.it" <<'END'
set L "icap://$A/av"
case "206 without a word of which part"
request RESPMOD uri "$L" res-hdr "HTTP/1.1 206 Partial Content^^" \
    res-body data "hello" + "Allow: 204"
E200
http '^HTTP/1.1 403 '
header X-Infection-Found 'Threat=Unscanned.partial;'
case "206 with several parts"
request RESPMOD uri "$L" res-hdr "HTTP/1.1 206 Partial Content^Content-Type: multipart/byteranges; boundary=XX^^" \
    res-body data "--XX^Content-Range: bytes 0-4/9^^hello^--XX--^" + "Allow: 204"
E200
header X-Infection-Found 'Threat=Unscanned.partial;'
case "206 with all there is"
request RESPMOD uri "$L" res-hdr "HTTP/1.1 206 Partial Content^Content-Range: bytes 0-4/5^^" \
    res-body data "hello" + "Allow: 204"
E204
case "there is no such part"
request RESPMOD uri "$L" res-hdr "HTTP/1.1 416 Range Not Satisfiable^Content-Range: bytes */5^^" \
    res-body data "sorry" + "Allow: 204"
E204
END
"$icapt" -t 60 -p "$icapd_port" -s av "$tmp/range.it" >"$tmp/range.out" ||
    fail "$(cat "$tmp/range.out")"

step "names with blanks behind them"
# which icapc does not send
cat >"$tmp/blank.it" <<'END'
set O "HTTP/1.1 200 OK^"
set F "Content-Type: multipart/form-data; boundary=BB^"
case "a coding"
request RESPMOD uri "icap://$A/av" res-hdr "${O}Content-Encoding : deflate^^" \
    res-body data "hello" + "Allow: 204"
E200
header X-Infection-Found 'Threat=Unscanned.encoded;'
case "a coding behind a tab, and another one"
request RESPMOD uri "icap://$A/av" \
    res-hdr "${O}Content-Encoding\t: br^Content-Encoding: gzip^^" \
    res-body data "hello" + "Allow: 204"
E200
header X-Infection-Found 'Threat=Unscanned.encoded;'
case "a type"
request RESPMOD uri "icap://$A/av" \
    res-hdr "$O${F}Content-Type : text/plain^^" \
    res-body data "--BB^^hello^--BB--^" + "Allow: 204"
E200
header X-Infection-Found 'Threat=Unscanned.form;'
case "a range"
request RESPMOD uri "icap://$A/av" \
    res-hdr "${O}Content-Range : bytes 0-4/9^^" \
    res-body data "hello" + "Allow: 204"
E200
header X-Infection-Found 'Threat=Unscanned.partial;'
END
"$icapt" -t 60 -p "$icapd_port" -s av "$tmp/blank.it" >"$tmp/blank.out" ||
    fail "$(cat "$tmp/blank.out")"

step "a preview where it helps, and else none"
cat >"$tmp/preview.it" <<'END'
each s av cached whole downpass
	case "OPTIONS of $s"
	request OPTIONS uri "icap://$A/$s"
	options
	noheader Preview
	noheader Transfer-Preview
end
each s largepass codedpass pass
	case "OPTIONS of $s"
	request OPTIONS uri "icap://$A/$s"
	options
	header Preview '^1024$'
	header Transfer-Preview '^\*$'
end
set S "HTTP/1.1 200 OK^Content-Length: 200000000^^"
case "too large: nothing more is asked for, if it may pass"
request RESPMOD uri "icap://$A/largepass" res-hdr "$S" \
    res-body raw "5^hello^0^^" + "Preview: 5"
E204
case "too large without a preview: refused before its body has come"
request RESPMOD uri "icap://$A/av" res-hdr "$S" res-body raw ""
E200
http '^HTTP/1.1 403 '
END
"$icapt" -t 60 -p "$icapd_port" -s av "$tmp/preview.it" >"$tmp/preview.out" ||
    fail "$(cat "$tmp/preview.out")"
if [ $types = yes ]; then
	for path in only skip; do
		c 0 $path options
		says '^ *Preview: 1024$'
	done
fi

step "the clients that send files"
"$icapt" -t 60 -p "$icapd_port" -s slow "$here/client-rspamd.it" \
    "$here/client-php.it" >"$tmp/clients.out" ||
    fail "$(cat "$tmp/clients.out")"
cat >"$tmp/clients.it" <<END
set E '$eicar'
case "rspamd, old form: no head of HTTP"
request RESPMOD nohost + "Host:\$host" res-body data "\$E" + "Allow: 204"
E200
header X-Infection-Found 'Threat=Eicar-Test.UNOFFICIAL;'
header X-Virus-ID '^Eicar-Test.UNOFFICIAL\$'
case "rspamd, new form"
request RESPMOD nohost + "Host: \$host" req-hdr "GET / HTTP/1.0^^" \\
    res-hdr "HTTP/1.0 200 OK^Content-Length: 68^^" res-body data "\$E" \\
    + "Allow: 204"
E200
header X-Infection-Found 'Threat=Eicar-Test.UNOFFICIAL;'
case "Nextcloud, RESPMOD"
request RESPMOD host "\$host" req-hdr "GET / HTTP/1.0^Host: nextcloud^^" \\
    res-hdr "HTTP/1.0 200 OK^Content-Length: 1^^" res-body data "\$E" \\
    + "Allow: 204" + "Connection: close"
E200
header X-Infection-Found 'Threat=Eicar-Test.UNOFFICIAL;'
closed
case "Nextcloud, REQMOD, two chunks"
request REQMOD host "\$host" req-hdr "PUT /a.txt HTTP/1.0^Host: nextcloud^^" \\
    req-body data "\$E" chunk 34 + "Allow: 204" + "Connection: close"
E200
header X-Virus-ID '^Eicar-Test.UNOFFICIAL\$'
closed
END
"$icapt" -t 60 -p "$icapd_port" -s av "$tmp/clients.it" >"$tmp/clients.out" ||
    fail "$(cat "$tmp/clients.out")"

step "the end"
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
