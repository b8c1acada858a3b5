LIBS_enricher-device := -lpcre2-8 -lyaml -lpthread
