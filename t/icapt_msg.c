/* SPDX-License-Identifier: ISC */
/*
 * Requests: from the words of a script to the bytes on the wire. The
 * statements of icapt_run.c make a message here, icapt_conn.c sends it.
 * Encapsulated is computed from the sections unless the script gives it by
 * hand, since most scripts are about something else and a wrong offset in
 * the test would hide what the server does. A body may be larger than the
 * memory: it is produced in portions and compared in portions.
 * Nothing here opens a socket, and nothing corrects what a script asks for:
 * a broken request is the purpose.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "icapt_msg.h"

/*
 * The pattern repeats after a prime number of bytes, so that no buffer or
 * chunk size lines up with it and a shifted body is seen.
 */
#define PATTERN		65521

enum { FEED_PRE, FEED_SIZE, FEED_DATA, FEED_CRLF, FEED_POST, FEED_END };

struct option {
	const char	*name;
	int		 args;
	int		(*set)(struct icapt *, struct msg *,
			    const struct text *);
};

static const char head_q[] = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
static const char head_p[] =
    "POST /u HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n";
static const char head_s[] = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    "Content-Length: 5\r\n\r\n";
static const char head_s0[] =
    "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n";

static const char *pattern_get(void);
static struct text literal(const char *);
static void	 sect_set(struct msg *, const char *, struct text);
static int	 number_set(const struct text *, uint64_t *);
static void	 line_join(struct icapt *, struct text *, struct text);
static void	 msg_canon(struct msg *);
static struct text msg_end(struct icapt *, const struct msg *, int);
static struct text enc_format(struct icapt *, const struct msg *);
static struct text icap_head(struct icapt *, const struct msg *);
static void	 head_read(struct msg *, const char *);

static const char *
pattern_get(void)
{
	static char	 p[2 * PATTERN];
	uint32_t	 x = 2463534242u;
	int		 i;

	if (p[0] != '\0')
		return p;
	for (i = 0; i < PATTERN; i++) {
		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		p[i] = (char)(x >> 24);
	}
	p[0] = 'i';
	memcpy(p + PATTERN, p, PATTERN);
	return p;
}

void
content_fill(const struct content *c, uint64_t off, char *buf, size_t n)
{
	size_t	 k;

	if (c->text != NULL) {
		memcpy(buf, c->text + off, n);
		return;
	}
	for (; n > 0; buf += k, off += k, n -= k) {
		k = n < PATTERN ? n : PATTERN;
		memcpy(buf, pattern_get() + off % PATTERN, k);
	}
}

size_t
content_match(const struct content *c, uint64_t off, const char *buf, size_t n)
{
	const char	*p;
	size_t		 done = 0, k, i;

	while (done < n && off < c->size) {
		k = n - done < PATTERN ? n - done : PATTERN;
		if (k > c->size - off)
			k = (size_t)(c->size - off);
		p = c->text != NULL ? c->text + off :
		    pattern_get() + off % PATTERN;
		if (memcmp(buf + done, p, k) != 0) {
			for (i = 0; buf[done + i] == p[i]; i++)
				;
			return done + i;
		}
		done += k;
		off += k;
	}
	return done;
}

static struct text
literal(const char *s)
{
	struct text	 t;

	t.p = (char *)(uintptr_t)s;
	t.n = strlen(s);
	return t;
}

int
number_parse(const char *s, uint64_t *v)
{
	static const char	 unit[] = "KMG";
	const char		*u;
	uint64_t		 n = 0;
	int			 shift = 0;

	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > (UINT64_MAX - 9) / 10)
			return -1;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	if (*s != '\0' && (u = strchr(unit, *s)) != NULL) {
		shift = 10 * (int)(u - unit + 1);
		s++;
	}
	if (*s != '\0' || n > UINT64_MAX >> shift)
		return -1;
	*v = n << shift;
	return 0;
}

static int
number_set(const struct text *w, uint64_t *v)
{
	return number_parse(w->p, v);
}

static void
sect_set(struct msg *m, const char *name, struct text bytes)
{
	int	 i;

	for (i = 0; i < m->nsect; i++)
		if (strcmp(m->sect[i].name.p, name) == 0)
			break;
	if (i == MSG_SECTS)
		return;
	if (i == m->nsect)
		m->nsect++;
	else if (i != m->nsect - 1) {
		/* "fill" is about the section named last: keep the order. */
		m->sect[i].bytes = bytes;
		return;
	}
	m->sect[i].name = literal(name);
	m->sect[i].bytes = bytes;
}

