#!/bin/sh
# SPDX-License-Identifier: ISC
#
# What scanning through icapd costs: clamd alone, asked by a client that does
# nothing but hand the body over; icapd with its clamav service; and c-icap
# with virus_scan; all with the same clamd, in turn A B C A B C. Run by
# `make bench-scan` in the build folder. Each body is another one, so no cache
# helps, and icapd's is off. The load is t/bench/scan, which checks each
# verdict; before it counts, each server has to find EICAR in such a body.
#
# clamd has one signature, so it is as fast as it can be: what anybody adds
# weighs the most that way. BENCH_SIGNATURES gives it more, of 16 bytes
# anywhere in a body, as those of a real database are.
#
# The environment may set
#	BENCH_ROUNDS	rounds of each comparison (5)
#	BENCH_SECONDS	of each run (1)
#	BENCH_SIZES	of bodies, bytes (10240 1048576)
#	BENCH_CLIENTS	at the same time (1 4)
#	BENCH_SIGNATURES  more signatures (0)
# Prints a table of medians over the rounds, and of each server, with the
# lowest and the highest: its rate and its speed, which is the inverse of the
# median time of a scan, in proportion to those of clamd alone in the same
# round; and the processor time it takes itself in per cent of what clamd takes
# in the same run. Where others use the machine, the rates say little.

set -u
# Logs and spooled bodies go to memory: the disk is not what is measured, and
# a full access log of 130,000 lines a second is more than many can take.
[ -n "${TMPDIR:-}" ] || [ ! -w /dev/shm ] || TMPDIR=/dev/shm
[ -z "${TMPDIR:-}" ] || export TMPDIR
# shellcheck source=../lib.sh
. "$(dirname "$0")/../lib.sh"
# shellcheck source=../clamd.sh
. "$(dirname "$0")/../clamd.sh"
# shellcheck source=../avlib.sh
. "$(dirname "$0")/../avlib.sh"

scan=$t_builddir/bench/scan
rounds=${BENCH_ROUNDS:-5}
seconds=${BENCH_SECONDS:-1}
sizes=${BENCH_SIZES:-10240 1048576}
clients=${BENCH_CLIENTS:-1 4}
CICAP_PORTS="23445 31445 27445 25445"	# c-icap cannot take a free one

# ---- the servers ----------------------------------------------------------

icapd_conf() {
	cat <<-END
	listen "127.0.0.1:0" { workers = 8 }
	log "$tmp/log/access.log" { form = text }
	clamav fildes { engines = {"unix:$tmp/clamd.sock"} cache = no }
	clamav stream { engines = {"stream:$tmp/clamd.sock"} cache = no }
	service "/fildes" { run = {fildes} }
	service "/stream" { run = {stream} }
	END
}

cicap_port=
cicap_scan="scan?allow204=on&sizelimit=off&mode=simple"
cicap_conf() {
	cat <<-END
	PidFile $tmp/cicap/pid
	CommandsSocket $tmp/cicap/ctl
	ServerLog $tmp/cicap/server.log
	AccessLog $tmp/cicap/access.log
	TmpDir $tmp/cicap
	Port 127.0.0.1:$1
	Timeout 300
	KeepAliveTimeout 600
	MaxKeepAliveRequests -1
	StartServers 2
	MaxServers 2
	MinSpareThreads 1
	MaxSpareThreads 100000
	ThreadsPerChild 10
	MaxRequestsPerChild 0
	Pipelining on
	DebugLevel 0
	ServerName bench
	ServerAdmin bench
	ModulesDir $cicap_modules
	ServicesDir $cicap_modules
	LoadMagicFile $cicap_magic
	Module common clamd_mod.so
	clamd_mod.ClamdSocket $tmp/clamd.sock
	Service scan virus_scan.so
	virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE
	virus_scan.Allow204Responces on
	virus_scan.MaxObjectSize 10M
	virus_scan.DefaultEngine clamd
	END
}

