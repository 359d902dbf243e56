/* SPDX-License-Identifier: ISC */
/*
 * Finds the parts of a multipart/form-data body (RFC 7578), for each to be
 * scanned as the file it will be.  Called by clamav.c.  It must find a part
 * wherever some server would: what it takes for one too many costs a scan,
 * one too few lets something through.  So lines may end in LF alone, a part
 * needs no end, and nothing of its header is believed.
 */
#include <string.h>

#include "clamav.h"

static bool
is_prefix_nocase(struct slice s, const char *prefix)
{
	size_t	 len = strlen(prefix);

	return s.len >= len && strncasecmp(s.p, prefix, len) == 0;
}

/* The value of boundary=, with or without quotes. */
static struct slice
find_boundary(struct slice type)
{
	static const char	 name[] = "boundary=";
	struct slice		 b = { NULL, 0 };
	const char		*end = type.p + type.len, *p, *stop;

	for (p = type.p; p + sizeof(name) - 1 < end; p++)
		if (strncasecmp(p, name, sizeof(name) - 1) == 0)
			break;
	if (p + sizeof(name) - 1 >= end)
		return b;
	p += sizeof(name) - 1;
	if (*p == '"') {
		p++;
		if ((stop = memchr(p, '"', (size_t)(end - p))) == NULL)
			stop = end;
	} else
		for (stop = p; stop < end && *stop != ';' && *stop != ' ' &&
		    *stop != '\t' && *stop != '\r' && *stop != ','; stop++)
			;
	b.p = p;
	b.len = (size_t)(stop - p);
	return b;
}

/* The next line that begins with the boundary: its offset, or len. */
static size_t
find_delimiter(const struct clamav_form *f, size_t from)
{
	const char	*p = f->p + from, *end = f->p + f->len, *hit;

	while ((size_t)(end - p) >= f->boundary.len + 2 &&
	    (hit = memmem(p, (size_t)(end - p), f->boundary.p,
	    f->boundary.len)) != NULL) {
		if (hit - f->p >= 2 && hit[-1] == '-' && hit[-2] == '-' &&
		    (hit - 2 == f->p || hit[-3] == '\n') &&
		    (size_t)(hit - 2 - f->p) >= from)
			return (size_t)(hit - 2 - f->p);
		p = hit + 1;
	}
	return f->len;
}

/* Behind the line at this offset. */
static size_t
next_line(const struct clamav_form *f, size_t at)
{
	const char	*lf = memchr(f->p + at, '\n', f->len - at);

	return lf == NULL ? f->len : (size_t)(lf + 1 - f->p);
}

bool
clamav_form_init(struct clamav_form *f, struct slice type, const char *p,
    size_t len)
{
	memset(f, 0, sizeof(*f));
	if (!is_prefix_nocase(slice_trim(type), "multipart/form-data"))
		return false;
	f->boundary = find_boundary(type);
	f->p = p;
	f->len = len;
	if (f->boundary.len == 0)
		return false;
	f->pos = find_delimiter(f, 0);
	return true;
}

/* The header ends with an empty line. */
static size_t
skip_header(const struct clamav_form *f, size_t at)
{
	size_t	 next;

	for (; at < f->len; at = next) {
		next = next_line(f, at);
		if (f->p[at] == '\n' || (f->p[at] == '\r' &&
		    next == at + 2))
			return next;
	}
	return f->len;
}

bool
clamav_form_next(struct clamav_form *f, size_t *offset, size_t *len)
{
	size_t	 start, end;

	if (f->pos >= f->len)
		return false;
	start = skip_header(f, next_line(f, f->pos));
	end = f->pos = find_delimiter(f, start);
	if (end < f->len && end > start) {
		end--;				/* the line end before it */
		if (end > start && f->p[end - 1] == '\r')
			end--;
	}
	*offset = start;
	*len = end - start;
	return true;
}
