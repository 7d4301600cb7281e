"""One command for each DVC stage; a stage parses, opens stores, calls the library, writes."""
