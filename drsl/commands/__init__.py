"""One file a command group. A command parses, calls one function of a room, and prints."""
