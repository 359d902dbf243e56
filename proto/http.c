/* SPDX-License-Identifier: ISC */
/*
 * Heads of encapsulated HTTP messages.  Called by session.c to check what
 * came in and by services to look into it.  A head is opaque bytes between
 * two offsets; it must never be normalised here, for an unchanged message
 * goes back byte for byte.
 */
#include <string.h>

#include "http.h"

int
http_check_head(struct slice head, struct fault *fault)
{
	if (head.len > 4 && memcmp(head.p + head.len - 4, "\r\n\r\n", 4) == 0 &&
	    head.p[0] != '\r' && head.p[0] != '\n')
		return 0;
	fault->status = 400;
	fault->why = "encapsulated head does not end with an empty line";
	return -1;
}

struct slice
http_start_line(struct slice head)
{
	const char	*lf;

	if (head.len == 0)
		return head;
	if ((lf = memchr(head.p, '\n', head.len)) != NULL) {
		head.len = (size_t)(lf - head.p);
		if (head.len > 0 && head.p[head.len - 1] == '\r')
			head.len--;
	}
	return head;
}

void
http_split_request(struct slice line, struct slice *method,
    struct slice *target, struct slice *version)
{
	const char	*first, *last;

	memset(method, 0, sizeof(*method));
	memset(target, 0, sizeof(*target));
	memset(version, 0, sizeof(*version));
	*method = line;
	if (line.len == 0)
		return;
	if ((first = memchr(line.p, ' ', line.len)) == NULL)
		return;
	method->len = (size_t)(first - line.p);
	target->p = first + 1;
	target->len = line.len - method->len - 1;
	last = memrchr(target->p, ' ', target->len);
	if (last == NULL)
		return;
	version->p = last + 1;
	version->len = (size_t)(line.p + line.len - version->p);
	target->len = (size_t)(last - target->p);
}

int
http_status(struct slice line)
{
	struct slice	 code;
	const char	*p;
	uint64_t	 n;

	if (line.len == 0 || (p = memchr(line.p, ' ', line.len)) == NULL)
		return 0;
	code.p = p + 1;
	code.len = chars_span(code.p, line.len - (size_t)(code.p - line.p),
	    CHARS_DIGIT);
	if (chars_parse_uint(code, 999, &n) == -1)
		return 0;
	return (int)n;
}

bool
http_find(struct slice head, const char *name, struct slice *value)
{
	const char	*p, *lf, *end = head.p + head.len;
	size_t		 n = strlen(name);
	struct slice	 field;

	if (head.len == 0)
		return false;
	p = memchr(head.p, '\n', head.len);
	/* a section may hold a second head behind the empty line (C088) */
	while (p != NULL && ++p < end && *p != '\r' && *p != '\n') {
		/* the end of this field: a line that no fold continues */
		lf = p;
		while ((lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL &&
		    lf + 1 < end && (lf[1] == ' ' || lf[1] == '\t'))
			lf++;
		field.p = p;
		field.len = n;
		if (lf == NULL)
			lf = end;
		if ((size_t)(lf - p) > n && p[n] == ':' &&
		    slice_is_nocase(field, name)) {
			value->p = p + n + 1;
			value->len = (size_t)(lf - value->p);
			if (value->len > 0 &&
			    value->p[value->len - 1] == '\r')
				value->len--;
			*value = slice_trim(*value);
			return true;
		}
		p = lf < end ? lf : NULL;
	}
	return false;
}
