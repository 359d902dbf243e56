/* SPDX-License-Identifier: ISC */
#ifndef SERVER_DEVLOG_H
#define SERVER_DEVLOG_H

#include <sys/types.h>

#include <stddef.h>

#include "log.h"

/* Its place among the logs: this, or this, a colon and a path. */
#define DEVLOG_NAME	"syslog"

/* Longest path of a socket. */
#define DEVLOG_PATH_MAX	107

/* The path of the socket that `log` names, or NULL if it names none. */
const char *devlog_find_path(const char *log);

/* Connects.  Returns a descriptor that nobody waits at, or -1 with errno. */
int	 devlog_open(const char *path);

/*
 * Sends one line, len bytes with its newline.  Returns len, 0 if it takes
 * none now, or -1 with errno: the connection is of no more use.
 */
ssize_t	 devlog_send(int fd, enum log_level level, const char *p, size_t len);

#endif
