#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What is in the parts of a body: base64 and quoted-printable, parts of parts,
# messages in parts. With a real clamd: EICAR, and a file that is known by its
# hash alone, are found wherever they are; what is clean passes; and what
# readers may see in different ways is not called clean.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"
# shellcheck source=avlib.sh
. "$(dirname "$0")/avlib.sh"

[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"
need base64 coreutils
setup
clamd_setup

mkdir "$tmp/spool"
unix=unix:$tmp/clamd.sock
{
	cat <<-'END'
	listen "127.0.0.1:0" { workers = 4 defer-accept = off }
	log "-" { form = text }
	END
	section av block "$unix"
	section pass pass "$unix"
	section fail fail "$unix"
	section whole block "$unix" "multipart = no"
	section few block "$unix" "max-parts = 4"
	section codedpass block "$unix" 'on-reason = {"encoded=pass"}'
	# so that files are in memory, and in the folder
	echo "spool { memory = 64k directory = \"$tmp/spool\" }"
} >"$tmp/icapd.conf"

"$origin" -g 5000 3 >"$tmp/clean"
"$origin" -g 5000 4 >"$tmp/secret"
"$origin" -g 300000 5 >"$tmp/large"
# a text, to which quoted-printable leaves its lines: with either end
printf 'This text\r\nis known\r\nby its hash.' >"$tmp/crlf"
printf 'This text\nis known\nby its hash.' >"$tmp/lf"
{
	signature "$tmp/secret" Secret-Test
	signature "$tmp/large" Large-Test
	signature "$tmp/crlf" Crlf-Test
	signature "$tmp/lf" Lf-Test
} >"$tmp/db/test.hdb"

# Lines that end in CR LF.
crlf() {
	sed "s/\$/$(printf '\r')/"
}

# base64 in lines of mail, and all in quoted-printable.
base64_of() {
	base64 <"$1" | crlf
}

quoted_of() {
	od -A n -v -t x1 -w24 "$1" | tr a-f A-F | sed 's/ /=/g; s/$/=/' | crlf
	printf '=\r\n'
}

# head LINE... : lines and an empty one
head_of() {
	printf '%s\r\n' "$@" ''
}

# in_part BOUNDARY FILE LINE...: a form with a clean part and this one
in_part() {
	i_boundary=$1 i_file=$2
	shift 2
	printf -- '--%s\r\n' "$i_boundary"
	head_of 'Content-Disposition: form-data; name="a"'
	printf 'a field\r\n--%s\r\n' "$i_boundary"
	head_of "$@"
	cat "$i_file"
	printf '\r\n--%s--\r\n' "$i_boundary"
}

# http FILE LINE...: a request with that body
http() {
	h_file=$1
	shift
	head_of 'POST /items HTTP/1.1' 'Host: localhost' "$@"
	cat "$h_file"
}

base64=Content-Transfer-Encoding:\ base64
quoted=Content-Transfer-Encoding:\ quoted-printable
octets='Content-Type: application/octet-stream'
app_http='Content-Type: application/http'
T='Content-Type: multipart/mixed; boundary=BB'

# ways FILE: $tmp/way.*, bodies that have it in all the ways there are
ways() {
	base64_of "$1" >"$tmp/b64"
	quoted_of "$1" >"$tmp/qp"
	# one part ends with the CR LF of its last line, the other without
	head -c -2 "$tmp/b64" >"$tmp/b64.short"
	in_part BB "$tmp/b64" "$octets" "$base64" >"$tmp/way.base64"
	in_part BB "$tmp/b64.short" "$octets" "$base64" >"$tmp/way.base64s"
	base64 -w 0 <"$1" >"$tmp/b64.line"
	in_part BB "$tmp/b64.line" "$base64" "$octets" >"$tmp/way.line"
	in_part BB "$tmp/qp" "$octets" "$quoted" >"$tmp/way.quoted"
	in_part CC "$1" "$octets" >"$tmp/inner"
	in_part BB "$tmp/inner" 'Content-Type: multipart/mixed; boundary=CC' \
	    >"$tmp/way.nested"
	in_part CC "$tmp/b64" "$octets" "$base64" >"$tmp/inner"
	in_part BB "$tmp/inner" 'Content-Type: multipart/mixed;' \
	    ' boundary="CC"' >"$tmp/way.nested64"
	http "$1" "$octets" >"$tmp/inner"
	in_part BB "$tmp/inner" "$app_http" \
	    'Content-Transfer-Encoding: binary' >"$tmp/way.http"
	in_part CC "$tmp/inner" "$app_http" >"$tmp/inner.cc"
	in_part BB "$tmp/inner.cc" \
	    'Content-Type: multipart/mixed; boundary=CC' >"$tmp/way.changeset"
	# with a length, and a line end behind it that belongs to nobody
	{
		http "$1" "$octets" "Content-Length: $(($(wc -c <"$1")))"
		printf '\r\n'
	} >"$tmp/inner"
	in_part CC "$tmp/inner" "$app_http" >"$tmp/inner.cc"
	in_part BB "$tmp/inner.cc" \
	    'Content-Type: multipart/mixed; boundary=CC' >"$tmp/way.length"
	{
		head_of "$octets" "$base64"
		cat "$tmp/b64"
	} >"$tmp/inner"
	in_part BB "$tmp/inner" 'Content-Type: message/rfc822' >"$tmp/way.mail"
}

# withheld REASON SERVICE FILE OPTION...: both ways
withheld() {
	w_reason=$1 w_path=$2 w_file=$3
	shift 3
	for method in respmod reqmod; do
		c 3 "$w_path" $method -f "$w_file" "$@"
		says "Threat=$w_reason;"
	done
}

clamd_start
icapd_serve

step "what is bad is found in each of them"
for file in eicar:Eicar-Test secret:Secret-Test large:Large-Test; do
	ways "$tmp/${file%:*}"
	for way in "$tmp"/way.*; do
		withheld "${file#*:}.UNOFFICIAL" av "$way" -E "$T"
		withheld "${file#*:}.UNOFFICIAL" pass "$way" -E "$T"
	done
done

step "what is clean passes as it is"
for file in clean clamd.conf; do
	ways "$tmp/$file"
	for way in "$tmp"/way.*; do
		clean av "$way" -E "$T"
	done
done
! has "$tmp/icapd.out" 'unscanned' || fail "something was not scanned"

step "the whole only, where parts do not matter"
ways "$tmp/secret"
for way in "$tmp"/way.*; do
	clean whole "$way" -E "$T"
done

step "quoted-printable: lines have either end"
printf 'This=\r\n text\r\nis k=6Eown\r\nby its hash.' >"$tmp/text"
in_part BB "$tmp/text" "$quoted" >"$tmp/form"
withheld Crlf-Test.UNOFFICIAL av "$tmp/form" -E "$T"
cp "$tmp/db/test.hdb" "$tmp/all.hdb"
grep -v Crlf "$tmp/all.hdb" >"$tmp/db/test.hdb"
is_lf() {
	"$icapc" reqmod -f "$tmp/form" -E "$T" \
	    "icap://127.0.0.1:$icapd_port/av" >"$tmp/c.out" 2>&1
	has "$tmp/c.out" 'Threat=Lf-Test.UNOFFICIAL;'
}
kill -USR2 "$clamd_pid"
wait_until is_lf || fail "lines that end in LF: $(cat "$tmp/c.out")"

step "what is not as all readers decode it"
# odd LINE...: a part with $tmp/odd
odd() {
	in_part BB "$tmp/odd" "$@" >"$tmp/form"
	withheld Unscanned.encoded av "$tmp/form" -E "$T"
	c 0 codedpass reqmod -f "$tmp/form" --echo -E "$T"
}
ways "$tmp/clean"
cp "$tmp/b64" "$tmp/odd"
odd "$base64" "$base64"
odd "$base64 " 'Content-Transfer-Encoding: binary'
odd 'Content-Transfer-Encoding: x-uuencode'
odd 'Content-Transfer-Encoding : base64'
odd 'Content-Transfer-Encoding: base64 (so they say)'
odd "$base64" 'Content-Type: multipart/mixed; boundary=CC'
odd "$base64" 'Content-Type: message/rfc822'
odd "$octets" 'Content-Encoding: br'
sed 's/$/ /' "$tmp/b64" >"$tmp/odd"
odd "$base64"
cat "$tmp/b64" "$tmp/b64" >"$tmp/odd"
odd "$base64"
sed '3s/^/\r\n/' "$tmp/b64" >"$tmp/odd"
odd "$base64"
tr "=" - <"$tmp/b64" >"$tmp/odd"
odd "$base64"
tr -d = <"$tmp/b64" >"$tmp/odd"
odd "$base64"
{
	cat "$tmp/b64"
	printf -- '-- \r\nfoot\r\n'
} >"$tmp/odd"
odd "$base64"
cp "$tmp/clean" "$tmp/odd"
odd "$base64"
odd "$quoted"
tr A-F a-f <"$tmp/qp" >"$tmp/odd"
odd "$quoted"
sed 's/=\r$/= \r/' "$tmp/qp" >"$tmp/odd"
odd "$quoted"
tr -d '\r' <"$tmp/qp" >"$tmp/odd"
odd "$quoted"
printf 'a b \r\nc' >"$tmp/odd"
odd "$quoted"
http "$tmp/clean" 'Transfer-Encoding: chunked' >"$tmp/odd"
odd "$app_http"
unscanned encoded "$tmp/form" '' -E "$T"
# what is bad is found all the same
in_part BB "$tmp/eicar" "$base64" >"$tmp/form"
withheld Eicar-Test.UNOFFICIAL pass "$tmp/form" -E "$T"

step "parts and messages that are not clear"
# unclear LINE...: a part with $tmp/odd
unclear() {
	in_part BB "$tmp/odd" "$@" >"$tmp/form"
	withheld Unscanned.form av "$tmp/form" -E "$T"
}
in_part CC "$tmp/clean" "$octets" >"$tmp/odd"
unclear 'Content-Type: multipart/mixed; boundary=ZZ'
unclear 'Content-Type: multipart/mixed'
unclear 'Content-Type: multipart/mixed; boundary=CC' "$octets"
unclear 'Content-Type : multipart/mixed; boundary=CC'
unclear "$app_http"
unclear 'Content-Type: message/partial; id="a"; number=1'
# mail that is not clear is the engine's, as an archive is
in_part BB "$tmp/odd" 'Content-Type: message/rfc822' >"$tmp/form"
clean av "$tmp/form" -E "$T"
{
	head_of "$octets" "$quoted"
	tr A-F a-f <"$tmp/qp"
} >"$tmp/odd"
in_part BB "$tmp/odd" 'Content-Type: message/rfc822' >"$tmp/form"
clean av "$tmp/form" -E "$T"
{
	http "$tmp/clean" 'Content-Length: 100'
	http "$tmp/clean"
} >"$tmp/odd"
unclear "$app_http"
unscanned form "$tmp/form" '' -E "$T"

step "so deep, and so many, and no more"
cp "$tmp/secret" "$tmp/deep"
for level in 8 7 6 5 4 3 2 1; do
	in_part "L$level" "$tmp/deep" "Content-Type: multipart/mixed; boundary=L$((level + 1))" \
	    >"$tmp/deeper"
	[ $level -lt 8 ] ||
	    in_part "L$level" "$tmp/deep" "$octets" >"$tmp/deeper"
	mv "$tmp/deeper" "$tmp/deep"
done
deep='Content-Type: multipart/mixed; boundary=L1'
withheld Secret-Test.UNOFFICIAL av "$tmp/deep" -E "$deep"
in_part L0 "$tmp/deep" "$deep" >"$tmp/deeper"
withheld Unscanned.form av "$tmp/deeper" \
    -E 'Content-Type: multipart/mixed; boundary=L0'
ways "$tmp/clean"
clean few "$tmp/way.nested" -E "$T"
in_part DD "$tmp/way.nested" "$T" >"$tmp/form"
withheld Unscanned.limit few "$tmp/form" \
    -E 'Content-Type: multipart/mixed; boundary=DD'

step "a coding in the head of the message"
for file in eicar:Eicar-Test secret:Secret-Test large:Large-Test; do
	ways "$tmp/${file%:*}"
	withheld "${file#*:}.UNOFFICIAL" av "$tmp/b64" -E "$base64"
	withheld "${file#*:}.UNOFFICIAL" av "$tmp/b64" -E "$base64" -E "$octets"
	withheld "${file#*:}.UNOFFICIAL" av "$tmp/qp" -E "$quoted"
	withheld "${file#*:}.UNOFFICIAL" av "$tmp/${file%:*}" \
	    -E 'Content-Transfer-Encoding: binary'
done
ways "$tmp/secret"
# the cache does not know of it
clean av "$tmp/b64"
withheld Secret-Test.UNOFFICIAL av "$tmp/b64" -E "$base64"
clean whole "$tmp/b64" -E "$base64"
ways "$tmp/clean"
clean av "$tmp/b64" -E "$base64"
clean av "$tmp/qp" -E "$quoted"
clean av "$tmp/clean" -E 'Content-Transfer-Encoding: BINARY'
withheld Unscanned.encoded av "$tmp/clean" -E "$base64"
withheld Unscanned.encoded av "$tmp/b64" -E "$base64" -E "$base64"
withheld Unscanned.encoded av "$tmp/b64" -E 'Content-Transfer-Encoding: x-uue'
clean av "$tmp/clean" -E 'Content-Transfer-Encoding: utf-8'
withheld Unscanned.encoded av "$tmp/way.nested" -E "$T" -E "$base64"
gzip -c "$tmp/b64" >"$tmp/b64.gz"
withheld Unscanned.encoded av "$tmp/b64.gz" -E "$base64" \
    -E 'Content-Encoding: gzip'

step "no room for what is decoded"
# it is larger than memory may be when its lines end in CR LF
{
	printf -- '--BB\n%s\n\n' "$quoted"
	yes | head -n 30000
	printf -- '--BB--\n'
} >"$tmp/form"
clean av "$tmp/form" -E "$T"
rmdir "$tmp/spool"
unscanned error "$tmp/form" '' -E "$T"
mkdir "$tmp/spool"

step "the end"
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
