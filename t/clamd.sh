# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# A real clamd for the tests: its own socket in $tmp, its own signatures, no
# download.  Read by the scripts of this folder behind lib.sh; clamd_setup
# comes after setup.

# Skips the test where there is no clamd; makes $tmp/eicar and the signature.
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
	echo "Eicar-Test:0:*:$(hex "$tmp/eicar")" >"$tmp/db/test.ndb"
}

hex() {
	od -A n -v -t x1 "$1" | tr -d ' \n'
}

# signature FILE NAME: the whole file, by its hash
signature() {
	echo "$(md5sum <"$1" | cut -d ' ' -f 1):$(wc -c <"$1"):$2"
}

clamd_max=		# the largest file it scans, or empty: larger than any

# More lines of its configuration are in the file $clamd_more.
clamd_config() {
	cat <<-END
	DatabaseDirectory $tmp/db
	LocalSocket $tmp/clamd.sock
	Foreground yes
	MaxFileSize ${clamd_max:-200M}
	MaxScanSize 400M
	StreamMaxLength 1M
	MaxThreads 4
	END
	[ "$(id -u)" -ne 0 ] || echo "User root"
	cat "$clamd_more"
}

clamd_start() {
	rm -f "$tmp/clamd.sock"
	clamd_config >"$tmp/clamd.conf"
	start clamd "$clamd" -c "$tmp/clamd.conf"
	clamd_pid=$started_pid
	wait_until clamd_is_up || fail "clamd is not ready"
	is_running "$clamd_pid" || fail "clamd does not start"
}

clamd_is_up() {
	[ -S "$tmp/clamd.sock" ] && has "$tmp/clamd.out" 'Self checking' ||
	    ! is_running "$clamd_pid"
}

# How many connections it has, waiting ones too.
clamd_connections() {
	count /proc/net/unix " $tmp/clamd.sock$"
}
