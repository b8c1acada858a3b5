LIBS_enricher-privacy := -lcrypto
