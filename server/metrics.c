/* SPDX-License-Identifier: ISC */
/*
 * The numbers of the board and the tally as text: for Prometheus, as JSON.
 * Called by status.c and icapctl.c, which only differ in how they got hold of
 * board and tally; page.c makes HTML of the same.  It only reads.
 *
 * Names follow Prometheus' conventions, which promtool checks in status.sh:
 * base units, _total for what only grows, no labels that a client can invent.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../proto/request.h"
#include "../proto/stream.h"
#include "health.h"
#include "line.h"
#include "log.h"
#include "metrics.h"

void
page_init(struct page *p)
{
	memset(p, 0, sizeof(*p));
}

void
page_add(struct page *p, const char *text, size_t len)
{
	size_t	 size = p->size == 0 ? 16384 : p->size;
	char	*grown;

	while (p->len + len + 1 > size)
		size *= 2;
	if (size != p->size) {
		if ((grown = realloc(p->p, size)) == NULL) {
			p->failed = true;
			return;
		}
		p->p = grown;
		p->size = size;
	}
	memcpy(p->p + p->len, text, len);
	p->len += len;
	p->p[p->len] = '\0';
}

void
page_addf(struct page *p, const char *fmt, ...)
{
	char	 text[1024];
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		page_add(p, text, (size_t)n < sizeof(text) ? (size_t)n :
		    sizeof(text) - 1);
}

void
page_json(struct page *p, const char *text)
{
	char		 out[2048];
	struct slice	 s = { text, strlen(text) };
	struct line	 l;
	size_t		 i;

	line_init(&l, out, sizeof(out));
	line_json(&l, s, sizeof(out));
	/* so that it can stand in a <script>, too */
	for (i = 0; i < l.len; i++)
		if (out[i] == '<')
			page_add(p, "\\u003c", 6);
		else
			page_add(p, out + i, 1);
}

void
page_label(struct page *p, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"')
			page_add(p, "\\", 1);
		if (*text == '\n')
			page_add(p, "\\n", 2);
		else
			page_add(p, text, 1);
	}
}

void
page_html(struct page *p, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '&')
			page_add(p, "&amp;", 5);
		else if (*text == '<')
			page_add(p, "&lt;", 4);
		else if (*text == '>')
			page_add(p, "&gt;", 4);
		else if (*text == '"')
			page_add(p, "&quot;", 6);
		else
			page_add(p, text, 1);
	}
}

/* ---- snapshot ---------------------------------------------------------- */

void
snapshot_take(struct snapshot *s, const struct board *board,
    struct tally *tally)
{
	struct board_sum	 sum;
	unsigned int		 i;

	memset(s, 0, sizeof(*s));
	s->board = board;
	board_copy_head(board, &s->head);
	ring_copy_public(&tally_head(tally)->logs, &s->logs);
	s->nservices = tally_copy_names(tally, s->service);
	s->now = stream_now();
	s->vitals = &tally_head(tally)->vitals;
	s->is_served = vitals_is_ready(s->vitals, NULL);
	s->nbackends = vitals_list_backends(s->vitals, s->backend);
	s->nnumbers = vitals_list_numbers(s->vitals, s->number);
	tally_sum(tally, &s->sum);
	board_sum(board, &sum);
	memcpy(s->by_state, sum.by_state, sizeof(s->by_state));
	for (i = BOARD_STARTING; i <= BOARD_LEAVING; i++)
		s->workers += s->by_state[i];
	s->connections = sum.connections;
	s->transactions = sum.transactions;
	s->refused = sum.refused;
	s->overload = sum.overload;
	for (i = 0; i < BOARD_POOLS; i++)
		s->queued += s->head.queued[i];
}

bool
snapshot_has_workers(const struct snapshot *s)
{
	return s->workers > s->by_state[BOARD_STARTING] +
	    s->by_state[BOARD_LEAVING];
}

bool
snapshot_is_ready(const struct snapshot *s)
{
	return s->is_served && snapshot_has_workers(s);
}

static const char *
service_name(const struct snapshot *s, unsigned int i)
{
	const char	*name = s->service[i];

	return name[0] != '\0' ? name : "none";
}

