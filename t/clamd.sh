# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# A real clamd for the tests: its own socket in $tmp, its own signatures, no
# download.  Read by the scripts of this folder behind lib.sh; clamd_setup
# comes after setup.

# Skips the test where there is no clamd; makes $tmp/eicar and the signature.
# Its socket is $clamd_socket, which may be set to another one then.
clamd_setup() {
	clamd=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v clamd) ||
	    skip "no clamd here (Debian: apt-get install clamav-daemon)"
	need od coreutils
	# In two halves, or scanners would take this file away.
	# shellcheck disable=SC2016 # there is nothing to expand
	eicar='X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-'
	# shellcheck disable=SC2016
	eicar="$eicar"'STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'
	printf %s "$eicar" >"$tmp/eicar"
	[ "$(wc -c <"$tmp/eicar")" -eq 68 ] || fail "EICAR is wrong"
	mkdir "$tmp/db"
	clamd_socket=$tmp/clamd.sock
	echo "Eicar-Test:0:*:$(hex "$tmp/eicar")" >"$tmp/db/test.ndb"
}

hex() {
	od -A n -v -t x1 "$1" | tr -d ' \n'
}

# signature FILE NAME: the whole file, by its hash
signature() {
	echo "$(md5sum <"$1" | cut -d ' ' -f 1):$(wc -c <"$1"):$2"
}

# More lines of its configuration are in the file $clamd_more; its threads are
# four, or $clamd_threads, and a file may have 200M, or $clamd_max.
clamd_config() {
	cat <<-END
	DatabaseDirectory $tmp/db
	LocalSocket $clamd_socket
	Foreground yes
	MaxFileSize ${clamd_max:-200M}
	MaxScanSize 400M
	StreamMaxLength 1M
	MaxThreads ${clamd_threads:-4}
	END
	[ "$(id -u)" -ne 0 ] || echo "User root"
	cat "$clamd_more"
}

clamd_start() {
	rm -f "$clamd_socket"
	clamd_config >"$tmp/clamd.conf"
	start clamd "$clamd" -c "$tmp/clamd.conf"
	clamd_pid=$started_pid
	wait_until clamd_is_up || fail "clamd is not ready"
	is_running "$clamd_pid" || fail "clamd does not start"
}

clamd_is_up() {
	[ -S "$clamd_socket" ] && has "$tmp/clamd.out" 'Self checking' ||
	    ! is_running "$clamd_pid"
}

# clamd_tcp_start: the same clamd on TCP as well, on a port that is free, for
# it cannot take one that the kernel chooses; sets clamd_port, and has_ipv6 to
# yes or no.
clamd_tcp_start() {
	has_ipv6=no
	! grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null || has_ipv6=yes
	cp "$clamd_more" "$tmp/clamd.less"
	clamd_try=0
	while [ "$clamd_try" -lt 20 ]; do
		clamd_try=$((clamd_try + 1))
		clamd_port=$((20000 + ($$ * 37 + clamd_try * 1009) % 12000))
		{
			cat "$tmp/clamd.less"
			echo "TCPSocket $clamd_port"
			echo "TCPAddr 127.0.0.1"
			[ $has_ipv6 = no ] || echo "TCPAddr ::1"
		} >"$clamd_more"
		rm -f "$clamd_socket"
		clamd_config >"$tmp/clamd.conf"
		start clamd "$clamd" -c "$tmp/clamd.conf"
		clamd_pid=$started_pid
		wait_until clamd_is_up || fail "clamd is not ready"
		if is_running "$clamd_pid" &&
		    ! has "$tmp/clamd.out" 'annot bind'; then
			return
		fi
		end "$clamd_pid"
		forget "$clamd_pid"
	done
	fail "clamd finds no free port"
}

# How many connections it has, waiting ones too.
clamd_connections() {
	count /proc/net/unix " $clamd_socket$"
}
