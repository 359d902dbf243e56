# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
#
# What the tests of the clamav service share: icapd with the configuration of
# a test, and what becomes of a body.  Read behind lib.sh and clamd.sh.

icapc=${ICAPC:-${top_builddir:-.}/icapc}

# c STATUS SERVICE METHOD OPTION...: icapc, which gives up after a while by
# itself, has to exit with STATUS.
c() {
	c_status=$1 c_path=$2
	shift 2
	status=0
	"$icapc" "$@" "icap://127.0.0.1:$icapd_port/$c_path" \
	    >"$tmp/c.out" 2>"$tmp/c.err" </dev/null || status=$?
	[ "$status" -eq "$c_status" ] || {
		cat "$tmp/c.out" "$tmp/c.err" >&2
		fail "/$c_path $*: status $status instead of $c_status"
	}
}

# is_up PATH: the body $tmp/clean passes there
is_up() {
	"$icapc" respmod -f "$tmp/clean" "icap://127.0.0.1:$icapd_port/$1" \
	    >/dev/null 2>&1
}

says() {
	has "$tmp/c.out" "$1" || {
		cat "$tmp/c.out" >&2
		fail "the reply has not: $1"
	}
}

# infected SERVICE FILE OPTION...: blocked both ways, with every header, and
# nothing of the file is in the reply.
infected() {
	i_path=$1 i_file=$2
	shift 2
	for method in respmod reqmod; do
		rm -f "$tmp/body"
		c 3 "$i_path" $method -f "$i_file" "$@"
		says '403 Forbidden'
		says '^ *X-Infection-Found: Type=0; Resolution=2; Threat=.*;$'
		says '^ *X-Virus-ID: .'
		says '^ *X-Violations-Found: 1 .'
		says '^ *X-Response-Info: Infected'
		says '^ *X-Response-Desc: .'
		c 3 "$i_path" $method -f "$i_file" -o "$tmp/body" "$@"
		! grep -q EICAR-STANDARD "$tmp/body" || fail "it came through"
	done
}

# clean SERVICE FILE OPTION...: comes through as it is, with no header of ours
clean() {
	i_path=$1 i_file=$2
	shift 2
	for method in respmod reqmod; do
		c 0 "$i_path" $method -f "$i_file" --echo "$@"
		! has "$tmp/c.out" 'X-Infection\|X-Virus\|X-Viol\|X-Response' ||
		    fail "headers of a virus on a clean reply"
		c 0 "$i_path" $method -f "$i_file" --no-204 -o "$tmp/body" "$@"
		cmp "$i_file" "$tmp/body" || fail "it was changed"
	done
}

# unscanned REASON FILE OPTION...: blocked, passed and failed, as each of the
# three services says.
unscanned() {
	u_reason=$1 u_file=$2 u_kind=${3:-}
	[ $# -lt 3 ] || shift
	shift 2
	before=$(count "$tmp/icapd.out" "unscanned.*$u_reason")
	c 3 "av$u_kind" respmod -f "$u_file" "$@"
	says '403 Forbidden'
	says "X-Infection-Found: Type=2; .*Threat=Unscanned.$u_reason;"
	c 3 "av$u_kind" reqmod -f "$u_file" -o "$tmp/body" "$@"
	! grep -q EICAR-STANDARD "$tmp/body" || fail "it came through"
	c 4 "fail$u_kind" respmod -f "$u_file" "$@"
	c 0 "pass$u_kind" respmod -f "$u_file" --echo "$@"
	# the logger may need a moment
	wait_until logged "unscanned.*$u_reason" $((before + 4)) ||
	    fail "the log does not say $u_reason"
}

logged() {
	[ "$(count "$tmp/icapd.out" "$1")" -ge "$2" ]
}

# bad_start: badclamd, engines that do not do what they should, with their
# sockets in $tmp/bad, and one on bad_port.  They end with this script, or by
# bad_end: nobody else has the other end of their standard input.
bad_start() {
	mkdir "$tmp/bad"
	mkfifo "$tmp/bad.in"
	start bad "$t_builddir/badclamd" "$tmp/bad"
	bad_pid=$started_pid
	exec 9>"$tmp/bad.in"
	wait_until has "$tmp/bad.out" '^port [1-9]' || fail "no engines"
	bad_port=$(sed -n 's/^port //p' "$tmp/bad.out")
}

bad_end() {
	exec 9>&-
	reap "$bad_pid"
	[ "$status" -eq 0 ] || fail "the engines ended with $status"
}

# section NAME POLICY ENGINE [KEY...]
section() {
	s_name=$1 s_policy=$2 s_engine=$3
	shift 3
	cat <<-END
	clamav "$s_name" {
		engines = {"$s_engine"}
		on-unscanned = $s_policy
		connect-timeout = 5s
		reply-timeout = 60s
		scan-timeout = 120s
		keep = 5
		max-size = 110M
		$*
	}
	service "/$s_name" { run = {"$s_name"} }
	END
}
