/* SPDX-License-Identifier: ISC */
#ifndef SERVER_CONF_KEY_H
#define SERVER_CONF_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "arena.h"
#include "conf.h"

enum conf_type {
	CONF_TEXT,		/* const char *, NULL for "" */
	CONF_PATH,		/* the same, absolute */
	CONF_NUMBER,
	CONF_SIZE,		/* bytes; k, M, G */
	CONF_TIME,		/* milliseconds; ms, s, m, h, d */
	CONF_WORD,		/* one of `words` */
	CONF_MODE,		/* octal */
	CONF_LIST,		/* struct conf_texts */
	CONF_NETS		/* struct admit_list */
};

struct conf_texts {
	const char	*const *text;
	unsigned int	 n;
};

/* A word that may stand for a number. */
struct conf_word {
	const char	*word;
	int64_t		 value;
};

/* A key of the configuration: everything there is to know about it. */
struct conf_key {
	const char		*section;	/* "" is the top level */
	const char		*name;
	enum conf_type		 type;
	int64_t			 min;
	int64_t			 max;
	const struct conf_word	*words;		/* ends with NULL; or NULL */
	size_t			 offset;	/* of its field */
	size_t			 size;
	bool			 reload;	/* a reload applies it */
};

/* service "/path" { } as it was written. */
struct conf_service {
	const char		*title;
	const char		*path;		/* of the plan */
	struct conf_texts	 run;
	int64_t			 preview;	/* or one of these: */
#define CONF_PREVIEW_NONE	-1
#define CONF_PREVIEW_AUTO	-2
	int64_t			 options_ttl;	/* ms */
	struct conf_texts	 transfer_preview;
	struct conf_texts	 transfer_ignore;
	struct conf_texts	 transfer_complete;
	struct conf_texts	 x_include;
	enum on_error		 on_error;
	bool			 shadow;
	const char		*template_file;
};

/* log "PATH" { } as it was written. */
struct conf_log_text {
	struct conf_log		 log;
	struct conf_texts	 only;
};

/* All keys, by section, ended by a NULL name. */
const struct conf_key *conf_keys(void);
const struct conf_key *conf_key_find(const char *section, const char *name);

/* Is the section one of keys?  Does it have a title? */
bool	 conf_section_is_known(const char *section);
bool	 conf_section_has_title(const char *section);

/*
 * Defaults.  The fields of "listen" are in struct conf_listen, those of
 * "log" in struct conf_log_text, those of "service" in struct conf_service,
 * all others in struct conf.
 */
void	 conf_key_init(struct conf *conf);
void	 conf_key_init_listen(struct conf_listen *l);
void	 conf_key_init_log(struct conf_log_text *t);
void	 conf_key_init_service(struct conf_service *s);

/*
 * Is that the run directory of who configures none?  It need not exist: then
 * there is no board file, and icapctl finds nothing.
 */
bool	 conf_key_is_run_dir(const char *path);

/*
 * Stores a value; to a list it is appended.  Returns 0, or -1 when the text
 * is none: then conf_key_expect() says what would be.
 */
int	 conf_key_set(const struct conf_key *key, void *base,
	    const char *text, struct arena *arena);
void	 conf_key_clear(const struct conf_key *key, void *base);
void	 conf_key_expect(const struct conf_key *key, char *dst, size_t size);

/* "time", "from 1s to 1h" and the value as it may be written in a file. */
const char *conf_key_type_name(const struct conf_key *key);
void	 conf_key_format_range(const struct conf_key *key, char *dst,
	    size_t size);
void	 conf_key_write(const struct conf_key *key, const void *base,
	    FILE *fp);

/* Names of RECORD_ERRORS and so on, ended by NULL. */
const struct conf_word *conf_key_only(void);

/* Writes text in quotes, so that it is read back as the same. */
void	 conf_write_text(const char *text, FILE *fp);

#endif
