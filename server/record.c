/* SPDX-License-Identifier: ISC */
/*
 * The access line: one for each transaction and log.  Called by session.c,
 * which fills in the struct, and by worker.c and logger.c for a transaction
 * whose worker died.  It only formats and puts; who writes is logger.c.
 *
 * Everything from the wire goes through line_json() or line_escape() and is
 * cut.  The order of the fields is chosen so that the numbers come first: a
 * line that gets too long loses wire bytes, never its end.
 */
#include <arpa/inet.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../proto/body.h"
#include "../proto/http.h"
#include "record.h"
#include "line.h"
#include "log.h"

/* Kept free at the end of a line for what must come, bytes. */
#define RESERVE		256

/*
 * What is known when a transaction begins, in case its worker does not see
 * its end.  The texts stand one after the other.
 */
enum intent_text { INTENT_SERVICE, INTENT_PEER, INTENT_CLIENT, INTENT_USER,
    INTENT_PATH, INTENT_LINE, INTENT_TEXTS };

/* Bytes that are kept of each: the rest is cut. */
static const uint16_t	 intent_max[INTENT_TEXTS] = {
	[INTENT_SERVICE] = 64, [INTENT_PEER] = 48, [INTENT_CLIENT] = 48,
	[INTENT_USER] = 64, [INTENT_PATH] = 160, [INTENT_LINE] = 320,
};

struct record_intent {
	int64_t		 start;
	int64_t		 wait;
	int64_t		 read;
	uint64_t	 id;
	uint64_t	 ordinal;
	int64_t		 preview;
	uint16_t	 method;
	uint16_t	 peer_port;
	uint16_t	 len[INTENT_TEXTS];
	char		 text[64 + 48 + 48 + 64 + 160 + 320];
};

_Static_assert(sizeof(struct record_intent) <= RING_INTENT_MAX, "it fits");

/* ---- conditions -------------------------------------------------------- */

static bool
is_error(const struct record *a)
{
	return a->died || a->status == 0 || a->status >= 400 ||
	    (a->cut && !a->blocked);
}

bool
record_is_wanted(const struct record *a, unsigned int only)
{
	if (only == 0)
		return true;
	return ((only & RECORD_ERRORS) != 0 && is_error(a)) ||
	    ((only & RECORD_BLOCKED) != 0 && a->blocked) ||
	    ((only & RECORD_UNSCANNED) != 0 && a->unscanned);
}

static enum log_level
record_level(const struct record *a)
{
	if (a->died || a->status >= 500)
		return LOG_LEVEL_ERROR;
	if (is_error(a) || a->unscanned)
		return LOG_LEVEL_WARN;
	return LOG_LEVEL_INFO;
}

static int64_t
record_duration(const struct record *a)
{
	return a->read + a->serve + a->write;
}

/* ---- ecs --------------------------------------------------------------- */

/* Bytes a value may have without pushing the end of the line out. */
static size_t
room(const struct line *l, size_t cut)
{
	size_t	 left = l->max - l->len;

	left = left > RESERVE ? left - RESERVE : 0;
	return left < cut ? left : cut;
}

#define json_string(l, key, s, cut)					\
do {									\
	if ((l)->max - (l)->len > RESERVE + sizeof(key) + 8) {		\
		line_lit((l), ",\"" key "\":\"");			\
		line_json((l), (s), room((l), (cut)));			\
		line_lit((l), "\"");					\
	}								\
} while (0)

#define put_number(d, key, n)	put_uint(put_lit((d), ",\"" key "\":"), (n))

static struct slice
text_slice(const char *text)
{
	struct slice	 s = { text, strlen(text) };

	return s;
}

static bool
is_ipv4(struct slice s)
{
	unsigned int	 part, n = 0, digits;
	size_t		 i = 0;

	do {
		part = digits = 0;
		for (; i < s.len && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
			part = part * 10 + (unsigned int)(s.p[i] - '0');
			if (part > 255 || (digits++ > 0 && part < 10))
				return false;	/* or began with a zero */
		}
	} while (digits > 0 && ++n < 4 && i < s.len && s.p[i++] == '.');
	return n == 4 && i == s.len;
}

/* Elasticsearch refuses a document whose address is none. */
static bool
is_address(struct slice s)
{
	unsigned char	 bin[16];
	char		 text[INET6_ADDRSTRLEN];

	if (is_ipv4(s))
		return true;
	if (s.len == 0 || s.len >= sizeof(text) ||
	    memchr(s.p, ':', s.len) == NULL)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	return inet_pton(AF_INET6, text, bin) == 1;
}

static void
ecs_notes(struct line *l, const struct record *a, size_t cut)
{
	unsigned int	 i;

	for (i = 0; i < a->nnotes; i++) {
		if (l->max - l->len < RESERVE + 128)
			return;
		line_lit(l, ",\"icap.note.");
		line_json(l, text_slice(a->note[i].key), 64);
		line_lit(l, "\":\"");
		line_json(l, text_slice(a->note[i].value), room(l, cut));
		line_lit(l, "\"");
	}
}

