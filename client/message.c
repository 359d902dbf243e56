/* SPDX-License-Identifier: ISC */
/*
 * Requests.  Called by icapc.c, once: what is composed here lies in one piece
 * and is then sent as often as it takes, so that sending costs a load
 * generator nothing but the system call.  It must not talk to anybody.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../proto/chunk.h"
#include "../proto/request.h"
#include "message.h"

/* More than the fixed text of the heads can need, bytes. */
#define HEADS_MAX	4096

static size_t
lines_length(const char *const *line, unsigned int n)
{
	size_t		 len = 0;
	unsigned int	 i;

	for (i = 0; i < n; i++)
		len += strlen(line[i]) + 2;
	return len;
}

/* Bytes that the whole request cannot exceed. */
static size_t
message_bound(const struct wish *w)
{
	size_t	 len = HEADS_MAX;

	len += 2 * strlen(w->uri) + 2 * strlen(w->url) + strlen(w->host);
	if (w->http_method != NULL)
		len += strlen(w->http_method);
	len += lines_length(w->icap_line, w->icap_lines);
	/* once in the request, once in the response */
	len += 2 * lines_length(w->http_line, w->http_lines);
	len += w->body_len + (w->body_len / w->chunk + 4) *
	    (CHUNK_HEAD_MAX + 2);
	return len;
}

static void
put(struct message *m, const char *p, size_t len)
{
	memcpy(m->wire + m->len, p, len);
	m->len += len;
}

static void	 putf(struct message *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));

