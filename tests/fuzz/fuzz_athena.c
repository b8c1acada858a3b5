/* What Athena answers: state, columns, rows. Its bytes are unescaped in place, as in a real answer. */
// libs: -lcurl -lcrypto
#include <stdint.h>

#include "plugins/common/athena.c" /* its readers are its own */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool take_columns(void *arg, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *(size_t *)arg += strlen(names[i]);
    return true;
}

static bool take_row(void *arg, const warehouse_cell *cells, size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < cells[i].text.len; k++)
            *(size_t *)arg += (unsigned char)cells[i].text.ptr[k];
    return true;
}

static ss_str copied(const uint8_t *data, size_t size, char **owned)
{
    *owned = malloc(size ? size : 1); /* so that the sanitizer sees what is read beside it */
    if (*owned && size)
        memcpy(*owned, data, size);
    return ss_s(*owned, *owned ? size : 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static page p;
    size_t sum = 0;
    bool flag = false;
    char *owned;
    const warehouse_rows rows = {take_columns, take_row, &sum};
    const athena_ask ask = {.rows = &rows};
    warehouse_fault fault = {.error = {.struct_size = sizeof fault.error}};
    session s = {.ask = &ask, .fault = &fault, .first_page = true};
    if (!p.names && !(p.names = calloc(COLUMNS_MAX, sizeof *p.names)))
        return 0;
    (void)judge_state(&s, copied(data, size, &owned), &flag);
    free(owned);
    (void)read_page(&s, &p, copied(data, size, &owned), &flag);
    free(owned);
    return 0;
}
