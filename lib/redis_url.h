/* redis_url.h - where Redis is: redis.url taken apart. Pure: bytes in, verdict out. */
#ifndef MILLRACE_REDIS_URL_H
#define MILLRACE_REDIS_URL_H

#define REDIS_SENTINELS 8

struct redis_place {
	char host[256];
	int port;
};

struct redis_url {
	char path[108];		/* unix socket, "" for TCP */
	struct redis_place at;	/* with sentinels: as they said last */
	char user[64], password[256];	/* "" = none */
	int db;
	int tls;
	char master[64];	/* the name that sentinels know it by */
	struct redis_place sentinels[REDIS_SENTINELS];
	int nsentinels;		/* 0 = none are asked */
};

/*
 * redis://[[USER]:PASSWORD@]HOST[:PORT][/DB] (HOST may be [v6]), rediss:// the same with TLS,
 * sentinel://[[USER]:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/MASTER[/DB], unix:///PATH, or "embedded",
 * which is the socket run_dir/redis.sock. USER and PASSWORD, Redis' own, may be percent-encoded.
 * 0, or -1 with *why saying what is wrong (a static string without the URL's secrets).
 */
int redis_url_parse(const char *url, const char *run_dir, struct redis_url *out, const char **why);
/* "redis://HOST:PORT/DB", "sentinel://HOST:PORT,.../MASTER/DB" or "unix://PATH", for people: no user, no password. */
void redis_url_print(const struct redis_url *u, char *out, int size);
#endif
