/* SPDX-License-Identifier: ISC */
/*
 * The Encapsulated header: which parts a message has and where each begins.
 * Called by request.c for requests and by clients for replies.  All framing
 * rests on these numbers, so nothing doubtful is accepted; only the
 * separators are lenient (NetCache sends blanks for commas, C074).
 */
#include <string.h>

#include "encap.h"

static const char *const entity_name[] = {
	[ENCAP_REQ_HDR] = "req-hdr",
	[ENCAP_RES_HDR] = "res-hdr",
	[ENCAP_REQ_BODY] = "req-body",
	[ENCAP_RES_BODY] = "res-body",
	[ENCAP_OPT_BODY] = "opt-body",
	[ENCAP_NULL_BODY] = "null-body",
};

struct entry {
	enum encap_entity	 entity;
	size_t			 offset;
};

const char *
encap_name(enum encap_entity entity)
{
	return entity_name[entity];
}

static int
encap_bad(struct fault *fault, int status, const char *why)
{
	fault->status = status;
	fault->why = why;
	return -1;
}

static void
skip(struct slice *s, size_t n)
{
	s->p += n;
	s->len -= n;
}

static void
skip_blanks(struct slice *s)
{
	while (s->len > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
		skip(s, 1);
}

static int
encap_find_entity(struct slice name, enum encap_entity *entity)
{
	if (slice_is_nocase(name, "res-hdr"))
		*entity = ENCAP_RES_HDR;
	else if (slice_is_nocase(name, "req-hdr"))
		*entity = ENCAP_REQ_HDR;
	else if (slice_is_nocase(name, "res-body"))
		*entity = ENCAP_RES_BODY;
	else if (slice_is_nocase(name, "req-body"))
		*entity = ENCAP_REQ_BODY;
	else if (slice_is_nocase(name, "null-body"))
		*entity = ENCAP_NULL_BODY;
	else if (slice_is_nocase(name, "opt-body"))
		*entity = ENCAP_OPT_BODY;
	else
		return -1;
	return 0;
}

/* encap-entity = entity "=" 1*DIGIT */
static int
encap_parse_entry(struct slice *s, struct entry *entry, size_t max,
    struct fault *fault)
{
	struct slice	 name, digits;
	uint64_t	 offset;

	name.p = s->p;
	name.len = chars_span(s->p, s->len, CHARS_TOKEN);
	skip(s, name.len);
	if (encap_find_entity(name, &entry->entity) == -1)
		return encap_bad(fault, 400, "unknown entity in Encapsulated");

	skip_blanks(s);
	if (s->len == 0 || s->p[0] != '=')
		return encap_bad(fault, 400,
		    "entity without an offset in Encapsulated");
	skip(s, 1);
	skip_blanks(s);
	digits.p = s->p;
	digits.len = chars_span(s->p, s->len, CHARS_DIGIT);
	skip(s, digits.len);
	if (digits.len == 0 ||
	    (s->len > 0 && s->p[0] != ',' && s->p[0] != ' ' &&
	    s->p[0] != '\t'))
		return encap_bad(fault, 400,
		    "malformed offset in Encapsulated");
	if (chars_parse_uint(digits, max, &offset) == -1)
		return encap_bad(fault, 413, "encapsulated head too large");
	entry->offset = (size_t)offset;
	return 0;
}

/* May this entity stand in such a message?  RFC 3507 4.4.1, errata e4. */
static bool
encap_allows(enum icap_method method, bool reply, enum encap_entity entity)
{
	switch (entity) {
	case ENCAP_NULL_BODY:
		return true;
	case ENCAP_OPT_BODY:
		return method == ICAP_OPTIONS;
	case ENCAP_REQ_HDR:
		return method == ICAP_REQMOD ||
		    (method == ICAP_RESPMOD && !reply);
	case ENCAP_REQ_BODY:
		return method == ICAP_REQMOD;
	case ENCAP_RES_HDR:
	case ENCAP_RES_BODY:
		return method == ICAP_RESPMOD ||
		    (method == ICAP_REQMOD && reply);
	}
	return false;
}

/* Checks order and offsets of the entries and fills in e. */
static int
encap_fill(struct encap *e, const struct entry *entry, unsigned int n,
    bool reply, struct fault *fault)
{
	unsigned int	 i;
	size_t		 len;

	memset(e, 0, sizeof(*e));
	if (n == 0)
		return encap_bad(fault, 400, "empty Encapsulated");
	if (entry[0].offset != 0)
		return encap_bad(fault, 400,
		    "first offset in Encapsulated is not 0");
	for (i = 0; i + 1 < n; i++) {
		if (entry[i].entity >= entry[i + 1].entity ||
		    entry[i].entity > ENCAP_RES_HDR)
			return encap_bad(fault, 400,
			    "entities out of order in Encapsulated");
		if (entry[i].offset >= entry[i + 1].offset)
			return encap_bad(fault, 400,
			    "offsets not increasing in Encapsulated");
		len = entry[i + 1].offset - entry[i].offset;
		/* a reply is either a request or a response, not both */
		if (reply && ((entry[i].entity == ENCAP_REQ_HDR &&
		    entry[i + 1].entity != ENCAP_REQ_BODY &&
		    entry[i + 1].entity != ENCAP_NULL_BODY) ||
		    (entry[i].entity == ENCAP_RES_HDR &&
		    entry[i + 1].entity == ENCAP_REQ_BODY)))
			return encap_bad(fault, 400,
			    "request and response parts in one reply");
		if (entry[i].entity == ENCAP_REQ_HDR)
			e->req_hdr = len;
		else
			e->res_hdr = len;
	}
	e->body = entry[n - 1].entity;
	if (e->body < ENCAP_REQ_BODY)
		return encap_bad(fault, 400, "no body in Encapsulated");
	return 0;
}

int
encap_parse(struct encap *e, struct slice value, enum icap_method method,
    bool reply, size_t max, struct fault *fault)
{
	struct entry	 entry[3];	/* two heads and a body at most */
	unsigned int	 n = 0;

	for (;;) {
		while (value.len > 0 && (value.p[0] == ',' ||
		    value.p[0] == ' ' || value.p[0] == '\t'))
			skip(&value, 1);
		if (value.len == 0)
			break;
		if (n == sizeof(entry) / sizeof(entry[0]))
			return encap_bad(fault, 400,
			    "too many entities in Encapsulated");
		if (encap_parse_entry(&value, &entry[n], max, fault) == -1)
			return -1;
		if (!encap_allows(method, reply, entry[n].entity))
			return encap_bad(fault, 400,
			    "entity does not suit the method");
		n++;
	}
	return encap_fill(e, entry, n, reply, fault);
}
