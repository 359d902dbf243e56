/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_PRINT_H
#define SERVER_CONF_PRINT_H

#include <confuse.h>
#include <stdio.h>

/* Writes the keys of a service's section, each on a line, indented. */
void	 conf_print_section(cfg_t *cfg, unsigned int indent, FILE *fp);

#endif
