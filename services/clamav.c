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
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../proto/chars.h"
#include "clamav.h"
#include "gunzip.h"

/* First bytes that types are told by; within the preview that is wanted. */
#define TYPE_BYTES	1024

/* First bytes by which an engine may take it for something else. */
#define GZIP_BYTES	520

/* Bytes that are decoded at a time. */
#define DECODE_PIECE	(32 * 1024)

/* Longest value of a header of ours, bytes. */
#define VALUE_MAX	512

/*
 * Of the time that a transaction has left an eighth, but no more than this, is
 * for its reply; ms.
 */
#define REPLY_TIME	5000

/* One message on its way. */
struct scan {
	struct clamav		*av;
	struct txn		*txn;

	/* what its head says; the copy stays when the head is edited */
	struct slice		 type;		/* the first, or empty */
	char			*type_copy;
	bool			 many_types;	/* which one counts? */
	enum clamav_form_kind	 form;
	struct slice		 boundary;
	enum clamav_coding	 coding;	/* as mail has them */
	unsigned int		 ncodings;
	bool			 is_opaque;	/* in one clamd cannot undo */
	bool			 is_partial;
	uint64_t		 length;	/* or 0 */
	uint64_t		 range;		/* or 0: all that there is */

	bool			 is_typed;	/* it is known what it is */
	size_t			 nfirst;
	bool			 is_gzip;	/* it is undone as it comes */
	size_t			 ngzip;
	unsigned char		 gzip[GZIP_BYTES];	/* its first bytes */
	uint64_t		 size;		/* of the body */
	int			 fd;		/* that has it */
	const char		*bytes;		/* while others look into it */
	int64_t			 deadline;
	bool			 has_key;
	unsigned char		 key[CLAMAV_DIGEST];
	bool			 cached;
	struct clamd_verdict	 verdict;
	char			 first[TYPE_BYTES];	/* not zeroed */
};

