/* SPDX-License-Identifier: ISC */
/*
 * clamav: has every body scanned by clamd(8).  What is infected is replaced;
 * what could not be scanned is treated as the administrator wants, by default
 * it is withheld; only what an engine has called clean passes in silence.
 * The client of clamd is clamd.c, what has been scanned before is known to
 * clamav_cache.c.  It must not return VERDICT_UNCHANGED in any other place
 * than where the comment says why.
 */
#include <sys/mman.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/chars.h"
#include "clamav.h"

/* First bytes that types are told by; within the preview that is wanted. */
#define TYPE_BYTES	1024

/* Longest value of a header of ours, bytes. */
#define VALUE_MAX	512

/* One message on its way. */
struct scan {
	struct clamav		*av;
	struct txn		*txn;
	struct slice		 type;		/* declared, or empty */
	uint64_t		 size;		/* of the body */
	int64_t			 deadline;
	bool			 has_key;
	unsigned char		 key[CLAMAV_DIGEST];
	bool			 cached;
	struct clamd_verdict	 verdict;
};

/* Not const, as libconfuse has it; it copies them. */
static char		 no_list[] = "{}";

static const cfg_opt_t	 clamav_options[] = {
	CFG_STR_LIST("engines", no_list, CFGF_NONE),
	CFG_STR("connect-timeout", "2s", CFGF_NONE),
	CFG_STR("write-timeout", "10s", CFGF_NONE),
	CFG_STR("reply-timeout", "1m", CFGF_NONE),
	CFG_STR("scan-timeout", "2m", CFGF_NONE),
	CFG_INT("keep", 32, CFGF_NONE),
	CFG_INT("max-size", 104857600, CFGF_NONE),
	CFG_STR_LIST("skip-types", no_list, CFGF_NONE),
	CFG_STR_LIST("only-types", no_list, CFGF_NONE),
	CFG_BOOL("multipart", cfg_true, CFGF_NONE),
	CFG_INT("max-parts", 1000, CFGF_NONE),
	CFG_STR("on-unscanned", "block", CFGF_NONE),
	CFG_STR_LIST("on-reason", no_list, CFGF_NONE),
	CFG_STR("trickle", "", CFGF_NONE),
	CFG_INT("trickle-max", 65536, CFGF_NONE),
	CFG_STR("template", "", CFGF_NONE),
	CFG_STR("unscanned-template", "", CFGF_NONE),
#ifdef HAVE_LIBCRYPTO
	CFG_BOOL("cache", cfg_true, CFGF_NONE),
#else
	CFG_BOOL("cache", cfg_false, CFGF_NONE),
#endif
	CFG_INT("cache-entries", 16384, CFGF_NONE),
	CFG_STR("cache-time", "10m", CFGF_NONE),
	CFG_END()
};

/* A field of the message that is adapted. */
static struct slice
message_header(const struct txn *txn, const char *name)
{
	struct slice	 s = { NULL, 0 };

	s.p = txn_is_response(txn) ?
	    txn_response_header(txn, name, &s.len) :
	    txn_request_header(txn, name, &s.len);
	if (s.p == NULL) {
		s.p = "";
		s.len = 0;
	}
	return s;
}

/* ---- what the client is told -------------------------------------------- */

/* A name as it may stand between the signs of a header. */
static void
format_name(char *dst, size_t size, const char *src, size_t len)
{
	size_t	 i;
	char	 c;

	for (i = 0; i < len && i + 1 < size; i++) {
		c = src[i];
		dst[i] = c > 0x20 && c < 0x7f && strchr(";,=\"\\<>", c) ==
		    NULL ? c : '_';
	}
	dst[i] = '\0';
}

/*
 * The headers of all vendors, as clients look for one of them each.  Those
 * of c-icap, Symantec and draft-stecher-icap-subid: type 0 is a virus, 2 a
 * container that is too much; resolution 2: it was withheld.
 */