static void
ecs_http(struct line *l, const struct record *a, size_t cut)
{
	struct slice	 method, target, version;
	int		 status = a->http_status;

	if (a->res_head.len > 0 && status == 0)
		status = http_status(http_start_line(a->res_head));
	if (status > 0) {
		line_lit(l, ",\"http.response.status_code\":");
		line_uint(l, (uint64_t)status);
	}
	if (a->req_head.len == 0)
		return;
	http_split_request(http_start_line(a->req_head), &method, &target,
	    &version);
	if (version.len > 5)
		json_string(l, "http.version", ((struct slice)
		    { version.p + 5, version.len - 5 }), 16);
	json_string(l, "http.request.method", method, 32);
	json_string(l, "url.original", target, cut);
}

static void
ecs_client(struct line *l, const struct record *a, size_t cut)
{
	if (a->client.len > 0) {
		json_string(l, "client.address", a->client, 64);
		if (is_address(a->client))
			json_string(l, "client.ip", a->client, 64);
	}
	if (a->user.len > 0)
		json_string(l, "user.name", a->user, cut);
}

static char *
put_text(char *d, const char *text)
{
	return put_bytes(d, text, strlen(text));
}

/* A word of ours: copied with all its zeros, which is faster than to look. */
struct word {
	char	 text[15];
	uint8_t	 len;
};

#define WORD(text)	{ text, sizeof(text) - 1 }

static char *
put_word(char *d, const struct word *w)
{
	memcpy(d, w->text, sizeof(w->text));
	return d + w->len;
}

static const struct word	 level_word[] = {
	[LOG_LEVEL_DEBUG] = WORD("debug"), [LOG_LEVEL_INFO] = WORD("info"),
	[LOG_LEVEL_WARN] = WORD("warn"), [LOG_LEVEL_ERROR] = WORD("error"),
};

static const struct word	 method_word[] = {
	[ICAP_OPTIONS] = WORD("OPTIONS"), [ICAP_REQMOD] = WORD("REQMOD"),
	[ICAP_RESPMOD] = WORD("RESPMOD"), [ICAP_UNKNOWN] = WORD("UNKNOWN"),
};

static const struct word	 type_word[] = {
	WORD("allowed"), WORD("error"), WORD("denied")
};

static const struct word	 outcome_word[] = {
	WORD("success"), WORD("failure"), WORD("unknown")
};

static const struct word *
record_type(const struct record *a)
{
	return &type_word[a->blocked ? 2 : is_error(a) ? 1 : 0];
}

static const struct word *
record_outcome(const struct record *a)
{
	return &outcome_word[a->died ? 2 : is_error(a) || a->unscanned ? 1 : 0];
}

/*
 * The body that came is the request's or the response's; one of ours in place
 * of a request's is a response's.
 */
static char *
ecs_bodies(char *d, const struct record *a)
{
	bool		 is_request = a->method == ICAP_REQMOD;
	uint64_t	 response = !is_request ? a->body_in :
			    a->res_head_out.len > 0 ? a->body_out : 0;

	if (is_request && a->body_in > 0)
		d = put_number(d, "http.request.body.bytes", a->body_in);
	if (response > 0)
		d = put_number(d, "http.response.body.bytes", response);
	if (a->body_out > 0)
		d = put_number(d, "icap.response.body.bytes", a->body_out);
	return d;
}

/*
 * The part of a line that no client can make longer: numbers and words of
 * ours, all of them shorter than ECS_FIXED.
 */
#define ECS_FIXED	1536

static char *
ecs_fixed(char *d, const struct record *a)
{
	d = put_time(put_lit(d, "{\"@timestamp\":\""), a->start);
	d = put_word(put_lit(d, "\",\"log.level\":\""),
	    &level_word[record_level(a)]);
	d = put_lit(d, "\",\"ecs.version\":\"8.11.0\","
	    "\"service.name\":\"icapd\","
	    "\"event.dataset\":\"icapd.access\",\"event.kind\":\"event\","
	    "\"event.category\":[\"web\"],\"event.type\":[\"access\",\"");
	d = put_word(d, record_type(a));
	d = put_word(put_lit(d, "\"],\"event.action\":\""),
	    &method_word[a->method]);
	d = put_word(put_lit(d, "\",\"event.outcome\":\""),
	    record_outcome(a));
	d = put_uint(put_lit(d, "\",\"event.duration\":"),
	    (uint64_t)record_duration(a) * 1000);
	d = put_hex(put_lit(d, ",\"transaction.id\":\""), a->id);
	d = put_text(put_lit(d, "\",\"network.protocol\":\"icap\","
	    "\"source.ip\":\""), a->peer);
	d = put_uint(put_lit(d, "\",\"source.port\":"), a->peer_port);
	d = put_number(d, "icap.status", (uint64_t)a->status);
	d = put_text(put_lit(d, ",\"icap.verdict\":\""), a->verdict);
	d = put_lit(d, "\"");
	if (a->unscanned)
		d = put_lit(d, ",\"icap.unscanned\":true");
	if (a->shadowed)
		d = put_lit(d, ",\"icap.shadowed\":true");
	if (a->cut)
		d = put_lit(d, ",\"icap.cut\":true");
	if (a->released > 0)
		d = put_number(d, "icap.released.bytes", a->released);
	if (a->died)
		d = put_lit(d, ",\"icap.worker_died\":true");
	if (a->preview >= 0)
		d = put_number(d, "icap.preview", (uint64_t)a->preview);
	d = put_number(d, "icap.connection.request", a->ordinal);
	d = put_number(d, "icap.request.bytes", a->bytes_in);
	d = put_number(d, "icap.response.bytes", a->bytes_out);
	return ecs_bodies(d, a);
}

