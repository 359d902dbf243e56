/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_CLAMAV_H
#define SERVICES_CLAMAV_H

#include "../proto/chars.h"
#include "clamav_cache.h"
#include "clamd.h"
#include "service.h"

/* What becomes of a body nobody knows enough about. */
enum clamav_policy {
	CLAMAV_BLOCK,
	CLAMAV_PASS,
	CLAMAV_FAIL
};

struct clamav_types;

/* One `clamav` section. */
struct clamav {
	struct clamd		*clamd;
	int64_t			 scan_timeout;	/* ms, for all of a body */
	uint64_t		 max_size;
	bool			 multipart;
	unsigned int		 max_parts;
	size_t			 trickle;	/* bytes at a time; 0: none */
	unsigned int		 trickle_ms;	/* and then a pause */
	uint64_t		 trickle_max;	/* bytes in all */
	enum clamav_policy	 policy[CLAMD_NRESULTS];
	struct service_template	*page;		/* infected; or NULL */
	struct service_template	*unscanned_page;
	struct clamav_types	*types;		/* NULL: all are scanned */
	struct clamav_cache	*cache;		/* NULL: off */
	struct clamav_digest	*digest;
	struct gunzip		*gunzip;	/* NULL before it is needed */

	struct service_counter	*hits;		/* of the cache */
	struct service_counter	*misses;
	struct service_counter	*evictions;
	struct service_gauge	*entries;
	struct service_counter	*unscanned[CLAMD_NRESULTS];
};

/* clamav_conf.c: open() and close() of the contract. */
int	 clamav_open(const struct service_setup *setup, void **instance);
void	 clamav_close(void *instance);

/*
 * clamav_types.c: which types are scanned.  Returns NULL after
 * setup->error(), and where both lists are empty.
 */
struct clamav_types *clamav_types_new(const struct service_setup *setup);
void	 clamav_types_free(struct clamav_types *t);

/*
 * May a body with this Content-Type (empty: none) and these first bytes pass
 * without a scan?
 */
bool	 clamav_types_skip(struct clamav_types *t, struct slice declared,
	    const char *bytes, size_t len);

/*
 * clamav_form.c: what a Content-Type says of a body.  Sets the boundary, in
 * the text of the type, of a form.
 */
enum clamav_form_kind {
	CLAMAV_FORM_NONE,		/* it is no multipart */
	CLAMAV_FORM_IS,			/* with a boundary, the same for all */
	CLAMAV_FORM_UNCLEAR		/* readers may differ about it */
};
enum clamav_form_kind clamav_form_type(struct slice type,
	    struct slice *boundary);

/* Longest boundary, bytes; RFC 2046 has 70. */
#define CLAMAV_BOUNDARY_MAX	200

struct clamav_delimiter {
	size_t		 at;
	size_t		 end;		/* behind its line */
	unsigned int	 odd;		/* why it may be none, or 0 */
	bool		 is_last;	/* with "--" behind */
};

/* One: its header with the empty line, and where its contents are. */
struct clamav_part {
	struct slice	 head;
	size_t		 offset;
	size_t		 len;
};

/*
 * The parts of such a body: next returns the one that follows.  Where it is
 * open what a delimiter is there are parts that overlap, but no more than
 * twice the body in all.  When there are no more, doubt says why these may not
 * be all that somebody sees in it, or NULL; and is_coded that in a header that
 * only some readers see a part is in base64 or the like.
 */
struct clamav_form {
	const char		*p;	/* the whole body */
	size_t			 len;
	char			 line[2 + CLAMAV_BOUNDARY_MAX];
	size_t			 line_len;	/* "--" and boundary */
	bool			 is_strict;	/* for everybody; or anybody */
	bool			 more;
	struct clamav_delimiter	 next;
	size_t			 closed;	/* the first end of all parts */
	bool			 found;
	unsigned int		 odd;		/* the one kind there is */
	bool			 is_mixed;
	bool			 is_nested;	/* a part may have parts */
	bool			 is_coded;
};
void	 clamav_form_init(struct clamav_form *f, struct slice boundary,
	    const char *p, size_t len);
bool	 clamav_form_next(struct clamav_form *f, struct clamav_part *part);
const char *clamav_form_doubt(const struct clamav_form *f);

