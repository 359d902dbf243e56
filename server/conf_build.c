/* SPDX-License-Identifier: ISC */
/*
 * From sections and values to struct conf: converts the values, opens the
 * services, has them read what it names, makes the plans.  Called by conf.c.
 * Each error is added to the list with its place and the work goes on, so that
 * all of them come out at once.  It looks at nothing but the text;
 * conf_check.c asks the system.
 */
#include <stdlib.h>
#include <string.h>

#include "../proto/chars.h"
#include "../services/registry.h"
#include "conf_build.h"
#include "conf_print.h"
#include "conf_wanted.h"
#include "devlog.h"
#include "folder.h"
#include "logger.h"

/* Longest path of a Unix-domain socket, with its NUL (struct sockaddr_un). */
#define UNIX_PATH_SIZE	108

#define PATH_LENGTH_MAX	255

bool
conf_is_path(const char *path)
{
	static const char	 allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "abcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~/";
	size_t			 len = strlen(path);

	return len > 0 && len <= PATH_LENGTH_MAX &&
	    strspn(path, allowed) == len &&
	    path[0] != '/' && path[len - 1] != '/';
}

struct conf_where
conf_where_of(const struct conf_load *l, const char *section,
    const char *key)
{
	const struct conf_value	*v;
	struct conf_where	 where = { l->conf->file, 0 };
	unsigned int		 i;

	for (i = 0; i < l->text.nsections; i++)
		if (l->text.section[i].outer == 0 &&
		    strcmp(l->text.section[i].type, section) == 0 &&
		    (v = conf_section_find(&l->text.section[i], key)) != NULL)
			return v->where;
	return where;
}

/* Where a key of that section is set, or the section begins. */
static struct conf_where
where_in(const struct conf_section *s, const char *key)
{
	const struct conf_value	*v = conf_section_find(s, key);

	return v != NULL ? v->where : s->where;
}

/* Stores the values of one of the core's sections. */
static void
build_values(struct conf_load *l, const struct conf_section *s, void *base)
{
	const struct conf_key	*key;
	const struct conf_value	*v;
	char			 expected[256];
	unsigned int		 i;

	/* a list that is set replaces its default */
	for (key = conf_keys(); key->name != NULL; key++)
		if (strcmp(key->section, s->type) == 0 &&
		    (key->type == CONF_LIST || key->type == CONF_NETS) &&
		    (conf_section_find(s, key->name) != NULL ||
		    conf_section_is_cleared(s, key->name)))
			conf_key_clear(key, base);
	for (i = 0; i < s->nvalues; i++) {
		v = &s->value[i];
		if ((key = conf_key_find(s->type, v->name)) == NULL)
			continue;
		if (conf_key_set(key, base, v->text, l->arena) == 0)
			continue;
		conf_key_expect(key, expected, sizeof(expected));
		conf_error(&l->errors, v->where, "%s%s%s \"%s\": expected %s",
		    s->type, s->type[0] != '\0' ? " " : "", v->name, v->text,
		    expected);
	}
}

/* ---- listeners ---------------------------------------------------------- */

static int
parse_port(const char *text)
{
	struct slice	 s = { text, strlen(text) };
	uint64_t	 n;

	return chars_parse_uint(s, 65535, &n);
}

/* Takes "host:port", "[v6]:port", "*:port" or "unix:/path" apart. */
static int
parse_address(struct conf_listen *l, const char *text, struct arena *arena)
{
	const char	*colon;
	size_t		 len;

	l->address = arena_copy(arena, text);
	if (strncmp(text, "unix:", 5) == 0) {
		l->path = l->address + 5;
		return l->path[0] == '/' && strlen(l->path) < UNIX_PATH_SIZE ?
		    0 : -1;
	}
	if ((colon = strrchr(text, ':')) == NULL ||
	    parse_port(colon + 1) == -1)
		return -1;
	l->port = arena_copy(arena, colon + 1);
	len = (size_t)(colon - text);
	if (len > 2 && text[0] == '[' && text[len - 1] == ']') {
		text++;
		len -= 2;
	} else if (len == 0 || memchr(text, ':', len) != NULL ||
	    memchr(text, '[', len) != NULL)
		return -1;
	else if (len == 1 && text[0] == '*')
		return 0;
	l->host = arena_printf(arena, "%.*s", (int)len, text);
	return 0;
}

