/* The verbs of `streamsteam`: one file each. argv[0] is the verb, the rest its arguments; the return value is
   the exit code: 0 = done, 1 = failed (stderr says why and what to do), 2 = wrong use. Each verb answers
   --help itself. */
#ifndef CLI_VERBS_H
#define CLI_VERBS_H

int verb_serve(int argc, char **argv);
int verb_init(int argc, char **argv);
int verb_check(int argc, char **argv);
int verb_explain(int argc, char **argv);
int verb_plugins(int argc, char **argv);
int verb_verify_plugin(int argc, char **argv);
int verb_module(int argc, char **argv);
int verb_receiver(int argc, char **argv);
int verb_enricher(int argc, char **argv);
int verb_catalog(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_reload(int argc, char **argv);
int verb_tail(int argc, char **argv);
int verb_send(int argc, char **argv);
int verb_journal(int argc, char **argv);
int verb_quarantine(int argc, char **argv);
int verb_ledger(int argc, char **argv);
int verb_iam(int argc, char **argv);
int verb_query(int argc, char **argv);
int verb_new(int argc, char **argv);
int verb_schema_check(int argc, char **argv);
int verb_app(int argc, char **argv);
int verb_key(int argc, char **argv);
int verb_spark(int argc, char **argv);
int verb_compact(int argc, char **argv);
int verb_windows(int argc, char **argv);

#endif
