/* SPDX-License-Identifier: ISC */
/*
 * Answers: a strict reader for what a server sends, and the rules that are
 * coded once (E-any, E200, E204, E206, echo, OPTIONS). The reader takes
 * any number of bytes at a time and never holds a whole body: it keeps the
 * beginning and compares the rest with what was sent as it comes by.
 * icapt_conn.c feeds it, icapt_run.c asks the rules. It shares no code with
 * the server under test, or a mistake in that would hide itself.
 * Rules of form (icapt(1)) are held only where ic->form is set.
 */
#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "icapt_reply.h"

#define HEAD_MAX	65536	/* Squid's limit; more is an error anywhere */
#define HEAD_FORM	8192	/* g3's limit */
#define LINE_MAX_BYTES	131072	/* of a chunk size or trailer */
#define SECT_MAX	(64 << 20)

enum { ST_HEAD, ST_SECT, ST_SIZE, ST_DATA, ST_CR, ST_LF, ST_TRAILER,
	ST_ICAPTRAILER, ST_DONE };

static int	 acc_add(struct reply *, const char *, size_t);
static int	 end_add(struct reply *, const char *, size_t);
static enum reply_parse bad(struct reply *, const char *);
static enum reply_parse read_line(struct reply *, const char *, size_t,
	    size_t *);
static enum reply_parse read_head(struct reply *, const char *, size_t,
	    size_t *);
static enum reply_parse parse_head(struct reply *);
static enum reply_parse parse_encap(struct reply *, const char *);
static enum reply_parse parse_size(struct reply *);
static enum reply_parse parse_trailer(struct reply *);
static void	 take_data(struct reply *, const char *, size_t);
static int	 parse_decimal(const char *, const char **, uint64_t *);
static int	 promises_trailers(const struct reply *);

void
reply_init(struct reply *r, const struct content *want)
{
	memset(r, 0, sizeof(*r));
	r->state = ST_HEAD;
	r->original = -1;
	r->differ = -1;
	r->want = want;
}

void
reply_fini(struct reply *r)
{
	free(r->head.p);
	free(r->sect);
	free(r->acc);
	free(r->keep);
	free(r->end);
	memset(r, 0, sizeof(*r));
}

static enum reply_parse
bad(struct reply *r, const char *why)
{
	r->why = why;
	return REPLY_BAD;
}

static int
acc_add(struct reply *r, const char *p, size_t n)
{
	char	*q;

	if (r->nacc + n + 1 > r->maxacc) {
		r->maxacc = (r->nacc + n + 1) * 2;
		if ((q = realloc(r->acc, r->maxacc)) == NULL)
			abort();
		r->acc = q;
	}
	memcpy(r->acc + r->nacc, p, n);
	r->nacc += n;
	r->acc[r->nacc] = '\0';
	return 0;
}

static int
end_add(struct reply *r, const char *p, size_t n)
{
	char	*q;

	if ((q = realloc(r->end, r->nend + n + 1)) == NULL)
		abort();
	r->end = q;
	memcpy(r->end + r->nend, p, n);
	r->nend += n;
	r->end[r->nend] = '\0';
	return 0;
}

/* Gather a line into acc, its CR LF included. */
static enum reply_parse
read_line(struct reply *r, const char *p, size_t n, size_t *used)
{
	const char	*lf = memchr(p, '\n', n);

	*used = lf == NULL ? n : (size_t)(lf - p) + 1;
	if (r->nacc + *used > LINE_MAX_BYTES)
		return bad(r, "a chunk or trailer line without an end");
	acc_add(r, p, *used);
	if (lf == NULL)
		return REPLY_MORE;
	if (r->nacc < 2 || r->acc[r->nacc - 2] != '\r')
		return bad(r, "a bare LF in the chunked body");
	return REPLY_OK;
}

