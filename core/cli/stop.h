/* SIGINT and SIGTERM for verbs that work for long: they are asked for, not ended. */
#ifndef CLI_STOP_H
#define CLI_STOP_H

#include <stdbool.h>

void cli_stop_on_signals(void);
bool cli_stopping(void);

#endif
