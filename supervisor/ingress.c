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
#define HASH_NAME_BYTES 7	/* "sha256:" */
#define LATER_SEC 1		/* Redis tells page by page */
#define AGAIN_SEC 10		/* the disk did not take them */

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

static void later_cb(evutil_socket_t fd, short what, void *ctx);

static void
save_later(int sec)
{
	const struct timeval tv = { sec, 0 };

	if (later == NULL && (later = evtimer_new(sv.base, later_cb, NULL)) != NULL)
		evtimer_add(later, &tv);
}

static int
save_keys(void)
{
	char *text = json_dumps(keys, JSON_COMPACT);
	int rc;

	if (later != NULL)
		event_free(later);
	later = NULL;
	rc = text != NULL ? save(FILE_NAME, text) : -1;
	free(text);
	if (rc == -1)
		save_later(AGAIN_SEC);
	return rc;
}

static void
later_cb(evutil_socket_t fd, short what, void *ctx)
{
	save_keys();
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
	hex_format(own_secret, random, sizeof(random));
	if (save(SECRET_NAME, own_secret) == 0)
		return true;
	own_secret[0] = '\0';
	return false;
}

/* --- keys --- */

static bool
have_secret(void)
{
	return conf_str(sv.conf, "authorize.secret")[0] != '\0' || own_secret[0] != '\0' || make_secret();
}

/* The salt is that of the key's hash: a hash that is gone takes its key along. */
static void
make_key(const char *name, const char *salt, char key[2 * KEY_BYTES + 1])
{
	const char *secret = conf_str(sv.conf, "authorize.secret");
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct hmac_sha256_ctx ctx;

	secret = secret[0] != '\0' ? secret : own_secret;
	hmac_sha256_set_key(&ctx, strlen(secret), (const uint8_t *)secret);
	hmac_sha256_update(&ctx, 8, (const uint8_t *)"ingress\n");
	hmac_sha256_update(&ctx, strlen(name), (const uint8_t *)name);
	hmac_sha256_update(&ctx, 1, (const uint8_t *)"\n");
	hmac_sha256_update(&ctx, strlen(salt), (const uint8_t *)salt);
	hmac_sha256_digest(&ctx, sizeof(digest), digest);
	hex_format(key, digest, KEY_BYTES);
}

const json_t *
ingress_hashes(const char *name)
{
	return json_object_get(keys, name);
}

/* Is this a hash of a key that was made here, or with the same secret? */
static bool
key_of(const char *name, const json_t *hash, char key[2 * KEY_BYTES + 1])
{
	const char *text = json_string_value(hash);
	char salt[AUTH_SALT];

	if (strlen(text) < HASH_NAME_BYTES + AUTH_SALT)
		return false;
	str_copy(salt, text + HASH_NAME_BYTES, sizeof(salt));
	make_key(name, salt, key);
	return auth_key_fits(hash, key);
}

/* The stored hash of name's key, which is made if it has none. */
static const char *
hash_of(const char *name, char key[2 * KEY_BYTES + 1])
{
	json_t *list = json_object_get(keys, name);
	char salt[AUTH_SALT], *hash;
	const json_t *v;
	size_t i;

	json_array_foreach(list, i, v)
		if (json_is_string(v) && key_of(name, v, key))
			return json_string_value(v);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(keys, name, list);
	}
	while (json_array_size(list) >= HASHES_MAX)
		json_array_remove(list, 0);
	auth_salt(salt);
	make_key(name, salt, key);
	hash = auth_hash_key_salted(key, salt);
	json_array_append_new(list, json_string(hash));
	free(hash);
	save_later(LATER_SEC);
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
	save_later(LATER_SEC);
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
		save_later(LATER_SEC);
	if (json_object_size(keys) > before)
		log_debug("%zu streams have keys made by /v1/createIngress", json_object_size(keys));
}

/* --- verbs --- */

/* The disk did not take the change, so it is none; `old` (NULL: there was none) is taken. */
static int
take_back(const char *name, json_t *old, json_t **body)
{
	if (old != NULL)
		json_object_set_new(keys, name, old);
	else
		json_object_del(keys, name);
	*body = json_pack("{s:s}", "text", FILE_NAME " in data_dir could not be written; the log says why");
	return EIO;
}

static int
create(const char *name, json_t **body)
{
	char key[2 * KEY_BYTES + 1], id[INGRESS_ID];
	json_t *old;
	const char *hash;

	if (json_object_get(keys, name) == NULL &&
	    json_object_size(keys) >= (size_t)conf_int(sv.conf, "limits.ingress_keys")) {
		*body = json_pack("{s:s}", "text", "limits.ingress_keys streams have a key already");
		return ENOSPC;
	}
	if (keys == NULL || !have_secret()) {
		*body = json_pack("{s:s}", "text", "no secret for keys can be kept in data_dir: see the log");
		return EIO;
	}
	old = json_deep_copy(json_object_get(keys, name));
	hash = hash_of(name, key);
	/* Also one that Redis told of: who has a key may rely on it. */
	if (later != NULL && save_keys() == -1) {
		explicit_bzero(key, sizeof(key));
		return take_back(name, old, body);
	}
	json_decref(old);
	*body = json_pack("{s:s, s:s, s:[s]}", "id", ingress_id(name, id), "key", key, "hashes", hash);
	explicit_bzero(key, sizeof(key));
	return 0;
}

int
ingress_call(const char *verb, const json_t *args, json_t **body)
{
	const char *name = json_string_value(json_object_get(args, "name"));
	const json_t *hashes = json_object_get(args, "hashes");
	json_t *old;

	if (name == NULL || !stream_name_ok(name, strlen(name))) {
		*body = json_pack("{s:s}", "text", "not a name a stream can have: 1 to 64 letters, digits, . _ or -, "
		    "the first no dot");
		return EINVAL;
	}
	if (strcmp(verb, "ingress") == 0) {
		/* none: another host has removed them; where there is no other, Redis has lost them */
		if (json_array_size(hashes) > 0 || strcmp(conf_str(sv.conf, "redis.url"), "embedded") != 0)
			ingress_learn(name, hashes);
		return create(name, body);
	}
	if (strcmp(verb, "ingress_remove") != 0)
		return ENOSYS;
	if (json_object_get(keys, name) == NULL)
		return ENOENT;
	old = json_incref(json_object_get(keys, name));
	json_object_del(keys, name);
	if (save_keys() == -1)
		return take_back(name, old, body);
	json_decref(old);
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
	if (later != NULL)
		event_free(later);
	later = NULL;
	json_decref(keys);
	keys = NULL;
	explicit_bzero(own_secret, sizeof(own_secret));
}
