/* SPDX-License-Identifier: ISC */
#ifndef PROTO_BODY_H
#define PROTO_BODY_H

#include "chunk.h"
#include "request.h"
#include "spool.h"
#include "stream.h"

/*
 * Bytes at the end of a stream's buffer that only reading ahead may use.
 * Whoever fills the buffer before body_init() leaves them free.
 */
#define BODY_RESERVE	(16 * 1024)

enum body_state {
	BODY_PREVIEW,		/* the preview is being received */
	BODY_PAUSED,		/* it is over; the rest comes after a 100 */
	BODY_REST,		/* the body, or what follows a 100 */
	BODY_END,		/* all received */
	BODY_BROKEN		/* see fault */
};

/* Bytes of a preview that stay known to the end, for logs. */
#define BODY_FIRST	32

/*
 * The body of one request as one sequence of bytes: preview, 100 Continue and
 * the rest are a matter of this module alone (RFC 3507 4.5).
 */
struct body {
	struct stream		*s;
	const struct limits	*limits;
	struct spool		*spool;
	struct chunk		 chunk;
	enum body_state		 state;
	bool			 has_preview;
	bool			 continued;	/* a 100 was sent */
	bool			 remember;	/* keep what is read */
	uint64_t		 preview;	/* announced, bytes */
	uint64_t		 received;	/* decoded so far, bytes */
	uint8_t			 nfirst;	/* first bytes of a preview */
	char			 first[BODY_FIRST];
	struct slice		 pending;	/* decoded, not handed out */
	size_t			 base;		/* buffer below is not ours */
	size_t			 lent;		/* buffer below is in use */
	char			*trailers;	/* of the body, with CRLFs */
	size_t			 trailers_len;
	struct fault		 fault;		/* status 0: nobody to tell */
};

/* A piece of a body: bytes in memory, or (fd != -1) a range of a file. */
struct body_piece {
	struct slice	 mem;
	int		 fd;
	uint64_t	 offset;
	uint64_t	 len;		/* in both cases */
};

/*
 * Prepares b for the body that follows the heads of r.  The heads must have
 * been consumed from the stream's buffer and stay in it untouched.  spool
 * must be empty.
 */
void	 body_init(struct body *b, const struct request *r, struct stream *s,
	    struct spool *spool);
void	 body_fini(struct body *b);

/*
 * The next piece of the body, valid until the next call; blocks until there
 * is one.  Sends 100 Continue by itself when the preview is used up.  Returns
 * 1, 0 at the end of the body, -1 with b->fault; where s->wake_at has come it
 * also returns -1, with errno EAGAIN: nothing is broken and it can be called
 * again.  So do body_read() and body_spool().
 */
int	 body_next(struct body *b, struct body_piece *piece);

/* The same, copied: up to size bytes.  Returns their number, 0, or -1. */
ssize_t	 body_read(struct body *b, char *dst, size_t size);

/*
 * The bytes at the reading position without taking them and without asking
 * the client to continue: blocks until `want` of them are there, the preview
 * or the body has ended, or there is no room for more in one piece.  Empty
 * only when nothing is left.  Returns 0, or -1 with b->fault.
 */
int	 body_peek(struct body *b, size_t want, struct slice *bytes);

/*
 * Keep (in the spool) everything that is read from now on, so that
 * body_rewind() can start over.
 */
void	 body_remember(struct body *b);
void	 body_rewind(struct body *b);

/*
 * Receives the whole body into the spool, whatever was read of it; the
 * reading position stays.  Only after body_remember() and before anything was
 * read without it.  Returns 0, or -1 with b->fault.
 */
int	 body_spool(struct body *b);

/*
 * Receives a preview to its end and keeps it, so that it is known whether
 * there is more.  Asks for nothing.  Returns 0, or -1 with b->fault.
 */
int	 body_settle(struct body *b);

/*
 * A reply that needs the rest of the body is about to begin: asks the client
 * for it now if it has not been asked for, since a 100 cannot stand in the
 * middle of a reply; from now on nothing is read twice, and writes that get
 * stuck read ahead.  Returns 0, or -1 with b->fault.
 */
int	 body_commit(struct body *b);

/*
 * Bytes that are kept from the beginning of the body on, while it remembers.
 * 0 as long as the client waits for a 100, or may still have to.
 */
uint64_t body_kept(const struct body *b);

/*
 * A piece of what is kept: at most len bytes at offset, which must be below
 * body_kept().  The reading position stays.
 */
void	 body_look(const struct body *b, uint64_t offset, uint64_t len,
	    struct body_piece *piece);

/* Sets the reading position: at most body_kept(). */
void	 body_seek(struct body *b, uint64_t offset);

/* From now on writes that get stuck read ahead. */
void	 body_read_ahead(struct body *b);

/* Has everything been handed out? */
bool	 body_is_complete(const struct body *b);

/* Has everything arrived that the client sends without being asked? */
bool	 body_is_read(const struct body *b);

/* Receives once and drops it.  Returns 0, or -1 with b->fault. */
int	 body_drain_some(struct body *b);

/*
 * Receives and drops what the client still sends without being asked to
 * continue.  Returns 0 when the next byte belongs to the next request, -1
 * with b->fault.
 */
int	 body_drain(struct body *b);

#endif
