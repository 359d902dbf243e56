/* SPDX-License-Identifier: ISC */
/*
 * Services with a section of their own, for unit tests: parsed by libconfuse,
 * opened, run over the memory client of adapt.c.  What the server adds to
 * that (places of errors, other processes) is tested with the daemon.
 */
#include <sys/stat.h>

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../services/vital.h"
#include "opened.h"

static struct opened	*running;

static void on_error(const struct service_setup *setup, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void on_error_at(const struct service_setup *setup, cfg_t *inner,
    const char *key, unsigned int index, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void
on_error(const struct service_setup *setup, const char *fmt, ...)
{
	struct opened	*o = setup->arg;
	char		 text[512];
	va_list		 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_addf(&o->errors, "%s\n", text);
}

static void
on_error_at(const struct service_setup *setup, cfg_t *inner, const char *key,
    unsigned int index, const char *fmt, ...)
{
	struct opened	*o = setup->arg;
	char		 text[512];
	va_list		 ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_addf(&o->errors, "%s %s[%u]: %s\n", cfg_title(inner),
	    key != NULL ? key : "", index, text);
}

static int
on_keep(const struct service_setup *setup, int fd)
{
	struct opened	*o = setup->arg;

	ck_assert_int_ge(fd, 0);
	if (o->kept < sizeof(o->keep) / sizeof(o->keep[0]))
		o->keep[o->kept] = fd;
	o->kept++;
	return 0;
}

/* Nobody shows anything here, which services do not have to know. */
static struct service_backend *
on_backend(const struct service_setup *setup, const char *name, int needed)
{
	(void)setup;
	(void)name;
	(void)needed;
	return NULL;
}

static struct service_counter *
on_counter(const struct service_setup *setup, const char *name,
    const char *help)
{
	(void)setup;
	ck_assert(vital_is_name(name));
	ck_assert_ptr_nonnull(help);
	return NULL;
}

static struct service_gauge *
on_gauge(const struct service_setup *setup, const char *name,
    const char *help)
{
	(void)setup;
	ck_assert(vital_is_name(name));
	ck_assert_ptr_nonnull(help);
	return NULL;
}

static int
on_folder(const struct service_setup *setup, const char *path)
{
	struct opened	*o = setup->arg;

	o->folders++;
	return mkdir(path, 0750) == 0 || errno == EEXIST ? 0 : -1;
}

void
opened_init(struct opened *o, const struct service *service,
    const char *text)
{
	struct service_setup	 setup;

	memset(o, 0, sizeof(*o));
	o->service = service;
	o->cfg = cfg_init((cfg_opt_t *)(uintptr_t)service->options, CFGF_NONE);
	ck_assert_ptr_nonnull(o->cfg);
	ck_assert_int_eq(cfg_parse_buf(o->cfg, text), CFG_SUCCESS);
	memset(&setup, 0, sizeof(setup));
	setup.section = o->cfg;
	setup.name = "test";
	setup.error = on_error;
	setup.error_at = on_error_at;
	setup.keep = on_keep;
	setup.backend = on_backend;
	setup.counter = on_counter;
	setup.gauge = on_gauge;
	setup.folder = on_folder;
	setup.arg = o;
	if (service->open(&setup, &o->instance) == -1)
		o->instance = NULL;
	else if (service->load != NULL &&
	    service->load(&setup, o->instance) == -1) {
		service->close(o->instance);
		o->instance = NULL;
	}
	ck_assert_int_eq(o->instance == NULL, o->errors.len > 0);
}

void
opened_fini(struct opened *o)
{
	if (o->instance != NULL && o->service->close != NULL)
		o->service->close(o->instance);
	(void)cfg_free(o->cfg);
}

static enum verdict
serve(struct txn *txn, void *unused)
{
	(void)unused;
	return running->service->serve(txn, running->instance);
}

void
opened_run(struct opened *o, struct adapt *a)
{
	running = o;
	a->serve = serve;
	adapt_run(a);
}
