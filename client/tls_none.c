/* SPDX-License-Identifier: ISC */
/*
 * In place of tls.c where OpenSSL is not built in: icapc.c asks before it
 * lets anything else be called.
 */
#include <errno.h>
#include <stdlib.h>

#include "tls.h"

bool
tls_is_built(void)
{
	return false;
}

struct tls *
tls_new(const char *name, const char *cacert, bool insecure,
    const char **why)
{
	(void)name;
	(void)cacert;
	(void)insecure;
	*why = "this icapc was built without TLS";
	return NULL;
}

void
tls_free(struct tls *tls)
{
	(void)tls;
}

struct tls_conn *
tls_open(struct tls *tls, int fd)
{
	(void)tls;
	(void)fd;
	abort();
}

void
tls_close(struct tls_conn *c)
{
	(void)c;
}

int
tls_shake(struct tls_conn *c)
{
	(void)c;
	abort();
}

ssize_t
tls_recv(struct tls_conn *c, void *dst, size_t len)
{
	(void)c;
	(void)dst;
	(void)len;
	abort();
}

ssize_t
tls_send(struct tls_conn *c, const void *p, size_t len)
{
	(void)c;
	(void)p;
	(void)len;
	abort();
}

bool
tls_wants_out(const struct tls_conn *c)
{
	(void)c;
	return false;
}

const char *
tls_why(const struct tls_conn *c)
{
	(void)c;
	return NULL;
}

const char *
tls_version(const struct tls_conn *c)
{
	(void)c;
	return "";
}
