# PCRE2: exclusions written as /regex/, as Matomo's own are.
LIBS_receiver-matomo := -lpcre2-8