/* Gather the head into acc, its empty line included. */
static enum reply_parse
read_head(struct reply *r, const char *p, size_t n, size_t *used)
{
	size_t	 i;

	for (i = 0; i < n; i++) {
		acc_add(r, p + i, 1);
		if (r->nacc <= 4 &&
		    memcmp(r->acc, "ICAP", r->nacc) != 0)
			return bad(r, "what came is not an ICAP head");
		if (p[i] == '\n') {
			if (r->nacc < 2 || r->acc[r->nacc - 2] != '\r')
				return bad(r, "a bare LF in the head");
			if (r->nacc >= 4 &&
			    memcmp(r->acc + r->nacc - 4, "\r\n\r\n", 4) == 0) {
				*used = i + 1;
				return REPLY_OK;
			}
		}
		if (r->nacc > HEAD_MAX)
			return bad(r, "a head without an end");
	}
	*used = n;
	return REPLY_MORE;
}

enum reply_parse
reply_parse(struct reply *r, const char *p, size_t n, size_t *used)
{
	enum reply_parse	 res;
	size_t			 k;

	*used = 0;
	if (r->why != NULL)
		return REPLY_BAD;
	while (r->state != ST_DONE) {
		if (n == 0)
			return REPLY_MORE;
		r->begun = 1;
		res = REPLY_OK;
		k = 1;
		switch (r->state) {
		case ST_HEAD:
			if ((res = read_head(r, p, n, &k)) == REPLY_OK)
				res = parse_head(r);
			break;
		case ST_SECT:
			k = n < r->bodyoff - r->nsect ? n :
			    (size_t)r->bodyoff - r->nsect;
			memcpy(r->sect + r->nsect, p, k);
			r->nsect += k;
			if (r->nsect < r->bodyoff)
				break;
			r->sect[r->nsect] = '\0';
			r->state = strcmp(r->body, "null-body") == 0 ?
			    ST_DONE : ST_SIZE;
			break;
		case ST_SIZE:
			if ((res = read_line(r, p, n, &k)) == REPLY_OK)
				res = parse_size(r);
			break;
		case ST_DATA:
			k = n < r->left ? n : (size_t)r->left;
			take_data(r, p, k);
			if ((r->left -= k) == 0)
				r->state = ST_CR;
			break;
		case ST_CR:
			if (*p != '\r')
				res = bad(r, "no CR after a chunk's data");
			r->state = ST_LF;
			break;
		case ST_LF:
			if (*p != '\n')
				res = bad(r, "no LF after a chunk's data");
			r->state = ST_SIZE;
			break;
		case ST_TRAILER:
		case ST_ICAPTRAILER:
			if ((res = read_line(r, p, n, &k)) == REPLY_OK)
				res = parse_trailer(r);
			break;
		default:
			abort();
		}
		p += k;
		n -= k;
		*used += k;
		if (res == REPLY_BAD)
			return res;
	}
	return REPLY_OK;
}

static void
take_data(struct reply *r, const char *p, size_t n)
{
	size_t	 k;

	if (r->want != NULL && r->differ == -1) {
		k = content_match(r->want, r->size, p, n);
		if (k < n)
			r->differ = (int64_t)(r->size + k);
	}
	if (r->nkeep < REPLY_KEEP) {
		if (r->keep == NULL &&
		    (r->keep = malloc(REPLY_KEEP + 1)) == NULL)
			abort();
		k = REPLY_KEEP - r->nkeep;
		k = n < k ? n : k;
		memcpy(r->keep + r->nkeep, p, k);
		r->nkeep += k;
		r->keep[r->nkeep] = '\0';
	}
	r->size += n;
}

