/* What was lent and is used after its time: memory of a request, the stack of a call that has returned. */
#include <stdlib.h>

#include "plugins/sdk/testkit/inside.h"

/* AddressSanitizer keeps freed memory itself, and sees reads of it as well. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(ADDRESS_SANITIZED)
#define KEEPS_GONE false
#else
#define KEEPS_GONE true
#endif

void kit_take_back(testkit *k, void *whole, void *bytes, size_t len)
{
    if (len)
        memset(bytes, KIT_GONE, len);
    void **place = &k->gone[k->gone_at++ % KIT_GONE_COUNT];
    if (KEEPS_GONE && len < KIT_GONE_BYTES_MAX) {
        void *older = *place;
        *place = whole;
        whole = older;
    }
    free(whole);
}

bool kit_is_gone(const testkit *k, ss_str text)
{
    const char *frame = k->call_frame;
    bool on_stack = frame && text.ptr < frame && text.ptr > frame - KIT_STACK_BYTES;
    return text.len > 0 && (on_stack || (text.ptr[0] == KIT_GONE && text.ptr[text.len - 1] == KIT_GONE));
}
