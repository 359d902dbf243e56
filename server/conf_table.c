/* SPDX-License-Identifier: ISC */
/*
 * The tables libconfuse parses by: made of the keys of conf_key.c, of the
 * tables of the services, and of the names that turned out to be in neither
 * and have to be read over, so that one wrong name does not hide the next
 * error.  Called by conf_parse.c only.  It reads no file and stores no value.
 */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "../proto/chars.h"
#include "../services/registry.h"
#include "conf_key.h"
#include "conf_table.h"

/* Sections within each other; only ignored ones could go on for ever. */
#define NESTING_MAX	8

/*
 * Tables of ignored sections, all together.  A few names that are sections in
 * each other would make as many as their number to the power of NESTING_MAX,
 * and libconfuse copies those of a section whenever one begins.
 */
#define IGNORED_MAX	64

/* Names are shorter, or not worth a suggestion. */
#define NAME_LENGTH_MAX	32

enum ignore_kind {
	IGNORE_KEY,
	IGNORE_SECTION,
	IGNORE_TITLED		/* a section with a title */
};

struct conf_ignore {
	struct conf_ignore	*next;
	const char		*scope;
	const char		*name;
	const char		*hint;
	enum ignore_kind	 kind;
	struct conf_where	 where;		/* first seen */
	bool			 is_quiet;	/* within an ignored one */
	bool			 is_reported;
};

struct table {
	const struct conf_table_callbacks *cb;
	const struct conf_ignore	*ignore;
	struct arena			*arena;
	cfg_opt_t			*opt;
	unsigned int			 n;
	unsigned int			 nesting;
	unsigned int			*nignored;	/* of all tables */
};

/* ---- tables ------------------------------------------------------------ */

static void
add(struct table *t, const cfg_opt_t *opt)
{
	t->opt = arena_grow(t->arena, t->opt, t->n, sizeof(*t->opt));
	t->opt[t->n++] = *opt;
}

/* Begins a table; `open` is NULL at the top level. */
static struct table
begin(const struct table *outer, cfg_callback_t open)
{
	struct table	 t = *outer;
	cfg_opt_t	 hidden[] = {
		CFG_STR_CB(t.cb->own_end, NULL, CFGF_NODEFAULT, t.cb->end),
		CFG_FUNC("include", t.cb->include),
		CFG_STR_LIST_CB(t.cb->own_open, NULL, CFGF_NONE, open)
	};
	char		 parsed[] = "{.}";

	t.opt = NULL;
	t.n = 0;
	t.nesting++;
	add(&t, &hidden[0]);
	add(&t, &hidden[1]);
	if (open != NULL) {
		hidden[2].def.parsed = arena_copy(t.arena, parsed);
		add(&t, &hidden[2]);
	}
	return t;
}

static cfg_opt_t *
end(struct table *t, const char *scope);

/* Names to be read over in that scope. */
static void
add_ignored(struct table *t, const char *scope)
{
	const struct conf_ignore	*i;
	struct table			 inner;

	for (i = t->ignore; i != NULL; i = i->next) {
		cfg_opt_t	 opt[] = {
			CFG_STR_LIST_CB(i->name, NULL, CFGF_NODEFAULT,
			    t->cb->ignored),
			CFG_SEC(i->name, NULL, CFGF_MULTI)
		};

		if (strcmp(i->scope, scope) != 0)
			continue;
		if (i->kind == IGNORE_KEY) {
			add(t, &opt[0]);
			continue;
		}
		if (t->nesting >= NESTING_MAX ||
		    *t->nignored == IGNORED_MAX)
			continue;
		(*t->nignored)++;
		inner = begin(t, t->cb->ignored_open);
		opt[1].subopts = end(&inner, arena_printf(t->arena, "%c%s",
		    CONF_TABLE_OWN, i->name));
		if (i->kind == IGNORE_TITLED)
			opt[1].flags |= CFGF_TITLE;
		add(t, &opt[1]);
	}
}

