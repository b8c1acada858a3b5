#include "core/config/tree.h"

#include <limits.h>
#include <yaml.h>

#define TREE_TAG "tag:yaml.org,2002:"

typedef struct tree_anchor {
    ss_str name;
    const tree *node;
} tree_anchor;

/* One run of the parser. After the first problem that makes the rest meaningless, failed is set. */
typedef struct tree_reader {
    yaml_parser_t yaml;
    arena *arena;
    problems *problems;
    const char *file;
    size_t nodes, anchor_count;
    bool failed;
    tree_anchor anchors[TREE_ANCHORS_MAX];
} tree_reader;

static place place_of(const tree_reader *r, yaml_mark_t mark)
{
    return (place){r->file, (uint32_t)mark.line + 1, (uint32_t)mark.column + 1};
}

static tree *fail(tree_reader *r, place at, const char *text)
{
    if (!r->failed)
        problems_add(r->problems, at, "%s", text);
    r->failed = true;
    return NULL;
}

static ss_str copy_text(arena *a, const char *bytes, size_t len)
{
    char *copy = arena_take(a, len + 1);
    if (!copy)
        return ss_s(NULL, 0);
    memcpy(copy, bytes, len);
    copy[len] = '\0';
    return ss_s(copy, len);
}

static tree *new_node(arena *a, enum tree_kind kind, place at)
{
    tree *node = arena_take(a, sizeof *node);
    if (node)
        *node = (tree){.kind = kind, .at = at, .text = {"", 0}};
    return node;
}

tree *tree_scalar(arena *a, place at, const char *text)
{
    tree *node = new_node(a, TREE_SCALAR, at);
    if (node)
        node->text = copy_text(a, text, strlen(text));
    return node && node->text.ptr ? node : NULL;
}

tree *tree_map(arena *a, place at)
{
    return new_node(a, TREE_MAP, at);
}

bool tree_append(arena *a, tree *parent, tree *key, tree *value)
{
    tree_item *item = arena_take(a, sizeof *item);
    if (!item)
        return false;
    *item = (tree_item){key, value, NULL};
    if (parent->last)
        parent->last->next = item;
    else
        parent->first = item;
    parent->last = item;
    parent->count++;
    return true;
}

bool tree_is_null(const tree *node)
{
    if (!node)
        return true;
    if (node->kind != TREE_SCALAR || node->quoted)
        return false;
    return node->text.len == 0 || strcmp(node->text.ptr, "~") == 0 || strcmp(node->text.ptr, "null") == 0;
}

const tree_item *tree_find(const tree *map, const char *key)
{
    if (!map || map->kind != TREE_MAP)
        return NULL;
    for (const tree_item *i = map->first; i; i = i->next)
        if (strcmp(i->key->text.ptr, key) == 0)
            return i;
    return NULL;
}

const char *tree_kind_name(const tree *node)
{
    return node->kind == TREE_MAP ? "a mapping" : node->kind == TREE_LIST ? "a list" : "a single value";
}

static bool count_node(tree_reader *r, place at)
{
    if (++r->nodes <= TREE_NODES_MAX)
        return true;
    (void)fail(r, at,
               "more than 20000 values (aliases count as what they stand for): split or shorten the file");
    return false;
}

static bool next_event(tree_reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->yaml, event))
        return true;
    if (r->failed)
        return false;
    const yaml_parser_t *y = &r->yaml;
    const char *why = y->problem ? y->problem : "out of memory";
    r->failed = true;
    if (y->error == YAML_READER_ERROR) {
        problems_add(r->problems, place_of(r, y->mark), "not YAML: %s; save the file as UTF-8", why);
        return false;
    }
    const char *hint = strstr(why, "cannot start any token")
                           ? "; indent with spaces, not tabs, and quote values that begin with @, ` or %"
                           : "; look at the indentation, brackets and quotes here and just above";
    if (y->context)
        problems_add(r->problems, place_of(r, y->problem_mark), "not YAML: %s, %s that began on line %zu%s",
                     why, y->context, y->context_mark.line + 1, hint);
    else
        problems_add(r->problems, place_of(r, y->problem_mark), "not YAML: %s%s", why, hint);
    return false;
}