/* What came of receiving a body. */
enum received {
	RECEIVED_FAILED,
	RECEIVED_TOO_LARGE,
	RECEIVED_SKIP,			/* its type needs no scan */
	RECEIVED_ALL
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

/* ---- gzip --------------------------------------------------------------- */

/* A body begins: is it to be undone, to see how others would? */
static void
start_gzip(struct scan *s)
{
	if (s->ncodings == 0 || s->is_opaque)
		return;
	if (s->av->gunzip == NULL)
		s->av->gunzip = gunzip_new();
	if ((s->is_gzip = s->av->gunzip != NULL))
		gunzip_start(s->av->gunzip);
}

static void
note_gzip(struct scan *s, const char *bytes, size_t len)
{
	if (!s->is_gzip)
		return;
	gunzip_add(s->av->gunzip, bytes, len);
	if (len > GZIP_BYTES - s->ngzip)
		len = GZIP_BYTES - s->ngzip;
	memcpy(s->gzip + s->ngzip, bytes, len);
	s->ngzip += len;
}

/*
 * Does it look like something else to clamd, too, which goes by that then and
 * does not undo it?  These are those of its types that begin elsewhere than at
 * the first byte: FEXTRA, FNAME, or a stored block, may hold them.
 */
static bool
is_else(const struct scan *s)
{
	static const struct {
		size_t		 at;
		const char	*magic;
		size_t		 len;
	} type[] = {
		{ 4, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 8 },
		{ 257, "ustar", 5 },
		{ 512, "EFI PART", 8 },
	};
	size_t	 i;

	for (i = 0; i < sizeof(type) / sizeof(type[0]); i++)
		if (s->ngzip >= type[i].at + type[i].len &&
		    memcmp(s->gzip + type[i].at, type[i].magic,
		    type[i].len) == 0)
			return true;
	return false;
}

/*
 * May a reader undo it that the engine has not understood, and called clean?
 * With one gzip in another nobody looks at that.
 */
static bool
is_odd_gzip(const struct scan *s)
{
	if (s->ncodings == 0 || s->is_opaque || s->size == 0)
		return false;
	return s->ncodings > 1 || !s->is_gzip ||
	    !gunzip_is_plain(s->av->gunzip) || is_else(s);
}

/* ---- verdicts ----------------------------------------------------------- */

static void
set_verdict(struct scan *s, enum clamd_result result, const char *text)
{
	s->verdict.result = result;
	(void)strlcpy(s->verdict.text, text, sizeof(s->verdict.text));
}

/* How much of a verdict it is: what passes is no excuse for what may not. */
static int
weigh(const struct scan *s, const struct clamd_verdict *v)
{
	static const int	 weight[] = {
		[CLAMAV_PASS] = 1, [CLAMAV_FAIL] = 2, [CLAMAV_BLOCK] = 3
	};

	if (v->result == CLAMD_CLEAN)
		return 0;
	return v->result == CLAMD_INFECTED ? 4 :
	    weight[s->av->policy[v->result]];
}

/* Of all that is known of a message what is worst counts. */
static void
add_verdict(struct scan *s, const struct clamd_verdict *v)
{
	if (weigh(s, v) > weigh(s, &s->verdict))
		s->verdict = *v;
}

static void
add_reason(struct scan *s, enum clamd_result result, const char *text)
{
	struct clamd_verdict	 v;

	memset(&v, 0, sizeof(v));
	v.result = result;
	(void)strlcpy(v.text, text, sizeof(v.text));
	add_verdict(s, &v);
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
	service_count(s->av->unscanned[s->verdict.result], 1);
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
	if (s->form == CLAMAV_FORM_UNCLEAR)
		add_reason(s, CLAMD_FORM, "Content-Type");
	if (s->is_partial)
		add_reason(s, CLAMD_PARTIAL, "Content-Range");
	if (is_odd_gzip(s))
		add_reason(s, CLAMD_ENCODED, "gzip");
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

/* ---- what the head says ------------------------------------------------- */

/*
 * The fields of the message that is adapted, of one name: which of them counts
 * is for its reader to say, so all do.
 */
static bool
next_field(const struct scan *s, const char *name, size_t *pos,
    struct slice *value)
{
	value->p = txn_is_response(s->txn) ?
	    txn_next_response_header(s->txn, name, pos, &value->len) :
	    txn_next_request_header(s->txn, name, pos, &value->len);
	return value->p != NULL;
}

static void
look_at_length(struct scan *s)
{
	struct slice	 value;
	uint64_t	 n;
	size_t		 pos = 0;

	while (next_field(s, "Content-Length", &pos, &value))
		if (chars_parse_uint(value, UINT64_MAX / 2, &n) == 0 &&
		    n > s->length)
			s->length = n;
}

/*
 * Is it in a coding, and in one that clamd cannot undo?  It would see noise,
 * and call it clean.
 */
static void
look_at_coding(struct scan *s, const char *name)
{
	struct slice	 list, coding;
	size_t		 pos = 0;

	while (next_field(s, name, &pos, &list))
		while (slice_next(&list, &coding)) {
			if (coding.len == 0 ||
			    slice_is_nocase(coding, "identity") ||
			    slice_is_nocase(coding, "chunked"))
				continue;
			s->ncodings++;
			if (!slice_is_nocase(coding, "gzip") &&
			    !slice_is_nocase(coding, "x-gzip"))
				s->is_opaque = true;
		}
}

/*
 * A field that HTTP does not have (RFC 9110, as RFC 2616 19.4.5 said), but some
 * readers go by.
 */
static void
look_at_mail_coding(struct scan *s)
{
	enum clamav_coding	 coding;
	struct slice		 value;
	size_t			 pos = 0;
	unsigned int		 n;

	for (n = 0; next_field(s, "Content-Transfer-Encoding", &pos,
	    &value); n++) {
		coding = clamav_head_http_coding(slice_trim(value));
		if (coding != CLAMAV_CODING_NONE)
			s->coding = coding;
	}
	if (n > 1 && s->coding != CLAMAV_CODING_NONE)
		s->coding = CLAMAV_CODING_ODD;
	if (!s->av->multipart)
		s->coding = CLAMAV_CODING_NONE;
}

/* Returns 0, or -1 without memory. */
static int
look_at_type(struct scan *s)
{
	enum clamav_form_kind	 kind;
	struct slice		 value, boundary;
	size_t			 pos = 0;
	unsigned int		 n;

	s->type.p = "";
	for (n = 0; next_field(s, "Content-Type", &pos, &value); n++) {
		kind = clamav_form_type(value, &boundary);
		if (kind != CLAMAV_FORM_NONE)
			s->form = CLAMAV_FORM_UNCLEAR;
		if (n == 0 && value.len > 0) {
			if ((s->type_copy = strndup(value.p, value.len)) ==
			    NULL)
				return -1;
			s->type.p = s->type_copy;
			s->type.len = value.len;
		}
	}
	s->many_types = n > 1 || (s->type.len > 0 &&
	    memchr(s->type.p, ',', s->type.len) != NULL);
	if (n == 1)
		s->form = clamav_form_type(s->type, &s->boundary);
	if (!s->av->multipart)
		s->form = CLAMAV_FORM_NONE;
	return 0;
}

/* "bytes 0-99/100": the length, if that is all of it; else 0. */
static uint64_t
parse_range(struct slice value)
{
	static const char	 zero[] = "bytes 0-";
	const char		*slash;
	struct slice		 last, all;
	uint64_t		 n, length;

	if (!slice_begins_nocase(value, zero))
		return 0;
	last.p = value.p + strlen(zero);
	last.len = value.len - strlen(zero);
	if ((slash = memchr(last.p, '/', last.len)) == NULL)
		return 0;
	all.p = slash + 1;
	all.len = (size_t)(last.p + last.len - all.p);
	last.len = (size_t)(slash - last.p);
	if (chars_parse_uint(last, UINT64_MAX / 2, &n) == -1 ||
	    chars_parse_uint(all, UINT64_MAX / 2, &length) == -1 ||
	    n + 1 != length)
		return 0;
	return length;
}

/*
 * Who collects the parts of a file has what nobody has scanned.  A part that
 * is all there is, is none; nor is what says that there is no such part.
 */
static void
look_at_range(struct scan *s)
{
	struct slice	 value;
	size_t		 pos = 0;
	int		 http = txn_is_response(s->txn) ?
			    txn_response_status(s->txn) : 0;
	unsigned int	 n;

	if (http == 416)
		return;
	for (n = 0; next_field(s, "Content-Range", &pos, &value); n++)
		s->range = parse_range(value);
	s->is_partial = n > 1 || (n == 1 && s->range == 0) ||
	    (n == 0 && http == 206);
}

/* ---- scanning ----------------------------------------------------------- */

/*
 * May it pass without a scan, as its type is one of those?  Not when its bytes
 * say nothing of what is in it, when it has parts of other types, when it is
 * open what its type is, or when it is a part itself, whose first bytes are
 * not those of the whole.
 */
static bool
is_skipped(const struct scan *s, const char *bytes, size_t len)
{
	return s->av->types != NULL && s->ncodings == 0 && !s->many_types &&
	    s->coding == CLAMAV_CODING_NONE && s->form == CLAMAV_FORM_NONE &&
	    !s->is_partial && s->range == 0 &&
	    clamav_types_skip(s->av->types, s->type, bytes, len);
}

/* The body begins with these bytes: are they enough to tell its type? */
static bool
note_first(struct scan *s, const char *bytes, size_t len)
{
	if (len > sizeof(s->first) - s->nfirst)
		len = sizeof(s->first) - s->nfirst;
	if (len > 0)
		memcpy(s->first + s->nfirst, bytes, len);
	s->nfirst += len;
	return s->nfirst == sizeof(s->first);
}

/* The same, if they are; `is_all` when there are no more. */
static bool
is_skipped_now(struct scan *s, const char *bytes, size_t len, bool is_all)
{
	if (s->is_typed || (!note_first(s, bytes, len) && !is_all))
		return false;
	s->is_typed = true;
	return is_skipped(s, s->first, s->nfirst);
}

/* Takes the body, as far as it may be scanned, and its digest. */
static enum received
receive(struct scan *s)
{
	const char	*bytes;
	ssize_t		 n;

	txn_want_fd(s->txn, s->length);
	start_gzip(s);
	s->has_key = s->av->cache != NULL &&
	    clamav_digest_start(s->av->digest) == 0;
	while ((n = txn_next(s->txn, &bytes)) > 0) {
		if (is_skipped_now(s, bytes, (size_t)n, false))
			return RECEIVED_SKIP;
		note_gzip(s, bytes, (size_t)n);
		s->size += (uint64_t)n;
		if (s->size > s->av->max_size)
			return RECEIVED_TOO_LARGE;
		if (s->has_key && clamav_digest_add(s->av->digest, bytes,
		    (size_t)n) == -1)
			s->has_key = false;
	}
	if (n == -1)
		return RECEIVED_FAILED;
	if (s->has_key && clamav_digest_end(s->av->digest, s->key) == -1)
		s->has_key = false;
	return is_skipped_now(s, "", 0, true) ? RECEIVED_SKIP : RECEIVED_ALL;
}

/* For an engine that takes files only. */
static int
make_part(void *arg, uint64_t offset, uint64_t len)
{
	return txn_part_fd(arg, offset, len);
}

/* May a scan of the next part tell more? */
static bool
is_worth_more(const struct clamd_verdict *v)
{
	return v->result != CLAMD_INFECTED && v->result != CLAMD_DOWN &&
	    v->result != CLAMD_TIMEOUT;
}

/* What is found in one file counts, and what is not known of one, of all. */
static bool
scan_file(struct scan *s, const struct clamd_body *b)
{
	struct clamd_verdict	 v;

	clamd_scan(s->av->clamd, b, s->deadline, &v);
	add_verdict(s, &v);
	return is_worth_more(&v);
}

/* A file as it is in the body. */
static bool
scan_part(void *arg, size_t offset, size_t len)
{
	struct scan		*s = arg;
	const struct clamd_body	 b = {
		s->fd, offset, len, make_part, s->txn
	};

	return scan_file(s, &b);
}

/* Bytes that are decoded as a file takes them. */
struct decoding {
	struct clamav_decoder	*decoder;
	struct slice		 left;
	char			 piece[CLAMAV_DECODE_ROOM(DECODE_PIECE)];
};

/* The next of them; none when there are no more, or it is odd. */
static ssize_t
decode_more(void *arg, const char **bytes)
{
	struct decoding	*d = arg;
	size_t		 len, n = 0;

	while (n == 0 && d->left.len > 0 && !d->decoder->is_odd) {
		len = d->left.len < DECODE_PIECE ? d->left.len : DECODE_PIECE;
		n = clamav_decode_add(d->decoder, d->left.p, len, d->piece);
		d->left.p += len;
		d->left.len -= len;
	}
	if (n == 0 && !clamav_decode_end(d->decoder))
		d->decoder->is_odd = true;
	*bytes = d->piece;
	return d->decoder->is_odd ? 0 : (ssize_t)n;
}

/* A file that is in the body in a coding; none is left of what is odd. */
static bool
scan_decoded(void *arg, struct clamav_decoder *decoder, size_t offset,
    size_t len)
{
	struct scan		*s = arg;
	struct decoding		 d;
	struct clamd_body	 b = { .fd = -1 };
	bool			 go_on = true;

	d.decoder = decoder;
	d.left.p = s->bytes + offset;
	d.left.len = len;
	b.fd = txn_made_fd(s->txn, len, decode_more, &d, &b.len);
	if (b.fd == -1)
		add_reason(s, CLAMD_ERROR, strerror(errno));
	else if (b.len > 0 && !decoder->is_odd)
		go_on = scan_file(s, &b);
	if (b.fd != -1)
		(void)close(b.fd);
	return go_on;
}

/* In a coding of HTTP there are no parts to doubt. */
static void
tell_reason(void *arg, enum clamd_result result, const char *text)
{
	struct scan	*s = arg;

	if (s->ncodings == 0 || result != CLAMD_FORM)
		add_reason(s, result, text);
}

/*
 * What others may see in it.  In one in a coding of HTTP nobody finds anything
 * before that is undone, which the engine does for itself alone: what is in it
 * is not known.
 */
static void
scan_inside(struct scan *s)
{
	struct clamav_walk	 w = {
		.p = s->bytes,
		.len = (size_t)s->size,
		.max_parts = s->av->max_parts,
		.scan = scan_part,
		.decode = scan_decoded,
		.reason = tell_reason,
		.arg = s,
	};

	if (s->coding == CLAMAV_CODING_ODD || (s->coding !=
	    CLAMAV_CODING_NONE && s->form != CLAMAV_FORM_NONE))
		add_reason(s, CLAMD_ENCODED, "Content-Transfer-Encoding");
	if (s->ncodings > 0)
		add_reason(s, CLAMD_ENCODED, "more than one coding");
	if (s->form == CLAMAV_FORM_IS)
		(void)clamav_walk_form(&w, s->boundary);
	else if (s->coding == CLAMAV_BASE64 || s->coding == CLAMAV_QUOTED)
		(void)clamav_walk_coded(&w, s->coding);
}

static void
scan_mapped(struct scan *s)
{
	void	*p = mmap(NULL, (size_t)s->size, PROT_READ, MAP_PRIVATE,
		    s->fd, 0);

	if (p == MAP_FAILED) {
		add_reason(s, CLAMD_ERROR, strerror(errno));
		return;
	}
	s->bytes = p;
	scan_inside(s);
	(void)munmap(p, (size_t)s->size);
}

/*
 * A verdict on a form is one on its parts, which the boundary in its head
 * decides on: it is not kept, for it is not the digest's alone.  So with one
 * on what is decoded.
 */
static bool
is_cacheable(const struct scan *s)
{
	return s->has_key && s->form == CLAMAV_FORM_NONE &&
	    s->coding == CLAMAV_CODING_NONE;
}

/* Is there more to it than its bytes? */
static bool
has_inside(const struct scan *s)
{
	return s->form == CLAMAV_FORM_IS || s->coding != CLAMAV_CODING_NONE;
}

/*
 * Until when an engine is waited for: there has to be time left to say that
 * nobody knows, and to send what may pass all the same.
 */
static int64_t
scan_deadline(const struct scan *s)
{
	int64_t	 left = txn_time_left(s->txn);

	left -= left / 8 < REPLY_TIME ? left / 8 : REPLY_TIME;
	if (left > s->av->scan_timeout)
		left = s->av->scan_timeout;
	return clamd_now() + left;
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
	s->deadline = scan_deadline(s);
	if (av->trickle > 0)
		clamd_on_wait(av->clamd, trickle_due, s->txn);
	clamd_scan(av->clamd, &b, s->deadline, &s->verdict);
	s->fd = b.fd;
	if (has_inside(s) && is_worth_more(&s->verdict))
		scan_mapped(s);
	clamd_on_wait(av->clamd, NULL, NULL);
	if (keep && clamav_cache_add(av->cache, s->key, s->verdict.version,
	    clamd_now(), &s->verdict))
		service_count(av->evictions, 1);
}

/*
 * What the first bytes are enough for, without asking for more than the
 * preview: 1 when it may pass, 2 when nobody can scan it, 0 when it is to be
 * received, -1 when the body cannot be had.
 */
static int
look_at_preview(struct scan *s)
{
	const char	*bytes;
	ssize_t		 n;
	bool		 skip;

	s->is_typed = s->av->types == NULL;
	if (s->is_typed && !s->is_opaque)
		return 0;
	if ((n = txn_peek(s->txn, TYPE_BYTES, &bytes)) == -1)
		return -1;
	skip = is_skipped_now(s, bytes, (size_t)n, n < TYPE_BYTES &&
	    txn_peek_is_all(s->txn));
	s->nfirst = 0;				/* they come again */
	return skip ? 1 : n > 0 && s->is_opaque ? 2 : 0;
}

static enum verdict
reply_skipped(struct scan *s)
{
	txn_note(s->txn, "skipped", "type");
	return VERDICT_UNCHANGED;		/* the administrator says so */
}

static enum verdict
examine(struct scan *s)
{
	if (s->length > s->av->max_size) {
		set_verdict(s, CLAMD_TOO_LARGE, "larger than max-size");
		return reply(s);
	}
	if (s->av->trickle > 0)
		txn_release_every(s->txn, s->av->trickle, s->av->trickle_ms,
		    s->av->trickle_max);
	switch (receive(s)) {
	case RECEIVED_FAILED:
		return VERDICT_FAILED;
	case RECEIVED_SKIP:
		return reply_skipped(s);
	case RECEIVED_TOO_LARGE:
		set_verdict(s, CLAMD_TOO_LARGE, "larger than max-size");
		return reply(s);
	case RECEIVED_ALL:
		break;
	}
	if (s->size == 0)
		return VERDICT_UNCHANGED;	/* there is nothing in it */
	if (s->range > 0 && s->range != s->size)
		s->is_partial = true;
	if (s->is_opaque)
		set_verdict(s, CLAMD_ENCODED, "Content-Encoding");
	else
		scan_body(s);
	return reply(s);
}

static enum verdict
serve_body(struct scan *s)
{
	look_at_length(s);
	look_at_coding(s, "Content-Encoding");
	look_at_coding(s, "Transfer-Encoding");
	look_at_mail_coding(s);
	look_at_range(s);
	if (look_at_type(s) == -1)
		return txn_fail(s->txn, "no memory");
	switch (look_at_preview(s)) {
	case -1:
		return VERDICT_FAILED;
	case 0:
		return examine(s);
	case 1:
		return reply_skipped(s);
	default:
		set_verdict(s, CLAMD_ENCODED, "Content-Encoding");
		return reply(s);
	}
}

static enum verdict
clamav_serve(struct txn *txn, void *instance)
{
	struct scan	 s;
	enum verdict	 verdict;

	if (!txn_has_body(txn))
		return VERDICT_UNCHANGED;	/* there is nothing in it */
	memset(&s, 0, offsetof(struct scan, first));
	s.av = instance;
	s.txn = txn;
	set_verdict(&s, CLAMD_ERROR, "not scanned");
	verdict = serve_body(&s);
	free(s.type_copy);
	return verdict;
}

/*
 * A preview costs a round trip.  It spares the body where its first bytes, or
 * the length in its head, are enough to let it pass.
 */
static long
clamav_wants(const void *instance)
{
	const struct clamav	*av = instance;

	return av->types != NULL ||
	    av->policy[CLAMD_TOO_LARGE] == CLAMAV_PASS ||
	    av->policy[CLAMD_ENCODED] == CLAMAV_PASS ? TYPE_BYTES : -1;
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
	.wants = clamav_wants,
	.stop = clamav_stop,
	.close = clamav_close,
	.poll = clamav_poll,
	.version = clamav_version,
};
