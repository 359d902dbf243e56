/* SPDX-License-Identifier: ISC */
/*
 * Is a body gzip from its first to its last byte?  An engine that undoes it
 * stops in silence where it finds something else: flags that are reserved, a
 * checksum that is wrong, zeroes between two members.  Readers that are more
 * lenient go on, and have what nobody has looked at.  Called by clamav.c, with
 * the pieces of a body as they come.  What is in it is thrown away.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "gunzip.h"

#define OUT_MAX		(1ULL << 30)	/* bytes: more are a bomb */
#define GZIP_ONLY	(16 + MAX_WBITS)

struct gunzip {
	z_stream	 z;
	uint64_t	 out;		/* bytes that were in it */
	bool		 is_odd;
	bool		 is_first;	/* in the first member, or before it */
	bool		 is_ended;	/* behind a member */
	unsigned char	 buf[16384];
};

struct gunzip *
gunzip_new(void)
{
	struct gunzip	*g = calloc(1, sizeof(*g));

	if (g != NULL && inflateInit2(&g->z, GZIP_ONLY) != Z_OK) {
		free(g);
		return NULL;
	}
	return g;
}

void
gunzip_free(struct gunzip *g)
{
	if (g == NULL)
		return;
	(void)inflateEnd(&g->z);
	free(g);
}

void
gunzip_start(struct gunzip *g)
{
	g->is_odd = inflateReset(&g->z) != Z_OK;
	g->is_first = true;
	g->is_ended = false;
	g->out = 0;
}

void
gunzip_add(struct gunzip *g, const char *bytes, size_t len)
{
	z_stream	*z = &g->z;
	int		 result;

	z->next_in = (unsigned char *)(uintptr_t)bytes;
	z->avail_in = (uInt)len;
	z->avail_out = 1;
	while (!g->is_odd && (z->avail_in > 0 || z->avail_out == 0)) {
		if (g->is_ended) {
			if (z->avail_in == 0)
				break;
			g->is_odd = inflateReset(z) != Z_OK;
			g->is_first = g->is_ended = false;
		}
		z->next_out = g->buf;
		z->avail_out = sizeof(g->buf);
		result = inflate(z, Z_NO_FLUSH);
		g->out += sizeof(g->buf) - z->avail_out;
		g->is_ended = result == Z_STREAM_END;
		/* without more to read it may have had it all already */
		if (result == Z_BUF_ERROR && z->avail_in == 0)
			break;
		if ((result != Z_OK && result != Z_STREAM_END) ||
		    g->out >= OUT_MAX)
			g->is_odd = true;
	}
}

bool
gunzip_is_plain(const struct gunzip *g)
{
	return !g->is_odd && (g->is_ended || g->is_first);
}