static tree *copy_tree(tree_reader *r, const tree *from)
{
    if (!count_node(r, from->at))
        return NULL;
    tree *to = new_node(r->arena, from->kind, from->at);
    if (!to)
        return fail(r, from->at, "out of memory");
    to->quoted = from->quoted;
    to->text = from->text;
    for (const tree_item *i = from->first; i; i = i->next) {
        tree *value = copy_tree(r, i->value);
        if (!value || !tree_append(r->arena, to, i->key, value))
            return fail(r, from->at, "out of memory");
    }
    return to;
}

/* How deep what hangs below a node reaches: an alias may not carry it past the limit. */
static unsigned height(const tree *node)
{
    unsigned deepest = 0;
    for (const tree_item *i = node->first; i; i = i->next) {
        unsigned h = height(i->value);
        deepest = h > deepest ? h : deepest;
    }
    return deepest + 1;
}

static tree *read_alias(tree_reader *r, const yaml_event_t *event, unsigned depth)
{
    place at = place_of(r, event->start_mark);
    const char *name = (const char *)event->data.alias.anchor;
    for (size_t i = r->anchor_count; i-- > 0;) {
        if (!ss_eq(r->anchors[i].name, ss_cstr(name)))
            continue;
        if (depth + height(r->anchors[i].node) > TREE_DEPTH_MAX)
            return fail(r, at, "nested deeper than 32 levels through this alias");
        return copy_tree(r, r->anchors[i].node);
    }
    if (!r->failed)
        problems_add(r->problems, at, "no anchor '&%.64s' before this alias", name);
    r->failed = true;
    return NULL;
}

static void keep_anchor(tree_reader *r, const char *name, const tree *node)
{
    if (!name || !node)
        return;
    if (r->anchor_count == TREE_ANCHORS_MAX) {
        (void)fail(r, node->at, "more than 256 anchors");
        return;
    }
    ss_str copy = copy_text(r->arena, name, strlen(name));
    if (copy.ptr)
        r->anchors[r->anchor_count++] = (tree_anchor){copy, node};
}

static bool known_tag(tree_reader *r, const yaml_char_t *tag, place at)
{
    static const char *const known[] = {"!", TREE_TAG "str", TREE_TAG "map", TREE_TAG "seq"};
    if (!tag)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp((const char *)tag, known[i]) == 0)
            return true;
    (void)fail(r, at, "a YAML tag; types come from the option, remove the '!...' word");
    return false;
}

static tree *read_scalar(tree_reader *r, const yaml_event_t *event)
{
    place at = place_of(r, event->start_mark);
    if (!known_tag(r, event->data.scalar.tag, at))
        return NULL;
    const char *bytes = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (memchr(bytes, '\0', len))
        return fail(r, at, "a NUL byte in a value; remove it");
    tree *node = new_node(r->arena, TREE_SCALAR, at);
    if (!node)
        return fail(r, at, "out of memory");
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE || event->data.scalar.tag != NULL;
    node->text = copy_text(r->arena, bytes, len);
    return node->text.ptr ? node : fail(r, at, "out of memory");
}

static tree *read_node(tree_reader *r, yaml_event_t *event, unsigned depth);

static bool good_key(tree_reader *r, const tree *map, const tree *key)
{
    if (key->kind != TREE_SCALAR)
        return fail(r, key->at, "a key must be a word, not a list or a mapping") != NULL;
    if (strcmp(key->text.ptr, "<<") == 0 && !key->quoted)
        return fail(r, key->at,
                    "merge keys (<<) are not supported; write the keys out, or alias a whole value") != NULL;
    const tree_item *first = tree_find(map, key->text.ptr);
    if (!first)
        return true;
    problems_add(r->problems, key->at, "'%.64s' stands twice, first on line %u; keep one", key->text.ptr,
                 first->key->at.line);
    return false;
}

