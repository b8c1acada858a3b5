/* DuckDB's library, loaded when it is first needed: nobody who does not use it pays for it, and no package
   has to be there to build. What is declared here is the part of its C API that is used, by its own names
   without `duckdb_`. An instance lives in memory, within limits; one thread at a time. */
#ifndef COMMON_DUCKDB_H
#define COMMON_DUCKDB_H

#include "streamsteam/plugin.h"

#define DUCK_LIBRARY "libduckdb.so"

enum duck_type {
    DUCK_BOOLEAN = 1,
    DUCK_BIGINT = 5,
    DUCK_DOUBLE = 11,
    DUCK_VARCHAR = 17,
    DUCK_TIMESTAMP_TZ = 31
};
enum duck_pending { DUCK_READY = 0, DUCK_NOT_READY = 1, DUCK_PENDING_ERROR = 2, DUCK_NO_TASKS = 3 };

typedef struct duck_result { /* the library's layout: some calls take it by value */
    uint64_t old_columns, old_rows, old_changed;
    void *old_data;
    char *old_error;
    void *inside;
} duck_result;

typedef struct duck_text { /* a VARCHAR in a vector: up to DUCK_INLINED bytes stand in it */
    uint32_t len;
    char head[4];
    union {
        const char *ptr;
        char rest[8];
    } as;
} duck_text;
#define DUCK_INLINED 12u

static inline const char *duck_text_at(const duck_text *t)
{
    return t->len <= DUCK_INLINED ? t->head : t->as.ptr;
}

typedef void duck_callback(void *info);
typedef void duck_function_callback(void *info, void *chunk);

/* clang-format off */
#define DUCK_CALLS(X) \
    X(const char *, library_version, (void)) \
    X(int, create_config, (void **config)) \
    X(int, set_config, (void *config, const char *name, const char *value)) \
    X(void, destroy_config, (void **config)) \
    X(int, open_ext, (const char *path, void **db, void *config, char **error)) \
    X(void, close, (void **db)) \
    X(int, connect, (void *db, void **connection)) \
    X(void, disconnect, (void **connection)) \
    X(void, interrupt, (void *connection)) \
    X(void, free, (void *memory)) \
    X(int, query, (void *connection, const char *sql, duck_result *out)) \
    X(void, destroy_result, (duck_result *result)) \
    X(const char *, result_error, (duck_result *result)) \
    X(uint64_t, rows_changed, (duck_result *result)) \
    X(int, prepare, (void *connection, const char *sql, void **out)) \
    X(void, destroy_prepare, (void **prepared)) \
    X(const char *, prepare_error, (void *prepared)) \
    X(int, pending_prepared, (void *prepared, void **out)) \
    X(void, destroy_pending, (void **pending)) \
    X(const char *, pending_error, (void *pending)) \
    X(int, pending_execute_task, (void *pending)) \
    X(int, execute_pending, (void *pending, duck_result *out)) \
    X(void *, create_logical_type, (int type)) \
    X(void *, create_struct_type, (void **types, const char **names, uint64_t count)) \
    X(void, logical_type_set_alias, (void *type, const char *alias)) \
    X(void, destroy_logical_type, (void **type)) \
    X(void *, create_table_function, (void)) \
    X(void, destroy_table_function, (void **function)) \
    X(void, table_function_set_name, (void *function, const char *name)) \
    X(void, table_function_set_extra_info, (void *function, void *extra, void (*destroy)(void *))) \
    X(void, table_function_set_bind, (void *function, duck_callback *bind)) \
    X(void, table_function_set_init, (void *function, duck_callback *init)) \
    X(void, table_function_set_function, (void *function, duck_function_callback *fill)) \
    X(int, register_table_function, (void *connection, void *function)) \
    X(void *, bind_get_extra_info, (void *info)) \
    X(void, bind_add_result_column, (void *info, const char *name, void *type)) \
    X(void, bind_set_error, (void *info, const char *error)) \
    X(void *, function_get_extra_info, (void *info)) \
    X(void, function_set_error, (void *info, const char *error)) \
    X(uint64_t, vector_size, (void)) \
    X(void *, data_chunk_get_vector, (void *chunk, uint64_t column)) \
    X(void, data_chunk_set_size, (void *chunk, uint64_t rows)) \
    X(void *, vector_get_data, (void *vector)) \
    X(void, vector_ensure_validity_writable, (void *vector)) \
    X(uint64_t *, vector_get_validity, (void *vector)) \
    X(void, vector_assign_string_element_len, (void *vector, uint64_t row, const char *text, uint64_t len)) \
    X(void *, struct_vector_get_child, (void *vector, uint64_t index)) \
    X(void, init_set_init_data, (void *info, void *data, void (*destroy)(void *))) \
    X(void, init_set_error, (void *info, const char *error)) \
    X(void *, init_get_extra_info, (void *info)) \
    X(void *, function_get_init_data, (void *info)) \
    X(uint64_t, column_count, (duck_result *result)) \
    X(const char *, column_name, (duck_result *result, uint64_t column)) \
    X(void *, fetch_chunk, (duck_result result)) \
    X(void, destroy_data_chunk, (void **chunk)) \
    X(uint64_t, data_chunk_get_size, (void *chunk))
/* clang-format on */

typedef struct duck_api {
#define DUCK_POINTER(type, name, args) type(*name) args;
    DUCK_CALLS(DUCK_POINTER)
#undef DUCK_POINTER
} duck_api;

/* library: a name that the system's loader looks for, or a path. NULL with err: it is missing or too old, and
   what to do. It stays loaded. */
const duck_api *duck_load(const char *library, ss_error *err);

typedef struct duck_limits {
    uint64_t memory_bytes;
    const char *temp_dir; /* what does not fit goes there; NULL: then a statement fails */
    uint64_t temp_bytes;
} duck_limits;

typedef struct duck { /* does not move while it is open */
    const duck_api *api;
    void *db, *connection;
    void *lines;    /* parquet.h: what its table function reads now */
    bool has_lines; /* that function is known to it                */
} duck;

/* One thread, no extensions from the network. false: err. */
bool duck_open(duck *d, const char *library, const duck_limits *limits, ss_error *err);
void duck_close(duck *d); /* also one that is all zero */
/* changed: rows that the statement wrote, or NULL. */
bool duck_run(duck *d, const char *sql, uint64_t *changed, ss_error *err);
/* The library's text as one line of err. */
void duck_fail(ss_error *err, const char *doing, const char *why);

#endif
