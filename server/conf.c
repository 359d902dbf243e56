/* SPDX-License-Identifier: ISC */
/*
 * What the daemon was told to be: defaults, and look-ups in it.  Called by
 * main.c, which completes it from the command line, and read by everybody
 * else.  It must not change after the first fork.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "0"
#endif

void
conf_init(struct conf *conf)
{
	static const struct limits	 limits = LIMITS_DEFAULT;

	memset(conf, 0, sizeof(*conf));
	conf->host = "127.0.0.1";
	conf->port = "1344";
	conf->workers = 64;
	conf->backlog = 1024;
	conf->timeouts.head = 10 * 1000;
	conf->timeouts.body = 60 * 1000;
	conf->timeouts.write = 60 * 1000;
	conf->timeouts.keep_alive = 60 * 1000;
	conf->timeouts.transaction = 300 * 1000;
	conf->timeouts.stop = 30 * 1000;
	conf->limits = limits;
	if ((conf->spool_dir = getenv("TMPDIR")) == NULL)
		conf->spool_dir = "/tmp";
	conf->spool_memory = 256 * 1024;
	conf->spool_limit = UINT64_C(4) << 30;
	conf->options_ttl = 3600;
}

/* FNV-1a, 64 bits: no secret is kept by it, it only has to differ. */
static uint64_t
mix(uint64_t hash, const char *text)
{
	do {
		hash ^= (unsigned char)*text;
		hash *= UINT64_C(0x100000001b3);
	} while (*text++ != '\0');
	return hash;
}

void
conf_make_istag(struct conf *conf)
{
	uint64_t	 hash = UINT64_C(0xcbf29ce484222325);
	unsigned int	 i;

	hash = mix(hash, PACKAGE_VERSION);
	for (i = 0; i < conf->nservices; i++) {
		hash = mix(hash, conf->service[i].path);
		hash = mix(hash, conf->service[i].service->name);
		hash = mix(hash, conf->service[i].service->version);
	}
	(void)snprintf(conf->istag, sizeof(conf->istag), "icapd-%016llx",
	    (unsigned long long)hash);
}

const struct conf_service *
conf_find_service(const struct conf *conf, const char *path)
{
	unsigned int	 i;

	for (i = 0; i < conf->nservices; i++)
		if (strcmp(conf->service[i].path, path) == 0)
			return &conf->service[i];
	return NULL;
}
