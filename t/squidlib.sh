# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# Squid for tests: on a free port, with the configuration that the function
# squid_config of the test prints, and gone without a trace afterwards.  Read
# after lib.sh; skips the test where there is no Squid with ICAP.

PORT_TRIES=20		# ports that may be taken before we give up

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
