/* SPDX-License-Identifier: ISC */
/*
 * The keys of the configuration: what a value may be, at each end of its
 * range, how it is written again, and that defaults are what the layers below
 * have. Then whole files, by their structs; what they say when they are wrong
 * is for conf.sh.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../services/list.h"
#include "../services/registry.h"
#include "../server/arena.h"
#include "../server/conf_diff.h"
#include "../server/conf_key.h"
#include "unit.h"

/* A key, a text, and how it is written; NULL: it is refused. */
static const struct {
	const char	*section;
	const char	*key;
	const char	*text;
	const char	*written;
} values[] = {
	/* numbers, at both ends */
	{ "listen", "workers", "0", NULL },
	{ "listen", "workers", "1", "1" },
	{ "listen", "workers", "4096", "4096" },
	{ "listen", "workers", "4097", NULL },
	{ "listen", "workers", "0004", "4" },
	{ "listen", "workers", "", NULL },
	{ "listen", "workers", "+1", NULL },
	{ "listen", "workers", "-1", NULL },
	{ "listen", "workers", "1 ", NULL },
	{ "listen", "workers", " 1", NULL },
	{ "listen", "workers", "1k", NULL },
	{ "listen", "workers", "0x10", NULL },
	{ "listen", "workers", "18446744073709551617", NULL },
	{ "listen", "workers", "9223372036854775808", NULL },
	/* a word in place of a number */
	{ "listen", "max-per-client", "any", "any" },
	{ "listen", "max-per-client", "Any", NULL },
	{ "listen", "max-per-client", "0", NULL },
	/* sizes */
	{ "limits", "trailers", "0", "0" },
	{ "limits", "trailers", "1M", "1M" },
	{ "limits", "trailers", "1048576", "1M" },
	{ "limits", "trailers", "1048577", NULL },
	{ "limits", "trailers", "1024k", "1M" },
	{ "limits", "trailers", "1024K", "1M" },
	{ "limits", "trailers", "1025", "1025" },
	{ "limits", "trailers", "1kB", NULL },
	{ "limits", "trailers", "k", NULL },
	{ "limits", "trailers", "1.5k", NULL },
	{ "spool", "memory", "4095", NULL },
	{ "spool", "memory", "4096", "4k" },
	{ "spool", "limit", "16T", "16T" },
	{ "spool", "limit", "16777217M", NULL },
	/* the product would not fit */
	{ "spool", "limit", "8388608T", NULL },
	{ "spool", "limit", "9223372036854775807T", NULL },
	/* times */
	{ "timeouts", "head", "0", NULL },
	{ "timeouts", "head", "1ms", "1ms" },
	{ "timeouts", "head", "1", "1s" },
	{ "timeouts", "head", "90s", "90s" },
	{ "timeouts", "head", "120s", "2m" },
	{ "timeouts", "head", "3600", "1h" },
	{ "timeouts", "head", "3600001ms", NULL },
	{ "timeouts", "head", "61m", NULL },
	{ "timeouts", "head", "1M", NULL },
	{ "timeouts", "stop", "0", "0s" },
	{ "timeouts", "queue", "off", "off" },
	{ "timeouts", "queue", "0", NULL },
	{ "timeouts", "keep-alive", "1d", "1d" },
	{ "timeouts", "keep-alive", "24h", "1d" },
	{ "timeouts", "keep-alive", "25h", NULL },
	/* words */
	{ "service", "shadow", "yes", "yes" },
	{ "service", "shadow", "on", "yes" },
	{ "service", "shadow", "true", "yes" },
	{ "service", "shadow", "no", "no" },
	{ "service", "shadow", "off", "no" },
	{ "service", "shadow", "false", "no" },
	{ "service", "shadow", "1", NULL },
	{ "service", "on-error", "fail", "fail" },
	{ "service", "on-error", "pass", "pass" },
	{ "service", "on-error", "block", "block" },
	{ "service", "on-error", "", NULL },
	{ "service", "preview", "auto", "auto" },
	{ "service", "preview", "none", "none" },
	{ "service", "preview", "0", "0" },
	{ "service", "preview", "1M", "1M" },
	{ "service", "preview", "1048577", NULL },
	/* modes */
	{ "listen", "mode", "0", "0000" },
	{ "listen", "mode", "640", "0640" },
	{ "listen", "mode", "0777", "0777" },
	{ "listen", "mode", "1000", NULL },
	{ "listen", "mode", "00777", NULL },
	{ "listen", "mode", "8", NULL },
	/* texts and paths */
	{ "", "user", "", "\"\"" },
	{ "", "user", "a\"b\\c$d", "\"a\\\"b\\\\c\\$d\"" },
	{ "", "user", "a\nb\rc", "\"a\\nb\\rc\"" },
	{ "", "chroot", "", "\"\"" },
	{ "", "chroot", "/x", "\"/x\"" },
	{ "", "chroot", "x", NULL },
	/* lists */
	{ "service", "run", "a", "{\"a\"}" },
	{ "service", "run", "", NULL },
	{ "listen", "allow", "10.0.0.0/8", "{\"10.0.0.0/8\"}" },
	{ "listen", "allow", "10.0.0.1", "{\"10.0.0.1/32\"}" },
	{ "listen", "allow", "::1", "{\"::1/128\"}" },
	{ "listen", "allow", "::/0", "{\"::/0\"}" },
	{ "listen", "allow", "10.0.0.0/33", NULL },
	{ "listen", "allow", "10.0.0.1/8", NULL },
	{ "listen", "allow", "::/129", NULL },
	{ "listen", "allow", "10.0.0/8", NULL },
	{ "listen", "allow", "localhost", NULL },
	{ "listen", "allow", "", NULL },
	{ "listen", "allow", "/8", NULL },
	{ "listen", "allow", "10.0.0.0/", NULL },
};

