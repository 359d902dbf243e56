/* SPDX-License-Identifier: ISC */
/*
 * The configuration in effect as a file that can be loaded, and the list of
 * keys that t/conf-lint.sh compares the manual with.  Called by main.c for
 * -nn and --list-keys.  What is written comes from struct conf, not from the
 * file, so that it shows what was understood.
 */
#include <string.h>

#include "../services/registry.h"
#include "conf_key.h"
#include "conf_print.h"
#include "conf_table.h"

static void
print_keys(const char *section, const void *base, FILE *fp)
{
	const struct conf_key	*key;

	for (key = conf_keys(); key->name != NULL; key++) {
		if (strcmp(key->section, section) != 0)
			continue;
		(void)fprintf(fp, "%s%s = ", section[0] != '\0' ? "\t" : "",
		    key->name);
		conf_key_write(key, base, fp);
		(void)putc('\n', fp);
	}
}

static void
print_listen(const struct conf_listen *l, FILE *fp)
{
	const struct conf_key	*key;
	bool			 is_path_key;

	(void)fputs("\nlisten ", fp);
	conf_write_text(l->address, fp);
	(void)fputs(" {\n", fp);
	for (key = conf_keys(); key->name != NULL; key++) {
		if (strcmp(key->section, "listen") != 0)
			continue;
		is_path_key = strcmp(key->name, "mode") == 0 ||
		    strcmp(key->name, "owner") == 0;
		/* the others are for both, or for TCP only */
		if (is_path_key != (l->path != NULL) &&
		    strcmp(key->name, "workers") != 0 &&
		    strcmp(key->name, "backlog") != 0)
			continue;
		(void)fprintf(fp, "\t%s = ", key->name);
		conf_key_write(key, l, fp);
		(void)putc('\n', fp);
	}
	(void)fputs("}\n", fp);
}

static void
print_log(const struct conf_log *log, FILE *fp)
{
	const struct conf_word	*word;
	struct conf_log_text	 t;
	const char		*text[8];

	t.log = *log;
	t.only.text = text;
	t.only.n = 0;
	for (word = conf_key_only(); word->word != NULL; word++)
		if ((log->only & (unsigned int)word->value) != 0)
			text[t.only.n++] = word->word;
	(void)fputs("\nlog ", fp);
	conf_write_text(log->path, fp);
	(void)fputs(" {\n", fp);
	print_keys("log", &t, fp);
	(void)fputs("}\n", fp);
}

static void
print_indent(unsigned int n, FILE *fp)
{
	while (n-- > 0)
		(void)putc('\t', fp);
}

static void
print_value(cfg_opt_t *opt, unsigned int i, FILE *fp)
{
	const char	*text;

	if (opt->pf != NULL) {
		opt->pf(opt, i, fp);
		return;
	}
	switch (opt->type) {
	case CFGT_INT:
		(void)fprintf(fp, "%ld", cfg_opt_getnint(opt, i));
		break;
	case CFGT_FLOAT:
		(void)fprintf(fp, "%.17g", cfg_opt_getnfloat(opt, i));
		break;
	case CFGT_BOOL:
		(void)fputs(cfg_opt_getnbool(opt, i) ? "yes" : "no", fp);
		break;
	default:
		text = cfg_opt_getnstr(opt, i);
		conf_write_text(text != NULL ? text : "", fp);
		break;
	}
}

static void
print_list(cfg_opt_t *opt, FILE *fp)
{
	unsigned int	 i;

	(void)putc('{', fp);
	for (i = 0; i < cfg_opt_size(opt); i++) {
		if (i > 0)
			(void)fputs(", ", fp);
		print_value(opt, i, fp);
	}
	(void)putc('}', fp);
}

/* A text without a value cannot be written as one. */
static bool
has_value(cfg_opt_t *opt)
{
	if ((opt->flags & CFGF_LIST) != 0)
		return true;
	return cfg_opt_size(opt) > 0 && (opt->type != CFGT_STR ||
	    cfg_opt_getnstr(opt, 0) != NULL);
}

void
conf_print_section(cfg_t *cfg, unsigned int indent, FILE *fp)
{
	cfg_opt_t	*opt;
	cfg_t		*inner;
	unsigned int	 i;

	for (opt = cfg->opts; opt->name != NULL; opt++) {
		if (opt->name[0] == CONF_TABLE_OWN ||
		    opt->type == CFGT_FUNC)
			continue;
		if (opt->type == CFGT_SEC) {
			for (i = 0; i < cfg_opt_size(opt); i++) {
				inner = cfg_opt_getnsec(opt, i);
				print_indent(indent, fp);
				(void)fprintf(fp, "%s ", opt->name);
				if (inner->title != NULL) {
					conf_write_text(inner->title, fp);
					(void)putc(' ', fp);
				}
				(void)fputs("{\n", fp);
				conf_print_section(inner, indent + 1, fp);
				print_indent(indent, fp);
				(void)fputs("}\n", fp);
			}
			continue;
		}
		if (!has_value(opt))
			continue;
		print_indent(indent, fp);
		(void)fprintf(fp, "%s = ", opt->name);
		if ((opt->flags & CFGF_LIST) != 0)
			print_list(opt, fp);
		else
			print_value(opt, 0, fp);
		(void)putc('\n', fp);
	}
}