/* Keys that are for one kind of address only. */
static void
check_kind(struct conf_load *l, const struct conf_section *s, bool is_unix)
{
	static const char *const	 for_unix[] = { "mode", "owner" };
	static const char *const	 for_tcp[] = {
		"defer-accept", "allow", "max-per-client"
	};
	const struct conf_value		*v;
	size_t				 i;

	for (i = 0; i < 2 && !is_unix; i++)
		if ((v = conf_section_find(s, for_unix[i])) != NULL)
			conf_error(&l->errors, v->where, "listen %s: "
			    "expected only with an address unix:/path",
			    v->name);
	for (i = 0; i < 3 && is_unix; i++)
		if ((v = conf_section_find(s, for_tcp[i])) != NULL)
			conf_error(&l->errors, v->where, "listen %s: "
			    "expected not with an address unix:/path",
			    v->name);
}

static void
build_listen(struct conf_load *l, const struct conf_section *s)
{
	struct conf		*conf = l->conf;
	struct conf_listen	 new, *grown;

	conf_key_init_listen(&new);
	if (parse_address(&new, s->title, l->arena) == -1) {
		new.path = new.port = NULL;
		conf_error(&l->errors, s->where, "listen \"%s\": expected "
		    "\"address:port\", \"[address]:port\", \"*:port\" or "
		    "\"unix:/path\"", s->title);
	}
	build_values(l, s, &new);
	if (new.path != NULL || new.port != NULL)
		check_kind(l, s, new.path != NULL);
	if (new.defer_accept % 1000 != 0)
		conf_error(&l->errors, where_in(s, "defer-accept"),
		    "listen defer-accept: expected whole seconds");
	if (conf->nlisten == CONF_LISTEN_MAX) {
		conf_error(&l->errors, s->where, "too many listeners: "
		    "expected at most %d", CONF_LISTEN_MAX);
		return;
	}
	grown = arena_grow(l->arena, conf->listen, conf->nlisten,
	    sizeof(*grown));
	grown[conf->nlisten++] = new;
	conf->listen = l->listen = grown;
	conf->workers += new.workers;
	if (conf->workers > CONF_WORKERS_MAX)
		conf_error(&l->errors, where_in(s, "workers"), "listen "
		    "workers: %u of all listeners: expected at most %d",
		    conf->workers, CONF_WORKERS_MAX);
}

static bool
is_token(const char *text)
{
	size_t	 len = strlen(text);

	return len > 0 && chars_span(text, len, CHARS_TOKEN) == len;
}

/* ---- logs and the status page ------------------------------------------ */

static unsigned int
parse_only(struct conf_load *l, const struct conf_section *s)
{
	const struct conf_word	*word;
	unsigned int		 i, only = 0;

	for (i = 0; i < s->nvalues; i++) {
		if (strcmp(s->value[i].name, "only") != 0)
			continue;
		for (word = conf_key_only(); word->word != NULL; word++)
			if (strcmp(word->word, s->value[i].text) == 0)
				break;
		if (word->word == NULL)
			conf_error(&l->errors, s->value[i].where,
			    "log only \"%s\": expected errors, blocked or "
			    "unscanned", s->value[i].text);
		only |= (unsigned int)word->value;
	}
	return only;
}

