#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The benchmark: icapd, the floor (t/bench/floor, a server that moves the
# bytes and does nothing else) and c-icap, in turn A B C A B C, with the same
# requests on the same number of connections, all from icapc, which checks
# every reply. icapd and c-icap write their access logs; "no-log" is icapd
# without. Run by `make bench` in the build folder; nothing leaves the
# loopback. Prints tables and says of each goal whether it is reached; leaves
# bench.tsv (every single run), bench.txt (what is printed), readme.txt (what
# t/bench/readme.sh puts into README) and, where gnuplot is installed, plot.svg
# and plot.png, in t/bench of the build folder.
#
# The environment may set
#	BENCH_QUICK=1	one short round, under a minute, for a first look
#	BENCH_ROUNDS	rounds of each comparison (5)
#	BENCH_SECONDS	of each run (1)
#	BENCH_PIN=1	servers on the first processor, icapc on the second
#	BENCH_ONLY	words: compare lists connections memory calls growth
# Exit status 0 if all replies were good; goals that are missed do not count,
# for they depend on the machine and on who else uses it.

set -u
# Logs and spooled bodies go to memory: the disk is not what is measured, and
# a full access log of 130,000 lines a second is more than many can take.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || TMPDIR=/dev/shm
[ -z "${TMPDIR:-}" ] || export TMPDIR
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"

icapc=${ICAPC:-${top_builddir:-.}/icapc}
floor=${FLOOR:-$t_builddir/bench/floor}
out=${BENCH_OUT:-$t_builddir/bench}
only=${BENCH_ONLY:-compare lists connections memory calls growth}
if [ "${BENCH_QUICK:-}" = 1 ]; then
	rounds=${BENCH_ROUNDS:-1} seconds=${BENCH_SECONDS:-0.4} growths=1
	connections="1 64" many=200 entries=100000 million=100K
	sizes="0 4K 64K 1M 16M" heads="0 30 60"
	more="16 256" list_sizes="1000 10000"
else
	rounds=${BENCH_ROUNDS:-5} seconds=${BENCH_SECONDS:-1} growths=3
	connections="1 64 512" many=1000 entries=1000000 million=1M
	sizes="0 1K 4K 16K 64K 256K 1M 4M 16M 64M" heads="0 10 20 40 60"
	more="16 128 256 1000 2000" list_sizes="1000 10000 100000 1000000"
fi
WORKERS=8
CICAP_PORTS="23444 31444 27444 25444"	# c-icap cannot take a free one
TAB=$(printf '\t')

