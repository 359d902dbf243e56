/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: a chunked body.  At once, byte by byte and cut in two it must
 * decode to the same bytes, with the same end, and what was decoded must come
 * back when it is chunked anew.
 */
#include <string.h>

#include "../proto/chunk.h"
#include "fuzz.h"

static const struct limits limits[] = {
	LIMITS_DEFAULT,
	{ .chunk_line = 16, .trailers = 32 }
};

struct decoded {
	struct chunk		 c;
	enum chunk_event	 event;
	size_t			 used;		/* bytes of the input */
	char			*data;
	size_t			 len;
	char			*trailers;
	size_t			 trailers_len;
};

static void
decode(struct decoded *d, const struct limits *use, const uint8_t *data,
    size_t len, size_t at, size_t step)
{
	struct slice	 out;
	size_t		 next, used, calls = 0;
	char		*piece = NULL;

	memset(d, 0, sizeof(*d));
	must((d->data = malloc(len + 1)) != NULL);
	must((d->trailers = malloc(len + 1)) != NULL);
	chunk_init(&d->c, use);
	d->event = CHUNK_MORE;
	while (d->used < len && d->event != CHUNK_BAD &&
	    d->event != CHUNK_END) {
		next = d->used < at ? at : d->used + step;
		if (next > len)
			next = len;
		free(piece);
		must((piece = malloc(next - d->used)) != NULL);
		memcpy(piece, data + d->used, next - d->used);
		d->event = chunk_parse(&d->c, piece, next - d->used, &used,
		    &out);
		must(used <= next - d->used);
		must(used > 0 || d->event != CHUNK_MORE);
		must(calls++ <= 2 * len);
		d->used += used;
		if (d->event == CHUNK_DATA) {
			must(out.len > 0 && out.p + out.len == piece + used);
			memcpy(d->data + d->len, out.p, out.len);
			d->len += out.len;
		} else if (d->event == CHUNK_TRAILER) {
			must(out.len > 0 && out.p + out.len == piece + used);
			memcpy(d->trailers + d->trailers_len, out.p, out.len);
			d->trailers_len += out.len;
		}
	}
	free(piece);
	must((d->event == CHUNK_BAD) == (d->c.why != NULL));
	must(d->trailers_len <= use->trailers);
}

static void
decoded_fini(struct decoded *d)
{
	free(d->data);
	free(d->trailers);
}

static void
must_be_same(const struct decoded *a, const struct decoded *b)
{
	must((a->event == CHUNK_BAD) == (b->event == CHUNK_BAD));
	must((a->event == CHUNK_END) == (b->event == CHUNK_END));
	must(a->len == b->len && memcmp(a->data, b->data, a->len) == 0);
	if (a->event == CHUNK_BAD)
		return;
	must(a->used == b->used);
	must(a->trailers_len == b->trailers_len);
	must(memcmp(a->trailers, b->trailers, a->trailers_len) == 0);
	must(a->c.ieof == b->c.ieof);
	must(a->c.has_original == b->c.has_original);
	must(a->c.original == b->c.original);
}

/* Writes it as one chunk and its trailers, and reads that. */
static void
check_round_trip(const struct decoded *d, const struct limits *use)
{
	struct decoded	 again;
	uint8_t		*p;
	size_t		 n = 0;

	must((p = malloc(d->len + d->trailers_len + CHUNK_HEAD_MAX + 16)) !=
	    NULL);
	if (d->len > 0) {
		n = chunk_format((char *)p, d->len);
		memcpy(p + n, d->data, d->len);
		n += d->len;
		memcpy(p + n, "\r\n", 2);
		n += 2;
	}
	memcpy(p + n, "0\r\n", 3);
	n += 3;
	memcpy(p + n, d->trailers, d->trailers_len);
	n += d->trailers_len;
	memcpy(p + n, "\r\n", 2);
	n += 2;
	decode(&again, use, p, n, 0, n);
	must(again.event == CHUNK_END && again.used == n);
	must(again.len == d->len && !again.c.ieof && !again.c.has_original);
	must(memcmp(again.data, d->data, d->len) == 0);
	must(again.trailers_len == d->trailers_len);
	must(memcmp(again.trailers, d->trailers, d->trailers_len) == 0);
	decoded_fini(&again);
	free(p);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct decoded	 whole, bytes, split;
	size_t		 i;

	if (len == 0)
		return 0;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		decode(&whole, &limits[i], data, len, 0, len);
		decode(&bytes, &limits[i], data, len, 0, 1);
		decode(&split, &limits[i], data, len,
		    fuzz_choose(data, len, len), 1 + len / 3);
		must_be_same(&whole, &bytes);
		must_be_same(&whole, &split);
		if (whole.event == CHUNK_END)
			check_round_trip(&whole, &limits[i]);
		decoded_fini(&whole);
		decoded_fini(&bytes);
		decoded_fini(&split);
	}
	return 0;
}
