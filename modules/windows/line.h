/* Where receivers keep in a stored line what the event's record says of it; the first field that a line has
   counts. For those who have lines and no records: other engines, and a lake. */
#ifndef WINDOWS_LINE_H
#define WINDOWS_LINE_H

enum line_part { /* the first are slots, as paths.c has them */
                 LINE_APP,
                 LINE_TYPE,
                 LINE_ID,
                 LINE_KEY,
                 LINE_RECEIVER,
                 LINE_TIME,
                 LINE_ARRIVAL,
                 LINE_PARTS
};
#define LINE_FIELDS_MAX 4u /* of a part, with the NULL behind them */

extern const char *const line_fields[LINE_PARTS][LINE_FIELDS_MAX];

#endif
