/* Listening sockets: made once by the supervisor, inherited by every ingest process, so that no connection is
   refused while ingest restarts. */
#ifndef SERVER_LISTEN_H
#define SERVER_LISTEN_H

#include <stddef.h>

#include "core/base/error.h"

#define LISTEN_BACKLOG       4096
#define LISTEN_ADDRESS_BYTES 280 /* "[IPv6]:port" or "host:port" */

/* Splits "127.0.0.1:8080", "[::1]:8080", "localhost:8080", ":8080" or "8080" (the last two: all IPv4
   addresses). false: err says what is wrong. */
bool listen_split(const char *address, char host[256], char port[16], ss_error *err);

/* Opens `count` nonblocking sockets on the address, one for each event loop (SO_REUSEPORT: the kernel spreads
   the connections). Port 0: all share the port that the first one got. bound: "127.0.0.1:40123".
   Refuses an address on which somebody else already listens, although SO_REUSEPORT would allow it; waits
   up to wait_ms for it to become free. 0, or -1 with err and nothing left open. */
int listen_open(const char *address, size_t count, int wait_ms, int *fds, char bound[LISTEN_ADDRESS_BYTES],
                ss_error *err);

#endif
