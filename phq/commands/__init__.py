"""The command line, a file a group of commands; each command is one call of the library."""