/* ---- Prometheus -------------------------------------------------------- */

static void
family(struct page *p, const char *name, const char *type, const char *help)
{
	page_addf(p, "# HELP icapd_%s %s\n# TYPE icapd_%s %s\n", name, help,
	    name, type);
}

static void
single(struct page *p, const char *name, const char *type, const char *help,
    uint64_t value)
{
	family(p, name, type, help);
	page_addf(p, "icapd_%s %llu\n", name, (unsigned long long)value);
}

static void
metrics_transactions(struct page *p, const struct snapshot *s)
{
	const struct tally_count	*c;
	uint64_t			 unscanned = 0, blocked = 0, cut = 0;
	unsigned int			 i;

	family(p, "transactions_total", "counter", "Transactions that ended, "
	    "by what was asked and what came of it.");
	for (i = 0; i < s->sum.ncounts; i++) {
		c = &s->sum.count[i];
		page_addf(p, "icapd_transactions_total{service=\"");
		page_label(p, service_name(s, c->key.service));
		page_addf(p, "\",method=\"%s\",status=\"%u\",verdict=\"%s\","
		    "unscanned=\"%s\",blocked=\"%s\",cut=\"%s\"} %llu\n",
		    request_method_name((enum icap_method)c->key.method),
		    c->key.status, tally_verdict_name(
		    (enum tally_verdict)c->key.verdict),
		    (c->key.flags & TALLY_UNSCANNED) != 0 ? "true" : "false",
		    (c->key.flags & TALLY_BLOCKED) != 0 ? "true" : "false",
		    (c->key.flags & TALLY_CUT) != 0 ? "true" : "false",
		    (unsigned long long)c->n);
		if ((c->key.flags & TALLY_UNSCANNED) != 0)
			unscanned += c->n;
		if ((c->key.flags & TALLY_BLOCKED) != 0)
			blocked += c->n;
		if ((c->key.flags & TALLY_CUT) != 0)
			cut += c->n;
	}
	single(p, "uncounted_transactions_total", "counter", "Transactions "
	    "that are missing above: too many combinations.", s->sum.other);
	single(p, "unscanned_total", "counter", "Messages that passed or were "
	    "refused without having been examined.", unscanned);
	single(p, "blocked_total", "counter", "Messages replaced by an error "
	    "page.", blocked);
	single(p, "cut_total", "counter", "Messages withheld when the client "
	    "had a part of them.", cut);
	single(p, "transactions_cut_off_total", "counter", "Transactions whose "
	    "worker died in them.", s->sum.died);
}

static void
metrics_histogram(struct page *p, const char *name,
    const struct tally_service *v)
{
	uint64_t	 n = 0;
	unsigned int	 b;

	for (b = 0; b <= TALLY_BUCKETS; b++) {
		n += v->bucket[b];
		page_addf(p, "icapd_transaction_duration_seconds_bucket{"
		    "service=\"");
		page_label(p, name);
		if (b < TALLY_BUCKETS)
			page_addf(p, "\",le=\"%g\"} %llu\n",
			    (double)tally_bound(b) / 1e6,
			    (unsigned long long)n);
		else
			page_addf(p, "\",le=\"+Inf\"} %llu\n",
			    (unsigned long long)n);
	}
	page_addf(p, "icapd_transaction_duration_seconds_sum{service=\"");
	page_label(p, name);
	page_addf(p, "\"} %.6f\n", (double)v->sum / 1e6);
	page_addf(p, "icapd_transaction_duration_seconds_count{service=\"");
	page_label(p, name);
	page_addf(p, "\"} %llu\n", (unsigned long long)n);
}

static void
metrics_by_service(struct page *p, const struct snapshot *s, const char *name,
    const char *help, size_t offset, double unit)
{
	unsigned int	 i, n = s->nservices;
	uint64_t	 value;

	family(p, name, "counter", help);
	for (i = 0; i < n; i++) {
		memcpy(&value, (const char *)&s->sum.service[i] + offset,
		    sizeof(value));
		page_addf(p, "icapd_%s{service=\"", name);
		page_label(p, service_name(s, i));
		if (unit != 1)
			page_addf(p, "\"} %.6f\n", (double)value * unit);
		else
			page_addf(p, "\"} %llu\n", (unsigned long long)value);
	}
}

