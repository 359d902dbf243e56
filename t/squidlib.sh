# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# Squid for tests: on a free port of this host, without a cache, and gone
# without a trace afterwards.  What else its configuration is to say is printed
# by the function squid_more of the test.  Read after lib.sh; skips the test
# where there is no Squid with ICAP.

PORT_TRIES=20		# ports that may be taken before we give up
CURL_SECONDS=300	# after which a hang is a failure

# Who is served; a test with a file of host names has to say more.
squid_access='acl loopback dst 127.0.0.1
http_access allow loopback
http_access deny all'

squid=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v squid) ||
    skip "no squid here (Debian: apt-get install squid-openssl)"
"$squid" -v | grep -q -e --enable-icap-client ||
    skip "$squid is built without ICAP"

# Squid as root becomes another user; its files have to be that user's.
squid_user() {
	for sq_user in proxy squid nobody; do
		if id -u "$sq_user" >/dev/null 2>&1; then
			echo "$sq_user"
			return
		fi
	done
}

# squid_config PORT
squid_config() {
	cat <<-END
	http_port 127.0.0.1:$1
	visible_hostname localhost
	pid_filename $tmp/squid/squid.pid
	coredump_dir $tmp/squid
	cache_log $tmp/squid/cache.log
	access_log stdio:$tmp/squid/access.log
	logformat icapt %icap::to %icap::Hs %icap::rm %rm %ru
	icap_log stdio:$tmp/squid/icap.log icapt
	cache deny all
	cache_mem 0 MB
	memory_cache_shared off
	pinger_enable off
	netdb_filename none
	max_filedescriptors 1024
	shutdown_lifetime 0 seconds
	dns_nameservers 127.0.0.1
	$squid_access
	END
	squid_more
	if [ "$(id -u)" -eq 0 ]; then
		echo "cache_effective_user $(squid_user)"
	fi
}

# squid_icap SERVICE POINT...: lines for squid_more, with the service of icapd
# at the vectoring points req and resp, or one of them.
squid_icap() {
	sq_service=$1
	shift
	cat <<-END
	icap_enable on
	icap_service_failure_limit -1
	adaptation_send_client_ip on
	END
	for sq_point in "$@"; do
		echo "icap_service $sq_point ${sq_point}mod_precache" \
		    "icap://127.0.0.1:$icapd_port/$sq_service bypass=off"
		echo "adaptation_access $sq_point allow all"
	done
}

# squid_curl OPTION... URL: through Squid, bounded
squid_curl() {
	curl -q -sS --max-time "$CURL_SECONDS" \
	    -x "http://127.0.0.1:$squid_port" "$@" 9>&-
}

# Squid cannot bind port 0, so it tries ports below the ephemeral ones until
# one is its own; that it is bound, not that it looked free, counts.
squid_start() {
	mkdir "$tmp/squid"
	[ "$(id -u)" -ne 0 ] || chown "$(squid_user)" "$tmp/squid"
	squid_name=icapdt$$
	cleanup_hook=squid_unlink
	tries=0
	while [ "$tries" -lt "$PORT_TRIES" ]; do
		squid_port=$(awk -v seed="$$$tries" 'BEGIN {
			srand(seed)
			print 10000 + int(rand() * 20000)
		}')
		tries=$((tries + 1))
		rm -f "$tmp/squid/cache.log"
		squid_config "$squid_port" >"$tmp/squid.conf"
		start squid "$squid" -N -n "$squid_name" -f "$tmp/squid.conf"
		squid_pid=$started_pid
		wait_until squid_is_up || fail "Squid is not ready"
		if is_running "$squid_pid"; then
			return
		fi
		reap "$squid_pid"
		has "$tmp/squid/cache.log" 'Unable to open HTTP Socket' ||
		    fail "Squid does not start"
		say "port $squid_port is taken"
	done
	fail "no port for Squid"
}

# Up, or beyond hope.
squid_is_up() {
	has "$tmp/squid/cache.log" 'Accepting HTTP Socket connections' ||
	    ! is_running "$squid_pid"
}

squid_stop() {
	squid_family=$(family "$squid_pid")
	kill -TERM "$squid_pid" || fail "Squid is gone already"
	reap "$squid_pid"
	[ "$status" -eq 0 ] || fail "Squid ended with status $status"
	# shellcheck disable=SC2086 # a list of pids
	wait_until is_gone $squid_family || fail "Squid left processes"
	[ ! -e "$tmp/squid/squid.pid" ] || fail "Squid left its pid file"
	squid_unlink
}

# Squid leaves its shared memory when it ends early; the name is ours alone.
squid_unlink() {
	rm -f "/dev/shm/$squid_name"-*
}
