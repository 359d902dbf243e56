/* SPDX-License-Identifier: ISC */
/*
 * Networks as they are written, and who is in them.
 */
#include <netinet/in.h>

#include <arpa/inet.h>

#include <string.h>

#include "../server/admit.h"
#include "unit.h"

static const struct {
	const char	*text;
	int		 bits;		/* -1: refused */
} nets[] = {
	{ "127.0.0.1", 32 }, { "127.0.0.0/8", 8 }, { "0.0.0.0/0", 0 },
	{ "10.1.2.128/25", 25 }, { "10.1.2.3/32", 32 }, { "::1", 128 },
	{ "::/0", 0 }, { "2001:db8::/32", 32 }, { "2001:db8::8/125", 125 },
	{ "", -1 }, { "/", -1 }, { "localhost", -1 }, { "127.0.0.1/", -1 },
	{ "127.0.0.1/33", -1 }, { "::1/129", -1 }, { "10.0.0.0/-1", -1 },
	{ "10.0.0.0/+8", -1 }, { "10.0.0.0/ 8", -1 }, { "10.0.0.0/8x", -1 },
	{ "10.0.0.1/8", -1 }, { "10.1.2.129/25", -1 }, { "::1/64", -1 },
	{ "10.1.2", -1 }, { "10.1.2.3.4", -1 }, { "1.2.3.256", -1 },
	{ "10.0.0.0/99999999999999999999", -1 }, { ":::1", -1 },
	{ "0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/1", -1 },
};

START_TEST(networks_are_read)
{
	struct admit_net	 net;
	const char		*why = NULL;

	if (nets[_i].bits == -1) {
		ck_assert_int_eq(admit_parse_net(nets[_i].text, &net, &why),
		    -1);
		ck_assert_ptr_nonnull(why);
		return;
	}
	ck_assert_int_eq(admit_parse_net(nets[_i].text, &net, &why), 0);
	ck_assert_int_eq(net.bits, nets[_i].bits);
}
END_TEST

static const struct {
	const char	*net;
	const char	*client;
	bool		 is_in;
} members[] = {
	{ "127.0.0.0/8", "127.1.2.3", true },
	{ "127.0.0.0/8", "128.0.0.1", false },
	{ "10.1.2.128/25", "10.1.2.128", true },
	{ "10.1.2.128/25", "10.1.2.255", true },
	{ "10.1.2.128/25", "10.1.2.127", false },
	{ "10.1.2.3", "10.1.2.3", true },
	{ "10.1.2.3", "10.1.2.2", false },
	{ "0.0.0.0/0", "9.9.9.9", true },
	{ "0.0.0.0/0", "::1", false },
	{ "::/0", "::1", true },
	{ "::/0", "9.9.9.9", false },
	{ "2001:db8::8/125", "2001:db8::f", true },
	{ "2001:db8::8/125", "2001:db8::10", false },
	/* IPv4 through an IPv6 socket is IPv4 */
	{ "127.0.0.0/8", "::ffff:127.0.0.1", true },
	{ "::/0", "::ffff:127.0.0.1", false },
};

static void
read_client(const char *text, struct board_peer *peer)
{
	struct sockaddr_storage	 ss;
	struct sockaddr_in	 sin;
	struct sockaddr_in6	 sin6;

	memset(&ss, 0, sizeof(ss));
	memset(&sin, 0, sizeof(sin));
	memset(&sin6, 0, sizeof(sin6));
	if (inet_pton(AF_INET, text, &sin.sin_addr) == 1) {
		sin.sin_family = AF_INET;
		sin.sin_port = htons(4711);
		memcpy(&ss, &sin, sizeof(sin));
	} else {
		ck_assert_int_eq(inet_pton(AF_INET6, text, &sin6.sin6_addr),
		    1);
		sin6.sin6_family = AF_INET6;
		sin6.sin6_port = htons(4711);
		memcpy(&ss, &sin6, sizeof(sin6));
	}
	admit_read_peer(&ss, peer);
	ck_assert_uint_eq(peer->port, htons(4711));
}

START_TEST(clients_are_found)
{
	struct admit_net	 net[2];
	struct board_peer	 peer;
	struct admit_list	 a;
	const char		*why;

	memset(&a, 0, sizeof(a));
	a.net = net;
	a.n = 1;
	ck_assert_int_eq(admit_parse_net(members[_i].net, &net[0], &why), 0);
	read_client(members[_i].client, &peer);
	ck_assert(admit_is_allowed(&a, &peer) == members[_i].is_in);
	/* one of two is enough */
	net[1] = net[0];
	ck_assert_int_eq(admit_parse_net("192.0.2.1", &net[0], &why), 0);
	a.n = 2;
	ck_assert(admit_is_allowed(&a, &peer) == members[_i].is_in);
	/* no list allows everybody */
	a.n = 0;
	ck_assert(admit_is_allowed(&a, &peer));
}
END_TEST

static void
add(TCase *tc)
{
	unit_add_rows(tc, networks_are_read, nets);
	unit_add_rows(tc, clients_are_found, members);
}

int
main(void)
{
	return unit_main("access", add);
}
