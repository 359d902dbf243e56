/* SPDX-License-Identifier: ISC */
/*
 * Is the daemon ready, and in which state is what it depends on: the
 * back-ends and the numbers of services, as text, as metrics, as JSON.
 * Called by metrics.c, page.c, status.c, info.c and icapctl.c.  It only
 * reads; what ready means is said in icapd(8).
 */
#include <string.h>
#include <time.h>

#include "../proto/chars.h"
#include "../proto/stream.h"
#include "health.h"

/* When that was; to the millisecond, or it would seem to move. */
static int64_t
wall_time(int64_t age)
{
	struct timespec	 ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000 -
	    age) / 1000;
}

bool
health_next(const struct snapshot *s, unsigned int *i, struct health *h)
{
	const struct vitals_backend	*b;

	while (*i < s->nbackends) {
		b = &s->vitals->backend[s->backend[(*i)++]];
		/* not if there was a reload since the snapshot */
		if (!vitals_is_shown(s->vitals, &b->is, &h->needed))
			continue;
		vitals_copy_label(&b->is, &h->is);
		h->service = h->is.service;
		h->kind = h->is.kind;
		h->name = h->is.name;
		vital_read(&b->state, &h->copy);
		chars_clean(h->copy.why, sizeof(h->copy.why), '\0');
		h->state = (enum backend_state)h->copy.state;
		h->why = h->copy.why;
		h->since = 0;
		h->age = -1;
		if (h->copy.since != 0) {
			h->age = board_age(stream_now(), h->copy.since);
			h->since = wall_time(h->age);
		}
		return true;
	}
	return false;
}

const char *
health_since(const struct health *h)
{
	static char	 text[48];
	time_t		 t = (time_t)h->since;
	struct tm	 tm;

	if (h->since == 0 || gmtime_r(&t, &tm) == NULL)
		return "";
	(void)strftime(text, sizeof(text), "since %Y-%m-%d %H:%M:%SZ", &tm);
	return text;
}

int64_t
health_number(const struct snapshot *s, unsigned int i,
    struct vitals_number *n)
{
	const struct vitals_number	*shared;

	shared = &s->vitals->number[s->number[i]];
	memcpy(n, shared, sizeof(*n));
	vitals_copy_label(&shared->is, &n->is);
	chars_clean(n->help, sizeof(n->help), '\0');
	return n->is_gauge ? n->value : (int64_t)s->sum.own[s->number[i]];
}

/* ---- text --------------------------------------------------------------- */

/* How many of the back-ends of the service of h there are, and work. */
static unsigned int
count_served(const struct snapshot *s, const struct health *h,
    unsigned int *all)
{
	struct health	 other;
	unsigned int	 i = 0, n = 0;

	*all = 0;
	while (health_next(s, &i, &other))
		if (strcmp(other.service, h->service) == 0) {
			++*all;
			n += other.state >= BACKEND_STALE;
		}
	return n;
}

static void
format_backends(struct page *p, const struct snapshot *s)
{
	struct health	 h;
	char		 last[sizeof(h.is.service)] = "";
	const char	*mark;
	unsigned int	 i = 0, n, all;

	while (health_next(s, &i, &h)) {
		n = count_served(s, &h, &all);
		mark = h.state == BACKEND_UP ? "+" : n == 0 && h.needed ?
		    "-" : "!";
		if (strcmp(last, h.service) != 0)
			page_addf(p, "[%s] service %s: %u of %u back-ends "
			    "up%s\n", n == all ? "+" : n == 0 && h.needed ?
			    "-" : "!", h.service, n, all, h.needed ? "" :
			    ", none is needed");
		(void)strlcpy(last, h.service, sizeof(last));
		page_addf(p, "[%s] service %s: %s: %s%s%s%s%s\n", mark,
		    h.service, h.name, vital_state_name(h.state),
		    h.since != 0 ? " " : "", health_since(&h),
		    h.why[0] != '\0' ? ": " : "", h.why);
	}
}

void
health_format(struct page *p, const struct snapshot *s, bool verbose)
{
	const struct ring_public	*pub = &s->logs;
	const struct board_head		*head = &s->head;
	bool				 is_bad;
	unsigned int			 i;

	if (verbose) {
		is_bad = head->reload == BOARD_RELOAD_BAD;
		page_addf(p, "[%s] workers: %u, %u of them free\n",
		    snapshot_has_workers(s) ? "+" : "-", s->workers,
		    s->by_state[BOARD_ACCEPT]);
		page_addf(p, "[%s] queue: %u clients wait\n", s->queued == 0 ?
		    "+" : "!", s->queued);
		page_addf(p, "[%s] configuration: generation %u%s%s\n",
		    is_bad ? "!" : "+", head->generation, is_bad ?
		    ", last reload failed: " : "", is_bad ?
		    head->reload_why : "");
		for (i = 0; i < pub->nlogs; i++)
			page_addf(p, "[%s] log %s: %llu lines lost\n",
			    pub->log[i].failing ? "!" : "+",
			    pub->log[i].path,
			    (unsigned long long)pub->log[i].lost);
		format_backends(p, s);
	}
	page_addf(p, "%s\n", snapshot_is_ready(s) ? "ready" : "not ready");
}

