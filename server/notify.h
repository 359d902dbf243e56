/* SPDX-License-Identifier: ISC */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/*
 * Takes the address of the service manager from the environment, where it is
 * not to stay for others.  Returns 0, or -1 when it is not usable.
 */
int	 notify_init(void);

/* Sends lines like "READY=1" to it; does nothing where there is none. */
void	 notify_send(const char *fmt, ...)
	    __attribute__((format(printf, 1, 2)));

/* The address as it was given, or NULL: for the environment of a successor. */
const char *notify_address(void);

#endif
