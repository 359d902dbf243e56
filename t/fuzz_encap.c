/* SPDX-License-Identifier: ISC */
/*
 * Fuzz target: the value of an Encapsulated header.  The first byte of an
 * input says in which message it stands.  What is accepted must stay within
 * the limit and mean the same when it is written in its plain form.
 */
#include <stdio.h>
#include <string.h>

#include "../proto/encap.h"
#include "fuzz.h"

#define MAX	(256 * 1024)

static int
format(char *dst, size_t size, const struct encap *e)
{
	if (e->req_hdr > 0 && e->res_hdr > 0)
		return snprintf(dst, size, "req-hdr=0, res-hdr=%zu, %s=%zu",
		    e->req_hdr, encap_name(e->body), e->req_hdr + e->res_hdr);
	if (e->req_hdr > 0 || e->res_hdr > 0)
		return snprintf(dst, size, "%s=0, %s=%zu", encap_name(
		    e->req_hdr > 0 ? ENCAP_REQ_HDR : ENCAP_RES_HDR),
		    encap_name(e->body), e->req_hdr + e->res_hdr);
	return snprintf(dst, size, "%s=0", encap_name(e->body));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct encap	 e, again;
	struct fault	 fault = { 0, NULL };
	struct slice	 value;
	enum icap_method method;
	char		 plain[200];
	bool		 reply;

	if (len == 0)
		return 0;
	method = (enum icap_method)(data[0] % 3);
	reply = data[0] % 6 >= 3;
	value.p = (const char *)data + 1;
	value.len = len - 1;
	if (encap_parse(&e, value, method, reply, MAX, &fault) == -1) {
		must(fault.why != NULL);
		must(fault.status == 400 || fault.status == 413);
		return 0;
	}
	must(fault.why == NULL);
	must(e.req_hdr + e.res_hdr <= MAX);
	must(e.body >= ENCAP_REQ_BODY);
	must(!reply || e.req_hdr == 0 || e.res_hdr == 0);
	value.p = plain;
	value.len = (size_t)format(plain, sizeof(plain), &e);
	must(encap_parse(&again, value, method, reply, MAX, &fault) == 0);
	must(again.req_hdr == e.req_hdr && again.res_hdr == e.res_hdr);
	must(again.body == e.body);
	return 0;
}
