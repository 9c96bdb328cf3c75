// A library, but no plugin.
extern "C" int not_a_plugin() { return 1; }