/* Split the head into fields; acc becomes the head. */
static enum reply_parse
parse_head(struct reply *r)
{
	const struct field	*f;
	struct field		*g;
	char			*p, *eol;

	r->headsize = r->nacc;
	r->acc[r->nacc - 2] = '\0';
	r->head.n = r->nacc - 2;
	if ((r->head.p = malloc(r->head.n + 1)) == NULL)
		abort();
	memcpy(r->head.p, r->acc, r->head.n + 1);
	r->nacc = 0;
	if (strlen(r->acc) != r->head.n)
		return bad(r, "a NUL in the head");
	p = r->acc;
	/* ICAP/1.0 SP 3DIGIT SP reason */
	if (strncmp(p, "ICAP/1.0 ", 9) != 0 || p[9] < '1' || p[9] > '5' ||
	    p[10] < '0' || p[10] > '9' || p[11] < '0' || p[11] > '9' ||
	    p[12] != ' ' || p[13] == '\r' || p[13] == '\0')
		return bad(r, "a bad status line");
	r->status = (p[9] - '0') * 100 + (p[10] - '0') * 10 + p[11] - '0';
	p = strchr(p, '\n') + 1;
	for (; *p != '\0'; p = eol + 2) {
		eol = strchr(p, '\r');
		if (eol == NULL || eol[1] != '\n')
			return bad(r, "a bare CR in the head");
		*eol = '\0';
		if (*p == ' ' || *p == '\t')
			return bad(r, "a folded line in the head");
		if (r->nfield == REPLY_FIELDS)
			return bad(r, "too many fields");
		g = &r->field[r->nfield++];
		g->name = p;
		if ((p = strchr(p, ':')) == NULL || p == g->name ||
		    strcspn(g->name, " \t") < strcspn(g->name, ":"))
			return bad(r, "a line of the head is no field");
		*p++ = '\0';
		g->raw = p;
		g->value = p + strspn(p, " \t");
	}
	/* The fields point into acc: give it away and begin a new one. */
	free(r->sect);
	r->sect = r->acc;
	r->acc = NULL;
	r->maxacc = 0;
	if ((f = reply_find(r, "Encapsulated")) == NULL) {
		r->state = ST_DONE;
		return REPLY_OK;
	}
	return parse_encap(r, f->value);
}

static int
parse_decimal(const char *s, const char **end, uint64_t *v)
{
	uint64_t	 n = 0;

	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (n > UINT32_MAX)
			return -1;
		n = n * 10 + (uint64_t)(*s - '0');
	}
	*end = s;
	*v = n;
	return 0;
}

/* [xxx-hdr=0, ]xxx-body=n, exactly as Squid and g3 read it. */
static enum reply_parse
parse_encap(struct reply *r, const char *s)
{
	const char	*eq;
	char		*fields = r->sect;
	uint64_t	 off;
	size_t		 n, i;

	for (;;) {
		if ((eq = strchr(s, '=')) == NULL)
			return bad(r, "a bad Encapsulated field");
		n = (size_t)(eq - s);
		if (n >= sizeof(r->body) ||
		    parse_decimal(eq + 1, &eq, &off) == -1)
			return bad(r, "a bad Encapsulated field");
		if (n > 4 && strncmp(s + n - 4, "-hdr", 4) == 0) {
			if (r->hdr[0] != '\0' || off != 0)
				return bad(r, "a bad Encapsulated field");
			memcpy(r->hdr, s, n);
		} else {
			memcpy(r->body, s, n);
			r->bodyoff = off;
		}
		if (*eq == '\0')
			break;
		if (r->body[0] != '\0' || strncmp(eq, ", ", 2) != 0)
			return bad(r, "a bad Encapsulated field");
		s = eq + 2;
	}
	if (r->body[0] == '\0' || (r->hdr[0] == '\0') != (r->bodyoff == 0) ||
	    r->bodyoff > SECT_MAX)
		return bad(r, "a bad Encapsulated field");
	if (r->hdr[0] != '\0' && strcmp(r->hdr, "req-hdr") != 0 &&
	    strcmp(r->hdr, "res-hdr") != 0)
		return bad(r, "an unknown part in Encapsulated");
	if (strcmp(r->body, "req-body") != 0 &&
	    strcmp(r->body, "res-body") != 0 &&
	    strcmp(r->body, "opt-body") != 0 &&
	    strcmp(r->body, "null-body") != 0)
		return bad(r, "an unknown part in Encapsulated");
	if (r->bodyoff == 0) {
		r->state = strcmp(r->body, "null-body") == 0 ? ST_DONE :
		    ST_SIZE;
		return REPLY_OK;
	}
	/* The fields stay at the end of the section's memory. */
	n = r->headsize + 1;
	if ((r->sect = malloc((size_t)r->bodyoff + 1 + n)) == NULL)
		abort();
	memcpy(r->sect + r->bodyoff + 1, fields, n - 2);
	for (i = 0; i < (size_t)r->nfield; i++) {
		struct field	*f = &r->field[i];

		f->name = r->sect + r->bodyoff + 1 + (f->name - fields);
		f->value = r->sect + r->bodyoff + 1 + (f->value - fields);
		f->raw = r->sect + r->bodyoff + 1 + (f->raw - fields);
	}
	free(fields);
	r->state = ST_SECT;
	return REPLY_OK;
}