static void
build_log(struct conf_load *l, const struct conf_section *s)
{
	struct conf_view	*view = &l->conf->view;
	struct conf_log_text	 t;
	const char		*why, *at, *path;

	conf_key_init_log(&t);
	build_values(l, s, &t);
	t.log.path = s->title;
	t.log.only = parse_only(l, s);
	path = devlog_find_path(s->title);
	if (s->title[0] != '/' && strcmp(s->title, LOGGER_STDOUT) != 0 &&
	    path == NULL)
		conf_error(&l->errors, s->where, "log \"%s\": expected an "
		    "absolute path, \"-\", \"syslog\" or \"syslog:/path\"",
		    s->title);
	if (strlen(s->title) > RING_PATH_MAX)
		conf_error(&l->errors, s->where, "log \"%.32s...\": too long: "
		    "expected at most %d bytes", s->title, RING_PATH_MAX);
	else if (path != NULL && strlen(path) > DEVLOG_PATH_MAX)
		conf_error(&l->errors, s->where, "log \"%.32s...\": too long "
		    "for a socket: expected at most %d bytes", s->title,
		    DEVLOG_PATH_MAX);
	if (!t.log.access && !t.log.events)
		conf_error(&l->errors, s->where, "log \"%s\" logs nothing: "
		    "expected access = yes or events = yes", s->title);
	if (t.log.format != NULL && conf_section_find(s, "form") == NULL)
		t.log.form = RECORD_CUSTOM;
	if ((t.log.format != NULL) != (t.log.form == RECORD_CUSTOM))
		conf_error(&l->errors, where_in(s, "form"), "log \"%s\": "
		    "expected a format with form = custom, and only then",
		    s->title);
	if (view->nlogs == CONF_LOGS_MAX) {
		conf_error(&l->errors, s->where, "too many logs: expected at "
		    "most %d", CONF_LOGS_MAX);
		return;
	}
	if (t.log.format != NULL && (t.log.compiled =
	    record_parse_format(t.log.format, &why, &at)) == NULL)
		conf_error(&l->errors, where_in(s, "format"),
		    "log format \"%s\": %s: expected a %%-code as in "
		    "icapd.conf(5)", at, why);
	view->log[view->nlogs++] = t.log;
}

static void
build_view(struct conf_load *l)
{
	struct conf_view	*view = &l->conf->view;
	struct conf_listen	 address;
	size_t			 ring = view->log_ring;

	if ((ring & (ring - 1)) != 0)
		conf_error(&l->errors, conf_where_of(l, "", "log-ring"),
		    "log-ring: expected a power of two, like 256k");
	if (view->id_header != NULL && !is_token(view->id_header))
		conf_error(&l->errors, conf_where_of(l, "", "id-header"),
		    "id-header \"%s\": expected the name of a header field",
		    view->id_header);
	if (view->status_address == NULL)
		return;
	memset(&address, 0, sizeof(address));
	if (parse_address(&address, view->status_address, l->arena) == -1 ||
	    address.host == NULL) {
		conf_error(&l->errors, conf_where_of(l, "status", "address"),
		    "status address \"%s\": expected \"address:port\" or "
		    "\"[address]:port\"", view->status_address);
		return;
	}
	view->status_host = address.host;
	view->status_port = address.port;
}

/* ---- services ----------------------------------------------------------- */

struct setup {
	struct service_setup	 public;
	struct conf_load	*load;
	const struct conf_section *section;
	struct conf_where	 where;
};

/*
 * A service, or a page, has an error.  Where the message begins with the name
 * of a key of the section, its line is meant.
 */