static void
metrics_services(struct page *p, const struct snapshot *s)
{
	unsigned int	 i, n = s->nservices;

	family(p, "transaction_duration_seconds", "histogram", "Time from the "
	    "first byte of a request to the last of its reply.");
	for (i = 1; i < n; i++)
		metrics_histogram(p, service_name(s, i), &s->sum.service[i]);
	metrics_by_service(p, s, "service_seconds_total", "Time services took "
	    "before their reply began.", offsetof(struct tally_service,
	    sum_serve), 1e-6);
	metrics_by_service(p, s, "received_bytes_total", "Bytes received from "
	    "clients.", offsetof(struct tally_service, bytes_in), 1);
	metrics_by_service(p, s, "sent_bytes_total", "Bytes sent to clients.",
	    offsetof(struct tally_service, bytes_out), 1);
}

static void
metrics_workers(struct page *p, const struct snapshot *s)
{
	const struct board_head	*head = &s->head;
	unsigned int		 i;

	family(p, "workers", "gauge", "Worker processes by what they do.");
	for (i = BOARD_STARTING; i <= BOARD_LEAVING; i++)
		page_addf(p, "icapd_workers{state=\"%s\"} %u\n",
		    board_state_name(i), s->by_state[i]);
	single(p, "workers_wanted", "gauge", "Workers of all listeners "
	    "together, as configured.", head->workers);
	single(p, "queued_connections", "gauge", "Clients that wait for a "
	    "worker.", s->queued);
	single(p, "connections_total", "counter", "Connections accepted.",
	    s->connections);
	single(p, "refused_connections_total", "counter", "Connections of "
	    "clients that may not connect.", s->refused);
	single(p, "overloads_total", "counter", "Clients told 503 because no "
	    "worker had time.", s->overload);
	single(p, "parks_total", "counter", "Idle connections given up for a "
	    "client that waited.", head->parks);
	single(p, "forks_total", "counter", "Processes started.",
	    head->forks);
	single(p, "deaths_total", "counter", "Processes that ended without "
	    "having been asked to.", head->deaths);
	single(p, "hung_total", "counter", "Workers killed because their "
	    "transaction took too long.", head->hung);
}

static void
metrics_logs(struct page *p, const struct snapshot *s)
{
	const struct ring_public	*pub = &s->logs;
	static const char *const	 name[] = { "log_lines_total",
					    "log_bytes_total",
					    "log_lost_lines_total",
					    "log_errors_total",
					    "log_failing" };
	static const char *const	 help[] = {
		"Lines written to a log.", "Bytes written to a log.",
		"Lines given up because a log could not be written.",
		"Writes to a log that failed.",
		"Whether a log cannot be written now." };
	const struct ring_log		*log;
	unsigned int			 i, k;
	uint64_t			 value[5];

	for (k = 0; k < 5; k++) {
		family(p, name[k], k == 4 ? "gauge" : "counter", help[k]);
		for (i = 0; i < pub->nlogs; i++) {
			log = &pub->log[i];
			if (!ring_log_is_used(log))
				continue;
			value[0] = log->lines;
			value[1] = log->bytes;
			value[2] = log->lost;
			value[3] = log->errors;
			value[4] = log->failing;
			page_addf(p, "icapd_%s{log=\"", name[k]);
			page_label(p, log->path);
			page_addf(p, "\"} %llu\n",
			    (unsigned long long)value[k]);
		}
	}
	single(p, "log_dropped_events_total", "counter", "Events left out of "
	    "the logs, which had no room.", pub->dropped);
	single(p, "log_waits_total", "counter", "Times a worker waited for "
	    "the logger.", pub->waits);
}