cicap_is_up() {
	! is_running "$cicap_pid" ||
	    "$scan" -i "$eicar" icap "$1" "$cicap_scan" >/dev/null 2>&1
}

cicap_start() {
	cicap_magic=/etc/c-icap/c-icap.magic
	for cicap_modules in /usr/lib/*/c_icap /usr/lib/c_icap \
	    /usr/local/lib/c_icap; do
		[ ! -e "$cicap_modules/virus_scan.so" ] || break
	done
	if ! command -v c-icap >/dev/null 2>&1 || [ ! -e "$cicap_magic" ] ||
	    [ ! -e "$cicap_modules/virus_scan.so" ]; then
		say "no c-icap with virus_scan here, left out (Debian:" \
		    "apt-get install c-icap libc-icap-mod-virus-scan)" >&2
		return
	fi
	mkdir -p "$tmp/cicap"
	for cs_port in $CICAP_PORTS; do
		cicap_conf "$cs_port" >"$tmp/cicap/conf"
		start cicap c-icap -N -f "$tmp/cicap/conf"
		cicap_pid=$started_pid
		if wait_until cicap_is_up "$cs_port" &&
		    is_running "$cicap_pid"; then
			cicap_port=$cs_port
			return
		fi
		end "$cicap_pid"
		forget "$cicap_pid"
	done
	fail "c-icap does not start, or does not find EICAR"
}

# ---- a run ----------------------------------------------------------------

# cpu PID...: processor time that they have used, us
cpu() {
	for cp_pid in "$@"; do
		cat "/proc/$cp_pid/task/"*/schedstat 2>/dev/null
	done | awk '{ n += $1 } END { printf("%.0f\n", n / 1000) }'
}

# run SIZE CLIENTS LABEL PIDS MODE...: a line of scan.tsv
run() {
	ru_size=$1 ru_clients=$2 ru_label=$3 ru_pids=$4
	shift 4
	# shellcheck disable=SC2086	# a list of pids
	ru_own=$(cpu $ru_pids) ru_clamd=$(cpu "$clamd_pid")
	"$scan" -c "$ru_clients" -d "$seconds" -s "$ru_size" "$@" \
	    >"$tmp/result" 2>"$tmp/result.err" ||
	    fail "$ru_label: $(cat "$tmp/result.err" "$tmp/result")"
	# shellcheck disable=SC2086	# a list of pids
	ru_own=$(($(cpu $ru_pids) - ru_own))
	ru_clamd=$(($(cpu "$clamd_pid") - ru_clamd))
	awk -v OFS='\t' -v size="$ru_size" -v c="$ru_clients" \
	    -v label="$ru_label" -v own="$ru_own" -v clamd="$ru_clamd" '
	{ v[$1] = $2 }
	END {
		n = v["transactions"]
		print size, c, label, v["rate"], v["p50_us"], own / n,
		    clamd / n
	}' "$tmp/result" >>"$tsv"
}

# finds LABEL MODE...: a body with EICAR at its end is not clean
finds() {
	fi_label=$1
	shift
	for size in $sizes; do
		"$scan" -i "$eicar" -s "$size" "$@" >/dev/null ||
		    fail "$fi_label does not find EICAR in $size bytes"
	done
}

