#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A real Squid with icapd behind it: forward proxy, both vectoring points,
# preview and 206 on, nothing bypassed, no cache.  Every kind of message a
# browser makes goes client -> Squid -> icapd -> Squid -> origin and back;
# what arrives has to be what was sent.  Afterwards Squid's ICAP log may show
# no failed transaction, and icapd must have printed just the requests sent.
# Then services that change a head, or the first bytes of a body, and leave the
# rest to Squid with a 206.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=squidlib.sh
. "$(dirname "$0")/squidlib.sh"

CLIENTS=50		# in parallel
BIG=3000000		# bytes: more than any buffer or preview on the way
HUGE=100000000		# bytes: as long as downloads are
service="echo"		# what Squid is told to ask

need curl curl
setup

squid_more() {
	squid_icap "$service" req resp
	cat <<-END
	icap_preview_enable $preview
	icap_206_enable on
	icap_persistent_connections on
	server_persistent_connections off
	force_request_body_continuation allow all
	forwarded_for delete
	quick_abort_min 0 KB
	quick_abort_max 0 KB
	adaptation_send_username on
	END
}

# sent METHOD URL: icapd will have to print this request, once.
sent() {
	echo "$1 $2 HTTP/1.1" >>"$tmp/sent"
}

# via OPTION... URL: curl through Squid
via() {
	squid_curl "$@" || fail "curl $* ended with $?"
}

# expect_status FILE STATUS: the last head that curl stored with -D.
expect_status() {
	got=$(sed -n 's,^HTTP/[0-9.]* \([0-9]*\).*,\1,p' "$1" | tail -n 1)
	[ "$got" = "$2" ] || fail "status $got instead of $2"
}

# download URL SIZE SEED
download() {
	sent GET "$1"
	via -D "$tmp/head" -o "$tmp/body" "$1"
	expect_status "$tmp/head" 200
	"$origin" -g "$2" "$3" | cmp - "$tmp/body" ||
	    fail "$1 came changed"
}

# upload METHOD STATUS FILE [CURL-OPTION...]: the origin answers with the
# checksum of what reached it.
upload() {
	up_method=$1 up_status=$2 up_file=$3
	shift 3
	sent "$up_method" "$url/upload"
	via -X "$up_method" -D "$tmp/head" -o "$tmp/body" \
	    --data-binary "@$up_file" "$@" "$url/upload"
	expect_status "$tmp/head" "$up_status"
	cksum <"$up_file" | cmp -s - "$tmp/body" ||
	    fail "upload arrived as $(cat "$tmp/body"), sent $(cksum <"$up_file")"
}

