/*
 * msg_packet.c - one packet of proto.h: built, sent with its descriptors, received, checked;
 * and the blocking pair of the CLI, which needs no loop.
 *
 * Nothing is queued here. A packet that is truncated, malformed or of another version is
 * warned about and given back without a body, its descriptors closed. Called by msg.c.
 */
#include "msg_packet.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

void
packet_free(struct packet *p)
{
	for (int i = 0; i < p->nfds; i++)
		close(p->fds[i]);
	free(p);
}

struct packet *
packet_new(uint16_t type, uint32_t id, const json_t *body)
{
	struct proto_header h = { .version = PROTO_VERSION, .type = type, .id = id };
	char *text = body != NULL ? json_dumps(body, JSON_COMPACT) : NULL;
	size_t json_len = text != NULL ? strlen(text) : 0, len = sizeof(h) + json_len;
	struct packet *p = NULL;

	h.json_len = (uint32_t)json_len;
	if (len <= PROTO_MSG_MAX) {
		p = xcalloc(1, sizeof(*p) + len);
		p->len = len;
		p->queued_ms = now_ms();
		memcpy(p->bytes, &h, sizeof(h));
		if (json_len > 0)
			memcpy(p->bytes + sizeof(h), text, json_len);
	} else
		errno = EMSGSIZE;
	free(text);
	return p;
}

int
packet_send(int fd, const struct packet *p)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(sizeof(p->fds))]; } u = { .buf = { 0 } };
	struct iovec iov = { .iov_base = (void *)(uintptr_t)p->bytes, .iov_len = p->len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (p->nfds > 0) {
		mh.msg_control = u.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)p->nfds);
		c = CMSG_FIRSTHDR(&mh);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)p->nfds);
		memcpy(CMSG_DATA(c), p->fds, sizeof(int) * (size_t)p->nfds);
	}
	return sendmsg(fd, &mh, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static void
take_fds(struct msghdr *mh, struct msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c != NULL; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		m->nfds = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(m->fds, CMSG_DATA(c), sizeof(int) * (size_t)m->nfds);
	}
}

void
packet_close_fds(struct msg *m)
{
	for (int i = 0; i < m->nfds; i++)
		if (m->fds[i] >= 0)
			close(m->fds[i]);
	m->nfds = 0;
}

/* Packet -> m; m->body is a new reference. -1 EBADMSG: not one of ours. */
static int
packet_parse(const uint8_t *buf, size_t len, struct msg *m)
{
	struct proto_header h;

	errno = EBADMSG;
	if (len < sizeof(h))
		return -1;
	memcpy(&h, buf, sizeof(h));
	if (h.json_len != len - sizeof(h))
		return -1;
	if (h.version != PROTO_VERSION && h.type != MSG_STOP && h.type != MSG_BYE)
		return -1;
	m->type = h.type;
	m->id = h.id;
	m->body = h.json_len == 0 ? json_object()
	    : json_loadb((const char *)buf + sizeof(h), h.json_len, 0, NULL);
	return json_is_object(m->body) ? 0 : -1;
}

int
packet_recv(int fd, uint8_t buf[PROTO_MSG_MAX], struct msg *m)
{
	union { struct cmsghdr align; char buf[CMSG_SPACE(sizeof(m->fds))]; } u;
	struct iovec iov = { .iov_base = buf, .iov_len = PROTO_MSG_MAX };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
	    .msg_control = u.buf, .msg_controllen = sizeof(u.buf) };
	ssize_t n = recvmsg(fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);

	memset(m, 0, sizeof(*m));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (n == 0)
		return -1;
	take_fds(&mh, m);
	if ((mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) || packet_parse(buf, (size_t)n, m) < 0) {
		log_warnx("control channel: dropped a malformed packet of %zd bytes", n);
		packet_close_fds(m);
		json_decref(m->body);
		m->body = NULL;
	}
	return 1;
}

int
msg_write(int fd, uint16_t type, uint32_t id, json_t *body)
{
	struct packet *p = packet_new(type, id, body);
	int rc;

	json_decref(body);
	if (p == NULL)
		return -1;
	rc = packet_send(fd, p);
	packet_free(p);
	return rc;
}

int
msg_read(int fd, int timeout_ms, uint16_t *type, uint32_t *id, json_t **body)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int64_t end = now_ms() + timeout_ms;
	uint8_t *buf = xmalloc(PROTO_MSG_MAX);
	struct msg m = { 0 };
	int rc = 0;

	while (rc == 0 || (rc > 0 && m.body == NULL)) {
		int64_t left = end - now_ms();

		if (left <= 0 || (poll(&pfd, 1, (int)left) <= 0 && errno != EINTR)) {
			errno = ETIMEDOUT;
			rc = -1;
			break;
		}
		errno = EPIPE;
		rc = packet_recv(fd, buf, &m);
	}
	free(buf);
	if (rc < 0)
		return -1;
	packet_close_fds(&m);
	*type = m.type;
	*id = m.id;
	*body = m.body;
	return 0;
}