static char *
ecs_times(char *d, const struct record *a)
{
	d = put_number(d, "icap.time.wait", (uint64_t)a->wait);
	d = put_number(d, "icap.time.read", (uint64_t)a->read);
	d = put_number(d, "icap.time.service", (uint64_t)a->serve);
	return put_number(d, "icap.time.write", (uint64_t)a->write);
}

static void
format_ecs(struct line *l, const struct record *a, size_t cut)
{
	assert(l->max >= ECS_FIXED);
	l->len = (size_t)(ecs_times(ecs_fixed(l->p, a), a) - l->p);
	if (a->service != NULL)
		json_string(l, "icap.service", text_slice(a->service), 256);
	if (a->decided != NULL)
		json_string(l, "icap.decided_by", text_slice(a->decided), 64);
	if (a->why != NULL)
		json_string(l, "event.reason", text_slice(a->why), 256);
	ecs_client(l, a, cut);
	json_string(l, "icap.path", a->path, cut);
	ecs_http(l, a, cut);
	ecs_notes(l, a, cut);
	line_lit(l, "}");
}

/* ---- text -------------------------------------------------------------- */

/* A value between blanks is one word, unless the format puts it in quotes. */
static void
text_value(struct line *l, struct slice s, size_t cut, bool quoted)
{
	if (s.len == 0)
		line_lit(l, "-");
	else if (quoted)
		line_escape(l, s, room(l, cut));
	else
		line_word(l, s, room(l, cut));
}

/* Who is meant: the user behind the proxy where it says so. */
static void
text_who(struct line *l, const struct record *a, size_t cut)
{
	if (a->client.len > 0)
		text_value(l, a->client, 64, false);
	else
		line_text(l, a->peer);
	line_lit(l, " ");
	text_value(l, a->user, cut, false);
}

static void
format_text(struct line *l, const struct record *a, size_t cut)
{
	unsigned int	 i;

	line_time(l, a->start);
	line_lit(l, " ");
	line_text(l, a->peer);
	line_lit(l, " ");
	text_who(l, a, cut);
	line_lit(l, " ");
	line_text(l, request_method_name(a->method));
	line_lit(l, " ");
	text_value(l, text_slice(a->service != NULL ? a->service : ""), 256,
	    false);
	line_lit(l, " ");
	line_uint(l, (uint64_t)a->status);
	line_lit(l, " ");
	line_text(l, a->verdict);
	line_lit(l, " ");
	line_uint(l, (uint64_t)record_duration(a));
	line_lit(l, "us in=");
	line_uint(l, a->bytes_in);
	line_lit(l, " out=");
	line_uint(l, a->bytes_out);
	line_lit(l, " id=");
	line_hex(l, a->id);
	line_lit(l, " \"");
	line_escape(l, http_start_line(a->req_head), room(l, cut));
	line_lit(l, "\"");
	if (a->unscanned)
		line_lit(l, " UNSCANNED");
	if (a->cut)
		line_lit(l, " CUT");
	if (a->died)
		line_lit(l, " WORKER-DIED");
	if (a->why != NULL) {
		line_lit(l, " why=\"");
		line_escape(l, text_slice(a->why), room(l, 256));
		line_lit(l, "\"");
	}
	for (i = 0; i < a->nnotes; i++) {
		line_lit(l, " ");
		line_escape(l, text_slice(a->note[i].key), room(l, 64));
		line_lit(l, "=\"");
		line_escape(l, text_slice(a->note[i].value), room(l, cut));
		line_lit(l, "\"");
	}
}

/* ---- custom ------------------------------------------------------------ */

