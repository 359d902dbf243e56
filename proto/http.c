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
	const char	*p, *end;
	int		 n = 0;

	if (line.len == 0 || (p = memchr(line.p, ' ', line.len)) == NULL)
		return 0;
	end = line.p + line.len;
	for (p++; p < end && *p >= '0' && *p <= '9'; p++)
		if ((n = n * 10 + *p - '0') > 999)
			return 0;
	return n;
}

/* Folds with nothing in front of them, or behind them, are blanks as well. */
static struct slice
trim_folds(struct slice s)
{
	for (;;) {
		s = slice_trim(s);
		if (s.len > 0 && s.p[s.len - 1] == '\n') {
			s.len--;
			if (s.len > 0 && s.p[s.len - 1] == '\r')
				s.len--;
		} else if (s.len > 1 && s.p[0] == '\r' && s.p[1] == '\n') {
			s.p += 2;
			s.len -= 2;
		} else if (s.len > 0 && s.p[0] == '\n') {
			s.p++;
			s.len--;
		} else
			return s;
	}
}

bool
http_next_field(struct slice head, size_t *pos, struct http_field *f)
{
	const char	*p, *end = head.p + head.len, *lf, *colon;

	if (head.len == 0)
		return false;
	if (*pos == 0) {			/* behind the start line */
		if ((lf = memchr(head.p, '\n', head.len)) == NULL)
			return false;
		*pos = (size_t)(lf + 1 - head.p);
	}
	p = head.p + *pos;
	/* a section may hold a second head behind the empty line (C088) */
	if (p >= end || *p == '\r' || *p == '\n')
		return false;
	/* a field ends with a line that no fold continues */
	for (lf = p; (lf = memchr(lf, '\n', (size_t)(end - lf))) != NULL; lf++)
		if (lf + 1 >= end || (lf[1] != ' ' && lf[1] != '\t'))
			break;
	f->line.p = p;
	f->line.len = (size_t)((lf != NULL ? lf + 1 : end) - p);
	*pos += f->line.len;

	f->name = f->value = f->line;
	if ((colon = memchr(p, ':', f->line.len)) != NULL) {
		f->name.len = (size_t)(colon - p);
		f->value.len -= f->name.len + 1;
		f->value.p = colon + 1;
	} else
		f->name.len = f->value.len = 0;
	f->name = trim_folds(f->name);
	f->value = trim_folds(f->value);
	return true;
}

bool
http_find_next(struct slice head, const char *name, size_t *pos,
    struct http_field *f)
{
	while (http_next_field(head, pos, f))
		if (slice_is_nocase(f->name, name))
			return true;
	return false;
}

bool
http_find(struct slice head, const char *name, struct slice *value)
{
	struct http_field	 f;
	size_t			 pos = 0;

	if (!http_find_next(head, name, &pos, &f))
		return false;
	*value = f.value;
	return true;
}
