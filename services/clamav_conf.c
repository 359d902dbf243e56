/* SPDX-License-Identifier: ISC */
/*
 * What a `clamav` section says, checked and made into an instance.  Called
 * through the contract, in the master.  It must not need an engine: icapd
 * starts without one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clamav.h"
#include "gunzip.h"

#define SECOND		INT64_C(1000)
#define MINUTE		(60 * SECOND)
#define HOUR		(60 * MINUTE)

/* Where Debian's clamd listens. */
#define ENGINE_DEFAULT	"unix:/run/clamav/clamd.ctl"

/* Bounds of the cache, verdicts: 128 bytes each. */
#define CACHE_MIN	16
#define CACHE_MAX	(16 * 1024 * 1024)

/* Of a trickle: bytes at a time, and in all; ms from one to the next. */
#define TRICKLE_BYTES	(1024 * 1024)
#define TRICKLE_MAX	(INT64_C(1) << 40)
#define TRICKLE_MS_MIN	10

#define SIZE_MAX_KEY	(INT64_C(1) << 44)
#define KEEP_MAX	1024
#define PARTS_MAX	100000

/* Digits and a unit: "500ms", "2s", "1m", "1h".  Returns ms, or -1. */
static int64_t
parse_time(const char *text)
{
	static const struct {
		const char	*unit;
		int64_t		 ms;
	}			 units[] = {
		{ "", SECOND }, { "s", SECOND }, { "ms", 1 },
		{ "m", MINUTE }, { "h", HOUR },
	};
	int64_t			 n = 0;
	size_t			 i;

	if (*text < '0' || *text > '9')
		return -1;
	for (; *text >= '0' && *text <= '9'; text++) {
		n = n * 10 + (*text - '0');
		if (n > 100 * HOUR)
			return -1;
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(text, units[i].unit) == 0)
			return n * units[i].ms;
	return -1;
}

static int64_t
get_time(const struct service_setup *setup, const char *key, int64_t max)
{
	const char	*text = cfg_getstr(setup->section, key);
	int64_t		 ms = parse_time(text);

	if (ms < 1 || ms > max)
		setup->error(setup, "%s \"%s\": expected a time like 500ms, "
		    "2s or 1m, at most %lldm", key, text,
		    (long long)(max / MINUTE));
	return ms;
}

static int64_t
get_number(const struct service_setup *setup, const char *key, int64_t min,
    int64_t max)
{
	long	 n = cfg_getint(setup->section, key);

	if (n < min || n > max)
		setup->error(setup, "%s %ld: expected %lld to %lld", key, n,
		    (long long)min, (long long)max);
	return n;
}

/* Digits and a unit up to the slash: "1k/".  Returns bytes, or -1. */
static int64_t
parse_bytes(const char *text, size_t len)
{
	int64_t	 n = 0;
	size_t	 i;

	for (i = 0; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		n = n * 10 + (text[i] - '0');
		if (n > TRICKLE_BYTES)
			return -1;
	}
	if (i == 0)
		return -1;
	if (i + 1 == len && text[i] == 'k') {
		n *= 1024;
		i++;
	} else if (i + 1 == len && text[i] == 'M') {
		n *= 1024 * 1024;
		i++;
	}
	return i == len ? n : -1;
}

/* "1k/5s" */
static void
open_trickle(struct clamav *av, const struct service_setup *setup)
{
	const char	*text = cfg_getstr(setup->section, "trickle");
	const char	*slash = strchr(text, '/');
	int64_t		 bytes, ms;

	av->trickle_max = (uint64_t)get_number(setup, "trickle-max", 1,
	    TRICKLE_MAX);
	if (*text == '\0')
		return;
	bytes = slash == NULL ? -1 : parse_bytes(text,
	    (size_t)(slash - text));
	ms = slash == NULL ? -1 : parse_time(slash + 1);
	if (bytes < 1 || bytes > TRICKLE_BYTES || ms < TRICKLE_MS_MIN ||
	    ms > HOUR) {
		setup->error(setup, "trickle \"%s\": expected bytes and a "
		    "time, from 1/10ms to 1M/1h, like 1k/5s", text);
		return;
	}
	av->trickle = (size_t)bytes;
	av->trickle_ms = (unsigned int)ms;
}

