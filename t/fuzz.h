/* SPDX-License-Identifier: ISC */
#ifndef T_FUZZ_H
#define T_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* What libFuzzer, or else fuzz_main.c, calls with each input. */
int	 LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A property that must hold for every input; stays in all builds. */
#define must(holds) do {						\
	if (!(holds))							\
		abort();						\
} while (0)

/* A split point and a step that depend on nothing but the input. */
static inline size_t
fuzz_choose(const uint8_t *data, size_t len, size_t below)
{
	uint32_t	 h = 2166136261u;
	size_t		 i;

	for (i = 0; i < len; i++)
		h = (h ^ data[i]) * 16777619u;
	return below == 0 ? 0 : h % below;
}

#endif
