/* SPDX-License-Identifier: ISC */
/*
 * The head of an ICAP request: request line and header fields, parsed where
 * they lie, line by line as the bytes come in.  Called by session.c.  It
 * refuses at the first byte that can never become right, so that a client
 * which speaks something else (HTTP, TLS) is told at once and not after a
 * time-out.  It must not read, wait or allocate.
 */
#include <string.h>

#include "request.h"

/* RFC 9112 2.2: empty lines before a request line are skipped; so many. */
#define EMPTY_LINES_MAX	8

static const char *const method_name[] = {
	[ICAP_OPTIONS] = "OPTIONS",
	[ICAP_REQMOD] = "REQMOD",
	[ICAP_RESPMOD] = "RESPMOD",
	[ICAP_UNKNOWN] = "UNKNOWN",
};

const char *
request_method_name(enum icap_method method)
{
	return method_name[method];
}

void
request_init(struct request *r, const struct limits *limits,
    struct header_field *storage)
{
	memset(r, 0, sizeof(*r));
	header_init(&r->header, storage, limits->fields);
	r->limits = limits;
	r->encapsulated = -1;
}

bool
request_has_begun(const struct request *r, size_t len)
{
	return r->has_line || len > r->pos;
}

static enum parse
request_bad(struct fault *fault, int status, const char *why)
{
	fault->status = status;
	fault->why = why;
	return PARSE_BAD;
}

/* ICAP-Version = "ICAP" "/" 1*DIGIT "." 1*DIGIT; we speak 1.x. */
static int
request_parse_version(struct request *r, struct slice v, struct fault *fault)
{
	if (v.len != 8 || memcmp(v.p, "ICAP/", 5) != 0 || v.p[6] != '.' ||
	    v.p[5] < '0' || v.p[5] > '9' || v.p[7] < '0' || v.p[7] > '9')
		return request_bad(fault, 400, "malformed ICAP version");
	if (v.p[5] != '1') {
		r->late.status = 505;
		r->late.why = "ICAP version not supported";
	}
	return PARSE_OK;
}

static enum icap_method
request_find_method(struct slice name)
{
	if (slice_is(name, "RESPMOD"))
		return ICAP_RESPMOD;
	if (slice_is(name, "REQMOD"))
		return ICAP_REQMOD;
	if (slice_is(name, "OPTIONS"))
		return ICAP_OPTIONS;
	return ICAP_UNKNOWN;
}

/*
 * Request-Line = Method SP ICAP_URI SP ICAP-Version (RFC 3507 4.3.2); the
 * method's name has been found by request_check_start().
 */
static enum parse
request_parse_line(struct request *r, const char *p, size_t len,
    struct fault *fault)
{
	struct slice	 version;
	size_t		 n = r->method_name.len;

	if (n == 0 || n == len || p[n] != ' ')
		return request_bad(fault, 400, "malformed method");
	p += n + 1;
	len -= n + 1;

	r->target.p = p;
	r->target.len = n = chars_span(p, len, CHARS_VISIBLE);
	if (n == 0 || n == len || p[n] != ' ')
		return request_bad(fault, 400, "malformed request line");
	version.p = p + n + 1;
	version.len = len - n - 1;
	if (request_parse_version(r, version, fault) == PARSE_BAD ||
	    uri_parse(&r->uri, r->target, fault) == -1)
		return PARSE_BAD;

	r->method = request_find_method(r->method_name);
	if (r->method == ICAP_UNKNOWN && r->late.why == NULL) {
		r->late.status = 501;
		r->late.why = "method not implemented";
	}
	r->has_line = true;
	return PARSE_OK;
}

/*
 * A request line, maybe unfinished: is there still hope?  Its first bytes
 * tell a TLS hello from a method.
 */
static enum parse
request_check_start(struct request *r, const char *p, size_t len,
    struct fault *fault)
{
	size_t	 n = chars_span(p, len, CHARS_TOKEN);

	r->method_name.p = p;
	r->method_name.len = n;
	/* what comes first counts, however the bytes were split */
	if (n < len && n <= r->limits->request_line &&
	    (n == 0 || p[n] != ' '))
		return request_bad(fault, 400, "malformed method");
	if (p[len - 1] == '\r')
		len--;
	if (len > r->limits->request_line)
		return request_bad(fault, 414, "request line too long");
	return PARSE_MORE;
}

static void
request_add_allow(struct request *r, struct slice list)
{
	struct slice	 item;

	while (slice_next(&list, &item)) {
		if (slice_is(item, "204"))
			r->allow |= ALLOW_204;
		else if (slice_is(item, "206"))
			r->allow |= ALLOW_206;
		else if (slice_is_nocase(item, "trailers"))
			r->allow |= ALLOW_TRAILERS;
	}
}

