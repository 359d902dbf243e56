/* SPDX-License-Identifier: ISC */
/*
 * Finds the parts of a multipart body (RFC 2046, 7578), for each to be
 * scanned as the file it will be.  Called by clamav_parts.c.  Who will read
 * the form is not known, and readers differ, so it has to find a part wherever
 * one of them would: one too many costs a scan, one too few lets something
 * through.
 * A Content-Type that they would read differently is said to be unclear, and
 * a body is cut in two ways: at the lines that are delimiters for everybody,
 * and at whatever is one for anybody.  It must not guess beyond that:
 * clamav_form_doubt() tells what is open then.  What is in a part is not its
 * business, see clamav_parts.c.
 */
#include <string.h>

#include "clamav.h"

/* What some readers would mind about a delimiter. */
#define ODD_LF		0x01u	/* a line ends in LF alone */
#define ODD_BLANK	0x02u	/* blanks behind it, RFC 2046's padding */
#define ODD_BEHIND	0x04u	/* something else behind it */
#define ODD_BEFORE	0x08u	/* in the middle of a line */

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Blanks, and line ends of folds. */
static void
skip_blanks(struct slice *s)
{
	while (s->len > 0 && is_blank(s->p[0])) {
		s->p++;
		s->len--;
	}
}

static struct slice
cut(struct slice *s, size_t len)
{
	struct slice	 head = { s->p, len };

	s->p += len;
	s->len -= len;
	return head;
}

/* Cuts off what is before it, if it is there. */
static bool
find_nocase(struct slice *s, const char *what)
{
	size_t	 len = strlen(what);

	for (; s->len >= len; s->p++, s->len--)
		if (strncasecmp(s->p, what, len) == 0)
			return true;
	return false;
}

static bool
contains_nocase(struct slice s, const char *what)
{
	return find_nocase(&s, what);
}

/*
 * Without what readers differ on: quotes, backslashes and semicolons, blanks at
 * its ends, and blanks and commas that are not in quotes.
 */
static bool
is_plain(struct slice b, bool is_quoted)
{
	const char	*odd = is_quoted ? "\"\\;" : "\"\\;, ";
	size_t		 i;

	if (b.len == 0 || b.len > CLAMAV_BOUNDARY_MAX || b.p[0] == ' ' ||
	    b.p[b.len - 1] == ' ')
		return false;
	for (i = 0; i < b.len; i++)
		if ((b.p[i] != ' ' &&
		    chars_span(b.p + i, 1, CHARS_VISIBLE) == 0) ||
		    strchr(odd, b.p[i]) != NULL)
			return false;
	return true;
}

/* The value of a parameter, a token of a kind or quoted.  Returns 0 or -1. */
static int
take_value(struct slice *s, struct slice *value)
{
	size_t	 n;

	if (s->len == 0 || s->p[0] != '"') {
		for (n = 0; n < s->len && s->p[n] != ';' &&
		    !is_blank(s->p[n]); n++)
			;
		*value = cut(s, n);
		return n > 0 ? 0 : -1;
	}
	for (n = 1; n < s->len && s->p[n] != '"'; n++)
		if (s->p[n] == '\\')
			n++;
	if (n >= s->len)
		return -1;
	*value = cut(s, n + 1);
	value->p++;
	value->len -= 2;
	return 0;
}

/*
 * *( OWS ";" OWS [ name "=" value ] ).  Returns 0 when there is one boundary
 * and nothing that some reader would take for another.
 */
static int
take_parameters(struct slice s, struct slice *boundary)
{
	struct slice	 name, value;
	bool		 is_quoted;

	boundary->len = 0;
	for (skip_blanks(&s); s.len > 0; skip_blanks(&s)) {
		if (s.p[0] != ';')
			return -1;
		(void)cut(&s, 1);
		skip_blanks(&s);
		if (s.len == 0 || s.p[0] == ';')
			continue;
		name = cut(&s, chars_span(s.p, s.len, CHARS_TOKEN));
		if (name.len == 0 || s.len == 0 || s.p[0] != '=')
			return -1;
		(void)cut(&s, 1);
		is_quoted = s.len > 0 && s.p[0] == '"';
		if (take_value(&s, &value) == -1)
			return -1;
		if (slice_is_nocase(name, "boundary")) {
			if (boundary->len > 0 || !is_plain(value, is_quoted))
				return -1;
			*boundary = value;
		} else if (contains_nocase(name, "boundary") ||
		    contains_nocase(value, "boundary"))
			return -1;
	}
	return boundary->len > 0 ? 0 : -1;
}

