/* SPDX-License-Identifier: ISC */
#ifndef SERVER_BOARD_H
#define SERVER_BOARD_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

/*
 * What a worker does.  Everything from BOARD_READING on is a transaction that
 * must not be given up.
 */
enum board_state {
	BOARD_FREE,		/* no process */
	BOARD_STARTING,
	BOARD_ACCEPT,		/* waits for a connection */
	BOARD_IDLE,		/* waits for a request on a connection */
	BOARD_READING,		/* a request has begun */
	BOARD_SERVICE,		/* a service runs, or its reply is written */
	BOARD_LEAVING		/* told to stop, or done */
};

/*
 * One worker's place, a cache line of its own.  The worker alone writes to
 * it; the master does while the place is BOARD_FREE.  Times are stream_now().
 */
struct board_slot {
	int32_t		 pid;
	uint32_t	 state;		/* enum board_state */
	int64_t		 since;		/* of that state */
	uint64_t	 connections;	/* accepted by this process */
	uint64_t	 transactions;	/* answered by this process */
	uint64_t	 bytes_in;
	uint64_t	 bytes_out;
	int32_t		 service;	/* index in the configuration, or -1 */
	int32_t		 reserved;
	int64_t		 reserved2;
};

/* The part the master writes. */
struct board_head {
	uint32_t	 nslots;
	uint32_t	 waiting;	/* a client waits, nobody is free */
	uint64_t	 parks;		/* idle connections given up */
	uint64_t	 deaths;
};

struct board;

/* Maps a board for n workers, shared with children.  NULL with errno. */
struct board *board_open(unsigned int n);

struct board_head *board_head(struct board *b);
struct board_slot *board_slot(struct board *b, unsigned int i);

/*
 * A worker enters a state.  Plain stores; the state is last, so that who sees
 * it sees the rest.
 */
void	 board_enter(struct board_slot *slot, enum board_state state,
	    int64_t now);

/* Is any worker waiting for a connection?  Looks first at those after i. */
bool	 board_has_free(struct board *b, unsigned int i);

/*
 * What workers tell the master through its pipe, a byte each.
 */
#define BOARD_NEWS_READY	'r'
#define BOARD_NEWS_SHORT	's'

/*
 * Worker i has just taken a connection: if it was the last free one, the
 * master is told through the pipe.
 */
void	 board_tell_short(struct board *b, unsigned int i, int pipe);

/* Index of the worker whose connection is idle longest, or -1. */
int	 board_find_idle(struct board *b);

const char *board_state_name(enum board_state state);

#endif
