/* SPDX-License-Identifier: ISC */
/*
 * What the daemon was told to be: loading it, look-ups in it, and forgetting
 * it.  Called by main.c and, for a reload, by the master; read by everybody.
 * Once loaded it does not change, but for its ISTags; so the old and the new
 * one can stand side by side.
 */
#include <sys/mman.h>

#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "conf_build.h"
#include "conf_wanted.h"

/* Processes share the tags: who finds a change tells all of them. */
static int
map_tags(struct conf *conf)
{
	conf->tag = mmap(NULL, (conf->nplans + 1) * sizeof(*conf->tag),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (conf->tag == MAP_FAILED) {
		conf->tag = NULL;
		return -1;
	}
	return 0;
}

struct conf *
conf_load(const struct conf_args *args)
{
	struct conf_load	 l;

	memset(&l, 0, sizeof(l));
	l.arena = arena_new();
	l.errors.arena = l.arena;
	l.is_rehearsed = args->is_rehearsed;
	l.conf = arena_alloc(l.arena, 1, sizeof(*l.conf));
	conf_key_init(l.conf);
	l.conf->arena = l.arena;
	if (args->name != NULL)
		conf_build_name(&l, args);
	else {
		l.conf->file = args->file;
		conf_parse(&l.text, args->file, l.arena, &l.errors);
		conf_build(&l);
		conf_check(&l, args->check_listeners);
	}
	if (args->drop == NULL || args->drop(l.conf) == 0)
		conf_build_load(&l);
	if (l.errors.n > 0) {
		conf_error_report(&l.errors, args->report);
		conf_free(l.conf);
		return NULL;
	}
	l.conf->istag = arena_alloc(l.arena, l.conf->nplans + 1,
	    sizeof(*l.conf->istag));
	if (map_tags(l.conf) == -1) {
		args->report("no memory for the ISTags");
		conf_free(l.conf);
		return NULL;
	}
	conf_want_finish(l.conf);
	(void)conf_make_istag(l.conf);
	return l.conf;
}

void
conf_free(struct conf *conf)
{
	const struct conf_instance	*instance;
	unsigned int			 i;

	if (conf == NULL)
		return;
	for (i = 0; i < conf->npages; i++)
		service_template_close(conf->page[i]);
	for (i = 0; i < conf->ninstances; i++) {
		instance = &conf->instance[i];
		if (instance->is_open && instance->service->close != NULL)
			instance->service->close(instance->instance);
	}
	if (conf->tag != NULL)
		(void)munmap(conf->tag,
		    (conf->nplans + 1) * sizeof(*conf->tag));
	for (i = 0; i < conf->view.nlogs; i++)
		if (conf->view.log[i].compiled != NULL)
			record_free_format(conf->view.log[i].compiled);
	if (conf->cfg != NULL)
		(void)cfg_free(conf->cfg);
	arena_free(conf->arena);
}

/* FNV-1a, 64 bits: no secret is kept by it, it only has to differ. */
static uint64_t
mix(uint64_t hash, const char *text)
{
	do {
		hash ^= (unsigned char)*text;
		hash *= UINT64_C(0x100000001b3);
	} while (*text++ != '\0');
	return hash;
}

static uint64_t
mix_instance(uint64_t hash, const struct conf_instance *instance)
{
	char	 version[256] = "";

	hash = mix(hash, instance->service->name);
	hash = mix(hash, instance->text);
	if (instance->service->version != NULL)
		instance->service->version(instance->instance, version,
		    sizeof(version));
	return mix(hash, version);
}

/* Everything a verdict of that plan depends on. */
static uint64_t
mix_plan(const struct conf *conf, unsigned int n)
{
	const struct txn_plan	*plan = &conf->plan[n];
	uint64_t		 hash = UINT64_C(0xcbf29ce484222325);
	unsigned int		 i;
	char			 how[3];

	how[0] = (char)('0' + plan->on_error);
	how[1] = plan->shadow ? '1' : '0';
	how[2] = '\0';
	hash = mix(hash, PACKAGE_VERSION);
	hash = mix(hash, how);
	hash = mix(hash, plan->path);
	for (i = 0; i < plan->nsteps; i++)
		hash = mix_instance(hash,
		    &conf->instance[conf->chain[n].instance[i]]);
	return hash;
}

/* Returns whether it is another one. */
static bool
set_tag(uint64_t *tag, uint64_t hash)
{
	return __atomic_exchange_n(tag, hash, __ATOMIC_RELAXED) != hash;
}

bool
conf_make_istag(const struct conf *conf)
{
	uint64_t	 all = 0, hash;
	unsigned int	 i;
	bool		 changed = false;

	for (i = 0; i < conf->nplans; i++) {
		hash = mix_plan(conf, i);
		all = all * 31 + hash;
		changed = set_tag(&conf->tag[i], hash) || changed;
	}
	return set_tag(&conf->tag[conf->nplans], all) || changed;
}

uint64_t
conf_get_tag(const struct conf *conf)
{
	return __atomic_load_n(&conf->tag[conf->nplans], __ATOMIC_RELAXED);
}

const char *
conf_get_istag(const struct conf *conf, const struct txn_plan *plan)
{
	unsigned int		 i;
	struct conf_istag	*istag;
	uint64_t		 hash;

	i = plan == NULL ? conf->nplans : (unsigned int)(plan - conf->plan);
	istag = &conf->istag[i];
	hash = __atomic_load_n(&conf->tag[i], __ATOMIC_RELAXED);
	if (istag->text[0] == '\0' || istag->hash != hash) {
		istag->hash = hash;
		(void)snprintf(istag->text, sizeof(istag->text),
		    "icapd-%016llx", (unsigned long long)hash);
	}
	return istag->text;
}

const struct txn_plan *
conf_find_plan(const struct conf *conf, const char *path)
{
	unsigned int	 i;

	for (i = 0; i < conf->nplans; i++)
		if (strcmp(conf->plan[i].path, path) == 0)
			return &conf->plan[i];
	return NULL;
}

const struct conf_listen *
conf_listen_of(const struct conf *conf, unsigned int i)
{
	return &conf->listen[i < conf->nlisten ? i : conf->nlisten - 1];
}