/* All that a key's field can be in. */
struct base {
	struct conf		 conf;
	struct conf_listen	 listen;
	struct conf_service	 service;
};

static void *
base_of(struct base *base, const struct conf_key *key)
{
	if (strcmp(key->section, "listen") == 0)
		return &base->listen;
	if (strcmp(key->section, "service") == 0)
		return &base->service;
	return &base->conf;
}

static void
base_init(struct base *base)
{
	conf_key_init(&base->conf);
	conf_key_init_listen(&base->listen);
	conf_key_init_service(&base->service);
}

/* The key's value as it is written; the caller frees. */
static char *
written(const struct conf_key *key, struct base *base)
{
	char	*text = NULL;
	size_t	 size;
	FILE	*fp;

	ck_assert_ptr_nonnull(fp = open_memstream(&text, &size));
	conf_key_write(key, base_of(base, key), fp);
	ck_assert_int_eq(fclose(fp), 0);
	return text;
}

START_TEST(test_value)
{
	const struct conf_key	*key;
	struct arena		*arena = arena_new();
	struct base		 base;
	char			*text;
	int			 error;

	base_init(&base);
	key = conf_key_find(values[_i].section, values[_i].key);
	ck_assert_ptr_nonnull(key);
	conf_key_clear(key, base_of(&base, key));
	error = conf_key_set(key, base_of(&base, key), values[_i].text,
	    arena);
	if (values[_i].written == NULL)
		ck_assert_int_eq(error, -1);
	else {
		ck_assert_int_eq(error, 0);
		text = written(key, &base);
		ck_assert_str_eq(text, values[_i].written);
		free(text);
	}
	arena_free(arena);
}
END_TEST

/* Every default is in its range: what is written can be set. */
START_TEST(test_defaults)
{
	const struct conf_key	*key;
	struct arena		*arena = arena_new();
	struct base		 base;
	char			*text, expected[256];

	base_init(&base);
	for (key = conf_keys(); key->name != NULL; key++) {
		text = written(key, &base);
		if (text[0] == '{' || text[0] == '"')
			;	/* a list or text: as good as any other */
		else if (conf_key_set(key, base_of(&base, key), text,
		    arena) == -1)
			ck_abort_msg("%s %s = %s", key->section, key->name,
			    text);
		conf_key_expect(key, expected, sizeof(expected));
		ck_assert_uint_gt(strlen(expected), 0);
		ck_assert_uint_lt(strlen(expected), sizeof(expected) - 1);
		free(text);
	}
	arena_free(arena);
}
END_TEST

