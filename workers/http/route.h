/*
 * route.h - a path against the table of routes. Pure. A captured component is decoded and
 * bounded here; whether it may name a stream or a file is the handler's check.
 */
#ifndef MILLRACE_HTTP_ROUTE_H
#define MILLRACE_HTTP_ROUTE_H

#include <stddef.h>

#define ROUTE_ARGS 2
#define ROUTE_ARG_MAX 96

struct conn;
struct route_match;

/* Methods; GET includes HEAD, and OPTIONS unless that has its own handling. */
enum { ROUTE_GET = 1, ROUTE_POST = 2, ROUTE_DELETE = 4, ROUTE_PATCH = 8, ROUTE_OPTIONS = 16 };
enum { ROUTE_CORS = 1 };			/* flags: other origins may read it */

struct route {
	const char *pattern;	/* "/stream/@/@": each @ is one component, captured; "/x/" and a star: any rest */
	unsigned methods, flags;
	void (*handle)(struct conn *c, const struct route_match *m);
};

struct route_match {
	const struct route *route;
	char arg[ROUTE_ARGS][ROUTE_ARG_MAX];
};

/* The first route of the table (ends with pattern NULL) that fits; 0, or -1. */
int route_find(const struct route *table, const char *path, struct route_match *out);
#endif