enum clamav_form_kind
clamav_form_type(struct slice type, struct slice *boundary)
{
	skip_blanks(&type);
	boundary->p = "";
	boundary->len = 0;
	if (!slice_begins_nocase(type, "multipart/"))
		return contains_nocase(type, "multipart/") ||
		    slice_begins_nocase(type, "multipart ") ||
		    slice_begins_nocase(type, "multipart\t") ?
		    CLAMAV_FORM_UNCLEAR : CLAMAV_FORM_NONE;
	(void)cut(&type, strlen("multipart/"));
	(void)cut(&type, chars_span(type.p, type.len, CHARS_TOKEN));
	return take_parameters(type, boundary) == 0 ? CLAMAV_FORM_IS :
	    CLAMAV_FORM_UNCLEAR;
}

/* ---- delimiters --------------------------------------------------------- */

/* What stands before and behind it. */
static void
look_at_delimiter(const struct clamav_form *f, struct clamav_delimiter *d)
{
	size_t	 end = d->at + f->line_len;

	d->odd = 0;
	if (d->at > 0 && f->p[d->at - 1] != '\n')
		d->odd |= ODD_BEFORE;
	else if (d->at > 0 && (d->at == 1 || f->p[d->at - 2] != '\r'))
		d->odd |= ODD_LF;
	d->is_last = f->len - end >= 2 && memcmp(f->p + end, "--", 2) == 0;
	if (d->is_last)
		end += 2;
	for (; end < f->len && (f->p[end] == ' ' || f->p[end] == '\t'); end++)
		d->odd |= ODD_BLANK;
	if (f->len - end >= 2 && memcmp(f->p + end, "\r\n", 2) == 0)
		end += 2;
	else if (end < f->len && f->p[end] == '\n') {
		d->odd |= ODD_LF;
		end++;
	} else if (end < f->len)
		d->odd |= ODD_BEHIND;
	d->end = end;
}

/* The next from there on, of all or of those that are for everybody. */
static bool
find_delimiter(const struct clamav_form *f, size_t from, bool is_strict,
    struct clamav_delimiter *d)
{
	const char	*hit;

	while ((hit = memmem(f->p + from, f->len - from, f->line,
	    f->line_len)) != NULL) {
		d->at = (size_t)(hit - f->p);
		look_at_delimiter(f, d);
		if (!is_strict || d->odd == 0)
			return true;
		from = d->at + 1;
	}
	return false;
}

/* ---- parts -------------------------------------------------------------- */

/*
 * A header that some readers see, and others another: what it says of codings
 * and parts is not undone, but it is open then what the part is.
 */
static void
note_header(struct clamav_form *f, size_t at, size_t end)
{
	struct slice		 head = { f->p + at, end - at };
	struct clamav_head	 h;

	clamav_head_parse(&h, head);
	f->is_coded = f->is_coded || h.coding != CLAMAV_CODING_NONE;
	f->is_nested = f->is_nested || h.kind != CLAMAV_FILE;
}

/* Behind the header of a part, for readers that insist on CRLF. */
static size_t
skip_header_strict(const struct clamav_form *f, size_t at, size_t stop)
{
	const char	*hit;

	if (stop - at >= 2 && memcmp(f->p + at, "\r\n", 2) == 0)
		return at + 2;
	hit = memmem(f->p + at, stop - at, "\r\n\r\n", 4);
	return hit == NULL ? at : (size_t)(hit + 4 - f->p);
}

/* Behind its first empty line; where there is none all of it counts. */
static size_t
skip_header(const struct clamav_form *f, size_t at, size_t stop)
{
	const char	*lf;
	size_t		 line = at, next;

	for (; line < stop; line = next) {
		lf = memchr(f->p + line, '\n', stop - line);
		next = lf == NULL ? stop : (size_t)(lf + 1 - f->p);
		if (f->p[line] == '\n' || (f->p[line] == '\r' &&
		    lf != NULL && next == line + 2))
			return next;
	}
	return at;
}

