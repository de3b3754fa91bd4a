/*
 * target.c - where a sent file goes (contract in target.h). The URL may hold a key: it is given to
 * ffmpeg and to nobody else. Called by the supervisor (task.c, conf_check.c) and the jobs worker.
 */
#include "target.h"

#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "conf.h"
#include "url.h"
#include "util.h"

#define HEX_BYTES 8

bool
target_ok(const char *url)
{
	const char *host = strstr(url, "://"), *slash;

	if (strncmp(url, "rtmp://", 7) != 0 && strncmp(url, "rtmps://", 8) != 0)
		return false;
	host += 3;
	slash = strchr(host, '/');
	if (slash == NULL || slash == host || slash[1] == '\0' || strlen(url) > TARGET_CONF_MAX)
		return false;
	for (const char *p = url; *p != '\0'; p++)
		if (*p <= ' ' || *p == 127 || strchr("\"'\\<>", *p) != NULL)
			return false;
	return true;
}

static void
replace_name(const char *url, const char *name, char *out, size_t size)
{
	const char *at;

	for (out[0] = '\0'; (at = strstr(url, "{name}")) != NULL; url = at + 6) {
		size_t n = strlen(out);

		snprintf(out + n, size - n, "%.*s%s", (int)(at - url), url, name);
	}
	snprintf(out + strlen(out), size - strlen(out), "%s", url);
}

void
target_expand(const json_t *conf, const char *name, char *out, size_t size)
{
	const char *base = conf_str(conf, "upload.target_base");
	size_t n = strlen(base);

	if (n == 0) {
		replace_name(conf_str(conf, "upload.target"), name, out, size);
		return;
	}
	while (n > 0 && base[n - 1] == '/')
		n--;
	snprintf(out, size, "%.*s/%s", (int)n, base, name);
}

/* Is its host this one, whatever the port? */
static bool
is_local(const char *url)
{
	static const char *const hosts[] = { "localhost", "127.", "[::1]" };
	size_t n;
	const char *host = url_host(url, &n);

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (strncasecmp(host, hosts[i], strlen(hosts[i])) == 0)
			return true;
	return false;
}

void
target_lane(const json_t *conf, const char *name, const char *host_id, char out[TARGET_LANE])
{
	struct sha256_ctx ctx;
	char url[TARGET_URL];
	uint8_t digest[HEX_BYTES];

	target_expand(conf, name, url, sizeof(url));
	sha256_init(&ctx);
	sha256_update(&ctx, strlen(url), (const uint8_t *)url);
	if (is_local(url))
		sha256_update(&ctx, strlen(host_id), (const uint8_t *)host_id);
	sha256_digest(&ctx, sizeof(digest), digest);
	hex_format(out, digest, sizeof(digest));
}