static void
add_headers(struct txn *txn, unsigned int type, const char *threat,
    const char *info, const char *desc)
{
	char		 value[VALUE_MAX], name[CLAMD_TEXT_MAX], file[128];
	const char	*uri;
	size_t		 len;

	format_name(name, sizeof(name), threat, strlen(threat));
	uri = txn_uri(txn, &len);
	format_name(file, sizeof(file), len > 0 ? uri : "-",
	    len > 0 ? len : 1);
	(void)snprintf(value, sizeof(value), "Type=%u; Resolution=2; "
	    "Threat=%s;", type, name);
	(void)txn_reply_header(txn, "X-Infection-Found", value);
	(void)txn_reply_header(txn, "X-Virus-ID", name);
	(void)snprintf(value, sizeof(value), "1 %s %s 0 2", file, name);
	(void)txn_reply_header(txn, "X-Violations-Found", value);
	(void)txn_reply_header(txn, "X-Response-Info", info);
	(void)txn_reply_header(txn, "X-Response-Desc", desc);
}

static enum verdict
reply_infected(struct scan *s)
{
	const struct service_var	 vars[] = {
		{ "title", "Malware found" },
		{ "reason", "This contains malware and is therefore "
		    "withheld." },
		{ "threat", s->verdict.text },
		{ NULL, NULL }
	};

	txn_note(s->txn, "threat", s->verdict.text);
	add_headers(s->txn, 0, s->verdict.text, "Infected",
	    s->verdict.text);
	if (txn_respond_template(s->txn, 403, s->av->page, vars) == -1)
		return txn_fail(s->txn, "infected, and no memory for the "
		    "page");
	return VERDICT_REPLACED;
}

static enum verdict
block_unscanned(struct scan *s, const char *why)
{
	const char	*reason = clamd_reason(s->verdict.result);
	char		 name[64];
	const struct service_var	 vars[] = {
		{ "title", "Not scanned" },
		{ "reason", "This could not be scanned for malware and is "
		    "therefore withheld." },
		{ "cause", reason },
		{ NULL, NULL }
	};

	(void)snprintf(name, sizeof(name), "Unscanned.%s", reason);
	add_headers(s->txn, 2, name, "Unscanned", why);
	if (txn_respond_template(s->txn, 403, s->av->unscanned_page,
	    vars) == -1)
		return txn_fail(s->txn, "unscanned, and no memory for the "
		    "page");
	return VERDICT_REPLACED;
}

static enum verdict
reply_unscanned(struct scan *s)
{
	char	 why[CLAMD_TEXT_MAX + 32];

	(void)snprintf(why, sizeof(why), "%s: %s",
	    clamd_reason(s->verdict.result), s->verdict.text);
	txn_note(s->txn, "unscanned", why);
	switch (s->av->policy[s->verdict.result]) {
	case CLAMAV_FAIL:
		return txn_fail(s->txn, why);
	case CLAMAV_PASS:
		txn_unscanned(s->txn, why);
		return VERDICT_UNCHANGED;	/* the administrator says so */
	case CLAMAV_BLOCK:
		break;
	}
	txn_unscanned(s->txn, why);
	return block_unscanned(s, why);
}

static enum verdict
reply(struct scan *s)
{
	if (s->cached)
		txn_note(s->txn, "cache", "hit");
	switch (s->verdict.result) {
	case CLAMD_CLEAN:
		return VERDICT_UNCHANGED;	/* an engine says so */
	case CLAMD_INFECTED:
		return reply_infected(s);
	default:
		return reply_unscanned(s);
	}
}

/* ---- scanning ----------------------------------------------------------- */

static void
set_verdict(struct scan *s, enum clamd_result result, const char *text)
{
	s->verdict.result = result;
	(void)strlcpy(s->verdict.text, text, sizeof(s->verdict.text));
}

/* What the head says that the body has; 0 when it says nothing. */
static uint64_t
declared_size(const struct scan *s)
{
	struct slice	 value = message_header(s->txn, "Content-Length");
	uint64_t	 n;

	if (value.len == 0 || chars_parse_uint(value, UINT64_MAX / 2,
	    &n) == -1)
		return 0;
	return n;
}

/*
 * Is it in a coding that clamd cannot undo?  It would see noise, and call it
 * clean.
 */
