"""One file for each section of the configuration: keys, types, defaults, units and meanings."""
