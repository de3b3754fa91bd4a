/*
 * msg_body.c - what is inside a message: typed access to its JSON, names of the types, and
 * the one door through which foreign bytes enter JSON.
 *
 * A key that must be there and is not is reported here, once, so that handlers only say
 * "give it to me" and return. It never touches a socket. Contract in msg.h.
 */
#include "msg.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "util.h"

static const char *const type_names[] = {
	[MSG_HELLO] = "HELLO", [MSG_READY] = "READY", [MSG_CLAIM] = "CLAIM", [MSG_SPAWN] = "SPAWN",
	[MSG_OUTPUT_DOWN] = "OUTPUT_DOWN", [MSG_EVENT] = "EVENT", [MSG_BYE] = "BYE",
	[MSG_CONN] = "CONN", [MSG_GRANT] = "GRANT", [MSG_REFUSE] = "REFUSE", [MSG_SPAWNED] = "SPAWNED",
	[MSG_EXITED] = "EXITED", [MSG_YIELD] = "YIELD", [MSG_CONFIG] = "CONFIG", [MSG_STOP] = "STOP",
	[MSG_LOGLEVEL] = "LOGLEVEL", [MSG_PUSH] = "PUSH",
	[MSG_WANT] = "WANT", [MSG_FEED] = "FEED", [MSG_CALL] = "CALL", [MSG_REPLY] = "REPLY",
	[MSG_HANDOFF] = "HANDOFF", [MSG_TAKEN] = "TAKEN", [MSG_REFUSED] = "REFUSED",
	[MSG_KICK] = "KICK", [MSG_RELOAD] = "RELOAD", [MSG_SHUTDOWN] = "SHUTDOWN",
};

const char *
msg_type_name(uint16_t type)
{
	if (type >= sizeof(type_names) / sizeof(type_names[0]) || type_names[type] == NULL)
		return "unknown";
	return type_names[type];
}

static json_t *
need(const struct msg *m, const char *key, bool ok, json_t *v)
{
	if (ok)
		return v;
	log_warnx("%s without %s: dropped", msg_type_name(m->type), key);
	errno = EBADMSG;
	return NULL;
}

const char *
msg_str(const struct msg *m, const char *key)
{
	json_t *v = json_object_get(m->body, key);

	return json_string_value(need(m, key, json_is_string(v), v));
}

int
msg_int(const struct msg *m, const char *key, int64_t *out)
{
	json_t *v = json_object_get(m->body, key);

	if (need(m, key, json_is_integer(v), v) == NULL)
		return -1;
	*out = json_integer_value(v);
	return 0;
}

const char *
msg_str_or(const struct msg *m, const char *key, const char *fallback)
{
	json_t *v = json_object_get(m->body, key);

	return json_is_string(v) ? json_string_value(v) : fallback;
}

int64_t
msg_int_or(const struct msg *m, const char *key, int64_t fallback)
{
	json_t *v = json_object_get(m->body, key);

	return json_is_integer(v) ? json_integer_value(v) : fallback;
}

json_t *
msg_text(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	char *out = xmalloc(len * 3 + 1);
	size_t n = 0, k;
	json_t *s;

	for (size_t i = 0; i < len; i += k ? k : 1) {
		k = p[i] != 0 ? utf8_sequence(p + i, len - i) : 0;
		memcpy(out + n, k ? (const char *)p + i : "\xef\xbf\xbd", k ? k : 3);
		n += k ? k : 3;
	}
	s = json_stringn(out, n);
	free(out);
	if (s == NULL)
		fatalx("out of memory: JSON text");
	return s;
}
