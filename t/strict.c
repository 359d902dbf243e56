/* SPDX-License-Identifier: ISC */
/*
 * A strict reader of ICAP replies, for unit tests: what a reply may look like
 * (conformance.md A8-A13) stands here once, written from the rules and not
 * from our code, which it must not use to decode.  Whatever is wrong fails
 * the running test.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "strict.h"
#include "unit.h"

static const char continue_reply[] = "ICAP/1.0 100 Continue\r\n\r\n";

struct reading {
	const char	*p;
	const char	*end;
	const char	*start;
};

static void wrong(const struct reading *in, const char *what)
    __attribute__((noreturn));

static void
wrong(const struct reading *in, const char *what)
{
	struct text	 shown = { .len = 0 };
	size_t		 len = (size_t)(in->end - in->start);

	shown.s[0] = '\0';
	text_add(&shown, in->start, len < 900 ? len : 900);
	ck_abort_msg("reply: %s (at byte %zd of %zu)\n  %s", what,
	    in->p - in->start, len, shown.s);
	abort();
}

/* The next line without its CRLF; no other control byte in it. */
static struct slice
take_line(struct reading *in)
{
	struct slice	 line = { in->p, 0 };
	const char	*p;

	for (p = in->p; p < in->end && *p != '\r'; p++)
		if (*p == '\n' || *p == '\0')
			wrong(in, "LF or NUL in a line");
	if (in->end - p < 2 || p[1] != '\n')
		wrong(in, "line without CRLF");
	line.len = (size_t)(p - in->p);
	in->p = p + 2;
	return line;
}

static bool
starts(struct slice s, const char *with)
{
	return s.len >= strlen(with) && memcmp(s.p, with, strlen(with)) == 0;
}

static bool
is_name(struct slice s, const char *name)
{
	return starts(s, name) && s.len > strlen(name) &&
	    s.p[strlen(name)] == ':';
}

/* C184: "Name: value", one blank, ASCII, nothing at its end. */
static struct slice
check_field(struct reading *in, struct slice line)
{
	struct slice	 value;
	const char	*colon;
	size_t		 i;

	if ((colon = memchr(line.p, ':', line.len)) == NULL ||
	    colon == line.p)
		wrong(in, "header without a name");
	if (chars_span(line.p, line.len, CHARS_TOKEN) !=
	    (size_t)(colon - line.p))
		wrong(in, "header name is no token");
	value.p = colon + 2;
	if (line.len < (size_t)(colon - line.p) + 3 || colon[1] != ' ')
		wrong(in, "no blank after the colon, or an empty value");
	value.len = line.len - (size_t)(value.p - line.p);
	for (i = 0; i < value.len; i++)
		if ((unsigned char)value.p[i] < 0x20 ||
		    (unsigned char)value.p[i] > 0x7e)
			wrong(in, "header value is not ASCII text");
	if (value.p[0] == ' ' || value.p[value.len - 1] == ' ')
		wrong(in, "blanks around a header value");
	return value;
}

/* C179. */
static void
check_istag(struct reading *in, struct slice value)
{
	size_t	 i;

	if (value.len < 3 || value.len > 34 || value.p[0] != '"' ||
	    value.p[value.len - 1] != '"')
		wrong(in, "ISTag is not quoted, or empty, or too long");
	for (i = 1; i < value.len - 1; i++)
		if (memchr("._+/=-", value.p[i], 6) == NULL &&
		    !(value.p[i] >= '0' && value.p[i] <= '9') &&
		    !(value.p[i] >= 'a' && value.p[i] <= 'z') &&
		    !(value.p[i] >= 'A' && value.p[i] <= 'Z'))
			wrong(in, "ISTag holds an odd character");
}