static void
line_join(struct icapt *ic, struct text *t, struct text field)
{
	*t = icapt_join(ic, *t, field);
	*t = icapt_join(ic, *t, literal("\r\n"));
}

/* The options of a request, one function each. */

static int
opt_field(struct icapt *ic, struct msg *m, const struct text *a)
{
	line_join(ic, &m->before, a[0]);
	return 0;
}

static int
opt_fields(struct icapt *ic, struct msg *m, const struct text *a)
{
	m->before = icapt_join(ic, m->before, a[0]);
	return 0;
}

static int
opt_after(struct icapt *ic, struct msg *m, const struct text *a)
{
	line_join(ic, &m->after, a[0]);
	return 0;
}

static int
opt_line(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->line = a[0];
	return 0;
}

static int
opt_uri(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->uri = a[0];
	return 0;
}

static int
opt_version(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->version = a[0];
	return 0;
}

static int
opt_host(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->host = a[0];
	return 0;
}

static int
opt_nohost(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->nohost = 1;
	return 0;
}

static int
opt_enc(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->enc = a[0];
	return 0;
}

static int
opt_noenc(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->noenc = 1;
	return 0;
}

static int
opt_nosect(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->nsect = 0;
	return 0;
}

static int
opt_req_hdr(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	sect_set(m, "req-hdr", a[0]);
	return 0;
}

static int
opt_res_hdr(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	sect_set(m, "res-hdr", a[0]);
	return 0;
}

static int
opt_fill(struct icapt *ic, struct msg *m, const struct text *a)
{
	struct text	*s;
	struct text	 t;
	uint64_t	 n;
	size_t		 pad;

	if (m->nsect == 0 || number_set(a, &n) == -1)
		return -1;
	s = &m->sect[m->nsect - 1].bytes;
	if (n < s->n + 10 || s->n < 2)	/* "X-Pad: p" and a line end */
		return -1;
	pad = (size_t)n - s->n - 9;
	t.p = icapt_alloc(ic, (size_t)n + 1);
	t.n = (size_t)n;
	memcpy(t.p, s->p, s->n - 2);
	memcpy(t.p + s->n - 2, "X-Pad: ", 7);
	memset(t.p + s->n + 5, 'p', pad);
	memcpy(t.p + s->n + 5 + pad, "\r\n\r\n", 5);
	*s = t;
	return 0;
}

static int
opt_null(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->body = "null-body";
	return 0;
}

static int
opt_req_body(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->body = "req-body";
	return 0;
}

static int
opt_res_body(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->body = "res-body";
	return 0;
}

static int
opt_opt_body(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->body = "opt-body";
	return 0;
}

static int
opt_data(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->content.text = a[0].p;
	m->content.size = a[0].n;
	return 0;
}

static int
opt_size(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->content.text = NULL;
	return number_set(a, &m->content.size);
}

static int
opt_chunk(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	return number_set(a, &m->chunk);
}

static int
opt_preview(struct icapt *ic, struct msg *m, const struct text *a)
{
	uint64_t	 n;

	if (number_set(a, &n) == -1 || n > INT64_MAX)
		return -1;
	m->preview = (int64_t)n;
	line_join(ic, &m->before,
	    icapt_textf(ic, "Preview: %lld", (long long)n));
	return 0;
}

static int
opt_ieof(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->ieof = 1;
	return 0;
}

static int
opt_noieof(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->ieof = 0;
	return 0;
}

static int
opt_end(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->end = a[0];
	return 0;
}

static int
opt_noend(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->end = literal("");
	return 0;
}

static int
opt_trailer(struct icapt *ic, struct msg *m, const struct text *a)
{
	line_join(ic, &m->trailer, a[0]);
	return 0;
}

static int
opt_raw(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->has_raw = 1;
	m->raw = a[0];
	return 0;
}

static int
opt_rest(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->rest = a[0];
	return 0;
}

static int
opt_want(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	m->has_want = 1;
	m->content.text = a[0].p;
	m->content.size = a[0].n;
	return 0;
}

static int
opt_line_size(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	return number_set(a, &m->line_size);
}

static int
opt_head_size(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	return number_set(a, &m->head_size);
}

static int
opt_lf(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->lf = 1;
	return 0;
}

static int
opt_then(struct icapt *ic, struct msg *m, const struct text *a)
{
	m->then = icapt_join(ic, m->then, a[0]);
	return 0;
}

static int
opt_cut(struct icapt *ic, struct msg *m, const struct text *a)
{
	uint64_t	 n;

	(void)ic;
	if (number_set(a, &n) == -1 || n > INT64_MAX)
		return -1;
	m->cut = (int64_t)n;
	return 0;
}

