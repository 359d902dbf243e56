/* SPDX-License-Identifier: ISC */
/*
 * echo: lets every message pass as it is.  The service to try a proxy with,
 * and the measure for what the server itself costs.  It must not look at
 * anything.
 */
#include "service.h"

/* Large enough for any client's preview code to be exercised. */
#define ECHO_PREVIEW	4096

static enum verdict
echo_serve(struct txn *txn, void *instance)
{
	(void)txn;
	(void)instance;
	return VERDICT_UNCHANGED;
}

extern const struct service svc_echo;

const struct service svc_echo = {
	.name = "echo",
	.summary = "returns every message unchanged",
	.methods = SERVICE_REQMOD | SERVICE_RESPMOD,
	.preview = ECHO_PREVIEW,
	.serve = echo_serve,
};
