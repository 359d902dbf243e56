/* SPDX-License-Identifier: ISC */
/*
 * An ICAP server that writes text in capitals.  Build and run it with
 *	cc -o upper upper.c $(pkg-config --cflags --libs icapd)
 *	./upper upper
 * and point the proxy's RESPMOD at icap://127.0.0.1:1344/upper.
 */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <icapd/service.h>

static enum verdict
upper_serve(struct txn *txn, void *instance)
{
	const char	*type;
	char		 bytes[4096];
	size_t		 len;
	ssize_t		 n, i;

	(void)instance;
	type = txn_response_header(txn, "Content-Type", &len);
	if (len < 5 || strncasecmp(type, "text/", 5) != 0 ||
	    txn_response_header(txn, "Content-Encoding", &len) != NULL)
		return VERDICT_UNCHANGED;
	while ((n = txn_read(txn, bytes, sizeof(bytes))) > 0) {
		for (i = 0; i < n; i++)
			bytes[i] = (char)toupper((unsigned char)bytes[i]);
		if (txn_write(txn, bytes, (size_t)n) == -1)
			return VERDICT_FAILED;
	}
	return n == -1 ? VERDICT_FAILED : VERDICT_REWRITTEN;
}

static const struct service upper = {
	.name = "upper",
	.summary = "writes text in capitals",
	.methods = SERVICE_RESPMOD,
	.preview = 0,
	.serve = upper_serve,
};

int
main(int argc, char *argv[])
{
	const struct service *const	 services[] = { &upper, NULL };

	return icapd_main(argc, argv, services);
}
