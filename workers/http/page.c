/*
 * page.c - the pages of web/, read once at start and kept: they are small. They are found
 * beside the program in the build tree, or where `make install` puts them. hls.min.js, which
 * `make web` may bring later, is looked for until it is there.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "http.h"
#include "log.h"
#include "siphash.h"
#include "util.h"

#define PAGES_MAX 32
#define PAGE_MAX_BYTES (2 * 1024 * 1024)
#define HLS_SCRIPT "hls.min.js"
#define BASE "<base href=\"./"	/* in 404.html */
#define MISSING_DEEP 16			/* components of a path that still gets that page */
#define POLICY "Cache-Control: no-cache\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n" \
	"Content-Security-Policy: default-src 'self'; connect-src *; media-src * blob:; worker-src 'self' blob:; " \
	"img-src 'self' data:; frame-ancestors *\r\n"

static struct page { char name[64], etag[24]; const char *type; char *text; size_t len; } pages[PAGES_MAX];
static unsigned npages;
static char vendor[PATH_MAX];

static const char *
type_of(const char *name)
{
	static const char *const types[][2] = {
		{ ".html", "text/html; charset=utf-8" }, { ".css", "text/css; charset=utf-8" },
		{ ".js", "text/javascript; charset=utf-8" }, { ".svg", "image/svg+xml" },
	};
	const char *dot = strrchr(name, '.');

	for (unsigned i = 0; dot != NULL && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(dot, types[i][0]) == 0)
			return types[i][1];
	return NULL;
}

static void
load(const char *dir, const char *name)
{
	static const uint8_t key[16];
	struct page *p = &pages[npages];
	char path[PATH_MAX];

	if (npages == PAGES_MAX || type_of(name) == NULL || path_join(path, sizeof(path), dir, name) < 0)
		return;
	p->text = file_read(path, PAGE_MAX_BYTES, &p->len);
	if (p->text == NULL)
		return;
	str_copy(p->name, name, sizeof(p->name));
	p->type = type_of(name);
	snprintf(p->etag, sizeof(p->etag), "\"%016llx\"", (unsigned long long)siphash(key, p->text, p->len));
	npages++;
}

static int
load_all(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL)
		load(dir, e->d_name);
	closedir(d);
	if (npages > 0 && path_join(vendor, sizeof(vendor), dir, "vendor") == 0)
		load(vendor, HLS_SCRIPT);
	return npages > 0 ? 0 : -1;
}

int
page_start(void)
{
	static const char *const places[] = { "../../web", "../../../web", "../../share/millrace/web",
		"../share/millrace/web" };
	char exe[PATH_MAX], dir[PATH_MAX + 64], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (n < 0)
		return -1;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	*slash = '\0';
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		snprintf(dir, sizeof(dir), "%s/%s", exe, places[i]);
		if (load_all(dir) == 0)
			return 0;
	}
	return load_all("/usr/share/millrace/web");
}

static const struct page *
find(const char *name)
{
	for (unsigned i = 0; i < npages; i++)
		if (strcmp(pages[i].name, name) == 0)
			return &pages[i];
	return NULL;
}

static void
serve(struct conn *c, const char *name, const char *more)
{
	const char *match = request_field(&c->req, FIELD_IF_NONE_MATCH);
	const struct page *p = find(name);
	char extra[700];

	if (p == NULL) {
		answer_text(c, 404, "Not found.\n");
		return;
	}
	snprintf(extra, sizeof(extra), "ETag: %s\r\n%s%s", p->etag, POLICY, more);
	if (match != NULL && strstr(match, p->etag) != NULL)
		answer_bytes(c, 304, NULL, extra, NULL, 0, false);
	else
		answer_bytes(c, 200, p->type, extra, p->text, p->len, false);
}

/*
 * 404.html is the answer to paths of any depth, maybe behind a proxy's prefix: so its links
 * are relative to a base that climbs as high as the path is deep.
 */
static void
serve_missing(struct conn *c, const char *path)
{
	const struct page *p = find("404.html");
	const char *base = p != NULL ? strstr(p->text, BASE) : NULL;
	size_t start, n;
	unsigned up = 0;
	char *out;

	for (const char *s = strchr(path, '/'); s != NULL && (s = strchr(s + 1, '/')) != NULL;)
		up++;
	if (base == NULL || up > MISSING_DEEP) {
		answer_text(c, 404, "Not found.\n");
		return;
	}
	start = (size_t)(base - p->text) + strlen(BASE);
	out = xmalloc(p->len + 3 * MISSING_DEEP);
	memcpy(out, p->text, start);
	for (n = start; up > 0; up--, n += 3)
		memcpy(out + n, "../", 3);
	memcpy(out + n, p->text + start, p->len - start);
	answer_bytes(c, 404, p->type, POLICY, out, n + p->len - start, true);
}

void
page_missing(struct conn *c)
{
	const char *path = request_path(&c->req);

	if (strncmp(path, "/api/", 5) == 0)
		answer_json(c, 404, json_pack("{s:s}", "error", "no such call"));
	else if (strncmp(path, "/stream/", 8) == 0 || strncmp(path, "/hls/", 5) == 0)
		answer_text(c, 404, "Not found.\n");
	else
		serve_missing(c, path);
}

void
page_home(struct conn *c, const struct route_match *m)
{
	serve(c, "home.html", "");
}

void
page_publish(struct conn *c, const struct route_match *m)
{
	serve(c, "publish.html", "");
}

void
page_watch(struct conn *c, const struct route_match *m)
{
	if (stream_name_ok(m->arg[0], strlen(m->arg[0])))
		serve(c, "watch.html", "");
	else
		page_missing(c);
}

void
page_recordings(struct conn *c)
{
	serve(c, "recordings.html", "Vary: Accept\r\n");
}

void
page_asset(struct conn *c, const struct route_match *m)
{
	if (strstr(m->arg[0], ".html") != NULL)
		answer_text(c, 404, "Not found.\n");
	else {
		if (strcmp(m->arg[0], HLS_SCRIPT) == 0 && find(HLS_SCRIPT) == NULL)
			load(vendor, HLS_SCRIPT);
		serve(c, m->arg[0], "");
	}
}

void
page_free(void)
{
	for (unsigned i = 0; i < npages; i++)
		free(pages[i].text);
}
