/* SPDX-License-Identifier: ISC */
/*
 * blocklist: refuses, redirects or notes requests (and responses) for what is
 * in lists of domains, URLs and expressions.  The lists are compiled in load()
 * and, when a source has changed, in poll(); all processes map one database.
 * A transaction is decided on the heads alone.
 *
 * The order of decisions: a host that a block page lives on, and what a list
 * allows, passes; then the longest match that some rule is for; then
 * expressions; then rules for any URL.  A URL that cannot be found out, or
 * that recipients would read in different ways, is a failure, never a pass.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blocklist_hosts.h"
#include "blocklist_rule.h"
#include "blocklist_share.h"
#include "blocklist_store.h"
#include "expr.h"

/* Where compiled lists go unless the section says so. */
#define CACHE		"/var/cache/icapd"

/* Longest URL in a header, a note or on a page, bytes. */
#define SHOWN_MAX	1024

/* Longest Location, bytes. */
#define LOCATION_MAX	4096

/*
 * A source is compiled when it has been the same in two polls, as it may be
 * half written; after so many that it was not, anyway.
 */
#define SETTLE_MAX	6

/* Between two look-ups of the hosts of redirects, seconds. */
#define HOSTS_PERIOD	30

struct expression {
	struct expr	*expr;
	char		*text;		/* by which it is known again */
	size_t		 len;
	unsigned int	 list;
	bool		 is_taken;	/* it is the next set's, too */
};

/* Expressions compared to find one again; most lists keep their order. */
#define AGAIN_MAX	256

struct blocklist {
	const char		*name;
	const char		*cache;
	struct blocklist_sources sources;
	uint64_t		 allow;		/* set of lists */
	struct blocklist_rule	*rule;
	unsigned int		 nrules;
	bool			 has_types;	/* a rule asks for them */
	struct service_template	**page;
	unsigned int		 npages;
	char			**exempt;	/* hosts, normal form */
	unsigned int		 nexempt;
	struct blocklist_hosts	*hosts;		/* of redirects */

	struct blocklist_share	*share;
	/* of each process its own */
	struct blocklist_db	 db;
	uint32_t		 number;	/* of the share */
	struct expression	*expression;
	unsigned int		 nexpressions;

	/* of the one that polls */
	unsigned char		 stamp[BLOCKLIST_DIGEST_LEN];
	unsigned char		 pending[BLOCKLIST_DIGEST_LEN];
	unsigned int		 settling;
	time_t			 looked_up;	/* hosts; monotonic */
	bool			 is_failing;
	bool			 is_kept_back;	/* from the workers */

	/* for people */
	time_t			 loaded;	/* the database in use */
	bool			 is_stale;	/* a newer one is no good */
	struct service_gauge	*entries;
	struct service_gauge	*refused;
};

static const cfg_opt_t list_options[] = {
	CFG_STR_LIST("path", NULL, CFGF_NODEFAULT),
	CFG_STR("category", NULL, CFGF_NONE),
	CFG_BOOL("allow", cfg_false, CFGF_NONE),
	CFG_BOOL("empty", cfg_false, CFGF_NONE),
	CFG_END()
};

