/* SPDX-License-Identifier: ISC */
/*
 * Tells a service manager what becomes of us, by the protocol of
 * sd_notify(3): one datagram of lines to the socket in NOTIFY_SOCKET.  Called
 * by master.c and start.c.  It must never fail the caller: a manager that is
 * gone is not our affair.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notify.h"

static char			 notify_name[sizeof(struct sockaddr_un)];
static struct sockaddr_un	 notify_to;
static socklen_t		 notify_len;	/* 0: nobody to tell */

int
notify_init(void)
{
	const char	*name = getenv("NOTIFY_SOCKET");
	size_t		 len;

	if (name == NULL)
		return 0;
	len = strlen(name);
	if ((name[0] != '/' && name[0] != '@') || len < 2 ||
	    len >= sizeof(notify_to.sun_path)) {
		(void)unsetenv("NOTIFY_SOCKET");
		return -1;
	}
	memcpy(notify_name, name, len + 1);
	notify_to.sun_family = AF_UNIX;
	memcpy(notify_to.sun_path, name, len);
	/* the abstract name space: the first byte is 0 */
	if (name[0] == '@')
		notify_to.sun_path[0] = '\0';
	notify_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	(void)unsetenv("NOTIFY_SOCKET");
	return 0;
}

const char *
notify_address(void)
{
	return notify_len != 0 ? notify_name : NULL;
}

void
notify_send(const char *fmt, ...)
{
	char	 text[512];
	va_list	 ap;
	int	 fd, len;

	if (notify_len == 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len < 0 || (size_t)len >= sizeof(text))
		return;
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) == -1)
		return;
	(void)!sendto(fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT,
	    (const struct sockaddr *)&notify_to, notify_len);
	(void)close(fd);
}
