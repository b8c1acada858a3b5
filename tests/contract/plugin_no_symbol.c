/* A shared object that is no plugin. */
int no_plugin_here(void);
int no_plugin_here(void)
{
    return 1;
}
