LIBS_enricher-shape := -lcrypto
