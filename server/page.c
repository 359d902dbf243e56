/* SPDX-License-Identifier: ISC */
/*
 * The page for people.  Called by status.c and by the info service.  What
 * changes is written here, as tables that need no scripting; the rest is
 * page.html, whose script asks for the page again each second and draws the
 * charts.  Everything in one answer, nothing from elsewhere.  It only reads.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "health.h"
#include "log.h"

static const char	 page_template[] =
#include "server/page.inc"
;

static void
html_duration(struct page *p, int64_t ms)
{
	int64_t	 s = ms / 1000;

	if (s >= 86400)
		page_addf(p, "%lld d %lld h", (long long)s / 86400,
		    (long long)(s % 86400) / 3600);
	else if (s >= 3600)
		page_addf(p, "%lld h %lld min", (long long)s / 3600,
		    (long long)(s % 3600) / 60);
	else if (s >= 60)
		page_addf(p, "%lld min %lld s", (long long)s / 60,
		    (long long)s % 60);
	else
		page_addf(p, "%lld s", (long long)s);
}

static void
html_bytes(struct page *p, uint64_t n)
{
	static const char	 unit[][4] = { "B", "KiB", "MiB", "GiB",
				    "TiB", "PiB" };
	double			 v = (double)n;
	unsigned int		 i = 0;

	for (; v >= 1024 && i < 5; i++)
		v /= 1024;
	page_addf(p, i == 0 ? "%.0f %s" : "%.1f %s", v, unit[i]);
}

static void
html_us(struct page *p, double us)
{
	if (us >= 1e6)
		page_addf(p, "%.2f s", us / 1e6);
	else if (us >= 1e3)
		page_addf(p, "%.1f ms", us / 1e3);
	else
		page_addf(p, "%.0f µs", us);
}

static void
html_time(struct page *p, int64_t when)
{
	time_t		 t = (time_t)when;
	struct tm	 tm;
	char		 text[32];

	if (gmtime_r(&t, &tm) == NULL)
		return;
	page_add(p, text, strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ",
	    &tm));
}

static void
html_head(struct page *p, const struct snapshot *s)
{
	const struct board_head	*head = &s->head;
	const struct ring_public *pub = &s->logs;
	const char		*text = "ready", *class = "ok";
	unsigned int		 i;

	for (i = 0; i < pub->nlogs; i++)
		if (pub->log[i].failing) {
			text = "a log fails";
			class = "warn";
		}
	if (head->reload == BOARD_RELOAD_BAD) {
		text = "last reload failed";
		class = "warn";
	}
	if (s->queued > 0) {
		text = "clients wait";
		class = "warn";
	}
	if (!s->is_served) {
		text = "not ready: a back-end is missing";
		class = "bad";
	}
	if (!snapshot_has_workers(s)) {
		text = "not ready";
		class = "bad";
	}
	page_addf(p, "<header id=\"head\"><h1>");
	page_html(p, head->stem.program);
	page_addf(p, "</h1><span class=\"badge %s\">%s</span>"
	    "<span class=\"dim\">up ", class, text);
	html_duration(p, board_age(s->now, head->started));
	page_addf(p, ", pid %d, configuration %u</span></header>\n",
	    head->master, head->generation);
}

static void
html_tile(struct page *p, uint64_t n, const char *what, const char *class)
{
	page_addf(p, "<div><b%s%s%s>%llu</b><span>%s</span></div>\n",
	    n > 0 && class != NULL ? " class=\"" : "",
	    n > 0 && class != NULL ? class : "",
	    n > 0 && class != NULL ? "\"" : "", (unsigned long long)n, what);
}

static void
html_tiles(struct page *p, const struct snapshot *s)
{
	const struct board_head	*head = &s->head;
	uint64_t		 blocked = 0, unscanned = 0, errors = 0;
	const struct tally_count *c;
	unsigned int		 i;

	for (i = 0; i < s->sum.ncounts; i++) {
		c = &s->sum.count[i];
		if ((c->key.flags & TALLY_BLOCKED) != 0)
			blocked += c->n;
		if ((c->key.flags & TALLY_UNSCANNED) != 0)
			unscanned += c->n;
		if (c->key.status == 0 || c->key.status >= 400)
			errors += c->n;
	}
	page_addf(p, "<div class=\"tiles\" id=\"top\">\n");
	html_tile(p, s->transactions, "transactions", NULL);
	html_tile(p, s->connections, "connections", NULL);
	html_tile(p, blocked, "blocked", NULL);
	html_tile(p, unscanned, "not examined", "warn");
	html_tile(p, errors, "errors", "warn");
	html_tile(p, s->queued, "waiting clients", "warn");
	html_tile(p, head->deaths, "deaths", "bad");
	page_addf(p, "</div>\n");
}

static void
html_workers(struct page *p, const struct snapshot *s)
{
	struct board_slot	 slot;
	const char		*name;
	unsigned int		 i;

	page_addf(p, "<section><h2>%u workers</h2><div class=\"grid\">",
	    s->workers);
	for (i = 0; i < s->head.nslots; i++) {
		board_copy_slot(s->board, i, &slot);
		if (slot.state == BOARD_FREE || slot.state >= BOARD_AUX)
			continue;
		name = board_state_name(slot.state);
		page_addf(p, "<i class=\"%s\" title=\"worker %u, pid %d: %s "
		    "for ", name, i, slot.pid, name);
		html_duration(p, board_age(s->now, slot.since));
		page_addf(p, ", %llu transactions\"></i>",
		    (unsigned long long)slot.transactions);
	}
	page_addf(p, "</div><div class=\"legend\">");
	for (i = BOARD_STARTING; i <= BOARD_LEAVING; i++) {
		name = board_state_name(i);
		page_addf(p, "<span><i class=\"%s\"></i>%u %s</span>", name,
		    s->by_state[i], i == BOARD_ACCEPT ? "free" :
		    i == BOARD_IDLE ? "on an idle connection" : name);
	}
	page_addf(p, "</div></section>\n");
}

static void
html_quantile(struct page *p, const struct tally_service *v, double q)
{
	uint32_t	 us = metrics_quantile(v, q);

	page_addf(p, "<td>");
	if (us != 0) {
		page_addf(p, us == UINT32_MAX ? "&gt; " : "&lt; ");
		html_us(p, us == UINT32_MAX ? tally_bound(TALLY_BUCKETS - 1) :
		    us);
	}
	page_addf(p, "</td>");
}

static void
html_service(struct page *p, const struct snapshot *s, unsigned int i)
{
	const struct tally_service	*v = &s->sum.service[i];
	const struct tally_count	*c;
	uint64_t			 n[4] = { 0 }, done = 0;
	unsigned int			 k;

	for (k = 0; k < s->sum.ncounts; k++) {
		c = &s->sum.count[k];
		if (c->key.service != i)
			continue;
		n[0] += c->n;
		n[1] += (c->key.flags & TALLY_BLOCKED) != 0 ? c->n : 0;
		n[2] += (c->key.flags & TALLY_UNSCANNED) != 0 ? c->n : 0;
		n[3] += c->key.status == 0 || c->key.status >= 400 ? c->n : 0;
	}
	for (k = 0; k <= TALLY_BUCKETS; k++)
		done += v->bucket[k];
	page_addf(p, "<tr><td>");
	if (i == 0)
		page_addf(p, "<span class=\"dim\">no service</span>");
	else {
		page_addf(p, i == TALLY_OTHERS ? "" : "/");
		page_html(p, s->service[i]);
	}
	page_addf(p, "</td>");
	for (k = 0; k < 4; k++)
		page_addf(p, "<td%s>%llu</td>", k >= 2 && n[k] > 0 ?
		    " class=\"warn\"" : "", (unsigned long long)n[k]);
	page_addf(p, "<td>");
	if (done > 0)
		html_us(p, (double)v->sum / (double)done);
	page_addf(p, "</td>");
	html_quantile(p, v, 0.5);
	html_quantile(p, v, 0.99);
	page_addf(p, "<td>");
	html_bytes(p, v->bytes_in);
	page_addf(p, "</td><td>");
	html_bytes(p, v->bytes_out);
	page_addf(p, "</td></tr>\n");
}

static void
html_services(struct page *p, const struct snapshot *s)
{
	unsigned int	 i;

	page_addf(p, "<section><h2>Services</h2><table><thead><tr><th>path"
	    "<th>transactions<th>blocked<th>not examined<th>errors<th>mean"
	    "<th>50 %%<th>99 %%<th>received<th>sent</tr></thead><tbody>\n");
	for (i = 1; i < s->nservices; i++)
		html_service(p, s, i);
	html_service(p, s, 0);
	page_addf(p, "</tbody></table></section>\n");
}

static void
html_backends(struct page *p, const struct snapshot *s)
{
	struct health	 h;
	unsigned int	 i = 0;

	if (s->nbackends == 0)
		return;
	page_addf(p, "<section><h2>Back-ends</h2><table><thead><tr><th>"
	    "section<th class=\"l\">back-end<th>state<th>since"
	    "<th class=\"l\"></tr></thead><tbody>\n");
	while (health_next(s, &i, &h)) {
		page_addf(p, "<tr><td>");
		page_html(p, h.service);
		page_addf(p, "</td><td class=\"l\">");
		page_html(p, h.name);
		page_addf(p, "</td><td class=\"%s\">%s</td><td>",
		    h.state == BACKEND_UP ? "ok" : h.state == BACKEND_DOWN ?
		    "bad" : "warn", vital_state_name(h.state));
		if (h.age >= 0)
			html_duration(p, h.age);
		page_addf(p, "</td><td class=\"text\">");
		page_html(p, h.why);
		page_addf(p, "</td></tr>\n");
	}
	page_addf(p, "</tbody></table></section>\n");
}

static void
html_numbers(struct page *p, const struct snapshot *s)
{
	struct vitals_number	 n;
	unsigned int		 i;
	int64_t			 value;

	if (s->nnumbers == 0)
		return;
	page_addf(p, "<section><h2>Numbers of services</h2><table><tbody>\n");
	for (i = 0; i < s->nnumbers; i++) {
		value = health_number(s, i, &n);
		page_addf(p, "<tr><td>");
		page_html(p, n.is.service);
		page_addf(p, "</td><td class=\"l\">");
		page_html(p, n.is.name);
		page_addf(p, "</td><td>%lld</td><td class=\"text dim\">",
		    (long long)value);
		page_html(p, n.help);
		page_addf(p, "</td></tr>\n");
	}
	page_addf(p, "</tbody></table></section>\n");
}

static void
html_recent(struct page *p, const struct snapshot *s)
{
	struct ring_recent	 r;
	uint64_t		 k = 0;
	bool			 is_bad, has_any = false;

	page_addf(p, "<section><h2>Last errors and blocks</h2>"
	    "<table class=\"told\"><tbody>\n");
	while (recent_next(s, &k, &r)) {
		has_any = true;
		is_bad = r.level >= LOG_LEVEL_ERROR;
		page_addf(p, "<tr><td class=\"dim\">");
		html_time(p, r.when);
		page_addf(p, "</td><td class=\"l %s\">%s</td>"
		    "<td class=\"text\">", r.kind == RING_BLOCKED ? "dim" :
		    is_bad ? "bad" : "warn", r.kind == RING_BLOCKED ?
		    recent_kind(&r) :
		    log_level_name((enum log_level)r.level));
		page_html(p, r.text);
		page_addf(p, "</td></tr>\n");
	}
	page_addf(p, "</tbody></table>%s</section>\n", has_any ? "" :
	    "<p class=\"dim\">None since the start.</p>");
}

static void
html_logs(struct page *p, const struct snapshot *s)
{
	const struct ring_public	*pub = &s->logs;
	const struct ring_log		*log;
	unsigned int			 i;

	if (pub->nlogs == 0)
		return;
	page_addf(p, "<section><h2>Logs</h2><table><thead><tr><th>path<th>"
	    "lines<th>size<th>lost<th>state</tr></thead><tbody>\n");
	for (i = 0; i < pub->nlogs; i++) {
		log = &pub->log[i];
		if (!ring_log_is_used(log))
			continue;
		page_addf(p, "<tr><td>");
		page_html(p, log->path);
		page_addf(p, "</td><td>%llu</td><td>",
		    (unsigned long long)log->lines);
		html_bytes(p, log->bytes);
		page_addf(p, "</td><td%s>%llu</td><td class=\"%s\">%s</td>"
		    "</tr>\n", log->lost > 0 ? " class=\"bad\"" : "",
		    (unsigned long long)log->lost,
		    log->failing ? "bad" : "ok", log->failing ? "fails" :
		    "works");
	}
	page_addf(p, "</tbody></table></section>\n");
}

/* What the last reload that succeeded has changed. */
static void
html_changes(struct page *p, unsigned int generation, const char *text)
{
	char	 line[512];
	size_t	 len;

	for (; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		(void)snprintf(line, sizeof(line), "%.*s", (int)len, text);
		page_addf(p, "<tr><td>new in %u</td><td class=\"text\">",
		    generation);
		page_html(p, line);
		page_addf(p, "</td></tr>");
	}
}