const struct field *
reply_find(const struct reply *r, const char *name)
{
	int	 i;

	for (i = 0; i < r->nfield; i++)
		if (strcasecmp(r->field[i].name, name) == 0)
			return &r->field[i];
	return NULL;
}

static int
promises_trailers(const struct reply *r)
{
	const struct field	*a = reply_find(r, "Allow");

	return reply_find(r, "Trailer") != NULL && a != NULL &&
	    list_has(a->value, "trailers");
}

/* chunk-size CRLF; the last chunk of a 206 has its extension. */
static enum reply_parse
parse_size(struct reply *r)
{
	static const char	 ext[] = "; use-original-body=";
	const char		*p = r->acc;
	uint64_t		 v = 0;
	size_t			 i;
	int			 d;

	for (i = 0; p[i] != '\r'; i++) {
		if (p[i] >= '0' && p[i] <= '9')
			d = p[i] - '0';
		else if (p[i] >= 'a' && p[i] <= 'f')
			d = p[i] - 'a' + 10;
		else if (p[i] >= 'A' && p[i] <= 'F')
			d = p[i] - 'A' + 10;
		else
			break;
		v = v * 16 + (uint64_t)d;
		if (v > INT32_MAX)
			return bad(r, "a chunk of 2 GiB or more");
	}
	if (i == 0)
		return bad(r, "a chunk size that is no number");
	if (v == 0) {
		if (strncmp(p + i, ext, sizeof(ext) - 1) == 0 &&
		    r->status == 206) {
			if (parse_decimal(p + i + sizeof(ext) - 1, &p, &v) ==
			    -1 || strcmp(p, "\r\n") != 0)
				return bad(r, "a bad use-original-body");
			r->original = (int64_t)v;
		} else if (strcmp(p, "0\r\n") != 0)
			return bad(r, "the last chunk is not a plain 0");
		end_add(r, r->acc, r->nacc);
		r->state = ST_TRAILER;
	} else {
		if (r->nacc != i + 2 || p[0] == '0')
			return bad(r, "a chunk size with more than digits");
		r->left = v;
		r->state = ST_DATA;
	}
	r->nacc = 0;
	return REPLY_OK;
}

static enum reply_parse
parse_trailer(struct reply *r)
{
	int	 empty = strcmp(r->acc, "\r\n") == 0;

	end_add(r, r->acc, r->nacc);
	if (!empty && (r->acc[0] == ':' || strchr(r->acc, ':') == NULL))
		return bad(r, "a trailer line is no field");
	r->nacc = 0;
	if (!empty)
		return REPLY_OK;
	if (r->state == ST_TRAILER && promises_trailers(r))
		r->state = ST_ICAPTRAILER;
	else
		r->state = ST_DONE;
	return REPLY_OK;
}