static void
putf(struct message *m, const char *fmt, ...)
{
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(m->wire + m->len, m->room - m->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		m->len += (size_t)n;
}

static void
put_lines(struct message *m, const char *const *line, unsigned int n)
{
	unsigned int	 i;

	for (i = 0; i < n; i++)
		putf(m, "%s\r\n", line[i]);
}

/* The host and port of a URL, without a user's name and password. */
static struct slice
url_host(const char *url)
{
	struct slice	 host;
	const char	*p;

	host.p = (p = strstr(url, "://")) != NULL ? p + 3 : url;
	host.len = strcspn(host.p, "/?#");
	if ((p = memrchr(host.p, '@', host.len)) != NULL) {
		host.len -= (size_t)(p + 1 - host.p);
		host.p = p + 1;
	}
	return host;
}

/* Does the user give a field of that name? */
static bool
has_line(const char *const *line, unsigned int n, const char *name)
{
	size_t		 len = strlen(name);
	unsigned int	 i;

	for (i = 0; i < n; i++)
		if (strncasecmp(line[i], name, len) == 0 &&
		    line[i][len] == ':')
			return true;
	return false;
}

static void
message_put_length(struct message *m, const struct wish *w)
{
	if (!has_line(w->http_line, w->http_lines, "Content-Length"))
		putf(m, "Content-Length: %zu\r\n", w->body_len);
}

/* The head of the HTTP request, which a response carries along. */
static void
message_put_request(struct message *m, const struct wish *w)
{
	struct slice	 host = url_host(w->url);
	const char	*method = w->http_method;
	bool		 has_body;

	has_body = w->method == ICAP_REQMOD && w->body != NULL;
	if (method == NULL)
		method = has_body ? "POST" : "GET";
	putf(m, "%s %s HTTP/1.1\r\n", method, w->url);
	if (w->method == ICAP_RESPMOD ||
	    !has_line(w->http_line, w->http_lines, "Host"))
		putf(m, "Host: %.*s\r\n", (int)host.len, host.p);
	if (has_body)
		message_put_length(m, w);
	if (w->method == ICAP_REQMOD)
		put_lines(m, w->http_line, w->http_lines);
	putf(m, "\r\n");
}

static void
message_put_response(struct message *m, const struct wish *w)
{
	putf(m, "HTTP/1.1 200 OK\r\n");
	message_put_length(m, w);
	put_lines(m, w->http_line, w->http_lines);
	putf(m, "\r\n");
}

static enum encap_entity
message_body(const struct wish *w)
{
	if (w->body == NULL)
		return ENCAP_NULL_BODY;
	if (w->method == ICAP_OPTIONS)
		return ENCAP_OPT_BODY;
	return w->method == ICAP_REQMOD ? ENCAP_REQ_BODY : ENCAP_RES_BODY;
}

static void
message_put_icap(struct message *m, const struct wish *w, size_t req,
    size_t res)
{
	const char	*sep = "";

	putf(m, "%s %s ICAP/1.0\r\n", request_method_name(w->method),
	    w->uri);
	if (!has_line(w->icap_line, w->icap_lines, "Host"))
		putf(m, "Host: %s\r\n", w->host);
	if (w->method != ICAP_OPTIONS && (w->allow_204 || w->allow_206))
		putf(m, "Allow: %s%s%s\r\n", w->allow_204 ? "204" : "",
		    w->allow_204 && w->allow_206 ? ", " : "",
		    w->allow_206 ? "206" : "");
	if (w->close)
		putf(m, "Connection: close\r\n");
	if (w->has_preview)
		putf(m, "Preview: %zu\r\n", w->preview);
	put_lines(m, w->icap_line, w->icap_lines);
	putf(m, "Encapsulated: ");
	if (w->method != ICAP_OPTIONS) {
		putf(m, "req-hdr=0");
		sep = ", ";
	}
	if (res > 0)
		putf(m, "%sres-hdr=%zu", sep, req);
	putf(m, "%s%s=%zu\r\n\r\n", sep, encap_name(message_body(w)),
	    req + res);
}

static void
message_put_chunks(struct message *m, const struct wish *w, const char *p,
    size_t len)
{
	char	 head[CHUNK_HEAD_MAX];
	size_t	 n;

	while (len > 0) {
		n = len < w->chunk ? len : w->chunk;
		put(m, head, chunk_format(head, n));
		put(m, p, n);
		put(m, "\r\n", 2);
		p += n;
		len -= n;
	}
}

static void
message_put_body(struct message *m, const struct wish *w)
{
	size_t	 preview = 0;

	if (w->body == NULL)
		return;
	if (w->has_preview && w->preview < w->body_len) {
		preview = w->preview;
		message_put_chunks(m, w, w->body, preview);
		putf(m, "0\r\n\r\n");
		m->pause = m->len;
	}
	message_put_chunks(m, w, w->body + preview, w->body_len - preview);
	/* all of it fits into the preview */
	putf(m, w->has_preview && m->pause == 0 ? "0; ieof\r\n\r\n" :
	    "0\r\n\r\n");
}

int
message_new(struct message *m, const struct wish *w)
{
	size_t	 req = 0, res = 0;

	memset(m, 0, sizeof(*m));
	m->method = w->method;
	m->room = message_bound(w);
	if ((m->wire = malloc(m->room)) == NULL)
		return -1;

	/* the ICAP head comes first and must know the length of the others */
	if (w->method != ICAP_OPTIONS) {
		message_put_request(m, w);
		req = m->len;
	}
	if (w->method == ICAP_RESPMOD) {
		message_put_response(m, w);
		res = m->len - req;
	}
	m->len = 0;
	message_put_icap(m, w, req, res);
	m->icap_len = m->len;
	if (w->method != ICAP_OPTIONS)
		message_put_request(m, w);
	if (w->method == ICAP_RESPMOD)
		message_put_response(m, w);
	m->http.p = m->wire + m->icap_len + (res > 0 ? req : 0);
	m->http.len = res > 0 ? res : req;
	message_put_body(m, w);
	m->body.p = w->body;
	m->body.len = w->body_len;
	if (m->pause == 0)
		m->pause = m->len;
	return 0;
}

void
message_free(struct message *m)
{
	free(m->wire);
	m->wire = NULL;
}
