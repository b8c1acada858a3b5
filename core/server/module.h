/* The module process: one declared module, alone, on one thread. */
#ifndef SERVER_MODULE_H
#define SERVER_MODULE_H

/* Runs until SIGTERM or end of the supervisor. Inherited: 3 = configuration blob, 4 = board, 5 = control.
   Returns the exit code: 0 clean, 2 configuration or plugin refused, 1 everything else. */
int module_main(void);

#endif