/* Each key has a field of its own. */
START_TEST(test_fields)
{
	const struct conf_key	*a, *b;
	struct base		 base;

	base_init(&base);
	for (a = conf_keys(); a->name != NULL; a++)
		for (b = conf_keys(); b < a; b++)
			if (base_of(&base, a) == base_of(&base, b))
				ck_assert(a->offset + a->size <= b->offset ||
				    b->offset + b->size <= a->offset);
}
END_TEST

/* ---- whole files -------------------------------------------------------- */

static char		 reported[4096];

static void
report(const char *message)
{
	size_t	 len = strlen(reported);

	(void)snprintf(reported + len, sizeof(reported) - len, "%s\n",
	    message);
}

static struct conf *
load(const char *text)
{
	struct conf_args	 args;
	struct conf		*conf;
	char			 name[] = "/tmp/check_conf.XXXXXX";
	size_t			 len = strlen(text);
	int			 fd;

	reported[0] = '\0';
	ck_assert_int_ne(fd = mkstemp(name), -1);
	ck_assert_int_eq(write(fd, text, len), (ssize_t)len);
	ck_assert_int_eq(close(fd), 0);
	memset(&args, 0, sizeof(args));
	args.file = name;
	args.report = report;
	conf = conf_load(&args);
	ck_assert_int_eq(unlink(name), 0);
	if (conf == NULL)
		ck_abort_msg("%s", reported);
	/* it was ours, and is gone */
	conf->file = NULL;
	return conf;
}

START_TEST(test_load)
{
	struct conf		*conf;
	const struct txn_plan	*plan;

	conf = load(
	    "listen \"[::1]:4711\" { workers = 3 }\n"
	    "listen \"*:4712\" { workers = 4 allow = {10.0.0.0/8} }\n"
	    "listen \"unix:/tmp/icapd-check-conf.sock\" "
	    "{ workers = 5 mode = 600 }\n"
	    "echo a { }\n"
	    "echo b { }\n"
	    "service \"/one\" { run = {b, a} options-ttl = 90\n"
	    "  transfer-complete = {exe, zip} }\n"
	    "service \"/two/\" { run = {echo} preview = none shadow = yes\n"
	    "  on-error = block }\n");
	ck_assert_uint_eq(conf->nlisten, 3);
	ck_assert_uint_eq(conf->workers, 12);
	ck_assert_str_eq(conf->listen[0].host, "::1");
	ck_assert_str_eq(conf->listen[0].port, "4711");
	ck_assert_ptr_null(conf->listen[0].path);
	ck_assert_ptr_null(conf->listen[1].host);
	ck_assert_str_eq(conf->listen[1].port, "4712");
	ck_assert_uint_eq(conf->listen[1].allow.n, 1);
	ck_assert_str_eq(conf->listen[2].path, "/tmp/icapd-check-conf.sock");
	ck_assert_uint_eq(conf->listen[2].mode, 0600);

	ck_assert_uint_eq(conf->nplans, 2);
	ck_assert_ptr_null(conf_find_plan(conf, ""));
	ck_assert_ptr_null(conf_find_plan(conf, "/one"));
	ck_assert_ptr_null(conf_find_plan(conf, "on"));
	ck_assert_ptr_nonnull(plan = conf_find_plan(conf, "one"));
	ck_assert_uint_eq(plan->nsteps, 2);
	ck_assert_uint_eq(plan->options_ttl, 90);
	ck_assert_str_eq(plan->transfer_preview, "*");
	ck_assert_ptr_null(plan->transfer_ignore);
	ck_assert_str_eq(plan->transfer_complete, "exe, zip");
	ck_assert_int_eq(plan->on_error, ON_ERROR_FAIL);
	ck_assert_ptr_nonnull(plan = conf_find_plan(conf, "two"));
	ck_assert_int_eq(plan->preview, -1);
	ck_assert_ptr_null(plan->transfer_preview);
	ck_assert_int_eq(plan->on_error, ON_ERROR_BLOCK);
	ck_assert(plan->shadow);

	/* nothing has changed, so nothing does */
	ck_assert(!conf_make_istag(conf));
	ck_assert_uint_le(strlen(conf_get_istag(conf, plan)), 32);
	ck_assert_str_ne(conf_get_istag(conf, plan),
	    conf_get_istag(conf, conf_find_plan(conf, "one")));
	conf_free(conf);
}
END_TEST