enum code {
	CODE_LITERAL, CODE_PEER, CODE_LOCAL, CODE_LOCAL_PORT, CODE_CLIENT,
	CODE_SERVER, CODE_EPOCH, CODE_LOCAL_TIME, CODE_GMT, CODE_REQ_HEADER,
	CODE_RES_HEADER, CODE_REQ_HEADER_OUT, CODE_RES_HEADER_OUT, CODE_URL,
	CODE_URL_OUT, CODE_PATH, CODE_METHOD, CODE_STATUS,
	CODE_ICAP_HEADER, CODE_ICAP_HEADER_OUT, CODE_PREVIEW, CODE_HTTP_IN,
	CODE_HTTP_OUT, CODE_BODY_IN, CODE_BODY_OUT, CODE_IN, CODE_OUT,
	CODE_PREVIEW_BYTES, CODE_USER, CODE_NOTES, CODE_NOTE, CODE_T_HEAD,
	CODE_T_TOTAL, CODE_T_FIRST, CODE_T_LAST, CODE_T_SERVICE, CODE_T_READ,
	CODE_T_WAIT, CODE_HTTP_STATUS, CODE_ID, CODE_VERDICT, CODE_REASON,
	CODE_SERVICE, CODE_ORDINAL, CODE_PEER_PORT, CODE_PERCENT
};

/*
 * c-icap's codes; those it documents but leaves empty have a meaning here.
 * The longest that matches wins, so longer ones come first.
 */
static const struct {
	const char	*text;
	enum code	 code;
} codes[] = {
	{ "huo", CODE_URL_OUT },	{ ">ho", CODE_REQ_HEADER_OUT },
	{ "<ho", CODE_RES_HEADER_OUT },	{ ">hi", CODE_REQ_HEADER },
	{ "<hi", CODE_RES_HEADER },	{ ">ih", CODE_ICAP_HEADER },
	{ "<ih", CODE_ICAP_HEADER_OUT },	{ "ipl", CODE_PREVIEW },
	{ "bph", CODE_PREVIEW_BYTES },	{ "Hso", CODE_HTTP_STATUS },
	{ "la", CODE_LOCAL },		{ "lp", CODE_LOCAL_PORT },
	{ ">a", CODE_CLIENT },		{ "<A", CODE_SERVER },
	{ ">p", CODE_PEER_PORT },
	{ "ts", CODE_EPOCH },		{ "tl", CODE_LOCAL_TIME },
	{ "tg", CODE_GMT },		{ "tr", CODE_T_TOTAL },
	{ "hu", CODE_URL },		{ "iu", CODE_PATH },
	{ "im", CODE_METHOD },		{ "is", CODE_STATUS },
	{ "Ih", CODE_HTTP_IN },		{ "Oh", CODE_HTTP_OUT },
	{ "Ib", CODE_BODY_IN },		{ "Ob", CODE_BODY_OUT },
	{ "un", CODE_USER },		{ "Sl", CODE_NOTES },
	{ "Sa", CODE_NOTE },		{ "Hs", CODE_HTTP_STATUS },
	{ "Tr", CODE_T_HEAD },		{ "Tt", CODE_T_TOTAL },
	{ "Tl", CODE_T_FIRST },		{ "TL", CODE_T_LAST },
	{ "Tp", CODE_T_SERVICE },	{ "TR", CODE_T_READ },
	{ "Tw", CODE_T_WAIT },		{ "Ts", CODE_EPOCH },
	{ "id", CODE_ID },		{ "iv", CODE_VERDICT },
	{ "ie", CODE_REASON },		{ "in", CODE_SERVICE },
	{ "cn", CODE_ORDINAL },
	{ "a", CODE_PEER },		{ "I", CODE_IN },
	{ "O", CODE_OUT },		{ "%", CODE_PERCENT },
};

#define FORMAT_MAX	64	/* codes and literals of one format */
#define FORMAT_TEXT	1024	/* bytes of one format */
#define FORMAT_WIDTH	256	/* largest width */
#define PREVIEW_DEFAULT	5	/* bytes of a preview that are shown */

struct record_op {
	enum code	 code;
	bool		 left;
	bool		 quoted;	/* stands between double quotes */
	unsigned int	 width;
	unsigned int	 bytes;		/* of a preview */
	const char	*text;		/* literal or argument, kept below */
	size_t		 len;
};

struct record_format {
	struct record_op	 op[FORMAT_MAX];
	unsigned int		 n;
	char			 text[FORMAT_TEXT * 2];
	size_t			 used;
};

/* Copies a piece of the format text, terminated. */
static const char *
format_keep(struct record_format *f, const char *p, size_t len)
{
	char	*dst = f->text + f->used;

	memcpy(dst, p, len);
	dst[len] = '\0';
	f->used += len + 1;
	return dst;
}

/* "{argument}", if there is one at *p. */
static int
format_argument(struct record_format *f, struct record_op *op, const char **p)
{
	const char	*end;

	if (**p != '{')
		return 0;
	if ((end = strchr(*p, '}')) == NULL)
		return -1;
	op->len = (size_t)(end - *p) - 1;
	op->text = format_keep(f, *p + 1, op->len);
	*p = end + 1;
	return 0;
}

