/* SPDX-License-Identifier: ISC */
/*
 * info: the status page and its numbers through the proxy, as the site
 * http://icapd.info/ that is nowhere else.  A service like others, but of
 * this layer, for it shows board and tally; main.c adds it to those we ship,
 * start.c tells it the board.  It looks at the host only, and must not
 * change anything.  Whatever it answers is no block: report.c knows that.
 */
#include <stdlib.h>
#include <string.h>

#include "../services/weburl.h"
#include "health.h"
#include "info.h"
#include "metrics.h"
#include "view.h"

#define HOST	"icapd.info"

#define CSP	"default-src 'none'; style-src 'unsafe-inline'; " \
		"script-src 'unsafe-inline'; connect-src 'self'; " \
		"img-src data:; base-uri 'none'; form-action 'none'; " \
		"frame-ancestors 'none'"

static const struct {
	const char	*path;
	const char	*type;
	void		 (*format)(struct page *, const struct snapshot *);
} pages[] = {
	{ "", "text/html; charset=utf-8", metrics_format_html },
	{ "/", "text/html; charset=utf-8", metrics_format_html },
	{ "/status.json", "application/json", metrics_format_json },
	{ "/metrics", "text/plain; version=0.0.4; charset=utf-8",
	    metrics_format },
};

static const struct board	*info_board;

void
info_use(const struct board *board)
{
	info_board = board;
}

static enum verdict
info_answer(struct txn *txn, int status, const char *type, const char *text,
    size_t len)
{
	if (txn_respond(txn, status, type, text, len) == -1 ||
	    txn_respond_header(txn, "X-Content-Type-Options",
	    "nosniff") == -1 ||
	    txn_respond_header(txn, "Content-Security-Policy", CSP) == -1 ||
	    (status == 405 &&
	    txn_respond_header(txn, "Allow", "GET, HEAD") == -1))
		return txn_fail(txn, "no memory for the page");
	return VERDICT_REPLACED;
}

/* As the status listener has it; `?` and anything asks for more. */
static enum verdict
info_ready(struct txn *txn, const struct snapshot *s, bool verbose)
{
	struct page	 p;
	enum verdict	 verdict;

	page_init(&p);
	health_format(&p, s, verbose);
	if (p.failed)
		verdict = txn_fail(txn, "no memory for the page");
	else
		verdict = info_answer(txn, snapshot_is_ready(s) ? 200 : 503,
		    "text/plain; charset=utf-8", p.p, p.len);
	free(p.p);
	return verdict;
}

static enum verdict
info_say(struct txn *txn, int status, const char *text)
{
	return info_answer(txn, status, "text/plain; charset=utf-8", text,
	    strlen(text));
}

static enum verdict
info_show(struct txn *txn, struct slice path, bool verbose)
{
	/* here, not on the stack: it is large */
	static struct snapshot	 snapshot;
	struct page		 p;
	enum verdict		 verdict;
	size_t			 i;

	if (slice_is(path, "/healthz"))
		return info_say(txn, 200, "ok\n");
	snapshot_take(&snapshot, info_board, view_tally(view_get()));
	if (slice_is(path, "/readyz"))
		return info_ready(txn, &snapshot, verbose);
	for (i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (slice_is(path, pages[i].path))
			break;
	if (i == sizeof(pages) / sizeof(pages[0]))
		return info_say(txn, 404, "there is no such page\n");
	page_init(&p);
	pages[i].format(&p, &snapshot);
	if (p.failed)
		verdict = txn_fail(txn, "no memory for the page");
	else
		verdict = info_answer(txn, 200, pages[i].type, p.p, p.len);
	free(p.p);
	return verdict;
}

static enum verdict
info_serve(struct txn *txn, void *instance)
{
	struct weburl	 u;
	struct slice	 method, uri, host = { NULL, 0 }, name, path;
	const char	*query;

	(void)instance;
	uri.p = txn_uri(txn, &uri.len);
	host.p = txn_request_header(txn, "Host", &host.len);
	if (host.p == NULL)
		host.len = 0;
	if (info_board == NULL || weburl_parse(&u, uri, host) == -1)
		return VERDICT_UNCHANGED;
	name.p = u.text;
	name.len = u.host_len;
	if (!slice_is(name, HOST))
		return VERDICT_UNCHANGED;
	method.p = txn_method(txn, &method.len);
	if (!slice_is(method, "GET") && !slice_is(method, "HEAD"))
		return info_say(txn, 405, "only GET and HEAD\n");
	path.p = u.text + u.host_len;
	path.len = u.len - u.host_len;
	if ((query = memchr(path.p, '?', path.len)) != NULL)
		path.len = (size_t)(query - path.p);
	return info_show(txn, path, query != NULL &&
	    path.len + 1 < u.len - u.host_len);
}

const struct service svc_info = {
	.name = "info",
	.summary = "shows the status page at http://" HOST "/",
	.methods = SERVICE_REQMOD,
	.preview = 0,
	.serve = info_serve,
};