/* ---- metrics ------------------------------------------------------------ */

static void
metrics_backends(struct page *p, const struct snapshot *s, const char *name,
    const char *help, bool stale)
{
	struct health	 h;
	unsigned int	 i = 0;

	page_addf(p, "# HELP icapd_%s %s\n# TYPE icapd_%s gauge\n", name,
	    help, name);
	while (health_next(s, &i, &h)) {
		page_addf(p, "icapd_%s{service=\"", name);
		page_label(p, h.service);
		page_addf(p, "\",backend=\"");
		page_label(p, h.name);
		page_addf(p, "\"} %d\n", stale ? h.state == BACKEND_STALE :
		    h.state >= BACKEND_STALE);
	}
}

static void
format_help(struct page *p, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\')
			page_add(p, "\\", 1);
		page_add(p, text, 1);
	}
}

/* A service may be called what no metric can. */
static void
format_word(struct page *p, const char *c)
{
	for (; *c != '\0'; c++)
		page_addf(p, "%c", (*c | 0x20) >= 'a' && (*c | 0x20) <= 'z' ?
		    *c : *c >= '0' && *c <= '9' ? *c : '_');
}

static void
format_family(struct page *p, const struct vitals_number *n)
{
	page_addf(p, "icapd_service_");
	format_word(p, n->is.kind);
	page_addf(p, "_");
	format_word(p, n->is.name);
	page_addf(p, "%s", n->is_gauge ? "" : "_total");
}

static bool
is_same_family(const struct vitals_number *a, const struct vitals_number *b)
{
	return !a->is_gauge == !b->is_gauge &&
	    strcmp(a->is.kind, b->is.kind) == 0 &&
	    strcmp(a->is.name, b->is.name) == 0;
}

/* All of the family of number i, unless it was there before. */
static void
metrics_numbers(struct page *p, const struct snapshot *s, unsigned int i)
{
	struct vitals_number	 first, n;
	unsigned int		 k;
	int64_t			 value;

	(void)health_number(s, i, &first);
	for (k = 0; k < i; k++) {
		(void)health_number(s, k, &n);
		if (is_same_family(&n, &first))
			return;
	}
	page_addf(p, "# HELP ");
	format_family(p, &first);
	page_addf(p, " ");
	format_help(p, first.help);
	page_addf(p, "\n# TYPE ");
	format_family(p, &first);
	page_addf(p, " %s\n", first.is_gauge ? "gauge" : "counter");
	for (k = i; k < s->nnumbers; k++) {
		value = health_number(s, k, &n);
		if (!is_same_family(&n, &first))
			continue;
		format_family(p, &n);
		page_addf(p, "{service=\"");
		page_label(p, n.is.service);
		page_addf(p, "\"} %lld\n", (long long)value);
	}
}

void
health_format_metrics(struct page *p, const struct snapshot *s)
{
	unsigned int	 i;

	page_addf(p, "# HELP icapd_ready Whether somebody can be served as "
	    "configured.\n# TYPE icapd_ready gauge\nicapd_ready %d\n",
	    snapshot_is_ready(s));
	metrics_backends(p, s, "backend_up", "Whether a back-end of a service "
	    "can be used.", false);
	metrics_backends(p, s, "backend_stale", "Whether it is used as it "
	    "was, as it cannot be renewed.", true);
	for (i = 0; i < s->nnumbers; i++)
		metrics_numbers(p, s, i);
}

/* ---- JSON --------------------------------------------------------------- */

static void
json_pair(struct page *p, const char *key, const char *text)
{
	page_addf(p, "\"%s\":\"", key);
	page_json(p, text);
	page_addf(p, "\"");
}

void
health_format_json(struct page *p, const struct snapshot *s)
{
	struct vitals_number	 n;
	struct health		 h;
	unsigned int		 i = 0;
	int64_t			 value;
	const char		*comma = "";

	page_addf(p, ",\"backends\":[");
	while (health_next(s, &i, &h)) {
		page_addf(p, "%s{", comma);
		json_pair(p, "service", h.service);
		page_addf(p, ",");
		json_pair(p, "kind", h.kind);
		page_addf(p, ",");
		json_pair(p, "name", h.name);
		page_addf(p, ",\"state\":\"%s\",\"since\":%lld,"
		    "\"since_ms\":%lld,\"needed\":%s,",
		    vital_state_name(h.state), (long long)h.since,
		    (long long)h.age, h.needed ? "true" : "false");
		json_pair(p, "why", h.why);
		page_addf(p, "}");
		comma = ",";
	}
	page_addf(p, "],\"numbers\":[");
	comma = "";
	for (i = 0; i < s->nnumbers; i++) {
		value = health_number(s, i, &n);
		page_addf(p, "%s{", comma);
		json_pair(p, "service", n.is.service);
		page_addf(p, ",");
		json_pair(p, "kind", n.is.kind);
		page_addf(p, ",");
		json_pair(p, "name", n.is.name);
		page_addf(p, ",\"type\":\"%s\",\"value\":%lld}", n.is_gauge ?
		    "gauge" : "counter", (long long)value);
		comma = ",";
	}
	page_addf(p, "]");
}