static void
html_config(struct page *p, const struct snapshot *s)
{
	const struct board_head	*head = &s->head;
	unsigned int		 i;

	page_addf(p, "<section><h2>Configuration</h2><table><tbody>"
	    "<tr><td>generation</td><td class=\"text\">%u, ISTag ",
	    head->generation);
	page_html(p, head->istag);
	page_addf(p, "</td></tr><tr><td>last reload</td><td class=\"text\">");
	if (head->reload == BOARD_RELOAD_NONE)
		page_addf(p, "none since the start");
	else {
		if (head->reload_time > 0)
			html_time(p, head->reload_time);
		page_addf(p, head->reload == BOARD_RELOAD_BAD ?
		    " <span class=\"bad\">failed:</span> " :
		    head->reload == BOARD_RELOAD_OK ? " succeeded" :
		    " under way");
		page_html(p, head->reload_why);
	}
	page_addf(p, "</td></tr>");
	if (head->reloads > 0)
		html_changes(p, head->generation, head->changes);
	for (i = 0; i < s->sum.nreasons; i++) {
		page_addf(p, "<tr><td>refused %llu times</td>"
		    "<td class=\"text\">",
		    (unsigned long long)s->sum.reason[i].n);
		page_html(p, s->sum.reason[i].text);
		page_addf(p, "</td></tr>");
	}
	page_addf(p, "</tbody></table></section>\n");
}

void
metrics_format_html(struct page *p, const struct snapshot *s)
{
	const char	*mark = strstr(page_template, "@LIVE@");

	page_add(p, page_template, (size_t)(mark - page_template));
	html_head(p, s);
	page_addf(p, "<main>\n");
	html_tiles(p, s);
	page_addf(p, "<section id=\"charts\" hidden><h2>The last two minutes"
	    "</h2><div class=\"charts\"></div></section>\n<div id=\"live\">\n");
	html_workers(p, s);
	html_services(p, s);
	html_backends(p, s);
	html_numbers(p, s);
	html_recent(p, s);
	html_logs(p, s);
	html_config(p, s);
	page_addf(p, "</div></main>\n<footer>");
	html_time(p, (int64_t)time(NULL));
	page_addf(p, " &middot; <a href=\"/metrics\">metrics</a> &middot; "
	    "<a href=\"/status.json\">status.json</a> &middot; "
	    "<a href=\"/readyz?verbose\">readyz</a></footer>\n"
	    "<script type=\"application/json\" id=\"data\">");
	metrics_format_json(p, s);
	page_addf(p, "</script>\n");
	page_add(p, mark + 6, strlen(mark + 6));
}
