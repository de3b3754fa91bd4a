/*
 * conf_yaml.c - YAML text to a small tree of our own with line numbers.
 *
 * The only user of libyaml. Everything is bounded: depth, nodes, bytes. Aliases are refused
 * (a config has no use for them, and they can expand without end), so are a second document
 * and control characters. It knows no key: conf.c compares the tree with the table.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "supervisor/conf_table.h"
#include "util.h"

struct reader {
	yaml_parser_t parser;
	struct conf_errors *errors;
	unsigned nodes;
	const char *text;
	size_t len;
};

static struct conf_node *read_node(struct reader *r, yaml_event_t *ev, unsigned depth);

void
conf_yaml_free(struct conf_node **n)
{
	struct conf_node *child, *next;

	if (*n == NULL)
		return;
	for (child = (*n)->first; child != NULL; child = next) {
		next = child->next;
		conf_yaml_free(&child);
	}
	free((*n)->key);
	free((*n)->text);
	free(*n);
	*n = NULL;
}

bool
conf_node_is_null(const struct conf_node *n)
{
	return n->kind == CONF_SCALAR && n->plain && (n->text[0] == '\0' ||
	    strcmp(n->text, "~") == 0 || strcmp(n->text, "null") == 0);
}

/* Most YAML errors of people; libyaml's words for it name a token. */
static bool
indented_by_tab(const struct reader *r, unsigned line)
{
	const char *p = r->text, *end = r->text + r->len;

	while (--line > 0 && p != NULL && (p = memchr(p, '\n', (size_t)(end - p))) != NULL)
		p++;
	while (p != NULL && p < end && *p == ' ')
		p++;
	return p != NULL && p < end && *p == '\t';
}

static int
next_event(struct reader *r, yaml_event_t *ev)
{
	const yaml_parser_t *p = &r->parser;
	unsigned line;

	if (yaml_parser_parse(&r->parser, ev) == 1)
		return 0;
	line = (unsigned)p->problem_mark.line + 1;
	if (p->error == YAML_READER_ERROR)	/* it has no mark */
		conf_error(r->errors, (unsigned)p->mark.line + 1, "not UTF-8 text: %s", p->problem);
	else if (indented_by_tab(r, line))
		conf_error(r->errors, line, "a tab: indent with spaces");
	else
		conf_error(r->errors, line, "not YAML: %s%s%s", p->context != NULL ? p->context : "",
		    p->context != NULL ? ": " : "", p->problem != NULL ? p->problem : "broken");
	return -1;
}

static unsigned
line_of(const yaml_event_t *ev)
{
	return (unsigned)ev->start_mark.line + 1;
}

/* A scalar's bytes as a string; NULL after an error. */
static char *
scalar_text(struct reader *r, const yaml_event_t *ev)
{
	const yaml_char_t *s = ev->data.scalar.value;
	size_t i, len = ev->data.scalar.length;
	char *text;

	for (i = 0; i < len; i++)
		if (s[i] < 0x20 || s[i] == 0x7f) {
			conf_error(r->errors, line_of(ev), "control characters are not allowed in values");
			return NULL;
		}
	text = xmalloc(len + 1);
	memcpy(text, s, len);
	text[len] = '\0';
	return text;
}

static struct conf_node *
read_scalar(struct reader *r, yaml_event_t *ev, struct conf_node *n)
{
	n->kind = CONF_SCALAR;
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = scalar_text(r, ev);
	if (n->text == NULL)
		conf_yaml_free(&n);
	return n;
}

static struct conf_node *
read_list(struct reader *r, struct conf_node *n, unsigned depth)
{
	struct conf_node **tail = &n->first;
	yaml_event_t ev;

	n->kind = CONF_LIST;
	for (;;) {
		if (next_event(r, &ev) == -1)
			break;
		if (ev.type == YAML_SEQUENCE_END_EVENT) {
			yaml_event_delete(&ev);
			return n;
		}
		*tail = read_node(r, &ev, depth);
		if (*tail == NULL)
			break;
		tail = &(*tail)->next;
	}
	conf_yaml_free(&n);
	return NULL;
}

/* The key that ev is; a second one of its name is an error that does not end the reading. */
static char *
read_key(struct reader *r, const yaml_event_t *ev, json_t *lines)
{
	json_t *before;
	char *key;

	if (ev->type != YAML_SCALAR_EVENT) {
		conf_error(r->errors, line_of(ev), "a key must be a word");
		return NULL;
	}
	key = scalar_text(r, ev);
	if (key == NULL)
		return NULL;
	before = json_object_get(lines, key);
	if (before != NULL)
		conf_error(r->errors, line_of(ev), "key \"%s\" is given twice (first in line %d)", key,
		    (int)json_integer_value(before));
	else
		json_object_set_new(lines, key, json_integer(line_of(ev)));
	return key;
}