/* E-any */
int
reply_check_any(struct icapt *ic, const struct reply *r)
{
	const struct field	*f;
	size_t			 n;
	int			 i;

	if (r->status == 100)
		return strcmp(r->head.p, "ICAP/1.0 100 Continue\r\n") == 0 ?
		    0 : icapt_fail(ic, "exactly ICAP/1.0 100 Continue",
		    "%s", r->head.p);
	if (reply_find(r, "Transfer-Encoding") != NULL ||
	    reply_find(r, "Content-Length") != NULL)
		return icapt_fail(ic, "no HTTP framing in the ICAP head",
		    "%s", r->head.p);
	for (i = 0; i < r->nfield; i++)
		if (strcasecmp(r->field[i].name, "Encapsulated") == 0 &&
		    &r->field[i] != reply_find(r, "Encapsulated"))
			return icapt_fail(ic, "one Encapsulated field",
			    "%s", r->head.p);
	f = reply_find(r, "ISTag");
	if (f == NULL && (ic->form || r->status < 300))
		return icapt_fail(ic, "an ISTag", "%s", r->head.p);
	if (f != NULL) {
		n = strlen(f->value);
		if (n < 3 || n > 34 || f->value[0] != '"' ||
		    f->value[n - 1] != '"' || strspn(f->value + 1,
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		    "0123456789._+/=-") != n - 2)
			return icapt_fail(ic, "an ISTag of 1 to 32 bytes "
			    "between quotes", "ISTag: %s", f->value);
	}
	f = reply_find(r, "Trailer");
	if (f != NULL && !promises_trailers(r))
		return icapt_fail(ic, "Trailer only with Allow: trailers",
		    "%s", r->head.p);
	if (!ic->form)
		return 0;
	for (i = 0; i < r->nfield; i++) {
		f = &r->field[i];
		n = strlen(f->raw);
		if (n < 2 || f->raw[0] != ' ' || f->raw[1] == ' ' ||
		    f->raw[n - 1] == ' ')
			return icapt_fail(ic, "fields as \"Name: value\"",
			    "%s:%s", f->name, f->raw);
	}
	if (r->nfield == 0 || strcmp(r->field[r->nfield - 1].name,
	    "Encapsulated") != 0)
		return icapt_fail(ic, "Encapsulated as the last field",
		    "%s", r->head.p);
	if (r->headsize > HEAD_FORM)
		return icapt_fail(ic, "a head of at most 8192 bytes",
		    "%zu bytes", r->headsize);
	if (r->status >= 300 && (r->hdr[0] != '\0' ||
	    strcmp(r->body, "null-body") != 0))
		return icapt_fail(ic, "an error without a body", "%s",
		    r->head.p);
	return 0;
}

static const struct sect *
sect_find(const struct msg *m, const char *name)
{
	int	 i;

	for (i = 0; i < m->nsect; i++)
		if (strcmp(m->sect[i].name.p, name) == 0)
			return &m->sect[i];
	return NULL;
}

/* The value of a decimal field in an HTTP head; -1 if there is none. */
static int64_t
http_number(const char *p, const char *name)
{
	const char	*end;
	uint64_t	 v;
	size_t		 n = strlen(name);

	while ((p = strchr(p, '\n')) != NULL) {
		p++;
		if (strncasecmp(p, name, n) == 0 && p[n] == ':') {
			p += n + 1;
			p += strspn(p, " \t");
			if (parse_decimal(p, &end, &v) == 0)
				return (int64_t)v;
		}
	}
	return -1;
}

/* The parts a 200 or 206 may have, and the header section. */
static int
check_parts(struct icapt *ic, const struct reply *r, const struct msg *m)
{
	const char	*body = "res-body";
	int		 req = strcmp(m->method.p, "REQMOD") == 0;

	if (reply_find(r, "Encapsulated") == NULL)
		return icapt_fail(ic, "an Encapsulated field", "%s",
		    r->head.p);
	if (strcmp(m->method.p, "OPTIONS") == 0) {
		if (r->hdr[0] != '\0' || strcmp(r->body, "null-body") != 0)
			return icapt_fail(ic, "null-body=0", "%s", r->head.p);
		return 0;
	}
	if (strcmp(r->hdr, "req-hdr") == 0 || (r->hdr[0] == '\0' && req))
		body = "req-body";
	if ((!req && strcmp(r->hdr, "req-hdr") == 0) ||
	    (strcmp(r->body, body) != 0 &&
	    strcmp(r->body, "null-body") != 0))
		return icapt_fail(ic, "parts that are legal for the method",
		    "%s", r->head.p);
	if (r->hdr[0] == '\0' && (strcmp(r->body, "null-body") == 0 ||
	    sect_find(m, req ? "req-hdr" : "res-hdr") != NULL))
		return icapt_fail(ic, "a header section", "%s", r->head.p);
	if (r->hdr[0] != '\0' && (r->nsect < 4 ||
	    memcmp(r->sect + r->nsect - 4, "\r\n\r\n", 4) != 0))
		return icapt_fail(ic, "a header section that ends with an "
		    "empty line at the offset", "%s", r->sect);
	return 0;
}

