/* SPDX-License-Identifier: ISC */
/*
 * The header block of an ICAP message, line by line, where it lies.  Called
 * by request.c for each line it has found; the heads of encapsulated HTTP
 * messages, which must stay as they are, are http.c's.  It must not copy and
 * must not allocate.
 */
#include <string.h>

#include "header.h"

void
header_init(struct header *h, struct header_field *storage, unsigned int max)
{
	h->field = storage;
	h->max = max;
	h->count = 0;
}

static int
header_bad(struct fault *fault, const char *why)
{
	fault->status = 400;
	fault->why = why;
	return -1;
}

/* RFC 9112 5.2: an obs-fold stands for one or more blanks. */
static int
header_unfold(struct header *h, char *p, size_t len, struct fault *fault)
{
	struct header_field	*f;
	struct slice		 more;
	char			*end;

	if (h->count == 0)
		return header_bad(fault, "continuation line without a field");
	f = &h->field[h->count - 1];
	more.p = p;
	more.len = len;
	more = slice_trim(more);
	if (more.len == 0)
		return 0;
	if (f->value.len == 0) {
		f->value = more;
		return 0;
	}
	end = p - ((const char *)p - (f->value.p + f->value.len));
	memset(end, ' ', (size_t)(p - end));
	f->value.len = (size_t)(more.p + more.len - f->value.p);
	return 0;
}

int
header_parse_line(struct header *h, char *p, size_t len, struct fault *fault)
{
	struct header_field	*f;
	size_t			 n;

	if (len == 0)
		return header_bad(fault, "empty header line");
	if (p[0] == ' ' || p[0] == '\t') {
		if (chars_span(p, len, CHARS_TEXT) != len)
			return header_bad(fault,
			    "control character in a header field");
		return header_unfold(h, p, len, fault);
	}
	n = chars_span(p, len, CHARS_TOKEN);
	if (n == 0)
		return header_bad(fault, "header field without a name");
	if (n == len)
		return header_bad(fault, "header line without a colon");
	if (p[n] == ' ' || p[n] == '\t')
		return header_bad(fault, "blank in or after a field name");
	if (p[n] != ':')
		return header_bad(fault, "invalid character in a field name");
	if (h->count == h->max)
		return header_bad(fault, "too many header fields");
	if (chars_span(p + n, len - n, CHARS_TEXT) != len - n)
		return header_bad(fault,
		    "control character in a header field");
	f = &h->field[h->count++];
	f->name.p = p;
	f->name.len = n;
	f->value.p = p + n + 1;
	f->value.len = len - n - 1;
	f->value = slice_trim(f->value);
	return 0;
}

const struct header_field *
header_find(const struct header *h, const char *name)
{
	unsigned int	 i;

	for (i = 0; i < h->count; i++)
		if (slice_is_nocase(h->field[i].name, name))
			return &h->field[i];
	return NULL;
}
