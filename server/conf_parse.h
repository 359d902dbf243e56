/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_PARSE_H
#define SERVER_CONF_PARSE_H

#include <confuse.h>

#include "arena.h"
#include "conf_error.h"

/* One value of a key, as text. */
struct conf_value {
	const char		*name;		/* of its key */
	const char		*text;
	struct conf_where	 where;
	bool			 is_list;
};

/* One section, or the top level. */
struct conf_section {
	const char		*type;		/* "listen"; "" at the top */
	const char		*title;		/* "" if it has none */
	struct conf_where	 where;
	cfg_t			*cfg;
	struct conf_value	*value;
	unsigned int		 nvalues;
	/* within another, section[outer], and of no meaning to us; else 0 */
	unsigned int		 outer;
};

/*
 * What a file and those it includes say, value by value and in that order.
 * section[0] is the top level; sections without a title are there at most
 * once, whatever the number of pieces they come in.
 */
struct conf_text {
	cfg_t			*cfg;
	struct conf_section	*section;
	unsigned int		 nsections;
	bool			 is_broken;	/* not read to its end */
};

/*
 * Reads a file.  Whatever is wrong is added to the errors; values are not
 * looked at, but for those of services.  The memory is the arena's, except
 * for text->cfg, which the caller gives to cfg_free() even after errors.
 */
void	 conf_parse(struct conf_text *text, const char *file,
	    struct arena *arena, struct conf_errors *errors);

/* The same for no file at all: an empty top level. */
void	 conf_parse_nothing(struct conf_text *text, struct arena *arena,
	    struct conf_errors *errors);

/* Adds an empty section, as if it had been written at that place. */
struct conf_section *conf_parse_add_section(struct conf_text *text,
	    const char *type, const char *title, struct conf_where where,
	    struct arena *arena, struct conf_errors *errors);

/* The section that was read into cfg, or NULL. */
const struct conf_section *conf_text_find(const struct conf_text *text,
	    const cfg_t *cfg);

/* The last value of that key in the section, or NULL. */
const struct conf_value *conf_section_find(const struct conf_section *s,
	    const char *name);

/* Was the key set to the empty list? */
bool	 conf_section_is_cleared(const struct conf_section *s,
	    const char *name);

#endif