/* E200 */
int
reply_check_200(struct icapt *ic, const struct reply *r, const struct msg *m)
{
	const struct sect	*s;
	int64_t			 cl;

	if (r->status != 200)
		return icapt_fail(ic, "200", "%s", r->head.p);
	if (reply_check_any(ic, r) == -1 || check_parts(ic, r, m) == -1)
		return -1;
	if (r->hdr[0] == '\0' || strcmp(r->body, "null-body") == 0)
		return 0;
	cl = http_number(r->sect, "Content-Length");
	if (cl < 0 || (uint64_t)cl == r->size)
		return 0;
	/* A length that was wrong when it came may go back as it was. */
	s = sect_find(m, r->hdr);
	if (s != NULL && http_number(s->bytes.p, "Content-Length") == cl &&
	    (uint64_t)cl != m->content.size)
		return 0;
	return icapt_fail(ic, "the body to be of Content-Length",
	    "%llu bytes for %lld", (unsigned long long)r->size,
	    (long long)cl);
}

/* E204; cont says that a 100 went before. */
int
reply_check_204(struct icapt *ic, const struct reply *r, const struct msg *m,
    int cont)
{
	if (r->status != 204)
		return icapt_fail(ic, "204", "%s", r->head.p);
	if (reply_check_any(ic, r) == -1)
		return -1;
	if (strcmp(m->method.p, "OPTIONS") == 0)
		return icapt_fail(ic, "no 204 to OPTIONS", "%s", r->head.p);
	if (!m->allow204 && (!m->has_preview || cont))
		return icapt_fail(ic, cont ?
		    "no 204 after 100, it was not allowed" :
		    "no 204, it was not allowed", "%s", r->head.p);
	if (r->hdr[0] != '\0' || (r->body[0] != '\0' &&
	    strcmp(r->body, "null-body") != 0))
		return icapt_fail(ic, "a 204 without a body", "%s", r->head.p);
	if (ic->form && strncmp(r->head.p,
	    "ICAP/1.0 204 No modifications needed\r\n", 38) != 0)
		return icapt_fail(ic, "204 No modifications needed", "%s",
		    r->head.p);
	return 0;
}

/* E206 */
int
reply_check_206(struct icapt *ic, const struct reply *r, const struct msg *m,
    int cont)
{
	uint64_t	 held = m->content.size;
	int64_t		 cl;

	if (r->status != 206)
		return icapt_fail(ic, "206", "%s", r->head.p);
	if (reply_check_any(ic, r) == -1 || check_parts(ic, r, m) == -1)
		return -1;
	if (!m->allow206 || (!m->allow204 && (!m->has_preview || cont)))
		return icapt_fail(ic, "no 206, it was not allowed", "%s",
		    r->head.p);
	if (r->original < 0)
		return icapt_fail(ic, "use-original-body", "%s",
		    r->end == NULL ? "no body" : r->end);
	if (m->preview >= 0 && !cont && held > (uint64_t)m->preview)
		held = (uint64_t)m->preview;
	if ((uint64_t)r->original > held)
		return icapt_fail(ic, "an offset within what was sent",
		    "use-original-body=%lld", (long long)r->original);
	cl = http_number(r->sect, "Content-Length");
	if (cl >= 0 && (uint64_t)cl != r->size + m->content.size -
	    (uint64_t)r->original)
		return icapt_fail(ic, "the Content-Length of the result",
		    "%lld", (long long)cl);
	return 0;
}

