/* SPDX-License-Identifier: ISC */
#ifndef ICAPT_MSG_H
#define ICAPT_MSG_H

#include "icapt.h"

#define MSG_SECTS	4

/* A body: a text, or a pattern of any size where text is NULL. */
struct content {
	const char	*text;
	uint64_t	 size;
};

struct sect {
	struct text	 name;
	struct text	 bytes;
};

struct msg {
	struct text	 method;
	struct text	 line;		/* by hand, if p is set */
	struct text	 uri;
	struct text	 version;
	struct text	 host;
	int		 nohost;
	struct text	 enc;		/* by hand, if p is set */
	int		 noenc;
	struct text	 before;	/* header fields, lines ended */
	struct text	 after;
	struct sect	 sect[MSG_SECTS];
	int		 nsect;
	const char	*body;		/* "req-body", NULL: OPTIONS, none */
	struct content	 content;
	uint64_t	 chunk;		/* 0: one chunk */
	int		 has_raw;
	struct text	 raw;
	struct text	 rest;		/* by hand, if p is set */
	int		 has_want;
	int64_t		 preview;	/* -1: none */
	int		 ieof;		/* 1, 0, or -1: as it fits */
	struct text	 end;		/* by hand, if p is set */
	struct text	 trailer;
	uint64_t	 line_size;
	uint64_t	 head_size;
	int		 lf;
	int		 probe;		/* the oracle is asked for */
	struct text	 then;
	int64_t		 cut;		/* -1: nothing is cut */
	uint64_t	 by;
	int		 duplex;

	/* Read from the head when it is formatted. */
	struct text	 head;		/* ICAP head and sections */
	int		 allow204;
	int		 allow206;
	int		 allowtrailers;
	int		 has_preview;
	int		 close;		/* Connection: close */
};

/* The bytes of a message as they are sent, produced in portions. */
struct feed {
	struct text	 pre;
	struct text	 post;
	struct content	 content;
	uint64_t	 off;		/* in the content */
	uint64_t	 stop;
	uint64_t	 chunk;
	uint64_t	 left;		/* of this chunk */
	size_t		 done;		/* of pre, then of post */
	int		 state;
};

/* Fill n bytes of the content from an offset. */
void	 content_fill(const struct content *, uint64_t, char *, size_t);
/* The number of bytes that are as the content has them at the offset. */
size_t	 content_match(const struct content *, uint64_t, const char *, size_t);

/*
 * Make a message from the words of a request; on failure -1 and a text that
 * says what is wrong with it.
 */
int	 msg_parse(struct icapt *, struct msg *, const struct text *, int,
	    const char **);
/* Compose the head and note what it allows. */
void	 msg_format(struct icapt *, struct msg *);
/* Is there something to send after a 100? */
int	 msg_has_rest(const struct msg *);
/* The bytes up to the end, or the end of the preview; then what follows. */
void	 msg_feed(struct icapt *, const struct msg *, struct feed *);
void	 msg_feed_rest(struct icapt *, const struct msg *, struct feed *);
/* The next bytes of a feed; 0 at its end. */
size_t	 feed_read(struct feed *, char *, size_t);
/* All bytes of a feed, at once. */
struct text feed_text(struct icapt *, struct feed *);
/* Is the name in a list such as "204, 206"? */
int	 list_has(const char *, const char *);
/* A number with K, M or G; -1 if it is none. */
int	 number_parse(const char *, uint64_t *);

#endif
