#include "receivers/matomo/names.h"

#define LOW(bytes)                                                                                           \
    {                                                                                                        \
        ((uint64_t)1 << (bytes)*8) - 1, 0                                                                    \
    }
#define HIGH(bytes)                                                                                          \
    {                                                                                                        \
        UINT64_MAX, ((uint64_t)1 << (bytes)*8) - 1                                                           \
    }

const names_key names_masks[NAMES_LEN_MAX + 1] = {LOW(0),
                                                  LOW(1),
                                                  LOW(2),
                                                  LOW(3),
                                                  LOW(4),
                                                  LOW(5),
                                                  LOW(6),
                                                  LOW(7),
                                                  HIGH(0),
                                                  HIGH(1),
                                                  HIGH(2),
                                                  HIGH(3),
                                                  HIGH(4),
                                                  HIGH(5),
                                                  HIGH(6),
                                                  HIGH(7),
                                                  {UINT64_MAX, UINT64_MAX}};

#define SEED_TRIES 100000u /* about one in ten fits */

static bool seed_fits(names *n, size_t count)
{
    memset(n->slots, (int)NAMES_NONE, sizeof n->slots);
    for (size_t i = 0; i < count; i++) {
        uint8_t *slot = &n->slots[names_slot(n->seed, n->keys[i])];
        if (*slot != NAMES_NONE)
            return false;
        *slot = (uint8_t)i;
    }
    return true;
}

bool names_make(names *n, const char *const *list, size_t count, bool fold)
{
    memset(n, 0, sizeof *n);
    if (count > NAMES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(list[i]);
        if (len == 0 || len > NAMES_LEN_MAX)
            return false;
        n->keys[i] = names_load(list[i], len, list[i] + len);
        n->lengths[i] = (uint8_t)len;
        n->behind[i] = (uint16_t)(0xFFFFu << len);
        if (fold)
            n->keys[i] = names_fold(n->keys[i]);
    }
    n->keys[NAMES_NONE] = (names_key){UINT64_MAX, UINT64_MAX}; /* not UTF-8 */
    uint64_t state = 0x2545F4914F6CDD1Du;
    for (uint32_t i = 0; i < SEED_TRIES; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        n->seed = (state ^ state >> 29) | 1;
        if (seed_fits(n, count))
            return true;
    }
    return false;
}
