/* SPDX-License-Identifier: ISC */
#ifndef ICAPD_SERVICE_H
#define ICAPD_SERVICE_H

/*
 * The contract between icapd and a service: what looks at the messages.  A
 * service is a filter over one message at a time; it is straight-line code
 * that reads, decides and returns.  The server knows what the decision means
 * on the wire.
 */

#include <stddef.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Methods a service serves, to be or-ed together. */
#define SERVICE_REQMOD	0x01u
#define SERVICE_RESPMOD	0x02u

/* One transaction; opaque to services. */
struct txn;

enum verdict {
	VERDICT_NONE,		/* forgotten: an error of the service */
	VERDICT_UNCHANGED,	/* the message may pass as it is */
	VERDICT_FAILED		/* not examined; see txn_fail() */
};

struct service {
	const char	*name;		/* one word, lower case */
	const char	*summary;	/* one line for people */
	unsigned int	 methods;	/* SERVICE_* */
	long		 preview;	/* bytes wanted; -1: no preview */

	/*
	 * What its verdicts depend on, as a short text; part of the ISTag.
	 */
	const char	*version;

	/* Handles one message and says what is to become of it. */
	enum verdict	 (*serve)(struct txn *txn);
};

/* Is it a response that is looked at (RESPMOD), or a request (REQMOD)? */
int	 txn_is_response(const struct txn *txn);

/*
 * The encapsulated HTTP heads, byte for byte, from the start line to the
 * empty line.  *len is 0 where the client sent none.  Valid until serve()
 * returns.
 */
const char *txn_request_head(const struct txn *txn, size_t *len);
const char *txn_response_head(const struct txn *txn, size_t *len);

/* The query part of the ICAP URI; *len is 0 where there is none. */
const char *txn_arguments(const struct txn *txn, size_t *len);

/*
 * Reads up to size bytes of the body; blocks until there are some.  Reading
 * past the preview asks the client for the rest.  Returns their number, 0 at
 * the end, -1 when the body cannot be had: then return VERDICT_FAILED.
 */
ssize_t	 txn_read(struct txn *txn, void *dst, size_t size);

/*
 * The first bytes of the body, at most `want`, without taking them and
 * without asking for more than the preview.  Returns their number, or -1 like
 * txn_read().  *bytes is valid until the next call that reads.
 */
ssize_t	 txn_peek(struct txn *txn, size_t want, const char **bytes);

/*
 * Says why the message could not be examined; `why` is a static text in lower
 * case for the log.  Returns VERDICT_FAILED, to be returned.
 */
enum verdict txn_fail(struct txn *txn, const char *why);

#ifdef __cplusplus
}
#endif

#endif
