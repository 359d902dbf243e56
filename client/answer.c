/* SPDX-License-Identifier: ISC */
/*
 * One ICAP reply, as it comes in.  Called by talk.c.  It is as strict as the
 * strictest client that was surveyed where framing is concerned, for it has
 * to find what a proxy would trip over; it must not read, wait or allocate.
 */
#include <string.h>

#include "answer.h"

static const struct limits answer_limits = LIMITS_DEFAULT;

void
answer_init(struct answer *a, enum icap_method method)
{
	memset(a, 0, sizeof(*a));
	a->method = method;
}

static enum answer_event
answer_bad(struct answer *a, const char *why)
{
	a->why = why;
	return ANSWER_BAD;
}

/* Status-Line = ICAP-Version SP Status-Code SP Reason-Phrase */
static int
answer_parse_status(struct answer *a, struct answer_fields *f, const char *p,
    size_t len)
{
	struct slice	 code;
	uint64_t	 status;

	if (len < 12 || memcmp(p, "ICAP/1.", 7) != 0 ||
	    chars_span(p + 7, 1, CHARS_DIGIT) != 1 || p[8] != ' ')
		return -1;
	code.p = p + 9;
	code.len = 3;
	if (chars_parse_uint(code, 599, &status) == -1 || status < 100 ||
	    (len > 12 && p[12] != ' '))
		return -1;
	a->status = (int)status;
	f->version.p = p;
	f->version.len = 8;
	f->reason.p = p + len;
	f->reason.len = 0;
	if (len > 13) {
		f->reason.p = p + 13;
		f->reason.len = len - 13;
	}
	if (chars_span(f->reason.p, f->reason.len, CHARS_TEXT) !=
	    f->reason.len)
		return -1;
	return 0;
}

/* The fields that say how the reply goes on. */
static int
answer_use_fields(struct answer *a, const struct header *h,
    const struct header_field **encapsulated)
{
	const struct header_field	*field;
	unsigned int			 i;

	*encapsulated = NULL;
	for (i = 0; i < h->count; i++) {
		field = &h->field[i];
		switch (field->name.len) {
		case 5:
			if (!slice_is_nocase(field->name, "ISTag"))
				break;
			if (field->value.len < 2 || field->value.len > 34 ||
			    field->value.p[0] != '"' ||
			    field->value.p[field->value.len - 1] != '"')
				return -1;
			a->has_istag = true;
			break;
		case 10:
			if (slice_is_nocase(field->name, "Connection") &&
			    slice_list_has(field->value, "close"))
				a->close = true;
			break;
		case 12:
			if (!slice_is_nocase(field->name, "Encapsulated"))
				break;
			if (*encapsulated != NULL)
				return -1;
			*encapsulated = field;
			break;
		}
	}
	return 0;
}

/* Does what is encapsulated suit the status?  RFC 3507 4.3.3, 4.4.1, 4.6. */
static int
answer_check_parts(struct answer *a)
{
	bool	 any;

	any = a->encap.req_hdr > 0 || a->encap.res_hdr > 0 ||
	    a->encap.body != ENCAP_NULL_BODY;
	switch (a->status) {
	case 100:
	case 204:
		if (any)
			a->why = "a 100 or 204 that carries a message";
		break;
	case 200:
	case 206:
		if (!any && a->method != ICAP_OPTIONS)
			a->why = "a 200 or 206 without a message";
		break;
	default:
		break;
	}
	return a->why != NULL ? -1 : 0;
}

static enum answer_event
answer_finish_head(struct answer *a, const struct answer_fields *f)
{
	const struct header_field	*field;
	struct fault			 fault;

	if (answer_use_fields(a, &f->header, &field) == -1)
		return answer_bad(a, "malformed ISTag, or two Encapsulated");
	if (field == NULL) {
		/* c-icap leaves it out of all that carries no message */
		if (a->status == 200 || a->status == 206)
			return answer_bad(a, "no Encapsulated");
		a->encap.body = ENCAP_NULL_BODY;
	} else if (encap_parse(&a->encap, field->value, a->method, true,
	    answer_limits.http_heads, &fault) == -1)
		return answer_bad(a, fault.why);
	if (answer_check_parts(a) == -1)
		return ANSWER_BAD;
	if (a->status != 100 && a->status < 400 && !a->has_istag)
		return answer_bad(a, "no ISTag");
	a->left = a->encap.req_hdr + a->encap.res_hdr;
	if (a->left > 0)
		a->state = ANSWER_S_HTTP;
	else if (a->encap.body != ENCAP_NULL_BODY) {
		a->state = ANSWER_S_BODY;
		chunk_init(&a->chunk, &answer_limits);
	} else
		a->state = ANSWER_S_END;
	return ANSWER_HEAD;
}