/* Reads a map's or list's children up to its end event; takes the ownership of nothing. */
static void read_children(tree_reader *r, tree *node, yaml_event_type_t end, unsigned depth)
{
    tree *key = NULL;
    while (!r->failed) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return;
        if (event.type == end) {
            yaml_event_delete(&event);
            return;
        }
        tree *child = read_node(r, &event, depth + 1);
        if (!child)
            return;
        if (node->kind == TREE_MAP && !key) {
            key = child;
            continue;
        }
        bool keep = node->kind == TREE_LIST || good_key(r, node, key);
        if (keep && !r->failed && !tree_append(r->arena, node, key, child))
            (void)fail(r, child->at, "out of memory");
        key = NULL;
    }
}

static tree *read_collection(tree_reader *r, const yaml_event_t *event, unsigned depth)
{
    bool map = event->type == YAML_MAPPING_START_EVENT;
    place at = place_of(r, event->start_mark);
    if (!known_tag(r, map ? event->data.mapping_start.tag : event->data.sequence_start.tag, at))
        return NULL;
    if (depth >= TREE_DEPTH_MAX)
        return fail(r, at, "nested deeper than 32 levels");
    tree *node = new_node(r->arena, map ? TREE_MAP : TREE_LIST, at);
    if (!node)
        return fail(r, at, "out of memory");
    read_children(r, node, map ? YAML_MAPPING_END_EVENT : YAML_SEQUENCE_END_EVENT, depth);
    return r->failed ? NULL : node;
}

/* Takes the event over and deletes it. */
static tree *read_node(tree_reader *r, yaml_event_t *event, unsigned depth)
{
    tree *node = NULL;
    const yaml_char_t *anchor = NULL;
    if (!count_node(r, place_of(r, event->start_mark))) {
        yaml_event_delete(event);
        return NULL;
    }
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        node = read_alias(r, event, depth);
        break;
    case YAML_SCALAR_EVENT:
        node = read_scalar(r, event);
        anchor = event->data.scalar.anchor;
        break;
    case YAML_SEQUENCE_START_EVENT:
        node = read_collection(r, event, depth);
        anchor = event->data.sequence_start.anchor;
        break;
    case YAML_MAPPING_START_EVENT:
        node = read_collection(r, event, depth);
        anchor = event->data.mapping_start.anchor;
        break;
    default:
        node = fail(r, place_of(r, event->start_mark), "a value was expected here");
    }
    keep_anchor(r, (const char *)anchor, node);
    yaml_event_delete(event);
    return node;
}

static tree *read_stream(tree_reader *r)
{
    tree *root = NULL;
    size_t documents = 0;
    for (bool more = true; more && !r->failed;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return NULL;
        yaml_event_type_t type = event.type;
        if (type == YAML_SCALAR_EVENT || type == YAML_MAPPING_START_EVENT ||
            type == YAML_SEQUENCE_START_EVENT || type == YAML_ALIAS_EVENT) {
            root = read_node(r, &event, 0);
            continue;
        }
        if (type == YAML_DOCUMENT_START_EVENT && ++documents > 1)
            (void)fail(r, place_of(r, event.start_mark),
                       "a second YAML document; put fragments into conf.d/*.yaml");
        more = type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    if (r->failed)
        return NULL;
    return root ? root : tree_map(r->arena, (place){r->file, 1, 1});
}

tree *tree_parse(arena *a, problems *p, const char *file, const char *text, size_t len)
{
    if (len > TREE_FILE_BYTES_MAX) {
        problems_add(p, (place){file, 0, 0}, "larger than 4 MiB; this is not a configuration file");
        return NULL;
    }
    tree_reader *r = arena_take(a, sizeof *r);
    if (!r)
        return NULL;
    *r = (tree_reader){.arena = a, .problems = p, .file = file};
    if (!yaml_parser_initialize(&r->yaml)) {
        problems_add(p, (place){file, 0, 0}, "out of memory");
        return NULL;
    }
    yaml_parser_set_input_string(&r->yaml, (const unsigned char *)text, len);
    tree *root = read_stream(r);
    yaml_parser_delete(&r->yaml);
    return root;
}
