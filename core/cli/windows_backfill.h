/* `streamsteam windows backfill`: argv[0] is "backfill". */
#ifndef CLI_WINDOWS_BACKFILL_H
#define CLI_WINDOWS_BACKFILL_H

int windows_backfill(int argc, char **argv);

#endif