static int
format_check_argument(struct record_op *op, const char **why)
{
	struct slice	 arg = { op->text, op->len };
	uint64_t	 n;

	if (op->code != CODE_PREVIEW_BYTES)
		return 0;
	if (op->len == 0)
		op->bytes = PREVIEW_DEFAULT;
	else if (chars_parse_uint(arg, BODY_FIRST, &n) == -1) {
		*why = "no more than 32 bytes of a preview are kept";
		return -1;
	} else
		op->bytes = (unsigned int)n;
	return 0;
}

/* Reads one code behind its percent sign; *p moves on. */
static int
format_code(struct record_format *f, struct record_op *op, const char **p,
    const char **why)
{
	size_t	 i, n = sizeof(codes) / sizeof(codes[0]);

	op->left = **p == '-';
	if (op->left)
		(*p)++;
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		op->width = op->width * 10 + (unsigned int)(**p - '0');
		if (op->width > FORMAT_WIDTH) {
			*why = "the width is more than 256";
			return -1;
		}
	}
	*why = "there is no } to this {";
	if (format_argument(f, op, p) == -1)
		return -1;
	for (i = 0; i < n; i++)
		if (strncmp(*p, codes[i].text, strlen(codes[i].text)) == 0)
			break;
	if (i == n) {
		*why = "there is no such %-code";
		return -1;
	}
	op->code = codes[i].code;
	*p += strlen(codes[i].text);
	if (op->text == NULL && format_argument(f, op, p) == -1)
		return -1;
	return format_check_argument(op, why);
}

/* A line break would make two lines of a transaction. */
static const char	 format_controls[] =
	"\001\002\003\004\005\006\007\010\012\013\014\015\016\017"
	"\020\021\022\023\024\025\026\027\030\031\032\033\034\035\036\037"
	"\177";

struct record_format *
record_parse_format(const char *text, const char **why, const char **at)
{
	struct record_format	*f;
	struct record_op	*op;
	const char		*p = text;
	bool			 quoted = false;
	size_t			 i, n;

	*at = text + strcspn(text, format_controls);
	*why = "no control characters but tabs are allowed";
	if (**at != '\0')
		return NULL;
	*at = text;
	*why = "the format is too long";
	if (strlen(text) >= FORMAT_TEXT)
		return NULL;
	*why = "out of memory";
	if ((f = calloc(1, sizeof(*f))) == NULL)
		return NULL;
	while (*p != '\0') {
		*at = p;
		*why = "the format has too many parts";
		if (f->n == FORMAT_MAX)
			goto fail;
		op = &f->op[f->n++];
		if (*p == '%') {
			p++;
			op->quoted = quoted;
			if (format_code(f, op, &p, why) == -1)
				goto fail;
			continue;
		}
		n = strcspn(p, "%");
		for (i = 0; i < n; i++)
			quoted ^= p[i] == '"';
		op->code = CODE_LITERAL;
		op->len = n;
		op->text = format_keep(f, p, n);
		p += n;
	}
	return f;

fail:
	free(f);
	return NULL;
}

void
record_free_format(struct record_format *f)
{
	free(f);
}

bool
record_has_local(const struct record_format *f)
{
	unsigned int	 i;

	for (i = 0; i < f->n; i++)
		if (f->op[i].code == CODE_LOCAL ||
		    f->op[i].code == CODE_LOCAL_PORT)
			return true;
	return false;
}

/* A time in the unit that was asked for: s, m (ms, the default), u, n. */
static void
custom_time(struct line *l, const struct record_op *op, int64_t us, char unit)
{
	if (op->len == 1)
		unit = op->text[0];
	switch (unit) {
	case 's':
		line_int(l, us / 1000000);
		break;
	case 'u':
		line_int(l, us);
		break;
	case 'n':
		line_int(l, us * 1000);
		break;
	default:
		line_int(l, us / 1000);
		break;
	}
}

static void
custom_clock(struct line *l, const struct record_op *op,
    const struct record *a)
{
	const char	*fmt = op->len > 0 ? op->text : "%d/%b/%Y:%H:%M:%S %z";
	time_t		 when = (time_t)(a->start / 1000000);
	struct tm	 tm;
	char		 text[128];
	size_t		 n;

	if ((op->code == CODE_GMT ? gmtime_r(&when, &tm) :
	    localtime_r(&when, &tm)) == NULL)
		return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = strftime(text, sizeof(text), fmt, &tm);
#pragma GCC diagnostic pop
	/* %n is a line break */
	line_escape(l, (struct slice){ text, n }, sizeof(text) * 4);
}

/* A field of a HTTP head, or its start line. */
static void
custom_header(struct line *l, const struct record_op *op, struct slice head,
    size_t cut)
{
	struct slice	 value = { NULL, 0 };

	if (op->len == 0)
		value = http_start_line(head);
	else if (head.len == 0 || !http_find(head, op->text, &value))
		value.len = 0;
	text_value(l, value, cut, op->quoted);
}

