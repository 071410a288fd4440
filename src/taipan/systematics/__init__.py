"""Sources of systematic uncertainty: a file a kind, which the registry finds by itself."""