static int
opt_by(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	return number_set(a, &m->by);
}

static int
opt_duplex(struct icapt *ic, struct msg *m, const struct text *a)
{
	(void)ic;
	(void)a;
	m->duplex = 1;
	return 0;
}

static const struct option options[] = {
	{ "+",		1, opt_field },
	{ "++",		1, opt_fields },
	{ "after",	1, opt_after },
	{ "line",	1, opt_line },
	{ "uri",	1, opt_uri },
	{ "version",	1, opt_version },
	{ "host",	1, opt_host },
	{ "nohost",	0, opt_nohost },
	{ "enc",	1, opt_enc },
	{ "noenc",	0, opt_noenc },
	{ "nosect",	0, opt_nosect },
	{ "req-hdr",	1, opt_req_hdr },
	{ "res-hdr",	1, opt_res_hdr },
	{ "fill",	1, opt_fill },
	{ "null-body",	0, opt_null },
	{ "req-body",	0, opt_req_body },
	{ "res-body",	0, opt_res_body },
	{ "opt-body",	0, opt_opt_body },
	{ "data",	1, opt_data },
	{ "size",	1, opt_size },
	{ "chunk",	1, opt_chunk },
	{ "preview",	1, opt_preview },
	{ "ieof",	0, opt_ieof },
	{ "noieof",	0, opt_noieof },
	{ "end",	1, opt_end },
	{ "noend",	0, opt_noend },
	{ "trailer",	1, opt_trailer },
	{ "raw",	1, opt_raw },
	{ "rest",	1, opt_rest },
	{ "want",	1, opt_want },
	{ "line-size",	1, opt_line_size },
	{ "head-size",	1, opt_head_size },
	{ "lf",		0, opt_lf },
	{ "then",	1, opt_then },
	{ "cut",	1, opt_cut },
	{ "by",		1, opt_by },
	{ "duplex",	0, opt_duplex },
};

int
msg_parse(struct icapt *ic, struct msg *m, const struct text *w, int n,
    const char **why)
{
	const struct option	*o, *end;
	int			 i;

	memset(m, 0, sizeof(*m));
	m->preview = -1;
	m->ieof = -1;
	m->cut = -1;
	m->content.text = "";
	m->before = m->after = m->trailer = m->then = literal("");
	if (n == 0) {
		*why = "a request is missing";
		return -1;
	}
	m->method = w[0];
	m->uri = icapt_textf(ic, "icap://%s:%s/%s", ic->host, ic->port,
	    ic->service);
	m->version = literal("ICAP/1.0");
	m->host = icapt_textf(ic, "%s:%s", ic->host, ic->port);
	msg_canon(m);
	end = options + sizeof(options) / sizeof(options[0]);
	for (i = 1; i < n; i += 1 + o->args) {
		for (o = options; o < end; o++)
			if (strcmp(o->name, w[i].p) == 0)
				break;
		if (o == end) {
			*why = icapt_textf(ic, "no such word in a request: %s",
			    w[i].p).p;
			return -1;
		}
		if (i + o->args >= n || o->set(ic, m, w + i + 1) == -1) {
			*why = icapt_textf(ic, "bad argument of %s",
			    o->name).p;
			return -1;
		}
	}
	msg_format(ic, m);
	return 0;
}

/* The canonical requests. */
static void
msg_canon(struct msg *m)
{
	const char	*name = m->method.p;

	if (strcmp(name, "REQMOD-GET") == 0) {
		m->method = literal("REQMOD");
		sect_set(m, "req-hdr", literal(head_q));
		m->body = "null-body";
	} else if (strcmp(name, "REQMOD-POST") == 0) {
		m->method = literal("REQMOD");
		sect_set(m, "req-hdr", literal(head_p));
		m->body = "req-body";
		m->content.text = "hello";
		m->content.size = 5;
	} else if (strcmp(name, "RESPMOD-S") == 0) {
		m->method = literal("RESPMOD");
		sect_set(m, "req-hdr", literal(head_q));
		sect_set(m, "res-hdr", literal(head_s));
		m->body = "res-body";
		m->content.text = "hello";
		m->content.size = 5;
	} else if (strcmp(name, "RESPMOD-304") == 0) {
		m->method = literal("RESPMOD");
		sect_set(m, "req-hdr", literal(head_q));
		sect_set(m, "res-hdr", literal(head_s0));
		m->body = "null-body";
	}
}