static enum answer_event
answer_parse_head(struct answer *a, struct answer_fields *f, char *p,
    size_t len, size_t *used)
{
	struct fault	 fault;
	char		*end, *line, *lf;

	/* a server that speaks something else need not be waited for */
	if (memcmp(p, "ICAP/1.", len < 7 ? len : 7) != 0)
		return answer_bad(a, "not an ICAP reply");
	if ((end = memmem(p, len, "\r\n\r\n", 4)) == NULL) {
		if (len > answer_limits.head)
			return answer_bad(a, "ICAP head too large");
		return ANSWER_MORE;
	}
	*used = (size_t)(end + 4 - p);
	line = p;
	lf = memchr(p, '\n', *used);
	if (lf[-1] != '\r' ||
	    answer_parse_status(a, f, p, (size_t)(lf - 1 - p)) == -1)
		return answer_bad(a, "malformed status line");
	header_init(&f->header, f->field, ANSWER_FIELDS);
	for (line = lf + 1; line < end; line = lf + 1) {
		lf = memchr(line, '\n', (size_t)(end + 2 - line));
		if (lf == NULL || lf[-1] != '\r' || lf == line)
			return answer_bad(a,
			    "line ends without a carriage return");
		if (header_parse_line(&f->header, line,
		    (size_t)(lf - 1 - line), &fault) == -1)
			return answer_bad(a, fault.why);
	}
	return answer_finish_head(a, f);
}

/* A head ends with an empty line, exactly where Encapsulated says so. */
static enum answer_event
answer_parse_http(struct answer *a, const char *p, size_t len, size_t *used,
    struct slice *out)
{
	size_t	 n = len < a->left ? len : a->left, keep;

	out->p = p;
	out->len = *used = n;
	keep = n < sizeof(a->tail) ? n : sizeof(a->tail);
	memmove(a->tail, a->tail + keep, sizeof(a->tail) - keep);
	memcpy(a->tail + sizeof(a->tail) - keep, p + n - keep, keep);
	if ((a->left -= n) > 0)
		return ANSWER_HTTP;
	if (memcmp(a->tail, "\r\n\r\n", sizeof(a->tail)) != 0)
		return answer_bad(a,
		    "HTTP head does not end where Encapsulated says");
	a->state = ANSWER_S_END;
	if (a->encap.body != ENCAP_NULL_BODY) {
		a->state = ANSWER_S_BODY;
		chunk_init(&a->chunk, &answer_limits);
	}
	return ANSWER_HTTP;
}

static enum answer_event
answer_parse_body(struct answer *a, const char *p, size_t len, size_t *used,
    struct slice *out)
{
	switch (chunk_parse(&a->chunk, p, len, used, out)) {
	case CHUNK_BAD:
		return answer_bad(a, a->chunk.why);
	case CHUNK_DATA:
		return ANSWER_BODY;
	case CHUNK_TRAILER:
		return ANSWER_TRAILER;
	case CHUNK_END:
		break;
	case CHUNK_MORE:
		return ANSWER_MORE;
	}
	a->state = ANSWER_S_END;
	if (a->chunk.ieof)
		return answer_bad(a, "ieof in a reply");
	if (a->chunk.has_original && a->status != 206)
		return answer_bad(a, "use-original-body without a 206");
	return ANSWER_END;
}

enum answer_event
answer_parse(struct answer *a, struct answer_fields *f, char *p, size_t len,
    size_t *used, struct slice *out)
{
	*used = 0;
	out->len = 0;
	if (a->state == ANSWER_S_END)
		return ANSWER_END;
	if (len == 0)
		return ANSWER_MORE;
	switch (a->state) {
	case ANSWER_S_HEAD:
		return answer_parse_head(a, f, p, len, used);
	case ANSWER_S_HTTP:
		return answer_parse_http(a, p, len, used, out);
	case ANSWER_S_BODY:
		return answer_parse_body(a, p, len, used, out);
	case ANSWER_S_END:
		break;
	}
	return ANSWER_END;
}