table() {
	awk -F '\t' '
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
		return n % 2 ? a[(n + 1) / 2] : (a[n / 2] + a[n / 2 + 1]) / 2
	}
	function shown(list, form,	a, n) {
		n = sorted(list, a)
		return sprintf(form " (" form "-" form ")", middle(list),
		    a[1], a[n])
	}
	{
		k = sprintf("%8d %7d  %-12s", $1, $2, $3)
		if (!(k in rate))
			order[++keys] = k
		rate[k] = rate[k] " " $4
		p50[k] = p50[k] " " $5
		own[k] = own[k] " " $6
		clamd[k] = clamd[k] " " $7
		socket = $3 ~ /stream/ ? "stream" : "fildes"
		if ($3 ~ /^clamd/) {
			alone[socket] = $4
			middle_alone[socket] = $5
		}
		ratio[k] = ratio[k] " " $4 / alone[socket]
		speed[k] = speed[k] " " middle_alone[socket] / $5
		adds[k] = adds[k] " " $6 / $7 * 100
	}
	END {
		printf("%50s  %s\n%8s %7s  %-12s %8s %8s %7s %7s  " \
		    "%-17s %-17s %s\n", "", "against clamd alone",
		    "bytes", "clients", "", "scans/s", "p50 us", "CPU us",
		    "clamd", "rate", "speed", "CPU, %")
		for (i = 1; i <= keys; i++) {
			k = order[i]
			printf("%s %8.1f %8.0f %7.0f %7.0f  ", k,
			    middle(rate[k]), middle(p50[k]), middle(own[k]),
			    middle(clamd[k]))
			if (k ~ /clamd/) {
				print ""
				continue
			}
			printf("%-17s %-17s %s\n",
			    shown(ratio[k], "%.2f"), shown(speed[k], "%.2f"),
			    shown(adds[k], "%.1f"))
		}
	}' "$tsv"
}

# signatures N: N of them, always the same
signatures() {
	awk -v n="$1" 'BEGIN {
		srand(1)
		for (i = 1; i <= n; i++) {
			hex = ""
			for (k = 0; k < 16; k++)
				hex = hex sprintf("%02x", int(rand() * 256))
			printf("Bench-%d:0:*:%s\n", i, hex)
		}
	}'
}

# ---- all of it ------------------------------------------------------------

setup
[ -x "$scan" ] || fail "$scan: no such program (make bench-scan builds it)"
clamd_setup
[ "${BENCH_SIGNATURES:-0}" -eq 0 ] ||
    signatures "$BENCH_SIGNATURES" >>"$tmp/db/test.ndb"
clamd_more=$tmp/clamd.more
: >"$clamd_more"
tsv=$tmp/scan.tsv
: >"$tsv"
clamd_start
icapd_conf >"$tmp/icapd.conf"
mkdir "$tmp/log"
chmod 1777 "$tmp/log"
icapd_serve
cicap_start
unix=$tmp/clamd.sock
icapd_pids="$icapd_pid $(family "$icapd_pid" | tr '\n' ' ')"
finds "clamd fildes" fildes "$unix"
finds "clamd stream" stream "$unix"
finds "icapd fildes" icap "$icapd_port" fildes
finds "icapd stream" icap "$icapd_port" stream
[ -z "$cicap_port" ] || {
	finds c-icap icap "$cicap_port" "$cicap_scan"
	cicap_pids="$cicap_pid $(family "$cicap_pid" | tr '\n' ' ')"
}
round=0
while [ "$round" -lt "$rounds" ]; do
	round=$((round + 1))
	for size in $sizes; do
		for c in $clients; do
			run "$size" "$c" "clamd fildes" "" fildes "$unix"
			run "$size" "$c" "icapd fildes" "$icapd_pids" \
			    icap "$icapd_port" fildes
			[ -z "$cicap_port" ] || run "$size" "$c" c-icap \
			    "$cicap_pids" icap "$cicap_port" "$cicap_scan"
			run "$size" "$c" "clamd stream" "" stream "$unix"
			run "$size" "$c" "icapd stream" "$icapd_pids" \
			    icap "$icapd_port" stream
		done
	done
done
echo "$rounds rounds of $seconds s, $(getconf _NPROCESSORS_ONLN) processors," \
    "load $(cut -d ' ' -f 1-3 /proc/loadavg)"
echo "$("$clamd" --version), $("$ICAPD" --version | head -n 1)," \
    "$(c-icap -V 2>/dev/null | head -n 1)"
table
end "$clamd_pid"
forget "$clamd_pid"
icapd_stop TERM
[ -z "$cicap_port" ] || { end "$cicap_pid"; forget "$cicap_pid"; }
