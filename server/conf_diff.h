/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_DIFF_H
#define SERVER_CONF_DIFF_H

struct conf;

/*
 * Says what is different in the second configuration, a line for each key and
 * each section that is new or gone, and at last how many more there are if
 * these are very many.  One line says so if nothing is.
 */
void	 conf_diff(const struct conf *from, const struct conf *to,
	    void (*say)(const char *line));

/* The same of two texts as conf_print() writes them, which are written to. */
void	 conf_diff_texts(char *from, char *to, void (*say)(const char *line));

#endif
