LIBS_module-windows := -lz