void
metrics_format(struct page *p, const struct snapshot *s)
{
	const struct board_head	*head = &s->head;
	const char		*version = strchr(head->stem.program, ' ');
	unsigned int		 i;

	family(p, "build_info", "gauge", "Always 1; says what runs.");
	page_addf(p, "icapd_build_info{version=\"");
	page_label(p, version != NULL ? version + 1 : head->stem.program);
	page_addf(p, "\"} 1\n");
	family(p, "start_time_seconds", "gauge", "When the daemon was "
	    "started, since 1970.");
	page_addf(p, "icapd_start_time_seconds %lld\n",
	    (long long)head->started_time);
	single(p, "config_generation", "gauge", "Number of the configuration "
	    "in use.", head->generation);
	single(p, "reloads_total", "counter", "Reloads that succeeded.",
	    head->reloads);
	single(p, "failed_reloads_total", "counter", "Reloads that changed "
	    "nothing because something was wrong.", head->reloads_failed);
	single(p, "failed_upgrades_total", "counter", "Upgrades whose new "
	    "binary did not get ready.", head->stem.upgrades_failed);
	single(p, "reload_failed", "gauge", "Whether the last reload failed.",
	    head->reload == BOARD_RELOAD_BAD);
	family(p, "reload_time_seconds", "gauge", "When the last reload "
	    "ended, since 1970.");
	page_addf(p, "icapd_reload_time_seconds %lld\n",
	    (long long)head->reload_time);
	metrics_workers(p, s);
	metrics_transactions(p, s);
	family(p, "refusals_total", "counter", "Requests refused or given up, "
	    "by reason.");
	for (i = 0; i < s->sum.nreasons; i++) {
		page_addf(p, "icapd_refusals_total{reason=\"");
		page_label(p, s->sum.reason[i].text);
		page_addf(p, "\"} %llu\n",
		    (unsigned long long)s->sum.reason[i].n);
	}
	metrics_services(p, s);
	health_format_metrics(p, s);
	metrics_logs(p, s);
}

/* ---- JSON -------------------------------------------------------------- */

static void
json_workers(struct page *p, const struct snapshot *s)
{
	struct board_slot	 slot;
	unsigned int		 i;
	bool			 first = true;

	page_addf(p, ",\"workers\":[");
	for (i = 0; i < s->head.nslots; i++) {
		board_copy_slot(s->board, i, &slot);
		if (slot.state == BOARD_FREE || slot.state >= BOARD_AUX)
			continue;
		page_addf(p, "%s{\"number\":%u,\"pid\":%d,\"state\":\"%s\","
		    "\"since_ms\":%lld,\"generation\":%u,\"connections\":%llu,"
		    "\"transactions\":%llu,\"bytes_in\":%llu,"
		    "\"bytes_out\":%llu}", first ? "" : ",", i, slot.pid,
		    board_state_name(slot.state),
		    (long long)board_age(s->now, slot.since), slot.generation,
		    (unsigned long long)slot.connections,
		    (unsigned long long)slot.transactions,
		    (unsigned long long)slot.bytes_in,
		    (unsigned long long)slot.bytes_out);
		first = false;
	}
	page_addf(p, "]");
}

/* What of all messages of a service was what. */
static void
json_outcomes(struct page *p, const struct snapshot *s, unsigned int service)
{
	const struct tally_count	*c;
	uint64_t			 n[5] = { 0 };
	unsigned int			 i;

	for (i = 0; i < s->sum.ncounts; i++) {
		c = &s->sum.count[i];
		if (c->key.service != service)
			continue;
		n[0] += c->n;
		if (c->key.status >= 400 || c->key.status == 0)
			n[1] += c->n;
		if ((c->key.flags & TALLY_BLOCKED) != 0)
			n[2] += c->n;
		if ((c->key.flags & TALLY_UNSCANNED) != 0)
			n[3] += c->n;
		if ((c->key.flags & TALLY_CUT) != 0)
			n[4] += c->n;
	}
	page_addf(p, ",\"transactions\":%llu,\"errors\":%llu,\"blocked\":%llu,"
	    "\"unscanned\":%llu,\"cut\":%llu", (unsigned long long)n[0],
	    (unsigned long long)n[1], (unsigned long long)n[2],
	    (unsigned long long)n[3], (unsigned long long)n[4]);
}

uint32_t
metrics_quantile(const struct tally_service *v, double q)
{
	uint64_t	 n = 0, sum = 0;
	unsigned int	 b;

	for (b = 0; b <= TALLY_BUCKETS; b++)
		n += v->bucket[b];
	if (n == 0)
		return 0;
	for (b = 0; b < TALLY_BUCKETS; b++) {
		sum += v->bucket[b];
		if ((double)sum >= q * (double)n)
			return tally_bound(b);
	}
	return UINT32_MAX;
}

