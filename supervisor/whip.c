/*
 * whip.c - publishers by WHIP, as far as they are the supervisor's: each gets a UDP socket of its own, bound
 * here to one of webrtc.ingest_ports (on the addresses of webrtc.listen); and what is said to a
 * session's URL is relayed to the ingest that has it. Called by handoff.c and route.c.
 *
 * Ports go round: one that has just become free may still get the packets of who left it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "supervisor/conf_table.h"
#include "supervisor/streams.h"

static unsigned next_port;

int
whip_socket(char *why, size_t size)
{
	const char *ports = conf_str(sv.conf, "webrtc.ingest_ports");
	unsigned first, last;
	struct net_addr addr;
	int fd;

	snprintf(why, size, "webrtc.listen or webrtc.ingest_ports is none");
	if (conf_parse_ports(ports, &first, &last) == -1 || net_parse(conf_str(sv.conf, "webrtc.listen"), &addr) == -1)
		return -1;
	for (unsigned n = 0; n <= last - first; n++) {
		if (next_port < first || next_port > last)
			next_port = first;
		net_set_port(&addr, next_port++);
		fd = net_udp(&addr);
		if (fd != -1)
			return fd;
		if (errno != EADDRINUSE)
			break;
	}
	if (errno == EADDRINUSE)
		snprintf(why, size, "all of webrtc.ingest_ports (%s) are taken", ports);
	else
		snprintf(why, size, "port %u of webrtc.ingest_ports cannot be opened: %s", next_port - 1,
		    strerror(errno));
	return -1;
}

struct child *
whip_child(const char *name)
{
	struct stream *s = name != NULL ? stream_find(name) : NULL;

	return s != NULL && s->ingest != NULL && s->ingest->program != NULL ? s->ingest : NULL;
}
