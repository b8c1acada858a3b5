LIBS_enricher-geoip := -lmaxminddb