static bool
is_encoded(const struct scan *s)
{
	struct slice	 list = message_header(s->txn, "Content-Encoding");
	struct slice	 coding;

	while (slice_next(&list, &coding))
		if (coding.len > 0 && !slice_is_nocase(coding, "identity") &&
		    !slice_is_nocase(coding, "gzip") &&
		    !slice_is_nocase(coding, "x-gzip"))
			return true;
	return false;
}

/*
 * Takes the body, as far as it may be scanned, and its digest.  Returns 0, 1
 * when it is too large, or -1 when it cannot be had.
 */
static int
receive(struct scan *s)
{
	const char	*bytes;
	ssize_t		 n;

	txn_want_fd(s->txn, declared_size(s));
	s->has_key = s->av->cache != NULL &&
	    clamav_digest_start(s->av->digest) == 0;
	while ((n = txn_next(s->txn, &bytes)) > 0) {
		s->size += (uint64_t)n;
		if (s->size > s->av->max_size)
			return 1;
		if (s->has_key && clamav_digest_add(s->av->digest, bytes,
		    (size_t)n) == -1)
			s->has_key = false;
	}
	if (n == 0 && s->has_key &&
	    clamav_digest_end(s->av->digest, s->key) == -1)
		s->has_key = false;
	return (int)n;
}

/* For an engine that takes files only. */
static int
make_part(void *arg, uint64_t offset, uint64_t len)
{
	return txn_part_fd(arg, offset, len);
}

/*
 * Each part of a form as the file it will be.  What is found in one of them
 * counts, and what is not known of one is not known of all.
 */
static void
scan_parts(struct scan *s, struct clamav_form *f, int fd)
{
	struct clamd_body	 b = { fd, 0, 0, make_part, s->txn };
	struct clamd_verdict	 v;
	unsigned int		 n = 0;
	size_t			 offset, len;

	while (clamav_form_next(f, &offset, &len)) {
		if (++n > s->av->max_parts) {
			set_verdict(s, CLAMD_LIMIT, "too many parts");
			return;
		}
		if (len == 0)
			continue;
		b.offset = offset;
		b.len = len;
		clamd_scan(s->av->clamd, &b, s->deadline, &v);
		if (v.result != CLAMD_CLEAN)
			s->verdict = v;
		if (v.result == CLAMD_INFECTED || v.result == CLAMD_DOWN ||
		    v.result == CLAMD_TIMEOUT)
			return;
	}
}

/* The body as a whole was clean: is it a form? */
static void
scan_form(struct scan *s, int fd)
{
	struct clamav_form	 f;
	void			*p;

	if (!s->av->multipart || !clamav_form_init(&f, s->type, NULL, 0))
		return;
	p = mmap(NULL, (size_t)s->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED) {
		set_verdict(s, CLAMD_ERROR, strerror(errno));
		return;
	}
	if (clamav_form_init(&f, s->type, p, (size_t)s->size))
		scan_parts(s, &f, fd);
	(void)munmap(p, (size_t)s->size);
}

/*
 * A verdict on a form is one on its parts, which the boundary in its head
 * decides on: it is not kept, for it is not the digest's alone.
 */
static bool
is_cacheable(const struct scan *s)
{
	struct clamav_form	 f;

	return s->has_key && !(s->av->multipart &&
	    clamav_form_init(&f, s->type, NULL, 0));
}

/* The service waits for an engine. */
static int
trickle_due(void *arg)
{
	return txn_release_due(arg);
}

static void
scan_body(struct scan *s)
{
	struct clamav		*av = s->av;
	struct clamd_body	 b = { .fd = -1 };
	bool			 keep = is_cacheable(s);

	if (keep && clamav_cache_find(av->cache, s->key,
	    clamd_next_version(av->clamd), clamd_now(), &s->verdict)) {
		s->cached = true;
		service_count(av->hits, 1);
		return;
	}
	if (keep)
		service_count(av->misses, 1);
	if ((b.fd = txn_body_fd(s->txn, &b.len)) == -1 || b.len != s->size) {
		set_verdict(s, CLAMD_ERROR, "no descriptor of the body");
		return;
	}
	s->deadline = clamd_now() + av->scan_timeout;
	if (av->trickle > 0)
		clamd_on_wait(av->clamd, trickle_due, s->txn);
	clamd_scan(av->clamd, &b, s->deadline, &s->verdict);
	if (s->verdict.result == CLAMD_CLEAN)
		scan_form(s, b.fd);
	clamd_on_wait(av->clamd, NULL, NULL);
	if (keep && clamav_cache_add(av->cache, s->key, s->verdict.version,
	    clamd_now(), &s->verdict))
		service_count(av->evictions, 1);
}