static int
take_status(struct reading *in)
{
	struct slice	 line = take_line(in);
	size_t		 i;

	if (!starts(line, "ICAP/1.0 ") || line.len < 14 || line.p[12] != ' ')
		wrong(in, "status line");
	for (i = 9; i < 12; i++)
		if (line.p[i] < '0' || line.p[i] > '9')
			wrong(in, "status code");
	return (line.p[9] - '0') * 100 + (line.p[10] - '0') * 10 +
	    (line.p[11] - '0');
}

static bool
take_number(struct slice *s, uint64_t *n)
{
	struct slice	 digits = { s->p, 0 };

	digits.len = chars_span(s->p, s->len, CHARS_DIGIT);
	if (chars_parse_uint(digits, INT64_MAX, n) == -1 ||
	    (digits.len > 1 && digits.p[0] == '0'))
		return false;
	s->p += digits.len;
	s->len -= digits.len;
	return true;
}

static const char *const entities[] = {
	"req-hdr", "res-hdr", "req-body", "res-body", "null-body"
};

/* "name=N" off the list. */
static const char *
take_entity(struct reading *in, struct slice *list, uint64_t *offset)
{
	size_t	 i, len;

	for (i = 0; i < ROWS(entities); i++) {
		len = strlen(entities[i]);
		if (!starts(*list, entities[i]) || list->len <= len ||
		    list->p[len] != '=')
			continue;
		list->p += len + 1;
		list->len -= len + 1;
		if (!take_number(list, offset))
			break;
		return entities[i];
	}
	wrong(in, "Encapsulated");
}

static void
check_encapsulated(struct reading *in, struct strict *r, struct slice list,
    enum icap_method method, uint64_t *offset)
{
	uint64_t	 zero;

	r->hdr = "";
	r->entity = take_entity(in, &list, offset);
	if (strstr(r->entity, "-hdr") != NULL) {
		r->hdr = r->entity;
		zero = *offset;
		if (zero != 0 || !starts(list, ", "))
			wrong(in, "Encapsulated: the head is not at 0");
		list.p += 2;
		list.len -= 2;
		r->entity = take_entity(in, &list, offset);
		if (*offset == 0 || strstr(r->entity, "-hdr") != NULL)
			wrong(in, "Encapsulated: two heads");
	} else if (*offset != 0)
		wrong(in, "Encapsulated: first offset");
	if (list.len != 0)
		wrong(in, "Encapsulated: more than that");
	if (strcmp(r->entity, "null-body") != 0 && r->hdr[0] != '\0' &&
	    strncmp(r->hdr, r->entity, 3) != 0)
		wrong(in, "Encapsulated: head and body do not match");
	/* C200: no request comes back from RESPMOD */
	if (method == ICAP_RESPMOD && (strncmp(r->hdr, "req", 3) == 0 ||
	    strncmp(r->entity, "req", 3) == 0))
		wrong(in, "Encapsulated: a request in answer to RESPMOD");
}

static void
take_head(struct reading *in, struct strict *r, enum icap_method method,
    uint64_t *offset)
{
	struct slice	 line, value, last = { "", 0 };
	unsigned int	 istags = 0, encapsulated = 0;

	r->icap.p = in->p;
	r->status = take_status(in);
	while ((line = take_line(in)).len > 0) {
		value = check_field(in, line);
		last = line;
		if (is_name(line, "ISTag")) {
			istags++;
			check_istag(in, value);
		} else if (is_name(line, "Encapsulated")) {
			encapsulated++;
			check_encapsulated(in, r, value, method, offset);
		} else if (is_name(line, "Content-Length") ||
		    is_name(line, "Transfer-Encoding"))
			wrong(in, "framing of HTTP in an ICAP head (C188)");
	}
	r->icap.len = (size_t)(in->p - r->icap.p);
	if (istags != 1 || encapsulated != 1)
		wrong(in, "not one ISTag and one Encapsulated");
	if (!is_name(last, "Encapsulated"))
		wrong(in, "Encapsulated is not the last header (C183)");
	if (r->icap.len > 8192)
		wrong(in, "ICAP head above 8 KiB (C185)");
}