static void
print_core_sections(const struct conf *conf, FILE *fp)
{
	const struct conf_key	*key;
	const char		*before = "";

	for (key = conf_keys(); key->name != NULL; key++) {
		if (strcmp(key->section, before) == 0 ||
		    conf_section_has_title(key->section))
			continue;
		before = key->section;
		(void)fprintf(fp, "\n%s {\n", before);
		print_keys(before, conf, fp);
		(void)fputs("}\n", fp);
	}
}

void
conf_print(const struct conf *conf, FILE *fp)
{
	unsigned int	 i;

	print_keys("", conf, fp);
	for (i = 0; i < conf->nlisten; i++)
		print_listen(&conf->listen[i], fp);
	for (i = 0; i < conf->view.nlogs; i++)
		print_log(&conf->view.log[i], fp);
	print_core_sections(conf, fp);
	for (i = 0; i < conf->ninstances; i++) {
		(void)fprintf(fp, "\n%s ", conf->instance[i].service->name);
		conf_write_text(conf->instance[i].name, fp);
		(void)fputs(" {\n", fp);
		conf_print_section(conf->instance[i].section, 1, fp);
		(void)fputs("}\n", fp);
	}
	for (i = 0; i < conf->nplans; i++) {
		(void)fprintf(fp, "\nservice \"/%s\" {\n",
		    conf->service[i].path);
		print_keys("service", &conf->service[i], fp);
		(void)fputs("}\n", fp);
	}
}

/* ---- the list of keys --------------------------------------------------- */

/* Defaults that depend on the environment are not shown as such. */
static void
print_default(const struct conf_key *key, FILE *fp)
{
	struct conf		 conf;
	struct conf_listen	 listen;
	struct conf_log_text	 log;
	struct conf_service	 service;
	const void		*base = &conf;

	conf_key_init(&conf);
	conf_key_init_listen(&listen);
	conf_key_init_log(&log);
	conf_key_init_service(&service);
	if (strcmp(key->section, "log") == 0)
		base = &log;
	else if (strcmp(key->section, "listen") == 0)
		base = &listen;
	else if (strcmp(key->section, "service") == 0)
		base = &service;
	if (strcmp(key->section, "spool") == 0 &&
	    strcmp(key->name, "directory") == 0)
		(void)fputs("\"/tmp\"", fp);
	else
		conf_key_write(key, base, fp);
}

/* The keys of a section of a service, then those of sections within it. */
static void
print_service_keys(const char *section, const cfg_opt_t *options, FILE *fp)
{
	static const char *const	 type[] = {
		[CFGT_INT] = "number", [CFGT_FLOAT] = "number",
		[CFGT_STR] = "text", [CFGT_BOOL] = "word",
		[CFGT_SEC] = "section", [CFGT_PTR] = "text"
	};
	char				 inner[128];
	cfg_t				*cfg;
	cfg_opt_t			*opt;

	cfg = cfg_init((cfg_opt_t *)(uintptr_t)options, CFGF_NONE);
	if (cfg == NULL)
		fatal(EXIT_SICK, "memory for the configuration");
	for (opt = cfg->opts; opt->name != NULL; opt++) {
		if (opt->type == CFGT_FUNC || opt->type > CFGT_PTR)
			continue;
		(void)fprintf(fp, "%s\t%s\t%s\t", section, opt->name,
		    (opt->flags & CFGF_LIST) != 0 ? "list" :
		    type[opt->type]);
		if (opt->type != CFGT_SEC && has_value(opt)) {
			if ((opt->flags & CFGF_LIST) != 0)
				print_list(opt, fp);
			else
				print_value(opt, 0, fp);
		}
		(void)fputs("\t\tyes\n", fp);
	}
	for (opt = cfg->opts; opt->name != NULL; opt++)
		if (opt->type == CFGT_SEC) {
			(void)snprintf(inner, sizeof(inner), "%s %s", section,
			    opt->name);
			print_service_keys(inner, opt->subopts, fp);
		}
	(void)cfg_free(cfg);
}

void
conf_print_keys(FILE *fp)
{
	const struct conf_key		*key;
	const struct service *const	*svc;
	char				 range[256];

	for (key = conf_keys(); key->name != NULL; key++) {
		conf_key_format_range(key, range, sizeof(range));
		(void)fprintf(fp, "%s\t%s\t%s\t", key->section, key->name,
		    conf_key_type_name(key));
		print_default(key, fp);
		(void)fprintf(fp, "\t%s\t%s\n", range,
		    key->reload ? "yes" : "no");
	}
	for (svc = registry_list(); *svc != NULL; svc++)
		if ((*svc)->options != NULL)
			print_service_keys((*svc)->name, (*svc)->options, fp);
}