static struct text
enc_format(struct icapt *ic, const struct msg *m)
{
	struct text	 t = literal("");
	size_t		 off = 0;
	int		 i;

	for (i = 0; i < m->nsect; i++) {
		t = icapt_join(ic, t, icapt_textf(ic, "%s=%zu, ",
		    m->sect[i].name.p, off));
		off += m->sect[i].bytes.n;
	}
	return icapt_join(ic, t, icapt_textf(ic, "%s=%zu",
	    m->body == NULL ? "null-body" : m->body, off));
}

static struct text
icap_head(struct icapt *ic, const struct msg *m)
{
	struct text	 t, pad;
	size_t		 n;

	if (m->line.p != NULL)
		t = m->line;
	else {
		t = icapt_join(ic, m->method, literal(" "));
		t = icapt_join(ic, t, m->uri);
		n = t.n + 1 + m->version.n + 2;
		if (m->line_size > n) {
			pad.n = (size_t)m->line_size - n;
			pad.p = icapt_alloc(ic, pad.n + 1);
			memset(pad.p, 'a', pad.n);
			pad.p[0] = '?';
			pad.p[pad.n] = '\0';
			t = icapt_join(ic, t, pad);
		}
		t = icapt_join(ic, t, literal(" "));
		t = icapt_join(ic, t, m->version);
	}
	t = icapt_join(ic, t, literal("\r\n"));
	if (!m->nohost) {
		t = icapt_join(ic, t, literal("Host: "));
		t = icapt_join(ic, t, m->host);
		t = icapt_join(ic, t, literal("\r\n"));
	}
	t = icapt_join(ic, t, m->before);
	pad = literal("");
	if (!m->noenc && (m->body != NULL || m->nsect > 0 ||
	    m->enc.p != NULL)) {
		pad = icapt_join(ic, literal("Encapsulated: "),
		    m->enc.p != NULL ? m->enc : enc_format(ic, m));
		pad = icapt_join(ic, pad, literal("\r\n"));
	}
	pad = icapt_join(ic, pad, m->after);
	pad = icapt_join(ic, pad, literal("\r\n"));
	n = t.n + pad.n;
	if (m->head_size > n + 9) {
		struct text	 x;

		x.n = (size_t)m->head_size - n;
		x.p = icapt_alloc(ic, x.n + 1);
		memset(x.p, 'p', x.n);
		memcpy(x.p, "X-Pad: ", 7);
		memcpy(x.p + x.n - 2, "\r\n", 3);
		t = icapt_join(ic, t, x);
	}
	return icapt_join(ic, t, pad);
}

/* Note what the request allows, as a server reads it. */
static void
head_read(struct msg *m, const char *p)
{
	char	 line[1024];
	size_t	 n;

	m->allow204 = m->allow206 = m->allowtrailers = 0;
	m->has_preview = m->close = 0;
	while (*p != '\0') {
		n = 0;
		do {		/* a line and those that continue it */
			for (; *p != '\0' && *p != '\n'; p++)
				if (*p != '\r' && n < sizeof(line) - 1)
					line[n++] = *p;
			p += *p == '\n';
		} while (*p == ' ' || *p == '\t');
		line[n] = '\0';
		if (strncasecmp(line, "Allow:", 6) == 0) {
			m->allow204 |= list_has(line + 6, "204");
			m->allow206 |= list_has(line + 6, "206");
			m->allowtrailers |= list_has(line + 6, "trailers");
		} else if (strncasecmp(line, "Connection:", 11) == 0)
			m->close |= list_has(line + 11, "close");
		else if (strncasecmp(line, "Preview:", 8) == 0)
			m->has_preview = 1;
	}
}

int
list_has(const char *list, const char *name)
{
	size_t	 n, len = strlen(name);

	while (*list != '\0') {
		list += strspn(list, " \t,");
		n = strcspn(list, ",");
		while (n > 0 && (list[n - 1] == ' ' || list[n - 1] == '\t'))
			n--;
		if (n == len && strncasecmp(list, name, n) == 0)
			return 1;
		list += strcspn(list, ",");
	}
	return 0;
}

void
msg_format(struct icapt *ic, struct msg *m)
{
	struct text	 h = icap_head(ic, m);
	size_t		 i, k;
	int		 s;

	head_read(m, h.p);
	if (m->lf) {
		h = icapt_text(ic, h.p, h.n);
		for (i = k = 0; i < h.n; i++)
			if (h.p[i] != '\r')
				h.p[k++] = h.p[i];
		h.p[h.n = k] = '\0';
	}
	for (s = 0; s < m->nsect; s++)
		h = icapt_join(ic, h, m->sect[s].bytes);
	if (m->cut >= 0 && (uint64_t)m->cut < h.n) {
		h = icapt_text(ic, h.p, (size_t)m->cut);
	}
	m->head = h;
}