# browse on|off [OPTION...]: all of it once, with icapd started like this and
# Squid's preview on or off.
browse() {
	preview=$1
	shift
	rm -rf "$tmp/squid" "$tmp/sent"
	origin_start
	url=http://127.0.0.1:$origin_port
	icapd_start "$@"
	squid_start

	step "preview $preview; GET, sizes around every preview and buffer"
	for size in 0 1 2 1023 1024 1025 4095 4096 4097 16384 65535 65536 65537; do
		download "$url/size/$size/$((size + 1))" "$size" "$((size + 1))"
	done

	step "GET, length unknown"
	for size in 0 1 1024 4096 70000; do
		download "$url/chunked/$size/5" "$size" 5
		download "$url/close/$size/6" "$size" 6
	done

	step "download of $BIG bytes"
	download "$url/size/$BIG/7" "$BIG" 7
	download "$url/chunked/$BIG/8" "$BIG" 8
	download "$url/close/$BIG/9" "$BIG" 9
	download "$url/size/$HUGE/10" "$HUGE" 10

	step "HEAD"
	for path in "size/$BIG" "chunked/$BIG" size/0 status/204; do
		sent HEAD "$url/$path"
		via -I -D "$tmp/head" -o /dev/null "$url/$path"
		case $path in
		"size/$BIG")
			grep -q -i "^Content-Length: $BIG" "$tmp/head" ||
			    fail "Content-Length of a HEAD is lost"
			expect_status "$tmp/head" 200 ;;
		status/204)
			expect_status "$tmp/head" 204 ;;
		*)
			expect_status "$tmp/head" 200 ;;
		esac
	done

	step "204 and 304 have no body"
	for code in 204 304; do
		sent GET "$url/status/$code"
		via -D "$tmp/head" -o "$tmp/body" "$url/status/$code"
		expect_status "$tmp/head" "$code"
		[ ! -s "$tmp/body" ] || fail "$code with a body"
		: >"$tmp/body"
	done

	step "POST and PUT without Expect"
	for file in empty small middle big; do
		upload POST 200 "$tmp/$file" -H Expect:
		upload PUT 201 "$tmp/$file" -H Expect:
	done

	step "POST and PUT with Expect"
	for file in small big; do
		upload POST 200 "$tmp/$file" -H 'Expect: 100-continue' \
		    --expect100-timeout 55
		has "$tmp/head" '^HTTP/1.1 100 ' || fail "no 100 Continue came"
		upload PUT 201 "$tmp/$file" -H 'Expect: 100-continue' \
		    --expect100-timeout 55
		has "$tmp/head" '^HTTP/1.1 100 ' || fail "no 100 Continue came"
	done

	step "POST and PUT, chunked"
	for file in empty small middle big; do
		upload POST 200 "$tmp/$file" -H Expect: \
		    -H 'Transfer-Encoding: chunked'
		upload PUT 201 "$tmp/$file" -H Expect: \
		    -H 'Transfer-Encoding: chunked'
	done

	step "CONNECT"
	sent CONNECT "127.0.0.1:$origin_port"
	via -p -o "$tmp/body" "$url/size/5000/14"
	"$origin" -g 5000 14 | cmp - "$tmp/body" || fail "the tunnel changes bytes"

	step "$CLIENTS clients at once"
	i=0
	while [ "$i" -lt "$CLIENTS" ]; do
		i=$((i + 1))
		sent GET "$url/barrier/$CLIENTS/$i"
	done
	via -Z --no-progress-meter --parallel-immediate --parallel-max "$CLIENTS" \
	    -o "$tmp/client.#1" "$url/barrier/$CLIENTS/[1-$CLIENTS]"
	while [ "$i" -gt 0 ]; do
		"$origin" -g $((30000 + i)) "$i" | cmp - "$tmp/client.$i" ||
		    fail "client $i got another's bytes"
		i=$((i - 1))
	done

	step "a client aborts while it waits for the second half"
	sent GET "$url/hold/200000"
	start curl curl -q -sS -x "http://127.0.0.1:$squid_port" -o /dev/null \
	    "$url/hold/200000"
	wait_until has "$tmp/origin.out" '^held' || fail "the download never began"
	kill -TERM "$started_pid"
	reap "$started_pid"
	wait_until has "$tmp/origin.out" '^gone' ||
	    fail "Squid never gave the origin up"

	step "a client aborts in the middle of a download"
	sent GET "$url/size/50000000/15"
	curl -q -sS --max-time "$CURL_SECONDS" -x "http://127.0.0.1:$squid_port" \
	    "$url/size/50000000/15" 9>&- 2>/dev/null | head -c 100000 >"$tmp/body"
	"$origin" -g 100000 15 | cmp - "$tmp/body" ||
	    fail "the bytes before the abort are wrong"
	aborted=2

	step "all is well afterwards"
	download "$url/size/70000/16" 70000 16
	upload POST 200 "$tmp/middle"

	squid_stop
	step "Squid's ICAP log shows no failed transaction"
	log=$tmp/squid/icap.log
	has "$log" '^ICAP_OPT ' || fail "Squid never asked for the options"
	grep -v -E '^ICAP_(ECHO|MOD|SAT|OPT) ' "$log" >"$tmp/failed"
	if [ "$preview" = on ]; then
		has "$log" "^ICAP_ECHO 204 RESPMOD GET .*/size/$BIG/" ||
		    fail "no answer to a preview"
	else
		has "$log" "^ICAP_MOD 200 REQMOD POST " ||
		    fail "no body of a request came back"
		has "$log" "^ICAP_MOD 200 RESPMOD GET .*/size/$BIG/" ||
		    fail "no body of a reply came back"
	fi
	# A client that aborts may take its RESPMOD along; no other may fail.
	if grep -v -E "^ICAP_ERR_GONE .* RESPMOD GET $url/(hold/|size/50000000)" \
	    "$tmp/failed" >&2; then
		fail "Squid reports the failed transactions above"
	fi
	[ "$(wc -l <"$tmp/failed")" -le "$aborted" ] ||
	    fail "more failed transactions than clients that aborted"
	if grep -E 'FATAL|(suspended|down|essential) .*ICAP|ICAP.* (suspended|down)' \
	    "$tmp/squid/cache.log" >&2; then
		fail "Squid's log says the above"
	fi

	step "Squid sent each request to icapd, once"
	sort "$tmp/sent" >"$tmp/sent.sorted"
	sed -n 's,^[^ ]* [^ ]* REQMOD \(.*\),\1 HTTP/1.1,p' "$log" | sort |
	    diff "$tmp/sent.sorted" - >&2 ||
	    fail "requests sent (<) and in Squid's ICAP log (>) differ"
	grep -v ^CONNECT "$tmp/sent.sorted" >"$tmp/replies.sorted"
	sed -n 's,^[^ ]* [^ ]* RESPMOD \(.*\),\1 HTTP/1.1,p' "$log" | sort |
	    diff "$tmp/replies.sorted" - >&2 ||
	    fail "replies expected (<) and in Squid's ICAP log (>) differ"

	icapd_stop TERM
	step "icapd printed the request lines, and nothing else"
	sort "$tmp/icapd.out" | diff "$tmp/sent.sorted" - >&2 ||
	    fail "requests sent (<) and printed by icapd (>) differ"
	complaints >&2
	[ -z "$(complaints)" ] || fail "icapd complains as above"
	origin_stop
	say "$(wc -l <"$tmp/sent") requests, $(wc -l <"$log") ICAP transactions"
}

