/* JSON numbers as what they say, of any size: comparing and dividing without rounding. 1, 1.0 and 10e-1 are
   the same number, 0.3 is a multiple of 0.1, and 9007199254740993 is larger than 9007199254740992. */
#ifndef COMMON_EXACT_H
#define COMMON_EXACT_H

#include "streamsteam/plugin.h"

#define EXACT_SMALL_DIGITS 18u /* so many fit into 64 bits with room for one more */

typedef struct exact { /* digits * 10^exponent; the digits neither begin nor end with 0 */
    const char *first; /* the first digit; a '.' may stand among them. Borrowed        */
    int64_t exponent;  /* of the last digit                                            */
    uint64_t small;    /* the digits, where there are at most EXACT_SMALL_DIGITS       */
    uint32_t count;    /* of digits; 0: the number is zero                             */
    bool negative;
} exact;

/* text: a number as the JSON scanner takes it. */
exact exact_read(ss_str text);
int exact_compare(const exact *a, const exact *b); /* -1, 0, 1 */
bool exact_integer(const exact *n);
/* Is n a multiple of unit? unit: not zero, at most EXACT_SMALL_DIGITS digits. */
bool exact_multiple(const exact *n, const exact *unit);
uint64_t exact_hash(const exact *n, uint64_t seed); /* equal numbers have equal hashes */

#endif
