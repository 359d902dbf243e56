/* SPDX-License-Identifier: ISC */
/*
 * Names of hosts that services have in their configuration, looked up by the
 * process that polls.  Called by blocklist_hosts.c and clamd.c.
 *
 * A name server that is dead takes half a minute for a name, and the process
 * has others to look after: so a thread asks, which does nothing else and
 * knows nothing but the name and the place for the answer.  It must not be
 * used by who forks afterwards, as the thread would be missing there.
 */
#include <sys/socket.h>

#include <netinet/in.h>

#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lookup.h"

/* Nanoseconds. */
#define MILLISECOND	1000000
#define SECOND		1000000000

struct lookup {
	lookup_ask		*ask;
	pthread_t		 thread;
	bool			 is_asked;	/* the thread is there */
	const char		*name;
	struct lookup_answer	 answer;
	/* and what keeps both apart */
	pthread_mutex_t		 lock;
	pthread_cond_t		 change;
	bool			 is_answered;
};

static int
ask_system(const char *name, unsigned char (*address)[16], unsigned int max,
    const char **why)
{
	static const unsigned char	 mapped[12] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
	};
	const struct sockaddr_in	*in;
	const struct sockaddr_in6	*in6;
	struct addrinfo			 hints, *all, *one;
	unsigned int			 n = 0;
	int				 error;

	memset(&hints, 0, sizeof(hints));
	hints.ai_family = AF_UNSPEC;
	hints.ai_socktype = SOCK_STREAM;
	if ((error = getaddrinfo(name, NULL, &hints, &all)) != 0) {
		*why = gai_strerror(error);
		return -1;
	}
	for (one = all; one != NULL && n < max; one = one->ai_next)
		if (one->ai_family == AF_INET) {
			in = (const void *)one->ai_addr;
			memcpy(address[n], mapped, sizeof(mapped));
			memcpy(address[n++] + 12, &in->sin_addr, 4);
		} else if (one->ai_family == AF_INET6) {
			in6 = (const void *)one->ai_addr;
			memcpy(address[n++], &in6->sin6_addr, 16);
		}
	freeaddrinfo(all);
	return (int)n;
}

struct lookup *
lookup_new(lookup_ask *ask)
{
	struct lookup		*l;
	pthread_condattr_t	 attr;

	if ((l = calloc(1, sizeof(*l))) == NULL)
		return NULL;
	l->ask = ask != NULL ? ask : ask_system;
	(void)pthread_mutex_init(&l->lock, NULL);
	/* by the clock that nobody sets */
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&l->change, &attr);
	(void)pthread_condattr_destroy(&attr);
	return l;
}

void
lookup_free(struct lookup *l)
{
	if (l == NULL)
		return;
	if (l->is_asked)
		(void)pthread_join(l->thread, NULL);
	(void)pthread_cond_destroy(&l->change);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

struct timespec
lookup_until(long ms)
{
	struct timespec	 until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += ms % 1000 * MILLISECOND;
	until.tv_sec += ms / 1000 + until.tv_nsec / SECOND;
	until.tv_nsec %= SECOND;
	return until;
}

/* The thread. */
static void *
run(void *arg)
{
	struct lookup	*l = arg;

	l->answer.n = l->ask(l->name, l->answer.address, LOOKUP_ADDRESSES_MAX,
	    &l->answer.why);
	(void)pthread_mutex_lock(&l->lock);
	l->is_answered = true;
	(void)pthread_cond_signal(&l->change);
	(void)pthread_mutex_unlock(&l->lock);
	return NULL;
}

/* Has the thread ask, or says why there is none.  Returns 0, or -1. */
static int
begin(struct lookup *l, const char *name)
{
	memset(&l->answer, 0, sizeof(l->answer));
	l->answer.why = "it has no address";
	l->name = name;
	l->is_answered = false;
	if (pthread_create(&l->thread, NULL, run, l) != 0) {
		l->answer.n = -1;
		l->answer.why = "no thread to ask for it";
		return -1;
	}
	l->is_asked = true;
	return 0;
}

const struct lookup_answer *
lookup_take(struct lookup *l, const char *name, const struct timespec *until)
{
	bool	 is_answered;
	int	 error = 0;

	if (!l->is_asked && begin(l, name) == -1)
		return &l->answer;
	(void)pthread_mutex_lock(&l->lock);
	while (!l->is_answered && error == 0)
		error = pthread_cond_timedwait(&l->change, &l->lock, until);
	is_answered = l->is_answered;
	(void)pthread_mutex_unlock(&l->lock);
	if (!is_answered)
		return NULL;
	(void)pthread_join(l->thread, NULL);
	l->is_asked = false;
	return &l->answer;
}
