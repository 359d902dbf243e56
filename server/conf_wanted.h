/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_WANTED_H
#define SERVER_CONF_WANTED_H

#include "conf.h"

/*
 * The back-end, counter or gauge of that name of a section, made when it is
 * asked for first; in conf->arena, as copies of the texts are.
 */
struct service_backend *conf_want_backend(struct conf *conf,
	    const struct vital_name *is, bool needed);
struct service_counter *conf_want_counter(struct conf *conf,
	    const struct vital_name *is);
struct service_gauge *conf_want_gauge(struct conf *conf,
	    const struct vital_name *is);

/*
 * All paths are known: what no path runs, or only one that changes nothing
 * (`shadow`), is needed by nobody.
 */
void	 conf_want_finish(struct conf *conf);

#endif
