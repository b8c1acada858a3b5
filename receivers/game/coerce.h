/* String() and Number() of JavaScript, for what direct producers put where the schema wants something else.
 */
#ifndef GAME_COERCE_H
#define GAME_COERCE_H

#include "receivers/game/event.h"

#define COERCE_NUMBER_SIZE 32u

enum coerced {
    COERCE_OK,
    COERCE_THROWS, /* an object whose toString is none: JavaScript throws a TypeError */
    COERCE_NO_MEMORY
};

enum coerced game_to_string(const game *g, ss_call *call, const game_value *v, ss_str *out);
enum coerced game_to_number(const game *g, ss_call *call, const game_value *v,
                            double *out); /* NaN, Infinity */
/* As String() writes a number; returns the length. */
size_t game_put_number(char out[COERCE_NUMBER_SIZE], double value);
bool game_truthy(const game_value *v);

#endif