static void
custom_icap_header(struct line *l, const struct record_op *op,
    const struct record *a, size_t cut)
{
	const struct header_field	*field = NULL;

	if (op->len > 0 && a->header != NULL)
		field = header_find(a->header, op->text);
	if (field == NULL)
		line_lit(l, "-");
	else
		text_value(l, field->value, cut, op->quoted);
}

static void
custom_url(struct line *l, const struct record_op *op, struct slice head,
    size_t cut)
{
	struct slice	 method, target = { NULL, 0 }, version;

	if (head.len > 0)
		http_split_request(http_start_line(head), &method, &target,
		    &version);
	text_value(l, target, cut, op->quoted);
}

static void
custom_notes(struct line *l, const struct record *a, size_t cut)
{
	unsigned int	 i;

	if (a->nnotes == 0)
		line_lit(l, "-");
	for (i = 0; i < a->nnotes; i++) {
		if (i > 0)
			line_lit(l, ", ");
		line_escape(l, text_slice(a->note[i].key), room(l, 64));
		line_lit(l, ": ");
		line_escape(l, text_slice(a->note[i].value), room(l, cut));
	}
}

/* "threat", or c-icap's "virus_scan:virus" */
static void
custom_note(struct line *l, const struct record_op *op,
    const struct record *a, size_t cut)
{
	const char	*key = op->len > 0 ? op->text : "", *colon;
	unsigned int	 i;

	colon = strchr(key, ':');
	for (i = 0; i < a->nnotes; i++)
		if (strcmp(a->note[i].key, key) == 0 || (colon != NULL &&
		    strcmp(a->note[i].key, colon + 1) == 0)) {
			text_value(l, text_slice(a->note[i].value), cut,
			    op->quoted);
			return;
		}
	line_lit(l, "-");
}

/* The request's side, then what is asked less often. */
static void
custom_more(struct line *l, const struct record_op *op,
    const struct record *a, size_t cut)
{
	struct slice	 first = a->preview_bytes;
	int		 status = a->http_status;

	switch (op->code) {
	case CODE_T_HEAD:
		custom_time(l, op, a->serve + a->write, 'm');
		break;
	case CODE_T_TOTAL:
		custom_time(l, op, record_duration(a), 'm');
		break;
	case CODE_T_FIRST:
		custom_time(l, op, a->read + a->serve, 'm');
		break;
	case CODE_T_LAST:
		custom_time(l, op, a->write, 'm');
		break;
	case CODE_T_SERVICE:
		custom_time(l, op, a->serve, 'm');
		break;
	case CODE_T_READ:
		custom_time(l, op, a->read, 'm');
		break;
	case CODE_T_WAIT:
		custom_time(l, op, a->wait, 'm');
		break;
	case CODE_HTTP_STATUS:
		if (status == 0 && a->res_head.len > 0)
			status = http_status(http_start_line(a->res_head));
		if (status == 0)
			line_lit(l, "-");
		else
			line_int(l, status);
		break;
	case CODE_ID:
		line_hex(l, a->id);
		break;
	case CODE_VERDICT:
		line_text(l, a->unscanned ? "unscanned" : a->verdict);
		break;
	case CODE_REASON:
		text_value(l, text_slice(a->why != NULL ? a->why : ""), cut,
		    op->quoted);
		break;
	case CODE_SERVICE:
		text_value(l, text_slice(a->service != NULL ? a->service :
		    ""), cut, op->quoted);
		break;
	case CODE_ORDINAL:
		line_uint(l, a->ordinal);
		break;
	case CODE_NOTES:
		custom_notes(l, a, cut);
		break;
	case CODE_NOTE:
		custom_note(l, op, a, cut);
		break;
	case CODE_PREVIEW_BYTES:
		if (first.len > op->bytes)
			first.len = op->bytes;
		text_value(l, first, cut, op->quoted);
		break;
	case CODE_PERCENT:
		line_lit(l, "%");
		break;
	default:
		line_lit(l, "-");
		break;
	}
}

/* The head as it left; one that was not sent is what the client has. */
static struct slice
head_out(struct slice out, struct slice in)
{
	return out.len > 0 ? out : in;
}

