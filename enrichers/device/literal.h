/* What a text must contain for a regular expression to match it at all: a set of literals in lower case of
   which at least one is in every match. Found by reading the expression, not by running it. */
#ifndef DEVICE_LITERAL_H
#define DEVICE_LITERAL_H

#include "streamsteam/plugin.h"

#define LITERAL_CHARS 28u
#define LITERALS_MAX  2048u /* of one expression; with more it is always a candidate */

typedef struct literal {
    char text[LITERAL_CHARS];
    uint8_t len;
    bool at_start; /* every match that has it begins with it */
} literal;

typedef struct literal_set {
    literal *items;
    uint32_t count, room;
} literal_set;

/* Fills `out`; false where nothing can be said (or memory is short), which is always safe. */
bool literals_of(ss_str regex, literal_set *out);
void literal_set_free(literal_set *set);

#endif
