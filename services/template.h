/* SPDX-License-Identifier: ISC */
#ifndef SERVICES_TEMPLATE_H
#define SERVICES_TEMPLATE_H

#include "bytes.h"
#include "service.h"

/*
 * Writes the page with its variables into out.  page NULL is the built-in
 * one; json gives the variables as one JSON object instead.  Returns the
 * Content-Type, or NULL with errno ENOMEM.
 */
const char *template_format(const struct service_template *page, int json,
	    const struct service_var *vars, struct bytes *out);

#endif
