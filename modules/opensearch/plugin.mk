LIBS_module-opensearch := -lcurl -lcrypto -lz
