/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: what is in a multipart body with the boundary "XX".  Whatever
 * the bytes are, all that is handed on lies in them, the work has its bound,
 * and what is decoded in two pieces is what it is in one.
 */
#include <string.h>

#include "../services/clamav.h"
#include "fuzz.h"

struct seen {
	const struct clamav_walk	*walk;
	uint64_t			 bytes;
};

static bool
see(void *arg, size_t offset, size_t len)
{
	struct seen	*seen = arg;

	must(len > 0 && offset <= seen->walk->len &&
	    len <= seen->walk->len - offset);
	seen->bytes += len;
	must(seen->bytes <= 2 * CLAMAV_DEPTH_MAX * seen->walk->len);
	return true;
}

/* In two pieces; returns the number of bytes, or SIZE_MAX: it is odd. */
static size_t
decode(struct clamav_decoder d, const char *p, size_t len, size_t at,
    char *dst)
{
	size_t	 n;

	n = clamav_decode_add(&d, p, at, dst);
	must(n <= CLAMAV_DECODE_ROOM(at));
	n += clamav_decode_add(&d, p + at, len - at, dst + n);
	must(n <= CLAMAV_DECODE_ROOM(len));
	return clamav_decode_end(&d) ? n : SIZE_MAX;
}

static bool
see_decoded(void *arg, struct clamav_decoder *d, size_t offset, size_t len)
{
	struct seen	*seen = arg;
	const char	*p = seen->walk->p + offset;
	char		*one, *two;
	size_t		 n;

	must(offset <= seen->walk->len && len <= seen->walk->len - offset);
	one = malloc(CLAMAV_DECODE_ROOM(len));
	two = malloc(CLAMAV_DECODE_ROOM(len));
	must(one != NULL && two != NULL);
	n = decode(*d, p, len, 0, one);
	must(decode(*d, p, len, fuzz_choose((const uint8_t *)p, len, len + 1),
	    two) == n);
	must(n == SIZE_MAX || memcmp(one, two, n) == 0);
	must(n == SIZE_MAX || d->coding != CLAMAV_BASE64 || n <= len / 4 * 3);
	free(one);
	free(two);
	d->is_odd = n == SIZE_MAX;
	return true;
}

static void
see_reason(void *arg, enum clamd_result result, const char *text)
{
	(void)arg;
	must(result > CLAMD_INFECTED && *text != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct slice	 boundary = { "XX", 2 };
	struct seen			 seen = { NULL, 0 };
	struct clamav_walk		 w = {
		.p = (const char *)data,
		.len = len,
		.max_parts = 1000,
		.scan = see,
		.decode = see_decoded,
		.reason = see_reason,
		.arg = &seen,
	};

	if (len == 0)
		return 0;
	seen.walk = &w;
	(void)clamav_walk_form(&w, boundary);
	w.nparts = 0;
	w.work = 0;
	(void)clamav_walk_coded(&w, data[0] % 2 == 0 ? CLAMAV_BASE64 :
	    CLAMAV_QUOTED);
	return 0;
}
