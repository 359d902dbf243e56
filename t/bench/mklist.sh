#!/bin/sh
# SPDX-License-Identifier: ISC
#
# A block list of N domains, d0.large.example and so on, on standard output:
# what t/bench/run.sh, lists.sh and lookup.c measure with.

awk -v n="${1:?usage: mklist.sh N}" 'BEGIN {
	for (i = 0; i < n; i++)
		print "d" i ".large.example"
}'
