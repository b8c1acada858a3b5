/* The allocators that a test's plugin calls when it is linked with -Wl,--wrap=malloc and its like; only then
   the linker takes this file out of the library. Outside of the plugin's callbacks they are the C library's.
 */
#include "plugins/sdk/testkit/inside.h"

void *__real_malloc(size_t len);
void *__real_calloc(size_t count, size_t len);
void *__real_realloc(void *p, size_t len);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t len);
void *__wrap_malloc(size_t len);
void *__wrap_calloc(size_t count, size_t len);
void *__wrap_realloc(void *p, size_t len);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t len);

void *__wrap_malloc(size_t len)
{
    return kit_alloc_fails() ? NULL : __real_malloc(len);
}

void *__wrap_calloc(size_t count, size_t len)
{
    return kit_alloc_fails() ? NULL : __real_calloc(count, len);
}

void *__wrap_realloc(void *p, size_t len)
{
    return kit_alloc_fails() ? NULL : __real_realloc(p, len);
}

char *__wrap_strdup(const char *text)
{
    return kit_alloc_fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t len)
{
    return kit_alloc_fails() ? NULL : __real_strndup(text, len);
}