/* The fields that steer the transaction, once the head is complete. */
static enum parse
request_use_field(struct request *r, unsigned int i, const struct slice **host,
    struct fault *fault)
{
	const struct header_field	*f = &r->header.field[i];

	switch (f->name.len) {
	case 4:
		if (!slice_is_nocase(f->name, "Host"))
			break;
		if (*host != NULL && ((*host)->len != f->value.len ||
		    memcmp((*host)->p, f->value.p, f->value.len) != 0))
			return request_bad(fault, 400,
			    "two different Host headers");
		*host = &f->value;
		break;
	case 5:
		if (slice_is_nocase(f->name, "Allow"))
			request_add_allow(r, f->value);
		break;
	case 7:
		if (!slice_is_nocase(f->name, "Preview"))
			break;
		if (r->has_preview)
			return request_bad(fault, 400,
			    "more than one Preview header");
		if (chars_parse_uint(f->value, REQUEST_PREVIEW_MAX,
		    &r->preview) == -1)
			return request_bad(fault, 400, "malformed Preview");
		r->has_preview = true;
		break;
	case 10:
		if (slice_is_nocase(f->name, "Connection") &&
		    slice_list_has(f->value, "close"))
			r->close = true;
		break;
	case 12:
		if (!slice_is_nocase(f->name, "Encapsulated"))
			break;
		if (r->encapsulated != -1)
			return request_bad(fault, 400,
			    "more than one Encapsulated header");
		r->encapsulated = (int)i;
		break;
	}
	return PARSE_OK;
}

static enum parse
request_finish(struct request *r, struct fault *fault)
{
	const struct slice	*host = NULL;
	unsigned int		 i;

	for (i = 0; i < r->header.count; i++)
		if (request_use_field(r, i, &host, fault) == PARSE_BAD)
			return PARSE_BAD;
	r->len = r->pos;
	if (r->late.why != NULL) {
		*fault = r->late;
		return PARSE_BAD;
	}
	return PARSE_OK;
}

/* One complete line of len bytes, its CRLF not counted. */
static enum parse
request_take_line(struct request *r, char *p, size_t len, struct fault *fault)
{
	if (!r->has_line) {
		if (len > 0)
			return request_parse_line(r, p, len, fault);
		if (++r->empty_lines > EMPTY_LINES_MAX)
			return request_bad(fault, 400,
			    "too many empty lines before a request");
		return PARSE_OK;
	}
	if (header_parse_line(&r->header, p, len, fault) == -1)
		return PARSE_BAD;
	return PARSE_OK;
}

enum parse
request_parse(struct request *r, char *p, size_t len, struct fault *fault)
{
	char	*line, *lf;
	size_t	 n;

	for (;;) {
		line = p + r->pos;
		if (r->seen < r->pos)
			r->seen = r->pos;
		lf = memchr(p + r->seen, '\n', len - r->seen);
		if (lf == NULL)
			break;
		n = (size_t)(lf - line);
		r->pos += n + 1;
		if (r->pos > r->limits->head && r->has_line)
			return request_bad(fault, 400, "ICAP head too large");
		if (!r->has_line && n > 1 && request_check_start(r, line, n,
		    fault) == PARSE_BAD)
			return PARSE_BAD;
		if (n == 0 || lf[-1] != '\r')
			return request_bad(fault, 400,
			    "line ends without a carriage return");
		n--;
		if (n == 0 && r->has_line)
			return request_finish(r, fault);
		if (request_take_line(r, line, n, fault) == PARSE_BAD)
			return PARSE_BAD;
	}

	r->seen = len;
	n = len - r->pos;
	if (n > 0 && !r->has_line && (line[0] != '\r' || n > 1) &&
	    request_check_start(r, line, n, fault) == PARSE_BAD)
		return PARSE_BAD;
	if (len >= r->limits->head)
		return request_bad(fault, 400, "ICAP head too large");
	return PARSE_MORE;
}

int
request_parse_body(struct request *r, struct fault *fault)
{
	const struct header_field	*f;

	if (r->encapsulated == -1) {
		/* errata e1: OPTIONS usually comes without one */
		if (r->method != ICAP_OPTIONS) {
			request_bad(fault, 400, "no Encapsulated header");
			return -1;
		}
		r->encap.body = ENCAP_NULL_BODY;
		return 0;
	}
	f = &r->header.field[r->encapsulated];
	if (encap_parse(&r->encap, f->value, r->method, false,
	    r->limits->http_heads, fault) == -1)
		return -1;
	/* errata e4: null-body alone carries nothing to adapt */
	if (r->method != ICAP_OPTIONS && r->encap.body == ENCAP_NULL_BODY &&
	    r->encap.req_hdr == 0 && r->encap.res_hdr == 0) {
		request_bad(fault, 400, "nothing encapsulated");
		return -1;
	}
	return 0;
}
