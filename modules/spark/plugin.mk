LIBS_module-spark := -lsqlite3 -lcurl -lcrypto
