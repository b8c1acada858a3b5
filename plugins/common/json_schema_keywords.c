/* The vocabulary: which keywords there are, and where subschemas stand in them. */
#include "plugins/common/json_schema_inside.h"

static const struct {
    const char *name;
    enum json_schema_keyword_form form;
} keywords[] = {
    {"$schema", FORM_VALUE},
    {"$id", FORM_VALUE},
    {"$ref", FORM_VALUE},
    {"$anchor", FORM_VALUE},
    {"$defs", FORM_MAP},
    {"definitions", FORM_MAP}, /* as $defs was called; still a place for $ref to point at */
    {"$comment", FORM_ANNOTATION},
    {"$vocabulary", FORM_UNSUPPORTED},
    {"$dynamicRef", FORM_UNSUPPORTED},
    {"$dynamicAnchor", FORM_UNSUPPORTED},
    {"$recursiveRef", FORM_UNSUPPORTED},
    {"$recursiveAnchor", FORM_UNSUPPORTED},
    {"unevaluatedItems", FORM_UNSUPPORTED},
    {"unevaluatedProperties", FORM_UNSUPPORTED},
    {"dependencies", FORM_UNSUPPORTED},
    {"additionalItems", FORM_UNSUPPORTED},
    {"type", FORM_VALUE},
    {"enum", FORM_VALUE},
    {"const", FORM_VALUE},
    {"multipleOf", FORM_VALUE},
    {"maximum", FORM_VALUE},
    {"exclusiveMaximum", FORM_VALUE},
    {"minimum", FORM_VALUE},
    {"exclusiveMinimum", FORM_VALUE},
    {"maxLength", FORM_VALUE},
    {"minLength", FORM_VALUE},
    {"pattern", FORM_VALUE},
    {"format", FORM_VALUE},
    {"maxItems", FORM_VALUE},
    {"minItems", FORM_VALUE},
    {"uniqueItems", FORM_VALUE},
    {"maxContains", FORM_VALUE},
    {"minContains", FORM_VALUE},
    {"maxProperties", FORM_VALUE},
    {"minProperties", FORM_VALUE},
    {"required", FORM_VALUE},
    {"dependentRequired", FORM_VALUE},
    {"allOf", FORM_LIST},
    {"anyOf", FORM_LIST},
    {"oneOf", FORM_LIST},
    {"prefixItems", FORM_LIST},
    {"not", FORM_SCHEMA},
    {"if", FORM_SCHEMA},
    {"then", FORM_SCHEMA},
    {"else", FORM_SCHEMA},
    {"items", FORM_SCHEMA},
    {"contains", FORM_SCHEMA},
    {"additionalProperties", FORM_SCHEMA},
    {"propertyNames", FORM_SCHEMA},
    {"properties", FORM_MAP},
    {"patternProperties", FORM_MAP},
    {"dependentSchemas", FORM_MAP},
    {"title", FORM_ANNOTATION},
    {"description", FORM_ANNOTATION},
    {"default", FORM_ANNOTATION},
    {"deprecated", FORM_ANNOTATION},
    {"readOnly", FORM_ANNOTATION},
    {"writeOnly", FORM_ANNOTATION},
    {"examples", FORM_ANNOTATION},
    {"contentEncoding", FORM_ANNOTATION},
    {"contentMediaType", FORM_ANNOTATION},
    {"contentSchema", FORM_ANNOTATION},
};
#define KEYWORDS (sizeof keywords / sizeof *keywords)

enum json_schema_keyword_form json_schema_keyword_form_of(ss_str name)
{
    for (size_t i = 0; i < KEYWORDS; i++)
        if (ss_eq(name, ss_cstr(keywords[i].name)))
            return keywords[i].form;
    return FORM_UNKNOWN;
}

/* One letter more, less, other, or two swapped; case does not count. */
static bool near(ss_str a, const char *b)
{
    size_t len = strlen(b), from = 0, end = 0;
    while (from < a.len && from < len && (a.ptr[from] | 0x20) == (b[from] | 0x20))
        from++;
    while (end < a.len - from && end < len - from &&
           (a.ptr[a.len - 1 - end] | 0x20) == (b[len - 1 - end] | 0x20))
        end++;
    size_t left = a.len - from - end, right = len - from - end;
    return (left <= 1 && right <= 1) ||
           (left == 2 && right == 2 && a.ptr[from] == b[from + 1] && a.ptr[from + 1] == b[from]);
}

const char *json_schema_keyword_near(ss_str name)
{
    for (size_t i = 0; i < KEYWORDS; i++)
        if (near(name, keywords[i].name))
            return keywords[i].name;
    return NULL;
}