/* Returns 0, or -1. */
static int
parse_policy(const char *text, enum clamav_policy *policy)
{
	static const char *const	 words[] = {
		[CLAMAV_BLOCK] = "block", [CLAMAV_PASS] = "pass",
		[CLAMAV_FAIL] = "fail"
	};
	unsigned int			 i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0) {
			*policy = (enum clamav_policy)i;
			return 0;
		}
	return -1;
}

/* "encrypted=pass" */
static int
set_reason(struct clamav *av, const char *text)
{
	const char	*equals = strchr(text, '='), *reason;
	unsigned int	 i;

	if (equals == NULL)
		return -1;
	for (i = CLAMD_DOWN; i < CLAMD_NRESULTS; i++) {
		reason = clamd_reason((enum clamd_result)i);
		if (strlen(reason) == (size_t)(equals - text) &&
		    memcmp(reason, text, strlen(reason)) == 0)
			return parse_policy(equals + 1, &av->policy[i]);
	}
	return -1;
}

static void
open_policy(struct clamav *av, const struct service_setup *setup)
{
	enum clamav_policy	 policy = CLAMAV_BLOCK;
	const char		*text;
	unsigned int		 i;

	text = cfg_getstr(setup->section, "on-unscanned");
	if (parse_policy(text, &policy) == -1)
		setup->error(setup, "on-unscanned \"%s\": expected block, "
		    "pass or fail", text);
	for (i = 0; i < CLAMD_NRESULTS; i++)
		av->policy[i] = policy;
	for (i = 0; i < cfg_size(setup->section, "on-reason"); i++) {
		text = cfg_getnstr(setup->section, "on-reason", i);
		if (set_reason(av, text) == -1)
			setup->error(setup, "on-reason \"%s\": expected one "
			    "of down, timeout, too-large, encrypted, "
			    "encoded, form, partial, limit and error, and "
			    "what to do, like encrypted=pass", text);
	}
}

/* How often nobody knew, for each reason. */
static void
open_counters(struct clamav *av, const struct service_setup *setup)
{
	char		 name[64], help[96], *dash;
	const char	*reason;
	unsigned int	 i;

	for (i = CLAMD_DOWN; i < CLAMD_NRESULTS; i++) {
		reason = clamd_reason((enum clamd_result)i);
		(void)snprintf(name, sizeof(name), "unscanned_%s", reason);
		while ((dash = strchr(name, '-')) != NULL)
			*dash = '_';
		(void)snprintf(help, sizeof(help), "Bodies that were not "
		    "scanned, reason %s.", reason);
		av->unscanned[i] = setup->counter(setup, name, help);
	}
}

/* What is set in vain is an error, what is so by default is not. */
static void
check_scan_timeout(struct clamav *av, const struct service_setup *setup)
{
	const cfg_opt_t	*opt = cfg_getopt(setup->section, "scan-timeout");

	if ((opt->flags & CFGF_MODIFIED) != 0 &&
	    av->scan_timeout > setup->patience)
		setup->error(setup, "scan-timeout \"%s\": expected at most "
		    "what transaction of timeouts says, %lld s",
		    cfg_getstr(setup->section, "scan-timeout"),
		    (long long)(setup->patience / SECOND));
}

/* Who lets bodies pass while no engine is up does not need one. */
static void
show_engine(struct clamav *av, const struct service_setup *setup,
    const char *address)
{
	clamd_tell(av->clamd, setup->backend(setup, address,
	    av->policy[CLAMD_DOWN] != CLAMAV_PASS));
}