static int
has_body(const struct msg *m)
{
	return m->body != NULL && strcmp(m->body, "null-body") != 0;
}

/* The last chunk: of the body, or of a preview that is not all of it. */
static struct text
msg_end(struct icapt *ic, const struct msg *m, int partial)
{
	struct text	 t;

	if (m->end.p != NULL && !partial)
		return m->end;
	if (m->ieof == 1 || (m->ieof == -1 && m->preview >= 0 && !partial &&
	    m->content.size <= (uint64_t)m->preview))
		t = literal("0; ieof\r\n");
	else
		t = literal("0\r\n");
	if (!partial)
		t = icapt_join(ic, t, m->trailer);
	return icapt_join(ic, t, literal("\r\n"));
}

int
msg_has_rest(const struct msg *m)
{
	if (!has_body(m) || m->cut >= 0)
		return 0;
	if (m->has_raw)
		return m->rest.p != NULL;
	if (m->preview < 0 || m->ieof == 1)
		return 0;
	return m->content.size > (uint64_t)m->preview || m->ieof == 0;
}

void
msg_feed(struct icapt *ic, const struct msg *m, struct feed *f)
{
	memset(f, 0, sizeof(*f));
	f->pre = m->head;
	f->post = m->then;
	if (m->cut >= 0)
		f->post = literal("");
	else if (m->has_raw)
		f->post = icapt_join(ic, m->raw, m->then);
	else if (has_body(m)) {
		f->content = m->content;
		f->stop = m->content.size;
		if (m->preview >= 0 && f->stop > (uint64_t)m->preview)
			f->stop = (uint64_t)m->preview;
		f->chunk = m->chunk;
		f->post = icapt_join(ic, msg_end(ic, m,
		    msg_has_rest(m)), m->then);
	}
}

void
msg_feed_rest(struct icapt *ic, const struct msg *m, struct feed *f)
{
	struct msg	 r = *m;

	memset(f, 0, sizeof(*f));
	f->pre = literal("");
	if (m->has_raw) {
		f->post = m->rest.p != NULL ? m->rest : literal("");
		return;
	}
	f->content = m->content;
	f->off = (uint64_t)m->preview;
	if (f->off > m->content.size)
		f->off = m->content.size;
	f->stop = m->content.size;
	f->chunk = m->chunk;
	r.preview = -1;
	r.ieof = -1;
	f->post = msg_end(ic, &r, 0);
}

size_t
feed_read(struct feed *f, char *buf, size_t cap)
{
	size_t	 n = 0, k;
	char	 size[24];

	while (f->state != FEED_END) {
		switch (f->state) {
		case FEED_PRE:
			k = f->pre.n - f->done;
			k = k < cap - n ? k : cap - n;
			memcpy(buf + n, f->pre.p + f->done, k);
			n += k;
			f->done += k;
			if (f->done < f->pre.n)
				return n;
			f->state = FEED_SIZE;
			break;
		case FEED_SIZE:
			if (f->off == f->stop) {
				f->done = 0;
				f->state = FEED_POST;
				break;
			}
			f->left = f->stop - f->off;
			if (f->chunk > 0 && f->left > f->chunk)
				f->left = f->chunk;
			k = (size_t)snprintf(size, sizeof(size), "%llx\r\n",
			    (unsigned long long)f->left);
			if (cap - n < k)
				return n;
			memcpy(buf + n, size, k);
			n += k;
			f->state = FEED_DATA;
			break;
		case FEED_DATA:
			k = cap - n < f->left ? cap - n : (size_t)f->left;
			content_fill(&f->content, f->off, buf + n, k);
			n += k;
			f->off += k;
			f->left -= k;
			if (f->left > 0)
				return n;
			f->state = FEED_CRLF;
			break;
		case FEED_CRLF:
			if (cap - n < 2)
				return n;
			memcpy(buf + n, "\r\n", 2);
			n += 2;
			f->state = FEED_SIZE;
			break;
		case FEED_POST:
			k = f->post.n - f->done;
			k = k < cap - n ? k : cap - n;
			memcpy(buf + n, f->post.p + f->done, k);
			n += k;
			f->done += k;
			if (f->done < f->post.n)
				return n;
			f->state = FEED_END;
			break;
		default:
			abort();
		}
	}
	return n;
}

struct text
feed_text(struct icapt *ic, struct feed *f)
{
	struct text	 t = literal("");
	char		 buf[8192];
	size_t		 n;

	while ((n = feed_read(f, buf, sizeof(buf))) > 0)
		t = icapt_join(ic, t, icapt_text(ic, buf, n));
	return t;
}
