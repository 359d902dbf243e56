# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# A real clamd for the tests: its own socket in $tmp, its own signatures, no
# download.  Read by the scripts of this folder behind lib.sh; clamd_setup
# comes after setup.

# clamd_setup [LINE...]: skips the test where there is no clamd; makes
# $tmp/eicar and the signature.  The lines are more of its configuration, in
# the file $clamd_more; its socket is $clamd_socket.  Both may be changed then.
# shellcheck disable=SC2120
clamd_setup() {
	"$ICAPD" -l | grep -q '^clamav' || fail "icapd has no clamav"
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
	clamd_more=$tmp/clamd.more
	printf '%s\n' "$@" >"$clamd_more"
	echo "Eicar-Test:0:*:$(hex "$tmp/eicar")" >"$tmp/db/test.ndb"
}

hex() {
	od -A n -v -t x1 "$1" | tr -d ' \n'
}

# signature FILE NAME: the whole file, by its hash
signature() {
	echo "$(md5sum <"$1" | cut -d ' ' -f 1):$(wc -c <"$1"):$2"
}

le4() {
	printf '%02x%02x%02x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) \
	    $(($1 >> 16 & 255)) $(($1 >> 24 & 255))
}

# unhex DIGITS
unhex() {
	u_left=$1
	while [ -n "$u_left" ]; do
		u_rest=${u_left#??}
		# shellcheck disable=SC2059
		printf "\\$(printf %03o "0x${u_left%"$u_rest"}")"
		u_left=$u_rest
	done
}

# zipped FILE [FLAGS]: a ZIP with the file as its one deflated member, made from
# what gzip(1) makes of it, whose last eight bytes are CRC and size, little
# endian.  Flags 0100 say that it has a password.
zipped() {
	gzip -c <"$1" >"$tmp/zipped.gz"
	z_len=$(($(wc -c <"$tmp/zipped.gz") - 18))
	z_crc=$(tail -c 8 "$tmp/zipped.gz" | head -c 4 >"$tmp/zipped.4"
	    hex "$tmp/zipped.4")
	z_size=$(tail -c 4 "$tmp/zipped.gz" >"$tmp/zipped.4"
	    hex "$tmp/zipped.4")
	# version, flags, method, time, date; CRC, sizes; lengths
	z_common=1400${2:-0000}080000002100$z_crc$(le4 $z_len)${z_size}05000000
	unhex "504b0304$z_common"
	printf a.com
	tail -c +11 "$tmp/zipped.gz" | head -c $z_len
	unhex "504b01021400${z_common}0000000000000000000000000000"
	printf a.com
	unhex "504b0506000000000100010033000000$(le4 $((35 + z_len)))0000"
}

# Its threads are four, or $clamd_threads, and a file may have 200M, or
# $clamd_max.
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

# The configuration that Debian's package makes, but for what belongs to the
# host: its own where it is there, or what matters here of it.
clamd_debian() {
	if has /etc/clamav/clamd.conf 'by clamav-daemon postinst'; then
		grep -v -e '^#' -e '^LocalSocket' -e '^LogFile ' \
		    -e '^DatabaseDirectory' -e '^User' -e '^Foreground' \
		    /etc/clamav/clamd.conf
	else
		cat <<-END
		FixStaleSocket true
		ScanArchive true
		ReadTimeout 180
		MaxThreads 12
		MaxConnectionQueueLength 15
		SelfCheck 3600
		IdleTimeout 30
		CommandReadTimeout 30
		SendBufTimeout 200
		MaxQueue 100
		MaxScanTime 120000
		MaxScanSize 100M
		MaxFileSize 25M
		MaxRecursion 16
		MaxFiles 10000
		PCREMaxFileSize 25M
		StreamMaxLength 25M
		END
	fi
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
