/* SPDX-License-Identifier: ISC */
#ifndef CLIENT_TLS_H
#define CLIENT_TLS_H

#include <sys/types.h>

#include <stdbool.h>

/* What all connections share: who is believed, and the name to be shown. */
struct tls;

/* One connection. */
struct tls_conn;

/* Is TLS built in?  If not, tls_new() fails. */
bool	 tls_is_built(void);

/*
 * Prepares connections to a server that must have a certificate for name (a
 * host name or an address), of the authorities in the file cacert, or where
 * that is NULL of the system's; `insecure` checks neither.  Returns NULL when
 * that cannot be had, and *why.  tls_free() frees.
 */
struct tls *tls_new(const char *name, const char *cacert, bool insecure,
	    const char **why);
void	 tls_free(struct tls *tls);

/*
 * Begins TLS on a socket that does not block and may still be connecting;
 * NULL when there is no memory.  tls_close() says goodbye and frees; the
 * caller closes the socket after it.
 */
struct tls_conn *tls_open(struct tls *tls, int fd);
void	 tls_close(struct tls_conn *c);

/*
 * The handshake, as far as it gets: 0 when it is through, else -1 with errno
 * (EAGAIN: wait for the socket; EPROTO: see tls_why()).
 */
int	 tls_shake(struct tls_conn *c);

/* Like recv(2) and send(2); EPROTO: see tls_why(). */
ssize_t	 tls_recv(struct tls_conn *c, void *dst, size_t len);
ssize_t	 tls_send(struct tls_conn *c, const void *p, size_t len);

/* What EAGAIN waits for is that the socket can be written to. */
bool	 tls_wants_out(const struct tls_conn *c);

/* What went wrong, and what was agreed on: static texts. */
const char *tls_why(const struct tls_conn *c);
const char *tls_version(const struct tls_conn *c);

#endif