# testd_start: icapd with services for tests, among them $service
testd_start() {
	cat >"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" {
		workers = 8
	}
	service "/$service" { run = {$service} }
	END
	icapd_serve
}

# changed URL SIZE SEED: arrives as $service makes it
changed() {
	via -D "$tmp/head" -o "$tmp/body" "$1"
	expect_status "$tmp/head" 200
	"$origin" -g "$2" "$3" >"$tmp/wanted"
	if [ "$service" = prefix ]; then
		{
			printf HEY
			tail -c +4 "$tmp/wanted"
		} >"$tmp/wanted.prefix"
		mv "$tmp/wanted.prefix" "$tmp/wanted"
	else
		has "$tmp/head" '^X-Test: seen' ||
		    fail "$1 came without the field"
	fi
	cmp "$tmp/wanted" "$tmp/body" || fail "$1 came wrong"
}

# partial SERVICE: one that changes heads, or the first bytes of bodies; Squid
# puts the rest behind what the 206 brings (C283).
partial() {
	service=$1
	preview=on
	rm -rf "$tmp/squid"
	origin_start
	url=http://127.0.0.1:$origin_port
	testd_start
	squid_start
	step "206 of the service $service"
	for size in 3 4 5 1023 1024 1025 4095 4096 4097 65536 "$BIG"; do
		changed "$url/size/$size/31" "$size" 31
		changed "$url/chunked/$size/32" "$size" 32
		changed "$url/close/$size/33" "$size" 33
	done
	if [ "$service" = header ]; then
		for size in 0 1 2; do
			changed "$url/size/$size/31" "$size" 31
			changed "$url/chunked/$size/32" "$size" 32
			changed "$url/close/$size/33" "$size" 33
		done
		for file in small middle big; do
			via -X POST -D "$tmp/head" -o "$tmp/body" \
			    -H Expect: --data-binary "@$tmp/$file" "$url/upload"
			cksum <"$tmp/$file" | cmp -s - "$tmp/body" ||
			    fail "upload of $file arrived changed"
		done
		via -I -D "$tmp/head" -o /dev/null "$url/size/$BIG"
		has "$tmp/head" '^X-Test: seen' || fail "HEAD without the field"
	fi
	squid_stop
	log=$tmp/squid/icap.log
	if grep -v -E '^ICAP_(ECHO|PART_ECHO|MOD|OPT) ' "$log" >&2; then
		fail "Squid reports the failed transactions above"
	fi
	grep -E ' RESPMOD GET ' "$log" >"$tmp/replies"
	[ "$(count "$tmp/replies" '^ICAP_PART_ECHO 206 ')" -gt 0 ] ||
	    fail "Squid was never answered with 206"
	if [ "$service" = header ]; then
		# of a body of known length Squid always has the rest
		if grep '/size/[1-9]' "$tmp/replies" |
		    grep -v '^ICAP_PART_ECHO 206 ' >&2; then
			fail "no 206 above"
		fi
		has "$log" '^ICAP_PART_ECHO 206 REQMOD POST ' ||
		    fail "no 206 for an upload"
	fi
	say "$(count "$log" '^ICAP_PART_ECHO 206 ') of $(wc -l <"$log") with 206"
	icapd_stop TERM
	[ -z "$(complaints)" ] || {
		complaints >&2
		fail "testd complains as above"
	}
	origin_stop
}

[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"
"$origin" -g "$BIG" 11 >"$tmp/big"
"$origin" -g 500 12 >"$tmp/small"
"$origin" -g 40000 13 >"$tmp/middle"
: >"$tmp/empty"

browse on "$@"
# Without a preview large bodies come back in 200s.  Two workers are fewer than
# the connections that Squid keeps: idle ones must make room.
browse off --workers 2

ICAPD=$t_builddir/testd
case $ICAPD in
/*) ;;
*) ICAPD=$PWD/$ICAPD ;;
esac
[ -x "$ICAPD" ] || fail "$ICAPD: no such program (make check builds it)"
partial header
partial prefix
