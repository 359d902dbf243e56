/* SPDX-License-Identifier: ISC */
/*
 * Responses that replace a message: block pages, redirects, errors.  Called
 * by services through the contract and by txn.c for `on-error = block`.  The
 * response is made in memory; sending it is txn.c's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../proto/http.h"
#include "template.h"
#include "txn.h"

/* Longest URL shown on a page, bytes. */
#define URL_MAX		2048

/* Variables that a page may have, the server's own included. */
#define VARS_MAX	32

static const struct {
	int		 status;
	const char	*reason;
} reasons[] = {
	{ 200, "OK" }, { 204, "No Content" }, { 301, "Moved Permanently" },
	{ 302, "Found" }, { 303, "See Other" }, { 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" }, { 400, "Bad Request" },
	{ 401, "Unauthorized" }, { 403, "Forbidden" }, { 404, "Not Found" },
	{ 405, "Method Not Allowed" }, { 410, "Gone" },
	{ 413, "Content Too Large" }, { 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" }, { 429, "Too Many Requests" },
	{ 451, "Unavailable For Legal Reasons" },
	{ 500, "Internal Server Error" }, { 502, "Bad Gateway" },
	{ 503, "Service Unavailable" }, { 504, "Gateway Timeout" },
};

static const char *
reason_of(int status)
{
	size_t	 i;

	for (i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Unknown";
}

int
txn_respond(struct txn *t, int status, const char *type, const void *body,
    size_t size)
{
	struct bytes	*r = &t->response;
	char		 head[512], length[48] = "";
	int		 n;

	if (status < 200 || status > 599 ||
	    (type != NULL && (status == 204 || status == 304)) ||
	    (type != NULL &&
	    chars_span(type, strlen(type), CHARS_TEXT) != strlen(type))) {
		errno = EINVAL;
		return -1;
	}
	if (type == NULL)
		size = 0;
	/* RFC 9110 8.6: a 204 has none, a 304 that of another response */
	if (status != 204 && status != 304)
		(void)snprintf(length, sizeof(length),
		    "Content-Length: %zu\r\n", size);
	n = snprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\n"
	    "%sCache-Control: no-store\r\n%s%s%s\r\n",
	    status, reason_of(status), length,
	    type != NULL ? "Content-Type: " : "", type != NULL ? type : "",
	    type != NULL ? "\r\n" : "");
	if (n < 0 || (size_t)n >= sizeof(head)) {
		errno = EINVAL;
		return -1;
	}
	r->len = 0;
	if (bytes_add(r, head, (size_t)n) == -1 ||
	    (size > 0 && bytes_add(r, body, size) == -1)) {
		r->len = 0;
		return -1;
	}
	t->response_head = (size_t)n;
	t->http_status = status;
	return 0;
}

int
txn_respond_header(struct txn *t, const char *name, const char *value)
{
	struct bytes	 line;
	int		 result = -1;

	if (value == NULL) {
		errno = EINVAL;
		return -1;
	}
	if (txn_check_field(name, value) == -1)
		return -1;
	if (t->response.len == 0) {
		errno = ENOENT;
		return -1;
	}
	memset(&line, 0, sizeof(line));
	if (bytes_adds(&line, name) == 0 && bytes_adds(&line, ": ") == 0 &&
	    bytes_adds(&line, value) == 0 && bytes_adds(&line, "\r\n") == 0 &&
	    bytes_splice(&t->response, t->response_head - 2, 0, line.p,
	    line.len) == 0) {
		t->response_head += line.len;
		result = 0;
	}
	bytes_free(&line);
	return result;
}

/* q of a media range in thousandths; RFC 9110 12.4.2. */
static int
quality(struct slice params)
{
	const char	*q = NULL;
	size_t		 i;
	int		 n = 0, unit = 1000;

	for (i = 0; i + 2 < params.len; i++)
		if ((params.p[i] == 'q' || params.p[i] == 'Q') &&
		    params.p[i + 1] == '=' && (i == 0 ||
		    params.p[i - 1] == ';' || params.p[i - 1] == ' '))
			q = params.p + i + 2;
	if (q == NULL)
		return 1000;
	for (; q < params.p + params.len; q++) {
		if (*q == '.')
			continue;
		if (*q < '0' || *q > '9' || unit == 0)
			break;
		n += (*q - '0') * unit;
		unit /= 10;
	}
	return n;
}

/* Does the client prefer JSON to a page?  Browsers never do. */
static bool
prefers_json(const struct txn *t)
{
	struct slice	 list, item, type;
	const char	*semicolon;
	int		 json = 0, html = 0, q;

	if (!http_find(t->req_head, "Accept", &list))
		return false;
	while (slice_next(&list, &item)) {
		type = item;
		if ((semicolon = memchr(item.p, ';', item.len)) != NULL)
			type.len = (size_t)(semicolon - item.p);
		item.p += type.len;
		item.len -= type.len;
		type = slice_trim(type);
		q = quality(item);
		if (slice_is_nocase(type, "application/json") ||
		    (type.len > 5 &&
		    memcmp(type.p + type.len - 5, "+json", 5) == 0))
			json = q > json ? q : json;
		else if (slice_is_nocase(type, "text/html") ||
		    slice_is_nocase(type, "application/xhtml+xml"))
			html = q > html ? q : html;
	}
	return json > html;
}

/* The URL as a person would write it: absolute, cut. */
static void
format_url(const struct txn *t, char *dst, size_t size)
{
	struct slice	 method, uri, version, host;
	int		 n = 0;

	http_split_request(http_start_line(t->req_head), &method, &uri,
	    &version);
	if (uri.len > 0 && uri.p[0] == '/' &&
	    http_find(t->req_head, "Host", &host) && host.len < 256)
		n = snprintf(dst, size, "http://%.*s", (int)host.len, host.p);
	if (uri.len > URL_MAX)
		uri.len = URL_MAX;
	(void)snprintf(dst + n, size - (size_t)n, "%.*s", (int)uri.len,
	    uri.len > 0 ? uri.p : "");
}

int
txn_respond_template(struct txn *t, int status,
    const struct service_template *page, const struct service_var *vars)
{
	struct service_var	 all[VARS_MAX + 1];
	struct bytes		 body;
	char			 url[URL_MAX + 300], when[40];
	const char		*type;
	struct tm		 tm;
	time_t			 now = time(NULL);
	size_t			 n;
	int			 result = -1;

	for (n = 0; vars[n].name != NULL && n < VARS_MAX - 6; n++)
		all[n] = vars[n];
	format_url(t, url, sizeof(url));
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ",
	    gmtime_r(&now, &tm));
	all[n].name = "url";
	all[n++].value = url;
	all[n].name = "client";
	all[n++].value = txn_client_address(t);
	all[n].name = "user";
	all[n++].value = txn_user(t);
	all[n].name = "service";
	all[n++].value = t->plan->path;
	all[n].name = "time";
	all[n++].value = when;
	all[n].name = "id";
	all[n++].value = t->id;
	all[n].name = NULL;

	memset(&body, 0, sizeof(body));
	type = template_format(page, prefers_json(t), all, &body);
	if (type != NULL)
		result = txn_respond(t, status, type, body.p, body.len);
	bytes_free(&body);
	return result;
}

int
txn_respond_unscanned(struct txn *t)
{
	const struct service_var	 vars[] = {
		{ "title", "Not examined" },
		{ "reason", "This could not be examined and is therefore "
		    "withheld." },
		{ "cause", t->why },
		{ NULL, NULL }
	};

	return txn_respond_template(t, 403, t->plan->page, vars);
}
