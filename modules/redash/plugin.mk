LIBS_module-redash := -lcurl -lcrypto