static void
open_engines(struct clamav *av, const struct service_setup *setup)
{
	struct clamd_timeouts	 t;
	const char		*text;
	unsigned int		 i, n = cfg_size(setup->section, "engines");
	int64_t			 keep;

	av->scan_timeout = get_time(setup, "scan-timeout", HOUR);
	check_scan_timeout(av, setup);
	t.connect = get_time(setup, "connect-timeout", 10 * MINUTE);
	t.write = get_time(setup, "write-timeout", 10 * MINUTE);
	t.reply = get_time(setup, "reply-timeout", HOUR);
	keep = get_number(setup, "keep", 0, KEEP_MAX);
	if ((av->clamd = clamd_new(&t, (unsigned int)keep)) == NULL) {
		setup->error(setup, "engines: %s", strerror(errno));
		return;
	}
	clamd_set_root(av->clamd, setup->root);
	if (n == 0) {
		if (clamd_add(av->clamd, ENGINE_DEFAULT) == -1)
			setup->error(setup, "engines: %s", strerror(errno));
		else
			show_engine(av, setup, ENGINE_DEFAULT);
	}
	for (i = 0; i < n; i++) {
		text = cfg_getnstr(setup->section, "engines", i);
		if (clamd_add(av->clamd, text) == -1)
			setup->error(setup, "engines \"%s\": %s, expected at "
			    "most %d of unix:/path, stream:/path, host:port "
			    "or [address]:port", text, strerror(errno),
			    CLAMD_ENGINES_MAX);
		else
			show_engine(av, setup, text);
	}
}

static void
open_cache(struct clamav *av, const struct service_setup *setup)
{
	int64_t	 entries, ms;

	entries = get_number(setup, "cache-entries", CACHE_MIN, CACHE_MAX);
	ms = get_time(setup, "cache-time", 24 * HOUR);
	if (!cfg_getbool(setup->section, "cache") || entries < CACHE_MIN ||
	    entries > CACHE_MAX || ms < 1)
		return;
	if ((av->digest = clamav_digest_new()) == NULL) {
		setup->error(setup, "cache: expected no, as there is no "
		    "SHA-256 in this build of icapd");
		return;
	}
	if ((av->cache = clamav_cache_new((size_t)entries, ms)) == NULL)
		setup->error(setup, "cache: %s", strerror(errno));
	av->hits = setup->counter(setup, "cache_hits", "Verdicts that were "
	    "known already.");
	av->misses = setup->counter(setup, "cache_misses", "Bodies that were "
	    "scanned as their verdict was not known.");
	av->evictions = setup->counter(setup, "cache_evictions", "Verdicts "
	    "forgotten for others while they were good.");
	av->entries = setup->gauge(setup, "cache_entries", "Places for "
	    "verdicts that are in use.");
}

static struct service_template *
open_page(const struct service_setup *setup, const char *key)
{
	const char	*path = cfg_getstr(setup->section, key);

	return *path == '\0' ? NULL : service_template_open(setup, path);
}

int
clamav_open(const struct service_setup *setup, void **instance)
{
	struct clamav		*av;

	if ((av = calloc(1, sizeof(*av))) == NULL) {
		setup->error(setup, "%s", strerror(errno));
		return -1;
	}
	*instance = av;
	open_policy(av, setup);
	open_counters(av, setup);
	open_engines(av, setup);
	open_trickle(av, setup);
	open_cache(av, setup);
	av->types = clamav_types_new(setup);
	av->page = open_page(setup, "template");
	av->unscanned_page = open_page(setup, "unscanned-template");
	av->max_size = (uint64_t)get_number(setup, "max-size", 1,
	    SIZE_MAX_KEY);
	av->max_parts = (unsigned int)get_number(setup, "max-parts", 1,
	    PARTS_MAX);
	av->multipart = cfg_getbool(setup->section, "multipart");
	return 0;
}

void
clamav_close(void *instance)
{
	struct clamav	*av = instance;

	clamd_free(av->clamd);
	service_template_close(av->page);
	service_template_close(av->unscanned_page);
	clamav_types_free(av->types);
	clamav_cache_free(av->cache);
	clamav_digest_free(av->digest);
	gunzip_free(av->gunzip);
	free(av);
}
