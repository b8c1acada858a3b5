/* A limit on the private memory of this process, so that a plugin that leaks ends itself and not the machine.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

/* From now on malloc() fails beyond it. 0 = none. Sanitizer builds, which reserve terabytes, have none. */
void memory_limit(uint64_t bytes);
/* Three quarters of that limit are used: time to start anew, while that can be done in good order. */
bool memory_is_short(void);

#endif