/* C182: as long as promised, and its only empty line at its end. */
static void
take_http(struct reading *in, struct strict *r, size_t len)
{
	const char	*p;

	r->http.p = in->p;
	r->http.len = len;
	if ((size_t)(in->end - in->p) < len)
		wrong(in, "HTTP head is cut off");
	in->p += len;
	p = memmem(r->http.p, len, "\r\n\r\n", 4);
	if (p == NULL || p + 4 != in->p)
		wrong(in, "HTTP head does not end where it should");
}

/* The size line of a chunk (C186, C187); 206 alone has an extension. */
static uint64_t
take_size(struct reading *in, struct strict *r)
{
	static const char	 hex[] = "0123456789abcdef";
	static const char	 original[] = "0; use-original-body=";
	struct slice		 line = take_line(in);
	uint64_t		 size = 0;
	const char		*digit;
	size_t			 i;

	if (starts(line, original)) {
		line.p += strlen(original);
		line.len -= strlen(original);
		if (!take_number(&line, &size) || line.len != 0)
			wrong(in, "use-original-body (C162)");
		r->original = (int64_t)size;
		return 0;
	}
	if (line.len == 0 || line.len > 8 ||
	    (line.p[0] == '0' && line.len > 1))
		wrong(in, "chunk size (C187)");
	for (i = 0; i < line.len; i++) {
		if ((digit = strchr(hex, line.p[i] | 0x20)) == NULL ||
		    *digit == '\0')
			wrong(in, "chunk size (C187)");
		size = size * 16 + (uint64_t)(digit - hex);
	}
	if (size > INT32_MAX)
		wrong(in, "chunk above 2^31 (C187)");
	return size;
}

static void
take_body(struct reading *in, struct strict *r)
{
	const char	*trailers;
	uint64_t	 size;

	while ((size = take_size(in, r)) > 0) {
		if ((uint64_t)(in->end - in->p) < size + 2)
			wrong(in, "body is cut off");
		r->body = realloc(r->body, r->body_len + size);
		ck_assert_ptr_nonnull(r->body);
		memcpy(r->body + r->body_len, in->p, size);
		r->body_len += size;
		in->p += size;
		if (memcmp(in->p, "\r\n", 2) != 0)
			wrong(in, "no CRLF after a chunk");
		in->p += 2;
	}
	trailers = in->p;
	while (take_line(in).len > 0)
		;
	r->http_trailers.p = trailers;
	r->http_trailers.len = (size_t)(in->p - 2 - trailers);
}

/* C170, C171, C173: promised in both ways, and each promise kept. */
static void
take_trailers(struct reading *in, struct strict *r)
{
	struct slice	 names = strict_header(r, "Trailer"), name, line;
	struct slice	 allow = strict_header(r, "Allow");
	unsigned int	 n = 0;

	if ((names.len > 0) != (allow.len > 0))
		wrong(in, "Trailer without Allow: trailers, or alone (C171)");
	if (names.len == 0)
		return;
	if (!slice_is(allow, "trailers"))
		wrong(in, "Allow");
	r->trailers.p = in->p;
	while ((line = take_line(in)).len > 0) {
		(void)check_field(in, line);
		n++;
	}
	r->trailers.len = (size_t)(in->p - 2 - r->trailers.p);
	while (slice_next(&names, &name)) {
		line.p = memmem(r->trailers.p, r->trailers.len, name.p,
		    name.len);
		if (line.p == NULL || n-- == 0)
			wrong(in, "a promised trailer is missing (C173)");
	}
	if (n != 0)
		wrong(in, "a trailer that was not promised");
}