# wanted WORD: this part is to be run.
wanted() {
	case " $only " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

note() {
	echo "note: $*" >>"$tmp/notes"
	echo "bench: $*" >&2
}

progress() {
	[ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2
}

# --- the processes ---------------------------------------------------------

# Set by eval for each server.
port_ours=
ru_port='' ru_pids='' ce_port=''

pin_server='' pin_client=''
if [ "${BENCH_PIN:-}" = 1 ]; then
	need taskset util-linux
	pin_server="taskset -c 0" pin_client="taskset -c 1"
fi

# floor_start NAME OPTION...: sets port_NAME and pids_NAME
floor_start() {
	fl_name=$1
	shift
	rm -f "$tmp/$fl_name.out"
	# shellcheck disable=SC2086	# words
	start "$fl_name" $pin_server "$floor" "$@"
	wait_until has "$tmp/$fl_name.out" '^port [1-9]' ||
	    fail "$fl_name is not ready"
	server_is "$fl_name" "$(sed -n 's/^port //p' "$tmp/$fl_name.out")" \
	    "$started_pid"
}

# server_is NAME PORT PID
server_is() {
	eval "port_$1=$2 main_$1=$3"
	eval "pids_$1='$3 $(family "$3" | tr '\n' ' ')'"
}

# server_end NAME...
server_end() {
	for se_name in "$@"; do
		eval "se_pid=\${main_$se_name:-}"
		[ -n "$se_pid" ] || continue
		# its workers end with it; to look at 2000 takes a minute
		kill -TERM "$se_pid"
		reap "$se_pid"
		eval "main_$se_name= pids_$se_name="
	done
}

# ours_launch WORKERS [FILE]: icapd with the service echo and a chain of three
# that has nothing to change, and with an access log where a file is named;
# waits for nothing.
ours_launch() {
	mkdir -p "$tmp/spool" "$tmp/run"
	chmod 1777 "$tmp/spool"
	cat >"$tmp/icapd.conf" <<-END
	listen "127.0.0.1:0" { workers = $1 }
	headers drop {
		rule "x" { action = remove name = X-Nobody-Sends-This }
	}
	headers mark {
		rule "x" { action = set name = X-Mark value = 1 status = {599} }
	}
	service "/echo" { run = {echo} }
	service "/chain" { run = {drop, mark, echo} }
	${2:+log "$2" { \}}
	END
	rm -f "$tmp/icapd.err"
	start icapd icapd_exec -d -f "$tmp/icapd.conf"
	icapd_pid=$started_pid
}

# ours_listens: waits for it, sets icapd_port.
ours_listens() {
	wait_until icapd_is_up || fail "icapd is not ready"
	icapd_port=$(sed -n \
	    's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' \
	    "$tmp/icapd.err" | head -n 1)
	[ -n "$icapd_port" ] || fail "icapd ended instead of listening"
}

# ours_start WORKERS [NAME [FILE]]: sets port_NAME (ours) and pids_NAME.  It
# logs its transactions, unless the file is "".
ours_start() {
	os_name=${2:-ours}
	ours_launch "$1" "${3-$log}"
	ours_listens
	[ -z "$pin_server" ] || taskset -a -c -p 0 "$icapd_pid" >/dev/null
	wait_until ours_has "$1" || fail "icapd does not start $1 workers"
	server_is "$os_name" "$icapd_port" "$icapd_pid"
	[ -z "$pin_server" ] || for os_pid in $(family "$icapd_pid"); do
		taskset -c -p 0 "$os_pid" >/dev/null
	done
}

ours_has() {
	[ "$(ours_count)" -ge "$1" ]
}

ours_count() {
	if [ -r "/proc/$icapd_pid/task/$icapd_pid/children" ]; then
		wc -w <"/proc/$icapd_pid/task/$icapd_pid/children"
	else
		children "$icapd_pid" | wc -l
	fi
}

# cicap_start THREADS: two processes, each with that many threads, so that one
# of them can take all connections, and no reason to start or end any.
cicap_start() {
	for cs_port in $CICAP_PORTS; do
		mkdir -p "$tmp/cicap"
		cat >"$tmp/cicap/conf" <<-END
		PidFile $tmp/cicap/pid
		CommandsSocket $tmp/cicap/ctl
		ServerLog $tmp/cicap/server.log
		AccessLog $tmp/cicap/access.log
		TmpDir $tmp/cicap
		Port 127.0.0.1:$cs_port
		Timeout 300
		KeepAliveTimeout 600
		MaxKeepAliveRequests -1
		StartServers 2
		MaxServers 2
		MinSpareThreads 1
		MaxSpareThreads 100000
		ThreadsPerChild $(($1 + 2))
		MaxRequestsPerChild 0
		Pipelining on
		DebugLevel 0
		ServerName bench
		ServerAdmin bench
		ModulesDir $cicap_modules
		ServicesDir $cicap_modules
		LoadMagicFile $cicap_magic
		Service echo srv_echo.so
		END
		# shellcheck disable=SC2086	# words
		start cicap $pin_server c-icap -N -f "$tmp/cicap/conf"
		cs_pid=$started_pid
		if wait_until cicap_is_up && is_running "$cs_pid"; then
			server_is cicap "$cs_port" "$cs_pid"
			return
		fi
		end "$cs_pid"
		forget "$cs_pid"
	done
	fail "c-icap does not start"
}

cicap_is_up() {
	! is_running "$cs_pid" ||
	    "$icapc" options "icap://127.0.0.1:$cs_port/echo" 2>/dev/null |
	    grep -q C-ICAP
}

has_cicap=
cicap_find() {
	cicap_magic=/etc/c-icap/c-icap.magic
	for cicap_modules in /usr/lib/*/c_icap /usr/lib/c_icap \
	    /usr/local/lib/c_icap; do
		[ ! -e "$cicap_modules/srv_echo.so" ] || break
	done
	if command -v c-icap >/dev/null 2>&1 && [ -e "$cicap_magic" ] &&
	    [ -e "$cicap_modules/srv_echo.so" ]; then
		has_cicap=1
	else
		note "no c-icap here, left out (Debian: apt-get install c-icap)"
	fi
}

# cpu PID...: processor time the processes have used, ns.
cpu() {
	if [ -r "/proc/$1/schedstat" ]; then
		for cp_pid in "$@"; do
			echo "/proc/$cp_pid/task/"*/schedstat
		done | xargs cat 2>/dev/null |
		    awk '{ n += $1 } END { printf("%.0f\n", n) }'
	else
		for cp_pid in "$@"; do
			echo "/proc/$cp_pid/stat"
		done | xargs cat 2>/dev/null | sed 's/.*) //' |
		    awk -v hz="$(getconf CLK_TCK)" '{ n += $12 + $13 }
		    END { printf("%.0f\n", n * 1e9 / hz) }'
	fi
}

# --- one run ---------------------------------------------------------------

# value NAME: from the last result of icapc
value() {
	awk -v name="$1" '$1 == name { print $2 }' "$tmp/result"
}

path="echo"	# of the service that is asked

# run CASE LABEL SERVER COMMAND [OPTION...]: a line of bench.tsv
run() {
	ru_case=$1 ru_label=$2 ru_server=$3 ru_command=$4
	shift 4
	progress "$ru_case, $ru_label"
	# what a run logs is not for keeping
	: >"$log"
	[ ! -e "$tmp/cicap/access.log" ] || : >"$tmp/cicap/access.log"
	eval "ru_port=\$port_$ru_server ru_pids=\$pids_$ru_server"
	# shellcheck disable=SC2086	# a list of pids
	ru_before=$(cpu $ru_pids)
	# shellcheck disable=SC2086	# words
	if ! $pin_client "$icapc" "$ru_command" --terse -d "$seconds" "$@" \
	    "icap://127.0.0.1:$ru_port/$path" >"$tmp/result" \
	    2>"$tmp/result.err"; then
		note "$ru_case, $ru_label: $(head -n 1 "$tmp/result.err")"
		echo bad >>"$tmp/bad"
		[ -s "$tmp/result" ] || return 0
	fi
	# shellcheck disable=SC2086	# a list of pids
	ru_after=$(cpu $ru_pids)
	awk -v c="$ru_case" -v label="$ru_label" -v round="$round" \
	    -v ns="$((ru_after - ru_before))" '
	{ v[$1] = $2 }
	END {
		n = v["transactions"]
		if (n == 0)
			exit
		printf("%s\t%s\t%s\t%s\t%.3f\t%s\t%s\t%s\t%s\t%.3f\n", c,
		    label, round, v["rate"], ns / 1000 / n, v["p50_us"],
		    v["p99_us"], v["p99.9_us"], v["errors"],
		    v["own_cpu"] * 1e6 / n)
	}' "$tmp/result" >>"$tsv"
}

# versus CASE FLOOR CICAP COMMAND OPTION...: the three in turn; a dash leaves
# one out.
versus() {
	ve_case=$1 ve_floor=$2 ve_cicap=$3
	shift 3
	run "$ve_case" icapd ours "$@"
	[ "$ve_floor" = - ] || run "$ve_case" floor "$ve_floor" "$@"
	[ -z "$has_cicap" ] || [ "$ve_cicap" = - ] ||
	    run "$ve_case" c-icap cicap "$@"
}

# --- the parts -------------------------------------------------------------

# The same body comes back from each of the three; from there on each reply
# is compared with the first.
check_echo() {
	for ce_server in ours relay ${has_cicap:+cicap}; do
		eval "ce_port=\$port_$ce_server"
		"$icapc" respmod -s 64K --no-204 \
		    "icap://127.0.0.1:$ce_port/echo" >"$tmp/echo.out"
		has "$tmp/echo.out" '^body.* the same as the one sent$' ||
		    fail "$ce_server does not echo"
	done
}

compare() {
	ours_start "$WORKERS"
	ours_start "$WORKERS" quiet ""
	floor_start reply -w "$WORKERS" reply
	floor_start close -c -w "$WORKERS" reply
	floor_start relay -w "$WORKERS" relay
	# what icapd says to OPTIONS, from a server that does not think
	"$icapc" options "icap://127.0.0.1:$port_ours/echo" | sed 1d |
	    awk '{ printf("%s\r\n", $0) } END { printf("\r\n") }' \
	    >"$tmp/options"
	floor_start options -r "$tmp/options" -w "$WORKERS" reply
	[ -z "$has_cicap" ] || cicap_start "$WORKERS"
	check_echo
	[ -z "$has_cicap" ] || note "preview: c-icap is left out, its echo" \
	    "answers every other preview with 100, not 204"
	[ -z "$has_cicap" ] || note "chain: c-icap is left out, it has none"
	round=1
	while [ "$round" -le "$rounds" ]; do
		versus 204 reply cicap respmod -c 8 --expect 204
		run 204 no-log quiet respmod -c 8 --expect 204
		versus options options cicap options -c 8 --expect 200
		versus echo-64K relay cicap respmod -c 8 -s 64K --no-204 \
		    --expect 200
		versus echo-1M relay cicap respmod -c 8 -s 1M --no-204 \
		    --expect 200
		versus preview reply - respmod -c 8 -s 64K --preview 1K \
		    --expect 204
		versus connect close cicap respmod -c 8 --close --expect 204
		path="chain"
		versus chain reply - respmod -c 8 --expect 204
		path="echo"
		round=$((round + 1))
	done
	server_end ours quiet reply close relay options cicap
}

# lists_start SERVICE [ENTRIES]: like ours_start, with a block list of so many domains
# behind the path that is asked for, or (SERVICE plain) with echo, whose
# preview is the same.
lists_start() {
	mkdir -p "$tmp/spool" "$tmp/run"
	chmod 1777 "$tmp/spool"
	sh "$(dirname "$0")/mklist.sh" "${2:-$entries}" >"$tmp/list"
	chmod 644 "$tmp/list"
	cat >"$tmp/lists.conf" <<-END
	listen "127.0.0.1:0" { workers = $WORKERS }
	log "$log" { }
	blocklist large {
		cache = "$tmp/cache"
		list "large" { path = {"$tmp/list"} }
	}
	echo plain { }
	service "/echo" { run = {$1} preview = 0 }
	END
	rm -f "$tmp/icapd.err"
	# shellcheck disable=SC2086	# words
	start icapd $pin_server "$ICAPD" -d -f "$tmp/lists.conf"
	icapd_pid=$started_pid
	wait_until icapd_is_up || fail "icapd is not ready"
	icapd_port=$(sed -n \
	    's/.*listening on 127\.0\.0\.1:\([0-9][0-9]*\).*/\1/p' \
	    "$tmp/icapd.err" | head -n 1)
	wait_until ours_has "$WORKERS" || fail "icapd has not all workers"
	server_is "$1" "$icapd_port" "$icapd_pid"
}

has_lists() {
	"$ICAPD" -l | grep -q '^blocklist' || {
		note "this icapd is built without blocklist"
		return 1
	}
}

# A request for a page that is in no list of so many domains, against echo.
compare_lists() {
	has_lists || return 0
	lists_start large
	lists_start plain
	round=1
	while [ "$round" -le "$rounds" ]; do
		for cl_server in large plain; do
			cl_label=icapd
			[ "$cl_server" = large ] || cl_label=plain
			run "list-$million" "$cl_label" "$cl_server" reqmod \
			    -c 8 -u http://www.d7.small.example/index.html \
			    --expect 204
		done
		round=$((round + 1))
	done
	server_end large plain
}

compare_connections() {
	for cc_n in $connections; do
		ours_start "$cc_n"
		floor_start reply -w "$cc_n" reply
		[ -z "$has_cicap" ] || cicap_start "$cc_n"
		round=1
		while [ "$round" -le "$rounds" ]; do
			versus "204-c$cc_n" reply cicap respmod -c "$cc_n" \
			    --expect 204
			round=$((round + 1))
		done
		server_end ours reply cicap
	done
}

# dirty: private dirty memory of each worker of icapd, KiB
dirty() {
	for di_pid in $(icapd_workers); do
		awk '/^Private_Dirty/ { print $2 }' \
		    "/proc/$di_pid/smaps_rollup" 2>/dev/null
	done
}

now_ms() {
	now_ns=$(date +%s%N)
	echo $((now_ns / 1000000))
}

# quick_until COMMAND...: polls without a pause, for what is timed
quick_until() {
	qu_end=$(($(now_ms) + 30000))
	until "$@"; do
		[ "$(now_ms)" -lt "$qu_end" ] || return 1
	done
}

memory() {
	: >"$tmp/memory"
	for me_n in 64 $many; do
		progress "memory of $me_n workers"
		me_start=$(now_ms)
		ours_launch "$me_n" "$log"
		quick_until ours_has "$me_n" ||
		    fail "icapd does not start $me_n workers"
		me_start=$(($(now_ms) - me_start))
		ours_listens
		server_is ours "$icapd_port" "$icapd_pid"
		dirty | summary >"$tmp/dirty.fresh"
		me_uri=icap://127.0.0.1:$icapd_port/echo
		"$icapc" respmod -c "$me_n" -d 1 --terse --expect 204 \
		    "$me_uri" >"$tmp/result" || echo bad >>"$tmp/bad"
		wait_until workers_are_free
		dirty | summary >"$tmp/dirty.204"
		"$icapc" respmod -c "$me_n" -d 1 --terse --expect 200 \
		    -s 64K --no-204 "$me_uri" >"$tmp/result" ||
		    echo bad >>"$tmp/bad"
		wait_until workers_are_free
		dirty | summary >"$tmp/dirty.echo"
		printf '%s\t%s\t%s\t%s\t%s\n' "$me_n" "$me_start" \
		    "$(cat "$tmp/dirty.fresh")" "$(cat "$tmp/dirty.204")" \
		    "$(cat "$tmp/dirty.echo")" >>"$tmp/memory"
		server_end ours
	done
}

# All connections are closed again: the kernel shows none but listeners.
workers_are_free() {
	awk -v port="$(printf '%04X' "$icapd_port")" '
	$2 ~ ":" port "$" && $4 == "01" { n++ }
	END { exit n > 0 }' /proc/net/tcp
}

# summary: "median (max)" of the numbers on standard input
summary() {
	sort -n | awk '{ v[NR] = $1 }
	END { if (NR) printf("%d (%d)", v[int((NR + 1) / 2)], v[NR]) }'
}

# calls_of COUNT OPTION...: system calls of an icapd that serves COUNT. With a
# single worker it would ask the client to give up the connection.
calls_of() {
	co_n=$1
	shift
	rm -f "$tmp/traced.err" "$tmp/strace"
	cat >"$tmp/traced.conf" <<-END
	listen "127.0.0.1:0" { workers = 2 }
	service "/echo" { run = {echo} }
	log "$log" { }
	END
	start traced strace -f -c -U name,calls -o "$tmp/strace" "$ICAPD" \
	    -d -f "$tmp/traced.conf"
	wait_until has "$tmp/traced.err" 'listening on' ||
	    fail "icapd does not start under strace"
	co_port=$(sed -n 's/.*listening on 127\.0\.0\.1:\([0-9]*\).*/\1/p' \
	    "$tmp/traced.err" | head -n 1)
	"$icapc" respmod -n "$co_n" --terse "$@" \
	    "icap://127.0.0.1:$co_port/echo" >"$tmp/result" ||
	    echo bad >>"$tmp/bad"
	for co_pid in $(children "$started_pid"); do
		kill -TERM "$co_pid"
	done
	reap "$started_pid"
	awk '$1 ~ /^[0-9]+$/ { print $2, $1 } $2 ~ /^[0-9]+$/ { print }' \
	    "$tmp/strace"
}

# calls NAME OPTION...: the difference between many and few transactions
calls() {
	ca_name=$1
	shift
	progress "system calls, $ca_name"
	calls_of 100 "$@" >"$tmp/calls.few"
	calls_of 600 "$@" >"$tmp/calls.many"
	{
		sed 's/^/few /' "$tmp/calls.few"
		sed 's/^/many /' "$tmp/calls.many"
	} | awk -v name="$ca_name" '
	$2 == "total" { next }
	{ n[$2] += ($1 == "many" ? 1 : -1) * $3 }
	END {
		for (c in n) {
			per = n[c] / 500
			sum += per
			if (per >= 0.005 || per <= -0.005)
				list = list sprintf(" %s %.2f", c, per)
		}
		printf("%s\t%.2f\t%s\n", name, sum, list)
	}' >>"$tmp/calls"
}

system_calls() {
	: >"$tmp/calls"
	if ! command -v strace >/dev/null 2>&1; then
		note "no strace here: system calls are not counted"
		return
	fi
	calls 204 --expect 204
	calls connect --close --expect 204
	calls preview -s 64K --preview 1K --expect 204
	calls echo-64K -s 64K --no-204
}

# How cost grows: icapd beside the floor, in turn.
growth() {
	growth_messages
	growth_lists
	for gr_n in $more; do
		progress "$gr_n connections"
		ours_start "$gr_n"
		floor_start reply -w "$gr_n" reply
		round=1
		while [ "$round" -le "$growths" ]; do
			versus "grow-c$gr_n" reply - respmod -c "$gr_n" \
			    --expect 204
			round=$((round + 1))
		done
		server_end ours reply
	done
}

# fields CASE OPTION: so many more of them in the ICAP or the HTTP head
fields() {
	gr_case=$1 gr_option=$2
	for gr_n in $heads; do
		set --
		gr_i=0
		while [ "$gr_i" -lt "$gr_n" ]; do
			set -- "$@" "$gr_option" \
			    "X-Field-$gr_i: a value of 22 bytes ..."
			gr_i=$((gr_i + 1))
		done
		versus "$gr_case-$gr_n" reply - respmod -c 8 --expect 204 "$@"
	done
}

growth_messages() {
	ours_start "$WORKERS"
	floor_start relay -w "$WORKERS" relay
	floor_start reply -w "$WORKERS" reply
	round=1
	while [ "$round" -le "$growths" ]; do
		for gr_size in $sizes; do
			versus "body-$gr_size" relay - respmod -c 8 \
			    -s "$gr_size" --no-204 --expect 200
		done
		fields icap-fields -H
		fields http-fields -E
		round=$((round + 1))
	done
	server_end ours relay reply
}

growth_lists() {
	has_lists || return 0
	for gr_n in $list_sizes; do
		progress "a list of $gr_n"
		lists_start large "$gr_n"
		round=1
		while [ "$round" -le "$growths" ]; do
			run "domains-$gr_n" icapd large reqmod -c 8 \
			    -u http://www.d7.small.example/index.html \
			    --expect 204
			round=$((round + 1))
		done
		server_end large
	done
}

# --- what comes out --------------------------------------------------------

# medians: bench.tsv to lines CASE LABEL N RATE MIN MAX CPU MIN MAX P50 P99
# ERRORS OWN, and CASE ratio-LABEL N RATE MIN MAX CPU MIN MAX, where a ratio is
# the median over the rounds, each round compared with itself.
medians() {
	awk -F '\t' -v OFS='\t' '
	function sorted(list, a,	n, i, j, t) {
		n = split(list, a, " ")
		for (i = 2; i <= n; i++)
			for (j = i; j > 1 && a[j - 1] + 0 > a[j] + 0; j--) {
				t = a[j]; a[j] = a[j - 1]; a[j - 1] = t
			}
		return n
	}
	function middle(list,	a, n) {
		n = sorted(list, a)
		if (n % 2)
			return a[(n + 1) / 2]
		return (a[n / 2] + a[n / 2 + 1]) / 2
	}
	function spread(list,	a, n) {
		n = sorted(list, a)
		return a[1] OFS a[n]
	}
	{
		k = $1 OFS $2
		if (!(k in n))
			order[++keys] = k
		n[k]++
		rate[k] = rate[k] " " $4
		cpu[k] = cpu[k] " " $5
		p50[k] = p50[k] " " $6
		p99[k] = p99[k] " " $7
		errors[k] += $9
		own[k] = own[k] " " $10
		if ($2 == "icapd") {
			r[$1, $3] = $4
			c[$1, $3] = $5
		} else if (($1, $3) in r && $4 > 0 && $5 > 0) {
			k = $1 OFS "ratio-" $2
			if (!(k in n))
				order[++keys] = k
			n[k]++
			rate[k] = rate[k] " " r[$1, $3] / $4
			cpu[k] = cpu[k] " " c[$1, $3] / $5
		}
	}
	END {
		for (i = 1; i <= keys; i++) {
			k = order[i]
			printf("%s\t%d\t%.4f\t%s\t%.4f\t%s", k, n[k],
			    middle(rate[k]), spread(rate[k]), middle(cpu[k]),
			    spread(cpu[k]))
			if (k in p50)
				printf("\t%.1f\t%.1f\t%d\t%.2f",
				    middle(p50[k]), middle(p99[k]),
				    errors[k], middle(own[k]))
			print ""
		}
	}' "$tsv"
}

# Without what belongs to table_growth.
table() {
	awk -F '\t' '
	function range(lo, hi, mid) {
		return mid > 0 ? sprintf("+-%.0f%%",
		    (hi - lo) / 2 / mid * 100) : ""
	}
	$2 ~ /^ratio-/ || $1 ~ /^(body|icap-|http-|domains|grow)/ { next }
	!head++ {
		printf("%-11s %-7s %9s %6s %9s %6s %9s %9s %8s %9s\n",
		    "case", "server", "rate/s", "", "CPU us", "", "p50 us",
		    "p99 us", "icapc us", "errors")
	}
	{
		if (last != "" && last != $1)
			print ""
		printf("%-11s %-7s %9.0f %6s %9.2f %6s %9.1f %9.1f %8.2f" \
		    " %9d\n", last == $1 ? "" : $1, $2, $4,
		    range($5, $6, $4), $7, range($8, $9, $7), $10, $11, $13,
		    $12)
		last = $1
	}' "$tmp/medians"
	awk -F '\t' '
	$2 !~ /^ratio-/ || $1 ~ /^(body|icap-|http-|domains|grow)/ { next }
	!head++ {
		printf("\n%-11s %-16s %6s %13s %6s %13s\n", "case",
		    "icapd against", "rate", "(range)", "CPU", "(range)")
	}
	{
		printf("%-11s %-16s %6.2f %13s %6.2f %13s\n", $1,
		    substr($2, 7), $4, sprintf("(%.2f-%.2f)", $5, $6), $7,
		    sprintf("(%.2f-%.2f)", $8, $9))
	}' "$tmp/medians"
}

table_growth() {
	awk -F '\t' -v rounds="$growths" '
	$2 ~ /^ratio-/ || $1 !~ /^(body|icap-|http-|domains|grow)/ { next }
	!head++ {
		printf("\nhow it grows, medians of %d\n%-15s %-6s %9s %9s " \
		    "%11s %9s\n", rounds, "case", "server", "rate/s",
		    "CPU us", "ns per KiB", "p99 us")
	}
	{
		kib = ""
		if ($1 ~ /^body-/) {
			size = substr($1, 6)
			n = size + 0
			if (size ~ /M$/)
				n *= 1024
			else if (size !~ /K$/)
				n /= 1024
			if (n > 0)
				kib = sprintf("%.0f", $7 * 1000 / n)
		}
		printf("%-15s %-6s %9.1f %9.2f %11s %9.1f\n", $1, $2, $4, $7,
		    kib, $11)
	}' "$tmp/medians"
	[ ! -s "$tmp/memory" ] || awk -F '\t' '
	BEGIN {
		print "\nworkers   started, ms   private dirty KiB of a " \
		    "worker, median (max)"
		printf("%29s %-10s %-12s %s\n", "", "fresh", "after 204s",
		    "after 64 KiB bodies")
	}
	{ printf("%7d %13d %7s %-10s %-12s %s\n", $1, $2, "", $3, $4, $5) }
	' "$tmp/memory"
	[ ! -s "$tmp/calls" ] || awk -F '\t' '
	BEGIN { print "\nsystem calls per transaction" }
	{ printf("%-11s %6.2f  (%s)\n", $1, $2, substr($3, 2)) }' "$tmp/calls"
}

# goal TEXT COMPARE LIMIT VALUE
goal() {
	if [ -z "$4" ]; then
		printf '  %-52s %8s   not measured\n' "$1" "$2 $3"
		return
	fi
	awk -v text="$1" -v op="$2" -v limit="$3" -v value="$4" 'BEGIN {
		ok = op == "<=" ? value <= limit : value >= limit
		printf("  %-52s %8s %8.2f   %s\n", text, op " " limit, value,
		    ok ? "pass" : "MISSED")
	}'
}

# median CASE LABEL COLUMN
median() {
	awk -F '\t' -v c="$1" -v l="$2" -v f="$3" \
	    '$1 == c && $2 == l { print $f }' "$tmp/medians"
}

goals() {
	echo
	echo "goals"
	goal "204: rate against the floor" ">=" 0.85 \
	    "$(median 204 ratio-floor 4)"
	goal "204: rate against the same without a log" ">=" 0.97 \
	    "$(median 204 ratio-no-log 4)"
	goal "204: rate against c-icap" ">=" 1.2 \
	    "$(median 204 ratio-c-icap 4)"
	goal "204: CPU per transaction against the floor" "<=" 1.25 \
	    "$(median 204 ratio-floor 7)"
	goal "204: CPU per transaction against c-icap" "<=" 0.75 \
	    "$(median 204 ratio-c-icap 7)"
	goal "204: system calls" "<=" 2.1 "$(called 204)"
	goal "64 KiB echo: rate against c-icap" ">=" 2.5 \
	    "$(median echo-64K ratio-c-icap 4)"
	goal "64 KiB echo: rate against the relay" ">=" 0.75 \
	    "$(median echo-64K ratio-floor 4)"
	goal "64 KiB echo: CPU per transaction against c-icap" "<=" 0.4 \
	    "$(median echo-64K ratio-c-icap 7)"
	goal "connection each: rate against c-icap" ">=" 1.1 \
	    "$(median connect ratio-c-icap 4)"
	goal "connection each: CPU against c-icap" "<=" 0.6 \
	    "$(median connect ratio-c-icap 7)"
	goal "idle worker after 204s: private dirty KiB (max)" "<=" 100 \
	    "$(remembered 64 4)"
	goal "idle worker after 64 KiB bodies: the same" "<=" 100 \
	    "$(remembered 64 5)"
	goal "1000 workers start, ms" "<=" 2000 "$(remembered 1000 2)"
}

called() {
	[ ! -e "$tmp/calls" ] ||
	    awk -F '\t' -v c="$1" '$1 == c { print $2 }' "$tmp/calls"
}

# remembered WORKERS COLUMN: the number, or the maximum behind the median
remembered() {
	[ ! -e "$tmp/memory" ] || awk -F '\t' -v n="$1" -v f="$2" '
	$1 == n {
		if ($f ~ /\(/) {
			sub(/.*\(/, "", $f)
			sub(/\).*/, "", $f)
		}
		print $f
	}' "$tmp/memory"
}

machine() {
	echo "icapd $("$ICAPD" --version | awk '{ print $NF }')," \
	    "$(date -u +%Y-%m-%d)," \
	    "$(getconf _NPROCESSORS_ONLN) processors," \
	    "$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)," \
	    "Linux $(uname -r), load average $load before;" \
	    "the host took $(stolen)% of them meanwhile"
	echo "$rounds rounds of $seconds s, $WORKERS workers and 8" \
	    "connections where no other number is said${pin_server:+, pinned}"
	[ -z "$has_cicap" ] ||
	    echo "c-icap: $(c-icap -V 2>&1 | head -n 1)"
	echo "access logs on $(stat -f -c %T "$tmp"): icapd's in ECS, c-icap's" \
	    "as it has them"
}

# Processor time that the host gave to somebody else, and all of it.
steal() {
	awk '$1 == "cpu" { print $9, $2 + $3 + $4 + $5 + $6 + $7 + $8 + $9 }' \
	    /proc/stat
}

stolen() {
	echo "$steal_before $(steal)" | awk '{
		printf("%.0f", $4 > $2 ? ($3 - $1) * 100 / ($4 - $2) : 0) }'
}

plot() {
	awk -F '\t' -v OFS='\t' '
	$1 == "204" || $1 ~ /^(204|grow)-c/ {
		c = $1 == "204" ? 8 : substr($1, index($1, "-c") + 2)
		if ($2 !~ /^ratio-/)
			print $2, c, $4, $5, $6
	}' "$tmp/medians" | sort -t "$TAB" -k 1,1 -k 2,2n >"$tmp/plot"
	[ -s "$tmp/plot" ] || return 0
	if ! command -v gnuplot >/dev/null 2>&1; then
		note "no gnuplot here: no plot (apt-get install gnuplot-nox)"
		return
	fi
	for pl_label in icapd floor c-icap; do
		awk -F '\t' -v l="$pl_label" '$1 == l' "$tmp/plot" \
		    >"$tmp/plot.$pl_label"
		[ ! -s "$tmp/plot.$pl_label" ] || pl_list=${pl_list:+$pl_list, }
		[ ! -s "$tmp/plot.$pl_label" ] || pl_list="${pl_list:-}\
'$tmp/plot.$pl_label' using 2:3:4:5 with yerrorlines title '$pl_label'"
	done
	for pl_term in "svg size 720,440 background 'white'" \
	    "png size 720,440"; do
		gnuplot <<-END || note "gnuplot failed: no ${pl_term%% *}"
		set terminal $pl_term
		set output '$out/plot.${pl_term%% *}'
		set datafile separator '\t'
		set title 'kept-alive 204, one worker per connection'
		set xlabel 'connections'
		set ylabel 'transactions per second'
		set logscale x 2
		set format y '%.0f'
		set yrange [0:*]
		set grid
		set key outside right
		plot $pl_list
		END
	done
}

# table_readme: the figures that README shows, indented for it.
table_readme() {
	machine | fold -s -w 70 | sed 's/^/	/; s/ *$//'
	echo
	awk -F '\t' '
	BEGIN {
		n = split("204 kept alive|204-c1 1 connection|" \
		    "204-c64 64 connections|204-c512 512 connections|" \
		    "options OPTIONS|preview preview, then 204|" \
		    "connect connection each|chain chain of three, 204|" \
		    "list-1M list of a million, 204|" \
		    "echo-64K 64 KiB body back|echo-1M 1 MB body back", row,
		    "|")
		split("icapd floor c-icap", server, " ")
	}
	$2 !~ /^ratio-/ {
		rate[$1, $2] = $4
		cpu[$1, $2] = $7
	}
	END {
		printf("\t%-22s %26s  %20s\n", "", "transactions a second",
		    "CPU us for each")
		printf("\t%-22s %8s %8s %8s  %6s %6s %6s\n", "", "icapd",
		    "floor", "c-icap", "icapd", "floor", "c-icap")
		for (i = 1; i <= n; i++) {
			c = name = row[i]
			sub(/ .*/, "", c)
			sub(/^[^ ]* /, "", name)
			if (c ~ /^204/)
				name = "204, " name
			if (!((c, "icapd") in rate))
				continue
			printf("\t%-22s", name)
			for (k = 1; k <= 3; k++)
				printf(" %8s", cell(rate, c, server[k], 0))
			printf(" ")
			for (k = 1; k <= 3; k++)
				printf(" %6s", cell(cpu, c, server[k], 1))
			print ""
		}
	}
	function cell(figures, c, s, digits) {
		if (!((c, s) in figures))
			return "-"
		return sprintf("%.*f", digits, figures[c, s])
	}' "$tmp/medians"
	[ ! -s "$tmp/memory" ] || awk -F '\t' '
	!head++ { print "" }
	{
		printf("\t%d workers: there in %d ms, %d KiB of private " \
		    "memory each after 204s\n", $1, $2, $4)
	}' "$tmp/memory"
	[ ! -s "$tmp/calls" ] ||
	    printf '\ta kept-alive 204: %s system calls\n' "$(called 204)"
	goals >"$tmp/goals"
	echo
	if grep -q MISSED "$tmp/goals"; then
		printf '\tgoals missed in this run (of %d):\n' \
		    "$(grep -c -e pass -e MISSED "$tmp/goals")"
		sed -n 's/ *MISSED$//; t print
		d
		:print
		s/^ */	  /p' "$tmp/goals"
	else
		printf '\tno goal was missed in this run\n'
	fi
}

report() {
	machine
	echo
	table
	table_growth
	goals
	[ ! -s "$tmp/notes" ] || { echo; cat "$tmp/notes"; }
}

setup
for program in "$icapc" "$floor"; do
	[ -x "$program" ] || fail "$program: no such program (make builds it)"
done
mkdir -p "$out" || fail "$out"
tsv=$out/bench.tsv
: >"$tsv"
# the processes of a server that root starts are somebody else's
log=$tmp/access.json
: >"$log"
chmod 666 "$log"
load=$(cut -d ' ' -f 1 /proc/loadavg)
steal_before=$(steal)
cicap_find

# shellcheck disable=SC2015	# a part that fails ends the script by itself
{
	wanted compare && compare
	wanted lists && compare_lists
	wanted connections && compare_connections
	wanted memory && memory
	wanted calls && system_calls
	wanted growth && growth
}
progress ""
medians >"$tmp/medians"
plot
table_readme >"$out/readme.txt"
report >"$out/bench.txt"
cat "$out/bench.txt"
[ ! -e "$tmp/bad" ] || fail "some replies were missing or wrong, see the notes"
