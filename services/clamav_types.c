/* SPDX-License-Identifier: ISC */
/*
 * Which types need no scan.  Called by clamav.c.  A type that was declared is
 * a claim of whoever sends the body, so it never counts alone: what is
 * skipped has to look so as well (skip-types), and what looks like one of
 * only-types is scanned whatever it claims to be.  The database of libmagic
 * is loaded before workers are made, which share it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clamav.h"

#ifndef HAVE_LIBMAGIC

struct clamav_types *
clamav_types_new(const struct service_setup *setup)
{
	if (cfg_size(setup->section, "skip-types") > 0 ||
	    cfg_size(setup->section, "only-types") > 0)
		setup->error(setup, "skip-types, only-types: expected none, "
		    "as libmagic was missing when icapd was built");
	return NULL;
}

void
clamav_types_free(struct clamav_types *t)
{
	(void)t;
}

bool
clamav_types_skip(struct clamav_types *t, struct slice declared,
    const char *bytes, size_t len)
{
	(void)t;
	(void)declared;
	(void)bytes;
	(void)len;
	return false;
}

#else

#include <magic.h>

struct clamav_types {
	cfg_t		*section;	/* lives as long as the instance */
	magic_t		 magic;
};

/* type "/" ( subtype / "*" ) */
static void
check_list(const struct service_setup *setup, const char *key)
{
	const char	*text, *slash;
	unsigned int	 i;

	for (i = 0; i < cfg_size(setup->section, key); i++) {
		text = cfg_getnstr(setup->section, key, i);
		slash = strchr(text, '/');
		if (slash == NULL || slash == text || slash[1] == '\0' ||
		    strchr(slash + 1, '/') != NULL)
			setup->error(setup, "%s \"%s\": expected a type like "
			    "image/png or image/*", key, text);
	}
}

struct clamav_types *
clamav_types_new(const struct service_setup *setup)
{
	struct clamav_types	*t;

	if (cfg_size(setup->section, "skip-types") == 0 &&
	    cfg_size(setup->section, "only-types") == 0)
		return NULL;
	check_list(setup, "skip-types");
	check_list(setup, "only-types");
	if ((t = calloc(1, sizeof(*t))) == NULL) {
		setup->error(setup, "skip-types: %s", strerror(errno));
		return NULL;
	}
	t->section = setup->section;
	t->magic = magic_open(MAGIC_MIME_TYPE | MAGIC_NO_CHECK_COMPRESS |
	    MAGIC_ERROR);
	if (t->magic == NULL || magic_load(t->magic, NULL) == -1) {
		setup->error(setup, "skip-types: %s, expected libmagic to "
		    "have its database", t->magic != NULL &&
		    magic_error(t->magic) != NULL ? magic_error(t->magic) :
		    "no memory");
		clamav_types_free(t);
		return NULL;
	}
	return t;
}

void
clamav_types_free(struct clamav_types *t)
{
	if (t == NULL)
		return;
	if (t->magic != NULL)
		magic_close(t->magic);
	free(t);
}

static bool
is_listed(const struct clamav_types *t, const char *key, struct slice type)
{
	const char	*text;
	unsigned int	 i;
	size_t		 len;

	for (i = 0; i < cfg_size(t->section, key); i++) {
		text = cfg_getnstr(t->section, key, i);
		len = strlen(text);
		if (slice_is_nocase(type, text) || (text[len - 1] == '*' &&
		    type.len >= len && strncasecmp(type.p, text,
		    len - 1) == 0))
			return true;
	}
	return false;
}

bool
clamav_types_skip(struct clamav_types *t, struct slice declared,
    const char *bytes, size_t len)
{
	struct slice	 seen = { "", 0 };
	const char	*semicolon;

	if (declared.len > 0 && (semicolon = memchr(declared.p, ';',
	    declared.len)) != NULL)
		declared.len = (size_t)(semicolon - declared.p);
	declared = slice_trim(declared);
	if ((seen.p = magic_buffer(t->magic, bytes, len)) == NULL)
		return false;
	seen.len = strlen(seen.p);
	if (is_listed(t, "skip-types", declared) &&
	    is_listed(t, "skip-types", seen))
		return true;
	return cfg_size(t->section, "only-types") > 0 &&
	    !is_listed(t, "only-types", declared) &&
	    !is_listed(t, "only-types", seen);
}

#endif
