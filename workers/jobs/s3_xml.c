/*
 * s3_xml.c - answers of S3 through libexpat: bounded depth and text, no document type and so no
 * entities of its own. What is asked for is found by its path, whatever its order. Called by s3_call.c.
 */
#include <expat.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "s3_xml.h"
#include "util.h"

struct xml {
	XML_Parser parser;
	char path[S3_XML_PATH], text[S3_XML_TEXT];
	size_t text_len;
	int depth;
	bool bad;
	s3_xml_cb cb;
	void *ctx;
};

static void
refuse(struct xml *x)
{
	x->bad = true;
	XML_StopParser(x->parser, XML_FALSE);
}

static void
start_cb(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
	struct xml *x = ctx;
	size_t len = strlen(x->path), more = strlen(name);

	if (++x->depth > S3_XML_DEPTH || len + more + 2 > sizeof x->path)
		return refuse(x);
	if (len > 0)
		x->path[len++] = '/';
	memcpy(x->path + len, name, more + 1);
	x->text_len = 0;
}

static void
end_cb(void *ctx, const XML_Char *name)
{
	struct xml *x = ctx;
	char *last = strrchr(x->path, '/');

	x->text[x->text_len] = '\0';
	x->cb(x->path, x->text, x->ctx);
	x->text_len = 0;
	x->depth--;
	*(last != NULL ? last : x->path) = '\0';
}

static void
text_cb(void *ctx, const XML_Char *s, int len)
{
	struct xml *x = ctx;
	size_t room = sizeof x->text - 1 - x->text_len, n = (size_t)len < room ? (size_t)len : room;

	memcpy(x->text + x->text_len, s, n);
	x->text_len += n;
}

static void
doctype_cb(void *ctx, const XML_Char *name, const XML_Char *sysid, const XML_Char *pubid, int internal)
{
	refuse(ctx);
}

int
s3_xml_parse(const char *in, size_t len, s3_xml_cb cb, void *ctx)
{
	struct xml *x = xcalloc(1, sizeof *x);
	int rc = -1;

	x->cb = cb;
	x->ctx = ctx;
	x->parser = XML_ParserCreate("UTF-8");
	if (x->parser == NULL)
		goto out;
	XML_SetUserData(x->parser, x);
	XML_SetElementHandler(x->parser, start_cb, end_cb);
	XML_SetCharacterDataHandler(x->parser, text_cb);
	XML_SetStartDoctypeDeclHandler(x->parser, doctype_cb);
	if (XML_Parse(x->parser, in, (int)len, XML_TRUE) == XML_STATUS_OK && !x->bad)
		rc = 0;
	XML_ParserFree(x->parser);
out:
	free(x);
	return rc;
}
