/* url.h - where the host stands in a URL. Pure. */
#ifndef MILLRACE_URL_H
#define MILLRACE_URL_H

#include <stddef.h>

/* Behind "://" and user:password@, where these are; *len: up to the path, with the port. */
const char *url_host(const char *url, size_t *len);
/* How much of that is not the port: "h" of "h:80", "[::1]" of "[::1]:80". */
size_t url_host_name(const char *host, size_t len);
#endif
