#!/bin/sh
# SPDX-License-Identifier: ISC
#
# The units, and the wire scripts against icapd, under valgrind's memcheck: no
# error, and no memory that nobody points to when a process ends. Run by
# `make check-valgrind`, as it takes ten minutes; `t/valgrind.sh units` or
# `t/valgrind.sh wire` is a part of it.
#
# Valgrind knows no seccomp(2) and keeps some descriptors to itself, so icapd
# runs without its sandbox and with as many descriptors as it finds.

set -u
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Fails the process, and says nothing where nothing is wrong. What is only
# "possibly" lost does not count: who ends in the midst of main() may hold a
# configuration by a pointer into it.
memcheck="valgrind -q --error-exitcode=99 --leak-check=full
    --show-leak-kinds=definite,indirect
    --errors-for-leak-kinds=definite,indirect"

setup
need valgrind valgrind
ENTRIES=10000		# of a large block list
export ENTRIES

units() {
	un_bad=0
	for un_unit in "$t_builddir"/check_*; do
		case $un_unit in
		*.[cdo]) continue ;;
		*.log | *.trs) continue ;;
		esac
		# shellcheck disable=SC2086	# words
		if CK_FORK=no $memcheck "$un_unit" >"$tmp/unit" 2>&1; then
			say "$(basename "$un_unit"): ok"
		else
			cat "$tmp/unit"
			un_bad=$((un_bad + 1))
		fi
	done
	[ "$un_bad" -eq 0 ] || fail "$un_bad units"
}

# instead PROGRAM: writes a script that is called like it and runs it under
# valgrind, with the configuration that it would have, and the above.
instead() {
	cat <<-END
	#!/bin/sh
	real=$1 logs=$tmp/memcheck conf=$tmp/instead.\$\$
	file= workers=16 name=
	END
	cat <<-'END'
	while [ $# -gt 0 ]; do
		case $1 in
		-l) exec "$real" -l ;;
		-d) shift ;;
		-f) file=$2; shift 2 ;;
		-w) workers=$2; shift 2 ;;
		--host | --port) shift 2 ;;
		*) name=$1; shift ;;
		esac
	done
	{
		if [ -n "$file" ]; then
			cat "$file"
		else
			echo "listen \"127.0.0.1:0\" { workers = $workers }"
			echo "service \"/$name\" { run = {$name} }"
		fi
		echo 'process { sandbox = no files = inherit }'
	} >"$conf"
	END
	echo "exec $memcheck --log-file=\$logs.%p \"\$real\" -d -f \"\$conf\"" |
	    tr '\n' ' '
	echo
}

# Some scripts want more time than their limits give when all is twenty times
# slower; what is asked here is only whether memory is used well.
wire() {
	mkdir "$tmp/t"
	for wi_program in "$ICAPD" "$t_builddir/testd"; do
		wi_name=$(basename "$wi_program")
		case $wi_program in
		/*) ;;
		*) wi_program=$PWD/$wi_program ;;
		esac
		instead "$wi_program" >"$tmp/t/$wi_name"
		chmod +x "$tmp/t/$wi_name"
	done
	: >"$tmp/wire.out"
	wi_status=0
	ICAPT=$t_builddir/icapt ICAPD=$tmp/t/icapd TESTD=$tmp/t/testd \
	    sh "$(dirname "$0")/wire.sh" >"$tmp/wire.out" 2>&1 ||
	    wi_status=$?
	cat "$tmp/memcheck."* >"$tmp/memcheck"
	if [ -s "$tmp/memcheck" ]; then
		cat "$tmp/memcheck"
		fail "valgrind reports the above"
	fi
	[ "$wi_status" -eq 0 ] || {
		cat "$tmp/wire.out"
		fail "the scripts failed"
	}
	say "$(grep -c '^ok ' "$tmp/wire.out") scripts: ok"
}

case ${1:-all} in
units) units ;;
wire) wire ;;
all)
	units
	wire
	;;
esac
