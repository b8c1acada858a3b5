/* The configuration from bytes that anybody may have written: parsed, merged, checked against the server's
   and the instances' tables. References to the environment are filled in, files are never opened. */
#include "core/config/merge.h"
#include "core/config/schema.h"
#include "core/config/tables.h"

#define FUZZ_ARENA_BYTES (64u * 1024 * 1024)
#define FUZZ_ERRORS_MAX  (256u * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One option of each type that the core's own tables do not have. */
static const ss_option item[] = {{.name = "*", .type = SS_T_ANY, .doc = "Anything."}, {.name = NULL}};
static const ss_option inner[] = {
    {.name = "a", .type = SS_T_FLOAT, .dflt = "0.5", .doc = "A."},
    {.name = "b", .type = SS_T_BOOL, .flags = SS_OPT_REQUIRED, .doc = "B."},
    {.name = "c", .type = SS_T_URL, .doc = "C."},
    {.name = NULL},
};
static const ss_option own[] = {
    {.name = "map", .type = SS_T_MAP, .children = item, .max = 8, .doc = "A map."},
    {.name = "object", .type = SS_T_OBJECT, .children = inner, .doc = "An object."},
    {.name = "path", .type = SS_T_PATH, .dflt = "x", .doc = "A path."},
    {.name = "secret", .type = SS_T_INT, .flags = SS_OPT_SECRET, .doc = "A secret."},
    {.name = NULL},
};

static void check(schema *s, const tree *node, place at, const ss_option *host)
{
    schema_part parts[2] = {{host, sizeof(ss_option), NULL, true}, {own, sizeof(ss_option), NULL, false}};
    schema_check(s, node, at, "fuzz", parts, 2);
    json_decref(parts[0].out);
    json_decref(parts[1].out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    arena a;
    problems *p = malloc(sizeof *p);
    merged files;
    arena_init(&a, FUZZ_ARENA_BYTES);
    problems_init(p, &a);
    if (merge_text(&a, p, "fuzz.yaml", ss_s((const char *)data, size), &files)) {
        schema s = {.arena = &a, .problems = p, .references = {NULL}, .data_dir = "/data"};
        const tree *server = files.sections[MERGE_SERVER];
        check(&s, server, server->at, tables_server);
        for (uint32_t kind = SS_RECEIVER; kind <= SS_MODULE; kind++)
            for (const tree_item *i = files.sections[kind]->first; i; i = i->next)
                check(&s, i->value, i->key->at, tables_host(kind));
    }
    buf errors;
    buf_init(&errors, FUZZ_ERRORS_MAX);
    problems_write(p, &errors);
    buf_fini(&errors);
    free(p);
    arena_fini(&a);
    return 0;
}
