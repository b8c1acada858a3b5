/* token_auth: who may override the client's address and the time. */
#ifndef MATOMO_TOKEN_H
#define MATOMO_TOKEN_H

#include "streamsteam/plugin.h"

#define TOKENS_MAX      64u
#define TOKEN_BYTES_MAX 256u
#define TOKEN_SITES_MAX 256u

enum token_role { TOKEN_WRITE = 1, TOKEN_ADMIN = 2, TOKEN_SUPERUSER = 3 };

typedef struct token {
    char secret[TOKEN_BYTES_MAX];
    size_t len;
    enum token_role role;
    int64_t *sites; /* owned; none: every site */
    size_t site_count;
} token;

typedef struct tokens {
    token *list; /* owned */
    size_t count;
} tokens;

/* The option `tokens`. */
int32_t tokens_make(tokens *t, const ss_host *host, const ss_config *cfg, ss_error *err);
void tokens_free(tokens *t);

/* Compares with every token in constant time. site < 0: any site. */
bool tokens_allow(const tokens *t, ss_str given, int64_t site);
bool tokens_superuser(const tokens *t, ss_str given);

#endif
