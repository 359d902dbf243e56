/* SPDX-License-Identifier: ISC */
/*
 * What a fuzz target of a service puts into its struct service_setup, to have
 * counted what the service finds wrong with its configuration.  Included once
 * by the one file of each target.
 */
#ifndef T_FUZZ_SETUP_H
#define T_FUZZ_SETUP_H

#include "../services/service.h"
#include "fuzz.h"

static unsigned int	 complaints;

static void on_error(const struct service_setup *setup, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void on_error_at(const struct service_setup *setup, cfg_t *inner,
    const char *key, unsigned int index, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static void
on_error(const struct service_setup *setup, const char *fmt, ...)
{
	(void)setup;
	must(fmt[0] != '\0');
	complaints++;
}

static void
on_error_at(const struct service_setup *setup, cfg_t *inner, const char *key,
    unsigned int index, const char *fmt, ...)
{
	(void)setup;
	must(inner != NULL && fmt[0] != '\0');
	must(key == NULL || index == 0 || index < cfg_size(inner, key));
	complaints++;
}

#endif