static const cfg_opt_t rule_options[] = {
	CFG_STR_LIST("lists", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("clients", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("users", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("groups", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("types", NULL, CFGF_NODEFAULT),
	CFG_STR_LIST("when", NULL, CFGF_NODEFAULT),
	CFG_STR("action", NULL, CFGF_NONE),
	CFG_STR("redirect", NULL, CFGF_NONE),
	CFG_INT("status", 0, CFGF_NONE),
	CFG_STR("template", NULL, CFGF_NONE),
	CFG_END()
};

static const cfg_opt_t options[] = {
	CFG_STR("cache", CACHE, CFGF_NONE),
	CFG_STR_LIST("exempt", NULL, CFGF_NODEFAULT),
	CFG_STR("template", "", CFGF_NONE),
	CFG_SEC("list", (cfg_opt_t *)(uintptr_t)list_options,
	    CFGF_MULTI | CFGF_TITLE),
	CFG_SEC("rule", (cfg_opt_t *)(uintptr_t)rule_options,
	    CFGF_MULTI | CFGF_TITLE),
	CFG_END()
};

/* ---- expressions --------------------------------------------------------- */

/* But for those that the next set has as well. */
static void
free_expressions(struct expression *e, unsigned int n)
{
	unsigned int	 i;

	for (i = 0; i < n; i++)
		if (!e[i].is_taken) {
			expr_free(e[i].expr);
			free(e[i].text);
		}
	free(e);
}

/* The same expression in the set that is there, from number *from on. */
static struct expression *
find_again(struct blocklist *b, const char *text, size_t len,
    unsigned int *from)
{
	struct expression	*e;
	unsigned int		 i;

	for (i = *from; i < b->nexpressions && i < *from + AGAIN_MAX; i++) {
		e = &b->expression[i];
		if (e->len == len && memcmp(e->text, text, len) == 0) {
			*from = i + 1;
			return e;
		}
	}
	return NULL;
}

/* Most changes of lists are none of theirs. */
static bool
is_same_set(struct blocklist *b)
{
	const char	*text;
	unsigned int	 i, list;
	size_t		 len;

	if (b->db.trailer.expressions != b->nexpressions)
		return false;
	for (i = 0; i < b->nexpressions; i++) {
		text = blocklist_db_get_expression(&b->db, i, &len, &list);
		if (text == NULL || list != b->expression[i].list ||
		    len != b->expression[i].len ||
		    memcmp(text, b->expression[i].text, len) != 0)
			return false;
	}
	return true;
}

static int
compile_expression(struct expression *e, const char *text, size_t len,
    unsigned int flags)
{
	char	 why[EXPR_WHY_MAX];

	e->expr = expr_new(text, len, EXPR_NOCASE | flags, why);
	e->text = malloc(len + 1);
	e->len = len;
	if (e->expr == NULL || e->text == NULL)
		return -1;
	memcpy(e->text, text, len);
	return 0;
}

/*
 * The set of a database.  What is compiled already is taken over as it is: the
 * memory of that is the master's, which all processes share.  Returns 0, or -1
 * with the set as it was.
 */
static int
load_expressions(struct blocklist *b, unsigned int flags)
{
	unsigned int		 n = (unsigned int)b->db.trailer.expressions;
	struct expression	*new = NULL, *old;
	const char		*text;
	unsigned int		 i, list, from = 0;
	size_t			 len;
	int			 result = 0;

	if (is_same_set(b))
		return 0;
	if (n > 0 && (new = calloc(n, sizeof(*new))) == NULL)
		return -1;
	for (i = 0; i < n; i++) {
		text = blocklist_db_get_expression(&b->db, i, &len, &list);
		if (text == NULL || list >= b->sources.nlists)
			break;
		if ((old = find_again(b, text, len, &from)) != NULL) {
			old->is_taken = true;
			new[i] = *old;
		} else if (compile_expression(&new[i], text, len,
		    flags) == -1)
			break;
		new[i].list = list;
	}
	if (i < n) {
		free_expressions(new, n);
		new = b->expression;
		n = b->nexpressions;
		result = -1;
	} else
		free_expressions(b->expression, b->nexpressions);
	for (i = 0; i < n; i++)
		new[i].is_taken = false;
	b->expression = new;
	b->nexpressions = n;
	return result;
}

/* ---- opening ------------------------------------------------------------- */

static int
open_list(struct blocklist *b, const struct service_setup *setup, cfg_t *cfg)
{
	struct blocklist_list	*l = &b->sources.list[b->sources.nlists];
	unsigned int		 i;

	l->name = cfg_title(cfg);
	l->category = cfg_getstr(cfg, "category");
	if (l->category == NULL)
		l->category = l->name;
	l->allow = cfg_getbool(cfg, "allow");
	l->may_be_empty = cfg_getbool(cfg, "empty");
	l->npaths = cfg_size(cfg, "path");
	if (l->npaths == 0) {
		setup->error_at(setup, cfg, NULL, 0, "there is no path: "
		    "expected files or folders, as in path = {\"FILE\"}");
		return -1;
	}
	if (chars_span(l->category, strlen(l->category), CHARS_TEXT) !=
	    strlen(l->category)) {
		setup->error_at(setup, cfg, "category", 0, "category with a "
		    "control character: expected a text of one line");
		return -1;
	}
	if ((l->path = calloc(l->npaths, sizeof(*l->path))) == NULL)
		return -1;
	for (i = 0; i < l->npaths; i++)
		l->path[i] = cfg_getnstr(cfg, "path", i);
	if (l->allow)
		b->allow |= UINT64_C(1) << b->sources.nlists;
	l->backend = setup->backend(setup, l->name, 1);
	b->sources.nlists++;
	return 0;
}

static int
open_lists(struct blocklist *b, const struct service_setup *setup)
{
	unsigned int	 i, n = cfg_size(setup->section, "list");
	int		 result = 0;

	if (n > BLOCKLIST_LISTS_MAX) {
		setup->error(setup, "%u lists: expected at most %d", n,
		    BLOCKLIST_LISTS_MAX);
		return -1;
	}
	b->sources.section = setup->name;
	b->sources.list = calloc(n + 1, sizeof(*b->sources.list));
	if (b->sources.list == NULL)
		return -1;
	for (i = 0; i < n; i++)
		if (open_list(b, setup,
		    cfg_getnsec(setup->section, "list", i)) == -1)
			result = -1;
	return result;
}

/* A host that is never blocked; nor are, of a redirect, its addresses. */
static int
add_exempt(struct blocklist *b, const char *text, size_t len,
    bool is_redirect)
{
	static const struct slice	 nowhere = { "", 0 };
	struct weburl			 u;
	struct slice			 s = { text, len };
	char				**grown;

	if (weburl_parse(&u, s, nowhere) == -1)
		return -1;
	grown = reallocarray(b->exempt, b->nexempt + 1, sizeof(*grown));
	if (grown == NULL)
		return -1;
	b->exempt = grown;
	if ((grown[b->nexempt] = strndup(u.text, u.host_len)) == NULL)
		return -1;
	b->nexempt++;
	return is_redirect ? blocklist_hosts_add(b->hosts, &u) : 0;
}

static int
open_exempt(struct blocklist *b, const struct service_setup *setup)
{
	const char	*text;
	unsigned int	 i;
	int		 result = 0;

	if ((b->hosts = blocklist_hosts_new(b->name, NULL)) == NULL) {
		setup->error(setup, "no memory to share: %s",
		    strerror(errno));
		return -1;
	}
	for (i = 0; i < cfg_size(setup->section, "exempt"); i++) {
		text = cfg_getnstr(setup->section, "exempt", i);
		if (add_exempt(b, text, strlen(text), false) == -1) {
			setup->error_at(setup, setup->section, "exempt", i,
			    "exempt \"%s\": expected a host or an address",
			    text);
			result = -1;
		}
	}
	for (i = 0; i < b->nrules; i++)
		if ((text = b->rule[i].redirect) != NULL &&
		    add_exempt(b, text, 8 + strcspn(text + 8, "/?%"),
		    true) == -1) {
			setup->error(setup, "redirect \"%s\": expected a "
			    "host in it", text);
			result = -1;
		}
	return result;
}

static int
open_page(struct blocklist *b, const struct service_setup *setup,
    const char *path, const struct service_template **page)
{
	struct service_template	**grown;

	if (path == NULL || path[0] == '\0')
		return 0;
	grown = reallocarray(b->page, b->npages + 1, sizeof(*grown));
	if (grown == NULL)
		return -1;
	b->page = grown;
	if ((grown[b->npages] = service_template_open(setup, path)) == NULL)
		return -1;
	*page = grown[b->npages++];
	return 0;
}

static int
open_rules(struct blocklist *b, const struct service_setup *setup)
{
	const struct service_template	*page = NULL, *own;
	unsigned int			 i, n;
	cfg_t				*cfg;
	int				 result = 0;

	if (open_page(b, setup, cfg_getstr(setup->section, "template"),
	    &page) == -1)
		result = -1;
	n = cfg_size(setup->section, "rule");
	if ((b->rule = calloc(n + 1, sizeof(*b->rule))) == NULL)
		return -1;
	if (n == 0) {
		/* what is listed is blocked */
		b->rule[0].name = "";
		b->rule[0].lists = ~b->allow;
		b->rule[0].status = 403;
		b->rule[0].page = page;
		b->nrules = 1;
		return result;
	}
	for (i = 0; i < n; i++) {
		cfg = cfg_getnsec(setup->section, "rule", i);
		if (blocklist_rule_init(&b->rule[b->nrules], setup, cfg,
		    &b->sources) == -1)
			result = -1;
		b->has_types = b->has_types || b->rule[b->nrules].ntypes > 0;
		own = page;
		if (open_page(b, setup, cfg_getstr(cfg, "template"),
		    &own) == -1)
			result = -1;
		b->rule[b->nrules++].page = own;
	}
	return result;
}

/* A text for the ISTag, and for comparison. */
static uint64_t
version_of(const struct blocklist_db *db)
{
	uint64_t	 version;

	memcpy(&version, db->trailer.digest, sizeof(version));
	return version;
}

/* Every list is in use as it is now. */
static void
show_lists(struct blocklist *b)
{
	const unsigned char	*d = b->db.trailer.digest;
	const struct blocklist_list *l;
	struct blocklist_about	 about;
	unsigned long long	 all = 0, bad = 0;
	unsigned int		 i;
	struct tm		 tm;
	char			 text[32];

	if (gmtime_r(&b->loaded, &tm) == NULL ||
	    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%SZ", &tm) == 0)
		text[0] = '\0';
	for (i = 0; i < b->sources.nlists; i++) {
		l = &b->sources.list[i];
		blocklist_db_get_about(&b->db, i, &about, NULL);
		all += about.entries;
		bad += about.refused;
		service_backend_set(l->backend, BACKEND_UP, "%llu entries, "
		    "%llu lines refused, loaded %s, digest %02x%02x%02x%02x",
		    (unsigned long long)about.entries,
		    (unsigned long long)about.refused, text, d[0], d[1],
		    d[2], d[3]);
	}
	service_gauge_set(b->entries, (int64_t)all);
	service_gauge_set(b->refused, (int64_t)bad);
}

/* The new one cannot be had, the old one stays in use. */
static void
show_fault(const struct blocklist *b, const struct blocklist_fault *fault)
{
	const struct blocklist_list	*l = &b->sources.list[fault->list];

	service_backend_set(l->backend, BACKEND_STALE, "%s: %s",
	    l->path[fault->path], fault->why);
}

static int
blocklist_load(const struct service_setup *setup, void *instance)
{
	struct blocklist	*b = instance;
	struct blocklist_fault	 fault;
	cfg_t			*cfg;
	int			 fd, keep[2];

	if (b->sources.nlists == 0)
		return 0;
	b->sources.is_rehearsed = setup->rehearsed;
	fd = blocklist_store_open(&b->sources, b->cache, NULL, &b->db,
	    b->stamp, &fault);
	b->sources.is_rehearsed = false;
	if (fd == -1) {
		cfg = cfg_getnsec(setup->section, "list", fault.list);
		setup->error_at(setup, cfg, "path", fault.path,
		    "path \"%s\": %s", b->sources.list[fault.list].path[
		    fault.path], fault.why);
		return -1;
	}
	(void)close(fd);
	if (load_expressions(b, EXPR_JIT) == -1) {
		setup->error(setup, "the expressions cannot be compiled: %s",
		    expr_is_built_in() ? strerror(errno) :
		    "icapd was built without PCRE2");
		return -1;
	}
	if ((b->share = blocklist_share_new(version_of(&b->db))) == NULL) {
		setup->error(setup, "no memory to share: %s",
		    strerror(errno));
		return -1;
	}
	b->loaded = time(NULL);
	show_lists(b);
	blocklist_share_get_fds(b->share, keep);
	return setup->keep(setup, keep[0]) == 0 &&
	    setup->keep(setup, keep[1]) == 0 ? 0 : -1;
}

static void blocklist_close(void *instance);

static int
blocklist_open(const struct service_setup *setup, void **instance)
{
	struct blocklist	*b;
	int			 result = 0;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return -1;
	b->name = setup->name;
	b->cache = cfg_getstr(setup->section, "cache");
	if (b->cache[0] != '/') {
		setup->error(setup, "cache \"%s\": expected an absolute path",
		    b->cache);
		result = -1;
	}
	b->entries = setup->gauge(setup, "entries", "Entries of all lists.");
	b->refused = setup->gauge(setup, "refused_lines", "Lines of lists "
	    "that are no entries.");
	if (open_lists(b, setup) == -1)
		result = -1;
	if (result == 0 && (open_rules(b, setup) == -1 ||
	    open_exempt(b, setup) == -1))
		result = -1;
	if (result == 0 && b->sources.nlists > 0) {
		/* one that cannot be had is told when it is written to */
		if (setup->folder(setup, b->cache) == 1)
			result = -1;
	} else if (result == 0 && cfg_size(setup->section, "rule") == 0) {
		setup->error(setup, "there is no list: expected at least one "
		    "section list \"name\" { path = {\"FILE\"} }");
		result = -1;
	}
	if (result == -1) {
		blocklist_close(b);
		return -1;
	}
	tzset();
	*instance = b;
	return 0;
}

static void
blocklist_close(void *instance)
{
	struct blocklist	*b = instance;
	unsigned int		 i;

	blocklist_share_free(b->share);
	blocklist_db_close(&b->db);
	free_expressions(b->expression, b->nexpressions);
	for (i = 0; i < b->nrules; i++)
		blocklist_rule_fini(&b->rule[i]);
	free(b->rule);
	for (i = 0; i < b->npages; i++)
		service_template_close(b->page[i]);
	free(b->page);
	blocklist_hosts_free(b->hosts);
	for (i = 0; i < b->nexempt; i++)
		free(b->exempt[i]);
	free(b->exempt);
	for (i = 0; i < b->sources.nlists; i++)
		free(b->sources.list[i].path);
	free(b->sources.list);
	free(b);
}

/* ---- the database in use ------------------------------------------------- */

/*
 * Maps the latest database, if there is one.  Returns the one before in *db,
 * which is the caller's then, and whether there was a change.
 */
static bool
take_latest(struct blocklist *b, struct blocklist_db *before,
    uint32_t *number)
{
	struct blocklist_db	 db;
	int			 fd;

	if (b->share == NULL ||
	    blocklist_share_get_number(b->share) == b->number ||
	    (fd = blocklist_share_take(b->share, number)) == -1)
		return false;
	if (blocklist_db_open(&db, fd, false) == -1) {
		(void)close(fd);
		return false;
	}
	(void)close(fd);
	*before = b->db;
	b->db = db;
	return true;
}

/* ---- watching ------------------------------------------------------------ */

static void
warn_fault(const struct blocklist *b, const struct blocklist_fault *fault)
{
	const struct blocklist_list	*l = &b->sources.list[fault->list];

	service_warn("blocklist \"%s\": list \"%s\": %s: %s; the old one stays "
	    "in use", b->name, l->name, l->path[fault->path], fault->why);
}

/*
 * A process that takes the place of one that has died was made by the master,
 * which has seen no change since the start: workers have.
 */
static void
catch_up(struct blocklist *b)
{
	struct blocklist_db	 before;

	if (!take_latest(b, &before, &b->number))
		return;
	blocklist_db_close(&before);
	memcpy(b->stamp, b->db.trailer.stamp, sizeof(b->stamp));
	b->loaded = time(NULL);
}

/* To the workers, unless it is what they have.  Returns 0, or -1. */
static int
hand_out(struct blocklist *b, int fd, const struct blocklist_db *db,
    struct blocklist_fault *fault)
{
	uint64_t	 version = version_of(db);

	if (version == blocklist_share_get_version(b->share))
		return 0;
	if (blocklist_share_put(b->share, fd, version) == -1) {
		(void)snprintf(fault->why, sizeof(fault->why), "the workers "
		    "cannot be given the new lists: %s", strerror(errno));
		return -1;
	}
	b->number = blocklist_share_get_number(b->share);
	service_log("blocklist \"%s\": %llu entries in use", b->name,
	    (unsigned long long)db->trailer.entries);
	return 0;
}

/*
 * It is tried again at each poll, as nothing that is watched need change, and
 * told once.
 */
static void
put_off(struct blocklist *b, const struct blocklist_fault *fault)
{
	b->is_stale = true;
	show_fault(b, fault);
	if (!b->is_kept_back)
		warn_fault(b, fault);
	b->is_kept_back = true;
}

/*
 * Compiles what has changed and hands it to the workers.  Returns 0, or -1 and
 * the fault.
 */
static int
update(struct blocklist *b, struct blocklist_fault *fault)
{
	struct blocklist_db	 db;
	unsigned char		 stamp[BLOCKLIST_DIGEST_LEN];
	int			 fd, result;

	b->sources.is_again = b->is_kept_back;
	fd = blocklist_store_open(&b->sources, b->cache, &b->db, &db, stamp,
	    fault);
	if (fd == -1 && !fault->is_of_source) {
		put_off(b, fault);
		return -1;
	}
	if (fd == -1) {
		/* said once; the next change is the next try */
		memcpy(b->stamp, b->pending, sizeof(b->stamp));
		b->is_stale = true;
		b->is_kept_back = false;
		show_fault(b, fault);
		warn_fault(b, fault);
		return -1;
	}
	result = hand_out(b, fd, &db, fault);
	(void)close(fd);
	if (result == -1) {
		blocklist_db_close(&db);
		put_off(b, fault);
		return -1;
	}
	memcpy(b->stamp, stamp, sizeof(b->stamp));
	blocklist_db_close(&b->db);
	b->db = db;
	b->is_stale = b->is_kept_back = false;
	b->loaded = time(NULL);
	show_lists(b);
	return 0;
}

/* All lists of a section are one database, so one that fails fails all. */
static void
tell_failure(const struct blocklist *b, const struct blocklist_fault *fault,
    struct service_report *report)
{
	const struct blocklist_list	*l = &b->sources.list[fault->list];
	struct service_outcome		 o;
	char				 why[2 * BLOCKLIST_WHY_MAX];
	unsigned int			 i;

	memset(&o, 0, sizeof(o));
	o.failed = 1;
	o.why = why;
	for (i = 0; i < b->sources.nlists; i++) {
		if (i == fault->list)
			(void)snprintf(why, sizeof(why), "%s: %s",
			    l->path[fault->path], fault->why);
		else
			(void)snprintf(why, sizeof(why), "list \"%s\" cannot "
			    "be read", l->name);
		o.name = b->sources.list[i].name;
		service_tell(report, &o);
	}
}

static void
tell_lists(struct blocklist *b, const struct blocklist_about *before,
    struct service_report *report)
{
	struct blocklist_about	 about;
	struct service_outcome	 o;
	char			 first[BLOCKLIST_FIRST_MAX];
	unsigned int		 i;

	memset(&o, 0, sizeof(o));
	o.why = first;
	for (i = 0; i < b->sources.nlists; i++) {
		blocklist_db_get_about(&b->db, i, &about, first);
		o.name = b->sources.list[i].name;
		o.changed = memcmp(about.digest, before[i].digest,
		    sizeof(about.digest)) != 0;
		o.entries = about.entries;
		o.refused = about.refused;
		service_tell(report, &o);
	}
}

static void
blocklist_update(void *instance, struct service_report *report)
{
	static const unsigned char	 unknown[BLOCKLIST_DIGEST_LEN];
	struct blocklist		*b = instance;
	struct blocklist_about		 before[BLOCKLIST_LISTS_MAX];
	struct blocklist_fault		 fault;
	unsigned char			 stamp[BLOCKLIST_DIGEST_LEN];
	unsigned int			 i;

	if (b->sources.nlists == 0)
		return;
	catch_up(b);
	for (i = 0; i < b->sources.nlists; i++)
		blocklist_db_get_about(&b->db, i, &before[i], NULL);
	if (blocklist_make_stamp(&b->sources, stamp, &fault) == -1) {
		show_fault(b, &fault);
		b->is_failing = true;
		tell_failure(b, &fault, report);
		return;
	}
	b->settling = 0;
	memcpy(b->pending, stamp, sizeof(stamp));
	if ((memcmp(stamp, b->stamp, sizeof(stamp)) != 0 || b->is_stale ||
	    memcmp(stamp, unknown, sizeof(stamp)) == 0) &&
	    update(b, &fault) == -1) {
		tell_failure(b, &fault, report);
		return;
	}
	if (b->is_failing)
		show_lists(b);
	b->is_failing = false;
	tell_lists(b, before, report);
}

/* Looks for lists that have changed. */
static void
poll_lists(struct blocklist *b)
{
	struct blocklist_fault	 fault;
	unsigned char		 stamp[BLOCKLIST_DIGEST_LEN];

	if (b->sources.nlists == 0)
		return;
	catch_up(b);
	if (blocklist_make_stamp(&b->sources, stamp, &fault) == -1) {
		if (!b->is_failing)
			warn_fault(b, &fault);
		show_fault(b, &fault);
		b->is_failing = true;
		return;
	}
	if (memcmp(stamp, b->stamp, sizeof(stamp)) == 0) {
		/* a process before this one may have said otherwise */
		if (!b->is_stale)
			show_lists(b);
		b->is_failing = false;
		return;
	}
	b->is_failing = false;
	if (memcmp(stamp, b->pending, sizeof(stamp)) != 0 &&
	    b->settling++ < SETTLE_MAX) {
		memcpy(b->pending, stamp, sizeof(stamp));
		return;
	}
	b->settling = 0;
	memcpy(b->pending, stamp, sizeof(stamp));
	(void)update(b, &fault);
}

static void
blocklist_poll(void *instance)
{
	struct blocklist	*b = instance;
	struct timespec		 now;

	poll_lists(b);
	if (clock_gettime(CLOCK_MONOTONIC, &now) == -1 ||
	    (b->looked_up != 0 && now.tv_sec < b->looked_up + HOSTS_PERIOD))
		return;
	/* counted from its end: a dead name server is not asked all the time */
	if (blocklist_hosts_look_up(b->hosts) &&
	    clock_gettime(CLOCK_MONOTONIC, &now) == 0)
		b->looked_up = now.tv_sec;
}

static void
blocklist_version(void *instance, char *dst, size_t size)
{
	const struct blocklist	*b = instance;

	(void)snprintf(dst, size, "%016llx", b->share == NULL ? 0ULL :
	    (unsigned long long)blocklist_share_get_version(b->share));
}

/* In a worker: what is in use is what the one that watches has made. */
static void
refresh(struct blocklist *b)
{
	struct blocklist_db	 before;
	uint32_t		 number;

	if (!take_latest(b, &before, &number))
		return;
	if (load_expressions(b, 0) == 0) {
		blocklist_db_close(&before);
		b->number = number;
	} else {
		blocklist_db_close(&b->db);
		b->db = before;
	}
}

/* ---- a transaction ------------------------------------------------------- */

/* The forms of a URL that expressions see. */
#define NFORMS	2

struct form {
	size_t	 len;
	char	 text[WEBURL_TEXT_MAX];
};

struct look_up {
	struct blocklist		*b;
	struct txn			*txn;
	struct slice			 target;	/* as it was sent */
	struct slice			 type;
	bool				 is_connect;
	bool				 is_long;	/* its path */
	bool				 is_lost;	/* no memory */
	const struct blocklist_rule	*rule;		/* found */
	unsigned int			 list;		/* for which list */
	/* of expressions that gave up */
	const struct blocklist_rule	*maybe;
	bool				 is_open;	/* more than one */
	unsigned int			 nforms;	/* 0: not made yet */
	struct form			 form[NFORMS];
	struct weburl			 url;
};

static struct slice
get(const char *p, size_t len)
{
	struct slice	 s = { p, len };

	return s;
}

/* What is asked for.  NULL, or why that is not known. */
static const char *
find_url(struct look_up *l)
{
	struct slice	 host = { "", 0 };
	const char	*p;
	size_t		 len, pos = 0;

	p = txn_method(l->txn, &len);
	l->is_connect = slice_is(get(p, len), "CONNECT");
	p = txn_uri(l->txn, &len);
	l->target = get(p, len);
	if ((p = txn_next_request_header(l->txn, "Host", &pos, &len)) !=
	    NULL) {
		host = get(p, len);
		/* RFC 9112 3.2: no request has two, and who knows which */
		if (txn_next_request_header(l->txn, "Host", &pos, &len) !=
		    NULL)
			return "more than one Host field";
	}
	if (weburl_parse(&l->url, l->target, host) == 0)
		return NULL;
	/* it has a host then, and as much of its path as lists may have */
	l->is_long = l->url.host_len > 0;
	return l->is_long ? NULL : l->url.why;
}

/* Is there a comma outside of quotes? */
static bool
is_list(struct slice s)
{
	bool	 is_quoted = false;
	size_t	 i;

	for (i = 0; i < s.len; i++)
		if (s.p[i] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && s.p[i] == '\\')
			i++;
		else if (!is_quoted && s.p[i] == ',')
			return true;
	return false;
}

/*
 * The media type, without its parameters.  NULL, or why it is not known;
 * some take the first of several, others the last (RFC 9110 8.3).
 */
static const char *
find_type(struct look_up *l)
{
	const char	*p, *end;
	struct slice	 s;
	size_t		 len, pos = 0;

	if (!txn_is_response(l->txn) || !l->b->has_types)
		return NULL;
	while ((p = txn_next_response_header(l->txn, "Content-Type", &pos,
	    &len)) != NULL) {
		s = get(p, len);
		if (is_list(s))
			return "more than one Content-Type";
		if ((end = memchr(p, ';', len)) != NULL)
			s.len = (size_t)(end - p);
		s = slice_trim(s);
		if (l->type.p != NULL && (s.len != l->type.len ||
		    strncasecmp(s.p, l->type.p, s.len) != 0))
			return "more than one Content-Type";
		l->type = s;
	}
	return NULL;
}

static bool
is_exempt(const struct look_up *l)
{
	unsigned int	 i;

	for (i = 0; i < l->b->nexempt; i++)
		if (strlen(l->b->exempt[i]) == l->url.host_len &&
		    memcmp(l->b->exempt[i], l->url.text, l->url.host_len) ==
		    0)
			return true;
	return blocklist_hosts_has(l->b->hosts, &l->url);
}

/*
 * The first rule for one of these lists, or (0) for any URL, and which list it
 * is then; NULL where there is none.
 */
static const struct blocklist_rule *
find_rule(struct look_up *l, uint64_t lists, unsigned int *list)
{
	const struct blocklist_rule	*r;
	unsigned int			 i;
	int				 applies;

	for (i = 0; i < l->b->nrules; i++) {
		r = &l->b->rule[i];
		if (!r->any && (r->lists & lists) == 0)
			continue;
		applies = blocklist_rule_applies(r, l->txn, l->type);
		if (applies == -1)
			l->is_lost = true;
		if (applies != 1)
			continue;
		if (!r->any)
			lists &= r->lists;
		for (*list = 0; *list < l->b->sources.nlists; (*list)++)
			if ((lists >> *list & 1) != 0)
				break;
		return r;
	}
	return NULL;
}

/*
 * The URL as squidGuard's expressions see it, as it was sent, and its normal
 * form if that is another one.
 */
static void
make_forms(struct look_up *l)
{
	static const enum weburl_form	 form[NFORMS] = {
		WEBURL_SENT, WEBURL_NORMAL
	};
	struct form			*f = l->form;
	unsigned int			 i;

	for (i = 0; i < NFORMS; i++)
		f[i].len = weburl_format(&l->url, form[i], l->is_connect,
		    f[i].text);
	l->nforms = f[0].len == f[1].len &&
	    strncasecmp(f[0].text, f[1].text, f[0].len) == 0 ? 1 : NFORMS;
}

/*
 * Does it match one form of the URL, or (all) each of them?  1 or 0, or -1
 * where it gave up.
 */
static int
match(struct look_up *l, const struct expr *e, bool all)
{
	unsigned int	 i;
	int		 result, open = 0;

	if (l->nforms == 0)
		make_forms(l);
	for (i = 0; i < l->nforms; i++) {
		result = expr_match(e, l->form[i].text, l->form[i].len);
		if (result == -1)
			open = -1;
		else if (result == !all)
			return result;
	}
	return open == -1 ? -1 : all;
}

/*
 * Finds the rule for the first expression that matches.  One that gave up
 * leaves open whether its rule is the one, unless that is found anyway.
 */
static void
find_expression(struct look_up *l)
{
	const struct expression		*e;
	const struct blocklist_rule	*r;
	unsigned int			 i, list;
	int				 result;

	for (i = 0; i < l->b->nexpressions && l->rule == NULL; i++) {
		e = &l->b->expression[i];
		if (l->b->sources.list[e->list].allow ||
		    (result = match(l, e->expr, false)) == 0 ||
		    (r = find_rule(l, UINT64_C(1) << e->list, &list)) == NULL)
			continue;
		if (result == 1) {
			l->rule = r;
			l->list = list;
		} else if (l->maybe == NULL)
			l->maybe = r;
		else if (l->maybe != r)
			l->is_open = true;
	}
}

/* Does an expression of a list that allows match? */
static bool
is_allowed(struct look_up *l)
{
	const struct expression	*e;
	unsigned int		 i;

	for (i = 0; i < l->b->nexpressions; i++) {
		e = &l->b->expression[i];
		if (l->b->sources.list[e->list].allow &&
		    match(l, e->expr, true) == 1)
			return true;
	}
	return false;
}

static bool
is_denial(const struct blocklist_rule *r)
{
	return r != NULL && (r->action == BLOCKLIST_BLOCK ||
	    r->action == BLOCKLIST_REDIRECT);
}

/*
 * Of a URL that is too long for expressions: could one decide otherwise than
 * it has been?  As where one gives up, that of a list that allows allows
 * nothing.
 */
static bool
is_undecided(struct look_up *l)
{
	const struct blocklist_rule	*r;
	uint64_t			 lists = 0;
	unsigned int			 i, unused;

	for (i = 0; i < l->b->nexpressions; i++)
		lists |= UINT64_C(1) << l->b->expression[i].list;
	for (i = 0; i < l->b->sources.nlists; i++)
		if ((lists & ~l->b->allow & UINT64_C(1) << i) != 0 &&
		    (r = find_rule(l, UINT64_C(1) << i, &unused)) != NULL &&
		    is_denial(r) != is_denial(l->rule))
			return true;
	return false;
}

/*
 * Finds the rule, if there is one.  NULL, or why that is not known: it depends
 * on an expression, which gave up or cannot be tried.
 */
static const char *
look_up(struct look_up *l)
{
	struct blocklist_match	 m[BLOCKLIST_MATCHES_MAX];
	uint64_t		 all = 0;
	unsigned int		 i, n = 0;
	bool			 is_listed;

	if (l->b->db.is_open)
		n = blocklist_db_find(&l->b->db, &l->url, m);
	for (i = 0; i < n; i++)
		all |= m[i].lists;
	if ((all & l->b->allow) != 0)
		return NULL;
	for (i = 0; i < n && l->rule == NULL; i++)
		l->rule = find_rule(l, m[i].lists, &l->list);
	is_listed = l->rule != NULL;
	if (!is_listed && !l->is_long)
		find_expression(l);
	if (l->rule == NULL)
		l->rule = find_rule(l, 0, &l->list);
	if (l->is_long)
		return !is_listed && is_undecided(l) ? l->url.why : NULL;
	if ((l->rule != NULL || l->maybe != NULL) && is_allowed(l)) {
		l->rule = NULL;
		return NULL;
	}
	return l->is_open || (l->maybe != NULL && l->maybe != l->rule) ?
	    "an expression came to its limit" : NULL;
}

/* The URL as it may be shown: what was asked for, cut. */
static void
format_url(const struct look_up *l, char *dst, size_t size)
{
	struct slice	 t = l->target;

	if (t.len > SHOWN_MAX)
		t.len = SHOWN_MAX;
	if (t.len > 0 && t.p[0] == '/')
		(void)snprintf(dst, size, "http://%.*s%.*s",
		    (int)l->url.host_len, l->url.text, (int)t.len, t.p);
	else
		(void)snprintf(dst, size, "%.*s", (int)t.len,
		    t.len > 0 ? t.p : "");
}

static enum verdict
respond(const struct look_up *l, const struct service_var *vars)
{
	char	 location[LOCATION_MAX];
	bool	 is_redirect = l->rule->action == BLOCKLIST_REDIRECT;

	/* no browser follows a redirect of CONNECT */
	if (is_redirect && !l->is_connect &&
	    blocklist_rule_format(l->rule->redirect, vars, location,
	    sizeof(location)) == 0) {
		if (txn_respond(l->txn, l->rule->status, NULL, NULL, 0) ==
		    -1 || txn_respond_header(l->txn, "Location",
		    location) == -1)
			return txn_fail(l->txn, "no redirect could be made");
		return VERDICT_REPLACED;
	}
	/* title and reason are the built-in page's, and for templates */
	if (txn_respond_template(l->txn, is_redirect ? 403 : l->rule->status,
	    l->rule->page, vars) == -1)
		return txn_fail(l->txn, "no page could be made");
	return VERDICT_REPLACED;
}

/* A part of X-Violations-Found, which blanks divide. */
static void
format_part(char *dst, size_t size, const char *src)
{
	size_t	 i;

	for (i = 0; src[i] != '\0' && i + 1 < size; i++)
		dst[i] = src[i] > ' ' && src[i] < 0x7f ? src[i] : '_';
	dst[i] = '\0';
}

/*
 * The lines that others send folded, as one: how many, of what, what it is,
 * its number, and what became of it (0: left as it is, 1: repaired, 2: kept
 * back, which a redirect does as well).
 */
static void
tell(const struct look_up *l, const char *category, const char *url,
    const char *action)
{
	char	 part[2][SHOWN_MAX + 1], text[sizeof(part) + 16];

	format_part(part[0], sizeof(part[0]), url);
	format_part(part[1], sizeof(part[1]), category);
	(void)snprintf(text, sizeof(text), "1 %s %s 0 2", part[0], part[1]);
	(void)txn_reply_header(l->txn, "X-Violations-Found", text);
	(void)txn_reply_header(l->txn, "X-Response-Info", action);
	(void)txn_reply_header(l->txn, "X-Response-Desc", category);
}

static enum verdict
decide(const struct look_up *l)
{
	static const char *const	 actions[] = {
		"block", "redirect", "log", "allow"
	};
	const struct blocklist_sources	*s = &l->b->sources;
	const char			*category, *list = "";
	char				 url[SHOWN_MAX + WEBURL_HOST_MAX + 16];
	char				 host[WEBURL_HOST_MAX + 1];
	char				 reason[512];

	category = l->rule->name;
	if (l->list < s->nlists) {
		list = s->list[l->list].name;
		category = s->list[l->list].category;
	}
	txn_note(l->txn, "action", actions[l->rule->action]);
	txn_note(l->txn, "category", category);
	txn_note(l->txn, "list", list);
	txn_note(l->txn, "rule", l->rule->name);
	if (l->rule->action == BLOCKLIST_LOG ||
	    l->rule->action == BLOCKLIST_ALLOW)
		return VERDICT_UNCHANGED;
	format_url(l, url, sizeof(url));
	(void)snprintf(host, sizeof(host), "%.*s", (int)l->url.host_len,
	    l->url.text);
	(void)snprintf(reason, sizeof(reason), l->list < s->nlists ?
	    "The address is listed under \"%s\"." :
	    "It is not permitted here (%s).", category);
	tell(l, category, url,
	    l->rule->action == BLOCKLIST_BLOCK ? "blocked" : "redirected");
	{
		const struct service_var	 vars[] = {
			{ "title", "Blocked" },
			{ "reason", reason },
			{ "category", category },
			{ "host", host },
			{ "list", list },
			{ "rule", l->rule->name },
			{ NULL, NULL }
		};
		/* the page gets these from the server */
		const struct service_var	 all[] = {
			{ "category", category },
			{ "host", host },
			{ "list", list },
			{ "rule", l->rule->name },
			{ "url", url },
			{ "client", txn_client_address(l->txn) },
			{ "user", txn_user(l->txn) },
			{ NULL, NULL }
		};

		return respond(l, l->rule->action == BLOCKLIST_REDIRECT &&
		    !l->is_connect ? all : vars);
	}
}

static enum verdict
blocklist_serve(struct txn *txn, void *instance)
{
	struct look_up	 l;
	const char	*why;

	/* what is behind is large, and written before it is read */
	memset(&l, 0, offsetof(struct look_up, form));
	l.b = instance;
	l.txn = txn;
	refresh(l.b);
	if ((why = find_url(&l)) != NULL)
		return txn_fail(txn, why);
	if (is_exempt(&l))
		return VERDICT_UNCHANGED;
	if ((why = find_type(&l)) != NULL)
		return txn_fail(txn, why);
	if ((why = look_up(&l)) != NULL)
		return txn_fail(txn, why);
	if (l.is_lost)
		return txn_fail(txn, "no memory for the groups");
	return l.rule != NULL ? decide(&l) : VERDICT_UNCHANGED;
}

extern const struct service svc_blocklist;

const struct service svc_blocklist = {
	.name = "blocklist",
	.summary = "blocks domains and URLs that are in lists",
	.methods = SERVICE_REQMOD | SERVICE_RESPMOD,
	.preview = 0,
	.options = options,
	.open = blocklist_open,
	.load = blocklist_load,
	.serve = blocklist_serve,
	.close = blocklist_close,
	.poll = blocklist_poll,
	.update = blocklist_update,
	.version = blocklist_version,
};