static void
custom_op(struct line *l, const struct record_op *op, const struct record *a,
    size_t cut)
{
	switch (op->code) {
	case CODE_LITERAL:
		line_add(l, op->text, op->len);
		break;
	case CODE_PEER:
		line_text(l, a->peer);
		break;
	case CODE_PEER_PORT:
		line_uint(l, a->peer_port);
		break;
	case CODE_LOCAL:
		line_text(l, a->local[0] != '\0' ? a->local : "-");
		break;
	case CODE_LOCAL_PORT:
		line_uint(l, a->local_port);
		break;
	case CODE_CLIENT:
		text_value(l, a->client, cut, op->quoted);
		break;
	case CODE_SERVER:
		custom_icap_header(l, &(struct record_op)
		    { .text = "X-Server-IP", .len = 11,
		    .quoted = op->quoted }, a, cut);
		break;
	case CODE_EPOCH:
		custom_time(l, op, a->start, 's');
		break;
	case CODE_LOCAL_TIME:
	case CODE_GMT:
		custom_clock(l, op, a);
		break;
	case CODE_REQ_HEADER:
		custom_header(l, op, a->req_head, cut);
		break;
	case CODE_RES_HEADER:
		custom_header(l, op, a->res_head, cut);
		break;
	case CODE_REQ_HEADER_OUT:
		custom_header(l, op, head_out(a->req_head_out, a->req_head),
		    cut);
		break;
	case CODE_RES_HEADER_OUT:
		custom_header(l, op, head_out(a->res_head_out, a->res_head),
		    cut);
		break;
	case CODE_URL:
		custom_url(l, op, a->req_head, cut);
		break;
	case CODE_URL_OUT:
		custom_url(l, op, head_out(a->req_head_out, a->req_head),
		    cut);
		break;
	case CODE_PATH:
		text_value(l, a->path, cut, op->quoted);
		break;
	case CODE_METHOD:
		line_text(l, request_method_name(a->method));
		break;
	case CODE_STATUS:
		line_int(l, a->status);
		break;
	case CODE_ICAP_HEADER:
		custom_icap_header(l, op, a, cut);
		break;
	case CODE_ICAP_HEADER_OUT:
		custom_header(l, op, a->reply_head, cut);
		break;
	case CODE_PREVIEW:
		if (a->preview < 0)
			line_lit(l, "-");
		else
			line_int(l, a->preview);
		break;
	case CODE_HTTP_IN:
		line_uint(l, a->req_head.len + a->res_head.len + a->body_in);
		break;
	case CODE_HTTP_OUT:
		line_uint(l, a->req_head_out.len + a->res_head_out.len +
		    a->body_out);
		break;
	case CODE_BODY_IN:
		line_uint(l, a->body_in);
		break;
	case CODE_BODY_OUT:
		line_uint(l, a->body_out);
		break;
	case CODE_IN:
		line_uint(l, a->bytes_in);
		break;
	case CODE_OUT:
		line_uint(l, a->bytes_out);
		break;
	case CODE_USER:
		text_value(l, a->user, cut, op->quoted);
		break;
	default:
		custom_more(l, op, a, cut);
		break;
	}
}

static void
custom_pad(struct line *l, size_t n)
{
	while (n-- > 0)
		line_char(l, ' ');
}

static void
format_custom(struct line *l, const struct record *a,
    const struct record_format *f, size_t cut)
{
	const struct record_op	*op;
	size_t			 from, n, pad;
	unsigned int		 i;

	for (i = 0; i < f->n; i++) {
		op = &f->op[i];
		from = l->len;
		custom_op(l, op, a, cut);
		n = l->len - from;
		if (n >= op->width)
			continue;
		pad = op->width - n;
		custom_pad(l, pad);
		if (!op->left && l->len == from + n + pad) {
			memmove(l->p + from + pad, l->p + from, n);
			memset(l->p + from, ' ', pad);
		}
	}
}

/* ---- lines ------------------------------------------------------------- */

size_t
record_format_line(char *dst, size_t size, const struct record *a,
    const struct record_log *log)
{
	struct line	 l;

	line_init(&l, dst, size - 1);
	switch (log->form) {
	case RECORD_ECS:
		format_ecs(&l, a, log->cut);
		break;
	case RECORD_TEXT:
		format_text(&l, a, log->cut);
		break;
	case RECORD_CUSTOM:
		format_custom(&l, a, log->format, log->cut);
		break;
	}
	dst[l.len++] = '\n';
	return l.len;
}

/* Bytes after which it is the request's turn. */
#define RECENT_NOTES	150

/* A block, or something that went wrong, for the status page. */
static size_t
format_recent(char *dst, size_t size, const struct record *a)
{
	struct line	 l;
	unsigned int	 i;

	line_init(&l, dst, size);
	line_text(&l, a->service != NULL ? a->service : "-");
	line_lit(&l, ": ");
	line_int(&l, a->status);
	line_lit(&l, " ");
	line_text(&l, a->verdict);
	line_lit(&l, " for ");
	if (a->client.len > 0)
		line_escape(&l, a->client, 48);
	else
		line_text(&l, a->peer);
	if (a->user.len > 0) {
		line_lit(&l, " ");
		line_escape(&l, a->user, 32);
	}
	if (a->why != NULL) {
		line_lit(&l, ": ");
		line_escape(&l, text_slice(a->why), 80);
	}
	for (i = 0; i < a->nnotes && l.len < RECENT_NOTES; i++) {
		line_text(&l, i == 0 ? ": " : " ");
		line_escape(&l, text_slice(a->note[i].key), 20);
		line_lit(&l, "=");
		line_escape(&l, text_slice(a->note[i].value), 40);
	}
	if (a->req_head.len > 0 || a->path.len > 0) {
		line_lit(&l, ": ");
		line_escape(&l, a->req_head.len > 0 ?
		    http_start_line(a->req_head) : a->path, 120);
	}
	return l.len;
}