/* null: of nothing, or longer than any bound */
static void
json_quantile(struct page *p, const char *key, const struct tally_service *v,
    double q)
{
	uint32_t	 us = metrics_quantile(v, q);

	if (us == 0 || us == UINT32_MAX)
		page_addf(p, "\"%s\":null,", key);
	else
		page_addf(p, "\"%s\":%u,", key, us);
}

static void
json_services(struct page *p, const struct snapshot *s)
{
	const struct tally_service	*v;
	unsigned int			 i, b, n = s->nservices;

	page_addf(p, ",\"bounds_us\":[");
	for (b = 0; b < TALLY_BUCKETS; b++)
		page_addf(p, "%s%u", b == 0 ? "" : ",", tally_bound(b));
	page_addf(p, "],\"services\":[");
	for (i = 0; i < n; i++) {
		v = &s->sum.service[i];
		page_addf(p, "%s{\"path\":\"", i == 0 ? "" : ",");
		page_json(p, s->service[i]);
		page_addf(p, "\"");
		json_outcomes(p, s, i);
		page_addf(p, ",\"bytes_in\":%llu,\"bytes_out\":%llu,"
		    "\"sum_us\":%llu,\"service_us\":%llu,",
		    (unsigned long long)v->bytes_in,
		    (unsigned long long)v->bytes_out,
		    (unsigned long long)v->sum,
		    (unsigned long long)v->sum_serve);
		json_quantile(p, "p50_us", v, 0.5);
		json_quantile(p, "p99_us", v, 0.99);
		page_addf(p, "\"buckets\":[");
		for (b = 0; b <= TALLY_BUCKETS; b++)
			page_addf(p, "%s%llu", b == 0 ? "" : ",",
			    (unsigned long long)v->bucket[b]);
		page_addf(p, "]}");
	}
	page_addf(p, "]");
}

static void
json_logs(struct page *p, const struct snapshot *s)
{
	const struct ring_public	*pub = &s->logs;
	const struct ring_log		*log;
	unsigned int			 i;
	bool				 first = true;

	page_addf(p, ",\"logs\":[");
	for (i = 0; i < pub->nlogs; i++) {
		log = &pub->log[i];
		if (!ring_log_is_used(log))
			continue;
		page_addf(p, "%s{\"path\":\"", first ? "" : ",");
		first = false;
		page_json(p, log->path);
		page_addf(p, "\",\"lines\":%llu,\"bytes\":%llu,\"lost\":%llu,"
		    "\"errors\":%llu,\"failing\":%s}",
		    (unsigned long long)log->lines,
		    (unsigned long long)log->bytes,
		    (unsigned long long)log->lost,
		    (unsigned long long)log->errors,
		    log->failing ? "true" : "false");
	}
	page_addf(p, "]");
}

const char *
recent_kind(const struct ring_recent *recent)
{
	return recent->kind == RING_EVENT ? "event" :
	    recent->kind == RING_BLOCKED ? "blocked" : "transaction";
}

bool
recent_next(const struct snapshot *s, uint64_t *k, struct ring_recent *recent)
{
	const struct ring_recent	*table, *r;
	uint64_t			 top = 0;
	unsigned int			 i;

	table = s->logs.recent;
	for (i = 0; i < RING_RECENTS; i++)
		if (table[i].number > top)
			top = table[i].number;
	if (*k == 0)
		*k = top + 1;
	while (--*k > 0 && *k + RING_RECENTS > top) {
		r = &table[(*k - 1) % RING_RECENTS];
		if (r->number != *k)
			continue;
		*recent = *r;
		return true;
	}
	return false;
}