/* An old and a new one side by side, as a reload has them. */
START_TEST(test_two)
{
	static const char	 text[] =
	    "listen \"127.0.0.1:0\" { }\n"
	    "service \"/one\" { run = {echo} }\n";
	struct conf		*old = load(text), *new = load(text);

	ck_assert_str_eq(conf_get_istag(old, NULL),
	    conf_get_istag(new, NULL));
	conf_free(old);
	ck_assert_ptr_nonnull(conf_find_plan(new, "one"));
	old = load("service \"/one\" { run = {echo} on-error = pass }\n");
	ck_assert_str_ne(conf_get_istag(old, NULL),
	    conf_get_istag(new, NULL));
	ck_assert_uint_eq(old->nlisten, 1);
	ck_assert_str_eq(old->listen[0].address, "127.0.0.1:1344");
	conf_free(new);
	conf_free(old);
	conf_free(NULL);
}
END_TEST

static char	 told[4096];

static void
tell(const char *line)
{
	(void)strlcat(told, line, sizeof(told));
	(void)strlcat(told, "\n", sizeof(told));
}

static const struct {
	const char	*from;
	const char	*to;
	const char	*told;
} changes[] = {
	{ "a = 1\n", "a = 1\n", "nothing in the configuration has changed\n" },
	{ "a = 1\nb = 2\n", "b = 2\n\na = 1\n",
	    "nothing in the configuration has changed\n" },
	{ "a = 1\n", "a = 2\n", "a = 2, was 1\n" },
	{ "x \"a\" {\n\tk = {u, v}\n}\nx \"b\" {\n\tk = {}\n}\n",
	    "x \"a\" {\n\tk = {u}\n}\nx \"b\" {\n\tk = {v}\n}\n",
	    "x \"a\": k = {u}, was {u, v}\nx \"b\": k = {v}, was {}\n" },
	/* a section as a whole, with those inside */
	{ "x \"a\" {\n\tk = 1\n}\n", "x \"b\" {\n\tk = 1\n\ty {\n\tz = 1\n"
	    "\t}\n}\n", "x \"b\" is new\nx \"a\" is gone\n" },
	{ "x {\n\ty {\n\tz = 1\n\t}\n}\n", "x {\n\ty {\n\tz = 2\n\t}\n}\n",
	    "x y: z = 2, was 1\n" },
	/* the same twice: each stands for one */
	{ "x {\n\tk = 1\n}\nx {\n\tk = 2\n}\n", "x {\n\tk = 1\n}\n",
	    "x is gone\n" },
	{ "", "k = 1\n", "k = 1, is new\n" },
	{ "k = 1\n", "", "k = 1, is gone\n" },
	{ "", "", "nothing in the configuration has changed\n" },
	{ "}\n", "a = 1\n", "" },
};

START_TEST(changes_are_told)
{
	char	*from = strdup(changes[_i].from), *to = strdup(changes[_i].to);

	told[0] = '\0';
	conf_diff_texts(from, to, tell);
	ck_assert_str_eq(told, changes[_i].told);
	free(from);
	free(to);
}
END_TEST

START_TEST(many_changes_are_counted)
{
	char		 from[] = "", to[2000] = "", line[16];
	unsigned int	 i, n = 0;

	for (i = 0; i < 50; i++) {
		(void)snprintf(line, sizeof(line), "k%u = 1\n", i);
		(void)strlcat(to, line, sizeof(to));
	}
	told[0] = '\0';
	conf_diff_texts(from, to, tell);
	for (i = 0; told[i] != '\0'; i++)
		n += told[i] == '\n';
	ck_assert_uint_eq(n, 31);
	ck_assert_ptr_nonnull(strstr(told, "and 20 more\n"));
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, changes_are_told, changes);
	tcase_add_test(tc, many_changes_are_counted);
	unit_add_rows(tc, test_value, values);
	tcase_add_test(tc, test_defaults);
	tcase_add_test(tc, test_fields);
	tcase_add_test(tc, test_load);
	tcase_add_test(tc, test_two);
}

int
main(void)
{
	registry_use(service_list());
	return unit_main("conf", add);
}
