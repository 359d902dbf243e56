/* SPDX-License-Identifier: ISC */
#ifndef PROTO_REPLY_H
#define PROTO_REPLY_H

#include "encap.h"
#include "stream.h"

/* The largest ICAP head that every client takes (g3: 8192). */
#define REPLY_HEAD_MAX	8192

/* Longest ISTag between its quotes (RFC 3507 4.7). */
#define REPLY_ISTAG_MAX	32

/*
 * An ICAP reply in the making.  The head is formatted here; HTTP heads and
 * bodies are sent from where they lie.
 */
struct reply {
	int		 status;
	bool		 overflow;	/* a header did not fit */
	size_t		 len;
	char		 head[REPLY_HEAD_MAX];	/* last: most is not touched */
};

/* The reason phrase that goes with a status; never empty. */
const char *reply_reason(int status);

/*
 * Begins a reply: status line and ISTag (without quotes in istag).  close
 * announces the end of the connection.
 */
void	 reply_start(struct reply *r, int status, const char *istag,
	    bool close);

/*
 * Adds one header.  A value that is empty, or holds a byte that no field
 * value may hold, or does not fit, is left out and returns -1; else 0.
 */
int	 reply_add(struct reply *r, const char *name, struct slice value);
int	 reply_add_text(struct reply *r, const char *name, const char *text);
int	 reply_add_uint(struct reply *r, const char *name, uint64_t n);
int	 reply_addf(struct reply *r, const char *name, const char *fmt, ...)
	    __attribute__((format(printf, 3, 4)));

/* Adds lines that are complete and known to be right, as far as they fit. */
void	 reply_add_lines(struct reply *r, const char *lines, size_t len);

/*
 * Ends the head with the Encapsulated header, which always comes last
 * (C183).  hdr is ENCAP_REQ_HDR or ENCAP_RES_HDR and hdr_len its length, 0
 * for a reply without a HTTP head; body is what follows it.
 */
void	 reply_end(struct reply *r, enum encap_entity hdr, size_t hdr_len,
	    enum encap_entity body);

/* Sends a reply that has nothing but a head.  Returns 0, or -1 with errno. */
int	 reply_send(const struct reply *r, struct stream *s);

/*
 * Refuses a request: the fault's status, its reason in X-Error-Reason (but
 * none with a 500), Connection: close, and a field of the caller's unless its
 * name is NULL.  Returns 0, or -1 with errno.
 */
int	 reply_refuse(struct stream *s, const struct fault *fault,
	    const char *istag, const char *name, const char *value);

/*
 * A body being sent.  `lead` are the pieces that go out before it, in the
 * same write as its first bytes: ICAP head and HTTP head.
 */
struct reply_body {
	struct stream	*s;
	struct iovec	 lead[2];
	int		 nlead;
	bool		 open;		/* a chunk lacks its last byte */
};

/*
 * Sends the beginning of a body in chunks of which the last one lacks a byte:
 * however the connection ends, nobody can take what was sent for all there
 * is.  The next byte that is sent completes it.  Returns 0, or -1 with errno.
 */
int	 reply_send_open(struct reply_body *rb, struct slice bytes);

/*
 * Sends one chunk (bytes may be empty: then nothing is sent before more
 * comes).  `last` ends the body in the same write; trailers are complete
 * lines with CRLF, may be empty, and count only then.  Returns 0, or -1 with
 * errno.
 */
int	 reply_send_chunk(struct reply_body *rb, struct slice bytes, bool last,
	    struct slice trailers);

/*
 * Sends a range of a file as one chunk, or several if it is huge; not while
 * a chunk is open.
 */
int	 reply_send_file(struct reply_body *rb, int fd, uint64_t offset,
	    uint64_t len);

/* Ends a body whose unchanged rest the client has: 206 Partial Content. */
int	 reply_send_original(struct reply_body *rb, uint64_t offset);

#endif