void
record_begin(struct rings *rs, unsigned int i, const struct record *a)
{
	struct record_intent	*in = ring_intent_space(rs, i);
	struct slice		 text[INTENT_TEXTS];
	char			*d = in->text;
	unsigned int		 k;

	in->start = a->start;
	in->wait = a->wait;
	in->read = a->read;
	in->id = a->id;
	in->ordinal = a->ordinal;
	in->preview = a->preview;
	in->peer_port = a->peer_port;
	in->method = (uint16_t)a->method;
	text[INTENT_SERVICE] = text_slice(a->service != NULL ? a->service :
	    "");
	text[INTENT_PEER] = text_slice(a->peer);
	text[INTENT_CLIENT] = a->client;
	text[INTENT_USER] = a->user;
	text[INTENT_PATH] = a->path;
	text[INTENT_LINE] = http_start_line(a->req_head);
	for (k = 0; k < INTENT_TEXTS; k++) {
		if (text[k].len > intent_max[k])
			text[k].len = intent_max[k];
		in->len[k] = (uint16_t)text[k].len;
		if (text[k].len > 0)
			d = put_bytes(d, text[k].p, text[k].len);
	}
	ring_intend(rs, i);
}

/*
 * Room for one line of each log and of RING_RECENT, for those that are not
 * composed in the ring.  Pages nobody writes to cost nothing.
 */
static char	 record_buf[RING_LOGS * RING_LINE_MAX + 256];

void
record_end(struct rings *rs, unsigned int i, const struct record *a,
    const struct record_log *log, unsigned int n)
{
	struct ring_line	 line[RING_LOGS + 1];
	enum log_level		 level = record_level(a);
	char			*next = record_buf, *dst = ring_room(rs, i);
	unsigned int		 k, lines = 0;

	if (dst == NULL)
		dst = next;
	for (k = 0; k < n && k < RING_LOGS; k++) {
		if (!record_is_wanted(a, log[k].only))
			continue;
		line[lines].log = log[k].log;
		line[lines].level = (uint8_t)level;
		line[lines].kind = RING_ACCESS;
		line[lines].p = dst;
		line[lines].len = (uint32_t)record_format_line(dst,
		    RING_LINE_MAX, a, &log[k]);
		if (dst == next)
			next += line[lines].len;
		dst = next;
		lines++;
	}
	/* a client that goes away is no news */
	if (a->blocked || a->died ||
	    (level != LOG_LEVEL_INFO && a->status != 0)) {
		line[lines].log = RING_RECENT;
		line[lines].level = (uint8_t)level;
		line[lines].kind = a->blocked ? RING_BLOCKED : RING_ACCESS;
		line[lines].p = dst;
		line[lines].len = (uint32_t)format_recent(dst, 240, a);
		lines++;
	}
	if (lines > 0)
		(void)ring_put(rs, i, line, lines, true, true);
	ring_forget(rs, i);
}

/* Whoever died may have left anything there, but never too much. */
static void
intent_read(struct slice text[INTENT_TEXTS], const struct record_intent *in)
{
	const char	*p = in->text;
	unsigned int	 k;

	for (k = 0; k < INTENT_TEXTS; k++) {
		text[k].p = p;
		text[k].len = in->len[k] < intent_max[k] ? in->len[k] :
		    intent_max[k];
		p += text[k].len;
	}
}

static const char *
intent_copy(char *dst, struct slice text)
{
	memcpy(dst, text.p, text.len);
	dst[text.len] = '\0';
	return dst;
}

void
record_bury(struct rings *rs, unsigned int i, const struct record_log *log,
    unsigned int n)
{
	struct record_intent	 in;
	struct record		 a;
	struct slice		 text[INTENT_TEXTS];
	char			 service[64 + 1], peer[48 + 1];

	memcpy(&in, ring_intent_space(rs, i), sizeof(in));
	/* whoever is killed here leaves it to the next one */
	ring_intend(rs, i);
	memset(&a, 0, sizeof(a));
	intent_read(text, &in);
	a.method = in.method < ICAP_UNKNOWN ? in.method : ICAP_UNKNOWN;
	if (text[INTENT_SERVICE].len > 0)
		a.service = intent_copy(service, text[INTENT_SERVICE]);
	a.peer = intent_copy(peer, text[INTENT_PEER]);
	a.local = "";
	a.peer_port = in.peer_port;
	a.ordinal = in.ordinal;
	a.client = text[INTENT_CLIENT];
	a.user = text[INTENT_USER];
	a.path = text[INTENT_PATH];
	a.req_head = text[INTENT_LINE];
	a.preview = in.preview;
	a.verdict = "died";
	a.why = "the worker died in this transaction";
	a.died = true;
	a.id = in.id;
	a.start = in.start;
	a.wait = in.wait;
	a.read = in.read;
	record_end(rs, i, &a, log, n);
}
