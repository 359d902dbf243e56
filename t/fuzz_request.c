/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: the head of an ICAP request.  An input is the bytes of a
 * connection.  Whole, byte by byte and cut in two it must give the same
 * result, and every slice must lie in what was delivered.
 */
#include <string.h>

#include "../proto/request.h"
#include "fuzz.h"

#define FIELDS	32

static const struct limits limits[] = {
	LIMITS_DEFAULT,
	{ .request_line = 64, .head = 256, .http_heads = 1000, .fields = 4,
	  .chunk_line = 64, .trailers = 64 }
};

struct seen {
	struct request		 r;
	struct header_field	 field[FIELDS];
	struct fault		 fault;
	enum parse		 result;
	int			 body;
	char			*mem;
};

static void
must_lie_in(const struct seen *s, struct slice slice)
{
	if (slice.len == 0)
		return;
	must(slice.p >= s->mem && slice.p + slice.len <= s->mem + s->r.len);
}

static void
check_slices(const struct seen *s)
{
	unsigned int	 i;

	must_lie_in(s, s->r.method_name);
	must_lie_in(s, s->r.target);
	must_lie_in(s, s->r.uri.host);
	must_lie_in(s, s->r.uri.port);
	must_lie_in(s, s->r.uri.path);
	must_lie_in(s, s->r.uri.query);
	for (i = 0; i < s->r.header.count; i++) {
		must_lie_in(s, s->field[i].name);
		must_lie_in(s, s->field[i].value);
		must(s->field[i].name.len > 0);
		/* nothing in it can end a line elsewhere */
		must(chars_span(s->field[i].value.p, s->field[i].value.len,
		    CHARS_TEXT) == s->field[i].value.len);
	}
}

/* The head in two pieces, the first `at` long, or in pieces of one byte. */
static void
parse(struct seen *s, struct limits use, const uint8_t *data, size_t len,
    size_t at, size_t step)
{
	size_t	 pos = 0, next;

	if (use.fields > FIELDS)
		use.fields = FIELDS;
	memset(s, 0, sizeof(*s));
	must((s->mem = malloc(len + 1)) != NULL);
	memset(s->mem, '\n', len + 1);
	request_init(&s->r, &use, s->field);
	s->result = PARSE_MORE;
	do {
		next = pos < at ? at : pos + step;
		if (next > len)
			next = len;
		memcpy(s->mem + pos, data + pos, next - pos);
		pos = next;
		s->result = request_parse(&s->r, s->mem, pos, &s->fault);
	} while (pos < len && s->result == PARSE_MORE);
	must((s->result == PARSE_BAD) == (s->fault.why != NULL));
	if (s->result == PARSE_OK) {
		must(s->r.len <= pos && s->r.len <= use.head);
		check_slices(s);
		s->body = request_parse_body(&s->r, &s->fault);
		if (s->body == 0)
			must(s->r.encap.req_hdr + s->r.encap.res_hdr <=
			    use.http_heads);
	}
	s->r.limits = NULL;
}

static void
must_be_same(const struct seen *a, const struct seen *b, size_t len)
{
	must(a->result == b->result);
	must(a->fault.status == b->fault.status);
	must(a->result == PARSE_BAD || request_has_begun(&a->r, len) ==
	    request_has_begun(&b->r, len));
	if (a->result != PARSE_OK)
		return;
	must(a->r.len == b->r.len);
	must(memcmp(a->mem, b->mem, a->r.len) == 0);
	must(a->r.method == b->r.method);
	must(a->r.header.count == b->r.header.count);
	must(a->r.allow == b->r.allow && a->r.close == b->r.close);
	must(a->r.has_preview == b->r.has_preview);
	must(a->r.preview == b->r.preview);
	must(a->body == b->body);
	must(a->r.encap.body == b->r.encap.body);
}

static void
decode_path(const struct seen *s)
{
	char	*dst;
	size_t	 size;
	int	 n;

	if (s->result != PARSE_OK)
		return;
	for (size = 1; size <= 16; size += 5) {
		must((dst = malloc(size)) != NULL);
		n = uri_decode_path(&s->r.uri, dst, size);
		must(n == -1 || strlen(dst) == (size_t)n);
		free(dst);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct seen	 whole, bytes, split;
	size_t		 i;

	if (len == 0 || len > 1 << 17)
		return 0;
	for (i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		parse(&whole, limits[i], data, len, 0, len);
		parse(&bytes, limits[i], data, len, 0, 1 + len / 4096);
		parse(&split, limits[i], data, len,
		    fuzz_choose(data, len, len), len);
		must_be_same(&whole, &bytes, len);
		must_be_same(&whole, &split, len);
		decode_path(&whole);
		free(whole.mem);
		free(bytes.mem);
		free(split.mem);
	}
	return 0;
}
