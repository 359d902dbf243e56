/* SPDX-License-Identifier: ISC */
#ifndef PROTO_ENCAP_H
#define PROTO_ENCAP_H

#include "chars.h"
#include "parse.h"

enum icap_method {
	ICAP_OPTIONS,
	ICAP_REQMOD,
	ICAP_RESPMOD,
	ICAP_UNKNOWN		/* a well-formed token, but none of ours */
};

enum encap_entity {
	ENCAP_REQ_HDR,
	ENCAP_RES_HDR,
	ENCAP_REQ_BODY,
	ENCAP_RES_BODY,
	ENCAP_OPT_BODY,
	ENCAP_NULL_BODY
};

/*
 * What the Encapsulated header of a message promises (RFC 3507 4.4.1).  The
 * heads lie one after the other at the start of the encapsulated part, the
 * request head first; a length of 0 means that the head is absent.
 */
struct encap {
	size_t			 req_hdr;	/* its length, bytes */
	size_t			 res_hdr;	/* its length, bytes */
	enum encap_entity	 body;		/* or ENCAP_NULL_BODY */
};

/*
 * Parses the value of an Encapsulated header in a request or, with `reply`,
 * in a reply to `method`.  Heads that together exceed max bytes are refused
 * from the number alone (413).  Returns 0, or -1 and the fault.
 */
int	 encap_parse(struct encap *e, struct slice value,
	    enum icap_method method, bool reply, size_t max,
	    struct fault *fault);

/* The entity's name as it stands in the header: "req-hdr" and so on. */
const char *encap_name(enum encap_entity entity);

#endif