static cfg_opt_t *
end(struct table *t, const char *scope)
{
	static const cfg_opt_t	 last = CFG_END();

	add_ignored(t, scope);
	add(t, &last);
	return t->opt;
}

/* The core's keys of one section. */
static void
add_keys(struct table *t, const char *section)
{
	const struct conf_key	*key;

	for (key = conf_keys(); key->name != NULL; key++) {
		cfg_opt_t	 opt[] = {
			CFG_STR_CB(key->name, NULL, CFGF_NODEFAULT,
			    t->cb->text),
			CFG_STR_LIST_CB(key->name, NULL, CFGF_NODEFAULT,
			    t->cb->text)
		};

		if (strcmp(key->section, section) == 0)
			add(t, &opt[key->type == CONF_LIST ||
			    key->type == CONF_NETS]);
	}
}

static void
add_core_sections(struct table *t)
{
	const struct conf_key	*key;
	const char		*before = "";
	struct table		 inner;

	for (key = conf_keys(); key->name != NULL; key++) {
		cfg_opt_t	 opt = CFG_SEC(key->section, NULL,
				    CFGF_MULTI);

		if (strcmp(key->section, before) == 0)
			continue;
		before = key->section;
		inner = begin(t, t->cb->open);
		add_keys(&inner, key->section);
		opt.subopts = end(&inner, key->section);
		if (conf_section_has_title(key->section))
			opt.flags |= CFGF_TITLE;
		add(t, &opt);
	}
}

/* The table of a service, with our callbacks where it has none. */
static cfg_opt_t *
copy_service(const struct table *outer, const char *name,
    const cfg_opt_t *from, cfg_callback_t open)
{
	struct table	 t = begin(outer, open);
	cfg_opt_t	 opt;

	for (; from != NULL && from->name != NULL; from++) {
		opt = *from;
		if (opt.type == CFGT_SEC)
			opt.subopts = copy_service(&t, opt.name,
			    opt.subopts, t.cb->inner_open);
		else if (opt.parsecb != NULL)
			;
		else if (opt.type == CFGT_STR)
			opt.parsecb = t.cb->text;
		else if (opt.type == CFGT_INT || opt.type == CFGT_BOOL)
			opt.parsecb = t.cb->number;
		add(&t, &opt);
	}
	return end(&t, name);
}

cfg_opt_t *
conf_table_build(const struct conf_table_callbacks *callbacks,
    const struct conf_ignore *ignore, struct arena *arena)
{
	const struct service *const	*svc;
	struct table			 none, t;
	unsigned int			 nignored = 0;

	memset(&none, 0, sizeof(none));
	none.nignored = &nignored;
	none.cb = callbacks;
	none.ignore = ignore;
	none.arena = arena;
	t = begin(&none, NULL);
	add_keys(&t, "");
	add_core_sections(&t);
	for (svc = registry_list(); *svc != NULL; svc++) {
		cfg_opt_t	 opt = CFG_SEC((*svc)->name, NULL,
				    CFGF_MULTI | CFGF_TITLE);

		opt.subopts = copy_service(&t, (*svc)->name,
		    (*svc)->options, t.cb->open);
		add(&t, &opt);
	}
	return end(&t, "");
}

/* ---- values of services ------------------------------------------------- */

int
conf_table_bool(const char *text, bool *value)
{
	static const char *const	 words[] = {
		"no", "yes", "off", "on", "false", "true"
	};
	unsigned int			 i;

	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(text, words[i]) == 0) {
			*value = i % 2 == 1;
			return 0;
		}
	return -1;
}

