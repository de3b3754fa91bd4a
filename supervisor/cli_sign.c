/*
 * cli_sign.c - the verbs sign-url, key and hash-key: what a publisher is given.
 *
 * They need no running server, only the config (and auth.c, which the server checks with).
 * stdout has what a script wants (the URL, the hash), stderr what a person wants beside it.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "log.h"
#include "stream_name.h"
#include "supervisor/cli.h"
#include "supervisor/conf_table.h"
#include "supervisor/supervisor.h"
#include "url.h"
#include "util.h"

#define KEY_BYTES 16
#define KEY_MAX 200
#define FOR_DEFAULT_MS 3600000

/* The pattern with the fewest variables: what a person would type. */
static const char *
best_pattern(const json_t *conf)
{
	const char *best = NULL, *p, *s;
	unsigned n, least = ~0u;
	const json_t *entry;
	size_t i;

	json_array_foreach(conf_get(conf, "authorize.patterns"), i, entry) {
		p = json_string_value(entry);
		for (n = 0, s = strchr(p, '{'); s != NULL; s = strchr(s + 1, '{'))
			n++;
		if (n < least) {
			least = n;
			best = p;
		}
	}
	return best;
}

/* The pattern's path with "live" for other variables; *last: its last part is the name. */
static int
fill_pattern(const char *pattern, const char *name, char *out, size_t size, bool *last)
{
	size_t len, used = 0;
	const char *part;
	int n;

	for (; *pattern == '/'; pattern += len) {
		len = 1 + strcspn(pattern + 1, "/");
		*last = strncmp(pattern, "/{username}", len) == 0 && len == strlen("/{username}");
		part = *last ? name : pattern[1] == '{' ? "live" : NULL;
		n = part != NULL ? snprintf(out + used, size - used, "/%s", part) :
		    snprintf(out + used, size - used, "%.*s", (int)len, pattern);
		if (n < 0 || (size_t)n >= size - used)
			return -1;
		used += (size_t)n;
	}
	return 0;
}

/* ":1935" of this host; the default port is left out. */
static void
publish_host(const json_t *conf, const char *host, char *out, size_t size)
{
	const char *listen = json_string_value(json_object_get(json_array_get(conf_get(conf,
	    "rtmp.listen"), 0), "address"));
	const char *port = strrchr(listen, ':');
	int n = (int)(port - listen);

	if (n == 0 || strncmp(listen, "0.0.0.0:", 8) == 0 || strncmp(listen, "[::]:", 5) == 0)
		snprintf(out, size, "%s%s", host, strcmp(port, ":1935") == 0 ? "" : port);
	else
		snprintf(out, size, "%.*s%s", n, listen, strcmp(port, ":1935") == 0 ? "" : port);
}

int
cli_publish_url(const json_t *conf, const char *host, const char *name, char *server, size_t ssize,
    char *key, size_t ksize)
{
	char where[300], path[300];
	bool last = false;
	int n;

	if (fill_pattern(best_pattern(conf), name, path, sizeof(path), &last) == -1)
		return -1;
	/* Where the name is in the middle of the path, it is the key as well. */
	if (last)
		*strrchr(path, '/') = '\0';
	publish_host(conf, host, where, sizeof(where));
	n = snprintf(server, ssize, "rtmp://%s%s", where, path);
	return n < 0 || (size_t)n >= ssize || str_copy(key, name, ksize) >= ksize ? -1 : 0;
}

/* The host of http.public_url, else host.name, else the system's. */
static void
own_host(const json_t *conf, char *out, size_t size)
{
	const char *url = conf_str(conf, "http.public_url"), *p;
	const char *name = conf_str(conf, "host.name");
	size_t n;

	if (url[0] != '\0') {
		p = url_host(url, &n);
		snprintf(out, size, "%.*s", (int)url_host_name(p, n), p);
	} else if (name[0] != '\0')
		str_copy(out, name, size);
	else if (gethostname(out, size) == -1)
		str_copy(out, "localhost", size);
	out[size - 1] = '\0';
}

