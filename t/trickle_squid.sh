#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A trickle through Squid: while clamd hangs (SIGSTOP) the user has the
# beginning of a download.  If it is infected the download fails for him,
# told its length or not; if it is clean it is whole; and where he could not
# tell the one from the other he gets nothing before the verdict.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=squidlib.sh
. "$(dirname "$0")/squidlib.sh"
# shellcheck source=clamd.sh
. "$(dirname "$0")/clamd.sh"

need curl curl
[ -x "$origin" ] || fail "$origin: no such program (make check builds it)"
setup
clamd_setup

# squid_config PORT
squid_config() {
	cat <<-END
	http_port 127.0.0.1:$1
	visible_hostname localhost
	pid_filename $tmp/squid/squid.pid
	coredump_dir $tmp/squid
	cache_log $tmp/squid/cache.log
	access_log none
	cache deny all
	cache_mem 0 MB
	memory_cache_shared off
	pinger_enable off
	netdb_filename none
	max_filedescriptors 1024
	shutdown_lifetime 0 seconds
	dns_nameservers 127.0.0.1
	acl loopback dst 127.0.0.1
	http_access allow loopback
	http_access deny all
	icap_enable on
	icap_service av respmod_precache icap://127.0.0.1:$icapd_port/av bypass=off
	icap_service short respmod_precache icap://127.0.0.1:$icapd_port/short bypass=off
	acl short urlpath_regex ^/short
	adaptation_access av allow !short
	adaptation_access short allow short
	END
	if [ "$(id -u)" -eq 0 ]; then
		echo "cache_effective_user $(squid_user)"
	fi
}

# has_size FILE BYTES
has_size() {
	[ "$(wc -c 2>/dev/null <"$1" || echo 0)" -ge "$2" ]
}

# reply_of FILE FRAMING: what the web server answers, with that field for it
reply_of() {
	printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n'
	case $2 in
	length)
		printf 'Content-Length: %d\r\n\r\n' "$(wc -c <"$1")"
		cat "$1"
		;;
	chunked)
		printf 'Transfer-Encoding: chunked\r\n\r\n%x\r\n' \
		    "$(wc -c <"$1")"
		cat "$1"
		printf '\r\n0\r\n\r\n'
		;;
	esac
}

# download FILE FRAMING BYTES PATH OPTION...: begins, with clamd stopped, which
# goes on when so many bytes are there; curl's exit status is in $status.
download() {
	d_bytes=$3 d_path=$4
	reply_of "$1" "$2" >"$tmp/reply"
	shift 4
	start floor "$t_builddir/bench/floor" -r "$tmp/reply" reply
	floor_pid=$started_pid
	wait_until has "$tmp/floor.out" '^port [1-9]' ||
	    fail "the web server is not ready"
	rm -f "$tmp/body"
	kill -STOP "$clamd_pid"
	start curl curl -q -sS -N --max-time "$CURL_SECONDS" \
	    -x "http://127.0.0.1:$squid_port" -o "$tmp/body" \
	    -w '%{http_code}\n' "$@" \
	    "http://127.0.0.1:$(sed -n 's/^port //p' "$tmp/floor.out")$d_path"
	curl_pid=$started_pid
	if [ "$d_bytes" -gt 0 ]; then
		wait_until has_size "$tmp/body" "$d_bytes" ||
		    fail "nothing came before the verdict"
		[ "$(wc -c <"$tmp/body")" -eq "$d_bytes" ] ||
		    fail "too much came before the verdict"
		kill -CONT "$clamd_pid"
	fi
	reap "$curl_pid"
	kill -CONT "$clamd_pid"
	end "$floor_pid"
	forget "$floor_pid"
}

step "clamd, icapd and Squid start"
clamd_start
cat >"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = 16 }
	log "-" { form = text }
	clamav av {
		engines = {"unix:$tmp/clamd.sock"}
		cache = no
		trickle = "5000/10ms"
		trickle-max = 5000
	}
	clamav short {
		engines = {"unix:$tmp/clamd.sock"}
		cache = no
		trickle = "5000/10ms"
		reply-timeout = 1s
	}
	service "/av" { run = {av} }
	service "/short" { run = {short} }
END
icapd_serve
squid_start
"$origin" -g 30000 3 >"$tmp/clean"
cat "$tmp/clean" "$tmp/eicar" >"$tmp/bad"

for framing in length chunked; do
	step "$framing: an infected one fails"
	download "$tmp/bad" $framing 5000 /
	[ "$status" -ne 0 ] || fail "curl takes the part for the whole"
	has_size "$tmp/body" 5000 || fail "the part is gone"
	! has_size "$tmp/body" 5001 || fail "more came"
	say "curl: $(cat "$tmp/curl.err")"
	step "$framing: a clean one is whole"
	download "$tmp/clean" $framing 5000 /
	[ "$status" -eq 0 ] || fail "curl: $(cat "$tmp/curl.err")"
	cmp "$tmp/clean" "$tmp/body" || fail "it was changed"
done
wait_until has "$tmp/icapd.out" 'replaced .*CUT why="cut after 5000 bytes" threat="Eicar' ||
    fail "the log does not say so"

step "HTTP/1.0 without a length: nothing before the verdict, but a page"
download "$tmp/clean" chunked 0 /short -0
has "$tmp/body" '<h1>Not scanned</h1>' || fail "not our page"
step "the same with HTTP/1.1 has begun, and fails"
download "$tmp/clean" chunked 0 /short
[ "$status" -ne 0 ] || fail "curl takes the part for the whole"

step "the end"
squid_stop
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
say ok
