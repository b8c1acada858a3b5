/* `module NAME setup` asked of the running server: the plugin's setup verb in a process of its own, with the
   module's sealed configuration; never in the supervisor, never in ingest. */
#ifndef SERVER_SETUP_H
#define SERVER_SETUP_H

#define SETUP_TITLE      "setup " /* argv[0] of the child: "streamsteam: setup NAME" */
#define SETUP_DEADLINE_S 110

/* Inherited: 3 = the module's blob. What the plugin says goes to the log. Exit codes: 0 done, 4 the plugin
   has no setup, 1 everything else. */
int setup_main(void);

#endif
