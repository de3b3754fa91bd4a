/*
 * dispatch.c - a whole request to its handler by the table of routes in main.c. Every request
 * is answered, now or later, exactly once. Called by conn_io.c only.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "http.h"
#include "util.h"

/*
 * Who asks. A proxy on this host that was not named in http.trusted_proxies makes everybody look
 * local; most say at least that they are one.
 */
void
dispatch_client(struct conn *c)
{
	const char *xff = request_field(&c->req, FIELD_X_FORWARDED_FOR);
	const char *forwarded = request_field(&c->req, FIELD_FORWARDED);
	bool proxied = xff || forwarded || request_field(&c->req, FIELD_VIA) ||
	    request_field(&c->req, FIELD_X_REAL_IP);
	int rc = client_address(&c->peer, http.limits.trusted, xff, forwarded, &c->client);

	/* a trusted one that does not say for whom it asks masks, too */
	c->masked = rc < 0 || (proxied && client_trusted(&c->client, http.limits.trusted)) ||
	    (proxied && !client_trusted(&c->peer, http.limits.trusted));
}

static void
cors_preflight(struct conn *c)
{
	char lines[256];

	snprintf(lines, sizeof(lines), "Access-Control-Allow-Methods: GET, HEAD, OPTIONS\r\n"
	    "Access-Control-Allow-Headers: Range\r\nAccess-Control-Max-Age: 86400\r\n");
	answer_bytes(c, 204, NULL, lines, NULL, 0, false);
}

static unsigned
method_bit(unsigned method)
{
	switch (method) {
	case HTTP_GET:
	case HTTP_HEAD:
		return ROUTE_GET;
	case HTTP_POST:
		return ROUTE_POST;
	case HTTP_DELETE:
		return ROUTE_DELETE;
	case HTTP_PATCH:
		return ROUTE_PATCH;
	case HTTP_OPTIONS:
		return ROUTE_OPTIONS;
	default:
		return 0;
	}
}

static void
method_not_allowed(struct conn *c, unsigned methods)
{
	static const struct { unsigned bit; const char *names; } all[] = {
		{ ROUTE_GET, "GET, HEAD, OPTIONS" }, { ROUTE_POST, "POST" }, { ROUTE_DELETE, "DELETE" },
		{ ROUTE_PATCH, "PATCH" },
	};
	char allow[80] = "Allow: ";
	size_t n;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (methods & all[i].bit) {
			n = strlen(allow);
			snprintf(allow + n, sizeof(allow) - n, "%s%s", n > 7 ? ", " : "", all[i].names);
		}
	n = strlen(allow);
	snprintf(allow + n, sizeof(allow) - n, "\r\n");
	answer_bytes(c, 405, "text/plain; charset=utf-8", allow, xstrdup("Method not allowed.\n"), 20, true);
}

void
dispatch_request(struct conn *c)
{
	unsigned method = request_method(&c->req);
	struct route_match m;

	http.count.requests++;
	c->idle = false;
	conn_set_quiet(c, false);
	c->flags = 0;
	c->closing = !c->req.keep_alive;
	dispatch_client(c);
	if (route_find(http_routes, request_path(&c->req), &m) < 0) {
		page_missing(c);
		return;
	}
	c->flags = m.route->flags;
	if (m.route->methods & method_bit(method))
		m.route->handle(c, &m);
	else if (method == HTTP_OPTIONS && (m.route->methods & ROUTE_GET))
		cors_preflight(c);
	else
		method_not_allowed(c, m.route->methods);
}
