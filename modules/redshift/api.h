/* Amazon Redshift's Data API: statements are handed in, asked about, and their rows fetched. One thread. */
#ifndef REDSHIFT_API_H
#define REDSHIFT_API_H

#include "plugins/common/aws/aws.h"
#include "plugins/common/buf.h"

#define API_ID_SIZE    100u /* of a statement, NUL included */
#define API_TOKEN_SIZE 65u
#define API_BATCH_MAX  40u /* statements of one transaction */
#define API_SQL_MAX    100000u
#define API_TEXT_SIZE  480u

typedef struct api {
    const ss_host *host;
    aws_client *aws;
    ss_str workgroup, cluster, database, user, secret_arn;
    int64_t retry_after_ms;
    bool unknown; /* the last call left this machine and nobody knows what became of it */
} api;

enum api_state { API_RUNNING = 0, API_FINISHED, API_FAILED, API_GONE /* expired, or never was */ };

/* One statement, or several as one transaction. The same token gives the same id, also after a lost answer.
 */
int32_t api_submit(api *a, const char *const *sqls, size_t count, const char *token, char id[API_ID_SIZE],
                   int64_t deadline_us, ss_error *err);
/* Asks once. why: Redshift's own words where it failed. */
int32_t api_ask(api *a, const char *id, enum api_state *state, char why[API_TEXT_SIZE], int64_t deadline_us,
                ss_error *err);
/* Asks until it has ended, or until then: API_RUNNING. */
int32_t api_wait(api *a, const char *id, int64_t until_us, enum api_state *state, char why[API_TEXT_SIZE],
                 ss_error *err);
/* The first cell of each row; visit gets it as text. sub: the how-manieth of a transaction, from 1; 0 = the
   only one. */
int32_t api_rows(api *a, const char *id, unsigned sub, void (*visit)(void *arg, ss_str text), void *arg,
                 int64_t deadline_us, ss_error *err);

/* Why a statement failed, in Redshift's words -> what to do: SS_REJECT: a row of what was loaded; SS_PAUSE:
   rights, roles, names that somebody has to mend; SS_FATAL: a table or column is not there; else SS_RETRY. */
int32_t api_meaning(const char *why);

#endif
