/* SPDX-License-Identifier: ISC */
/*
 * What the head of a part, or of a message in a part, says of the bytes behind
 * it: a coding, parts, a message.  Called by clamav_form.c and clamav_parts.c.
 * It has to see whatever some reader would, so in a head that two of them may
 * read differently a name counts wherever it stands; and it must not take such
 * a head for clear: what it says of codings or parts is odd, and what is odd is
 * not undone, but said.
 */
#include <string.h>

#include "clamav.h"

/* The fields that matter, by their first word and the rest. */
enum name {
	CODING,
	TYPE,
	PACKED,
	SENT,
	LENGTH,
	NNAMES
};

static const struct {
	const char	*first;
	const char	*rest;
} names[NNAMES] = {
	[CODING] = { "content", "-transfer-encoding" },
	[TYPE] = { "content", "-type" },
	[PACKED] = { "content", "-encoding" },
	[SENT] = { "transfer", "-encoding" },
	[LENGTH] = { "content", "-length" },
};

/* A name that was found. */
struct field {
	enum name	 name;
	bool		 begins_line;	/* behind blanks perhaps */
	bool		 is_field;	/* and it is one's, as it should be */
	struct slice	 value;
};

/* How often, and what the last said. */
struct seen {
	unsigned int	 n[NNAMES];
	unsigned int	 nfields[NNAMES];
	unsigned int	 nsay[NNAMES];	/* of these, those that matter */
	struct field	 say[NNAMES];
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* ---- is it clear? ------------------------------------------------------- */

/* A line with its end, or all that is left. */
static struct slice
take_line(struct slice *s)
{
	const char	*lf = memchr(s->p, '\n', s->len);
	struct slice	 line = *s;

	if (lf != NULL)
		line.len = (size_t)(lf + 1 - s->p);
	s->p += line.len;
	s->len -= line.len;
	return line;
}

/* Takes the end off; returns its length, 0 where there is none. */
static size_t
chop_line(struct slice *line)
{
	size_t	 len = line->len;

	if (line->len > 0 && line->p[line->len - 1] == '\n')
		line->len--;
	if (line->len < len && line->len > 0 && line->p[line->len - 1] == '\r')
		line->len--;
	return len - line->len;
}

/* token ":" text, or (not the first) a fold. */
static bool
is_field_line(struct slice line, bool is_first)
{
	size_t	 n = 0;

	if (line.p[0] != ' ' && line.p[0] != '\t') {
		n = chars_span(line.p, line.len, CHARS_TOKEN);
		if (n == 0 || n == line.len || line.p[n] != ':')
			return false;
	} else if (is_first)
		return false;
	return chars_span(line.p + n, line.len - n, CHARS_TEXT) ==
	    line.len - n;
}

/*
 * Fields with the same end each, and an empty line or nothing behind them.
 * *end is the length of those ends.
 */
static bool
is_clear(struct slice head, size_t *end)
{
	struct slice	 line;
	size_t		 n;
	bool		 is_first = true;

	*end = 0;
	while (head.len > 0) {
		line = take_line(&head);
		n = chop_line(&line);
		if (is_first)
			*end = n;
		else if (n != *end && (n > 0 || head.len > 0))
			return false;
		if (line.len == 0)
			return head.len == 0;
		if (!is_field_line(line, is_first))
			return false;
		is_first = false;
	}
	return true;
}

/* ---- what it says ------------------------------------------------------- */

/* The value of a field, from behind its name on, folds included. */
static struct slice
take_value(struct slice s)
{
	size_t	 n;

	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	if (s.len > 0 && s.p[0] == ':') {
		s.p++;
		s.len--;
	}
	for (n = 0; n < s.len; n++)
		if (s.p[n] == '\n' && (n + 1 == s.len ||
		    (s.p[n + 1] != ' ' && s.p[n + 1] != '\t')))
			break;
	s.len = n;
	while (s.len > 0 && is_blank(s.p[0])) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

/* Is one of the names around that "-", but not before `from`?  Its end. */
static size_t
find_name(struct slice head, size_t from, size_t dash, enum name *name)
{
	size_t	 first, rest;
	int	 i;

	for (i = 0; i < NNAMES; i++) {
		first = strlen(names[i].first);
		rest = strlen(names[i].rest);
		if (dash - from >= first && head.len - dash >= rest &&
		    strncasecmp(head.p + dash, names[i].rest, rest) == 0 &&
		    strncasecmp(head.p + dash - first, names[i].first,
		    first) == 0) {
			*name = (enum name)i;
			return dash + rest;
		}
	}
	return 0;
}

static bool
begins_line(const char *p, size_t at)
{
	while (at > 0 && (p[at - 1] == ' ' || p[at - 1] == '\t'))
		at--;
	return at == 0 || p[at - 1] == '\n';
}

/* The next of them from *from on, which is moved behind its name. */
static bool
next_field(struct slice head, size_t *from, struct field *f)
{
	struct slice	 behind;
	const char	*hit;
	size_t		 dash, end, at = *from;

	while ((hit = memchr(head.p + at, '-', head.len - at)) != NULL) {
		dash = (size_t)(hit - head.p);
		at = dash + 1;
		if ((end = find_name(head, *from, dash, &f->name)) == 0)
			continue;
		dash -= strlen(names[f->name].first);
		f->is_field = (dash == 0 || head.p[dash - 1] == '\n') &&
		    end < head.len && head.p[end] == ':';
		f->begins_line = begins_line(head.p, dash);
		behind.p = head.p + end;
		behind.len = head.len - end;
		f->value = take_value(behind);
		*from = end;
		return true;
	}
	return false;
}

static bool
contains_nocase(struct slice s, const char *what)
{
	size_t	 len = strlen(what);

	for (; s.len >= len; s.p++, s.len--)
		if (strncasecmp(s.p, what, len) == 0)
			return true;
	return false;
}

enum clamav_coding
clamav_head_coding(struct slice word)
{
	if (word.len == 0 || slice_is_nocase(word, "binary") ||
	    slice_is_nocase(word, "8bit") || slice_is_nocase(word, "7bit"))
		return CLAMAV_CODING_NONE;
	if (slice_is_nocase(word, "base64"))
		return CLAMAV_BASE64;
	if (slice_is_nocase(word, "quoted-printable"))
		return CLAMAV_QUOTED;
	return CLAMAV_CODING_ODD;
}

enum clamav_coding
clamav_head_http_coding(struct slice word)
{
	/* what is in the names of codings that there are, x-uuencode and so */
	static const char *const	 parts[] = {
		"x-", "64", "quoted", "printable", "uu", "hex", "yenc"
	};
	enum clamav_coding		 coding = clamav_head_coding(word);
	size_t				 i;

	if (coding != CLAMAV_CODING_ODD)
		return coding;
	for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (contains_nocase(word, parts[i]))
			return CLAMAV_CODING_ODD;
	return CLAMAV_CODING_NONE;
}

static bool
is_type(struct slice value, const char *type)
{
	size_t	 len = strlen(type);

	return slice_begins_nocase(value, type) && (value.len == len ||
	    value.p[len] == ';' || is_blank(value.p[len]));
}

/* What a Content-Type says; the boundary is in its text. */
static enum clamav_kind
kind_of(struct slice value, struct slice *boundary)
{
	switch (clamav_form_type(value, boundary)) {
	case CLAMAV_FORM_IS:
		return CLAMAV_MULTIPART;
	case CLAMAV_FORM_UNCLEAR:
		return CLAMAV_KIND_ODD;
	case CLAMAV_FORM_NONE:
		break;
	}
	if (is_type(value, "application/http") ||
	    is_type(value, "message/http"))
		return CLAMAV_HTTP;
	/* pieces of a message, which nobody here has */
	if (is_type(value, "message/partial"))
		return CLAMAV_KIND_ODD;
	if (slice_begins_nocase(value, "message/"))
		return CLAMAV_MAIL;
	return contains_nocase(value, "application/http,") ||
	    contains_nocase(value, ", application/http") ||
	    contains_nocase(value, ",application/http") ||
	    contains_nocase(value, "message/") ? CLAMAV_KIND_ODD :
	    CLAMAV_FILE;
}

/* Does it matter what the field says? */
static bool
says_much(const struct field *f)
{
	struct slice	 boundary;

	switch (f->name) {
	case CODING:
		return clamav_head_coding(f->value) != CLAMAV_CODING_NONE;
	case TYPE:
		return kind_of(f->value, &boundary) != CLAMAV_FILE;
	case PACKED:
	case SENT:
		return f->value.len > 0 &&
		    !slice_is_nocase(f->value, "identity");
	default:
		return true;
	}
}

/* All that count: in a clear head those that begin a line. */
static void
look(struct slice head, bool clear, struct seen *seen)
{
	struct field	 f;
	size_t		 from = 0;

	memset(seen, 0, sizeof(*seen));
	while (next_field(head, &from, &f)) {
		if (clear && !f.begins_line)
			continue;
		seen->n[f.name]++;
		if (f.is_field)
			seen->nfields[f.name]++;
		if (says_much(&f)) {
			seen->nsay[f.name]++;
			seen->say[f.name] = f;
		}
	}
}

/* Is there one that matters, and no other that somebody would go by? */
static bool
is_alone(const struct seen *seen, enum name name)
{
	return seen->nsay[name] == 1 && seen->nfields[name] == 1 &&
	    seen->say[name].is_field;
}

static void
set_length(struct clamav_head *h, const struct seen *seen)
{
	h->has_length = seen->nsay[LENGTH] > 0;
	h->is_length_odd = h->has_length && (!is_alone(seen, LENGTH) ||
	    chars_parse_uint(seen->say[LENGTH].value, UINT64_MAX / 2,
	    &h->length) == -1);
}

void
clamav_head_parse(struct clamav_head *h, struct slice head)
{
	struct seen	 seen;
	size_t		 end;
	bool		 clear;

	memset(h, 0, sizeof(*h));
	clear = is_clear(head, &end);
	look(head, clear, &seen);
	h->is_lf = end == 1;
	if (seen.nsay[CODING] > 0)
		h->coding = clear && seen.n[CODING] == 1 &&
		    is_alone(&seen, CODING) ?
		    clamav_head_coding(seen.say[CODING].value) :
		    CLAMAV_CODING_ODD;
	if (seen.nsay[TYPE] > 0)
		h->kind = clear && is_alone(&seen, TYPE) ?
		    kind_of(seen.say[TYPE].value, &h->boundary) :
		    CLAMAV_KIND_ODD;
	h->is_packed = seen.nsay[PACKED] > 0 || seen.nsay[SENT] > 0;
	set_length(h, &seen);
}

/* ---- messages ----------------------------------------------------------- */

/* Method, target and version, or version and status; and the line's end. */
static bool
is_start_line(struct slice line, size_t *end)
{
	static const char	 version[] = "HTTP/1.";
	size_t			 len = sizeof(version);	/* and a digit */
	size_t			 n;

	*end = chop_line(&line);
	if (line.len < len || chars_span(line.p, line.len, CHARS_TEXT) !=
	    line.len)
		return false;
	if (slice_begins_nocase(line, version))
		return true;
	n = chars_span(line.p, line.len, CHARS_TOKEN);
	return n > 0 && line.len > n + len && line.p[n] == ' ' &&
	    line.p[line.len - len - 1] == ' ' &&
	    strncasecmp(line.p + line.len - len, version, len - 1) == 0;
}

bool
clamav_head_split(struct slice message, bool is_http, struct slice *head,
    struct slice *rest)
{
	struct slice	 line;
	size_t		 first = 0, end;

	*rest = message;
	if (is_http && !is_start_line(take_line(rest), &first))
		return false;
	*head = *rest;
	do {
		line = take_line(rest);
		(void)chop_line(&line);
		if (line.len > 0 && !is_field_line(line, false))
			return false;
	} while (line.len > 0 && rest->len > 0);
	head->len -= rest->len;
	return is_clear(*head, &end) && (first == 0 || end == 0 ||
	    end == first);
}