int
reply_check_echo(struct icapt *ic, const struct reply *r, const struct msg *m)
{
	const struct sect	*s;
	const char		*p;
	char			 buf[256];
	size_t			 n = 0;
	int			 req = strcmp(m->method.p, "REQMOD") == 0;

	s = sect_find(m, req ? "req-hdr" : "res-hdr");
	if (s != NULL) {
		while (n < s->bytes.n && n < r->nsect &&
		    s->bytes.p[n] == r->sect[n])
			n++;
		p = r->sect + n;
		/* c-icap and others add a field before the empty line. */
		if (!ic->form && n + 2 == s->bytes.n && n < r->nsect &&
		    strncasecmp(p, "Via: ", 5) == 0) {
			n = s->bytes.n;
		} else if (s->bytes.n != r->nsect || n < r->nsect)
			return icapt_fail(ic, "the header section as it was "
			    "sent", "at byte %zu: %s", n, n < r->nsect ?
			    icapt_escape(buf, sizeof(buf), p, r->nsect - n) :
			    "its end");
	}
	if (m->has_raw && !m->has_want)
		return 0;
	if (r->differ >= 0)
		return icapt_fail(ic, "the body as it was sent",
		    "another byte at %lld: %s", (long long)r->differ,
		    icapt_escape(buf, sizeof(buf), r->keep, r->nkeep));
	if (r->size != m->content.size)
		return icapt_fail(ic, "the body as it was sent",
		    "%llu bytes for %llu", (unsigned long long)r->size,
		    (unsigned long long)m->content.size);
	return 0;
}

/* What every client needs to find in an answer to OPTIONS. */
int
reply_check_options(struct icapt *ic, const struct reply *r,
    const struct msg *m)
{
	const struct field	*f;
	const char		*p, *end;
	uint64_t		 v;
	static const char	*const numbers[] = { "Max-Connections",
		"Options-TTL", "Preview" };
	int			 i, star = 0, lists = 0;

	if (reply_check_200(ic, r, m) == -1)
		return -1;
	if ((f = reply_find(r, "Methods")) == NULL || list_has(f->value,
	    "OPTIONS"))
		return icapt_fail(ic, "Methods, without OPTIONS", "%s",
		    r->head.p);
	for (p = f->value; *p != '\0'; p += strspn(p, ", ")) {
		if (strncmp(p, "REQMOD", 6) == 0)
			p += 6;
		else if (strncmp(p, "RESPMOD", 7) == 0)
			p += 7;
		else
			return icapt_fail(ic, "REQMOD and RESPMOD",
			    "Methods: %s", f->value);
	}
	if (reply_find(r, "Opt-body-type") != NULL)
		return icapt_fail(ic, "no Opt-body-type", "%s", r->head.p);
	if ((f = reply_find(r, "Allow")) != NULL && !m->allowtrailers &&
	    strspn(f->value, "0123456789, ") != strlen(f->value))
		return icapt_fail(ic, "numbers in Allow", "Allow: %s",
		    f->value);
	for (i = 0; i < 3; i++)
		if ((f = reply_find(r, numbers[i])) != NULL &&
		    (parse_decimal(f->value, &end, &v) == -1 || *end != '\0'
		    || (i < 2 && v == 0)))
			return icapt_fail(ic, "a number", "%s: %s", f->name,
			    f->value);
	for (i = 0; i < r->nfield; i++) {
		if (strncasecmp(r->field[i].name, "Transfer-", 9) != 0)
			continue;
		lists++;
		for (p = r->field[i].value; *p != '\0'; p++)
			star += *p == '*';
	}
	if (lists > 0 && star != 1)
		return icapt_fail(ic, "one * in the Transfer fields", "%s",
		    r->head.p);
	if (reply_find(r, "Preview") != NULL && ((f = reply_find(r,
	    "Transfer-Preview")) == NULL || strcmp(f->value, "*") != 0))
		return icapt_fail(ic, "Transfer-Preview: * with Preview",
		    "%s", r->head.p);
	return 0;
}

struct text
reply_canon(struct icapt *ic, const struct reply *r)
{
	struct text	 t, u;
	const char	*p, *eol;

	t = icapt_text(ic, "", 0);
	for (p = r->head.p; (eol = strchr(p, '\n')) != NULL; p = eol + 1)
		if (strncasecmp(p, "Date:", 5) != 0)
			t = icapt_join(ic, t, icapt_text(ic, p,
			    (size_t)(eol + 1 - p)));
	u.p = r->sect;
	u.n = r->nsect;
	t = icapt_join(ic, t, u);
	u.p = r->keep;
	u.n = r->nkeep;
	t = icapt_join(ic, t, u);
	u.p = r->end;
	u.n = r->nend;
	return icapt_join(ic, t, u);
}
