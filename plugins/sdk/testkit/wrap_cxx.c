/* The same for C++: operator new and new[] with std::nothrow, by their names in the Itanium ABI. The throwing
   ones are left alone: a plugin that lets an exception out is wrong anyway. */
#include "plugins/sdk/testkit/inside.h"

void *__real__ZnwmRKSt9nothrow_t(size_t len, const void *tag);
void *__real__ZnamRKSt9nothrow_t(size_t len, const void *tag);
void *__wrap__ZnwmRKSt9nothrow_t(size_t len, const void *tag);
void *__wrap__ZnamRKSt9nothrow_t(size_t len, const void *tag);

void *__wrap__ZnwmRKSt9nothrow_t(size_t len, const void *tag)
{
    return kit_alloc_fails() ? NULL : __real__ZnwmRKSt9nothrow_t(len, tag);
}

void *__wrap__ZnamRKSt9nothrow_t(size_t len, const void *tag)
{
    return kit_alloc_fails() ? NULL : __real__ZnamRKSt9nothrow_t(len, tag);
}
