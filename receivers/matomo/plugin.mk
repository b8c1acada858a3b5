# PCRE2: exclusions written as /regex/, as Matomo's own are. zlib: the script.
LIBS_receiver-matomo := -lpcre2-8 -lz
