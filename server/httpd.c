/* SPDX-License-Identifier: ISC */
/*
 * libmicrohttpd, loaded when it is needed: by status.c, in its own process.
 * It brings a dozen libraries of TLS with it; linked, each of a thousand
 * workers would carry their data pages and mappings for nothing.
 */
#include "httpd.h"

#ifdef HAVE_LIBMICROHTTPD
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static int
httpd_find(void *lib, const char *name, void *function, const char **why)
{
	void	*symbol = dlsym(lib, name);

	if (symbol == NULL) {
		*why = dlerror();
		return -1;
	}
	/* POSIX lets a pointer to data be one to a function; ISO C does not */
	memcpy(function, &symbol, sizeof(symbol));
	return 0;
}

const struct httpd *
httpd_open(const char **why)
{
	static struct httpd	 httpd;
	void			*lib;

	if ((lib = dlopen(LIBMICROHTTPD_SONAME, RTLD_NOW)) == NULL) {
		*why = dlerror();
		return NULL;
	}
#define HTTPD_FIND(name)						\
	if (httpd_find(lib, "MHD_" #name, &httpd.name, why) == -1)	\
		return NULL;
	HTTPD_FUNCTIONS(HTTPD_FIND)
#undef HTTPD_FIND
	return &httpd;
}
#endif
