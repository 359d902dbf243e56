/* SPDX-License-Identifier: ISC */
#ifndef SERVER_METRICS_H
#define SERVER_METRICS_H

#include "board.h"
#include "tally.h"

/* Text that grows; the caller frees p. */
struct page {
	char	*p;
	size_t	 len;
	size_t	 size;
	bool	 failed;	/* no memory: the rest is missing */
};

/*
 * What everybody shows, taken at one moment.  Workers can write to what it is
 * taken from, so that is looked at here and through board_copy_slot() and
 * health.h only.
 */
struct snapshot {
	const struct board	*board;
	struct board_head	 head;		/* a copy, as are */
	struct ring_public	 logs;
	unsigned int		 nservices;	/* and these */
	char			 service[TALLY_SERVICES][TALLY_NAME];
	int64_t			 now;		/* stream_now() */
	const struct vitals	*vitals;
	bool			 is_served;	/* vitals_is_ready() */
	unsigned short		 backend[VITALS_BACKENDS];	/* places */
	unsigned int		 nbackends;
	unsigned short		 number[VITALS_NUMBERS];
	unsigned int		 nnumbers;
	struct tally_sum	 sum;

	/* of the board, with what processes that have ended counted */
	unsigned int		 by_state[BOARD_AUX + 1];
	unsigned int		 workers;
	uint64_t		 connections;
	uint64_t		 transactions;
	uint64_t		 refused;
	uint64_t		 overload;
	unsigned int		 queued;
};

/*
 * Copies the last error or block before number *k, 0 being behind the newest,
 * and has *k be its number.  Returns false where there is none.
 */
bool	 recent_next(const struct snapshot *s, uint64_t *k,
	    struct ring_recent *recent);
const char *recent_kind(const struct ring_recent *recent);

/*
 * That quantile of the durations in the buckets, rounded up to the bound of
 * one, in microseconds; 0 of none, UINT32_MAX beyond the last bound.
 */
uint32_t metrics_quantile(const struct tally_service *v, double q);

void	 snapshot_take(struct snapshot *s, const struct board *board,
	    struct tally *tally);

/* Somebody could be served now or soon. */
bool	 snapshot_has_workers(const struct snapshot *s);

/* And each service has the back-end that it needs. */
bool	 snapshot_is_ready(const struct snapshot *s);

void	 page_init(struct page *p);
void	 page_add(struct page *p, const char *text, size_t len);
void	 page_addf(struct page *p, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
/* Escaped for the inside of a JSON string, a label of Prometheus, HTML. */
void	 page_json(struct page *p, const char *text);
void	 page_label(struct page *p, const char *text);
void	 page_html(struct page *p, const char *text);

/* The Prometheus text format. */
void	 metrics_format(struct page *p, const struct snapshot *s);

/* All of it as one JSON object. */
void	 metrics_format_json(struct page *p, const struct snapshot *s);

/* "recent":[...], the last errors and blocks. */
void	 metrics_format_recent(struct page *p, const struct snapshot *s);

/* A page for people; it asks for the JSON by itself where it can. */
void	 metrics_format_html(struct page *p, const struct snapshot *s);

#endif