/* The last errors, newest first. */
void
metrics_format_recent(struct page *p, const struct snapshot *s)
{
	struct ring_recent	 r;
	uint64_t		 k = 0;
	const char		*comma = "";

	page_addf(p, "\"recent\":[");
	while (recent_next(s, &k, &r)) {
		page_addf(p, "%s{\"number\":%llu,\"time\":%lld,\"kind\":\"%s\","
		    "\"level\":\"%s\",\"text\":\"", comma,
		    (unsigned long long)k, (long long)r.when,
		    recent_kind(&r), log_level_name((enum log_level)r.level));
		page_json(p, r.text);
		page_addf(p, "\"}");
		comma = ",";
	}
	page_addf(p, "]");
}

static const char *
reload_name(uint32_t reload)
{
	static const char *const	 name[] = { "none", "running", "ok",
					    "failed" };

	return reload < 4 ? name[reload] : "unknown";
}

static void
json_changes(struct page *p, const char *text)
{
	char		 line[512];
	const char	*comma = "";
	size_t		 len;

	for (; *text != '\0'; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		(void)snprintf(line, sizeof(line), "%.*s", (int)len, text);
		page_addf(p, "%s\"", comma);
		page_json(p, line);
		page_addf(p, "\"");
		comma = ",";
	}
}

void
metrics_format_json(struct page *p, const struct snapshot *s)
{
	const struct board_head	*head = &s->head;
	unsigned int		 i;

	page_addf(p, "{\"program\":\"");
	page_json(p, head->stem.program);
	page_addf(p, "\",\"pid\":%d,\"time\":%lld,\"clock_ms\":%lld,"
	    "\"started\":%lld,\"uptime_ms\":%lld,\"ready\":%s,"
	    "\"generation\":%u,\"istag\":\"", head->master,
	    (long long)time(NULL), (long long)s->now,
	    (long long)head->started_time,
	    (long long)board_age(s->now, head->started),
	    snapshot_is_ready(s) ? "true" : "false", head->generation);
	page_json(p, head->istag);
	page_addf(p, "\",\"configuration\":\"");
	page_json(p, head->conf_file);
	page_addf(p, "\",\"reload\":{\"result\":\"%s\",\"time\":%lld,"
	    "\"succeeded\":%llu,\"failed\":%llu,\"why\":\"",
	    reload_name(head->reload), (long long)head->reload_time,
	    (unsigned long long)head->reloads,
	    (unsigned long long)head->reloads_failed);
	page_json(p, head->reload_why);
	page_addf(p, "\",\"changes\":[");
	json_changes(p, head->changes);
	page_addf(p, "]},\"failed_upgrades\":%llu,\"uncounted\":%llu,"
	    "\"states\":{", (unsigned long long)head->stem.upgrades_failed,
	    (unsigned long long)s->sum.other);
	for (i = BOARD_STARTING; i <= BOARD_LEAVING; i++)
		page_addf(p, "%s\"%s\":%u", i == BOARD_STARTING ? "" : ",",
		    board_state_name(i), s->by_state[i]);
	page_addf(p, "},\"queued\":%u,\"connections\":%llu,"
	    "\"transactions\":%llu,\"refused\":%llu,\"overload\":%llu,"
	    "\"cut_off\":%llu,\"parks\":%llu,\"forks\":%llu,\"deaths\":%llu,"
	    "\"hung\":%llu,\"log_waits\":%llu,\"log_dropped\":%llu",
	    s->queued,
	    (unsigned long long)s->connections,
	    (unsigned long long)s->transactions,
	    (unsigned long long)s->refused, (unsigned long long)s->overload,
	    (unsigned long long)s->sum.died, (unsigned long long)head->parks,
	    (unsigned long long)head->forks, (unsigned long long)head->deaths,
	    (unsigned long long)head->hung,
	    (unsigned long long)s->logs.waits,
	    (unsigned long long)s->logs.dropped);
	json_workers(p, s);
	json_services(p, s);
	health_format_json(p, s);
	page_addf(p, ",\"refusals\":[");
	for (i = 0; i < s->sum.nreasons; i++) {
		page_addf(p, "%s{\"reason\":\"", i == 0 ? "" : ",");
		page_json(p, s->sum.reason[i].text);
		page_addf(p, "\",\"n\":%llu}",
		    (unsigned long long)s->sum.reason[i].n);
	}
	page_addf(p, "]");
	json_logs(p, s);
	page_addf(p, ",");
	metrics_format_recent(p, s);
	page_addf(p, "}\n");
}
