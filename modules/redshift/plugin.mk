LIBS_module-redshift := -lcurl -lcrypto -lpq -lz