static int
parse_for(int argc, char **argv, int64_t *for_ms)
{
	*for_ms = FOR_DEFAULT_MS;
	if (argc == 2)
		return 0;
	if (argc != 4 || strcmp(argv[2], "--for") != 0)
		return -1;
	return conf_parse_duration(argv[3], for_ms) == -1 || *for_ms < 1000 ? -1 : 0;
}

int
cli_sign_url(struct cli *c, int argc, char **argv)
{
	char host[256], server[512], key[STREAM_NAME_MAX + 1], until[32];
	int64_t for_ms, end_sec;
	char *query;

	if (argc < 2 || !stream_name_ok(argv[1], strlen(argv[1])))
		return cli_usage_error("sign-url", "want a stream's name (letters, digits, . _ -)");
	if (parse_for(argc, argv, &for_ms) == -1)
		return cli_usage_error("sign-url", "want --for and a duration: 30m, 12h, 7d");
	if (cli_config(c) == -1)
		return CLI_USAGE;
	if (conf_str(c->conf, "authorize.secret")[0] == '\0') {
		fprintf(stderr, "millrace: authorize.secret is empty in %s\n"
		    "Set it (`openssl rand -hex 32` makes one), then `millrace reload`\n", c->conf_path);
		return CLI_FAILING;
	}
	own_host(c->conf, host, sizeof(host));
	if (cli_publish_url(c->conf, host, argv[1], server, sizeof(server), key, sizeof(key)) == -1)
		return cli_usage_error("sign-url", "the URL would be too long");
	end_sec = time(NULL) + for_ms / 1000;
	query = auth_sign(conf_str(c->conf, "authorize.secret"), argv[1], end_sec);
	fprintf(stderr, "OBS Server  %s\nOBS Key     %s?%s\nvalid until %s\n", server, key, query,
	    wall_format(end_sec * 1000, until));
	printf("%s/%s?%s\n", server, key, query);
	if (conf_str(c->conf, "http.public_url")[0] == '\0' && strstr(server, host) != NULL)
		fprintf(stderr, "%s is what this machine calls itself; set http.public_url to how others reach it\n",
		    host);
	free(query);
	return CLI_OK;
}

int
cli_key(struct cli *c, int argc, char **argv)
{
	uint8_t random[KEY_BYTES];
	char key[2 * KEY_BYTES + 1], *hash;

	if (argc != 2 || (strcmp(argv[1], "*") != 0 && !stream_name_ok(argv[1], strlen(argv[1]))))
		return cli_usage_error("key", "want a stream's name, or '*' for all that have none of their own");
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		fatal("getrandom");
	hex_format(key, random, sizeof(random));
	hash = auth_hash_key(key);
	printf("Key, shown only now: %s\nIn OBS' Stream Key:  %s?key=%s\n\n"
	    "Below authorize: keys: in the config, then `millrace reload`:\n    %s%s%s: \"%s\"\n",
	    key, argv[1][0] == '*' ? "NAME" : argv[1], key, argv[1][0] == '*' ? "\"" : "", argv[1],
	    argv[1][0] == '*' ? "\"" : "", hash);
	free(hash);
	return CLI_OK;
}

/* A key given as an argument is visible to others in ps; better from stdin. */
int
cli_hash_key(struct cli *c, int argc, char **argv)
{
	char line[KEY_MAX + 2], *hash;

	if (argc > 2)
		return cli_usage_error("hash-key", "one key, or none to read it from stdin");
	if (argc == 2)
		str_copy(line, argv[1], sizeof(line));
	else if (fgets(line, sizeof(line), stdin) == NULL)
		line[0] = '\0';
	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '\0' || strlen(line) > KEY_MAX)
		return cli_usage_error("hash-key", "a key has 1 to 200 characters");
	hash = auth_hash_key(line);
	printf("%s\n", hash);
	free(hash);
	return CLI_OK;
}