static void setup_error(const struct service_setup *public,
    const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
setup_error(const struct service_setup *public, const char *fmt, ...)
{
	const struct setup	*setup = public->arg;
	struct conf_where	 where = setup->where;
	const struct conf_value	*v;
	char			 text[1024];
	size_t			 len;
	unsigned int		 i;
	va_list			 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (i = 0; setup->section != NULL && i < setup->section->nvalues;
	    i++) {
		v = &setup->section->value[i];
		len = strlen(v->name);
		if (strncmp(text, v->name, len) == 0 &&
		    (text[len] == ' ' || text[len] == ':'))
			where = v->where;
	}
	if (setup->section != NULL)
		conf_error(&setup->load->errors, where, "%s \"%s\": %s",
		    setup->section->type, setup->section->title, text);
	else
		conf_error(&setup->load->errors, where, "%s", text);
}

/* The same for a value of a section within the section. */
static void setup_error_at(const struct service_setup *public, cfg_t *inner,
    const char *key, unsigned int index, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void
setup_error_at(const struct service_setup *public, cfg_t *inner,
    const char *key, unsigned int index, const char *fmt, ...)
{
	const struct setup		*setup = public->arg;
	const struct conf_section	*s;
	struct conf_where		 where = setup->where;
	char				 text[1024];
	unsigned int			 i, n = 0;
	va_list				 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if ((s = conf_text_find(&setup->load->text, inner)) != NULL) {
		where = s->where;
		for (i = 0; key != NULL && i < s->nvalues; i++)
			if (strcmp(s->value[i].name, key) == 0 && n++ <= index)
				where = s->value[i].where;
	}
	conf_error(&setup->load->errors, where, "%s %s: %s", inner->name,
	    inner->title != NULL ? inner->title : "", text);
}

static int
setup_keep(const struct service_setup *public, int fd)
{
	const struct setup	*setup = public->arg;
	struct conf		*conf = setup->load->conf;

	if (conf->nkeep == CONF_KEEP_MAX) {
		public->error(public, "too many descriptors are to be kept: "
		    "expected at most %d in all sections", CONF_KEEP_MAX);
		return -1;
	}
	conf->keep[conf->nkeep++] = fd;
	return 0;
}

/* What the section calls something, for administrators. */
static struct vital_name
setup_name(const struct service_setup *public, const char *name,
    const char *help)
{
	const struct setup	*setup = public->arg;
	struct vital_name	 is = { public->name, setup->section->type,
				    name, help };

	return is;
}

static struct service_backend *
setup_backend(const struct service_setup *public, const char *name,
    int needed)
{
	const struct setup	*setup = public->arg;
	struct vital_name	 is = setup_name(public, name, NULL);

	return conf_want_backend(setup->load->conf, &is, needed != 0);
}

/* The name of a number is part of the name of a metric. */
static bool
setup_has_name(const struct service_setup *public, const char *name)
{
	if (vital_is_name(name))
		return true;
	public->error(public, "the number \"%s\": expected a name of a-z, "
	    "0-9 and _, without _total at its end", name);
	return false;
}

static struct service_counter *
setup_counter(const struct service_setup *public, const char *name,
    const char *help)
{
	const struct setup	*setup = public->arg;
	struct vital_name	 is = setup_name(public, name, help);

	if (!setup_has_name(public, name))
		return NULL;
	return conf_want_counter(setup->load->conf, &is);
}

static struct service_gauge *
setup_gauge(const struct service_setup *public, const char *name,
    const char *help)
{
	const struct setup	*setup = public->arg;
	struct vital_name	 is = setup_name(public, name, help);

	if (!setup_has_name(public, name))
		return NULL;
	return conf_want_gauge(setup->load->conf, &is);
}

static int
setup_folder(const struct service_setup *public, const char *path)
{
	const struct setup	*setup = public->arg;
	const struct conf	*conf = setup->load->conf;
	struct priv		 priv = conf->priv;
	const char		*why;

	/* conf_check.c tells what is wrong with the user */
	if (priv_find_user(&priv, conf->user, conf->group, &why) == -1)
		priv.is_drop = false;
	if (folder_open(path, &priv, &why) == 0)
		return 0;
	if (why == NULL)
		return -1;
	public->error(public, "folder %s: %s: expected one that only root "
	    "and the user of the workers can write to", path, why);
	return 1;
}

static void
setup_init(struct setup *setup, struct conf_load *l,
    const struct conf_section *s, struct conf_where where)
{
	memset(setup, 0, sizeof(*setup));
	setup->load = l;
	setup->section = s;
	setup->where = where;
	setup->public.section = s != NULL ? s->cfg : NULL;
	setup->public.name = s != NULL ? s->title : "";
	setup->public.root = l->conf->priv.chroot;
	setup->public.rehearsed = l->is_rehearsed;
	setup->public.patience = l->conf->timeouts.transaction;
	setup->public.error = setup_error;
	setup->public.error_at = setup_error_at;
	setup->public.keep = setup_keep;
	setup->public.backend = setup_backend;
	setup->public.counter = setup_counter;
	setup->public.gauge = setup_gauge;
	setup->public.folder = setup_folder;
	setup->public.arg = setup;
}

/* The section as text, for the ISTag. */
static const char *
instance_text(struct conf_load *l, cfg_t *cfg)
{
	const char	*copy;
	char		*text = NULL;
	size_t		 size = 0;
	FILE		*fp;

	if ((fp = open_memstream(&text, &size)) == NULL)
		fatal(EXIT_SICK, "memory for the configuration");
	conf_print_section(cfg, 0, fp);
	if (fclose(fp) == EOF)
		fatal(EXIT_SICK, "memory for the configuration");
	copy = arena_copy(l->arena, text);
	free(text);
	return copy;
}

static int
find_instance(const struct conf *conf, const char *name)
{
	unsigned int	 i;

	for (i = 0; i < conf->ninstances; i++)
		if (strcmp(conf->instance[i].name, name) == 0)
			return (int)i;
	return -1;
}

/* A service has failed and not said why. */
static void
refuse_instance(struct conf_load *l, const struct conf_section *s)
{
	conf_error(&l->errors, s->where, "%s \"%s\" does not start: expected "
	    "it to", s->type, s->title);
}

static void
build_instance(struct conf_load *l, const struct conf_section *s)
{
	struct conf		*conf = l->conf;
	struct conf_instance	*new;
	struct setup		 setup;
	unsigned int		 before = l->errors.n;

	if (s->title[0] == '\0') {
		conf_error(&l->errors, s->where, "%s \"\": expected a name",
		    s->type);
		return;
	}
	if (s->cfg == NULL)
		return;			/* there twice, this was said */
	if (find_instance(conf, s->title) != -1) {
		conf_error(&l->errors, s->where, "%s \"%s\": the name is "
		    "taken: expected each name once", s->type, s->title);
		return;
	}
	conf->instance = arena_grow(l->arena, conf->instance,
	    conf->ninstances, sizeof(*new));
	new = &conf->instance[conf->ninstances++];
	memset(new, 0, sizeof(*new));
	new->service = registry_find(s->type);
	new->name = s->title;
	new->section = s->cfg;
	new->text = instance_text(l, s->cfg);
	if (new->service->open == NULL)
		return;
	setup_init(&setup, l, s, s->where);
	if (new->service->open(&setup.public, &new->instance) == 0)
		new->is_open = true;
	else if (l->errors.n == before)
		refuse_instance(l, s);
}

/* A service that is run without a section of its own, by its own name. */
static int
build_implied(struct conf_load *l, const char *name, struct conf_where where)
{
	const struct conf_section	*s;

	if (registry_find(name) == NULL)
		return -1;
	s = conf_parse_add_section(&l->text, name, name, where, l->arena,
	    &l->errors);
	build_instance(l, s);
	return find_instance(l->conf, name);
}

/* ---- plans -------------------------------------------------------------- */

static void
build_steps(struct conf_load *l, unsigned int section,
    const struct conf_service *written, struct txn_plan *plan,
    struct conf_chain *chain)
{
	const struct conf_value	*v;
	struct conf_where	 where;
	unsigned int		*instance, i, k;
	int			 n;

	plan->step = arena_alloc(l->arena, written->run.n + 1,
	    sizeof(*plan->step));
	chain->instance = instance = arena_alloc(l->arena,
	    written->run.n + 1, sizeof(*instance));
	for (i = 0; i < l->text.section[section].nvalues; i++) {
		v = &l->text.section[section].value[i];
		if (strcmp(v->name, "run") != 0)
			continue;
		where = v->where;
		n = find_instance(l->conf, v->text);
		if (n == -1)
			n = build_implied(l, v->text, where);
		if (n == -1) {
			conf_error(&l->errors, where, "service run "
			    "\"%s\": expected the name of a service or of "
			    "its section", v->text);
			continue;
		}
		for (k = 0; k < plan->nsteps; k++)
			if (instance[k] == (unsigned int)n)
				conf_error(&l->errors, where, "service run "
				    "\"%s\" twice: expected each name once",
				    l->conf->instance[n].name);
		if (plan->nsteps == written->run.n)
			break;			/* "" was no name */
		plan->step[plan->nsteps].service =
		    l->conf->instance[n].service;
		plan->step[plan->nsteps].instance =
		    l->conf->instance[n].instance;
		instance[plan->nsteps++] = (unsigned int)n;
	}
}

/* "exe, zip" of a header; NULL for the empty list. */
static const char *
join(struct conf_load *l, const struct conf_texts *texts)
{
	const char	*text = NULL;
	unsigned int	 i;

	for (i = 0; i < texts->n; i++)
		text = text == NULL ? texts->text[i] :
		    arena_printf(l->arena, "%s, %s", text, texts->text[i]);
	return text;
}

static bool
has(const struct conf_texts *texts, const char *text)
{
	unsigned int	 i;

	for (i = 0; i < texts->n; i++)
		if (strcmp(texts->text[i], text) == 0)
			return true;
	return false;
}

/*
 * The three lists of file extensions: tokens, each in one list only; when
 * there are any, one of them has "*" (RFC 3507 4.10.2).
 */
static void
check_transfer(struct conf_load *l, const struct conf_section *s,
    struct conf_service *w)
{
	static const char *const	 name[] = {
		"transfer-preview", "transfer-ignore", "transfer-complete"
	};
	struct conf_texts		*list[] = {
		&w->transfer_preview, &w->transfer_ignore,
		&w->transfer_complete
	};
	const struct conf_value		*v;
	unsigned int			 i, k, n, any = 0;

	/* the default gives way to a "*" elsewhere */
	if (conf_section_find(s, name[0]) == NULL &&
	    (has(list[1], "*") || has(list[2], "*")))
		memset(list[0], 0, sizeof(*list[0]));
	for (i = 0; i < s->nvalues; i++) {
		v = &s->value[i];
		for (k = 0; k < 3; k++)
			if (strcmp(v->name, name[k]) == 0)
				break;
		if (k == 3)
			continue;
		if (!is_token(v->text))
			conf_error(&l->errors, v->where, "service %s \"%s\": "
			    "expected file extensions without a dot, or \"*\"",
			    v->name, v->text);
		for (n = 0; n < k; n++)
			if (has(list[n], v->text))
				conf_error(&l->errors, v->where,
				    "service %s \"%s\": expected in one list "
				    "only, and it is in %s", v->name, v->text,
				    name[n]);
	}
	for (i = 0; i < 3; i++)
		any += has(list[i], "*");
	if (any == 0 && list[0]->n + list[1]->n + list[2]->n > 0)
		conf_error(&l->errors, s->where, "service \"%s\": expected "
		    "\"*\" in one of its transfer lists", s->title);
}

static void
build_page(struct conf_load *l, const struct conf_section *s,
    const char *file, struct txn_plan *plan)
{
	struct conf		*conf = l->conf;
	struct service_template	*page;
	struct setup		 setup;

	if (file == NULL)
		return;
	setup_init(&setup, l, NULL, where_in(s, "template"));
	if ((page = service_template_open(&setup.public, file)) == NULL)
		return;
	conf->page = arena_grow(l->arena, conf->page, conf->npages,
	    sizeof(*conf->page));
	conf->page[conf->npages++] = page;
	plan->page = page;
}

static void
check_headers(struct conf_load *l, const struct conf_section *s)
{
	unsigned int	 i;

	for (i = 0; i < s->nvalues; i++)
		if (strcmp(s->value[i].name, "x-include") == 0 &&
		    !is_token(s->value[i].text))
			conf_error(&l->errors, s->value[i].where,
			    "service x-include \"%s\": expected names of "
			    "header fields", s->value[i].text);
}

/* "/path" without its slashes; NULL when it is none. */
static const char *
plan_path(struct conf_load *l, const char *title)
{
	size_t		 len = strlen(title);
	const char	*path;

	if (len < 2 || title[0] != '/')
		return NULL;
	len -= title[len - 1] == '/';
	path = arena_printf(l->arena, "%.*s", (int)(len - 1), title + 1);
	return conf_is_path(path) ? path : NULL;
}

static void
build_plan(struct conf_load *l, unsigned int section)
{
	/* by index: implied sections may move the array */
	struct conf_section	 s = l->text.section[section];
	struct conf		*conf = l->conf;
	struct conf_service	 written, *services;
	struct txn_plan		 plan;
	struct conf_chain	 chain;
	const char		*path;
	unsigned int		 i;

	memset(&plan, 0, sizeof(plan));
	memset(&chain, 0, sizeof(chain));
	conf_key_init_service(&written);
	if ((path = plan_path(l, s.title)) == NULL)
		conf_error(&l->errors, s.where, "service \"%s\": expected "
		    "\"/path\" of letters, digits and any of -._~/", s.title);
	for (i = 0; path != NULL && i < conf->nplans; i++)
		/* else it was said by conf_parse.c */
		if (strcmp(conf->plan[i].path, path) == 0 &&
		    strcmp(conf->service[i].title, s.title) != 0)
			conf_error(&l->errors, s.where, "service \"%s\" is "
			    "the same path as \"%s\": expected each path "
			    "once", s.title, conf->service[i].title);
	written.title = s.title;
	plan.path = written.path = path != NULL ? path : s.title;
	build_values(l, &s, &written);
	check_transfer(l, &s, &written);
	check_headers(l, &s);
	build_steps(l, section, &written, &plan, &chain);
	if (written.run.n == 0)
		conf_error(&l->errors, s.where, "service \"%s\" runs "
		    "nothing: expected run = {NAME, ...}", s.title);
	if (written.run.n > CONF_STEPS_MAX)
		conf_error(&l->errors, where_in(&s, "run"), "service run "
		    "of %u names: expected at most %d", written.run.n,
		    CONF_STEPS_MAX);
	plan.on_error = written.on_error;
	plan.shadow = written.shadow;
	plan.options_ttl = (unsigned int)(written.options_ttl / 1000);
	plan.preview_set = written.preview != CONF_PREVIEW_AUTO;
	plan.preview = (long)written.preview;
	plan_finish(&plan);
	if (plan.preview >= 0)
		plan.transfer_preview = join(l, &written.transfer_preview);
	plan.transfer_ignore = join(l, &written.transfer_ignore);
	plan.transfer_complete = join(l, &written.transfer_complete);
	plan.x_include = join(l, &written.x_include);
	build_page(l, &s, written.template_file, &plan);
	if (conf->nplans == CONF_PLANS_MAX) {
		conf_error(&l->errors, s.where, "too many services: "
		    "expected at most %d", CONF_PLANS_MAX);
		return;
	}
	conf->plan = arena_grow(l->arena, conf->plan, conf->nplans,
	    sizeof(plan));
	conf->plan[conf->nplans] = plan;
	conf->chain = arena_grow(l->arena, conf->chain, conf->nplans,
	    sizeof(chain));
	conf->chain[conf->nplans] = chain;
	services = arena_grow(l->arena, conf->service, conf->nplans,
	    sizeof(written));
	services[conf->nplans] = written;
	conf->service = services;
	conf->nplans++;
}

/* ---- all of it ---------------------------------------------------------- */

/* The first of two keys of a section has to be at most the second. */
static void
check_order(struct conf_load *l, const char *section, const char *small,
    const char *large, bool is_so)
{
	struct conf_where	 where = conf_where_of(l, section, small);

	if (is_so)
		return;
	if (where.line == 0)
		where = conf_where_of(l, section, large);
	conf_error(&l->errors, where, "%s %s: expected at most %s %s",
	    section, small, section, large);
}

/* What holds between keys. */
static void
check_relations(struct conf_load *l)
{
	const struct conf	*conf = l->conf;

	check_order(l, "limits", "request-line", "head",
	    conf->limits.request_line <= conf->limits.head);
	check_order(l, "timeouts", "head", "transaction",
	    conf->timeouts.head <= conf->timeouts.transaction);
	check_order(l, "spool", "memory", "limit",
	    conf->spool_memory <= conf->spool_limit);
	if (conf->group != NULL && conf->user == NULL)
		conf_error(&l->errors, conf_where_of(l, "", "group"),
		    "group without a user: expected both");
}

void
conf_build(struct conf_load *l)
{
	struct conf_where	 file = { l->conf->file, 0 };
	struct conf_section	 preset;
	unsigned int		 i, n = l->text.nsections;

	l->conf->cfg = l->text.cfg;
	for (i = 0; i < n; i++) {
		const struct conf_section	*s = &l->text.section[i];

		if (s->outer != 0)
			continue;		/* its service reads it */
		if (strcmp(s->type, "listen") == 0)
			build_listen(l, s);
		else if (strcmp(s->type, "log") == 0)
			build_log(l, s);
		else if (registry_find(s->type) != NULL)
			build_instance(l, s);
		else if (strcmp(s->type, "service") != 0)
			build_values(l, s, l->conf);
	}
	for (i = 0; i < n; i++)
		if (l->text.section[i].outer == 0 &&
		    strcmp(l->text.section[i].type, "service") == 0)
			build_plan(l, i);
	check_relations(l);
	build_view(l);
	if (l->text.is_broken)
		return;			/* what is missing may be there */
	if (l->conf->nlisten == 0) {
		memset(&preset, 0, sizeof(preset));
		preset.type = "listen";
		preset.title = "127.0.0.1:1344";
		preset.where = file;
		build_listen(l, &preset);
	}
	if (l->conf->nplans == 0)
		conf_error(&l->errors, file, "nothing is served: expected "
		    "service \"/path\" { run = {NAME} }");
}

void
conf_build_name(struct conf_load *l, const struct conf_args *args)
{
	struct conf_where	 nowhere = { NULL, 0 };
	struct conf_section	*s;
	struct conf_value	 run = { "run", registry_default(),
				    nowhere, true };
	struct conf_listen	*listen;
	unsigned int		 n;

	conf_parse_nothing(&l->text, l->arena, &l->errors);
	l->conf->cfg = l->text.cfg;
	s = conf_parse_add_section(&l->text, "service",
	    arena_printf(l->arena, "/%s", args->name), nowhere, l->arena,
	    &l->errors);
	s->value = &run;
	s->nvalues = 1;
	n = l->text.nsections - 1;
	build_plan(l, n);
	l->text.section[n].nvalues = 0;

	listen = arena_alloc(l->arena, 1, sizeof(*listen));
	conf_key_init_listen(listen);
	listen->host = args->host != NULL ? args->host : "127.0.0.1";
	listen->port = args->port != NULL ? args->port : "1344";
	listen->address = arena_printf(l->arena,
	    strchr(listen->host, ':') != NULL ? "[%s]:%s" : "%s:%s",
	    listen->host, listen->port);
	if (args->workers != 0)
		listen->workers = args->workers;
	l->conf->listen = listen;
	l->conf->nlisten = 1;
	l->conf->workers = listen->workers;
	l->conf->print_requests = true;
	/* leaves no file behind */
	l->conf->run_dir = NULL;
}

void
conf_build_load(struct conf_load *l)
{
	const struct conf_instance	*instance;
	const struct conf_section	*s;
	struct setup			 setup;
	unsigned int			 i, before;

	for (i = 0; i < l->conf->ninstances; i++) {
		instance = &l->conf->instance[i];
		if (!instance->is_open || instance->service->load == NULL ||
		    (s = conf_text_find(&l->text, instance->section)) == NULL)
			continue;
		before = l->errors.n;
		setup_init(&setup, l, s, s->where);
		if (instance->service->load(&setup.public,
		    instance->instance) == -1 && l->errors.n == before)
			refuse_instance(l, s);
	}
}