/* Without the line end that belongs to the delimiter. */
static size_t
trim_end(const struct clamav_form *f, size_t start, size_t stop)
{
	if (stop > start && f->p[stop - 1] == '\n') {
		stop--;
		if (stop > start && f->p[stop - 1] == '\r')
			stop--;
	}
	return stop;
}

static void
note_delimiter(struct clamav_form *f, const struct clamav_delimiter *d)
{
	f->found = true;
	if (d->odd != 0 && f->odd != 0 && d->odd != f->odd)
		f->is_mixed = true;
	if (d->odd != 0)
		f->odd = d->odd;
}

void
clamav_form_init(struct clamav_form *f, struct slice boundary, const char *p,
    size_t len)
{
	memset(f, 0, sizeof(*f));
	f->p = p;
	f->len = len;
	memcpy(f->line, "--", 2);
	memcpy(f->line + 2, boundary.p, boundary.len);
	f->line_len = 2 + boundary.len;
	f->is_strict = true;
	f->closed = len;
	f->more = find_delimiter(f, 0, true, &f->next);
}

/* The second way to cut it begins, from the first delimiter of all. */
static void
start_loose(struct clamav_form *f)
{
	f->is_strict = false;
	if ((f->more = find_delimiter(f, 0, false, &f->next)))
		note_delimiter(f, &f->next);
}

static void
set_part(struct clamav_part *part, const struct clamav_form *f, size_t at,
    size_t start, size_t end)
{
	part->head.p = f->p + at;
	part->head.len = start - at;
	part->offset = start;
	part->len = end > start ? end - start : 0;
}

/* As it is for those who see any delimiter, and a header that ends in LF. */
static bool
take_loose(struct clamav_form *f, const struct clamav_delimiter *d,
    size_t strict, size_t stop, size_t end, struct clamav_part *part)
{
	size_t	 start = skip_header(f, d->end, stop);
	bool	 is_known = d->odd == 0 && d->at < f->closed &&
		    (!f->more || f->next.odd == 0);

	if (start != strict)
		note_header(f, d->end, strict);
	if (start == d->end)		/* it may end at what is no field */
		note_header(f, d->end, end > start ? end : start);
	if ((is_known && start == strict) || start >= end)
		return false;		/* the first way had it, or nothing */
	set_part(part, f, d->end, start, end);
	return true;
}

/* The part behind a delimiter.  Returns whether it is to be scanned. */
static bool
take_part(struct clamav_form *f, const struct clamav_delimiter *d,
    struct clamav_part *part)
{
	size_t	 start, stop = f->len, end;

	if (f->is_strict && d->is_last) {
		f->closed = d->at;	/* nothing behind that is a part */
		f->more = false;
		return false;
	}
	if (f->more)
		stop = f->next.at;
	if (stop < d->end)
		stop = d->end;
	end = f->more ? trim_end(f, d->end, stop) : stop;
	start = skip_header_strict(f, d->end, stop);
	if (!f->is_strict)
		return take_loose(f, d, start, stop, end, part);
	set_part(part, f, d->end, start, end);
	return true;
}

bool
clamav_form_next(struct clamav_form *f, struct clamav_part *part)
{
	struct clamav_delimiter	 d;

	for (;;) {
		if (!f->more && !f->is_strict)
			return false;
		if (!f->more) {
			start_loose(f);
			continue;
		}
		d = f->next;
		f->more = find_delimiter(f, d.at + f->line_len, f->is_strict,
		    &f->next);
		if (f->more && !f->is_strict)
			note_delimiter(f, &f->next);
		if (take_part(f, &d, part))
			return true;
	}
}

const char *
clamav_form_doubt(const struct clamav_form *f)
{
	if (!f->found)
		return "the boundary is not in the body";
	if (f->is_mixed)
		return "delimiters of several kinds";
	if (f->is_nested)
		return "a part that may have parts";
	return NULL;
}