/* C167, C196, C197: Content-Length is right, or absent. */
static void
check_length(struct reading *in, const struct strict *r)
{
	static const char	 name[] = "\r\nContent-Length: ";
	struct slice		 value;
	uint64_t		 n;

	if ((value.p = memmem(r->http.p, r->http.len, name,
	    strlen(name))) == NULL)
		return;
	value.p += strlen(name);
	value.len = (size_t)(r->http.p + r->http.len - value.p);
	if (!take_number(&value, &n))
		wrong(in, "Content-Length");
	if (memmem(value.p, value.len, name, strlen(name)) != NULL)
		wrong(in, "two of Content-Length");
	/* a 206's length is for who knows the original; so is that of HEAD */
	if (r->original != -1 || strcmp(r->entity, "null-body") == 0)
		return;
	if (n == 0)
		wrong(in, "a body after Content-Length: 0 (C196)");
	if (n != r->body_len)
		wrong(in, "Content-Length is not the body's (C197)");
}

static void
check_status(struct reading *in, const struct strict *r,
    enum icap_method method)
{
	bool	 bare = r->hdr[0] == '\0';

	switch (r->status) {
	case 200:
		/* C198: something must be in it */
		if (method != ICAP_OPTIONS && bare &&
		    strcmp(r->entity, "null-body") == 0)
			wrong(in, "200 with nothing in it");
		if (r->original != -1)
			wrong(in, "use-original-body in a 200");
		break;
	case 206:
		if (bare || strcmp(r->entity, "null-body") == 0)
			wrong(in, "206 without a head or a body (C164)");
		if (r->original == -1)
			wrong(in, "206 without use-original-body (C165)");
		if (r->http_trailers.len > 0 || r->trailers.len > 0)
			wrong(in, "206 with trailers");
		break;
	case 204:
		if (!starts(r->icap,
		    "ICAP/1.0 204 No modifications needed\r\n"))
			wrong(in, "204: its reason (C154)");
		/* FALLTHROUGH */
	default:
		if (!bare || strcmp(r->entity, "null-body") != 0)
			wrong(in, "something in a reply without a message");
		if (strict_header(r, "Trailer").len > 0)
			wrong(in, "trailers where there may be none (C174)");
	}
}

void
strict_read(struct strict *r, const char *p, size_t len,
    enum icap_method method)
{
	struct reading	 in = { p, p + len, p };
	struct slice	 rest = { p, len };
	uint64_t	 offset = 0;

	memset(r, 0, sizeof(*r));
	r->original = -1;
	r->http = r->http_trailers = r->trailers = unit_slice("");
	while (starts(rest, continue_reply)) {
		r->continues++;
		in.p += strlen(continue_reply);
		rest.p = in.p;
		rest.len = (size_t)(in.end - in.p);
	}
	if (r->continues > 1)
		wrong(&in, "two of 100 Continue");
	take_head(&in, r, method, &offset);
	if (offset > 0)
		take_http(&in, r, (size_t)offset);
	if (strcmp(r->entity, "null-body") != 0) {
		take_body(&in, r);
		take_trailers(&in, r);
	} else if (strict_header(r, "Trailer").len > 0)
		wrong(&in, "trailers without a body (C174)");
	if (in.p != in.end)
		wrong(&in, "bytes after the end of the reply (C190)");
	check_length(&in, r);
	check_status(&in, r, method);
}

void
strict_fini(struct strict *r)
{
	free(r->body);
	r->body = NULL;
}

struct slice
strict_header(const struct strict *r, const char *name)
{
	struct slice	 value = { "", 0 };
	const char	*p = r->icap.p, *end = p + r->icap.len, *crlf;
	size_t		 len = strlen(name);

	while ((crlf = memmem(p, (size_t)(end - p), "\r\n", 2)) != NULL) {
		if ((size_t)(crlf - p) > len + 2 && memcmp(p, name, len) == 0 &&
		    p[len] == ':') {
			value.p = p + len + 2;
			value.len = (size_t)(crlf - value.p);
			break;
		}
		p = crlf + 2;
	}
	return value;
}
