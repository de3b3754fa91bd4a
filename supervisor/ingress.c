/*
 * ingress.c - keys made for back ends (contract in ingress.h). The copy on the disk is for a start
 * without Redis: until that tells all it has, a name that is not in the copy is open to anybody. So
 * a key that is made waits for the disk; what Redis tells is written once for all of it.
 *
 * Nothing in here lets anybody in: streams_ask.c compares. Called by it, route.c and main.c.
 */
#include "supervisor/ingress.h"

#include <errno.h>
#include <event2/event.h>
#include <nettle/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "conf.h"
#include "ingress_id.h"
#include "log.h"
#include "stream_name.h"
#include "supervisor/auth.h"
#include "supervisor/supervisor.h"
#include "util.h"

#define FILE_NAME "ingress.json"
#define SECRET_NAME "ingress.secret"
#define FILE_BYTES_MAX (64 << 20)
#define SECRET_BYTES 32
#define KEY_BYTES 20		/* of the HMAC: 160 bits, 40 digits */
#define HASHES_MAX 8
#define LATER_SEC 1		/* Redis tells page by page */

static json_t *keys;		/* {NAME: [hash ..]} */
static char own_secret[2 * SECRET_BYTES + 1];
static struct event *later;	/* keys are to be written; NULL: they are */

/* --- files --- */

/* 0600: of the hashes nothing follows, of the secret all keys. */
static int
save(const char *name, const char *text)
{
	char path[512];
	mode_t mask = umask(077);
	int rc = path_join(path, sizeof(path), conf_str(sv.conf, "data_dir"), name) == -1 ? -1 :
	    file_replace_sync(path, text, strlen(text));

	umask(mask);
	if (rc == -1)
		log_warn("cannot write %s in data_dir", name);
	return rc;
}

static void
save_keys(void)
{
	char *text = json_dumps(keys, JSON_COMPACT);

	if (later != NULL)
		event_free(later);
	later = NULL;
	if (text != NULL)
		save(FILE_NAME, text);
	free(text);
}

static void
later_cb(evutil_socket_t fd, short what, void *ctx)
{
	save_keys();
}

static void
save_later(void)
{
	static const struct timeval tv = { LATER_SEC, 0 };

	if (later == NULL && (later = evtimer_new(sv.base, later_cb, NULL)) != NULL)
		evtimer_add(later, &tv);
}

static char *
load(const char *name, size_t max)
{
	char path[512];

	return path_join(path, sizeof(path), conf_str(sv.conf, "data_dir"), name) == -1 ? NULL :
	    file_read(path, max, NULL);
}

static bool
make_secret(void)
{
	uint8_t random[SECRET_BYTES];
	char *text = load(SECRET_NAME, 256);
	bool good = text != NULL && strlen(text) == 2 * SECRET_BYTES;

	if (good)
		str_copy(own_secret, text, sizeof(own_secret));
	if (text != NULL && !good)
		log_warnx("%s in data_dir is damaged: keys that /v1/createIngress makes from now on are others",
		    SECRET_NAME);
	free(text);
	if (good)
		return true;
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return false;
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(own_secret + 2 * i, 3, "%02x", random[i]);
	if (save(SECRET_NAME, own_secret) == 0)
		return true;
	own_secret[0] = '\0';
	return false;
}

/* --- keys --- */

static bool
make_key(const char *name, char key[2 * KEY_BYTES + 1])
{
	const char *secret = conf_str(sv.conf, "authorize.secret");
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct hmac_sha256_ctx ctx;

	if (secret[0] == '\0' && own_secret[0] == '\0' && !make_secret())
		return false;
	secret = secret[0] != '\0' ? secret : own_secret;
	hmac_sha256_set_key(&ctx, strlen(secret), (const uint8_t *)secret);
	hmac_sha256_update(&ctx, 8, (const uint8_t *)"ingress\n");
	hmac_sha256_update(&ctx, strlen(name), (const uint8_t *)name);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < KEY_BYTES; i++)
		snprintf(key + 2 * i, 3, "%02x", digest[i]);
	return true;
}

const json_t *
ingress_hashes(const char *name)
{
	return json_object_get(keys, name);
}

