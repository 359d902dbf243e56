/* SPDX-License-Identifier: ISC */
/*
 * Hands a new database to processes that are running.  Called by blocklist.c:
 * put by the one that watches the sources, the rest by workers.  Why not by
 * name: a worker may have another root directory, other rights, and nothing
 * it can open.  A descriptor in the queue of a socket is looked at with
 * MSG_PEEK, which gives each process its own; the queue outlives the one that
 * filled it, so a worker that is started later finds it as well.
 */
#include <sys/mman.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blocklist_share.h"

struct shared {
	_Atomic uint32_t	 given;		/* numbers, some in vain */
	_Atomic uint32_t	 number;
	_Atomic uint64_t	 version;
};

struct blocklist_share {
	struct shared	*shared;
	int		 fd[2];		/* in, out */
};

struct blocklist_share *
blocklist_share_new(uint64_t version)
{
	struct blocklist_share	*s;

	if ((s = calloc(1, sizeof(*s))) == NULL)
		return NULL;
	s->shared = mmap(NULL, sizeof(*s->shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s->shared == MAP_FAILED) {
		free(s);
		return NULL;
	}
	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
	    s->fd) == -1) {
		(void)munmap(s->shared, sizeof(*s->shared));
		free(s);
		return NULL;
	}
	atomic_store(&s->shared->version, version);
	return s;
}

void
blocklist_share_free(struct blocklist_share *s)
{
	if (s == NULL)
		return;
	(void)close(s->fd[0]);
	(void)close(s->fd[1]);
	(void)munmap(s->shared, sizeof(*s->shared));
	free(s);
}

void
blocklist_share_get_fds(const struct blocklist_share *s, int *fd)
{
	fd[0] = s->fd[0];
	fd[1] = s->fd[1];
}

union control {
	struct cmsghdr	 align;
	char		 bytes[CMSG_SPACE(sizeof(int))];
};

/* Returns a descriptor, or -1. */
static int
receive(const struct blocklist_share *s, uint32_t *number, int flags)
{
	union control	 control;
	struct iovec	 iov = { number, sizeof(*number) };
	struct msghdr	 msg;
	struct cmsghdr	*c;
	int		 fd;

	memset(&msg, 0, sizeof(msg));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.bytes;
	msg.msg_controllen = sizeof(control.bytes);
	if (recvmsg(s->fd[1], &msg, flags | MSG_DONTWAIT |
	    MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(*number) ||
	    (c = CMSG_FIRSTHDR(&msg)) == NULL ||
	    c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(sizeof(int)))
		return -1;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int
blocklist_share_put(struct blocklist_share *s, int fd, uint64_t version)
{
	union control	 control;
	uint32_t	 number = atomic_fetch_add(&s->shared->given, 1) + 1;
	uint32_t	 first;
	struct iovec	 iov = { &number, sizeof(number) };
	struct msghdr	 msg;
	struct cmsghdr	*c;
	int		 before;

	memset(&msg, 0, sizeof(msg));
	memset(&control, 0, sizeof(control));
	msg.msg_iov = &iov;
	msg.msg_iovlen = 1;
	msg.msg_control = control.bytes;
	msg.msg_controllen = sizeof(control.bytes);
	c = CMSG_FIRSTHDR(&msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));

	/* the one before goes only when the new one is there */
	if (sendmsg(s->fd[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    (ssize_t)sizeof(number))
		return -1;
	while ((before = receive(s, &first, MSG_PEEK)) != -1) {
		(void)close(before);
		if (first == number)
			break;
		if ((before = receive(s, &first, 0)) != -1)
			(void)close(before);
	}
	/* in this order: who dies in between has not handed it out */
	atomic_store(&s->shared->number, number);
	atomic_store(&s->shared->version, version);
	return 0;
}

uint32_t
blocklist_share_get_number(const struct blocklist_share *s)
{
	return atomic_load_explicit(&s->shared->number, memory_order_acquire);
}

int
blocklist_share_take(struct blocklist_share *s, uint32_t *number)
{
	return receive(s, number, MSG_PEEK);
}

uint64_t
blocklist_share_get_version(const struct blocklist_share *s)
{
	return atomic_load(&s->shared->version);
}
