/* SPDX-License-Identifier: ISC */
#ifndef SERVER_HTTPD_H
#define SERVER_HTTPD_H

#ifdef HAVE_LIBMICROHTTPD
#include <microhttpd.h>

/* What the status listener uses of libmicrohttpd, without the MHD_. */
#define HTTPD_FUNCTIONS(X)			\
	X(add_response_header)			\
	X(create_response_from_buffer)		\
	X(destroy_response)			\
	X(get_connection_values)		\
	X(get_daemon_info)			\
	X(get_timeout)				\
	X(lookup_connection_value)		\
	X(queue_response)			\
	X(quiesce_daemon)			\
	X(run)					\
	X(start_daemon)

#define HTTPD_MEMBER(name)	__typeof__(MHD_ ## name)	*name;
struct httpd {
	HTTPD_FUNCTIONS(HTTPD_MEMBER)
};
#undef HTTPD_MEMBER

/*
 * Loads the library.  Returns its functions, or NULL with *why, which is
 * valid until the next call.
 */
const struct httpd *httpd_open(const char **why);
#endif

#endif