static struct conf_node *
read_pair(struct reader *r, yaml_event_t *ev, json_t *lines, unsigned depth)
{
	unsigned line = line_of(ev);
	char *key = read_key(r, ev, lines);
	struct conf_node *value;
	yaml_event_t value_ev;

	yaml_event_delete(ev);
	if (key == NULL)
		return NULL;
	value = next_event(r, &value_ev) == 0 ? read_node(r, &value_ev, depth) : NULL;
	if (value == NULL) {
		free(key);
		return NULL;
	}
	value->key = key;
	if (value->kind != CONF_SCALAR || value->text[0] == '\0')
		value->line = line;	/* an empty value is placed where the next key begins */
	return value;
}

static struct conf_node *
read_map(struct reader *r, struct conf_node *n, unsigned depth)
{
	struct conf_node **tail = &n->first;
	json_t *lines = json_object();
	yaml_event_t ev;

	n->kind = CONF_MAP;
	for (;;) {
		if (next_event(r, &ev) == -1)
			break;
		if (ev.type == YAML_MAPPING_END_EVENT) {
			yaml_event_delete(&ev);
			json_decref(lines);
			return n;
		}
		*tail = read_pair(r, &ev, lines, depth);
		if (*tail == NULL)
			break;
		tail = &(*tail)->next;
	}
	json_decref(lines);
	conf_yaml_free(&n);
	return NULL;
}

/* Takes ev. NULL after an error. */
static struct conf_node *
read_node(struct reader *r, yaml_event_t *ev, unsigned depth)
{
	yaml_event_type_t type = ev->type;
	struct conf_node *n = NULL;

	if (depth > CONF_DEPTH_MAX || ++r->nodes > CONF_NODES_MAX)
		conf_error(r->errors, line_of(ev), depth > CONF_DEPTH_MAX ? "nested too deeply" :
		    "too many values");
	else if (type == YAML_ALIAS_EVENT)
		conf_error(r->errors, line_of(ev), "aliases (*NAME) are not supported: write the value again");
	else {
		n = xcalloc(1, sizeof(*n));
		n->line = line_of(ev);
		if (type == YAML_SCALAR_EVENT)
			n = read_scalar(r, ev, n);
	}
	yaml_event_delete(ev);
	if (n != NULL && type == YAML_SEQUENCE_START_EVENT)
		return read_list(r, n, depth + 1);
	if (n != NULL && type == YAML_MAPPING_START_EVENT)
		return read_map(r, n, depth + 1);
	return n;
}

/* The first event that is not of the given framing kinds, in *ev. 0 or -1. */
static int
skip_to(struct reader *r, yaml_event_type_t skip_a, yaml_event_type_t skip_b, yaml_event_t *ev)
{
	for (;;) {
		if (next_event(r, ev) == -1)
			return -1;
		if (ev->type != skip_a && ev->type != skip_b)
			return 0;
		yaml_event_delete(ev);
	}
}

static struct conf_node *
read_document(struct reader *r)
{
	struct conf_node *root;
	yaml_event_t ev;

	if (skip_to(r, YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT, &ev) == -1)
		return NULL;
	if (ev.type == YAML_STREAM_END_EVENT) {		/* nothing but comments */
		yaml_event_delete(&ev);
		root = xcalloc(1, sizeof(*root));
		root->kind = CONF_MAP;
		return root;
	}
	root = read_node(r, &ev, 0);
	if (root == NULL)
		return NULL;
	if (skip_to(r, YAML_DOCUMENT_END_EVENT, YAML_NO_EVENT, &ev) == -1) {
		conf_yaml_free(&root);
		return NULL;
	}
	if (ev.type != YAML_STREAM_END_EVENT) {
		conf_error(r->errors, line_of(&ev), "a second document begins here: one file, one document");
		conf_yaml_free(&root);
	}
	yaml_event_delete(&ev);
	return root;
}

struct conf_node *
conf_yaml_parse(const char *text, size_t len, struct conf_errors *e)
{
	struct reader r = { .errors = e, .text = text, .len = len };
	struct conf_node *root;

	if (len > CONF_FILE_MAX) {
		conf_error(e, 0, "longer than %d bytes", CONF_FILE_MAX);
		return NULL;
	}
	if (yaml_parser_initialize(&r.parser) == 0) {
		conf_error(e, 0, "out of memory");
		return NULL;
	}
	yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
	root = read_document(&r);
	yaml_parser_delete(&r.parser);
	return root;
}
