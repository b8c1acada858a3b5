LIBS_module-warehouse := -lsqlite3 -lpq
