/* SPDX-License-Identifier: ISC */
#ifndef SERVER_RECORD_H
#define SERVER_RECORD_H

#include "../proto/request.h"
#include "ring.h"

/* Which transactions a log wants; or-ed together, 0: all of them. */
#define RECORD_ERRORS		0x01u	/* no good reply, or none */
#define RECORD_BLOCKED		0x02u	/* the client got a block page */
#define RECORD_UNSCANNED	0x04u	/* passed without being examined */

/* Bytes of one value from the wire that are kept. */
#define RECORD_CUT_MIN		64
#define RECORD_CUT_DEFAULT	1024
#define RECORD_CUT_MAX		4096

/* Longest user or address kept for a transaction that kills its worker. */
#define RECORD_NOTES_MAX	16

struct record_note {
	const char	*key;
	const char	*value;
};

/*
 * All that is to be said about one transaction.  Slices are bytes from the
 * wire; texts are ours, except the values of notes.  Times are microseconds.
 */
struct record {
	/* who */
	const char	*peer;		/* address of the ICAP client */
	uint16_t	 peer_port;
	const char	*local;		/* address it connected to, or "" */
	uint16_t	 local_port;

	/* what follows is new for each transaction */
	struct slice	 client;	/* address behind it: X-Client-IP */
	struct slice	 user;

	/* what was asked */
	enum icap_method method;
	const char	*service;	/* path in the configuration, or NULL */
	struct slice	 path;		/* of ICAP, as sent, with its query */
	const struct header *header;	/* of ICAP, or NULL */
	struct slice	 req_head;	/* encapsulated, may be empty */
	struct slice	 res_head;
	int64_t		 preview;	/* bytes announced, or -1 */
	struct slice	 preview_bytes;	/* the first of them */

	/* what came of it */
	const char	*verdict;	/* a word */
	const char	*decided;	/* service that said so, or NULL */
	const char	*why;		/* of a failure, or NULL */
	int		 status;	/* of ICAP; 0: no reply */
	struct slice	 reply_head;	/* of ICAP, or empty */
	struct slice	 req_head_out;	/* encapsulated in it, may be empty */
	struct slice	 res_head_out;
	int		 http_status;	/* of the response made here, or 0 */
	bool		 blocked;
	bool		 unscanned;
	bool		 shadowed;
	bool		 cut;		/* the reply, for its verdict */
	uint64_t	 released;	/* body bytes sent before that */
	uint64_t	 body_in;
	uint64_t	 body_out;
	bool		 died;		/* its worker did not survive it */
	bool		 close;
	const struct record_note *note;
	unsigned int	 nnotes;

	uint64_t	 id;
	uint64_t	 ordinal;	/* of this request on its connection */
	int64_t		 start;		/* first byte, since 1970 */
	int64_t		 wait;		/* before it, on this connection */
	int64_t		 read;		/* until its heads were there */
	int64_t		 serve;		/* until the reply began */
	int64_t		 write;		/* until it was sent */
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
};

enum record_form {
	RECORD_ECS,		/* JSON in the Elastic Common Schema */
	RECORD_TEXT,		/* for people */
	RECORD_CUSTOM		/* of the administrator's own */
};

struct record_format;

/* One log of transactions. */
struct record_log {
	uint16_t		 log;	/* rings_add_log() */
	enum record_form	 form;
	const struct record_format *format;	/* of RECORD_CUSTOM */
	unsigned int		 only;	/* RECORD_* */
	size_t			 cut;
};

/*
 * Compiles a format with %-codes (icapd.conf(5)).  NULL with *why set to a
 * static text and *at to where in the text.  record_free_format() frees.
 */
struct record_format *record_parse_format(const char *text, const char **why,
	    const char **at);
void	 record_free_format(struct record_format *f);

/* Does it say where the client connected to? */
bool	 record_has_local(const struct record_format *f);

/* Does the transaction meet the condition? */
bool	 record_is_wanted(const struct record *a, unsigned int only);

/* Formats one line with its newline.  Returns its length. */
size_t	 record_format_line(char *dst, size_t size, const struct record *a,
	    const struct record_log *log);

/*
 * Says in ring i that a transaction has begun, and puts its lines into the n
 * logs when it is over.  Never fails; waits while the ring is full.
 */
void	 record_begin(struct rings *rs, unsigned int i,
	    const struct record *a);
void	 record_end(struct rings *rs, unsigned int i, const struct record *a,
	    const struct record_log *log, unsigned int n);

/*
 * The worker of ring i died in a transaction: puts its lines.  Called by its
 * successor, or by the logger at the end.
 */
void	 record_bury(struct rings *rs, unsigned int i,
	    const struct record_log *log, unsigned int n);

#endif
