/* SPDX-License-Identifier: ISC */
#ifndef SERVER_LOG_H
#define SERVER_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN,
    LOG_LEVEL_ERROR };

enum log_format {
	LOG_FORMAT_ECS,		/* JSON lines, Elastic Common Schema */
	LOG_FORMAT_TEXT
};

/* Exit statuses that tell the master why a worker left (sysexits). */
#define EXIT_SICK	75	/* resources: try again later */
#define EXIT_CONFIG	78	/* cannot start like this */

/*
 * Messages go to standard error, those below level not at all.  Each is one
 * write(2), so lines of several processes do not mix.
 */
void	 log_init(enum log_format format, enum log_level level);

struct rings;

/* A log of events, beside standard error. */
struct log_target {
	uint16_t	 log;		/* rings_add_log() */
	enum log_format	 format;
};

/*
 * From now on events also go into ring i of rs for each of the n logs
 * (n <= 8), which the caller keeps; beside standard error.  When there is no
 * room an event waits only if told to, else it is left out of the logs.
 */
void	 log_use_ring(struct rings *rs, unsigned int i,
	    const struct log_target *target, unsigned int n, bool wait);

const char *log_level_name(enum log_level level);

/* Who speaks: "master", "worker 3".  Copied, cut at 31 bytes. */
void	 log_role(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Messages begin in lower case with their object and end without a dot.
 * log_warn and log_error append what errno says; the x forms do not.
 */
void	 log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void	 log_errorx(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));

/* The environment is wrong: logs and exits with status. */
void	 fatal(int status, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3), noreturn));
void	 fatalx(int status, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3), noreturn));

/*
 * Bytes from the wire as they may stand in a line of text: printable ASCII
 * stays, the rest becomes \ooo and the like (vis(3)).  At most size - 1 bytes
 * are written, a longer text is cut.  Returns the length.
 */
size_t	 log_escape(char *dst, size_t size, const char *src, size_t len);

#endif