/*
 * clamav_head.c: what a head says of the bytes behind it.  Odd is what some
 * readers may take for something else.
 */
enum clamav_coding {
	CLAMAV_CODING_NONE,		/* they are the file */
	CLAMAV_BASE64,
	CLAMAV_QUOTED,			/* quoted-printable */
	CLAMAV_CODING_ODD
};

enum clamav_kind {
	CLAMAV_FILE,
	CLAMAV_MULTIPART,
	CLAMAV_MAIL,			/* a head and what is behind it */
	CLAMAV_HTTP,			/* a start line before these */
	CLAMAV_KIND_ODD
};

struct clamav_head {
	enum clamav_coding	 coding;	/* Content-Transfer-Encoding */
	enum clamav_kind	 kind;		/* Content-Type */
	struct slice		 boundary;	/* of a multipart */
	bool			 is_lf;		/* its lines end in LF alone */
	bool			 is_packed;	/* in a coding of HTTP */
	bool			 has_length;	/* Content-Length */
	bool			 is_length_odd;
	uint64_t		 length;
};

/* The head of a part, without a start line and with its empty line. */
void	 clamav_head_parse(struct clamav_head *h, struct slice head);

/*
 * The value of one Content-Transfer-Encoding; and that of one in the head of
 * an HTTP message, which has no such field, so that many words there (utf-8,
 * none) mean nothing to anybody.
 */
enum clamav_coding clamav_head_coding(struct slice word);
enum clamav_coding clamav_head_http_coding(struct slice word);

/*
 * A message, of HTTP if it has a start line, becomes its head and the rest.
 * Returns whether that is clear.
 */
bool	 clamav_head_split(struct slice message, bool is_http,
	    struct slice *head, struct slice *rest);

/*
 * clamav_decode.c: what is in base64 or quoted-printable becomes what it was,
 * in pieces; or is_odd, for what is not as all readers undo it.  has_lines
 * says that with the other to_lf it would be another file.
 */
struct clamav_decoder {
	enum clamav_coding	 coding;
	bool			 is_lf;		/* lines end so, if quoted */
	bool			 to_lf;		/* and are to */
	bool			 is_odd;
	bool			 has_lines;	/* ends of them were in it */
	bool			 is_blank;	/* the last was */
	bool			 is_ended;	/* base64 cannot go on */
	int			 state;
	size_t			 column;
	unsigned int		 ndigits;	/* that make no byte yet */
	unsigned int		 npad;
	unsigned int		 bits;
};
void	 clamav_decode_init(struct clamav_decoder *d,
	    enum clamav_coding coding, bool is_lf, bool to_lf);

/* Most bytes that n become, and that dst has to have room for. */
#define CLAMAV_DECODE_ROOM(n)	(2 * (n) + 3)

/* The next piece, however long.  Returns the number of bytes put to dst. */
size_t	 clamav_decode_add(struct clamav_decoder *d, const char *p,
	    size_t len, char *dst);

/* There are no more: was that all as it should be? */
bool	 clamav_decode_end(const struct clamav_decoder *d);

/* How deep parts and messages may be in each other; the manual says so. */
#define CLAMAV_DEPTH_MAX	8

/*
 * clamav_parts.c: walks through all that is in a body.  Each file that some
 * reader would make of it is handed to scan() or decode(), and what cannot be
 * known is told to reason().  scan() and decode() say whether to go on; so do
 * the functions that walk.
 */
struct clamav_walk {
	const char	*p;			/* the whole body */
	size_t		 len;
	unsigned int	 max_parts;
	bool		 (*scan)(void *arg, size_t offset, size_t len);
	/* with a decoder to use; d->is_odd afterwards: nothing was scanned */
	bool		 (*decode)(void *arg, struct clamav_decoder *d,
			    size_t offset, size_t len);
	void		 (*reason)(void *arg, enum clamd_result result,
			    const char *text);
	void		*arg;

	unsigned int	 nparts;		/* 0 */
	unsigned int	 nmails;		/* that we are in: 0 */
	uint64_t	 work;			/* bytes handed on: 0 */
};

/* The body is a multipart one. */
bool	 clamav_walk_form(struct clamav_walk *w, struct slice boundary);

/* The body is in a coding, by a head whose lines end in CRLF. */
bool	 clamav_walk_coded(struct clamav_walk *w, enum clamav_coding coding);

#endif
