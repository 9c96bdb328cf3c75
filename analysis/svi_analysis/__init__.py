"""Tables, figures and films from svi's result files. Reads them only; never links the library."""
