/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_MESSAGE_H
#define CLIENT_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../proto/chars.h"
#include "../proto/encap.h"

/* Extra lines of one head that the user may give. */
#define MESSAGE_LINES	64

/* What the user wants to be sent. */
struct wish {
	enum icap_method	 method;
	const char		*uri;
	const char		*host;		/* for the Host field */
	const char		*url;		/* of the HTTP request */
	const char		*http_method;	/* or NULL */
	const char		*icap_line[MESSAGE_LINES];
	unsigned int		 icap_lines;
	const char		*http_line[MESSAGE_LINES];
	unsigned int		 http_lines;
	const char		*body;		/* or NULL: none */
	size_t			 body_len;
	size_t			 chunk;		/* bytes of each chunk */
	bool			 has_preview;
	size_t			 preview;	/* bytes */
	bool			 allow_204;
	bool			 allow_206;
	bool			 close;
};

/* A request, ready to be sent any number of times. */
struct message {
	enum icap_method	 method;
	char			*wire;
	size_t			 len;
	size_t			 pause;		/* wait for 100 here, or len */
	size_t			 icap_len;	/* of the ICAP head */
	struct slice		 http;		/* the head to be adapted */
	struct slice		 body;
	size_t			 room;
};

/*
 * Composes the request of a wish, whose body must stay where it is.  Returns
 * 0, or -1 when there is no memory.  message_free() frees.
 */
int	 message_new(struct message *m, const struct wish *w);
void	 message_free(struct message *m);

#endif