/* The stored hash of key, made if there is none: each name's own salt. */
static const char *
hash_of(const char *name, const char *key)
{
	json_t *list = json_object_get(keys, name);
	const json_t *v;
	char *hash;
	size_t i;

	json_array_foreach(list, i, v)
		if (auth_key_fits(v, key))
			return json_string_value(v);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(keys, name, list);
	}
	while (json_array_size(list) >= HASHES_MAX)
		json_array_remove(list, 0);
	hash = auth_hash_key(key);
	json_array_append_new(list, json_string(hash));
	free(hash);
	save_keys();
	return json_string_value(json_array_get(list, json_array_size(list) - 1));
}

void
ingress_learn(const char *name, const json_t *hashes)
{
	const json_t *old = json_object_get(keys, name);

	if (keys == NULL || !json_is_array(hashes) || (old != NULL ? json_equal(old, hashes) :
	    json_array_size(hashes) == 0))
		return;
	if (json_array_size(hashes) == 0)
		json_object_del(keys, name);
	else
		json_object_set_new(keys, name, json_deep_copy(hashes));
	save_later();
}

void
ingress_event(const json_t *body)
{
	json_t *told = json_object_get(body, "keys"), *hashes, *copy;
	size_t before = json_object_size(keys);
	const char *name;
	bool changed = false;

	json_object_foreach(told, name, hashes) {
		if (keys == NULL || !json_is_array(hashes) || json_equal(hashes, json_object_get(keys, name)) ||
		    !stream_name_ok(name, strlen(name)))
			continue;
		copy = json_deep_copy(hashes);
		changed = true;
		json_object_set_new(keys, name, copy);
	}
	if (changed)
		save_later();
	if (json_object_size(keys) > before)
		log_debug("%zu streams have keys made by /v1/createIngress", json_object_size(keys));
}

/* --- verbs --- */

static int
create(const char *name, json_t **body)
{
	char key[2 * KEY_BYTES + 1], id[INGRESS_ID];
	const char *hash;

	if (json_object_get(keys, name) == NULL &&
	    json_object_size(keys) >= (size_t)conf_int(sv.conf, "limits.ingress_keys")) {
		*body = json_pack("{s:s}", "text", "limits.ingress_keys streams have a key already");
		return ENOSPC;
	}
	if (keys == NULL || !make_key(name, key)) {
		*body = json_pack("{s:s}", "text", "no secret for keys can be kept in data_dir: see the log");
		return EIO;
	}
	hash = hash_of(name, key);
	*body = json_pack("{s:s, s:s, s:[s]}", "id", ingress_id(name, id), "key", key, "hashes", hash);
	explicit_bzero(key, sizeof(key));
	return 0;
}

int
ingress_call(const char *verb, const json_t *args, json_t **body)
{
	const char *name = json_string_value(json_object_get(args, "name"));

	if (name == NULL || !stream_name_ok(name, strlen(name))) {
		*body = json_pack("{s:s}", "text", "not a name a stream can have: 1 to 64 letters, digits, . _ or -, "
		    "the first no dot");
		return EINVAL;
	}
	if (strcmp(verb, "ingress") == 0)
		return create(name, body);
	if (strcmp(verb, "ingress_remove") != 0)
		return ENOSYS;
	if (json_object_get(keys, name) == NULL)
		return ENOENT;
	json_object_del(keys, name);
	save_keys();
	return 0;
}

void
ingress_start(void)
{
	char *text = load(FILE_NAME, FILE_BYTES_MAX);
	json_t *o = text != NULL ? json_loads(text, 0, NULL) : NULL;

	if (text == NULL && errno != ENOENT)
		log_warn("%s in data_dir: keys of /v1/createIngress are known when Redis is there", FILE_NAME);
	else if (text != NULL && !json_is_object(o))
		log_warnx("%s in data_dir is damaged: keys of /v1/createIngress are known when Redis is there",
		    FILE_NAME);
	keys = json_is_object(o) ? o : json_object();
	if (keys != o)
		json_decref(o);
	free(text);
}

void
ingress_stop(void)
{
	if (later != NULL)
		save_keys();
	json_decref(keys);
	keys = NULL;
	explicit_bzero(own_secret, sizeof(own_secret));
}
