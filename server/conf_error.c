/* SPDX-License-Identifier: ISC */
/*
 * The errors of a configuration: collected while it is loaded, then told all
 * at once and in the order of the file, so that it takes one run to find and
 * one to see that they are gone.  Called by the modules of conf.  Nothing is
 * logged here: who loads the configuration knows where messages go.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_error.h"

/* More than anybody reads; the last one says that there are more. */
#define ERRORS_MAX	200

struct conf_error {
	const char	*text;
	struct conf_where where;
	unsigned int	 file;		/* files in order of appearance */
	unsigned int	 sequence;
};

static bool
is_same_file(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
is_same_place(struct conf_where a, struct conf_where b)
{
	return a.line == b.line && is_same_file(a.file, b.file);
}

void
conf_verror(struct conf_errors *e, struct conf_where where, const char *fmt,
    va_list ap)
{
	struct conf_error	*new;
	char			 text[1024];
	unsigned int		 i;

	if (e->n == ERRORS_MAX)
		return;
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	for (i = 0; i < e->n; i++)
		if (is_same_place(e->error[i].where, where) &&
		    strcmp(e->error[i].text, text) == 0)
			return;
	e->error = arena_grow(e->arena, e->error, e->n, sizeof(*e->error));
	new = &e->error[e->n];
	new->sequence = e->n++;
	new->where = where;
	new->text = arena_copy(e->arena, text);
	for (i = 0; i < new->sequence; i++)
		if (is_same_file(e->error[i].where.file, where.file))
			break;
	new->file = i < new->sequence ? e->error[i].file : i;
}

void
conf_error(struct conf_errors *e, struct conf_where where, const char *fmt,
    ...)
{
	va_list	 ap;

	va_start(ap, fmt);
	conf_verror(e, where, fmt, ap);
	va_end(ap);
}

bool
conf_error_is_at(const struct conf_errors *e, struct conf_where where)
{
	unsigned int	 i;

	for (i = 0; i < e->n; i++)
		if (is_same_place(e->error[i].where, where))
			return true;
	return false;
}

static int
compare(const void *left, const void *right)
{
	const struct conf_error	*a = left, *b = right;

	if (a->file != b->file)
		return a->file < b->file ? -1 : 1;
	if (a->where.line != b->where.line)
		return a->where.line < b->where.line ? -1 : 1;
	return a->sequence < b->sequence ? -1 : a->sequence > b->sequence;
}

void
conf_error_report(struct conf_errors *e, void (*report)(const char *message))
{
	const struct conf_error	*x;
	char			 line[2048];
	unsigned int		 i;

	if (e->n > 1)
		qsort(e->error, e->n, sizeof(*e->error), compare);
	for (i = 0; i < e->n; i++) {
		x = &e->error[i];
		if (x->where.file == NULL)
			(void)snprintf(line, sizeof(line), "%s", x->text);
		else if (x->where.line == 0)
			(void)snprintf(line, sizeof(line), "%s: %s",
			    x->where.file, x->text);
		else
			(void)snprintf(line, sizeof(line), "%s:%d: %s",
			    x->where.file, x->where.line, x->text);
		report(line);
	}
	if (e->n == ERRORS_MAX)
		report("there may be more errors than these");
}