static int
parse_long(const char *text, long *value)
{
	static const char	 units[] = "kMG";
	struct slice		 digits;
	bool			 negative = text[0] == '-';
	const char		*unit;
	uint64_t		 n, scale = 1;

	digits.p = text + negative;
	digits.len = chars_span(digits.p, strlen(digits.p), CHARS_DIGIT);
	if (chars_parse_uint(digits, LONG_MAX, &n) == -1)
		return -1;
	text = digits.p + digits.len;
	if (*text != '\0') {
		if ((unit = strchr(units, *text)) == NULL || text[1] != '\0')
			return -1;
		scale <<= 10 * (unit - units + 1);
	}
	if (n > LONG_MAX / scale)
		return -1;
	*value = negative ? -(long)(n * scale) : (long)(n * scale);
	return 0;
}

int
conf_table_number(const cfg_opt_t *opt, const char *text, void *result)
{
	cfg_bool_t	 b = cfg_false;
	long		 n = 0;
	bool		 value;
	int		 error;

	if (opt->type == CFGT_BOOL) {
		if ((error = conf_table_bool(text, &value)) == 0 && value)
			b = cfg_true;
		memcpy(result, &b, sizeof(b));
	} else {
		error = parse_long(text, &n);
		memcpy(result, &n, sizeof(n));
	}
	return error;
}

const char *
conf_table_expect(const cfg_opt_t *opt)
{
	return opt->type == CFGT_BOOL ? "yes or no" :
	    "a number, which may end in k, M or G";
}

/* ---- names that are in no table ----------------------------------------- */

const char *
conf_table_scope(const cfg_t *cfg,
    const struct conf_table_callbacks *callbacks, struct arena *arena)
{
	const cfg_opt_t	*opt;

	for (opt = cfg->opts; opt->name != NULL; opt++)
		if (strcmp(opt->name, callbacks->own_open) == 0)
			break;
	if (opt->name == NULL)
		return "";
	if (opt->parsecb != callbacks->ignored_open)
		return cfg->name;
	return arena_printf(arena, "%c%s", CONF_TABLE_OWN, cfg->name);
}

static unsigned int
least(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/*
 * How many letters have to be added, dropped, replaced, or swapped with the
 * next (Damerau's distance in its simple form).
 */
static unsigned int
distance(const char *a, const char *b)
{
	unsigned int	 d[NAME_LENGTH_MAX + 1][NAME_LENGTH_MAX + 1];
	size_t		 la = strlen(a), lb = strlen(b), i, k;

	if (la > NAME_LENGTH_MAX || lb > NAME_LENGTH_MAX)
		return UINT_MAX;
	for (i = 0; i <= la; i++)
		d[i][0] = (unsigned int)i;
	for (k = 0; k <= lb; k++)
		d[0][k] = (unsigned int)k;
	for (i = 1; i <= la; i++)
		for (k = 1; k <= lb; k++) {
			d[i][k] = least(d[i - 1][k - 1] +
			    (a[i - 1] != b[k - 1]),
			    least(d[i - 1][k], d[i][k - 1]) + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] &&
			    a[i - 2] == b[k - 1])
				d[i][k] = least(d[i][k],
				    d[i - 2][k - 2] + 1);
		}
	return d[la][lb];
}

static bool
is_candidate(const cfg_opt_t *opt, const struct conf_ignore *list,
    const char *scope)
{
	if (opt->name[0] == CONF_TABLE_OWN)
		return false;
	for (; list != NULL; list = list->next)
		if (strcmp(list->scope, scope) == 0 &&
		    strcmp(list->name, opt->name) == 0)
			return false;
	return true;
}

/* A third of it may be wrong. */
static unsigned int
limit_of(const char *name)
{
	return ((unsigned int)strlen(name) + 1) / 3;
}

/* The name of the scope that is nearest, if near enough; else NULL. */
static const char *
nearest(const char *name, const cfg_t *cfg, const struct conf_ignore *list,
    const char *scope)
{
	const cfg_opt_t	*opt;
	const char	*best = NULL;
	unsigned int	 n, limit = limit_of(name);

	for (opt = cfg->opts; opt->name != NULL; opt++) {
		if (!is_candidate(opt, list, scope) ||
		    (n = distance(name, opt->name)) > limit)
			continue;
		best = opt->name;
		if (n == 0)
			break;
		limit = n - 1;
	}
	return best;
}