/* 1: may pass without a scan, 0, or -1 when the body cannot be had. */
static int
is_skipped(struct scan *s)
{
	const char	*bytes;
	ssize_t		 n;

	if (s->av->types == NULL)
		return 0;
	if ((n = txn_peek(s->txn, TYPE_BYTES, &bytes)) == -1)
		return -1;
	return clamav_types_skip(s->av->types, s->type, bytes, (size_t)n);
}

static enum verdict
examine(struct scan *s)
{
	int	 n;

	if ((n = is_skipped(s)) == -1)
		return VERDICT_FAILED;
	if (n == 1) {
		txn_note(s->txn, "skipped", "type");
		return VERDICT_UNCHANGED;	/* the administrator says so */
	}
	/* what will not be scanned need not be waited for */
	if (s->av->trickle > 0 && !is_encoded(s))
		txn_release_every(s->txn, s->av->trickle, s->av->trickle_ms,
		    s->av->trickle_max);
	n = declared_size(s) > s->av->max_size ? 1 : receive(s);
	if (n == -1)
		return VERDICT_FAILED;
	if (n == 1)
		set_verdict(s, CLAMD_TOO_LARGE, "larger than max-size");
	else if (s->size == 0)
		return VERDICT_UNCHANGED;	/* there is nothing in it */
	else if (is_encoded(s))
		set_verdict(s, CLAMD_ENCODED, "Content-Encoding");
	else
		scan_body(s);
	return reply(s);
}

static enum verdict
clamav_serve(struct txn *txn, void *instance)
{
	struct scan	 s;
	enum verdict	 verdict;
	char		*type = NULL;

	memset(&s, 0, sizeof(s));
	s.av = instance;
	s.txn = txn;
	set_verdict(&s, CLAMD_ERROR, "not scanned");
	if (!txn_has_body(txn))
		return VERDICT_UNCHANGED;	/* there is nothing in it */
	s.type = message_header(txn, "Content-Type");
	/* what is released has the head edited, and the type lies in it */
	if (s.type.len > 0) {
		if ((type = strndup(s.type.p, s.type.len)) == NULL)
			return txn_fail(txn, "no memory");
		s.type.p = type;
	}
	verdict = examine(&s);
	free(type);
	return verdict;
}

static void
clamav_stop(void *instance)
{
	struct clamav	*av = instance;

	clamd_stop(av->clamd);
}

static void
tell(const char *engine, bool works)
{
	if (works)
		service_log("clamd %s: answers again", engine);
	else
		service_warn("clamd %s: does not answer", engine);
}

static void
clamav_poll(void *instance)
{
	struct clamav	*av = instance;

	clamd_poll(av->clamd, tell);
	if (av->cache != NULL)
		service_gauge_set(av->entries,
		    (int64_t)clamav_cache_entries(av->cache));
}

static void
clamav_version(void *instance, char *dst, size_t size)
{
	struct clamav	*av = instance;

	(void)snprintf(dst, size, "%016llx",
	    (unsigned long long)clamd_version(av->clamd));
}

extern const struct service svc_clamav;

const struct service svc_clamav = {
	.name = "clamav",
	.summary = "has bodies scanned for malware by clamd",
	.methods = SERVICE_REQMOD | SERVICE_RESPMOD,
	.preview = TYPE_BYTES,
	.options = clamav_options,
	.open = clamav_open,
	.serve = clamav_serve,
	.stop = clamav_stop,
	.close = clamav_close,
	.poll = clamav_poll,
	.version = clamav_version,
};
