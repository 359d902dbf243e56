/* SPDX-License-Identifier: ISC */
/*
 * TLS for icaps URIs, on OpenSSL.  Called by talk.c, on sockets that do not
 * block; it never waits.  tls_none.c takes its place where OpenSSL is not
 * built in.  Only icapc has it: the daemon is not linked with this.
 *
 * What an error is called has to be static text, for a load counts errors by
 * their text; all of OpenSSL's that are used here are.
 */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"

struct tls {
	SSL_CTX		*ctx;
	const char	*name;
	bool		 is_address;
	bool		 insecure;
};

struct tls_conn {
	SSL		*ssl;
	bool		 failed;	/* there is nobody to say goodbye to */
	bool		 wants_out;
	const char	*why;
};

bool
tls_is_built(void)
{
	return true;
}

/* The latest complaint of OpenSSL. */
static const char *
tls_reason(void)
{
	unsigned long	 error = ERR_peek_last_error();
	const char	*text;

	switch (ERR_GET_REASON(error)) {
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return "the server does not speak TLS";
	}
	text = ERR_reason_error_string(error);
	return text != NULL ? text : "TLS failed";
}

static int
tls_trust(struct tls *tls, const char *cacert)
{
	SSL_CTX_set_verify(tls->ctx, tls->insecure ? SSL_VERIFY_NONE :
	    SSL_VERIFY_PEER, NULL);
	if (tls->insecure)
		return 1;
	if (cacert != NULL)
		return SSL_CTX_load_verify_file(tls->ctx, cacert);
	return SSL_CTX_set_default_verify_paths(tls->ctx);
}

/* An address is found among those of a certificate, not among its names. */
static bool
tls_is_address(const char *name)
{
	ASN1_OCTET_STRING	*address = a2i_IPADDRESS(name);

	ASN1_OCTET_STRING_free(address);
	return address != NULL;
}

struct tls *
tls_new(const char *name, const char *cacert, bool insecure,
    const char **why)
{
	struct tls	*tls;

	if ((tls = calloc(1, sizeof(*tls))) == NULL) {
		*why = strerror(errno);
		return NULL;
	}
	tls->name = name;
	tls->is_address = tls_is_address(name);
	tls->insecure = insecure;
	ERR_clear_error();
	if ((tls->ctx = SSL_CTX_new(TLS_client_method())) == NULL ||
	    SSL_CTX_set_min_proto_version(tls->ctx, TLS1_2_VERSION) != 1 ||
	    tls_trust(tls, cacert) != 1) {
		*why = tls_reason();
		tls_free(tls);
		return NULL;
	}
	/* the rest of a write comes from the same bytes at any later time */
	SSL_CTX_set_mode(tls->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
	    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	/* a reply says itself where it ends: one cut short is found anyway */
	SSL_CTX_set_options(tls->ctx, SSL_OP_IGNORE_UNEXPECTED_EOF |
	    SSL_OP_NO_RENEGOTIATION);
	return tls;
}

void
tls_free(struct tls *tls)
{
	if (tls == NULL)
		return;
	SSL_CTX_free(tls->ctx);
	free(tls);
}

/* The name to be asked for (never an address, RFC 6066 3) and checked. */
static int
tls_set_name(const struct tls *tls, SSL *ssl)
{
	if (tls->is_address)
		return tls->insecure ? 1 : X509_VERIFY_PARAM_set1_ip_asc(
		    SSL_get0_param(ssl), tls->name);
	if (SSL_set_tlsext_host_name(ssl, tls->name) != 1)
		return 0;
	return tls->insecure ? 1 : SSL_set1_host(ssl, tls->name);
}

struct tls_conn *
tls_open(struct tls *tls, int fd)
{
	struct tls_conn	*c;

	if ((c = calloc(1, sizeof(*c))) == NULL)
		return NULL;
	if ((c->ssl = SSL_new(tls->ctx)) == NULL ||
	    SSL_set_fd(c->ssl, fd) != 1 || tls_set_name(tls, c->ssl) != 1) {
		c->failed = true;
		tls_close(c);
		errno = ENOMEM;
		return NULL;
	}
	SSL_set_connect_state(c->ssl);
	return c;
}

void
tls_close(struct tls_conn *c)
{
	if (c == NULL)
		return;
	ERR_clear_error();
	if (!c->failed && SSL_is_init_finished(c->ssl))
		(void)SSL_shutdown(c->ssl);
	SSL_free(c->ssl);
	free(c);
}

/* Why a call could not go on: 0 at the end of the connection, or -1. */
static int
tls_stopped(struct tls_conn *c, int result)
{
	int	 saved = errno;
	long	 verified;

	c->wants_out = false;
	switch (SSL_get_error(c->ssl, result)) {
	case SSL_ERROR_WANT_WRITE:
		c->wants_out = true;
		/* FALLTHROUGH */
	case SSL_ERROR_WANT_READ:
		errno = EAGAIN;
		return -1;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		c->failed = true;
		errno = saved;
		return saved == 0 ? 0 : -1;
	}
	c->failed = true;
	verified = SSL_get_verify_result(c->ssl);
	c->why = verified != X509_V_OK && (SSL_get_verify_mode(c->ssl) &
	    SSL_VERIFY_PEER) != 0 ? X509_verify_cert_error_string(verified) :
	    tls_reason();
	errno = EPROTO;
	return -1;
}

int
tls_shake(struct tls_conn *c)
{
	int	 n;

	ERR_clear_error();
	errno = 0;
	if ((n = SSL_do_handshake(c->ssl)) == 1)
		return 0;
	if (tls_stopped(c, n) == 0) {
		c->failed = true;
		c->why = "server closed in the TLS handshake";
		errno = EPROTO;
	}
	return -1;
}

ssize_t
tls_recv(struct tls_conn *c, void *dst, size_t len)
{
	size_t	 done;
	int	 n;

	ERR_clear_error();
	errno = 0;
	if ((n = SSL_read_ex(c->ssl, dst, len, &done)) == 1)
		return (ssize_t)done;
	return tls_stopped(c, n);
}

ssize_t
tls_send(struct tls_conn *c, const void *p, size_t len)
{
	size_t	 done;
	int	 n;

	ERR_clear_error();
	errno = 0;
	if ((n = SSL_write_ex(c->ssl, p, len, &done)) == 1)
		return (ssize_t)done;
	if (tls_stopped(c, n) == 0)
		errno = EPIPE;
	return -1;
}

bool
tls_wants_out(const struct tls_conn *c)
{
	return c->wants_out;
}

const char *
tls_why(const struct tls_conn *c)
{
	return c->why;
}

const char *
tls_version(const struct tls_conn *c)
{
	return SSL_get_version(c->ssl);
}
