LIBS_module-glue := -lcurl -lcrypto