/* The nearest key of other sections, if it is near enough; else NULL. */
static const struct conf_key *
nearest_elsewhere(const char *name)
{
	const struct conf_key	*key, *best = NULL;
	unsigned int		 n, limit = limit_of(name);

	for (key = conf_keys(); key->name != NULL; key++) {
		if ((n = distance(name, key->name)) > limit)
			continue;
		best = key;
		if (n == 0)
			break;
		limit = n - 1;
	}
	return best;
}

static const char *
make_hint(const char *name, const cfg_t *cfg, const struct conf_ignore *list,
    const char *scope, struct arena *arena)
{
	const struct conf_key	*key;
	const cfg_opt_t		*opt;
	const char		*near;
	char			 text[512] = "expected one of ";
	size_t			 len = strlen(text), first = len;

	if ((near = nearest(name, cfg, list, scope)) != NULL)
		return arena_printf(arena, "expected perhaps \"%s\"", near);
	if ((key = nearest_elsewhere(name)) != NULL)
		return arena_printf(arena, "expected perhaps \"%s\" %s%s",
		    key->name, key->section[0] == '\0' ?
		    "outside of any section" : "in ", key->section);
	for (opt = cfg->opts; opt->name != NULL; opt++)
		if (is_candidate(opt, list, scope) && len < sizeof(text) &&
		    opt->type != CFGT_FUNC)
			len += (size_t)snprintf(text + len,
			    sizeof(text) - len, "%s%s",
			    len > first ? ", " : "", opt->name);
	if (len == first)
		return "expected nothing there";
	return arena_copy(arena, text);
}

void
conf_ignore_add(struct conf_ignore **list, const char *scope,
    const char *name, const cfg_t *cfg, struct conf_where where,
    struct arena *arena)
{
	struct conf_ignore	*i;

	i = arena_alloc(arena, 1, sizeof(*i));
	i->scope = arena_copy(arena, scope);
	i->name = arena_copy(arena, name);
	i->hint = make_hint(name, cfg, *list, scope, arena);
	i->where = where;
	i->is_quiet = scope[0] == CONF_TABLE_OWN;
	i->next = *list;
	*list = i;
}

static struct conf_ignore *
find(struct conf_ignore *list, const char *scope, const char *name)
{
	for (; list != NULL; list = list->next)
		if (strcmp(list->scope, scope) == 0 &&
		    strcmp(list->name, name) == 0)
			break;
	return list;
}

bool
conf_ignore_retry(struct conf_ignore *list, const char *scope,
    const char *name)
{
	struct conf_ignore	*i = find(list, scope, name);

	if (i == NULL || i->kind == IGNORE_TITLED)
		return false;
	i->kind++;
	return true;
}

static void
report(struct conf_ignore *i, struct conf_where where,
    struct conf_errors *errors)
{
	i->is_reported = true;
	if (i->is_quiet)
		return;
	conf_error(errors, where, "unknown %s \"%s\"%s%s: %s",
	    i->kind == IGNORE_KEY ? "key" : "section", i->name,
	    i->scope[0] != '\0' ? " in " : "", i->scope, i->hint);
}

bool
conf_ignore_report(struct conf_ignore *list, const char *scope,
    const char *name, struct conf_where where, struct conf_errors *errors)
{
	struct conf_ignore	*i;

	if ((i = find(list, scope, name)) == NULL)
		return false;
	report(i, where, errors);
	return true;
}

void
conf_ignore_rest(struct conf_ignore *list, struct conf_errors *errors)
{
	for (; list != NULL; list = list->next)
		if (!list->is_reported)
			report(list, list->where, errors);
}
